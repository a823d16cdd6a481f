"""The row of a run whose first message was received: by the final response that the file sent, and its times."""

from sipswarm.actors.load.expectations import NO_CALL
from sipswarm.actors.load.sipp_files.figures import row_of_received
from sipswarm.actors.sipp.call.statistics import Failure, Figures


def answered(code: int) -> Figures:
    """A run that got an INVITE at 10.0 and answered it at 10.5."""
    figures = Figures()
    figures.received("INVITE", 0, "INVITE", 10.0)
    figures.sent("", 180, "INVITE", 10.1)
    figures.sent("", code, "INVITE", 10.5)
    return figures


def test_a_call_that_the_peer_ended() -> None:
    figures = answered(200)
    figures.received("BYE", 0, "BYE", 13.0)
    figures.sent("", 200, "BYE", 13.0)
    figures.ended(17.0)
    row = row_of_received(figures, "uas", "a@b", cause="", failure="", began=10.0, now=17.0)
    assert (row.role, row.scenario, row.call_id, row.outcome, row.code) == ("uas", "uas", "a@b", "answered", 200)
    assert (row.answer_delay, row.duration, row.disconnect_delay) == (0.5, 2.5, -1.0)
    assert (row.closed, row.ended_by, row.failure, row.cause) == ("confirmed", "remote", "", "")
    assert (row.started, row.ended, row.planned, row.lateness) == (10.0, 13.0, -1.0, -1.0)


def test_a_call_that_the_file_ended() -> None:
    figures = answered(200)
    figures.sent("BYE", 0, "BYE", 12.0)
    figures.received("", 200, "BYE", 12.25)
    figures.ended(12.25)
    row = row_of_received(figures, "uas", "a@b", cause="", failure="", began=10.0, now=12.25)
    assert (row.closed, row.ended_by, row.disconnect_delay, row.duration) == ("confirmed", "local", 0.25, 1.5)


def test_a_refused_call_has_neither_delay_nor_end() -> None:
    figures = answered(486)
    figures.ended(10.6)
    row = row_of_received(figures, "uas", "a@b", cause="", failure="", began=10.0, now=10.6)
    assert (row.outcome, row.code, row.answer_delay, row.duration) == ("busy", 486, -1.0, 0.0)
    assert (row.closed, row.ended_by) == ("", "")


def test_a_call_without_a_final_response_has_its_failure_and_its_detail() -> None:
    figures = Figures()
    figures.received("OPTIONS", 0, "OPTIONS", 10.0)
    figures.failed(Failure.UNEXPECTED_MESSAGE, "step 0, uas.xml:3: expected INVITE, got OPTIONS", 3, False)
    figures.ended(10.0)
    row = row_of_received(figures, "uas", "a@b", cause="", failure="unexpected_message", began=10.0, now=10.0)
    assert (row.outcome, row.code, row.failure) == ("cancelled", 0, "unexpected_message")
    assert row.detail == "step 0, uas.xml:3: expected INVITE, got OPTIONS"


def test_a_run_that_waits_for_something_else_than_it_answers_is_no_failure() -> None:
    figures = Figures()
    figures.received("NOTIFY", 0, "NOTIFY", 10.0)
    figures.ended(11.0)
    row = row_of_received(figures, "uas", "a@b", cause="", failure="", began=10.0, now=11.0)
    assert (row.outcome, row.failure, row.ended) == (NO_CALL, "", 11.0)


def test_a_call_that_the_end_of_the_robot_ended_has_that_as_its_cause() -> None:
    figures = answered(200)
    figures.sent("BYE", 0, "BYE", 12.0)
    figures.ended(12.0)
    row = row_of_received(figures, "uas", "a@b", cause="drained", failure="", began=10.0, now=12.0)
    assert (row.cause, row.ended_by, row.closed) == ("drained", "local", "")
