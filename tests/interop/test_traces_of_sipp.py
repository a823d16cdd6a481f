"""The files of `-trace_stat` of both programs for the same file and the same peer: columns, and what they count."""

import csv
from pathlib import Path

from sipswarm.actors.cli import main
from sipswarm.actors.sipp.scenario_file import text_of
from tests.e2e.in_thread import InThread
from tests.e2e.test_command_line import was
from tests.e2e.test_scenario_files import QUIET, Busy

from .sipp import Sipp

COUNTS = (
    "IncomingCall(C)",
    "OutgoingCall(C)",
    "TotalCallCreated",
    "SuccessfulCall(C)",
    "FailedCall(C)",
    "FailedUnexpectedMessage(C)",
    "FailedMaxUDPRetrans(C)",
    "up(C)",
)
"""Columns whose numbers depend on the file and the peer only."""


def test_the_statistics_of_both_programs_have_the_same_columns_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "calls.xml"
    path.write_text(text_of("uac").replace('rtd="answer"/>', 'rtd="answer" counter="up"/>'))
    with InThread(Busy()) as peer:
        target = f"127.0.0.1:{peer.port}"
        sipp = Sipp(tmp_path, "sipp", remote=target, scenario=path, calls=50, seconds=60, options=["-r", "50"])
        verdict = sipp.verdict()
    with InThread(Busy()) as peer:
        files = ["-sf", str(path), "-trace_stat", "-stf", str(tmp_path / "ours.csv"), "--out", str(tmp_path / "out")]
        code = main(["load", f"b@127.0.0.1:{peer.port}", "-m", "50", "-r", "50", *files, *QUIET])
    assert was(code, 1)
    with (tmp_path / "ours.csv").open(newline="") as rows:
        ours = list(csv.DictReader(rows, delimiter=";"))[-1]
    assert [name for name in ours if name] == list(verdict.statistics), verdict.account
    assert {name: ours[name] for name in COUNTS} == {name: verdict.statistics[name] for name in COUNTS}
    assert (ours["SuccessfulCall(C)"], ours["FailedUnexpectedMessage(C)"], ours["up(C)"]) == ("45", "5", "45")
