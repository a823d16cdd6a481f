"""The open files that outlive the processes of a node: made once, handed down to each process that needs them."""

import os
import socket
from collections.abc import Sequence

from ..config import HandedDown, NodeConfig
from .child_process import ChildProcess
from .death_records import DeathRecords
from .ledgers import Ledgers


class NodeDescriptors:
    """The files of one node.

    Args:
        sockets: the listeners.
        config: of the node.

    Raises:
        OSError: no more files can be opened.

    Attributes:
        black_boxes: those of its processes.
    """

    def __init__(self, sockets: Sequence[socket.socket], config: NodeConfig) -> None:
        self._sockets = sockets
        self._ledgers = Ledgers(config.max_calls)
        self.black_boxes = DeathRecords(config.call_workers)
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
            boxes=-1 if child.role == "media" else self.black_boxes.descriptor,
        )

    def close(self) -> None:
        """Close all of them; the rolls belong to their slots."""
        for each in self._sockets:
            each.close()
        self._ledgers.close()
        self.black_boxes.close()
        for end in self._last_call:
            os.close(end)
