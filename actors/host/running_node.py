"""Which process of a node holds a port, read from /proc: one that is about to end is worth waiting for.

The processes of a node have names of their own (`kernel.name_process`), which change when they begin to end. Only
processes of the same user are seen. Slow: for the one case that a port is busy.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RUNS: Final = "sip-"
"""Begins the name of a process of a node."""
ENDS: Final = "end-"
"""Begins it from the moment in which the process hangs up its calls."""
STARTER: Final = "starter"
"""Name of the process that forks the others; it holds no port."""
_TABLES: Final = ("udp", "udp6", "tcp", "tcp6")


def holders(port: int) -> list[str]:
    """Return the names of the processes of nodes that hold a port of this host.

    Args:
        port: of any transport and address.
    """
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    names = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it is gone, or another user's
            name = (process / "comm").read_text().rstrip("\n")
            if name.startswith((RUNS, ENDS)) and any(link in wanted for link in _links(process)):
                names.append(name)
    return names


def _links(process: Path) -> Iterator[str]:
    for each in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            yield os.readlink(each)


def _inodes(port: int) -> Iterator[str]:
    for table in _TABLES:
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
