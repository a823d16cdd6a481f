"""The dispatcher between real UDP sockets and real links: which slot, how fast, and what a full slot means."""

import asyncio
import socket
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
import zmq

from sipswarm.actors.bus import wire
from sipswarm.actors.bus.link import DealerLink, Surroundings, new_context
from sipswarm.actors.bus.messages import Hello, Prepared, SipReceived, StoodStill
from sipswarm.actors.bus.slots import slot_of
from sipswarm.actors.bus.standstills import Pulse
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.diagnosis.black_box import OCTETS, BlackBox
from sipswarm.actors.dispatcher import BUSY_RATE, WINDOW, Dispatcher
from sipswarm.actors.transport.fair_queue import MESSAGES
from sipswarm.actors.transport.listeners import bind_all
from sipswarm.sipcore.message.parser import parse

KEY = 4711
PATIENCE = 20.0


async def until(condition: Callable[[], object], turn: Callable[[], None] = lambda: None) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        turn()
        await asyncio.sleep(0)


def message(method: str, number: int, to_tag: str = "") -> bytes:
    return (
        f"{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{number}\r\n"
        f"From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>{to_tag}\r\nCall-ID: {number}@test\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Stage:
    """A dispatcher with its listen sockets, and one peer of the outside world."""

    def __init__(
        self,
        slots: int,
        listeners: tuple[Listener, ...],
        allow: tuple[str, ...] | None = None,
        box: BlackBox | None = None,
    ) -> None:
        self.box = box
        self.pulse = Pulse()
        self.sockets, bound = bind_all(listeners)
        self.context = new_context()
        self.loop = asyncio.get_running_loop()
        self.totals = Totals()
        self.ready = 0
        answer = AnswerConfig(allow=allow) if allow is not None else None
        self.config = NodeConfig("", bound, KEY, call_workers=slots, answer=answer)
        self.dispatcher = Dispatcher(
            self.config,
            self.sockets,
            surroundings=self.surroundings(1, self.totals),
            on_ready=self.became_ready,
            random=Random(1),
        )
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.setblocking(False)
        self.taken: dict[int, list[Any]] = {slot: [] for slot in range(slots)}
        self.frames = dict.fromkeys(range(slots), 0)
        self.links: list[Any] = []

    def became_ready(self) -> None:
        self.ready += 1

    def surroundings(self, incarnation: int, totals: Totals) -> Surroundings:
        return Surroundings(incarnation, self.context, totals, self.loop, self.box, self.pulse)

    def worker(self, slot: int, incarnation: int = 1, *, prepared: bool = True) -> DealerLink:
        """A call worker that takes everything."""

        def take(channel: object, records: list[Any]) -> None:
            self.taken[slot] += records
            self.frames[slot] += 1

        link = DealerLink(
            self.surroundings(incarnation, Totals()),
            self.config.endpoint("sip"),
            role="call",
            slot=slot,
            name="sip",
            window=WINDOW,
            on_records=take,
        )
        if prepared:
            link.post((Prepared(slot),))
        self.links.append(link)
        return link

    def silent_worker(self, slot: int, incarnation: int = 1) -> None:
        """A call worker that says hello and never reads or acknowledges."""
        bare = self.context.socket(zmq.DEALER)
        bare.setsockopt(zmq.LINGER, 0)
        bare.connect(self.config.endpoint("sip"))
        bare.send(wire.encode(incarnation, 0, 0, time.monotonic(), [Hello("call", slot, 1)]))
        bare.send(wire.encode(incarnation, 1, 0, time.monotonic(), [Prepared(slot)]))
        self.links.append(bare)

    def send(self, data: bytes, listener: int = 0) -> None:
        self.peer.sendto(data, self.sockets[listener].getsockname())

    def replies(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self.peer.recv(65535))
        except BlockingIOError:
            return found

    def value(self, name: str, *labels: str) -> float:
        return self.totals.cell(name, *labels).value

    def datagrams(self) -> list[bytes]:
        return [record.data for records in self.taken.values() for record in records]

    def close(self) -> None:
        self.dispatcher.close()
        for each in (*self.links, *self.sockets, self.peer):
            each.close()
        self.context.term()


def run(
    scene: Callable[[Stage], Awaitable[None]],
    slots: int = 1,
    listeners: int = 1,
    host: str = "127.0.0.1",
    allow: tuple[str, ...] | None = None,
    box: BlackBox | None = None,
) -> None:
    async def main() -> None:
        stage = Stage(slots, (Listener("udp", host, 0),) * listeners, allow, box)
        try:
            await scene(stage)
        finally:
            stage.close()

    asyncio.run(main())


def test_a_datagram_is_forwarded_raw_with_its_source_and_listener() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        data = b"OPTIONS \xff\x00 whatever it is, it is not parsed"
        stage.send(data, 1)
        await until(lambda: stage.taken[0])
        host, port = stage.peer.getsockname()
        assert stage.taken[0] == [SipReceived(1, 0, host, port, data)]

    run(scene, listeners=2)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_short_datagram_takes_no_room_for_the_longest_one(host: str) -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(10):
                stage.send(message("OPTIONS", number))
                await until(lambda: len(stage.datagrams()) == number + 1)  # noqa: B023  # awaited at once
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < OCTETS

    run(scene, host=host)


def test_each_call_id_goes_to_its_slot_and_what_has_none_to_slot_zero() -> None:
    async def scene(stage: Stage) -> None:
        for slot in range(3):
            stage.worker(slot)
        await until(lambda: stage.ready)
        for number in range(60):
            stage.send(message("INVITE", number))
        stage.send(b"no header of that name in here")
        await until(lambda: len(stage.datagrams()) == 61)
        for slot, records in stage.taken.items():
            expected = {number for number in range(60) if slot_of(f"{number}@test".encode(), KEY, 3) == slot}
            whole = [record.data for record in records]
            assert {parse(data).call_id for data in whole if data.startswith(b"INVITE")} == {
                f"{number}@test" for number in expected
            }
            assert (b"no header of that name in here" in whole) == (slot == 0)
        assert stage.ready == 1

    run(scene, slots=3)


def test_nothing_is_read_before_every_slot_is_prepared_and_then_all_that_waited() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        for number in range(20):
            stage.send(message("INVITE", number))
        await until(lambda: stage.links[0].welcome)
        assert stage.ready == 0
        assert stage.datagrams() == []
        linked = stage.worker(1, prepared=False)
        await until(lambda: linked.welcome and len(stage.dispatcher._link.channels) == 2)
        await until(lambda: linked.channel.reported)
        assert (stage.ready, stage.datagrams()) == (0, [])
        linked.post((Prepared(1),))
        await until(lambda: len(stage.datagrams()) == 20)

    run(scene, slots=2)


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"", b"\x00" * 19])
def test_keep_alives_and_noise_are_dropped_without_a_word(data: bytes) -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        stage.send(data)
        stage.send(message("OPTIONS", 1))
        await until(lambda: stage.datagrams())
        assert stage.datagrams() == [message("OPTIONS", 1)]
        assert stage.replies() == []

    run(scene)


def test_a_burst_is_read_on_the_tick_in_order_and_in_few_frames_and_then_it_is_quiet_again() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        total = 600
        sent = 0

        def send_some() -> None:
            nonlocal sent
            for _ in range(min(30, total - sent)):
                stage.send(message("OPTIONS", sent))
                sent += 1

        await until(lambda: len(stage.datagrams()) == total, send_some)
        assert stage.datagrams() == [message("OPTIONS", number) for number in range(total)]
        assert stage.frames[0] < total / 4
        batches = stage.totals.distribution("sipswarm_dispatch_batch_datagrams")
        assert batches.total == total
        assert sum(batches.counts) == stage.frames[0]
        await until(lambda: stage.dispatcher._ticking is None)
        stage.send(message("OPTIONS", total))
        await until(lambda: len(stage.datagrams()) == total + 1)
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 0
        assert stage.dispatcher.update_gauges() == 0
        assert stage.value("sipswarm_udp_socket_drops_total") == 0

    run(scene)
    assert BUSY_RATE < 600


def test_a_full_slot_refuses_new_calls_with_503_while_calls_that_exist_go_on() -> None:
    async def scene(stage: Stage) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        enough = channel.room - 2
        number = 0

        def fill() -> None:
            nonlocal number
            for _ in range(min(20, enough - number)):
                stage.send(message("OPTIONS", number))
                number += 1

        await until(lambda: channel.room <= 2, fill)
        await until(lambda: stage.dispatcher._ticking is None)
        room = channel.room
        for each in range(room):  # calls that exist take the rest of the room
            stage.send(message("BYE", each, ";tag=b"))
        await until(lambda: channel.room == 0)
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 0
        stage.send(message("INVITE", 7))
        replies: list[bytes] = []
        await until(lambda: replies, lambda: replies.extend(stage.replies()))
        reply = parse(replies[0])
        assert replies[0].startswith(b"SIP/2.0 503 ")
        assert 5 <= int(reply.headers.get("Retry-After") or 0) <= 30
        assert reply.call_id == "7@test"
        assert stage.value("sipswarm_sip_refused_total", "overload") == 1
        channel.acknowledged = channel.sent  # there is room again
        stage.send(message("INVITE", 7))  # its repetition gets what it got (RFC 3261 section 8.2.7)
        replies.clear()
        await until(lambda: replies, lambda: replies.extend(stage.replies()))
        assert replies[0].startswith(b"SIP/2.0 503 ")
        channel.acknowledged = 0
        stage.send(message("BYE", 8, ";tag=b"))
        await until(lambda: stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 1)
        assert stage.replies() == []

    run(scene)


def test_a_source_that_floods_a_slot_takes_no_room_from_the_others() -> None:
    async def scene(stage: Stage) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        channel.sent += channel.room - 10
        for number in range(MESSAGES):
            stage.send(message("OPTIONS", number))
        expected = [message("INVITE", 1000), message("ACK", 1001, ";tag=b"), message("BYE", 1002, ";tag=b")]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.2", 0))
            other.setblocking(False)
            for data in expected:
                other.sendto(data, stage.sockets[0].getsockname())
            await until(lambda: channel.room == 0)
            assert [each.data for each in channel.under_way[-10:] if each.host == "127.0.0.2"] == expected
            with pytest.raises(BlockingIOError):
                other.recv(65535)
        assert stage.value("sipswarm_sip_refused_total", "overload") == 0
        waiting = MESSAGES // 2  # at most: the flood has half a share, for it belongs to no call
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") >= MESSAGES - 10 - waiting

    run(scene)


def test_one_full_slot_does_not_hold_up_another() -> None:
    async def scene(stage: Stage) -> None:
        stage.silent_worker(0)
        stage.worker(1)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        channel.sent += channel.room
        numbers = [number for number in range(200) if slot_of(f"{number}@test".encode(), KEY, 2) == 1]
        for number in range(200):
            stage.send(message("INVITE", number))
        replies: list[bytes] = []
        await until(
            lambda: len(replies) == 200 - len(numbers) and len(stage.taken[1]) == len(numbers),
            lambda: replies.extend(stage.replies()),
        )
        assert [parse(record.data).call_id for record in stage.taken[1]] == [f"{number}@test" for number in numbers]
        assert all(reply.startswith(b"SIP/2.0 503") for reply in replies)

    run(scene, slots=2)


def test_a_slot_whose_worker_died_refuses_new_calls_until_its_replacement_comes() -> None:
    async def scene(stage: Stage) -> None:
        first = stage.worker(0, 1)
        await until(lambda: stage.ready)
        first.close()
        stage.dispatcher.worker_down("media", 0, 1)
        stage.dispatcher.worker_down("call", 0, 1)
        stage.send(message("INVITE", 1))
        replies: list[bytes] = []
        await until(lambda: replies, lambda: replies.extend(stage.replies()))
        assert replies[0].startswith(b"SIP/2.0 503")
        second = stage.worker(0, 2)
        await until(lambda: second.welcome)
        stage.dispatcher.worker_down("call", 0, 1)  # the news comes late
        stage.send(message("INVITE", 2))
        await until(lambda: stage.taken[0])
        assert stage.ready == 1

    run(scene)


def test_a_standstill_is_told_to_every_call_worker_before_what_is_read_afterwards() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        stage.worker(1)
        await until(lambda: stage.ready)
        due = stage.loop.time() - 2.0
        stage.pulse.expect(due)
        number = next(each for each in range(200) if slot_of(f"{each}@test".encode(), KEY, 2) == 1)
        stage.send(message("INVITE", number))
        await until(lambda: len(stage.taken[1]) == 2 and stage.taken[0])
        assert [record.__class__ for record in stage.taken[1]] == [StoodStill, SipReceived]
        assert [record.__class__ for record in stage.taken[0]] == [StoodStill]
        assert stage.taken[1][0].since == due
        assert stage.taken[1][0].until >= due + 2.0

    run(scene, slots=2)


def test_what_the_supervisor_says_changes_nothing_here() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        stage.dispatcher.start(0.0)
        stage.dispatcher.drain(0.0)
        stage.dispatcher.on_record(None)
        stage.send(message("BYE", 1, ";tag=b"))
        await until(lambda: stage.taken[0])

    run(scene)


RUBBISH = [
    message("INVITE", 1),
    message("OPTIONS", 2),
    message("CANCEL", 3),
    message("INVITE", 4).replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
    message("INVITE", 5).replace(b"CSeq", b"Sequel"),
    b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
    bytes(range(256)),
]


def test_a_stranger_is_not_even_handed_on_unless_it_may_be_called_by_us() -> None:
    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        for data in RUBBISH:
            stage.send(data)
        expected = [
            message("BYE", 6, ";tag=ours"),
            message("INVITE", 7).replace(b"INVITE sip:b@127.0.0.1", b"SIP/2.0 200", 1),
        ]
        for data in expected:
            stage.send(data)
        await until(lambda: len(stage.datagrams()) == len(expected))
        assert stage.datagrams() == expected
        assert stage.value("sipswarm_sip_refused_total", "stranger") == len(RUBBISH)
        assert not stage.replies()

    run(scene, allow=("192.0.2.0/24",))


def test_a_stranger_gets_no_503_from_a_full_slot() -> None:
    async def scene(stage: Stage) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        for number in range(WINDOW + 50):
            stage.send(message("BYE", number, ";tag=x"))
            if number % 50 == 0:
                await asyncio.sleep(0)
        stage.send(message("INVITE", 1))
        await until(lambda: stage.value("sipswarm_sip_refused_total", "stranger") == 1)
        assert not stage.replies()

    run(scene, allow=("192.0.2.0/24",))
