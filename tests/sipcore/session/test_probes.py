"""A call whose peer has no session timer is probed by OPTIONS, and a bound of its age holds whatever was agreed."""

import pytest

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.session.events import By, Cause, Ended
from tests.sipcore.call_wire import Side, Wire, established

DAY = 86_400.0
UNTIMED: dict[str, object] = {"supported": ()}


def established_answering(
    statuses: tuple[int, ...], caller: dict[str, object], called: dict[str, object]
) -> tuple[Side, Side, Wire]:
    """An established call; Bob answers probes by these statuses, by the last one again and again."""
    alice, bob, wire = established(caller, called)
    left, send = list(statuses), wire._send

    def with_status(side: Side, data: bytes, hop: Hop, flow: int) -> None:
        if data.startswith(b"SIP/2.0 200 ") and b" OPTIONS\r\n" in data:
            status = left.pop(0) if len(left) > 1 else left[0]
            data = b"SIP/2.0 %d %b" % (status, data.removeprefix(b"SIP/2.0 200 "))
        send(side, data, hop, flow)

    wire._send = with_status  # type: ignore[method-assign]  # the answers of this wire are others
    return alice, bob, wire


def probed(*statuses: int) -> tuple[Side, Side, Wire]:
    """An established call of Alice, who probes, and Bob, who has no session timer."""
    return established_answering(statuses, {"session_expires": 1800, "probe_after": 900.0}, UNTIMED)


@pytest.mark.parametrize("status", [200, 404, 405, 486, 500, 501, 603])
def test_a_peer_that_answers_at_all_stays_in_the_call_for_a_month(status: int) -> None:
    alice, _bob, wire = probed(status)
    wire.run(30 * DAY)
    assert len(wire.times("A>B", "OPTIONS")) == 30 * DAY / 900.0
    assert wire.times("A>B", "OPTIONS")[:2] == [900.0, 1800.0]
    assert alice.told(Ended) == []


@pytest.mark.parametrize("status", [408, 410, 430, 480])
def test_two_misses_in_a_row_end_the_call(status: int) -> None:
    alice, _bob, wire = probed(status, 200, status)
    wire.run(DAY)
    assert wire.times("A>B", "OPTIONS") == [900.0, 932.0, 1832.0, 1864.0]
    assert wire.times("A>B", "BYE")[0] == 1864.0
    assert alice.told(Ended)[0][:2] == (Cause.DIALOG_GONE, By.EXPIRED)


def test_a_481_ends_the_call_at_once() -> None:
    alice, _bob, wire = probed(481)
    wire.run(DAY)
    assert wire.times("A>B", "OPTIONS") == [900.0]
    assert alice.told(Ended)[0].cause is Cause.DIALOG_GONE


def test_a_peer_that_has_vanished_is_found_out_by_the_second_probe() -> None:
    alice, _bob, wire = probed(200)
    wire.run(1000.0)
    wire.drop = frozenset(range(10_000))
    wire.run(1800.0 + 3 * 32.0 + 1.0)
    assert alice.told(Ended)[0][:2] == (Cause.DIALOG_GONE, By.EXPIRED)


def test_a_peer_with_a_session_timer_is_not_probed() -> None:
    _alice, _bob, wire = established({"session_expires": 1800, "probe_after": 900.0})
    wire.run(DAY)
    assert wire.times("A>B", "OPTIONS") == []
    assert len(wire.times("A>B", "UPDATE")) == DAY / 900.0


def test_nobody_is_probed_without_the_setting() -> None:
    _alice, _bob, wire = established({"session_expires": 1800}, UNTIMED)
    wire.run(DAY)
    assert wire.times("A>B", "OPTIONS") == []


@pytest.mark.parametrize("timed", [{}, UNTIMED])
@pytest.mark.parametrize("caller", [True, False])
def test_no_call_becomes_older_than_its_bound(timed: dict[str, object], caller: bool) -> None:
    bounded: dict[str, object] = {"session_expires": 1800, "probe_after": 900.0, "max_call_time": 5000.0}
    _alice, _bob, wire = established(bounded, timed) if caller else established(timed, bounded)
    wire.run(DAY)
    assert wire.times("A>B" if caller else "B>A", "BYE") == [5000.0]


def test_the_bound_of_the_age_alone_asks_nothing_of_the_peer() -> None:
    alice, _bob, wire = established({"max_call_time": 60.0})
    wire.run(DAY)
    assert alice.told(Ended)[0][:2] == (Cause.MAX_CALL_TIME, By.LOCAL)
    assert wire.times("A>B", "BYE") == [60.0]
    assert wire.times("A>B", "OPTIONS") == wire.times("A>B", "UPDATE") == []
