"""A bad network in user space: a UDP relay that loses, doubles and delays packets in both directions, by a seed.

Knows nothing of SIP: whoever talks through it must be one that answers where a packet came from (RFC 3581).
"""

import heapq
import selectors
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

from .processes import LOOPBACK

LARGEST = 65535


class Weather(NamedTuple):
    """What happens to packets of one direction, each by its probability."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """held back for so long that the next ones overtake it"""
    held_back: float = 0.05
    """seconds"""


class Relay:
    """Between whoever sends to its port and one server, until the end of the context; a socket for each client."""

    def __init__(self, host: str, port: int, there: Weather, back: Weather, seed: int) -> None:
        """Relay to this server.

        there: of packets to the server. back: of its answers. seed: of the chances.
        """
        self._server = (host, port)
        self._there, self._back = there, back
        self._random = Random(seed)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((LOOPBACK, 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ)
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._number = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.passed = self.lost = self.doubled = self.held = 0

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        host, port = self._front.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(5)
        self._selector.close()
        for each in (self._front, *self._backs.values()):
            each.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.01):
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data, sender = source.recvfrom(LARGEST)
                if source is self._front:
                    self._carry(self._there, partial(self._back_for(sender).sendto, data, self._server))
                else:
                    self._carry(self._back, partial(self._front.sendto, data, key.data))
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2]()

    def _back_for(self, client: tuple[str, int]) -> socket.socket:
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            back.bind((LOOPBACK, 0))
            self._selector.register(back, selectors.EVENT_READ, client)
        return back

    def _carry(self, weather: Weather, send: Callable[[], object]) -> None:
        draw = self._random.random
        if draw() < weather.loss:
            self.lost += 1
            return
        self.passed += 1
        if draw() < weather.duplicate:
            self.doubled += 1
            send()
        if draw() < weather.reorder:
            self.held += 1
            self._number += 1
            heapq.heappush(self._later, (time.monotonic() + weather.held_back, self._number, send))
        else:
            send()
