"""System calls of one thread that are made to fail, one at a time, by strace.

`observe` lists the calls that each thread of a process makes, `sites` turns the lists into single failures, and
`failing` does one of them to a running process. strace attaches to one thread without `-f`, so that the number of a
call counts the calls of that thread only. An error is one that the kernel gives for that call; errors of calls that
libzmq and libuv end their process for (epoll_ctl and eventfd of their own threads and loops; ENOMEM of a send or
receive of libzmq) are not among them.
"""

import asyncio
import re
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from .figures import Unable

ERRORS: Mapping[str, tuple[str, ...]] = {
    "sendto": ("ENOBUFS", "EAGAIN", "ECONNREFUSED", "EPERM"),
    "sendmsg": ("ENOBUFS", "EAGAIN", "ECONNREFUSED", "EPERM"),
    "recvfrom": ("ECONNREFUSED", "EAGAIN", "ENOMEM"),
    "recvmsg": ("ECONNREFUSED", "EAGAIN", "ENOMEM"),
    "socket": ("EMFILE", "ENFILE", "ENOBUFS"),
    "bind": ("EADDRINUSE", "EADDRNOTAVAIL", "ENOMEM"),
    "connect": ("ENETUNREACH", "EADDRNOTAVAIL", "EAGAIN"),
    "accept4": ("EMFILE", "ENFILE", "ECONNABORTED", "ENOBUFS", "ENOMEM"),
    "getsockname": ("ENOBUFS",),
    "getsockopt": ("ENOBUFS",),
    "setsockopt": ("ENOBUFS",),
    "epoll_ctl": ("ENOSPC", "ENOMEM"),
    "openat": ("EMFILE", "ENFILE", "ENOSPC"),
    "memfd_create": ("EMFILE", "ENOMEM"),
    "mmap": ("ENOMEM",),
    "mremap": ("ENOMEM",),
    "pwrite64": ("ENOSPC", "EIO"),
    "fsync": ("EIO",),
    "fdatasync": ("EIO",),
}
"""Errors of calls of the main thread, which runs the event loop."""
LIBRARY_ERRORS: Mapping[str, tuple[str, ...]] = {
    "sendto": ("EAGAIN", "EINTR", "ENOBUFS", "ECONNRESET"),
    "recvfrom": ("EAGAIN", "EINTR", "ENOBUFS", "ECONNRESET"),
}
"""Errors of calls of the threads of libzmq."""
LIBRARY_THREAD = "ZMQbg"
ATTACH_WITHIN = 10.0
"""Seconds."""
_CALL = re.compile(r"(?m)^(\d+) +(\w+)\((?:\d+, )?(\w*)")
Calls = dict[tuple[int, str], list[int]]
"""The calls of a process by (thread, call): the number of each one that may fail."""


@dataclass(frozen=True, slots=True)
class Site:
    """One call of one thread that is to fail."""

    process: str
    """Name within the node: dispatcher, call-0, media-0."""
    thread: str
    """Name of the thread; empty = the main one."""
    call: str
    error: str
    number: int
    """Of the call among those of this name that the thread makes, from 1."""

    def __str__(self) -> str:
        thread = f" ({self.thread})" if self.thread else ""
        return f"{self.process}{thread}: {self.call} number {self.number} gives {self.error}"


def threads(pid: int) -> dict[int, str]:
    """The threads of a process by number; the name of the main one is empty."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found[int(task.name)] = "" if task.name == str(pid) else (task / "comm").read_text().strip()
    return found


def calls_of(text: str) -> Calls:
    """The calls in the output of `strace -f`. Of epoll_ctl only EPOLL_CTL_ADD may fail: it alone needs memory."""
    found: Calls = {}
    counts: Counter[tuple[str, str]] = Counter()
    for thread, call, argument in _CALL.findall(text):
        counts[thread, call] += 1
        if call != "epoll_ctl" or argument == "EPOLL_CTL_ADD":
            found.setdefault((int(thread), call), []).append(counts[thread, call])
    return found


def sites(process: str, names: Mapping[int, str], calls: Calls, most: int) -> list[list[Site]]:
    """The failures to do to a process: for each thread, call and error a list by rising number.

    Args:
        process: its name in the node.
        names: of its threads.
        calls: what each thread does in one call.
        most: numbers of a list; of more calls, the first half of them and others at even distances.
    """
    found = []
    for (thread, call), made in sorted(calls.items()):
        if thread not in names:
            continue
        table = LIBRARY_ERRORS if names[thread].startswith(LIBRARY_THREAD) else ERRORS
        found += [
            [Site(process, names[thread], call, error, number) for number in some(made, most)]
            for error in table.get(call, ())
        ]
    return found


def some(of: list[int], most: int) -> list[int]:
    """At most so many numbers of a list: the first ones, and from there to the last at even distances."""
    if len(of) <= most:
        return of
    first = most // 2
    step = (len(of) - first) / (most - first)
    return of[:first] + [of[first - 1 + round(step * number)] for number in range(1, most - first + 1)]


def in_turn(lists: Iterable[list[Site]]) -> list[Site]:
    """The first of each list, then the second of each, and so on."""
    waiting, found = [list(reversed(each)) for each in lists], []
    while waiting := [each for each in waiting if each]:
        found += [each.pop() for each in waiting]
    return found


@asynccontextmanager
async def strace(*arguments: str) -> AsyncIterator[None]:
    """strace, attached within the context.

    Raises:
        Unable: it is not there, or may not trace.
    """
    program = which("strace")
    if program is None:
        raise Unable("no strace")
    process = await asyncio.create_subprocess_exec(program, *arguments, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(ATTACH_WITHIN):
            line = (await process.stderr.readline()).decode(errors="replace")
        if "attached" not in line:
            raise Unable(line.strip() or "strace ended")
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)  # it detaches
        await process.communicate()


@asynccontextmanager
async def observe(pid: int, file: Path) -> AsyncIterator[Calls]:
    """List the system calls of a process within the context; the list is filled at its end."""
    found: Calls = {}
    async with strace("-f", "-p", str(pid), "-o", str(file)):
        yield found
    found.update(calls_of(file.read_text(errors="replace")))


@asynccontextmanager
async def failing(site: Site, pid: int, file: Path) -> AsyncIterator[None]:
    """Have one call of a process fail within the context; `has_failed` says afterwards whether it came to that."""
    thread = next((number for number, name in threads(pid).items() if name == site.thread), pid)
    inject = f"inject={site.call}:error={site.error}:when={site.number}"
    async with strace("-p", str(thread), "-o", str(file), "-e", f"trace={site.call}", "-e", inject):
        yield


def has_failed(file: Path) -> bool:
    """Whether strace has made a call fail."""
    return "(INJECTED)" in file.read_text(errors="replace")
