"""`sipswarm answer` under calls of SIPp's own caller: SIPp's exit code and statistics against ours."""

from pathlib import Path

import pytest

from .conftest import Start
from .node import Answer, Metrics
from .processes import LOOPBACK
from .sipp import Sipp, Verdict
from .wire_totals import Comparison


def equal_counts(verdict: Verdict, metrics: Metrics, calls: int) -> None:
    """Both sides' counters tell the same calls: SIPp's statistics and our /metrics."""
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("TotalCallCreated") == calls, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == calls, verdict.account
    assert verdict.calls("FailedCall(C)") == 0, verdict.account

    assert metrics.total("sipswarm_call_attempts_total", role="uas") == verdict.calls("TotalCallCreated")
    answered = metrics.total("sipswarm_calls_finished_total", role="uas", outcome="answered")
    assert answered == verdict.calls("SuccessfulCall(C)") == metrics.total("sipswarm_calls_finished_total", role="uas")
    completed = metrics.total("sipswarm_calls_completed_total", role="uas", ended_by="remote")
    assert completed == verdict.calls("SuccessfulCall(C)")
    for method in ("INVITE", "ACK", "BYE"):
        labels = {"direction": "received", "method": method}
        seen = metrics.total("sipswarm_sip_requests_total", **labels)
        seen -= metrics.total("sipswarm_sip_retransmissions_total", **labels)
        assert seen == verdict.total(method, "Sent"), f"{method}: {seen}\n{verdict.account}"
    for method in ("INVITE", "BYE"):
        finals = metrics.total("sipswarm_sip_responses_total", direction="sent", method=method, code="200")
        finals -= metrics.total("sipswarm_sip_retransmissions_total", direction="sent", method=method)
        assert finals == calls
    assert verdict.total("200", "Unexp") == 0
    assert metrics.total("sipswarm_sip_parse_errors_total") == 0


def called_by_sipp(
    folder: Path,
    start: Start,
    captured: Comparison,
    calls: int,
    rate: int,
    *,
    transport: str = "u1",
    host: str = LOOPBACK,
) -> tuple[Verdict, Metrics]:
    listen = "udp" if transport.startswith("u") else "tcp"
    answer = start(Answer(folder, ["--media", "echo"], transport=listen, host="" if host == LOOPBACK else host))
    answer.ready()
    caller = start(
        Sipp(
            folder,
            "uac",
            remote=answer.address,
            scenario="uac",
            calls=calls,
            seconds=60,
            options=["-r", str(rate), "-d", "200"],
            transport=transport,
            host=host,
        )
    )
    verdict = caller.verdict()
    metrics = answer.counted("sipswarm_calls_completed_total", verdict.calls("SuccessfulCall(C)"), role="uas")
    captured.equals_metrics(answer, answer.side)
    return verdict, metrics


def test_500_calls_of_sipp_at_100_a_second_succeed_and_are_counted_alike(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    equal_counts(*called_by_sipp(tmp_path, start, captured, 500, 100), 500)


@pytest.mark.parametrize(
    ("transport", "host"),
    [
        pytest.param("u1", "::1", id="udp6"),
        pytest.param("un", LOOPBACK, id="a-udp-socket-per-call"),
        pytest.param("t1", LOOPBACK, id="tcp"),
        pytest.param("tn", LOOPBACK, id="a-tcp-connection-per-call"),
        pytest.param("t1", "::1", id="tcp6"),
    ],
)
def test_sipp_succeeds_over_every_transport(
    tmp_path: Path, start: Start, captured: Comparison, transport: str, host: str
) -> None:
    equal_counts(*called_by_sipp(tmp_path, start, captured, 50, 50, transport=transport, host=host), 50)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_20000_calls_of_sipp_at_200_a_second_succeed_and_are_counted_alike(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    answer = start(Answer(tmp_path, ["--media", "none"]))
    answer.ready()
    options = ["-r", "200", "-d", "1000"]
    caller = start(
        Sipp(tmp_path, "uac", remote=answer.address, scenario="uac", calls=20000, seconds=110, options=options)
    )
    verdict = caller.verdict()
    equal_counts(verdict, answer.counted("sipswarm_calls_completed_total", 20000, role="uas"), 20000)
    captured.equals_metrics(answer, answer.side)
