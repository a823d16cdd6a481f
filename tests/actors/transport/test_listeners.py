"""Listen sockets: bound before anything starts, or nothing stays bound and the message says why."""

import errno
import socket

import pytest

from sipswarm.actors.config import Listener
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.transport.listeners import _explain, bind_all

ANY = Listener("udp", "127.0.0.1", 0)


def test_port_zero_is_filled_in_for_each_listener() -> None:
    sockets, bound = bind_all([ANY, Listener("udp", "::1", 0), ANY])
    try:
        assert [each.getsockname()[1] for each in sockets] == [each.port for each in bound]
        assert [each.host for each in bound] == ["127.0.0.1", "::1", "127.0.0.1"]
        assert len({each.port for each in bound if each.host == "127.0.0.1"}) == 2
        assert not any(each.getblocking() for each in sockets)
        assert not any(each.get_inheritable() for each in sockets)
    finally:
        for each in sockets:
            each.close()


def test_a_busy_port_is_named_and_nothing_stays_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        first = Listener("udp", "127.0.0.1", free.getsockname()[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is busy"):
            bind_all([first, Listener("udp", "127.0.0.1", port)])
    sockets, _ = bind_all([first])
    sockets[0].close()


def test_an_address_of_another_host_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1 is no address of this host"):
        bind_all([ANY, Listener("udp", "192.0.2.1", 0)])


@pytest.mark.parametrize(
    ("number", "part"),
    [(errno.EACCES, "CAP_NET_BIND_SERVICE"), (errno.ENOBUFS, "no more room")],
)
def test_other_errors_of_the_kernel_are_explained(number: int, part: str) -> None:
    assert part in _explain(OSError(number, "no more room"), ANY)
