"""Calls with SIPp losing 15 % of all SIP packets in each direction: every call is set up and ended all the same.

What is lost is sent again by the timers of both sides (RFC 3261 17, 13.3.1.4); both count the same calls in the end.
"""

from pathlib import Path

import pytest

from .conftest import Start
from .node import Answer, load
from .sipp import Sipp
from .wire_totals import Comparison

LOSS = ["-lost", "15"]
pytestmark = pytest.mark.slow


def test_calls_of_sipp_survive_lost_packets(tmp_path: Path, start: Start, captured: Comparison) -> None:
    answer = start(Answer(tmp_path, ["--media", "none"]))
    answer.ready()
    options = ["-r", "20", "-d", "300", *LOSS]
    caller = Sipp(tmp_path, "uac", remote=answer.address, scenario="uac", calls=40, seconds=60, options=options)
    verdict = start(caller).verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 40
    # SIPp takes a 200 to its INVITE, repeated because the ACK was lost, for that to its BYE, and is gone: such a call
    # ends with our BYE after 32 s, and that with nobody's answer after 32 s more.
    metrics = answer.counted("sipswarm_calls_finished_total", 40, 80, role="uas", outcome="answered")
    assert metrics.total("sipswarm_calls_finished_total") == 40
    assert metrics.total("sipswarm_calls_active") == 0
    assert verdict.calls("Retransmissions(C)") > 0
    captured.equals_metrics(answer, answer.side)


def test_our_calls_survive_lost_packets(tmp_path: Path, start: Start, captured: Comparison) -> None:
    callee = start(Sipp(tmp_path, "uas", scenario="uas_takes_invites_again.xml", calls=40, seconds=60, options=LOSS))
    callee.ready()
    arguments = ["-r", "20", "-m", "40", "-d", "1s", "--media", "none"]
    result = load(tmp_path, f"sip:service@{callee.address}", arguments, 70)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert result.exit_code in (0, 98), result.account  # 98 when the machine was too busy
    assert result.summary["calls"]["completed"] == verdict.calls("SuccessfulCall(C)") == 40
    assert verdict.total("INVITE", "Lost") + verdict.total("BYE", "Lost") > 0
    captured.equals_summary(result)
