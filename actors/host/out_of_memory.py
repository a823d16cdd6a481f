"""The number of processes that the kernel has killed for want of memory, in this control group or on this machine.

The count of the control group (cgroup v2, `memory.events`) is used where it can be read; else that of the machine
(`/proc/vmstat`), which other services raise too. Neither names the process: a caller compares two counts around the end
of a process by SIGKILL.
"""

from pathlib import Path
from typing import Final

_GROUPS: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")
_MACHINE: Final = Path("/proc/vmstat")


def oom_kills(groups: Path = _GROUPS, own: Path = _OWN, machine: Path = _MACHINE) -> int:
    """Return the count; 0 when the system has none.

    Args:
        groups: where the control groups are mounted.
        own: the file that names the group of this process.
        machine: the file with the count of the machine.
    """
    for path in (*_events(groups, own), machine):
        count = _read(path)
        if count is not None:
            return count
    return 0


def _events(groups: Path, own: Path) -> list[Path]:
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    return [groups / line[3:].lstrip("/") / "memory.events" for line in lines if line.startswith("0::")]


def _read(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
