"""This process as the parent of processes that lose theirs (prctl(2), PR_SET_CHILD_SUBREAPER).

That holds only while a process is awaited whose parent has ended on purpose. Else what a user's program leaves behind
goes to the init of the system, as usual.
"""

import ctypes
import os
from contextlib import suppress
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_waiting: Final[set[object]] = set()
"""Parts of this process that await one."""


def adopt(part: object, wanted: bool) -> None:
    """Begin or end to take processes below this one that lose their parent.

    Args:
        part: of this process that awaits one; the last of them ends it.
        wanted: whether it awaits one.
    """
    before = bool(_waiting)
    (_waiting.add if wanted else _waiting.discard)(part)
    if bool(_waiting) != before:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)


def is_child(pid: int) -> bool:
    """Whether a process is a child of this one that is not reaped yet."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap_group(group: int) -> bool:
    """Reap the children of this process in a process group that have ended.

    Args:
        group: whose leader was reaped.

    Returns:
        Whether none is left.
    """
    with suppress(ChildProcessError):
        while os.waitid(os.P_PGID, group, os.WEXITED | os.WNOHANG) is not None:
            pass
        return False
    return True
