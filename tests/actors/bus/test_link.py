"""Links over real ZeroMQ sockets in an event loop: both ends find each other, nothing is lost in silence.

The other end of a link is either a link of ours, or a bare socket that speaks, or does not speak, as a test wants.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq

from sipswarm.actors.bus import wire
from sipswarm.actors.bus.link import (
    FRAMES_PER_TURN,
    MAX_AGE,
    Channel,
    DealerLink,
    RouterLink,
    Surroundings,
    new_context,
    versions,
)
from sipswarm.actors.bus.messages import Drain, Hello, Probe, Probed, Ready, SipReceived, Welcome
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.errors import ConfigurationError

DROPPED = "sipswarm_bus_dropped_total"
MESSAGES = "sipswarm_bus_messages_total"
PATIENCE = 20.0
"""seconds until a test gives up; nothing waits that long when all is well"""


async def until(condition: Callable[[], bool], turn: Callable[[], object] = lambda: None) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        turn()
        await asyncio.sleep(0)


class Bench:
    """A context, and links or bare sockets that are closed at the end."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.context = new_context()
        self.loop = asyncio.get_running_loop()
        self.open: list[Any] = []

    def surroundings(self, incarnation: int = 1) -> Surroundings:
        return Surroundings(incarnation, self.context, Totals(), self.loop)

    def router(self, incarnation: int = 1, window: int = 64) -> "Router":
        return Router(self, incarnation, window)

    def dealer(self, slot: int = 0, incarnation: int = 1, window: int = 64) -> "Dealer":
        return Dealer(self, slot, incarnation, window)

    def bare_dealer(self, identity: bytes = b"bare") -> "zmq.Socket[bytes]":
        """A socket that speaks only when told to."""
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, identity)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self.endpoint)
        self.open.append(socket)
        return socket

    def close(self) -> None:
        for each in self.open:
            each.close()
        self.context.term()


class End:
    """What both kinds of link under test have: what they took, and what they counted."""

    link: RouterLink | DealerLink

    def __init__(self, bench: Bench, surroundings: Surroundings) -> None:
        self.records: list[Any] = []
        self.drained = 0
        self.totals = surroundings.totals
        bench.open.append(self)

    def take(self, channel: Channel, records: list[Any]) -> None:
        self.records += records

    def count_drained(self) -> None:
        self.drained += 1

    def dropped(self, reason: str) -> float:
        return self.totals.cell(DROPPED, reason).value

    def counted(self, direction: str) -> float:
        return self.totals.cell(MESSAGES, direction, "test").value

    def close(self) -> None:
        self.link.close()


class Router(End):
    """A `RouterLink` and what came of it."""

    def __init__(self, bench: Bench, incarnation: int, window: int) -> None:
        surroundings = bench.surroundings(incarnation)
        super().__init__(bench, surroundings)
        self.peers: list[tuple[str, int, int]] = []
        self.link = RouterLink(
            surroundings,
            bench.endpoint,
            role="dispatcher",
            name="test",
            window=window,
            on_records=self.take,
            on_peer=lambda channel: self.peers.append((channel.role, channel.slot, channel.incarnation)),
            on_drained=self.count_drained,
        )
        self.router = self.link

    def channel(self, slot: int = 0) -> Channel:
        return self.router.channels["call", slot]


class Dealer(End):
    """A `DealerLink` and what came of it."""

    def __init__(self, bench: Bench, slot: int, incarnation: int, window: int) -> None:
        surroundings = bench.surroundings(incarnation)
        super().__init__(bench, surroundings)
        self.welcomes = 0
        self.link = DealerLink(
            surroundings,
            bench.endpoint,
            role="call",
            slot=slot,
            name="test",
            window=window,
            on_records=self.take,
            on_welcome=self.welcomed,
            on_drained=self.count_drained,
        )
        self.dealer = self.link

    def welcomed(self) -> None:
        self.welcomes += 1


@pytest.fixture(params=["inproc", "ipc"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "inproc://test" if request.param == "inproc" else f"ipc://{tmp_path}/test.sock"


def run(endpoint: str, scene: Callable[[Bench], Awaitable[None]]) -> None:
    """Play a scene on a bench of its own."""

    async def main() -> None:
        bench = Bench(endpoint)
        try:
            await scene(bench)
        finally:
            bench.close()

    asyncio.run(main())


def frame(records: Sequence[Any], *, incarnation: int = 1, sequence: int = 0, age: float = 0.0) -> bytes:
    return wire.encode(incarnation, sequence, 0, time.monotonic() - age, records)


def numbers(records: list[Any]) -> list[float]:
    return [record.within for record in records]


@pytest.mark.parametrize("router_first", [True, False])
def test_hello_is_welcomed_whoever_comes_first(endpoint: str, router_first: bool) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router(7) if router_first else None
        dealer = bench.dealer(3, 2)
        assert not dealer.dealer.send((Drain(1.0),))
        assert dealer.dropped("no_route") == 1
        if router is None:
            await asyncio.sleep(0)
            router = bench.router(7)
        await until(lambda: dealer.dealer.welcome)
        assert router.peers == [("call", 3, 2)]
        assert dealer.welcomes == 1
        known = dealer.dealer.channel
        assert (known.role, known.slot, known.incarnation) == ("dispatcher", 0, 7)
        assert dealer.dealer.send((Drain(1.0), Drain(2.0)))
        assert router.router.send(router.channel(3), (Ready("dispatcher", 0),))
        await until(lambda: len(router.records) == 2 and bool(dealer.records))
        assert numbers(router.records) == [1.0, 2.0]
        assert dealer.records == [Ready("dispatcher", 0)]

    run(endpoint, scene)


def test_ten_thousand_records_each_way_arrive_in_order_with_none_missing(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        total, there, back = 10_000, 0, 0

        def send_what_fits() -> None:
            nonlocal there, back
            while there < total and dealer.dealer.send([Drain(float(there + i)) for i in range(min(7, total - there))]):
                there += min(7, total - there)
            while back < total and router.router.send(router.channel(), (Drain(float(back)),)):
                back += 1

        await until(lambda: len(router.records) == len(dealer.records) == total, send_what_fits)
        assert numbers(router.records) == numbers(dealer.records) == [float(number) for number in range(total)]
        for end in (router, dealer):
            assert end.counted("sent") - end.dropped("window") <= total + 1  # and one Hello or Welcome
            assert end.counted("received") == total
            assert end.dropped("gap") == end.dropped("repeated") == end.dropped("stale") == 0
        assert router.channel().handled == dealer.dealer.channel.sent == total + 1
        assert dealer.dealer.channel.handled == router.channel().sent == total + 1

    run(endpoint, scene)


@pytest.mark.parametrize("way", ["to the dealer", "to the router"])
def test_more_frames_than_one_turn_takes_arrive_without_any_later_frame(endpoint: str, way: str) -> None:
    async def scene(bench: Bench) -> None:
        many = 5 * FRAMES_PER_TURN + 1
        window = 10 * many  # no acknowledgement is sent, which would read the events too
        router, dealer = bench.router(window=window), bench.dealer(window=window)
        await until(lambda: dealer.dealer.welcome)
        receiver = router if way == "to the router" else dealer
        for number in range(many):
            record = (Drain(float(number)),)
            assert dealer.dealer.send(record) if receiver is router else router.router.send(router.channel(), record)
        await until(lambda: len(receiver.records) == many)
        assert numbers(receiver.records) == [float(number) for number in range(many)]
        assert receiver.drained > 5

    run(endpoint, scene)


@pytest.mark.parametrize("way", ["to the dealer", "to the router"])
def test_acknowledgements_reopen_the_window_when_traffic_goes_one_way(endpoint: str, way: str) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(window=16), bench.dealer(window=16)
        await until(lambda: dealer.dealer.welcome)
        sender, receiver = (dealer, router) if way == "to the router" else (router, dealer)
        sent = 0

        def send(record: Any) -> bool:
            if sender is dealer:
                return dealer.dealer.send((record,))
            return router.router.send(router.channel(), (record,))

        def send_what_fits() -> None:
            nonlocal sent
            while sent < 1000 and send(Drain(float(sent))):
                sent += 1

        await until(lambda: len(receiver.records) == 1000, send_what_fits)
        assert numbers(receiver.records) == [float(number) for number in range(1000)]
        assert sender.records == []
        assert sender.dropped("window") > 0
        assert sender.drained > 1000 // 16 // 4

    run(endpoint, scene)


def test_a_full_window_answers_false_takes_no_part_of_a_batch_and_counts(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer(window=16)
        await until(lambda: dealer.dealer.welcome)
        link = dealer.dealer
        free = link.channel.room
        assert link.send([Drain(0.0)] * (free - 1))
        assert not link.send([Drain(1.0)] * 2)
        assert dealer.dropped("window") == 2
        assert link.send([Drain(2.0)])
        assert link.channel.room == 0
        assert not link.send([Drain(3.0)])
        assert dealer.dropped("window") == 3
        await until(lambda: len(router.records) == free)
        assert set(numbers(router.records)) == {0.0, 2.0}

    run(endpoint, scene)


def test_a_peer_that_never_reads_costs_a_window_of_records(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router(window=100)
        silent = bench.bare_dealer()
        silent.send(frame([Hello("call", 0, 1)]))
        await until(lambda: bool(router.peers))
        taken = sum(router.router.send(router.channel(), (Drain(0.0),)) for _ in range(5000))
        assert taken + 1 == 100  # with the Welcome
        assert router.dropped("window") == 5000 - taken

    run(endpoint, scene)


def test_a_peer_that_is_gone_is_an_answer_false_and_a_count(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        bare = bench.bare_dealer()
        bare.send(frame([Hello("call", 0, 1)]))
        await until(lambda: bool(router.peers))
        channel = router.channel()
        router.router.broadcast((Drain(1.0),))
        bare.close()
        await until(lambda: not router.router.send(channel, (Drain(2.0),)))
        assert router.dropped("no_route") + router.dropped("window") == 1
        router.router.forget("call", 0, 1)
        assert router.router.channels == {}
        router.router.broadcast((Drain(3.0),))

    run(endpoint, scene)


def test_a_replacement_is_taken_and_the_stale_one_refused_and_counted(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        old = bench.dealer(0, 1)
        await until(lambda: old.dealer.welcome)
        new = bench.dealer(0, 2)
        await until(lambda: new.dealer.welcome)
        assert router.peers == [("call", 0, 1), ("call", 0, 2)]
        assert old.dealer.send((Drain(1.0),))
        await until(lambda: router.dropped("stale") == 1)
        old.dealer.reconnect()
        await until(lambda: router.dropped("stale") >= 2)
        assert not old.dealer.welcome
        assert router.channel().incarnation == 2
        assert new.dealer.send((Drain(2.0),))
        assert router.router.send(router.channel(), (Drain(3.0),))
        await until(lambda: bool(router.records) and bool(new.records))
        assert numbers(router.records) == [2.0]
        assert numbers(new.records) == [3.0]
        assert old.records == []

    run(endpoint, scene)


def test_news_of_an_old_death_does_not_forget_its_replacement(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        new = bench.dealer(0, 2)
        await until(lambda: new.dealer.welcome)
        router.router.forget("call", 0, 1)
        assert router.channel().incarnation == 2
        router.router.forget("call", 0, 2)
        assert router.router.channels == {}

    run(endpoint, scene)


def test_a_dealer_finds_the_routers_replacement_and_counts_from_zero(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        first = bench.router(1)
        dealer = bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        assert dealer.dealer.send([Drain(float(n)) for n in range(9)])
        await until(lambda: len(first.records) == 9)
        first.close()
        second = bench.router(2)
        dealer.dealer.reconnect()
        assert not dealer.dealer.welcome
        await until(lambda: dealer.dealer.welcome)
        assert dealer.welcomes == 2
        assert dealer.dealer.channel.incarnation == 2
        assert dealer.dealer.send((Drain(10.0),))
        assert second.router.send(second.channel(), (Drain(11.0),))
        await until(lambda: bool(second.records) and bool(dealer.records))
        assert numbers(second.records) == [10.0]
        assert numbers(dealer.records) == [11.0]
        assert second.dropped("gap") == dealer.dropped("gap") == 0

    run(f"ipc://{tmp_path}/test.sock", scene)


def test_what_an_end_has_handled_before_it_is_closed_is_not_given_back_to_its_peer(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        lost: list[Any] = []
        router.link._on_lost = lambda channel, records: lost.extend(records)
        await until(lambda: dealer.dealer.welcome)
        assert router.router.send(router.channel(), (Drain(1.0),))
        await until(lambda: bool(dealer.records))
        dealer.close()
        await until(lambda: router.channel().acknowledged == 2)  # with the welcome
        router.router.forget("call", 0, 1)
        assert lost == []

    run(f"ipc://{tmp_path}/test.sock", scene)


def test_what_a_router_has_sent_before_its_end_is_handled_before_another_one_is_looked_for() -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        for number in range(3):
            assert router.router.send(router.channel(), (Drain(float(number)),))
        router.close()
        dealer.dealer.gone(1)
        assert numbers(dealer.records) == [0.0, 1.0, 2.0]
        assert not dealer.dealer.welcome

    run("inproc://test", scene)


def test_more_frames_of_a_peer_that_is_gone_are_read_at_once_than_one_turn_takes() -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer(window=1024)
        await until(lambda: dealer.dealer.welcome)
        frames = 3 * FRAMES_PER_TURN + 1
        for number in range(frames):
            assert dealer.dealer.send((Drain(float(number)),))
        dealer.close()
        router.router.read_waiting()
        assert numbers(router.records) == list(map(float, range(frames)))

    run("inproc://test", scene)


def test_what_a_dealer_leaves_unread_is_given_back_and_costs_no_turns(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        lost: list[Any] = []
        router.link._on_lost = lambda channel, records: lost.extend(records)
        await until(lambda: dealer.dealer.welcome and router.channel().acknowledged == 1)
        dealer.dealer.stop_reading()
        assert router.router.send(router.channel(), (Drain(1.0),))
        assert not router.router.is_all_handled
        before = dealer.drained
        assert dealer.dealer.send((Drain(2.0),))
        await until(lambda: bool(router.records))
        for _ in range(200):
            await asyncio.sleep(0)
        assert dealer.records == []
        assert dealer.drained - before < 20
        dealer.close()
        router.router.forget("call", 0, 1)
        assert lost == [Drain(1.0)]

    run(endpoint, scene)


def test_a_welcome_that_was_never_read_is_not_given_back_with_what_was_sent_after_it(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        lost: list[Any] = []
        router.link._on_lost = lambda channel, records: lost.extend(records)
        for number in (1, 2, 3):  # each dies before it acknowledges its welcome
            bare = bench.bare_dealer(b"bare-%d" % number)
            bare.send(frame([Hello("call", 0, number)], incarnation=number))
            await until(lambda: len(router.router.channels) == 1 and router.channel().incarnation == number)  # noqa: B023
            assert router.router.send(router.channel(), (Drain(float(number)),))
        assert lost == [Drain(1.0), Drain(2.0)]

    run(endpoint, scene)


def test_a_dealer_that_hears_late_of_a_death_keeps_the_replacement(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        first = bench.router(1)
        dealer = bench.dealer(window=1 << 20)
        await until(lambda: dealer.dealer.welcome)
        await until(lambda: first.channel().acknowledged == 1)
        first.close()
        second = bench.router(2)
        # the second router finds the dealer by a frame of the dealer that was for the first one
        await until(lambda: dealer.welcomes == 2, lambda: dealer.dealer.send((Drain(1.0),)))
        dealer.dealer.gone(1)
        assert dealer.dealer.welcome
        assert dealer.dealer.channel.incarnation == 2
        assert second.router.send(second.channel(), (Drain(2.0),))
        await until(lambda: bool(dealer.records))
        assert dealer.welcomes == 2
        dealer.dealer.gone(2)
        assert not dealer.dealer.welcome

    run(f"ipc://{tmp_path}/test.sock", scene)


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_dealer_that_begins_anew_with_the_same_router_is_welcomed_again(endpoint: str, acknowledged: bool) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        if acknowledged:
            await until(lambda: router.channel().acknowledged == 1)
        dealer.dealer.reconnect()
        await until(lambda: dealer.dealer.welcome)
        assert dealer.welcomes == 2
        assert dealer.dealer.send((Drain(1.0),))
        assert router.router.send(router.channel(), (Drain(2.0),))
        await until(lambda: bool(router.records) and bool(dealer.records))
        assert router.dropped("gap") == dealer.dropped("gap") == 0

    run(endpoint, scene)


def test_reconnecting_before_the_first_welcome_changes_nothing(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        dealer = bench.dealer()
        dealer.dealer.reconnect()
        router = bench.router()
        await until(lambda: dealer.dealer.welcome)
        assert router.peers == [("call", 0, 1)]

    run(endpoint, scene)


def test_only_datagrams_of_a_frame_that_waited_too_long_are_left_out(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        bare = bench.bare_dealer()
        bare.send(frame([Hello("call", 0, 1)]))
        datagram, of_connection = SipReceived(0, 0, "::1", 1, b"a"), SipReceived(0, 7, "::1", 1, b"b")
        bare.send(frame([datagram, Drain(1.0), of_connection, datagram], sequence=1, age=MAX_AGE + 1))
        bare.send(frame([datagram], sequence=5))
        await until(lambda: len(router.records) == 3)
        assert router.records == [Drain(1.0), of_connection, datagram]
        assert router.dropped("expired") == 2
        assert router.channel().handled == 6
        assert router.dropped("gap") == 0

    run(endpoint, scene)


def test_what_did_not_come_is_counted_told_once_and_awaited_and_repetitions_are_refused(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        bare = bench.bare_dealer()
        bare.send(frame([Hello("call", 0, 1)]))
        for number in (1, 1, 5, 6):
            bare.send(frame([Drain(float(number))], sequence=number))
        await until(lambda: router.dropped("gap") == 2)
        assert router.dropped("repeated") == 1
        for number in range(2, 6):  # the one that came too early too
            bare.send(frame([Drain(float(number))], sequence=number))
        await until(lambda: len(router.records) == 5)
        assert numbers(router.records) == [1.0, 2.0, 3.0, 4.0, 5.0]
        bare.send(frame([Probe(6)], sequence=wire.UNNUMBERED))
        answers: list[wire.Frame] = []

        def look() -> None:
            while bare.poll(0):
                answers.append(wire.decode(bare.recv()))

        await until(lambda: bool(answers) and answers[-1].records == [Probed(6)], look)
        assert [each.records for each in answers if each.sequence == wire.UNNUMBERED] == [[Probed(5)], [Probed(6)]]
        assert answers[-1].acknowledged == 6
        assert router.channel().late == 0

    run(endpoint, scene)


@pytest.mark.parametrize("told", ["by the next frame", "by a probe"])
def test_records_of_a_frame_that_cannot_be_read_are_left_out(endpoint: str, told: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        bare = bench.bare_dealer()
        bare.send(frame([Hello("call", 0, 1)]))
        bare.send(b"garbage")
        if told == "by a probe":
            bare.send(frame([Probe(5)], sequence=wire.UNNUMBERED))
        bare.send(frame([Drain(5.0)], sequence=5))
        await until(lambda: bool(router.records))
        assert numbers(router.records) == [5.0]
        assert router.channel().late == 4
        bare.send(frame([Drain(9.0)], sequence=9))
        await until(lambda: router.dropped("gap") == (1 if told == "by a probe" else 2))
        assert numbers(router.records) == [5.0]

    run(endpoint, scene)


def test_garbage_is_counted_by_both_ends_and_disturbs_nothing(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router = bench.router()
        stranger = bench.bare_dealer(b"stranger")
        stranger.send(b"INVITE sip:a@b SIP/2.0")
        stranger.send_multipart([b"", b"", b"\xc1"])
        stranger.send(frame([Drain(1.0)]))  # never said hello
        await until(lambda: router.dropped("stale") == 1)
        assert router.dropped("decode_error") == 2
        dealer = bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        assert dealer.dealer.send((Drain(2.0),))
        await until(lambda: bool(router.records))
        assert numbers(router.records) == [2.0]

    run(endpoint, scene)


def test_a_dealer_takes_nothing_before_the_welcome_nor_of_another_incarnation(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        bare = bench.context.socket(zmq.ROUTER)
        bare.setsockopt(zmq.LINGER, 0)
        bare.bind(bench.endpoint)
        bench.open.append(bare)
        dealer = bench.dealer()
        parts: list[bytes] = []

        def look() -> None:
            if not parts and bare.poll(0):
                parts.extend(bare.recv_multipart())

        await until(lambda: bool(parts), look)
        identity = parts[0]
        assert wire.decode(parts[1]).records[0][:2] == ("call", 0)
        bare.send_multipart([identity, b"garbage"])
        bare.send_multipart([identity, frame([Drain(1.0)], sequence=1)])
        bare.send_multipart([identity, frame([Welcome("media", 0)], incarnation=4)])
        bare.send_multipart([identity, frame([Welcome("media", 0)], incarnation=4)])
        bare.send_multipart([identity, frame([Drain(2.0)], incarnation=3, sequence=1)])
        bare.send_multipart([identity, frame([Drain(3.0)], incarnation=4, sequence=1)])
        await until(lambda: bool(dealer.records))
        assert numbers(dealer.records) == [3.0]
        assert dealer.dropped("decode_error") == 1
        assert dealer.dropped("stale") == 2
        assert dealer.welcomes == 1

    run(endpoint, scene)


def test_a_handler_that_fails_does_not_keep_later_frames_waiting(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        failures: list[dict[str, Any]] = []
        bench.loop.set_exception_handler(lambda loop, context: failures.append(context))
        router, dealer = bench.router(), bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        taken: list[float] = []

        def take(channel: Channel, records: list[Any]) -> None:
            if records[0].within == 1.0:
                raise RuntimeError("a bug of ours")
            taken.extend(numbers(records))

        router.router._on_records = take
        for number in range(1, 6):
            assert dealer.dealer.send((Drain(float(number)),))
        await until(lambda: taken == [2.0, 3.0, 4.0, 5.0])
        assert len(failures) == 1
        assert router.channel().handled == 6

    run(endpoint, scene)


def test_a_closed_link_refuses_in_silence_and_may_be_closed_again(endpoint: str) -> None:
    async def scene(bench: Bench) -> None:
        router, dealer = bench.router(), bench.dealer()
        await until(lambda: dealer.dealer.welcome)
        channel = router.channel()
        router.close()
        dealer.close()
        router.close()
        assert not router.router.send(channel, (Drain(1.0),))
        assert not dealer.dealer.send((Drain(1.0),))
        await asyncio.sleep(0)

    run(endpoint, scene)


def test_the_versions_are_those_of_the_library_and_its_binding() -> None:
    assert versions() == (zmq.zmq_version(), zmq.pyzmq_version())


def test_a_library_with_known_holes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zmq, "zmq_version_info", lambda: (4, 3, 4))
    new_context().term()
    monkeypatch.setattr(zmq, "zmq_version_info", lambda: (4, 3, 3))
    with pytest.raises(ConfigurationError, match=r"has known holes; 4\.3\.4 or newer: pip install -U pyzmq"):
        new_context()
