"""What calls of a scenario file count: metrics at once, records for the supervisor, and the sums of a run."""

from typing import Any

from sipswarm.actors.bus.messages import ScenarioCounted
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.load.sipp_files.counted_figures import FileFigures
from sipswarm.actors.load.sipp_files.marks import (
    COUNTERS,
    EVENTS,
    MOST_SAID,
    MOST_TIMES,
    RESPONSE_TIMES,
    Marks,
)
from sipswarm.actors.sipp import markup, program_reader
from sipswarm.actors.sipp.actions.results import Loudness, Say
from sipswarm.actors.sipp.actions.stop import Stop
from sipswarm.actors.sipp.call.statistics import AutoAnswered, Counted, Mark, Repeated, ResponseTime, Unexpected

FILE = b"""<scenario><send start_rtd="first call" counter="sent"><![CDATA[
OPTIONS sip:a SIP/2.0
]]></send><recv response="200" rtd="first call"/></scenario>"""


def marks() -> tuple[Marks, Totals, list[Any]]:
    """Marks of calls with the label `uac`, what they count, and what they tell."""
    totals, told = Totals(), list[Any]()
    return Marks(totals, "uac", told.append), totals, told


def test_each_name_of_a_file_has_a_series_before_anything_is_counted() -> None:
    made, totals, told = marks()
    made.declare(program_reader.read(markup.read(FILE, "uac.xml")))
    rows = {(name, labels): values for name, labels, values in totals.snapshot()}
    assert sum(rows[RESPONSE_TIMES, ("uac", "first call")]) == 0
    assert [rows[COUNTERS, ("uac", "sent")], rows[EVENTS, ("uac", "sent_again")]] == [(0,), (0,)]
    made.flush()
    assert told == []


def test_marks_are_counted_at_once_and_told_together() -> None:
    made, totals, told = marks()
    made.note("id", [ResponseTime("1", 0.25), Counted("a"), Repeated(2, 1)], [Say(Loudness.WARNING, "x")], 10.0)
    more: list[Mark] = [Counted("a"), AutoAnswered("INFO"), Unexpected(3, "x"), Repeated(1, 0)]
    made.note("id", more, [Say(Loudness.LOG, "y")], 11.0)
    assert totals.distribution(RESPONSE_TIMES, "uac", "1").total == 0.25
    assert totals.counted(COUNTERS, ("uac", "a")) == 2
    assert totals.counted(EVENTS, ("uac", "sent_again")) == 3
    assert told == []
    made.flush()
    made.flush()
    events = (("sent_again", 3), ("received_again", 1), ("warnings", 1), ("auto_answered", 1), ("unexpected", 1))
    assert told == [ScenarioCounted((("1", 10.0, 0.25),), (("a", 2),), events)]


def test_a_record_is_bounded() -> None:
    made, _, told = marks()
    made.note("id", [ResponseTime("1", 0.1)] * (2 * MOST_TIMES + 1), [], 1.0)
    assert [len(each.response_times) for each in told] == [MOST_TIMES, MOST_TIMES]
    made.flush()
    assert len(told[2].response_times) == 1


def test_without_a_supervisor_nothing_is_kept() -> None:
    totals = Totals()
    made = Marks(totals, "uac", None)
    made.note("id", [ResponseTime("1", 0.1)] * (MOST_TIMES + 1), [], 1.0)
    made.flush()
    assert sum(totals.distribution(RESPONSE_TIMES, "uac", "1").counts) == MOST_TIMES + 1


def test_the_sums_of_a_run_are_those_of_all_records() -> None:
    figures = FileFigures()
    for seconds in (0.1, 0.2, 0.3):
        figures.add(ScenarioCounted((("1", 5.0, seconds), ("b", 5.0, 1.0)), (("a", 2),), ()))
    assert figures.count == 6
    assert figures.response_time("1").max == 0.3
    assert figures.response_time("c").percentile(95) is None
    digest = figures.digest()
    assert digest["counters"] == {"a": 6}
    assert {name: each["count"] for name, each in digest["response_times"].items()} == {"1": 3, "b": 3}


def test_lines_of_errors_are_told_where_a_file_of_them_is_written() -> None:
    told: list[Any] = []
    made = Marks(Totals(), "uac", told.append, says=True)
    unexpected = Unexpected(3, "step 1, a.xml:3: expected 200, got 486 to INVITE", 486)
    made.note("1-2@host", [unexpected], [Say(Loudness.WARNING, "caf\xc3\xa9"), Say(Loudness.LOG, "no")], 7.0)
    made.flush()
    assert told[0].said == (
        (7.0, "step 1, a.xml:3: expected 200, got 486 to INVITE; Call-ID 1-2@host", 486),
        (7.0, "café; Call-ID 1-2@host", 0),
    )
    made.note("x", [unexpected] * (MOST_SAID + 1), [], 8.0)
    assert [len(each.said) for each in told] == [2, MOST_SAID]


def test_an_unexpected_message_is_told_with_its_message_in_the_words_of_sipp_and_without_secrets() -> None:
    told: list[Any] = []
    made = Marks(Totals(), "uac", told.append, says=True)
    text, state = "step 1, a.xml:3: expected 200, got 486 to INVITE", "while expecting '200' (index 1)"
    message = 'SIP/2.0 486 Busy\r\nAuthorization: Digest response="secret"\r\n\r\n'
    made.note("1-2@host", [Unexpected(3, text, 486, state, message)], [], 7.0)
    made.note("1-2@host", [Unexpected(3, text, 0, state, "BYE sip:a SIP/2.0\r\n\r\n")], [], 8.0)
    made.flush()
    (_, first, _), (_, second, _) = told[0].said
    before = f"Aborting call on unexpected message for Call-Id '1-2@host': {state}, received 'SIP/2.0 486 Busy\r\n"
    assert first.startswith(before)
    assert first.endswith(f"\r\n\r\n'; {text}")
    assert "secret" not in first
    assert second == f"Aborting call on an unexpected BYE for call: 1-2@host; {text}"


def test_what_a_call_asks_of_the_whole_run_is_told_at_once() -> None:
    made, totals, told = marks()
    figures = FileFigures()
    made.note("x", [], [Stop.GRACEFULLY], 1.0)
    figures.add(told[0])
    assert figures.stops == "stop_gracefully"
    made.note("x", [], [Stop.NOW], 1.0)
    made.note("x", [], [Stop.GRACEFULLY], 1.0)
    for each in told[1:]:
        figures.add(each)
    assert figures.stops == "stop_now"
    assert totals.counted(EVENTS, ("uac", "stop_gracefully")) == 2
    made.left_out_command()
    assert totals.counted(EVENTS, ("uac", "commands_left_out")) == 1
