"""The dispatcher's connections with real sockets on loopback: framing, reuse, limits, and who hears of a loss."""

import asyncio
import contextlib
import errno
import itertools
import os
import resource
import socket
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sipswarm.actors.bus.messages import SendFailed, SendSip
from sipswarm.actors.config import Listener, TlsConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.transport.connection import (
    ANSWER_TIME,
    CONNECT_TIME,
    PING_AFTER,
    READ_SIZE,
    SEND_BUFFER,
    STALL_TIME,
    Phase,
)
from sipswarm.actors.transport.connections import Streams, _answer_target
from sipswarm.actors.transport.gate import Gate
from sipswarm.actors.transport.listeners import bind_all
from sipswarm.actors.transport.lost_requests import identity
from sipswarm.actors.transport.places import RESERVED, StreamLimits

PATIENCE = 20.0
SLOT = 3


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0)


def request(method: str = "OPTIONS", number: int = 1, body: bytes = b"") -> bytes:
    return (
        f"{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: {number}@test\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


ANSWER = request().replace(b"OPTIONS sip:b@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK")


def answer_to(method: str, number: int, status: str = "200 OK") -> bytes:
    data = request(method, number)
    return b"SIP/2.0 " + status.encode() + data[data.index(b"\r\n") :]


class Stage:
    """Streams on one TCP listener, and what they said."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        limits: StreamLimits | None = None,
        allow: tuple[str, ...] | None = None,
    ) -> None:
        self.sockets, bound = bind_all([Listener("tcp", host, 0)])
        self.address = (host, bound[0].port)
        self.received: list[tuple[int, int, str, int, bytes, str]] = []
        self.failed: list[tuple[int, SendFailed]] = []
        self.totals = Totals()
        self.streams = Streams(
            bound,
            self.sockets,
            TlsConfig(),
            loop=asyncio.get_running_loop(),
            totals=self.totals,
            first_flow=1000,
            received=lambda *message: self.received.append(message),
            failed=lambda slot, failed: self.failed.append((slot, failed)),
            gate=Gate(allow, self.totals) if allow is not None else None,
            limits=limits,
        )
        self.streams.watch()
        self.peers: list[socket.socket] = []

    @property
    def messages(self) -> list[bytes]:
        return [each[4] for each in self.received]

    def connect(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        peer = socket.socket(family, socket.SOCK_STREAM)
        peer.connect(self.address)
        peer.setblocking(False)
        self.peers.append(peer)
        return peer

    def listen(self) -> socket.socket:
        peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        peer.bind(("127.0.0.1", 0))
        peer.listen()
        peer.setblocking(False)
        self.peers.append(peer)
        return peer

    def send(self, data: bytes, port: int, flow: int = 0) -> None:
        self.streams.send(SLOT, SendSip(0, flow, "127.0.0.1", port, "", data))
        self.streams.flush()

    async def accept(self, listening: socket.socket) -> socket.socket:
        opened, _ = await asyncio.get_running_loop().sock_accept(listening)
        self.peers.append(opened)
        return opened

    def look(self, ahead: float) -> None:
        """Have every connection looked at as if so many seconds had passed."""
        now = asyncio.get_running_loop().time() + ahead
        for each in list(self.streams._by_flow.values()):
            each.look(now)

    def close(self) -> None:
        self.streams.close()
        for each in (*self.sockets, *self.peers):
            each.close()


async def read(peer: socket.socket, least: int = 1) -> bytes:
    """At least so many octets, or what came before the end."""
    data = b""
    async with asyncio.timeout(PATIENCE):
        while len(data) < least:
            more = await asyncio.get_running_loop().sock_recv(peer, 65536)
            if not more:
                break
            data += more
    return data


def staged(
    play: Callable[[Stage], Awaitable[None]],
    host: str = "127.0.0.1",
    allow: tuple[str, ...] | None = None,
    **limits: int,
) -> None:
    async def main() -> None:
        stage = Stage(host, StreamLimits(**limits) if limits else None, allow)
        try:
            async with asyncio.timeout(60):
                await play(stage)
        finally:
            stage.close()

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_message_comes_with_its_connection_and_the_answer_goes_back_on_it(host: str) -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request())
        await until(lambda: stage.received)
        listener, flow, source, port, data, local = stage.received[0]
        assert local == ""
        assert (listener, source, port, data) == (0, host, peer.getsockname()[1], request())
        assert flow == 1001
        stage.send(ANSWER, 9, flow)
        assert await read(peer) == ANSWER

    staged(play, host)


def test_messages_of_rfc_4475_are_the_same_however_they_are_cut(shared_data: Path) -> None:
    files = sorted((shared_data / "rfc4475").glob("*.dat"))
    assert len(files) >= 48
    random, number = Random(1), itertools.count(1)

    async def came(stage: Stage, pieces: list[bytes]) -> tuple[list[bytes], float]:
        """What arrives when a peer sends these pieces and ends."""
        before, faults = len(stage.received), stage.totals.cell("sipswarm_sip_parse_errors_total", "framing").value
        with socket.create_connection(stage.address) as peer:
            for piece in pieces:
                try:
                    peer.sendall(piece)
                except OSError:
                    break  # it was refused already
                await asyncio.sleep(0)
            else:
                peer.shutdown(socket.SHUT_WR)
            last = 1000 + next(number)
            await until(lambda: stage.streams._last_flow == last and Phase.OPEN not in phases(stage))
        stage.look(ANSWER_TIME + 1)
        await until(lambda: not stage.streams.count)
        return stage.messages[before:], stage.totals.cell("sipswarm_sip_parse_errors_total", "framing").value - faults

    async def play(stage: Stage) -> None:
        whole_ones = 0
        for file in files:
            data = file.read_bytes()
            at_once = await came(stage, [data])
            cuts = [0, *sorted(random.sample(range(1, len(data)), 9)), len(data)]
            in_pieces = await came(stage, [data[start:end] for start, end in itertools.pairwise(cuts)])
            assert in_pieces == at_once, file.name
            whole_ones += bool(at_once[0])
        assert whole_ones >= 35

    staged(play)


def test_many_messages_in_one_segment_are_many_messages() -> None:
    async def play(stage: Stage) -> None:
        wanted = [request(number=number, body=b"x" * number) for number in range(50)]
        stage.connect().sendall(b"\r\n".join(wanted))
        await until(lambda: len(stage.received) == 50)
        assert stage.messages == wanted

    staged(play)


def test_a_short_message_takes_no_room_for_the_most_that_is_read_at_a_time() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request())
        await until(lambda: len(stage.received) == 1)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(2, 12):
                peer.sendall(request(number=number))
                await until(lambda: len(stage.received) == number)  # noqa: B023  # awaited at once
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < READ_SIZE

    staged(play)


def test_requests_share_a_connection_and_a_closed_one_is_opened_anew() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        port = listening.getsockname()[1]
        stage.send(request(number=1), port)
        stage.send(request(number=2), port)
        first = await stage.accept(listening)
        assert await read(first, 2 * len(request())) == request(number=1) + request(number=2)
        assert stage.streams.count == 1
        first.close()
        await until(lambda: not stage.streams.count)
        stage.send(request(number=3), port, flow=1001)
        assert await read(await stage.accept(listening)) == request(number=3)

    staged(play)


def test_a_request_whose_connection_is_refused_or_lost_is_told_and_an_answer_or_ack_is_not() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        port = listening.getsockname()[1]
        for data in (request(number=1), request("ACK", 2), ANSWER):
            stage.send(data, port)
        opened = await stage.accept(listening)
        opened.close()
        await until(lambda: stage.failed)
        listening.close()
        await until(lambda: not stage.streams.count)
        stage.send(request(number=4), port)
        await until(lambda: len(stage.failed) == 2)
        assert [(slot, failed.data) for slot, failed in stage.failed] == [
            (SLOT, request(number=each)) for each in (1, 4)
        ]
        assert "refused" in stage.failed[1][1].reason

    staged(play)


def test_an_answer_whose_connection_is_gone_goes_where_its_via_says() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        port = listening.getsockname()[1]
        answer = ANSWER.replace(b"127.0.0.1:5060", f"127.0.0.1:{port}".encode())
        stage.send(answer, 9, flow=77)
        assert await read(await stage.accept(listening)) == answer

    staged(play)
    assert _answer_target(b"SIP/2.0 200 OK\r\n\r\n", "h", 1) == ("h", 1)
    assert _answer_target(ANSWER.replace(b":5060;", b";"), "h", 1) == ("h", 5060)
    assert _answer_target(ANSWER.replace(b"TCP 127.0.0.1:5060;", b"TLS 127.0.0.1;"), "h", 1) == ("h", 5061)


def test_a_ping_gets_a_pong_and_we_ping_what_we_opened() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(b"\r\n\r\n")
        assert await read(peer) == b"\r\n"
        listening = stage.listen()
        stage.send(request(), listening.getsockname()[1])
        opened = await stage.accept(listening)
        assert await read(opened) == request()
        stage.look(PING_AFTER + 1)
        assert await read(opened) == b"\r\n\r\n"
        opened.sendall(b"\r\n")
        peer.close()
        await until(lambda: stage.streams.count == 1)
        assert not stage.received

    staged(play)


def test_a_slow_loris_is_closed_after_10_seconds_and_others_are_not() -> None:
    async def play(stage: Stage) -> None:
        slow = [stage.connect() for _ in range(60)]
        for each in slow:
            each.sendall(b"INVITE sip:b@")
        other = stage.connect()
        other.sendall(request())
        await until(lambda: stage.received and stage.streams.count == 61)
        await until(lambda: sum(each._framer.pending > 0 for each in stage.streams._by_flow.values()) == 60)
        stage.look(9)
        assert stage.streams.count == 61
        stage.look(11)
        assert stage.streams.count == 1
        other.sendall(request(number=2))
        await until(lambda: len(stage.received) == 2)
        stage.look(121)
        assert stage.streams.count == 0

    staged(play)


def dropped(stage: Stage) -> dict[str, float]:
    name = "sipswarm_transport_connections_dropped_total"
    reasons = ("source", "full", "made_room", "descriptors")
    return {reason: stage.totals.cell(name, reason).value for reason in reasons}


def test_one_source_gets_64_connections_and_all_together_a_bound() -> None:
    async def play(stage: Stage) -> None:
        peers = [stage.connect() for _ in range(66)]
        await until(lambda: stage.streams.count == 64)
        assert await read(peers[65]) == b""
        open_now = stage.totals.cell("sipswarm_transport_connections", "tcp", "open")
        stage.streams.update_gauges()
        assert open_now.value == 64
        peers[0].close()
        await until(lambda: stage.streams.count == 63)
        stage.streams.update_gauges()
        assert open_now.value == 63
        stage.connect().sendall(request())
        await until(lambda: stage.received)

    staged(play)

    async def full(stage: Stage) -> None:
        stage.connect().sendall(request())
        await until(lambda: stage.received)
        stage.send(request(), 9)
        assert stage.failed[0][1].reason == "too many connections"
        assert dropped(stage) == {"source": 0, "full": 1, "made_room": 0, "descriptors": 0}

    staged(full, total=1)


class Unwatching:
    """An event loop that watches no further descriptor, as where epoll_ctl(2) gives ENOSPC."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_reader(self, *arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    add_writer = add_reader


def test_a_connection_that_cannot_be_watched_is_closed_and_the_next_one_is_taken() -> None:
    async def play(stage: Stage) -> None:
        loop = stage.streams._loop
        stage.streams._loop = Unwatching()  # type: ignore[assignment]
        assert await read(stage.connect()) == b""
        assert (stage.streams.count, stage.streams._places.sources) == (0, 0)
        stage.send(request(), stage.listen().getsockname()[1])
        assert [each.reason for _, each in stage.failed] == ["the connection was refused at once"]
        assert stage.streams.count == 0
        stage.streams._loop = loop
        stage.connect().sendall(request())
        await until(lambda: stage.received)

    staged(play)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request().replace(b"Content-Length: 0", b"Content-Length: -1"), b"SIP/2.0 400 "),
        (request().replace(b"Content-Length: 0", b"Content-Length: 99999999"), b"SIP/2.0 413 "),
        (request().replace(b"Content-Length: 0\r\n", b""), b"SIP/2.0 400 "),
        (b"garbage\r\n\r\n", b""),
        (request().replace(b"Max-Forwards: 70", b"X: " + b"x" * 70000), b"SIP/2.0 513 "),
    ],
)
def test_lost_framing_is_answered_if_possible_and_the_connection_closed(data: bytes, status: bytes) -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.setblocking(True)
        peer.sendall(data)
        peer.setblocking(False)
        answer = await read(peer, 1 << 20)
        assert answer.startswith(status)
        assert bool(answer) == bool(status)
        assert not stage.received
        assert stage.totals.cell("sipswarm_sip_parse_errors_total", "framing").value == 1
        peer.close()
        await until(lambda: not stage.streams.count)

    staged(play)


def test_a_slow_reader_is_closed_at_its_bound_and_disturbs_nobody() -> None:
    async def play(stage: Stage) -> None:
        slow, other = stage.connect(), stage.connect()
        slow.sendall(request(number=1))
        other.sendall(request(number=2))
        await until(lambda: len(stage.received) == 2)
        flows = {each[4]: each[1] for each in stage.received}
        big = ANSWER.replace(b"Content-Length: 0", b"Content-Length: 60000") + b"x" * 60000
        sent = 0
        while stage.streams.count == 2:
            stage.send(big, 9, flows[request(number=1)] if stage.streams.count == 2 else 0)
            sent += len(big)
            assert sent < 64 * 1024 * 1024
        assert sent > SEND_BUFFER
        stage.send(ANSWER, 9, flows[request(number=2)])
        assert await read(other) == ANSWER

    staged(play)


def test_a_peer_that_stops_reading_is_closed_when_nothing_moves() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request())
        await until(lambda: stage.received)
        connection = next(iter(stage.streams._by_flow.values()))
        big = ANSWER.replace(b"Content-Length: 0", b"Content-Length: 60000") + b"x" * 60000
        while not connection._out:
            stage.send(big, 9, connection.ends.flow)
        stage.look(STALL_TIME - 1)
        assert stage.streams.count == 1
        stage.look(STALL_TIME + 1)
        assert stage.streams.count == 0

    staged(play)


def test_a_connect_that_is_never_answered_ends_after_10_seconds() -> None:
    async def play(stage: Stage) -> None:
        with socket.socket() as full:  # nobody accepts, and the queue is full
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = []
            for _ in range(3):
                each = socket.socket()
                each.setblocking(False)
                each.connect_ex(full.getsockname())
                waiting.append(each)
            stage.send(request(), full.getsockname()[1])
            stage.look(CONNECT_TIME + 1)
            assert [failed.reason for _, failed in stage.failed] == ["connecting took too long"]
            for each in waiting:
                each.close()

    staged(play)


@pytest.mark.parametrize("data", [b"", b"INVITE sip:a SIP/2.0\r\nVia: x\r\n", ANSWER.replace(b"Call-ID", b"X")])
def test_what_is_no_request_of_ours_has_no_identity(data: bytes) -> None:
    assert identity(data) is None


def test_a_request_is_known_by_its_first_part() -> None:
    whole: Any = identity(request("INVITE", 5))
    assert whole == ("5@test", "a", "z9hG4bK5")
    assert identity(request("INVITE", 5)[:190]) == whole


def test_a_strangers_connection_is_closed_at_once_and_takes_no_place() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        assert await read(peer) == b""
        assert not stage.streams.count
        assert stage.totals.cell("sipswarm_sip_refused_total", "stranger").value == 1

    staged(play, allow=("192.0.2.0/24",))


def test_a_host_that_was_connected_to_may_connect_too() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        stage.send(request(number=1), listening.getsockname()[1])
        await stage.accept(listening)
        stage.connect().sendall(request(number=2))
        await until(lambda: stage.received)
        assert stage.messages == [request(number=2)]

    staged(play, allow=("192.0.2.0/24",))


def test_in_a_full_table_the_oldest_connection_without_a_message_makes_room() -> None:
    async def play(stage: Stage) -> None:
        used = stage.connect()
        used.sendall(request(number=1))
        await until(lambda: stage.received)
        silent = stage.connect()
        await until(lambda: stage.streams.count == 2)
        silent.sendall(b"\r\n\r\n")
        assert await read(silent) == b"\r\n"
        later = stage.connect()
        assert await read(silent) == b"", "keep-alives are no message"
        later.sendall(request(number=2))
        await until(lambda: len(stage.received) == 2)
        assert stage.streams.count == 2
        assert await read(stage.connect()) == b"", "both have brought a message"
        used.sendall(request(number=3))
        await until(lambda: len(stage.received) == 3)

    staged(play, total=2)


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Every descriptor that this process may have is open within the context."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    filling: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                filling.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in filling:
            os.close(each)


def test_without_a_descriptor_the_oldest_connection_without_a_message_makes_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(stage: Stage) -> None:
        used = stage.connect()
        used.sendall(request(number=1))
        await until(lambda: stage.received)
        silent = [stage.connect() for _ in range(2)]
        await until(lambda: stage.streams.count == 3)
        wanted = stage.connect()
        wanted.sendall(request(number=2))
        with no_descriptor_left():
            await until(lambda: len(stage.received) == 2)
            assert await read(silent[0]) == b""
        used.sendall(request(number=3))
        await until(lambda: len(stage.received) == 3)
        assert stage.streams.count == 3, "the one that used its connection, the other silent one, and the wanted one"
        assert dropped(stage) == {"source": 0, "full": 0, "made_room": 1, "descriptors": 1}
        (warning,) = (each.message for each in caplog.records)
        assert warning.startswith("no descriptor for a further connection (Too many open files): the oldest one")

    staged(play)


def test_without_a_descriptor_and_a_silent_connection_a_new_one_waits_in_the_kernel() -> None:
    async def play(stage: Stage) -> None:
        used = stage.connect()
        used.sendall(request(number=1))
        await until(lambda: stage.received)
        stage.connect().sendall(request(number=2))
        with no_descriptor_left():
            await until(lambda: dropped(stage)["descriptors"])
            used.sendall(request(number=3))
            await until(lambda: len(stage.received) == 2)
        await until(lambda: len(stage.received) == 3)
        assert sorted(stage.messages) == sorted(request(number=number) for number in (1, 2, 3))

    staged(play)


def test_a_connection_to_a_target_takes_the_descriptor_of_a_silent_one() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        silent = stage.connect()
        await until(lambda: stage.streams.count == 1)
        with no_descriptor_left():
            stage.send(request(), listening.getsockname()[1])
            assert await read(silent) == b""
        assert await read(await stage.accept(listening)) == request()
        assert not stage.failed
        assert dropped(stage) == {"source": 0, "full": 0, "made_room": 1, "descriptors": 1}

    staged(play)


def test_a_connection_to_a_target_takes_the_place_of_a_silent_one_in_a_full_table() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        silent = stage.connect()
        await until(lambda: stage.streams.count == 1)
        stage.send(request(), listening.getsockname()[1])
        assert await read(silent) == b""
        assert await read(await stage.accept(listening)) == request()
        assert not stage.failed

    staged(play, total=1)


@pytest.mark.parametrize(
    ("free", "total"), [(None, 1024), (100_000, 1024), (1000, 1000 - RESERVED), (370, 370 - RESERVED), (20, 10), (0, 1)]
)
def test_the_table_of_connections_follows_the_descriptors(free: int | None, total: int) -> None:
    assert StreamLimits.of(64, free).total == total
    assert StreamLimits.of(2000, free).total == (2000 if free is None or free > 2064 else total)


def phases(stage: Stage) -> list[Phase]:
    return [each.phase for each in stage.streams._by_flow.values()]


def test_a_peer_that_ends_its_side_after_a_request_gets_the_responses_and_then_the_end() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request(number=1) + request("ACK", 2) + request("BYE", 3))
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: len(stage.received) == 3 and phases(stage) == [Phase.HALF_CLOSED])
        flow = stage.received[0][1]
        trying = answer_to("BYE", 3, "100 Trying")
        stage.send(trying, 9, flow)
        stage.send(answer_to("BYE", 3), 9, flow)
        assert phases(stage) == [Phase.HALF_CLOSED], "the OPTIONS has no final response yet"
        stage.send(answer_to("OPTIONS", 1), 9, flow)
        whole = trying + answer_to("BYE", 3) + answer_to("OPTIONS", 1)
        assert await read(peer, len(whole) + 1) == whole, "and the end of the stream"
        stage.look(1)
        assert stage.streams.count == 0

    staged(play)


def test_a_peer_that_ends_its_side_with_nothing_to_answer_is_closed_at_once() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request(number=1) + request("ACK", 2))
        await until(lambda: len(stage.received) == 2)
        stage.send(answer_to("OPTIONS", 1), 9, stage.received[0][1])
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: not stage.streams.count)

    staged(play)


def test_the_wait_for_a_response_to_a_peer_that_ended_its_side_has_a_bound() -> None:
    async def play(stage: Stage) -> None:
        peer = stage.connect()
        peer.sendall(request())
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: phases(stage) == [Phase.HALF_CLOSED])
        stage.look(ANSWER_TIME - 1)
        assert stage.streams.count == 1
        stage.look(ANSWER_TIME + 1)
        assert stage.streams.count == 0
        assert await read(peer) == b""

    staged(play)


def test_requests_go_by_no_connection_whose_peer_ended_its_side_and_those_under_way_are_lost() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        port = listening.getsockname()[1]
        stage.send(request(number=1), port)
        first = await stage.accept(listening)
        assert await read(first, len(request(number=1))) == request(number=1)
        first.sendall(request(number=2))
        first.shutdown(socket.SHUT_WR)
        await until(lambda: phases(stage) == [Phase.HALF_CLOSED])
        assert [failed.data for _, failed in stage.failed] == [request(number=1)]
        stage.send(request(number=3), port, flow=stage.received[0][1])
        assert await read(await stage.accept(listening)) == request(number=3)
        stage.send(answer_to("OPTIONS", 2), port, flow=stage.received[0][1])
        assert await read(first, len(answer_to("OPTIONS", 2)) + 1) == answer_to("OPTIONS", 2)
        assert len(stage.failed) == 1, "it is told once"

    staged(play)


def test_a_response_that_a_closed_peer_refuses_goes_where_its_via_says() -> None:
    async def play(stage: Stage) -> None:
        listening = stage.listen()
        via = f"127.0.0.1:{listening.getsockname()[1]}".encode()
        peer = stage.connect()
        peer.sendall(request(number=1).replace(b"127.0.0.1:5060", via))
        peer.close()
        await until(lambda: phases(stage) == [Phase.HALF_CLOSED])
        answer = answer_to("OPTIONS", 1).replace(b"127.0.0.1:5060", via)
        stage.send(answer, 9, stage.received[0][1])
        stage.look(0)
        assert await read(await stage.accept(listening)) == answer

    staged(play)
