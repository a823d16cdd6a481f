"""What a finished call adds to the metrics besides its outcome: its BYE, its digits, the side that was silent."""

import pytest

from sipswarm.actors.call_worker.call_metrics import CallMetrics, MediaSum, media_of
from sipswarm.actors.counting.totals import Totals
from sipswarm.media.messages import StreamStatistics
from sipswarm.media.totals import DISCARD_REASONS
from tests.actors.call_worker.test_call_metrics import call_of, call_that_gets
from tests.actors.phones import FIGURES, Line, Phone

DISCONNECT = "sipswarm_disconnect_delay_seconds"


def ended_by_alice(*, lost: bool) -> tuple[Phone, Phone, Line]:
    """A call that alice hangs up after ten seconds; lost: nothing of hers arrives any more."""
    alice, bob, line = call_that_gets(200)
    line.run(13.0)
    alice.call.hang_up(13.0)
    if lost:
        while alice.call.deadline is not None and alice.call.deadline < 60.0:
            at = alice.call.deadline
            alice.outbox.transmits.clear()
            alice.call.handle_timer(at)
            alice.settle()
    else:
        line.carry()
    return alice, bob, line


@pytest.mark.parametrize(("lost", "result", "seconds"), [(False, "success", 0.0), (True, "failure", 32.0)])
def test_the_end_of_a_bye_is_counted_by_what_became_of_it(lost: bool, result: str, seconds: float) -> None:
    alice, _, _ = ended_by_alice(lost=lost)
    totals = Totals()
    CallMetrics(totals).finished(call_of(alice), 60.0)
    distribution = totals.distribution(DISCONNECT, "load", result)
    assert (sum(distribution.counts), distribution.total) == (1, seconds)
    assert totals.cell("sipswarm_calls_completed_total", "load", "uac", "local").value == (not lost)
    other = totals.distribution(DISCONNECT, "load", "failure" if result == "success" else "success")
    assert sum(other.counts) == 0


@pytest.mark.parametrize(
    ("expected", "received", "errors"),
    [
        ("1234", "1234", {}),
        ("1234", "124", {"missed": 1}),
        ("1234", "12934", {"spurious": 1}),
        ("1234", "1294", {"wrong_digit": 1}),
        ("1234", "", {"missed": 4}),
        ("", "77", {}),
    ],
)
@pytest.mark.parametrize("mode", ["rfc4733", "info"])
def test_digits_are_held_against_what_was_expected(
    expected: str, received: str, errors: dict[str, int], mode: str
) -> None:
    alice, _, _ = ended_by_alice(lost=False)
    totals = Totals()
    call = call_of(alice)
    call.expected_digits, call.keypad.received, call.keypad.mode = expected, received, mode
    CallMetrics(totals).finished(call, 13.0)
    found = {
        kind: totals.cell("sipswarm_dtmf_errors_total", mode, kind).value
        for kind in ("missed", "spurious", "wrong_digit")
    }
    assert found == {"missed": 0, "spurious": 0, "wrong_digit": 0, **errors}


@pytest.mark.parametrize(("one_way", "side"), [("peer", "remote"), ("local", "local"), ("", "")])
def test_a_call_with_one_silent_side_is_counted_by_that_side(one_way: str, side: str) -> None:
    alice, _, _ = ended_by_alice(lost=False)
    alice.call.media.lines[0].statistics = StreamStatistics._make(FIGURES)._replace(one_way=one_way)
    totals = Totals()
    CallMetrics(totals).finished(call_of(alice), 13.0)
    found = {
        each: totals.cell("sipswarm_calls_one_way_media_total", "load", each).value for each in ("local", "remote")
    }
    assert found == {"local": 0, "remote": 0, **({side: 1} if side else {})}


def test_the_media_of_a_row_is_the_sum_over_the_streams_of_its_call() -> None:
    nothing = StreamStatistics._make(FIGURES)
    first = nothing._replace(
        packets_sent=500,
        packets_received=400,
        packets_lost=3,
        media_due=10.0,
        media_present=8.0,
        media_gap=2.0,
        packets_due=500,
        packets_missed=100,
        media_held=3.0,
        media_removed=4.0,
        remote_loss_ratio=0.75,
        packets_unreachable=300,
    )
    nothing = nothing._replace(remote_loss_ratio=-1.0)
    second = first._replace(
        packets_sent=1, packets_unreachable=0, media_due=1.0, media_present=1.0, media_gap=0.1, packets_missed=0
    )
    assert media_of((first, second)) == MediaSum(501, 800, 6, 11.0, 9.0, 2.0, 1000, 100, (), 6.0, 8.0, 0.75, 0.6)
    assert media_of((nothing,)) == media_of(()) == MediaSum(0, 0, 0, -1.0, -1.0, -1.0, 0, 0, (), 0.0, 0.0, -1.0, -1.0)
    alice, _, _ = ended_by_alice(lost=False)
    alice.call.media.lines[0].statistics = first._replace(mos=1.0)
    row = CallMetrics(Totals()).finished(call_of(alice), 13.0)
    assert (row.media_due, row.media_present, row.media_gap, row.rtp_due, row.rtp_missed) == (10.0, 8.0, 2.0, 500, 100)
    assert (row.rtp_received, row.mos) == (400, 1.0)


def test_what_users_have_not_read_is_a_mailbox() -> None:
    alice, bob, _ = call_that_gets(200)
    calls = [call_of(alice), call_of(bob)]
    calls[0].keypad.unread.extend("123")
    calls[1].keypad.unread.append("4")
    totals = Totals()
    metrics = CallMetrics(totals)
    metrics.set_active(calls, registrations=7)
    assert totals.cell("sipswarm_actor_mailbox_messages").value == 4
    assert totals.cell("sipswarm_actor_mailbox_deepest_messages").value == 3
    assert totals.cell("sipswarm_actors_active", "call").value == 2
    assert totals.cell("sipswarm_actors_active", "registration").value == 7
    metrics.set_active([])
    assert totals.cell("sipswarm_actor_mailbox_messages").value == 0
    assert totals.cell("sipswarm_actors_active", "call").value == 0


def test_the_discards_of_a_row_are_summed_by_reason_without_copies_which_are_received() -> None:
    nothing = StreamStatistics._make(FIGURES)
    discards = tuple(range(len(DISCARD_REASONS)))
    stream = nothing._replace(packets_discarded=sum(discards), discards=(3, *discards[1:]))
    assert media_of((stream, nothing, stream)).rtp_discards == tuple(2 * count for count in discards)
