"""`sipswarm load` against SIPp's answering side: SIPp's exit code and statistics against our summary."""

from pathlib import Path

import pytest

from .conftest import Start
from .fleet import LoadResult, load
from .processes import LOOPBACK
from .sipp import Sipp, Verdict


def loaded(
    folder: Path, start: Start, calls: int, rate: int, *, transport: str = "u1", host: str = LOOPBACK, media: str
) -> tuple[LoadResult, Verdict]:
    callee = start(Sipp(folder, "uas", scenario="uas", calls=calls, seconds=60, transport=transport, host=host))
    callee.ready()
    word = "udp" if transport.startswith("u") else "tcp"
    arguments = ["-r", str(rate), "--arrival", "fixed", "-m", str(calls), "-d", "0.2s", "--media", media, "-t", word]
    result = load(folder, f"sip:service@{callee.address}", arguments, 80)
    assert result.verdict == 0, result.account
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


def test_250_calls_at_a_fixed_50_a_second_are_taken_by_sipp(tmp_path: Path, start: Start) -> None:
    result, verdict = loaded(tmp_path, start, 250, 50, media="none")
    equal_counts(result, verdict, 250)
    assert result.summary["rate"]["target"] == 50
    assert result.summary["rate"]["achieved"] == pytest.approx(50, rel=0.05)
    assert result.summary["delays"]["post_dial"]["count"] == 250


@pytest.mark.parametrize(
    ("transport", "host"),
    [
        pytest.param("u1", "::1", id="udp6"),
        pytest.param("t1", LOOPBACK, id="tcp"),
        pytest.param("t1", "::1", id="tcp6"),
    ],
)
def test_sipp_takes_our_calls_over_every_transport(tmp_path: Path, start: Start, transport: str, host: str) -> None:
    result, verdict = loaded(tmp_path, start, 50, 25, transport=transport, host=host, media="silence")
    equal_counts(result, verdict, 50)
