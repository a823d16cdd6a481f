"""The SIP listen sockets of a node: bound by the supervisor, inherited by the others.

They outlive the dispatcher, so that datagrams and new connections wait in the kernel while it is replaced. Call workers
send on those of UDP, so that messages leave from the port of the listener (RFC 3581 section 4).
"""

import errno
import socket
from collections.abc import Sequence
from dataclasses import replace

from ..config import Listener, is_wildcard
from ..errors import ConfigurationError
from . import packet_info
from .socket_errors import keep_errors

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets of the receive buffer of a UDP listener."""
BACKLOG = 1024
"""Connections that wait in the kernel to be taken."""


class PortBusy(ConfigurationError):
    """An address of a listener is in use.

    Attributes:
        port: of it.
    """

    def __init__(self, text: str, port: int) -> None:
        super().__init__(text)
        self.port = port


def bind_all(listeners: Sequence[Listener]) -> tuple[list[socket.socket], tuple[Listener, ...]]:
    """Bind every listener.

    Returns:
        The sockets, and the listeners with the ports that they really have.

    Raises:
        ConfigurationError: an address is busy, not one of this host, or not permitted; nothing stays bound.
    """
    sockets: list[socket.socket] = []
    bound: list[Listener] = []
    try:
        for each in listeners:
            sockets.append(_bind(each))
            bound.append(replace(each, port=sockets[-1].getsockname()[1]))
    except ConfigurationError:
        for opened in sockets:
            opened.close()
        raise
    return sockets, tuple(bound)


def _bind(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has listeners of its own
        if listener.transport == "udp":
            _enlarge(opened)
            keep_errors(opened)
            if is_wildcard(listener.host):
                packet_info.ask(opened)
            opened.bind((listener.host, listener.port))
        else:
            # connections of an earlier run that wait in TIME_WAIT do not make the bind fail (tcp(7))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((listener.host, listener.port))
            opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        text = f"cannot listen on {listener}: {_explain(error, listener)}"
        if error.errno == errno.EADDRINUSE:
            raise PortBusy(text, listener.port) from error
        raise ConfigurationError(text) from error
    return opened


def _enlarge(opened: socket.socket) -> None:
    """Set the largest receive buffer that is permitted: with CAP_NET_ADMIN all of it, else up to net.core.rmem_max."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), RECEIVE_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _explain(error: OSError, listener: Listener) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {listener.port} is busy; stop what uses it (ss -lntup) or choose another port (0 = any free one)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{listener.host} is no address of this host; see ip addr"
    if error.errno == errno.EACCES:
        return f"ports below 1024 need CAP_NET_BIND_SERVICE; choose another port than {listener.port}"
    return str(error.strerror)


def park(hosts: set[str]) -> dict[str, socket.socket]:
    """Return one bound UDP socket per address that is never read.

    The SDP of calls without media names it, and no ICMP error answers what comes there.
    """
    parked = {}
    for host in hosts:
        opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.bind((host, 0))
        parked[host] = opened
    return parked
