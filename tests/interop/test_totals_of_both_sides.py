"""After a run our totals are SIPp's totals, message by message and retransmission by retransmission, both directions.

SIPp's callee answers so late that each INVITE of ours goes out again, which its own counters tell.
"""

import asyncio
from pathlib import Path

import pytest

from sipswarm.actors.cli.run import NodeRun
from sipswarm.actors.config import Listener, LoadConfig, NodeConfig

from .capture import skip_unless_capturing
from .conftest import Start
from .node import Answer, load
from .processes import LOOPBACK
from .sipp import Sipp
from .wire_totals import Comparison

CALLS = 60
SENT, RECEIVED = "sent", "received"


def placed(target: str) -> NodeRun:
    """A load of ours to its end, with every figure that its processes said last."""

    async def run() -> NodeRun:
        load = LoadConfig(f"sip:service@{target}", rate=50.0, calls=CALLS, hold=0.2, media="none")
        config = NodeConfig("", (Listener("udp", LOOPBACK, 0),), 0, media_workers=1, load=load)
        node = NodeRun(config)
        await node.start()
        try:
            async with asyncio.timeout(60):
                await node.wait()
        finally:
            await node.close()
        return node

    return asyncio.run(run())


def test_a_load_of_ours_counts_what_sipp_counts(tmp_path: Path, start: Start) -> None:
    callee = start(Sipp(tmp_path, "uas", scenario="uas_is_slow.xml", calls=CALLS, seconds=60))
    callee.ready()
    counted = placed(callee.address).counted
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert counted("sipswarm_call_attempts_total", role="uac") == verdict.calls("TotalCallCreated") == CALLS
    assert counted("sipswarm_calls_finished_total", role="uac", outcome="answered") == CALLS
    assert counted("sipswarm_calls_completed_total", ended_by="local") == verdict.calls("SuccessfulCall(C)") == CALLS
    again = "sipswarm_sip_retransmissions_total"
    for method in ("INVITE", "ACK", "BYE"):
        passed = counted("sipswarm_sip_requests_total", direction=SENT, method=method)
        repeated = counted(again, direction=SENT, method=method)
        assert passed - repeated == verdict.total(method, "Recv"), f"{method}\n{verdict.account}"
        assert repeated == verdict.total(method, "Retrans"), f"{method}\n{verdict.account}"
    assert counted(again, direction=SENT, method="INVITE") >= CALLS
    finals = counted("sipswarm_sip_responses_total", direction=RECEIVED, method="INVITE", code="200")
    assert finals - counted(again, direction=RECEIVED, method="INVITE") == CALLS
    assert counted("sipswarm_sip_responses_total", direction=RECEIVED, method="BYE", code="200") == CALLS
    assert counted("sipswarm_sip_transaction_timeouts_total") == 0
    assert counted("sipswarm_sip_parse_errors_total") == counted("sipswarm_sip_unexpected_messages_total") == 0


@pytest.mark.parametrize(("status", "outcome"), [(200, "answered"), (486, "busy")])
def test_our_answering_side_counts_what_sipp_counts(
    tmp_path: Path, start: Start, captured: Comparison, status: int, outcome: str
) -> None:
    answer = start(Answer(tmp_path, ["--media", "none", "--status", str(status)]))
    answer.ready()
    scenario = "uac" if status == 200 else "uac_is_refused.xml"
    caller = start(
        Sipp(tmp_path, "uac", remote=answer.address, scenario=scenario, calls=CALLS, seconds=60, options=["-r", "50"])
    )
    verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account
    metrics = answer.counted("sipswarm_calls_finished_total", CALLS, role="uas", outcome=outcome)
    metrics = answer.counted("sipswarm_sip_requests_total", CALLS, direction=RECEIVED, method="ACK")
    assert metrics.total("sipswarm_call_attempts_total", role="uas") == verdict.calls("TotalCallCreated") == CALLS
    assert metrics.total("sipswarm_calls_finished_total", role="uas") == verdict.calls("SuccessfulCall(C)")
    for method in ("INVITE", "ACK", "BYE"):
        passed = metrics.total("sipswarm_sip_requests_total", direction=RECEIVED, method=method)
        repeated = metrics.total("sipswarm_sip_retransmissions_total", direction=RECEIVED, method=method)
        assert passed - repeated == verdict.total(method, "Sent"), f"{method}\n{verdict.account}"
        assert repeated == verdict.total(method, "Retrans"), f"{method}\n{verdict.account}"
    sent = metrics.total("sipswarm_sip_responses_total", direction=SENT, method="INVITE", code=str(status))
    assert sent - metrics.total("sipswarm_sip_retransmissions_total", direction=SENT, method="INVITE") == CALLS
    captured.equals_metrics(answer, answer.side)


def test_retransmissions_of_a_load_are_those_on_the_wire(tmp_path: Path, start: Start, captured: Comparison) -> None:
    callee = start(Sipp(tmp_path, "uas", scenario="uas_is_slow.xml", calls=20, seconds=60))
    callee.ready()
    arguments = ["-r", "20", "-m", "20", "-d", "0.2s", "--media", "none"]
    result = load(tmp_path, f"sip:service@{callee.address}", arguments, 60)
    assert result.verdict == 0, result.account
    assert result.summary["signalling"]["retransmissions"]["sent"]["INVITE"] >= 20
    captured.equals_summary(result)


def test_a_capture_tells_what_our_totals_lack(tmp_path: Path, start: Start, captured: Comparison) -> None:
    """The one test that is skipped, with the reason, where nothing can be captured; the others go on without it."""
    skip_unless_capturing()
    answer = start(Answer(tmp_path, ["--media", "echo"]))
    answer.ready()
    caller = start(Sipp(tmp_path, "uac", remote=answer.address, scenario="uac", calls=3, seconds=30))
    assert caller.verdict().exit_code == 0
    answer.counted("sipswarm_calls_completed_total", 3, role="uas")
    captured.read(answer.side)
    other = Answer(tmp_path, name="other")
    with other.program:
        other.ready()
        with pytest.raises(AssertionError, match=r"(?s)calls: ours 0, on the wire 3.*ACK: ours 0, on the wire 3"):
            captured.equals_metrics(other, answer.side)
    captured.equals_metrics(answer, answer.side)
