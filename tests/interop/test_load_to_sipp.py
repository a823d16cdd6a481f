"""`sipswarm load` against SIPp's answering side: SIPp's exit code and statistics against our summary."""

from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.test_command_line import planned_starts, rate_of

from .conftest import Start
from .node import LoadResult, load
from .processes import LOOPBACK
from .sipp import Sipp, Verdict
from .wire_totals import Comparison


def loaded(
    folder: Path,
    start: Start,
    captured: Comparison,
    calls: int,
    rate: int,
    *,
    transport: str = "u1",
    host: str = LOOPBACK,
    media: str,
    exit_codes: tuple[int, ...] = (0,),
) -> tuple[LoadResult, Verdict]:
    seconds = 60 + calls / rate
    callee = start(Sipp(folder, "uas", scenario="uas", calls=calls, seconds=seconds, transport=transport, host=host))
    callee.ready()
    word = "udp" if transport.startswith("u") else "tcp"
    arguments = ["-r", str(rate), "--arrival", "fixed", "-m", str(calls), "-d", "0.2s", "--media", media, "-t", word]
    result = load(folder, f"sip:service@{callee.address}", arguments, 80, host="" if host == LOOPBACK else host)
    assert result.verdict == 0, result.account
    captured.equals_summary(result)
    return result, callee.verdict()


def equal_counts(result: LoadResult, verdict: Verdict, calls: int) -> None:
    assert verdict.exit_code == 0, verdict.account + result.account
    assert verdict.calls("TotalCallCreated") == verdict.calls("SuccessfulCall(C)") == calls, verdict.account
    counted = result.summary["calls"]
    assert counted["planned"] == counted["attempted"] == verdict.calls("TotalCallCreated")
    assert counted["answered"] == counted["completed"] == verdict.calls("SuccessfulCall(C)")
    assert counted["failed"] == counted["dropped"] == verdict.calls("FailedCall(C)") == 0
    assert counted["outcomes"] == {"answered": calls}
    for method in ("INVITE", "ACK", "BYE"):
        assert verdict.total(method, "Recv") == calls, f"{method}\n{verdict.account}"
        assert verdict.total(method, "Unexp") == 0, f"{method}\n{verdict.account}"


def test_250_calls_at_a_fixed_50_a_second_are_taken_by_sipp(tmp_path: Path, start: Start, captured: Comparison) -> None:
    result, verdict = loaded(tmp_path, start, captured, 250, 50, media="none")
    equal_counts(result, verdict, 250)
    assert result.summary["rate"]["target"] == 50
    assert rate_of(planned_starts(result.calls)) == pytest.approx(50, rel=0.05)
    starts = [float(row["start"]) for row in result.calls]
    assert result.summary["rate"]["achieved"] == pytest.approx(rate_of(starts), rel=0.01)
    assert result.summary["delays"]["post_dial"]["count"] == 250


@pytest.mark.parametrize(
    ("transport", "host"),
    [
        pytest.param("u1", "::1", id="udp6"),
        pytest.param("t1", LOOPBACK, id="tcp"),
        pytest.param("t1", "::1", id="tcp6"),
    ],
)
def test_sipp_takes_our_calls_over_every_transport(
    tmp_path: Path, start: Start, captured: Comparison, transport: str, host: str
) -> None:
    result, verdict = loaded(tmp_path, start, captured, 20, 20, transport=transport, host=host, media="silence")
    equal_counts(result, verdict, 20)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [10, 60])
def test_200_calls_a_second_are_taken_by_sipp(tmp_path: Path, start: Start, captured: Comparison, seconds: int) -> None:
    calls = 200 * seconds
    # 98 when the machine was too busy to place them on time, which is right and not what this is about.
    result, verdict = loaded(tmp_path, start, captured, calls, 200, media="none", exit_codes=(0, 98))
    equal_counts(result, verdict, calls)
    assert result.summary["generator"]["healthy"] == (result.exit_code == 0), result.account


@pytest.mark.parametrize("silent", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["rings-only", "silent"])
def test_exactly_the_calls_that_sipp_lets_fail_are_reported_by_name(
    tmp_path: Path, start: Start, captured: Comparison, silent: bool
) -> None:
    options = ["-rtp_echo", *(["-set", "silent", "1"] if silent else [])]
    scenario = "uas_fails_sometimes.xml"
    callee = start(Sipp(tmp_path, "uas", scenario=scenario, calls=200, seconds=60, options=options))
    callee.ready()
    arguments = ["-r", "40", "-m", "200", "-d", "1s", "--media", "tone:440", "--expect-media", "--ring-time", "2s"]
    result = load(tmp_path, f"sip:service@{callee.address}", arguments, 70)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    # Each step of the scenario by its number: SIPp tells how many calls went which way.
    counts = verdict.messages
    well, mute, refused = counts["7_200_Sent"], counts["9_200_Sent"], counts["13_486_Sent"]
    unanswered = counts["21_Pause_Sessions"] if silent else counts["16_180_Sent"]
    assert (well, mute, refused, unanswered) == (160, 10, 20, 10), verdict.account
    assert counts["17_CANCEL_Recv"] == (0 if silent else unanswered)

    assert result.exit_code in (1, 98), result.account  # 98 as above
    assert result.summary["generator"]["healthy"] == (result.exit_code == 1)
    counted = result.summary["calls"]
    assert counted["outcomes"] == {"answered": well + mute, "busy": refused, "timeout": unanswered}
    assert counted["failed"] == refused + unanswered + mute
    assert result.summary["media"]["one_way_calls"] == mute
    named = Counter((row["outcome"], row["failure"]) for row in result.calls)
    assert named == {
        ("answered", ""): well,
        ("answered", "one_way"): mute,
        ("busy", "code"): refused,
        ("timeout", "timeout"): unanswered,
    }
    captured.equals_summary(result)
