"""The socket beside a connected one: what comes to its port from other sources than its peer.

A connected socket takes its peer's packets only. Beside it another one is bound to the same port, not connected, so
that no packet is lost without a count and a peer that moves its port is heard. It costs a descriptor, and is done
without where more than a share of those of this process is in use. Who may send is not decided here.
"""

import contextlib
import resource
import select
import socket
from collections.abc import Callable
from typing import Final

from .sockets import bind_beside

SHARE: Final = 4
"""Of the descriptors that the process may have, one in so many may be in use before streams do without."""

Taker = Callable[[int, float], None]


class Beside:
    """What one RTP socket has beside it.

    Args:
        sock: the RTP socket.
        hear: has a socket read from now on by a taker, for events of epoll. Raises OSError.
        forget: ends that.
        is_possible: the socket may be connected at all.
    """

    __slots__ = ("_forget", "_hear", "_is_possible", "_main", "sock")

    def __init__(
        self,
        sock: socket.socket,
        hear: Callable[[socket.socket, Taker, int], None],
        forget: Callable[[socket.socket], None],
        *,
        is_possible: bool,
    ) -> None:
        self._main = sock
        self._hear = hear
        self._forget = forget
        self._is_possible = is_possible
        self.sock: socket.socket | None = None
        """None = there is none."""

    def open(self, taker: Taker) -> bool:
        """Have one; returns whether there is one. Who got none asks for none any more."""
        if self.sock is not None or not self._is_possible:
            return self.sock is not None
        self._is_possible = False
        try:
            beside = bind_beside(self._main)
        except OSError:
            return False
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            if 0 <= limit <= SHARE * beside.fileno():
                raise OSError
            self._hear(beside, taker, select.EPOLLIN)
        except OSError:
            beside.close()
            return False
        self._is_possible = True
        self.sock = beside
        return True

    def end(self) -> socket.socket | None:
        """Have none from now on: returns the one there is, which gets nothing more and is to be read and closed."""
        self._is_possible = False
        sock, self.sock = self.sock, None
        if sock is not None:
            self._forget(sock)
            with contextlib.suppress(OSError):
                sock.connect(sock.getsockname())  # nobody else sends from there
        return sock
