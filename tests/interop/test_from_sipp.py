"""docs/from-sipp.md: its options exist on both sides, its two scenarios pass against the same peer."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.loads.convert import converted

from .conftest import Start
from .node import Answer, load
from .peers import SIPP, require
from .sipp import Sipp
from .wire_totals import Comparison

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from-sipp.md").read_text()
TABLE = re.findall(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", PAGE.partition("## Options")[2].partition("\n## ")[0], re.M)[1:]
NEWER = {"-min_rtp_port", "-max_rtp_port"}
"""options that SIPp has only since 3.7"""


def block(kind: str) -> str:
    """The one block of this kind that the page has."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def data() -> str:
    """The rows that both scenarios read."""
    (found,) = re.findall(r"^```\n(SEQUENTIAL\n.*?)^```$", PAGE, re.M | re.S)
    return str(found)


def commands() -> list[str]:
    """The three command lines below the scenarios: SIPp, the same file with us, and the one in Python."""
    return re.findall(r"^(?:sipp|sipswarm load) .*$", PAGE, re.M)


def test_the_table_has_the_usual_options() -> None:
    left = " ".join(row[0] for row in TABLE)
    for option in ("-sf", "-r", "-rp", "-m", "-l", "-d", "-inf", "-s", "-i", "-p", "-t", "-trace_stat", "-trace_err"):
        assert re.search(rf"`{option}\b", left), option


def test_every_option_on_the_left_is_one_of_sipp() -> None:
    program = require(SIPP)
    known = set(
        re.findall(r"^ +(-\w+) *:", subprocess.run([program, "-h"], capture_output=True, text=True).stdout, re.M)
    )
    asked = {
        word
        for left, _, _ in TABLE
        for text in re.findall(r"`([^`]+)`", left)
        for word in re.findall(r"(?<!\S)-\w+", text)
    }
    assert asked - NEWER <= known


@pytest.mark.parametrize(("left", "right", "remark"), TABLE, ids=[row[0] for row in TABLE])
def test_every_option_on_the_right_is_ours(left: str, right: str, remark: str) -> None:
    for text in re.findall(r"`([^`]+)`", f"{right} {remark}"):
        verb = text.split()[0] if text.split()[0] in cli.commands else "load"
        command = cli.commands[verb]
        everywhere = [option for param in command.params for option in param.opts]
        if remark and text in remark and verb == "load":
            everywhere += [option for param in cli.commands["answer"].params for option in param.opts]
        for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", text):
            if option in {"-mi", "-rp"}:  # SIPp's, named as what is not needed
                continue
            assert option in everywhere, f"{left}: {text}"
    assert isinstance(cli, click.Group)


def test_the_same_scenario_passes_with_sipp_and_with_us(tmp_path: Path, start: Start, captured: Comparison) -> None:
    (tmp_path / "scenario.xml").write_text(block("xml"))
    (tmp_path / "scenario.py").write_text(block("python"))
    (tmp_path / "rows.csv").write_text(data())
    answer = start(Answer(tmp_path, ["--media", "tone:440"]))
    answer.ready()
    theirs, _, ours = (line.replace("127.0.0.1:5070", answer.address).split() for line in commands())

    assert theirs[:4] == ["sipp", answer.address, "-sf", "scenario.xml"]
    options = theirs[4 : theirs.index("-m")]
    calls = int(theirs[-1])
    caller = start(
        Sipp(
            tmp_path,
            "uac",
            remote=answer.address,
            scenario=str(tmp_path / "scenario.xml"),
            calls=calls,
            seconds=30,
            options=[str(tmp_path / each) if each == "rows.csv" else each for each in options],
        )
    )
    verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == calls

    _, _, target, *arguments = ours
    result = load(tmp_path, target, arguments, 60)
    captured.read(answer.side, result.side)
    captured.equals_summary(result)
    captured.equals_metrics(answer, answer.side)
    assert result.summary["calls"]["outcomes"] == {"answered": calls}, result.account
    assert result.summary["calls"]["failed"] == 0, result.account
    answer.counted("sipswarm_calls_completed_total", 2 * calls, role="uas")


@pytest.mark.slow
def test_the_file_passes_as_it_is(tmp_path: Path, start: Start) -> None:
    (tmp_path / "scenario.xml").write_text(block("xml"))
    (tmp_path / "rows.csv").write_text(data())
    answer = start(Answer(tmp_path, ["--media", "tone:440"]))
    answer.ready()
    theirs, same, _ = (line.replace("127.0.0.1:5070", answer.address).split() for line in commands())
    assert same[2:] == theirs[1:], "the same command line"
    result = load(tmp_path, same[2], same[3:], 60)
    calls = int(same[-1])
    assert result.summary["calls"]["outcomes"] == {"answered": calls}, result.account
    assert result.summary["calls"]["failed"] == 0, result.account
    assert result.summary["scenario_file"]["response_times"]["1"]["count"] == calls
    answer.counted("sipswarm_calls_completed_total", calls, role="uas")


def test_the_converted_scenario_passes_too(tmp_path: Path, start: Start) -> None:
    file = tmp_path / "scenario.xml"
    file.write_text(block("xml"))
    (tmp_path / "converted.py").write_text(converted(str(file), {}))
    (tmp_path / "rows.csv").write_text(data())
    answer = start(Answer(tmp_path, ["--media", "tone:440"]))
    answer.ready()
    arguments = ["--scenario", "converted.py", "-inf", "rows.csv", "-r", "5", "-m", "4"]
    result = load(tmp_path, f"x@{answer.address}", arguments, 60)
    assert result.summary["calls"]["outcomes"] == {"answered": 4}, result.account
    assert result.summary["calls"]["failed"] == 0, result.account
