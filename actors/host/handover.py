"""Hands an order and open files to another process, through a stream socket between the two (unix(7), SCM_RIGHTS).

The order is written into memory, whose descriptor goes ahead of the files: so no order is too long for the socket, and
who hands it over never waits for the other process. One octet goes with each batch of descriptors and shows whether
another batch follows.
"""

import os
import socket
from collections.abc import Sequence
from typing import Final

from .shared_memory import new_memory

MOST: Final = 250
"""Descriptors of one message; the kernel takes 253 (SCM_MAX_FD)."""
_MORE: Final = b"+"
_LAST: Final = b"."


def give(line: socket.socket, order: bytes, descriptors: Sequence[int]) -> None:
    """Hand over an order and open files; their descriptors stay open here.

    Args:
        line: a socket that does not block, and whose queue is empty.
        order: any octets, one at least.
        descriptors: of the files, in an order that the other side understands.

    Raises:
        BrokenPipeError: the other process has ended.
        OSError: no descriptor or no memory is free. A part may have been handed over.
    """
    memory = new_memory("order", len(order))
    try:
        os.pwrite(memory, order, 0)
        numbers = [memory, *descriptors]
        for at in range(0, len(numbers), MOST):
            mark = _MORE if at + MOST < len(numbers) else _LAST
            socket.send_fds(line, [mark], numbers[at : at + MOST])
    finally:
        os.close(memory)


def take(line: socket.socket) -> tuple[bytes, list[int]] | None:
    """Wait for an order and its files.

    Args:
        line: a socket that blocks.

    Returns:
        The order, and the descriptors, which no program that this process starts inherits; None = the other process
        has closed the line.

    Raises:
        OSError: no descriptor is free here.
    """
    numbers: list[int] = []
    mark = _MORE
    while mark == _MORE:
        mark, more, flags, _ = socket.recv_fds(line, 1, MOST)
        for each in more:  # `recv_fds` of Python 3.11 drops its flags
            os.set_inheritable(each, False)
        numbers += more
        if not mark:
            return None
        if flags & socket.MSG_CTRUNC:
            raise OSError("the files of an order did not come: too many are open")
    memory, *files = numbers
    with open(memory, "rb") as order:
        return order.read(), files
