"""Orders and open files that go through a socket: every file arrives, in order, and nothing is left open."""

import os
import socket
from collections.abc import Iterator

import pytest

from sipswarm.actors.host import handover

Lines = tuple[socket.socket, socket.socket]


@pytest.fixture
def lines() -> Iterator[Lines]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def content(descriptor: int) -> bytes:
    try:
        return os.pread(descriptor, 100, 0)
    finally:
        os.close(descriptor)


def file_of(text: bytes) -> int:
    descriptor = os.memfd_create("file")
    os.write(descriptor, text)
    return descriptor


def opened() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("number", [0, 1, handover.MOST - 1, handover.MOST, 2 * handover.MOST + 3])
@pytest.mark.parametrize("order", [b"x", b"long" * 1_000_000], ids=["short", "beyond the room of the socket"])
def test_an_order_arrives_with_its_files_in_their_order(lines: Lines, number: int, order: bytes) -> None:
    before = opened()
    files = [file_of(b"%d" % each) for each in range(number)]
    handover.give(lines[0], order, files)
    assert [content(each) for each in files] == [b"%d" % each for each in range(number)], "they stay open here"
    taken = handover.take(lines[1])
    assert taken is not None
    assert taken[0] == order
    assert not any(map(os.get_inheritable, taken[1]))
    assert [content(each) for each in taken[1]] == [b"%d" % each for each in range(number)]
    assert opened() == before


def test_the_end_of_the_line_is_no_order(lines: Lines) -> None:
    lines[0].close()
    assert handover.take(lines[1]) is None


def test_a_process_that_has_ended_gets_nothing(lines: Lines) -> None:
    before = opened()
    lines[1].close()
    with pytest.raises(BrokenPipeError):
        handover.give(lines[0], b"order", [0])
    assert len(opened()) == len(before) - 1
