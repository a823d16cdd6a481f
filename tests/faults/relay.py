"""A bad network in user space: datagrams that are lost, doubled, reordered, delayed and corrupted, by a printed seed.

Knows nothing of SIP: who talks through it must answer where a packet came from (RFC 3581). A client of the front gets
a socket of its own towards the server, so that answers find their way. IPv4 and IPv6 alike.
"""

import asyncio
import heapq
import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

LARGEST = 65535


class Weather(NamedTuple):
    """What happens to the datagrams of one direction; each but the delays a probability."""

    loss: float = 0.0
    duplicate: float = 0.0
    """That it comes twice, or three times by the same probability again."""
    reorder: float = 0.0
    """That it is held back, so that the next ones overtake it."""
    held_back: float = 0.05
    """Seconds."""
    delay: tuple[float, float] = (0.0, 0.0)
    """Seconds that each takes at least and at most."""
    corrupt: float = 0.0
    """That a bit is flipped, for each octet."""
    black: bool = False
    """Nothing passes."""


CLEAR = Weather()


class Relay:
    """Between the clients of its front and one server.

    Args:
        host: where it listens.
        server: host and port of the server.
        there, back: of datagrams to the server, and from it. Both may be changed while it runs.
        seed: of the chances.
    """

    def __init__(
        self, host: str, server: tuple[str, int], there: Weather, back: Weather, seed: int, port: int = 0
    ) -> None:
        self.there, self.back = there, back
        self.counts: Counter[str] = Counter()
        self._server = server
        self._dice = Random(seed)
        self._loop = asyncio.get_running_loop()
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._front = self._open(port)
        self._loop.add_reader(self._front, self._on_front)
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._timer = self._loop.create_task(self._run())

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of its front."""
        host, port = self._front.getsockname()[:2]
        return host, port

    def _open(self, port: int = 0) -> socket.socket:
        one = socket.socket(self._family, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        one.bind((self._host, port))
        one.setblocking(False)
        return one

    def close(self) -> None:
        """End, with what is on its way."""
        self._timer.cancel()
        for each in (self._front, *self._backs.values()):
            self._loop.remove_reader(each)
            each.close()

    def _on_front(self) -> None:
        for _ in range(200):
            try:
                data, client = self._front.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._carry(self.there, self._back_for(client[:2]), data, self._server)

    def _back_for(self, client: tuple[str, int]) -> socket.socket:
        back = self._backs.get(client)
        if back is None:
            back = self._backs[client] = self._open()
            self._loop.add_reader(back, self._on_back, back, client)
        return back

    def _on_back(self, back: socket.socket, client: tuple[str, int]) -> None:
        for _ in range(200):
            try:
                data = back.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._carry(self.back, self._front, data, client)

    def _carry(self, weather: Weather, line: socket.socket, data: bytes, to: tuple[str, int]) -> None:
        draw = self._dice.random
        if weather.black or draw() < weather.loss:
            self.counts["lost"] += 1
            return
        self.counts["passed"] += 1
        if weather.corrupt:
            data = self._corrupted(data, weather.corrupt)
        copies = 1
        while copies < 3 and draw() < weather.duplicate:
            copies += 1
            self.counts["doubled"] += 1
        for _ in range(copies):
            wait = self._dice.uniform(*weather.delay) if weather.delay[1] else 0.0
            if draw() < weather.reorder:
                wait += weather.held_back
                self.counts["held"] += 1
            if wait:
                self._put_later(wait, line, data, to)
            else:
                _put(line, data, to)

    def _put_later(self, wait: float, line: socket.socket, data: bytes, to: tuple[str, int]) -> None:
        entry = (time.monotonic() + wait, next(self._numbers), lambda: _put(line, data, to))
        heapq.heappush(self._later, entry)

    def _corrupted(self, data: bytes, probability: float) -> bytes:
        changed = bytearray(data)
        flips = sum(self._dice.random() < probability for _ in data)
        for _ in range(flips):
            changed[self._dice.randrange(len(changed))] ^= 1 << self._dice.randrange(8)
        self.counts["corrupted"] += bool(flips)
        return bytes(changed)

    async def _run(self) -> None:
        while True:
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2]()
            await asyncio.sleep(0.005)


def _put(line: socket.socket, data: bytes, to: tuple[str, int]) -> None:
    try:
        line.sendto(data, to)
    except OSError:
        return
