"""Figures of the kernel about processes and sockets: processor time, memory, dropped datagrams."""

import ctypes
import os
import resource
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterable

from ..errors import ConfigurationError

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_SO_MEMINFO = 55
_SK_MEMINFO_DROPS = 8
# States of proc_pid_stat(5). D, a wait that no signal ends, is none of them: a page that is read from a disk is one.
_STOPPED_OR_ENDED = (b"T", b"t", b"Z", b"X", b"x")


def start(thread: threading.Thread) -> None:
    """Start a fresh thread.

    Raises:
        ConfigurationError: the system lets no more processes and threads run.
    """
    try:
        thread.start()
    except RuntimeError as error:  # the only one that a fresh thread raises
        raise _too_few(0, 1) from error


def need_threads(wanted: int) -> None:
    """Start so many threads that do nothing, to see whether the system lets that many processes and threads run.

    A library that gets none (libzmq) ends its process. A thread counts as a process does for the limits of both.

    Raises:
        ConfigurationError: it lets fewer run.
    """
    begun: list[threading.Thread] = []
    over = threading.Event()
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            begun.append(thread)
    except RuntimeError as error:
        raise _too_few(len(begun), wanted) from error
    finally:
        over.set()
        for thread in begun:
            thread.join()


def _too_few(found: int, wanted: int) -> ConfigurationError:
    return ConfigurationError(
        f"the system lets this user start {found} more processes and threads, and {wanted} are needed; raise ulimit "
        "-u, and ulimit -v if that is set (LimitNPROC, TasksMax and MemoryMax of a service, pids of a container)"
    )


def process_usage(pid: int) -> tuple[float, int] | None:
    """Processor seconds (user + system) and resident octets of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE


def is_awake(pid: int) -> bool:
    """Whether a process runs or waits for something: it was not stopped, is not traced, and has not ended.

    Raises:
        OSError: no descriptor is free.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in _STOPPED_OR_ENDED
    except (FileNotFoundError, ProcessLookupError):
        return False


def udp_drops(sockets: Iterable[socket.socket]) -> int:
    """Datagrams that the kernel dropped because the receive buffer of one of these sockets was full.

    Read of each socket (SO_MEMINFO, Linux 4.12): reading /proc/net/udp takes tens of milliseconds once a host has
    thousands of media sockets, and this runs in an event loop.
    """
    drops = 0
    for each in sockets:
        counts = struct.unpack("9I", each.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
        drops += counts[_SK_MEMINFO_DROPS]
    return drops


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; the limit that holds now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_descriptors() -> int | None:
    """Return how many more descriptors this process may open; None = there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    return max(0, soft - len(os.listdir("/proc/self/fd")))


def forbid_core_dumps() -> None:
    """Credentials and digits must not reach a disk by a crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def name_process(name: str) -> None:
    """Set the name of this process in ps and top (prctl(2), PR_SET_NAME).

    Args:
        name: the first 15 octets of it are kept.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def rename_last_argument(name: str) -> None:
    """Replace the last argument in the command line of this process, as /proc and ps show it.

    The kernel reads it out of the memory of the process (proc(5), arg_start). Blanks after the argument before take
    the room that is left. Nothing happens where the system hides that memory, or where the name finds no room.

    Args:
        name: not longer than the argument that it replaces.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return
    start, end = int(fields[45]), int(fields[46])
    words = [os.fsencode(word) for word in sys.orig_argv]
    there = b"\0".join(words) + b"\0"
    room = len(words[-1]) - len(name.encode())
    if start and end - start == len(there) and ctypes.string_at(start, len(there)) == there and room >= 0:
        shown = b"\0".join((*words[:-2], words[-2] + b" " * room, name.encode())) + b"\0"
        ctypes.memmove(start, shown, len(shown))


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent thread ends (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
