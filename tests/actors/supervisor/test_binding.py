"""A busy port: of a node that ends it is waited for, of all others not."""

import asyncio
import ctypes
import socket
import time

import pytest

from sipswarm.actors.config import Listener
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.host import running_node
from sipswarm.actors.supervisor import binding


@pytest.fixture
def busy() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    return opened


async def bound(busy: socket.socket, free_after: float) -> float:
    """Bind the address of a socket that is closed after so many seconds; the seconds that it took."""
    listener = Listener("udp", "127.0.0.1", busy.getsockname()[1])
    began = time.monotonic()
    asyncio.get_running_loop().call_later(free_after, busy.close)
    sockets, listeners = await binding.bind_all((listener,))
    for each in sockets:
        each.close()
    assert listeners == (listener,)
    return time.monotonic() - began


def test_a_node_that_ends_is_waited_for(busy: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_node, "holders", lambda port: ["end-call-0", "sip-media-0"])
    assert asyncio.run(bound(busy, 0.6)) >= 0.6


def test_but_not_for_ever(busy: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_node, "holders", lambda port: ["end-call-0"])
    monkeypatch.setattr(binding, "LONGEST", 0.4)
    with busy, pytest.raises(ConfigurationError, match="is busy"):
        asyncio.run(bound(busy, 60.0))


def test_processes_of_a_node_get_a_moment_to_notice_that_their_supervisor_is_gone(
    busy: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_node, "holders", lambda port: ["sip-call-0"])
    began = time.monotonic()
    with busy, pytest.raises(ConfigurationError, match="is busy"):
        asyncio.run(bound(busy, 60.0))
    assert time.monotonic() - began >= binding.NOTICED


def test_another_program_is_not_waited_for(busy: socket.socket) -> None:
    """With the real holders: this process has no name of a node's."""
    began = time.monotonic()
    with busy, pytest.raises(ConfigurationError, match="is busy"):
        asyncio.run(bound(busy, 60.0))
    assert time.monotonic() - began < binding.LONGEST / 2


def test_the_holder_of_a_port_is_found_by_its_name(busy: socket.socket) -> None:
    name = ctypes.create_string_buffer(16)
    assert ctypes.CDLL(None).prctl(16, name, 0, 0, 0) == 0  # PR_GET_NAME
    try:
        ctypes.CDLL(None).prctl(15, b"end-call-12", 0, 0, 0)
        with busy:
            assert running_node.holders(busy.getsockname()[1]) == ["end-call-12"]
        assert running_node.holders(1) == []
    finally:
        ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
