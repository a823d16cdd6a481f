"""The open files that outlive the processes of a node: made once, handed down to each process that needs them."""

import os
import socket
from collections.abc import Sequence

from ..config import HandedDown
from .child_process import ChildProcess
from .ledgers import Ledgers


class NodeDescriptors:
    """The files of one node.

    Args:
        sockets: the listeners.
        calls: live at a time in one slot at most.

    Raises:
        OSError: no more files can be opened.
    """

    def __init__(self, sockets: Sequence[socket.socket], calls: int) -> None:
        self._sockets = sockets
        self._ledgers = Ledgers(calls)
        self._last_call = os.pipe()
        """All call workers hold its end for writing; the others read its end when the last of them ends."""

    def of(self, child: ChildProcess) -> HandedDown:
        """Return what a process gets."""
        is_call = child.role == "call"
        return HandedDown(
            listeners=() if child.role == "media" else tuple(each.fileno() for each in self._sockets),
            last_call=self._last_call[is_call],
            roll=child.roll,
            ledger=self._ledgers.of(child.slot) if is_call else -1,
        )

    def close(self) -> None:
        """Close all of them; the rolls belong to their slots."""
        for each in self._sockets:
            each.close()
        self._ledgers.close()
        for end in self._last_call:
            os.close(end)
