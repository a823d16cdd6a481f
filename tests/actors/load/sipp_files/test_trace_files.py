"""The files of SIPp's options of traces: their names, rows by period, and what is said of a disk that takes nothing."""

import csv
from datetime import UTC
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import ScenarioCounted
from sipswarm.actors.diagnosis.sipp_trace_options import SippTraceConfig
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.sipp_files.trace_files import Progress, TraceFiles
from sipswarm.actors.load.sipp_files.trace_names import TraceNames, names_of
from sipswarm.actors.sipp import markup, program_reader
from sipswarm.actors.sipp.traces.columns import columns_of
from sipswarm.actors.sipp.traces.statistics import Columns
from tests.actors.rows import ROW

NOTHING = TraceNames("", "", "", "", "", "")
FILE = b"""<scenario><send start_rtd="a" counter="c"><![CDATA[
OPTIONS sip:a SIP/2.0
]]></send><recv response="200" rtd="a"/>
<ResponseTimeRepartition value="100, 10,x,100"/><CallLengthRepartition value="500"/></scenario>"""


def test_names_are_those_of_sipp_or_given() -> None:
    assert names_of(SippTraceConfig(), "uac", 7) == NOTHING
    given = SippTraceConfig(
        trace_statistics=True,
        trace_response_times=True,
        trace_errors=True,
        trace_error_codes=True,
        trace_messages=True,
        trace_short_messages=True,
    )
    assert names_of(given, "uac", 7) == (
        "uac_7_.csv",
        "uac_7_rtt.csv",
        "uac_7_errors.log",
        "uac_7_error_codes.csv",
        "uac_7_messages.log",
        "uac_7_shortmessages.log",
    )
    given = SippTraceConfig(trace_statistics=True, statistics_file="s.csv", error_file="not asked for")
    assert names_of(given, "uac", 7) == NOTHING._replace(statistics="s.csv")


def test_columns_are_those_of_the_file() -> None:
    document = markup.read(FILE, "a.xml")
    assert columns_of(document, program_reader.read(document)) == Columns(
        response_times=("a",), counters=("c",), response_limits=(10, 100), length_limits=(500,)
    )


def files(folder: Path, columns: Columns | None = None, **changes: str) -> TraceFiles:
    names = {name: str(folder / name) for name in ("statistics", "response_times", "errors", "error_codes")}
    return TraceFiles(
        NOTHING._replace(**{**names, **changes}),
        columns or Columns(response_times=("a",), counters=("c",)),
        period=10.0,
        delimiter=";",
        zone=UTC,
        wall=1_700_000_000.0,
    )


def rows_of(folder: Path, delimiter: str = ";") -> list[dict[str, str]]:
    with (folder / "statistics").open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_a_row_is_written_for_each_period_and_at_the_end(tmp_path: Path) -> None:
    made = files(tmp_path)
    made.begin(100.0)
    made.tick(109.9, Progress(1, 1, 5.0))
    made.counted(ScenarioCounted((("a", 101.5, 0.25),), (("c", 2),), (("sent_again", 3), ("warnings", 1))))
    made.ended(ROW, "")
    made.tick(110.0, Progress(3, 2, 5.0, 1))
    made.ended(ROW._replace(call_id="x", detail="step 1, a.xml:3: it failed"), "no_transport")
    assert made.close(112.0, Progress(4, 0, 0.0, 1)) == ""
    _, first, last = rows_of(tmp_path)
    shown = ("OutgoingCall", "SuccessfulCall", "FailedCall", "FailedCannotSendMessage", "Retransmissions", "c")
    assert [[row[f"{name}({part})"] for part in "PC" for name in shown] for row in (first, last)] == [
        ["3", "1", "0", "0", "3", "2"] * 2,
        ["1", "0", "1", "1", "0", "0", "4", "1", "1", "1", "3", "2"],
    ]
    assert (first["ElapsedTime(P)"], last["ElapsedTime(P)"]) == ("00:00:10", "00:00:02")
    assert (first["ElapsedTime(C)"], last["ElapsedTime(C)"]) == ("00:00:10", "00:00:12")
    assert [row["CurrentCall"] for row in (first, last)] == ["2", "0"]
    assert [row["OutOfCallMsgs(P)"] for row in (first, last)] == ["1", "0"]
    assert (first["ResponseTimea(P)"], last["ResponseTimea(P)"]) == ("00:00:00:250000", "00:00:00:000000")
    assert (tmp_path / "response_times").read_text() == "Date_ms;response_time_ms;rtd_no\n1500;250;a\n"
    assert (tmp_path / "errors").read_text().endswith(": no_transport: step 1, a.xml:3: it failed; Call-ID x\n")


def test_an_unexpected_message_is_one_line_and_its_code_stands_in_its_period(tmp_path: Path) -> None:
    made = files(tmp_path)
    made.begin(100.0)
    made.counted(ScenarioCounted((), (), (), ((101.0, "expected 200, got 486", 486), (101.0, "a warning", 0))))
    made.ended(ROW, "unexpected_message")
    made.tick(110.0, Progress(1, 0, 1.0))
    assert made.close(111.0, Progress(1, 0, 0.0)) == ""
    lines = (tmp_path / "errors").read_text().splitlines()
    assert lines[0] == "The following events occurred:"
    assert [line.partition(": ")[2] for line in lines[1:]] == ["expected 200, got 486", "a warning"]
    codes = (tmp_path / "error_codes").read_text().splitlines()
    assert [line.rpartition(";")[2] for line in codes] == ["486,", ""]


def test_another_delimiter_stands_between_the_columns(tmp_path: Path) -> None:
    made = TraceFiles(
        NOTHING._replace(statistics=str(tmp_path / "statistics")),
        Columns(),
        period=1.0,
        delimiter="|",
        zone=UTC,
        wall=0.0,
    )
    made.begin(5.0)
    assert made.close(6.0, Progress(2, 0, 1.0)) == ""
    first, row = rows_of(tmp_path, "|")
    assert (first["OutgoingCall(C)"], row["OutgoingCall(C)"]) == ("0", "2")


def test_the_first_row_is_of_the_begin_and_the_last_has_the_rate_before_the_end(tmp_path: Path) -> None:
    made = files(tmp_path)
    made.begin(100.0, 20.0)
    made.tick(110.0, Progress(200, 2, 20.0))
    made.close(112.0, Progress(220, 0, 0.0))
    rows = rows_of(tmp_path)
    assert [row["TargetRate"] for row in rows] == ["20"] * 3
    assert [row["TotalCallCreated"] for row in rows] == ["0", "200", "220"]
    assert (rows[0]["ElapsedTime(C)"], rows[0]["CurrentTime"]) == ("00:00:00", rows[0]["StartTime"])


def test_a_file_of_errors_is_not_there_without_one(tmp_path: Path) -> None:
    made = files(tmp_path)
    made.begin(100.0)
    made.ended(ROW, "")
    assert made.close(112.0, Progress(1, 0, 0.0)) == ""
    assert not (tmp_path / "errors").exists()


@pytest.mark.parametrize(
    ("failure", "detail", "words"),
    [
        ("recv_timeout", "step 2, a.xml:9: 200 did not come", "Call-Id: x, receive timeout on message 2 without label"),
        ("max_retrans", "step 0, a.xml:3: no answer", "Aborting call on UDP retransmission timeout for Call-ID 'x'; "),
        ("regexp", "step 1, a.xml:4: no match", "regexp: step 1, a.xml:4: no match; Call-ID x"),
    ],
)
def test_a_failure_is_told_in_the_words_of_sipp_first(tmp_path: Path, failure: str, detail: str, words: str) -> None:
    made = files(tmp_path)
    made.begin(100.0)
    made.ended(ROW._replace(call_id="x", detail=detail), failure)
    made.close(112.0, Progress(1, 0, 0.0))
    line = (tmp_path / "errors").read_text().splitlines()[1]
    assert line.partition(": ")[2].startswith(words)
    assert detail in line


def test_files_that_are_not_wanted_are_not_there(tmp_path: Path) -> None:
    made = files(tmp_path, response_times="", errors="", error_codes="")
    made.begin(1.0)
    made.counted(ScenarioCounted((("a", 1.0, 0.1),), (), (), ((1.0, "x", 486),)))
    assert made.close(2.0, Progress(0, 0, 0.0)) == ""
    assert [each.name for each in tmp_path.iterdir()] == ["statistics"]


def test_a_file_that_cannot_be_written_is_an_error_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"-trace_err .*no/errors: No such file or directory"):
        files(tmp_path, errors=str(tmp_path / "no" / "errors"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_lines_that_a_full_disk_did_not_take_are_said(tmp_path: Path) -> None:
    made = files(tmp_path, response_times="/dev/full")
    made.begin(1.0)
    made.counted(ScenarioCounted((("a", 1.0, 0.1),), (), ()))
    assert made.close(2.0, Progress(0, 0, 0.0)) == "the file of -trace_rtt lacks 2 lines: No space left on device"
