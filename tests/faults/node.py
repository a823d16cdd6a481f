"""The product as a user starts it, seen from outside: its processes through /proc, its health over HTTP, its files.

Nothing of a row's verdict comes from here but what the operating system says: pids, exit codes, sizes. Metrics are
read only to wait for a state, or to be held against what a peer counted.
"""

import asyncio
import http.client
import itertools
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0
ROLES = re.compile(r"(dispatcher|call-\d+|media-\d+)")
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
_numbers = itertools.count(1)


def own_host() -> str:
    """A loopback address that no other row has: of this process and of a counter."""
    pid = os.getpid()
    return f"127.{130 + pid % 120}.{(pid // 120) % 250}.{next(_numbers) % 250 + 1}"


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """The processes below this one."""
    found: list[int] = []
    for each in [pid]:
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found + [below for each in found for below in descendants(each)]


def role_of(pid: int) -> str:
    """What a process of a node is for: its name or a word of its command line; empty = neither says."""
    try:
        words = [Path(f"/proc/{pid}/comm").read_text(), *Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    except OSError:
        return ""
    if any("python" in word or "sipswarm" in word or ROLES.search(word) for word in words):
        for word in (words[0], *reversed(words[1:])):
            found = ROLES.search(word)
            if found:
                return found[1]
    return ""


def resident(pid: int) -> int:
    """Octets of resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def descriptors(pid: int) -> int:
    """Open descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


async def until(condition: Callable[[], object], within: float, what: str, every: float = 0.02) -> float:
    """Wait until a condition holds; the seconds that it took.

    Raises:
        TimeoutError: it did not come about in time; the message says what.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise TimeoutError(f"not within {within:g} s: {what}")
        await asyncio.sleep(every)
    return time.monotonic() - began


async def holds(condition: Callable[[], object], within: float, every: float = 0.05) -> bool:
    """Whether a condition comes to hold within a time."""
    try:
        await until(condition, within, "", every)
    except TimeoutError:
        return False
    return True


class Node:
    """A running `sipswarm VERB …`; leaving the context ends it and whatever it left.

    Args:
        verb: answer, robot or load.
        arguments: of it.
        folder: of its files.
        host: where it listens; SIP on `port`, metrics on 9464, or the port after that of SIP where it is another.
        listen: transports; empty = the arguments have what is needed.
        stderr, stdout: descriptors instead of files.
        environment: more variables.
        wait: until it is healthy, when the context begins; never for a load.
    """

    def __init__(
        self,
        verb: str,
        arguments: Sequence[str],
        folder: Path,
        *,
        host: str = "",
        listen: Sequence[str] = ("udp",),
        stderr: int | None = None,
        stdout: int | None = None,
        environment: dict[str, str] | None = None,
        port: int = 5060,
        metrics_port: int = 0,
        wait: bool = True,
    ) -> None:
        number = next(_numbers)
        self.host = host or own_host()
        self.port = port
        self._wait = wait and verb != "load"
        self.metrics_port = metrics_port or (9464 if port == 5060 else port + 1)
        self.folder = folder
        self.errors_path = folder / f"{verb}-{number}.err"
        self.output_path = folder / f"{verb}-{number}.out"
        self.run_dir = folder / f"{verb}-{number}.run"
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        places = [word for each in listen for word in ("--listen", f"{each}:{bracketed}:{self.port}")]
        argv = [sys.executable, "-m", "sipswarm.actors.cli", verb, *arguments, *places]
        argv += ["--metrics", f"{bracketed}:{self.metrics_port}", "--run-dir", str(self.run_dir)]
        self.argv = argv
        with self.errors_path.open("wb") as errors, self.output_path.open("wb") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *argv],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=errors if stderr is None else stderr,
                env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **(environment or {})},
                start_new_session=True,
            )
        self._seen: set[int] = set()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of SIP."""
        return self.host, self.port

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def errors(self) -> str:
        return self.errors_path.read_text(errors="replace")

    def account(self) -> str:
        """For the message of a failure."""
        return f"$ {' '.join(self.argv[-40:])}\nexit code {self.exit_code}\n{self.errors[-3000:]}"

    # ---- its processes

    def processes(self) -> dict[str, int]:
        """Pid by name: supervisor, dispatcher, call-N, media-N."""
        found = {"supervisor": self.pid}
        for pid in descendants(self.pid):
            self._seen.add(pid)
            if alive(pid) and (name := role_of(pid)):
                found[name] = pid
        return found

    def pids(self, kind: str) -> list[int]:
        """Those of a kind, in order: dispatcher, call, media, supervisor, all (the supervisor included)."""
        return [
            pid for name, pid in sorted(self.processes().items()) if kind == "all" or name.partition("-")[0] == kind
        ]

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor."""
        self._process.send_signal(number)

    def kill(self, name: str) -> int:
        """Kill -9 a process by its name; its pid."""
        pid = self.processes()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def killed_and_back(self, name: str, within: float = 15.0) -> float:
        """Kill a process and wait until another one has its name; the seconds that it took."""
        old = self.kill(name)
        return await until(
            lambda: self.processes().get(name, old) != old or self.exit_code is not None, within, f"a new {name}"
        )

    # ---- what it says

    def get(self, path: str, seconds: float = 5.0) -> tuple[int, str]:
        """Status and text of a page of the metrics port; 0 = no answer."""
        connection = http.client.HTTPConnection(self.host, self.metrics_port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    async def ask(self, path: str) -> tuple[int, str]:
        """As `get`, beside the event loop."""
        return await asyncio.to_thread(self.get, path)

    async def ready(self, within: float = READY_WITHIN) -> None:
        """Wait until every process of it is up.

        Raises:
            AssertionError: it ended, or was not healthy in time; with what it wrote.
        """
        deadline = time.monotonic() + within
        while True:
            status, text = await self.ask("/healthz")
            if status == 200 and json.loads(text).get("status") == "healthy":
                return
            if self.exit_code is not None or time.monotonic() > deadline:
                raise AssertionError(f"no healthy node within {within:g} s: {text}\n{self.account()}")
            await asyncio.sleep(0.05)

    async def sum_of(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels."""
        _, text = await self.ask("/metrics")
        total = 0.0
        for line in text.splitlines():
            if line.startswith((name + "{", name + " ")) and all(
                f'{label}="{value}"' in line for label, value in labels.items()
            ):
                total += float(line.rpartition(" ")[2])
        return total

    # ---- its end

    async def ended(self, within: float) -> float:
        """Wait for its end; the seconds that it took, or `within` and more when it did not come."""
        began = time.monotonic()
        await holds(lambda: self.exit_code is not None, within, every=0.01)
        return time.monotonic() - began + (within if self.exit_code is None else 0.0)

    async def stop(self, within: float = 40.0) -> int | None:
        """SIGTERM, and again after a while; its exit code, None when it had to be killed."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
            await holds(lambda: self.exit_code is not None, within)
        return self.exit_code

    def close(self) -> None:
        """End whatever still runs of it."""
        below = set(descendants(self.pid)) | {pid for pid in self._seen if role_of(pid)}
        for pid in {self.pid, *below}:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def left(self) -> list[int]:
        """Processes of it that still run after its end."""
        return [pid for pid in self._seen if alive(pid) and role_of(pid)]

    async def __aenter__(self) -> Self:
        try:
            if self._wait:
                await self.ready()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Processes that stand still within the context."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def few_descriptors(pids: Sequence[int], spare: int = 3) -> Iterator[None]:
    """Processes that may open only this many more descriptors within the context."""
    before = {}
    for pid in pids:
        before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1 + spare, before[pid][1]))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


class Pipe:
    """A pipe whose reader stands still until it is told to read; `write` is given to a program."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)

    def fill(self) -> None:
        """Write until no room is left for a line: whoever writes from now on waits."""
        poll = select.poll()
        poll.register(self.write, select.POLLOUT)
        while poll.poll(0):
            os.write(self.write, b"\0" * select.PIPE_BUF)

    def drain(self) -> bytes:
        """Read what there is."""
        found = b""
        with suppress(BlockingIOError):
            while data := os.read(self.read, 65536):
                found += data
        return found

    def close(self) -> None:
        for each in (self.read, self.write):
            with suppress(OSError):
                os.close(each)


@contextmanager
def small_disk(folder: Path, octets: int) -> Iterator[Path]:
    """A file system of this size, mounted there.

    Raises:
        PermissionError: this user may mount none.
    """
    place = folder / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", str(place)], capture_output=True, text=True
    )
    if made.returncode:
        raise PermissionError(f"no tmpfs: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(disk: Path) -> Path:
    """Write until a disk is full; the file that fills it."""
    file = disk / "filling"
    with file.open("wb", buffering=0) as out:
        block = b"\0" * 4096
        with suppress(OSError):
            while True:
                out.write(block)
        with suppress(OSError):
            while True:
                out.write(b"\0")
    return file
