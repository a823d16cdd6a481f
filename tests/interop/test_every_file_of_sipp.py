"""Every scenario file of the tests and of SIPp, run by both programs as caller and as callee: their verdicts are equal.

SIPp against SIPp says what is right, whatever it is: some of these files fail on purpose against some peers.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from sipswarm.actors.load.sipp_files.figures import reason_of
from sipswarm.actors.sipp import scenario_file

from .conftest import Start
from .node import Answer, NodeRun, load
from .processes import LOOPBACK, free_port, wait_until
from .sipp import SCENARIOS, Sipp, Verdict
from .test_same_file import COLUMNS

CALLS = 2
WAIT = 6000
"""Milliseconds of -recv_timeout."""
PAIRS = (
    ("uac", "uas"),
    ("regexp", "uas"),
    ("branchc", "branchs"),
    ("uac_authenticates", "uas_challenges"),
    ("uac_authenticates_by_aka", "uas_challenges"),
    ("uac_cancels", "uas_rings_forever"),
    ("uac_follows_routes", "uas_records_routes"),
    ("uac_is_refused", "uas_busy"),
    ("uac_is_refused", "uas_fails_sometimes"),
    ("uac_late_ack", "uas_repeats_200"),
    ("uac_follows_routes", "uas_answers_bye_late"),
    ("uac_messages", "uas_takes_messages"),
    ("branchc", "uas_registrar"),
    ("uac_offers_nothing_usable", "uas_expects_options"),
    ("uac_options", "uas_takes_options"),
    ("uac_relayed", "uas_takes_invites_again"),
    ("uac_relayed", "uas_is_slow"),
    ("uac_requires", "uas"),
    ("uac_subscribes", "uas_notifies"),
    ("uac_waits_for_bye", "uas_hangs_up"),
)
ALONE = ("uac_holds", "uac_is_notified", "uac_strays", "uac_takes_over")
"""Callers that no callee of these has a call for: they call our robot only."""
ELSEWHERE = {
    "uac_pcap": "it plays what SIPp sends from a raw socket: test_media_of_files replays captures",
    "uac_plays_recordings": "the same; test_answer_to_recordings runs it with SIPp",
    "uac_streams": "it has places for names of files: test_streams_of_sipp runs it with both",
    "ooc_default": "it is what SIPp answers outside of calls, and has no call of its own",
    **dict.fromkeys(("3pcc-C-A", "3pcc-C-B", "3pcc-A", "3pcc-B"), "two files in one: test_scenarios_of_sipp"),
}
FAILURES = {column: reason_of(failure) for failure, column in COLUMNS.items()}


class Seen(NamedTuple):
    """What one side says of its calls."""

    good: int
    failures: Mapping[str, int]
    """Calls by reason."""


def path_of(name: str, folder: Path) -> str:
    """The file of a scenario, one that comes with SIPp as ours has it."""
    if name not in scenario_file.BUILTIN:
        return str(SCENARIOS / f"{name}.xml")
    path = folder / f"{name}.xml"
    text = scenario_file.text_of(name)
    for milliseconds in (4000, 5000):
        text = text.replace(f'milliseconds="{milliseconds}"', 'milliseconds="200"')
    path.write_text(text)
    return str(path)


def by_sipp(folder: Path, start: Start, role: str, path: str, remote: str = "") -> Sipp:
    """SIPp with a file."""
    options = ["-recv_timeout", str(WAIT), "-r", "2", "-d", "100"]
    return start(Sipp(folder, role, remote=remote, scenario=path, calls=CALLS, seconds=14, options=options))


def said_by_sipp(verdict: Verdict) -> Seen:
    """What its statistics say."""
    failures = {reason: verdict.calls(column) for column, reason in FAILURES.items() if verdict.calls(column)}
    return Seen(verdict.calls("SuccessfulCall(C)"), failures)


def said_by_rows(rows: Sequence[Mapping[str, object]]) -> Seen:
    """What our rows say."""
    failures = Counter(str(row["failure"]) for row in rows if row["failure"])
    return Seen(len(rows) - failures.total(), failures)


def called_by_us(folder: Path, path: str, address: str) -> Seen:
    """Our load with a file."""
    options = ["-sf", path, "-m", str(CALLS), "-r", "2", "-d", "100ms", "--sipp-strict"]
    result = load(folder, address, [*options, "-recv_timeout", f"{WAIT}ms"], 30, host=LOOPBACK)
    return said_by_rows(result.calls)


class Robot(NodeRun):
    """Our robot with a file."""

    def __init__(self, folder: Path, path: str) -> None:
        self.address = f"{LOOPBACK}:{free_port()}"
        self._records = folder / "callee.cdr"
        listen = ["--listen", f"udp:{self.address}", "--cdr", str(self._records), "--media-workers", "1"]
        options = ["-sf", path, "-recv_timeout", f"{WAIT}ms", "-d", "100ms", "--sipp-strict"]
        super().__init__(folder, "robot", [*options, *listen])

    def said(self, count: int) -> Seen:
        """What its records say, when there is one of each call."""

        def read() -> list[dict[str, object]]:
            return [json.loads(line) for line in self._records.read_text().splitlines()]

        wait_until(lambda: len(read()) >= count, 30, lambda: f"{count} records, there are {len(read())}")
        return said_by_rows(read())


def test_every_file_is_in_a_pair() -> None:
    files = {each.stem for each in SCENARIOS.glob("*.xml")} | set(scenario_file.BUILTIN)
    assert {name for pair in PAIRS for name in pair} | {*ALONE, *ELSEWHERE} == files


@pytest.mark.slow
@pytest.mark.parametrize(("caller", "callee"), PAIRS)
def test_each_program_in_each_role_says_the_same(tmp_path: Path, start: Start, caller: str, callee: str) -> None:
    calling, called = path_of(caller, tmp_path), path_of(callee, tmp_path)

    waits = by_sipp(tmp_path, start, "callee", called)
    waits.ready()
    right = by_sipp(tmp_path, start, "caller", calling, waits.address).verdict()
    expected, of_callee = said_by_sipp(right), said_by_sipp(waits.verdict())

    waits = by_sipp(tmp_path, start, "callee2", called)
    waits.ready()
    assert called_by_us(tmp_path, calling, waits.address) == expected, right.account
    assert said_by_sipp(waits.verdict()) == of_callee

    robot = start(Robot(tmp_path, called))
    robot.ready()
    calls = by_sipp(tmp_path, start, "caller2", calling, robot.address).verdict()
    assert said_by_sipp(calls) == expected, calls.account
    assert robot.said(of_callee.good + sum(of_callee.failures.values())) == of_callee


@pytest.mark.slow
@pytest.mark.parametrize("caller", sorted({*ALONE, *(caller for caller, _ in PAIRS)}))
def test_each_caller_says_the_same_of_our_answer_robot(tmp_path: Path, start: Start, caller: str) -> None:
    answer = start(Answer(tmp_path, ["--media", "silence"], host=LOOPBACK))
    answer.ready()
    path = path_of(caller, tmp_path)
    verdict = by_sipp(tmp_path, start, "caller", path, answer.address).verdict()
    assert called_by_us(tmp_path, path, answer.address) == said_by_sipp(verdict), verdict.account
