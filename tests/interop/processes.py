"""Programs as the interop tests start them: output into files, ports that are free, waits that end, ends by pid."""

import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"

ENDS_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "TERM", "--")
"""Before a command: the kernel ends it when the thread that started it dies, so that a run of tests that is killed, and
gets no chance to end anything, leaves nothing behind. util-linux, which every Debian has."""

# Below the kernel's ephemeral ports and our RTP ports, above the RTP ports of Net::SIP (2000-12000): a port found
# free here is not taken by somebody's connection before the program that it is for has bound it.
_ports: Iterator[int] = itertools.cycle(range(13000 + os.getpid() % 300 * 20, 19980, 4))
_hosts: Iterator[int] = itertools.cycle(range(20, 250))


def network() -> str:
    """The first two octets of a loopback network that no other process tests in."""
    return f"127.{100 + os.getpid() % 150}"


def own_host() -> str:
    """A loopback address that no other program has, of this process' tests or of others."""
    return f"{network()}.{next(_hosts)}.1"


def free_port(host: str = LOOPBACK) -> int:
    """A port on which neither UDP nor TCP is bound at this address; the next two are not given to another caller."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in itertools.islice(_ports, 2000):
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(family, kind) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return port
    raise AssertionError("no free port from 13000 to 20000")


def wait_until(condition: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """Poll until the condition holds.

    Raises:
        AssertionError: it did not in time; the message says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.02)


def bound(port: int, transport: str) -> bool:
    """Whether some process has the port: a bound UDP socket, or a listening TCP one."""
    listening = "0A"
    for table in (transport, transport + "6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and (transport == "udp" or fields[3] == listening):
                return True
    return False


def descendants(pid: int) -> set[int]:
    """The processes below this one, as /proc knows them now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name in brackets may hold blanks and brackets itself: the fields begin after the last one.
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {pid}
        found |= more


def workers(pid: int) -> set[int]:
    """The processes below this one that have a role in a node: without its starter."""
    found = set()
    for each in descendants(pid):
        with suppress(OSError):
            if b"starter" not in Path(f"/proc/{each}/cmdline").read_bytes().replace(b" ", b"").split(b"\0"):
                found.add(each)
    return found


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Program:
    """One started program in a session of its own; leaving the context ends it and everything that it started.

    So does the end of the thread that started it, however it comes.
    """

    def __init__(
        self, argv: Sequence[str], folder: Path, name: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.argv = list(argv)
        self.output_path = folder / f"{name}.out"
        self.errors_path = folder / f"{name}.err"
        with self.output_path.open("wb") as output, self.errors_path.open("wb") as errors:
            self._process = subprocess.Popen(
                [*ENDS_WITH_THE_TESTS, *self.argv],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative = the signal that ended it."""
        return self._process.poll()

    @property
    def output(self) -> str:
        return self.output_path.read_text(errors="replace")

    @property
    def errors(self) -> str:
        return self.errors_path.read_text(errors="replace")

    def account(self) -> str:
        """The command, how it stands and the end of what it wrote, for the message of a failure."""
        return (
            f"$ {' '.join(self.argv)}\nexit code {self.exit_code}\n"
            f"--- stdout\n{self.output[-3000:]}\n--- stderr\n{self.errors[-6000:]}"
        )

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code.

        Raises:
            AssertionError: it still runs after that time; it is ended.
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            account = self.account()
            self.end()
            raise AssertionError(f"still running after {seconds:g} s\n{account}") from None

    def end(self) -> None:
        """End it and its session: asked first, then killed."""
        for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0)):
            if self._process.poll() is None:
                self._process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
