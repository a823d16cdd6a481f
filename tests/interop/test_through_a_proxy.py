"""Calls with kamailio in the path: ACK and BYE must follow Record-Route and Contact, not the way of the INVITE."""

from pathlib import Path

import pytest

from .conftest import Start
from .kamailio import Proxy
from .node import Answer, load
from .sipp import Sipp
from .wire_totals import Comparison


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["udp", "tcp-to-udp"])
def test_a_proxied_caller_reaches_us_and_we_answer_along_the_route(
    tmp_path: Path, start: Start, captured: Comparison, transport: str
) -> None:
    answer = start(Answer(tmp_path))
    answer.ready()
    proxy = start(Proxy(tmp_path, answer.address))
    proxy.ready()
    scenario = "uac_follows_routes.xml"
    options = ["-r", "20", "-d", "300"]
    caller = Sipp(
        tmp_path,
        "caller",
        remote=proxy.address,
        scenario=scenario,
        calls=20,
        seconds=30,
        options=options,
        transport=transport,
    )
    verdict = start(caller).verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    metrics = answer.counted("sipswarm_calls_completed_total", 20, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_call_attempts_total", role="uas") == 20
    captured.equals_metrics(answer, answer.side)


def test_our_bye_to_a_proxied_caller_follows_the_route(tmp_path: Path, start: Start, captured: Comparison) -> None:
    answer = start(Answer(tmp_path, ["--hangup-after", "0.5s"]))
    answer.ready()
    proxy = start(Proxy(tmp_path, answer.address))
    proxy.ready()
    scenario = "uac_waits_for_bye.xml"
    caller = start(Sipp(tmp_path, "caller", remote=proxy.address, scenario=scenario, calls=5, seconds=30))
    verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    answer.counted("sipswarm_calls_completed_total", 5, role="uas", ended_by="local")
    captured.equals_metrics(answer, answer.side)


def test_our_calls_follow_the_route_that_a_proxy_records(tmp_path: Path, start: Start, captured: Comparison) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_records_routes.xml", calls=20, seconds=40))
    callee.ready()
    proxy = start(Proxy(tmp_path, callee.address))
    proxy.ready()
    arguments = ["-r", "20", "-m", "20", "-d", "0.3s", "--media", "none"]
    result = load(tmp_path, f"sip:peer@{proxy.address}", arguments, 40)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert result.verdict == 0, result.account
    assert result.summary["calls"]["completed"] == verdict.calls("SuccessfulCall(C)") == 20
    captured.equals_summary(result)
