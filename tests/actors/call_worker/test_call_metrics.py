"""How a call is counted: one outcome, its delays, its row; on real calls over the virtual wire."""

from typing import Any

import pytest

from sipswarm.actors.call.notices import InviteReceived, Notice
from sipswarm.actors.call.state import CallTimes, Planned
from sipswarm.actors.call_worker.call_metrics import CallMetrics, outcome_of
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.parameters import CallParameters
from sipswarm.sipcore.transaction.stateless import refuse
from tests.actors.phones import ALICE, BOB, Line, Phone
from tests.actors.refusals import challenge, response


def call_of(phone: Phone) -> Call:
    """A call handle for the actor of a phone; no worker is asked for anything here."""
    nobody: Any = None
    return Call.__new__(Call).begin(nobody, nobody, nobody, phone.call, "load", CallParameters())


def call_that_gets(status: int, ring_timeout: float = 180.0) -> tuple[Phone, Phone, Line]:
    """A call that rings for two seconds and then gets a final status; 0 = none."""

    def reacts(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, InviteReceived):
            phone.call.ring(180, (), phone.now)

    alice, bob = Phone(ALICE), Phone(BOB, reacts=reacts)
    line = Line(alice, bob)
    alice.prepare(BOB, ring_timeout).invite((), 1.0)
    line.run(3.0)
    if status == 200:
        bob.call.answer((), 3.0)
    elif status:
        bob.call.reject(status, "", (), 3.0)
    line.carry()
    return alice, bob, line


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "answered"),
        (486, "busy"),
        (600, "busy"),
        (480, "unavailable"),
        (603, "declined"),
        (408, "timeout"),
        (404, "refused"),
        (488, "refused"),
        (606, "refused"),
        (302, "redirected"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_a_final_status_is_one_outcome_for_the_caller_and_the_called(status: int, outcome: str) -> None:
    alice, bob, _ = call_that_gets(status)
    assert outcome_of(call_of(alice)) == outcome_of(call_of(bob)) == outcome


def test_a_call_given_up_is_cancelled_and_one_that_rang_too_long_a_timeout() -> None:
    alice, bob, line = call_that_gets(0)
    alice.call.hang_up(3.0)
    line.carry()
    assert outcome_of(call_of(alice)) == outcome_of(call_of(bob)) == "cancelled"
    alice, bob, line = call_that_gets(0, ring_timeout=10.0)
    line.run(60.0)
    assert outcome_of(call_of(alice)) == "timeout"


def test_a_call_that_never_got_a_port_is_no_answer_of_the_peer() -> None:
    alice = Phone(ALICE, refuses="no_port")
    alice.prepare(BOB).invite((), 1.0)
    alice.settle()
    row = CallMetrics(Totals()).finished(call_of(alice), 2.0)
    assert (row.outcome, row.code, row.cause, row.failure) == ("not_sent", 0, "no_port", "no_port")
    assert row.started == row.ended == 1.0
    assert (row.post_dial_delay, row.answer_delay, row.disconnect_delay) == (-1.0, -1.0, -1.0)
    assert (row.duration, row.ended_by) == (0.0, "")


@pytest.mark.parametrize("cause", ["no_way", "local_transport", "too_long"])
@pytest.mark.parametrize(("ended", "outcome"), [(1.0, "not_sent"), (1.2, "not_sent"), (2.0, "transport_error")])
def test_a_call_whose_invite_could_not_leave_is_not_sent(cause: str, ended: float, outcome: str) -> None:
    """When it is the INVITE's repetition that cannot leave, T1 has passed and the first copy had left."""
    alice = Phone(ALICE)
    alice.prepare(BOB).invite((), 1.0)
    call = call_of(alice)
    call.times.sent_invite(1.0)
    call.actor.ending.because(cause, "transport")
    call.times.over(ended)
    assert outcome_of(call) == outcome
    call.times.responded(100, 1.0)
    assert outcome_of(call) == "transport_error"


def test_the_row_of_an_answered_call_has_its_delays_and_who_ended_it() -> None:
    alice, bob, line = call_that_gets(200)
    line.run(13.0)
    bob.call.hang_up(13.0)
    line.carry()
    totals = Totals()
    metrics = CallMetrics(totals)
    call = call_of(alice)
    call.attend(planned=Planned(0.75))
    call.keypad.sent, call.keypad.received, call.expected_digits = "12", "19#", "129"
    row = metrics.finished(call, 13.0)
    assert (row.role, row.outcome, row.code, row.ended_by) == ("uac", "answered", 200, "remote")
    assert (row.started, row.lateness, row.post_dial_delay, row.answer_delay) == (1.0, 0.25, 0.0, 2.0)
    assert (row.duration, row.disconnect_delay) == (10.0, -1.0)
    assert (row.digits_sent, row.digits_received, row.digits_missed, row.digits_wrong) == (2, 3, 1, 1)
    assert (row.rtp_sent, row.mos, row.jitter) == (0, -1.0, -1.0)
    other = metrics.finished(call_of(bob), 13.0)
    assert (other.role, other.ended_by, other.disconnect_delay) == ("uas", "local", 0.0)
    values = {(name, labels): list(numbers) for name, labels, numbers in totals.snapshot()}
    assert values["sipswarm_calls_finished_total", ("load", "uac", "answered")] == [1]
    assert values["sipswarm_calls_completed_total", ("load", "uas", "local")] == [1]
    assert values["sipswarm_answer_delay_seconds", ("load",)][0] == 2.0
    assert values["sipswarm_call_duration_seconds", ("load", "uac")][0] == 10.0


@pytest.mark.parametrize(
    ("begun", "invited", "planned", "lateness"),
    [
        (1.0, 1.0, Planned(0.75), 0.25),
        (1.0, 1.5, Planned(0.75), 0.75),  # it waited for a media port
        (1.0, 0.0, Planned(0.75), 0.25),  # no INVITE left
        (1.0, 1.5, Planned(0.5, 0.25), 0.75),  # its run took 0.25 s before it placed the call
        (1.0, 1.0, Planned(0.5, 0.5), 0.0),
    ],
)
def test_the_time_of_the_plan_does_not_move_whenever_its_invite_left(
    begun: float, invited: float, planned: Planned, lateness: float
) -> None:
    alice, _, _ = call_that_gets(200)
    call = call_of(alice)
    call.attend(planned=planned)
    call.times.began(begun)
    call.times.sent_invite(invited)
    totals = Totals()
    metrics = CallMetrics(totals)
    metrics.answered(call)
    row = metrics.finished(call, 13.0)
    assert (row.planned, row.started, row.lateness) == (planned.at, begun, lateness)
    values = {name: list(numbers) for name, _, numbers in totals.snapshot()}
    total, *counts = values["sipswarm_schedule_lateness_seconds"]
    assert (total, sum(counts)) == (lateness, 1), "counted once, by the same measure"


def test_attempts_drops_and_live_calls_are_counted_by_their_labels() -> None:
    alice, bob, line = call_that_gets(0)
    totals = Totals()
    metrics = CallMetrics(totals)
    metrics.attempt("load", "uac", 1.0)
    metrics.dropped("load", "limit")
    metrics.set_active([call_of(alice), call_of(bob)])
    assert totals.cell("sipswarm_calls_active", "load", "uac", "setup").value == 1
    assert totals.cell("sipswarm_calls_active", "load", "uas", "setup").value == 1
    bob.call.answer((), 3.0)
    line.carry()
    metrics.set_active([call_of(alice)])
    assert totals.cell("sipswarm_calls_active", "load", "uac", "established").value == 1
    assert totals.cell("sipswarm_calls_active", "load", "uas", "setup").value == 0
    assert totals.cell("sipswarm_call_attempts_total", "load", "uac").value == 1
    assert totals.cell("sipswarm_calls_dropped_total", "load", "limit").value == 1


def test_a_missed_expectation_is_counted_by_name() -> None:
    alice, _, _ = call_that_gets(486)
    totals = Totals()
    call = call_of(alice)
    call.failure = "digits"
    assert CallMetrics(totals).finished(call, 4.0).failure == "digits"
    assert totals.cell("sipswarm_call_failures_total", "load", "uac", "digits").value == 1


# ---- how a call ended, and when


def answered_call() -> tuple[Phone, Phone, Line]:
    """A call that is answered at 3 s; now it is 5 s."""
    alice, bob, line = call_that_gets(200)
    line.run(5.0)
    return alice, bob, line


@pytest.mark.parametrize(
    ("end", "closed", "measured"),
    [
        ("local", "confirmed", True),
        ("remote", "confirmed", False),
        ("unanswered", "unanswered", False),
        ("crossing", "confirmed", True),
        ("refused", "refused", True),
    ],
)
def test_the_end_of_a_call_is_confirmed_or_not_and_its_delay_is_measured_or_not(
    end: str, closed: str, measured: bool
) -> None:
    alice, bob, line = answered_call()
    if end == "remote":
        bob.call.hang_up(5.0)
    else:
        line.down = end in ("unanswered", "refused")
        alice.call.hang_up(5.0)
        if end == "crossing":
            bob.call.hang_up(5.0)
    line.carry()
    if end == "refused":
        refusal = refuse(line.messages[-1].to_bytes(), status=481, source=(ALICE.host, ALICE.port))
        assert refusal is not None
        alice.receive(refusal, BOB)
    line.run(60.0)
    row = CallMetrics(Totals()).finished(call_of(alice), 60.0)
    assert row.closed == closed
    assert (row.disconnect_delay >= 0) == measured
    assert row.disconnect_delay < 40  # never the time since the machine was started
    assert (row.started, row.ended) == (1.0, 5.0)
    assert row.started + row.answer_delay + row.duration == pytest.approx(row.ended)


def test_a_moment_that_did_not_come_gives_no_difference() -> None:
    assert CallTimes.between(0.0, 5.0) == CallTimes.between(5.0, 0.0) == -1.0
    assert CallTimes.between(4.0, 5.0) == 1.0


@pytest.mark.parametrize(
    ("status", "challenged", "cause"),
    [
        (401, True, "no_credentials"),
        (407, True, "no_credentials"),
        (401, False, "unauthorized"),
        (486, True, "rejected"),
    ],
)
def test_the_row_of_a_challenge_that_stood_says_what_was_amiss(status: int, challenged: bool, cause: str) -> None:
    alice, bob = Phone(ALICE), Phone(BOB)
    line = Line(alice, bob)
    alice.prepare(BOB).invite((), 1.0)
    line.carry()
    bob.call.reject(status, "", challenge(status) if challenged else (), 2.0)
    line.carry()
    row = CallMetrics(Totals()).finished(call_of(alice), 3.0)
    assert (row.outcome, row.code, row.cause) == ("busy" if status == 486 else "refused", status, cause)
    assert call_of(alice).cause == ("rejected" if status == 486 else "unauthorized")


def test_credentials_that_were_refused_are_the_cause_in_the_row() -> None:
    alice, bob = Phone(ALICE), Phone(BOB)
    line = Line(alice, bob)
    alice.prepare(BOB).invite((), 1.0)
    line.carry()
    alice.call.ending.refused(response(401, *challenge(401)), were_sent=True)
    alice.call.ending.because("unauthorized", "remote")
    assert CallMetrics(Totals()).finished(call_of(alice), 3.0).cause == "credentials_refused"
