"""System calls of the engine that fail once: a command is refused, and no descriptor or port is lost."""

import errno
import os
import socket
from collections.abc import Callable

import pytest

from sipswarm.media.engine import MediaEngine
from sipswarm.media.messages import CloseStream, CommandRefused, OpenStream, StreamClosed, StreamRefused
from sipswarm.media.refusal import Refusal

from .world import HOME, World, to

REST = 6.0
"""Seconds in which the ports of a closed stream rest."""


class FailingPoll:
    """An epoll object one of whose registrations fails."""

    def __init__(self, engine: MediaEngine, number: int) -> None:
        self._poll = engine._poll
        self._left = number
        self.poll, self.unregister, self.close = self._poll.poll, self._poll.unregister, self._poll.close

    def register(self, descriptor: int, events: int) -> None:
        self._left -= 1
        if not self._left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._poll.register(descriptor, events)


def failing(real: Callable[[socket.socket], object], number: int) -> Callable[[socket.socket], object]:
    """A call of a socket whose use of that number fails."""
    left = number

    def call(own: socket.socket) -> object:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        return real(own)

    return call


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_stream_whose_rtp_cannot_be_read_is_not_opened(world: World) -> None:
    engine = world.engine()
    before, free = descriptors(), engine._pool.free
    engine._poll = FailingPoll(engine, 1)  # type: ignore[assignment]
    (refused,) = world.do(engine, OpenStream(1, HOME))
    assert isinstance(refused, StreamRefused)
    assert (refused.reason, refused.detail) == (Refusal.NO_DESCRIPTOR.value, os.strerror(errno.ENOSPC))
    assert (descriptors(), engine._pool.free) == (before, free)
    world.open(engine)


def test_a_stream_whose_rtcp_cannot_be_read_is_refused_and_closes_as_any_other(world: World) -> None:
    one, other = world.engine(), world.engine()
    there = world.open(other)
    before, free = descriptors(), one._pool.free
    world.open(one)
    one._poll = FailingPoll(one, 1)  # type: ignore[assignment]
    (refused,) = world.do(one, to(there))
    assert isinstance(refused, CommandRefused)
    assert (refused.reason, refused.detail) == (Refusal.NO_DESCRIPTOR.value, os.strerror(errno.ENOSPC))
    *_, closed = world.do(one, CloseStream(1))
    assert isinstance(closed, StreamClosed)
    world.run(REST)
    assert (descriptors(), one._pool.free) == (before, free)


def test_a_stream_that_could_not_be_read_can_be_configured_again(world: World) -> None:
    one, other = world.engine(), world.engine()
    here, there = world.open(one), world.open(other)
    one._poll = FailingPoll(one, 1)  # type: ignore[assignment]
    assert world.do(one, to(there))
    assert not world.do(one, to(there))
    world.do(other, to(here, source=("silence",)))
    world.run(0.5)
    assert world.close(one).packets_received >= 20


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_stream_whose_address_cannot_be_read_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    engine = world.engine()
    before, free = descriptors(), engine._pool.free
    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "getsockname", failing(socket.socket.getsockname, number))
        (refused,) = world.do(engine, OpenStream(1, HOME))
    assert isinstance(refused, StreamRefused)
    assert (descriptors(), engine._pool.free) == (before, free)
    world.open(engine)
