"""A record that cannot be sent costs itself alone: not its batch, not its channel, and it is counted and logged."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus import wire
from sipswarm.actors.bus.link import DealerLink, RouterLink, Surroundings, new_context
from sipswarm.actors.bus.messages import CallFinished, CallTraced, Drain, Reloaded, Snapshot
from sipswarm.actors.bus.standstills import Standstills
from sipswarm.actors.call_worker.media_output import MediaOutput
from sipswarm.actors.config import NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.media_worker import MediaWorker
from sipswarm.actors.process.control_line import REPORTS_AT_ONCE, Child
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.media.messages import (
    CloseStream,
    CommandRefused,
    DigitsSent,
    OpenStream,
    ProvideFrames,
    SendDigits,
    SetSink,
    SetSource,
    StreamOpened,
    StreamRefused,
)
from tests.actors.bus.test_link import Bench, until
from tests.actors.rows import ROW

HUGE = "x" * (wire.MAX_FRAME + 1)


def bad_records() -> dict[str, Any]:
    """One of each reason for which a record cannot be sent."""
    nested: list[Any] = []
    nested.append(nested)
    return {
        "a class that nobody knows": ("not", "ours"),
        "no record at all": None,
        "a value that cannot be packed": Drain(object()),  # type: ignore[arg-type]
        "a value that cannot be packed deep inside": Snapshot(1, 1.0, 1, (("x", ("y",), (threading.Lock(),)),)),  # type: ignore[arg-type]
        "a type that the other end refuses": Drain(None),  # type: ignore[arg-type]
        "text where a number belongs": Drain("1"),  # type: ignore[arg-type]
        "octets where text belongs": Reloaded(b"x"),  # type: ignore[arg-type]
        "a number that is too large": Snapshot(1 << 64, 1.0, 1, ()),
        "a value within itself": Snapshot(1, 1.0, 1, nested),  # type: ignore[arg-type]
        "more than a frame holds": Reloaded(HUGE),
        "more than a frame holds, of another encoding": Reloaded("\udce9" * (wire.MAX_FRAME // 2)),
    }


@pytest.fixture(params=["inproc", "ipc"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "inproc://unsendable" if request.param == "inproc" else f"ipc://{tmp_path}/test.sock"


class Pair:
    """Two linked ends, with what each got and what each had to leave out."""

    def __init__(self, bench: Bench) -> None:
        self.got: list[Any] = []
        self.unsent: list[Any] = []
        self.totals = Totals()
        self.router = RouterLink(
            Surroundings(1, bench.context, self.totals, bench.loop),
            bench.endpoint,
            role="dispatcher",
            name="test",
            window=4096,
            on_records=lambda channel, records: self.got.extend(records),
            on_unsent=self.unsent.append,
            checks=True,
        )
        self.dealer = DealerLink(
            Surroundings(1, bench.context, self.totals, bench.loop),
            bench.endpoint,
            role="call",
            slot=0,
            name="test",
            window=4096,
            on_records=lambda channel, records: self.got.extend(records),
            on_unsent=self.unsent.append,
            checks=True,
        )
        bench.open += [self.router, self.dealer]

    def dropped(self, reason: str) -> float:
        return self.totals.cell("sipswarm_bus_dropped_total", reason).value


def play(endpoint: str, scene: Callable[[Pair], Awaitable[None]]) -> None:
    async def main() -> None:
        bench = Bench(endpoint)
        try:
            pair = Pair(bench)
            await until(lambda: pair.dealer.welcome)
            await scene(pair)
        finally:
            bench.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", bad_records())
@pytest.mark.parametrize("way", ["to the router", "to the dealer"])
def test_the_others_of_its_batch_arrive_and_the_channel_goes_on(
    endpoint: str, way: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(pair: Pair) -> None:
        def send(*records: Any) -> bool:
            if way == "to the router":
                return pair.dealer.send(records)
            return pair.router.send(pair.router.channels["call", 0], records)

        bad = bad_records()[name]
        assert send(Drain(1.0), bad, Drain(2.0))
        assert send(bad)
        assert send(Drain(3.0))
        await until(lambda: len(pair.got) == 3)
        assert pair.got == [Drain(1.0), Drain(2.0), Drain(3.0)]
        assert [id(each) for each in pair.unsent] == [id(bad), id(bad)]
        assert pair.dropped("unsendable") == 2
        assert [pair.dropped(reason) for reason in ("decode_error", "gap", "repeated", "no_route")] == [0, 0, 0, 0]

    with caplog.at_level(logging.ERROR):
        play(endpoint, scene)
    assert len(caplog.records) == 1  # once for its kind
    assert "could not be sent on the test link" in caplog.text


def test_records_that_are_too_many_octets_together_go_in_several_frames(endpoint: str) -> None:
    async def scene(pair: Pair) -> None:
        records = [Reloaded(str(number) * (wire.MAX_FRAME // 3)) for number in range(8)]
        assert pair.dealer.send([*records, Reloaded(HUGE), Drain(1.0)])
        await until(lambda: len(pair.got) == 9)
        assert pair.got == [*records, Drain(1.0)]
        assert pair.dealer.channel.sent == 1 + 9
        assert pair.dropped("unsendable") == 1

    play(endpoint, scene)


@pytest.mark.parametrize("spare", range(-3, 60, 3))
def test_the_largest_record_that_fits_arrives_and_a_larger_one_harms_no_other(endpoint: str, spare: int) -> None:
    async def scene(pair: Pair) -> None:
        assert pair.dealer.send([Reloaded("x" * (wire.MAX_FRAME - spare)), Drain(1.0)])
        await until(lambda: Drain(1.0) in pair.got)
        assert len(pair.got) - 1 + pair.dropped("unsendable") == 1
        assert pair.dealer.send([Drain(2.0)])
        await until(lambda: Drain(2.0) in pair.got)

    play(endpoint, scene)


def test_a_full_window_leaves_the_batch_to_its_owner(endpoint: str) -> None:
    async def scene(pair: Pair) -> None:
        room = pair.dealer.channel.room
        assert pair.dealer.send([Drain(0.0)] * room)
        assert not pair.dealer.send([Drain(1.0), Drain(None)])  # type: ignore[arg-type]
        assert (pair.unsent, pair.dropped("unsendable")) == ([], 0)

    play(endpoint, scene)


# ---- reports to the supervisor


def test_a_report_that_cannot_be_sent_is_taken_from_the_head_of_the_queue_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        bench = Bench("unused")
        config = NodeConfig(str(tmp_path), (), 1)
        got: list[Any] = []
        totals = Totals()
        supervisor = RouterLink(
            Surroundings(1, bench.context, Totals(), bench.loop),
            config.endpoint("control"),
            role="supervisor",
            name="control",
            window=4096,
            on_records=lambda channel, records: got.extend(records),
        )
        child = Child(
            config,
            "call",
            0,
            surroundings=Surroundings(1, bench.context, totals, bench.loop),
            before_snapshot=lambda: 0,
            on_record=lambda record: None,
        )
        bench.open.append(supervisor)

        def rows() -> list[str]:
            return [record.call_id for record in got if record.__class__ is CallFinished]

        try:
            child.report(ROW._replace(call_id="1"))
            for bad in (ROW._replace(code=1 << 70), ROW._replace(failure=HUGE), ("not", "ours")):
                child.report(bad)
            child.report(ROW._replace(call_id="b\udce9"))
            await until(lambda: rows() == ["1", "b\udce9"])
            data = b"INVITE sip:b SIP/2.0\r\n\r\n" + b"x" * 120_000
            rung = (0.0, True, "udp", ("127.0.0.1", 1), ("127.0.0.1", 2), data, "")
            for number in range(REPORTS_AT_ONCE):  # far more than one frame holds
                child.report(CallTraced(str(number), 0, (rung,)) if number < 20 else ROW._replace(call_id=str(number)))
            child.report(ROW._replace(call_id="last"))
            await until(lambda: rows()[-1] == "last")
            assert rows()[2:] == [*map(str, range(20, REPORTS_AT_ONCE)), "last"]
            assert sum(record.__class__ is CallTraced for record in got) == 20
            assert totals.cell("sipswarm_queue_dropped_total", "reports").value == 3
            assert totals.cell("sipswarm_bus_dropped_total", "unsendable").value == 3
            assert totals.cell("sipswarm_call_records_total").value - len(rows()) == 2  # what the supervisor misses
        finally:
            child.close()
            bench.close()

    asyncio.run(main())


# ---- commands to a media worker


def test_a_media_command_that_cannot_be_sent_is_refused_to_its_owner_and_the_other_calls_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        context = new_context()
        loop = asyncio.get_running_loop()
        config = NodeConfig("", (), 1, rtp_ports=(36000, 36098))
        worker = MediaWorker(config, 0, surroundings=Surroundings(1, context, Totals(), loop))
        outbox, totals, lost = Outbox[Any](1), Totals(), list[tuple[int, str]]()
        events: list[Any] = []
        output = MediaOutput(
            Surroundings(1, context, totals, loop),
            [config.endpoint("media-0")],
            0,
            outbox,
            Standstills(),
            on_events=events.extend,
            on_welcome=lambda: None,
            on_gone=lambda worker: None,
            on_drained=lambda: None,
            lose=lambda stream_id, worker, reason: lost.append((stream_id, reason)),
        )
        commands = outbox.media[0]
        try:
            await until(lambda: output.welcome)
            commands += [OpenStream(1, "127.0.0.1"), OpenStream(2, None), OpenStream(3, "127.0.0.1")]  # type: ignore[arg-type]
            output.flush()
            assert commands == []
            assert events == [StreamRefused(2, "bad_value")]
            await until(lambda: {each.stream_id for each in events if each.__class__ is StreamOpened} == {1, 3})
            events.clear()
            path = str(tmp_path / "J\udcf6rg.raw")
            commands += [
                SetSink(1, ("file", object())),  # type: ignore[arg-type]
                SendDigits(1, 7, None),  # type: ignore[arg-type]
                ProvideFrames(1, ((object(), -1, 0, -1),)),  # type: ignore[arg-type]
                SetSource(1, ("file", HUGE, 1)),
                SetSink(3, ("file", path)),
                SetSink(3, ("file", "a\0b")),
                SetSink(3, ("file", str(tmp_path / "\ud800"))),
                SetSink(3, ("file", str(tmp_path / ("x" * 5000)))),
                CloseStream(3),
            ]
            output.flush()
            assert [each.__class__ for each in events] == [CommandRefused, DigitsSent, CommandRefused, CommandRefused]
            assert events[1][:3] == (1, 7, "FAIL")
            await until(lambda: len(events) == 4 + 3 + 1)
            assert (tmp_path / "J\udcf6rg.raw").exists()
            assert b"J\xf6rg.raw" in {each.name.encode("utf-8", "surrogateescape") for each in tmp_path.iterdir()}
            assert [each.reason for each in events[4:7]] == ["bad_value", "bad_value", "no_file"]
            assert totals.cell("sipswarm_queue_dropped_total", "media_commands").value == 5
            assert lost == []
        finally:
            output.close()
            worker.close()
            context.term()

    asyncio.run(main())
