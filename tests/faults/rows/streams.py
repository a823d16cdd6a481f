"""Connections: one at full speed, slow ones, and readers that stand still."""

import asyncio
import socket
import threading
import time
from contextlib import suppress

from ..figures import Figure, Surroundings, at_least, at_most, exactly, row, told
from ..node import Node, own_host, resident
from ..peer import Peer, State
from .dispatchers import failed, over, why


class FullSpeed:
    """One connection that sends OPTIONS as fast as it takes them and reads the answers, in threads of its own."""

    def __init__(self, place: tuple[str, int], host: str, reads: bool = True) -> None:
        self._socket = socket.socket()
        self._socket.bind((host, 0))
        self._socket.settimeout(1.0)
        self._socket.connect(place)
        self.sent = self.answers = 0
        self.closed = False
        self._over = False
        self._host, self._place = host, place
        self._threads = [threading.Thread(target=self._send, daemon=True)]
        if reads:
            self._threads.append(threading.Thread(target=self._read, daemon=True))
        for each in self._threads:
            each.start()

    def _send(self) -> None:
        port = self._socket.getsockname()[1]
        number = 0
        left = b""
        while not self._over:
            if not left:
                texts = []
                for _ in range(50):
                    number += 1
                    texts.append(
                        f"OPTIONS sip:robot@{self._place[0]} SIP/2.0\r\n"
                        f"Via: SIP/2.0/TCP {self._host}:{port};branch=z9hG4bKf{port}{number}\r\n"
                        f"From: <sip:fast@{self._host}>;tag=f\r\nTo: <sip:robot@{self._place[0]}>\r\n"
                        f"Call-ID: fast-{port}-{number}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
                        "Content-Length: 0\r\n\r\n"
                    )
                left = "".join(texts).encode()
            try:
                taken = self._socket.send(left)
            except TimeoutError:
                continue
            except OSError:
                self.closed = True
                return
            left = left[taken:]
            if not left:
                self.sent += 50

    def _read(self) -> None:
        while not self._over:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            self.answers += data.count(b"SIP/2.0 200")

    def close(self) -> None:
        self._over = True
        for each in self._threads:
            each.join(3)
        self._socket.close()


@row(
    "tcp-full-speed",
    "`answer`, one allowed TCP connection sends OPTIONS as fast as it can while 60 TCP and 100 UDP calls are made",
    "foreign peers: calls of others that fail",
    seconds=35,
    cores=1.05,
)
async def full_speed(surroundings: Surroundings) -> list[Figure]:
    over_tcp, over_udp = surroundings.of(60, 15), surroundings.of(100, 25)
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder, listen=("udp", "tcp")) as node:
        before = node.processes()
        fast = FullSpeed(node.place, own_host())
        await asyncio.sleep(1.0)
        peers = [
            Peer(own_host(), seed=surroundings.seed, media=False, tcp=True, own_connections=True),
            Peer(own_host(), seed=surroundings.seed + 1, media=False),  # one seed = one Call-ID: a merged request, 482
        ]
        loop = asyncio.get_running_loop()
        span = surroundings.of(12, 4)

        async def place(peer: Peer, count: int) -> None:
            for _ in range(count):
                loop.call_later(2.0, peer.bye, peer.call(node.place))
                await asyncio.sleep(span / count)

        await asyncio.gather(place(peers[0], over_tcp), place(peers[1], over_udp))
        await asyncio.gather(*(over(peer, 36) for peer in peers))
        fast.close()
        bad = [failed(peer) for peer in peers]
        if any(bad):
            surroundings.say(f"TCP {why(peers[0])}; UDP {why(peers[1])}")
        replaced = [name for name, pid in before.items() if node.processes().get(name) != pid]
        for peer in peers:
            await peer.close()
        return [
            exactly("TCP calls of others that fail", bad[0], 0),
            exactly("UDP calls of others that fail", bad[1], 0),
            exactly("processes replaced", len(replaced), 0),
            at_least("OPTIONS of the fast connection that are answered", fast.answers, 1000),
            told("OPTIONS sent", fast.sent),
        ]


@row(
    "tcp-slow-reader",
    "`answer`, a TCP peer that sends OPTIONS and never reads, and 40 calls of others",
    "foreign peer: calls of others; resident memory from /proc",
    seconds=25,
    cores=0.7,
)
async def slow_reader(surroundings: Surroundings) -> list[Figure]:
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder, listen=("udp", "tcp")) as node:
        pids = node.processes()
        sizes = {name: resident(pid) for name, pid in pids.items()}
        slow = FullSpeed(node.place, own_host(), reads=False)
        peer = Peer(own_host(), seed=surroundings.seed, media=False, tcp=True, own_connections=True)
        for _ in range(40):
            asyncio.get_running_loop().call_later(1.0, peer.bye, peer.call(node.place))
            await asyncio.sleep(0.2)
        await over(peer, 36)
        grown = max(resident(pid) - sizes[name] for name, pid in pids.items())
        closed = slow.closed
        slow.close()
        bad = failed(peer)
        await peer.close()
        return [
            exactly("calls of others that fail", bad, 0),
            at_most("growth of the largest process", round(grown / 1e6, 1), 20, "MB"),
            told("connection was closed", int(closed)),
        ]


@row(
    "tcp-slow-loris",
    "`answer`, 200 connections that send an octet every 5 s, from 4 addresses, and calls of others",
    "the connections: all closed in time; foreign peer: calls of others",
    seconds=40,
    cores=0.21,
)
async def slow_loris(surroundings: Surroundings) -> list[Figure]:
    count = surroundings.of(200, 40)
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder, listen=("udp", "tcp")) as node:
        hosts = [own_host() for _ in range(4)]
        lines = []
        for number in range(count):
            one = socket.socket()
            one.bind((hosts[number % 4], 0))
            one.settimeout(0.3)
            with suppress(OSError):
                one.connect(node.place)
                one.setblocking(False)
                one.send(b"O")
            lines.append(one)
        peer = Peer(own_host(), seed=surroundings.seed, media=False, tcp=True, own_connections=True)
        began = time.monotonic()
        open_ = list(lines)
        closed_at = 0.0
        ticks = 0
        while open_ and time.monotonic() - began < 20:
            await asyncio.sleep(0.5)
            ticks += 1
            if ticks % 2 == 0 and ticks < 20:
                asyncio.get_running_loop().call_later(0.5, peer.bye, peer.call(node.place))
            for one in list(open_):
                try:
                    gone = not one.recv(4096)
                except BlockingIOError:
                    gone = False
                    if ticks % 10 == 0:
                        with suppress(OSError):
                            one.send(b"P")
                except OSError:
                    gone = True
                if gone:
                    open_.remove(one)
                    closed_at = time.monotonic() - began
        await over(peer, 36)
        for one in lines:
            one.close()
        bad = failed(peer)
        setup = [call.heard - call.began for call in peer.calls.values() if call.heard]
        await peer.close()
        return [
            exactly("slow connections still open after 20 s", len(open_), 0),
            exactly("calls of others that fail", bad, 0),
            told("last one closed after, s", round(closed_at, 1)),
            told("slowest first response to others, s", round(max(setup, default=0.0), 3)),
        ]


@row(
    "metrics-slow-clients",
    "`answer`, 100 clients of the metrics port that never end their request, and 40 that do not read their answer",
    "/healthz from outside",
    seconds=20,
    cores=0.07,
    quick=True,
)
async def metrics_slow(surroundings: Surroundings) -> list[Figure]:
    arguments = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
    async with Node("answer", arguments, surroundings.folder) as node:
        clients = []
        for octets in (*[b"G"] * 100, *[b"GET /metrics HTTP/1.0\r\n\r\n"] * 40):
            one = socket.socket()
            one.settimeout(1.0)
            with suppress(OSError):
                one.connect((node.host, node.metrics_port))
                one.send(octets)
            clients.append(one)
        good, slowest = 0, 0.0
        for _ in range(10):
            began = time.monotonic()
            status, _ = await node.ask("/healthz")
            slowest = max(slowest, time.monotonic() - began)
            good += status == 200
            await asyncio.sleep(0.3)
        for one in clients:
            one.close()
        peer = Peer(own_host(), media=False)
        peer.call(node.place)
        await asyncio.sleep(0.5)
        answered = len(peer.at(State.UP))
        await peer.close()
        return [
            exactly("answers of /healthz, of 10", good, 10),
            at_most("slowest answer", round(slowest, 2), surroundings.time(2.0), "s"),
            exactly("a call is answered", answered, 1),
        ]
