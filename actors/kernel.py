"""What the kernel knows of our processes and sockets: processor time, memory, dropped datagrams. Read from /proc."""

import ctypes
import os
import resource
import signal
from collections.abc import Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1


def process_usage(pid: int) -> tuple[float, int] | None:
    """Processor seconds (user + system) and resident octets of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE


def udp_drops(inodes: Iterable[int]) -> int:
    """Datagrams that the kernel dropped because the receive buffer of one of these sockets was full."""
    wanted = {str(inode).encode() for inode in inodes}
    drops = 0
    for path in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            with open(path, "rb") as file:
                rows = file.readlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) > 12 and fields[9] in wanted:
                drops += int(fields[12])
    return drops


def inode(descriptor: int) -> int:
    """The inode by which /proc names a socket."""
    return os.fstat(descriptor).st_ino


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; the limit that holds now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def forbid_core_dumps() -> None:
    """Credentials and digits must not reach a disk by a crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent thread ends (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
