"""One scenario file, run by SIPp and by our own machine against the same peer: both send the same, and judge alike.

Rows marked `octets` compare every octet but ports and process ids; all others compare which messages come, in which
order, and why the call has failed. Where the machine differs on purpose it runs as `--sipp-strict`.
"""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from sipswarm.actors.sipp.call.statistics import Failure

from . import same_file_received_rows, same_file_rows
from .conftest import Start
from .peer_plays import answers
from .same_file_row import AS_3_6, Row
from .scenario_driver import ScenarioDriver
from .scripted_peer import ScriptedPeer
from .sipp import Sipp

COLUMNS = {
    Failure.UNEXPECTED_MESSAGE: "FailedUnexpectedMessage(C)",
    Failure.RECV_TIMEOUT: "FailedTimeoutOnRecv(C)",
    Failure.MAX_RETRANS: "FailedMaxUDPRetrans(C)",
    Failure.STOPPED: "FailedCallRejected(C)",
    Failure.REGEXP: "FailedRegexpDoesntMatch(C)",
    Failure.REGEXP_MATCHED: "FailedRegexpShouldntMatch(C)",
    Failure.HEADER_MISSING: "FailedRegexpHdrNotFound(C)",
}
"""SIPp's statistics by class of failure."""


SLACK = 0.4
"""Seconds that a gap may be shorter than it should be: a busy machine takes the message before it late."""
LATE = 3.0
"""Seconds that it may be longer."""


class Seen(NamedTuple):
    """One run of a file."""

    names: list[str]
    messages: list[str]
    failed: bool
    failure: Failure | None
    account: str
    gaps: list[float]
    """Seconds from each message to the next."""


def _by_sipp(row: Row, folder: Path, start: Start) -> Seen:
    path = folder / "row.xml"
    path.write_bytes(row.file.encode("latin-1"))
    options = [*row.options, *_injected(row, folder)]
    with ScriptedPeer() as peer:
        remote = "" if row.peer_begins else f"127.0.0.1:{peer.port}"
        run = start(
            Sipp(folder, "sipp", remote=remote, scenario=path, calls=row.calls, seconds=row.seconds, options=options)
        )
        if row.peer_begins:
            run.ready()
            peer.to(run.port)
        row.play(peer)
        verdict = run.verdict()
        failures = [each for each, column in COLUMNS.items() if verdict.statistics and verdict.calls(column)]
        messages = [_levelled(each, run.port, peer.port, run.program.pid) for each in peer.messages]
        failed = verdict.exit_code != 0
        return Seen(peer.names, messages, failed, failures[0] if failures else None, verdict.account, _gaps(peer))


def _by_us(row: Row, folder: Path) -> Seen:
    path = folder / "row.xml"
    path.write_bytes(row.file.encode("latin-1"))
    with ScriptedPeer() as peer:
        run = ScenarioDriver(
            path,
            0 if row.peer_begins else peer.port,
            row.settings,
            calls=row.calls,
            injections=_injected(row, folder)[1:],
            seconds=15,
        )
        run.start()
        if row.peer_begins:
            peer.to(run.port)
        try:
            row.play(peer)
        finally:
            run.join(20)
            if run.error is not None:
                raise run.error
        failures = [each.failure for each in run.figures if each.failure is not None]
        details = "\n".join(each.detail for each in run.figures)
        messages = [_levelled(each, run.port, peer.port, run.pid) for each in peer.messages]
        return Seen(peer.names, messages, bool(failures), failures[0] if failures else None, details, _gaps(peer))


def _gaps(peer: ScriptedPeer) -> list[float]:
    return [later - earlier for earlier, later in pairwise(peer.times)]


def _injected(row: Row, folder: Path) -> list[str]:
    if not row.injection:
        return []
    path = folder / "rows.csv"
    path.write_text(row.injection)
    return ["-inf", str(path)]


def _levelled(text: str, port: int, remote: int, pid: int) -> str:
    """A message without what differs from run to run."""
    for number, name in ((port, "PORT"), (remote, "PEER"), (pid, "PID")):
        text = re.sub(rf"(?<![0-9]){number}(?![0-9])", name, text)
    return re.sub(r'(cnonce|response)="[0-9a-f]+"', r'\1="DRAWN"', text)


@pytest.mark.parametrize("row", [*same_file_rows.ROWS, *same_file_received_rows.ROWS], ids=lambda row: row.name)
def test_sipp_and_we_do_the_same(row: Row, tmp_path: Path, start: Start) -> None:
    theirs = _by_sipp(row, tmp_path, start)
    ours = _by_us(row, tmp_path)
    account = f"{theirs.account}\n--- ours\n{ours.account}"
    assert (theirs.names, theirs.failed, theirs.failure) == (list(row.names), row.failure is not None, row.failure), (
        account
    )
    assert (ours.names, ours.failed, ours.failure) == (list(row.names), row.failure is not None, row.failure), account
    if row.octets:
        assert ours.messages == theirs.messages
    for seen in (theirs, ours):
        for gap, wanted in zip(seen.gaps, row.gaps, strict=False):
            assert wanted - SLACK < gap < wanted + LATE, (seen.gaps, account)


@pytest.mark.parametrize("codes", [(), (100,)], ids=["silence", "a 100"])
def test_a_timeout_behind_optional_commands_runs_from_the_first_of_them_where_sipp_waits_for_the_last(
    codes: tuple[int, ...], tmp_path: Path, start: Start
) -> None:
    row = Row(
        name="17 a timeout behind optional ones, before the last",
        file=same_file_rows.BEHIND_OPTIONAL,
        play=answers(*codes),
        names=["INVITE", "CANCEL"],
        settings=replace(AS_3_6, strict=False),
        seconds=2,
    )
    theirs, ours = _by_sipp(row, tmp_path, start), _by_us(row, tmp_path)
    assert (theirs.names[:1], theirs.failed) == (["INVITE"], True), theirs.account
    assert all(gap > 1 for gap in theirs.gaps), "SIPp does nothing until it is ended"
    assert (ours.names, ours.failed) == (["INVITE", "CANCEL"], False), ours.account
    assert 0.6 - SLACK < ours.gaps[0] < 0.6 + LATE
