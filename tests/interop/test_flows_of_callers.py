"""`sipswarm answer` under callers that do one thing each: the peer's verdict, then what we counted.

The flows stand in tests/interop/sipp/*.xml, each with its RFC paragraph.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Start
from .net_sip import NetSip
from .node import Answer
from .processes import LOOPBACK, free_port
from .sipp import Sipp, Verdict
from .wire_totals import Comparison


class Flow(NamedTuple):
    """One caller, how we are started for it, and what we must have counted of each call."""

    scenario: str
    options: tuple[str, ...] = ()
    outcome: str = "answered"
    """empty: no call of ours came of it"""
    ended_by: str = ""
    """empty: not answered"""


FLOWS = [
    Flow("uac_late_ack.xml", ended_by="remote"),
    Flow("uac_holds.xml", ended_by="remote"),
    Flow("uac_waits_for_bye.xml", ("--hangup-after", "0.5s"), ended_by="local"),
    Flow("uac_cancels.xml", ("--ring-time", "5s"), outcome="cancelled"),
    Flow("uac_is_refused.xml", ("--status", "486"), outcome="busy"),
    Flow("uac_offers_nothing_usable.xml", outcome="refused"),
    Flow("uac_requires.xml", outcome=""),
    Flow("uac_options.xml", outcome=""),
    Flow("uac_strays.xml", outcome=""),
]


OVER_UDP = [pytest.param(flow, "udp", id=flow.scenario.removesuffix(".xml")) for flow in FLOWS]
# SIPp does not know a 200 that comes again over TCP (RFC 3261 13.3.1.4) for a repeat: that flow is for UDP only.
OVER_TCP = [
    pytest.param(flow, "tcp", id=flow.scenario.replace(".xml", "-tcp"))
    for flow in FLOWS
    if flow.scenario != "uac_late_ack.xml"
]


@pytest.mark.parametrize(("flow", "transport"), OVER_UDP + OVER_TCP)
def test_sipp_is_content_with_each_flow(
    tmp_path: Path, start: Start, captured: Comparison, flow: Flow, transport: str
) -> None:
    answer = start(Answer(tmp_path, flow.options, transport=transport))
    answer.ready()
    caller = Sipp(
        tmp_path,
        "caller",
        remote=answer.address,
        scenario=flow.scenario,
        calls=5,
        seconds=30,
        options=["-r", "5", "-trace_logs"],
        transport="u1" if transport == "udp" else "t1",
    )
    verdict = start(caller).verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    assert verdict.calls("SuccessfulCall(C)") == 5
    if not flow.outcome:
        assert answer.metrics().total("sipswarm_calls_finished_total", outcome="answered") == 0
        captured.equals_metrics(answer, answer.side)
        return
    metrics = answer.counted("sipswarm_calls_finished_total", 5, role="uas", outcome=flow.outcome)
    assert metrics.total("sipswarm_calls_finished_total") == 5
    if flow.ended_by:
        answer.counted("sipswarm_calls_completed_total", 5, role="uas", ended_by=flow.ended_by)
    captured.equals_metrics(answer, answer.side)


def late_ack(folder: Path, start: Start) -> tuple[Answer, Verdict]:
    answer = start(Answer(folder))
    answer.ready()
    scenario = "uac_late_ack.xml"
    caller = start(Sipp(folder, "caller", remote=answer.address, scenario=scenario, calls=1, seconds=30))
    return answer, caller.verdict()


def test_a_200_without_ack_is_sent_again_and_counted_at_once(tmp_path: Path, start: Start) -> None:
    answer, verdict = late_ack(tmp_path, start)
    assert verdict.exit_code == 0, verdict.account
    # 0.5 s, 1.5 s and 3.5 s after the first: two repeats before the ACK at 2.5 s (RFC 3261 13.3.1.4).
    assert verdict.messages["4_200_Retrans"] == 2, verdict.messages
    metrics = answer.counted("sipswarm_sip_retransmissions_total", 2, seconds=5, direction="sent", method="INVITE")
    assert metrics.total("sipswarm_sip_retransmissions_total") == 2


def test_net_sip_hears_nothing_on_hold_and_everything_after(tmp_path: Path, start: Start, captured: Comparison) -> None:
    answer = start(Answer(tmp_path, ["--media", "echo"]))
    answer.ready()
    local = f"sip:{LOOPBACK}:{free_port()}"
    caller = start(NetSip(tmp_path, "uac_hold.pl", 40, to=f"sip:robot@{answer.address}", local=local))
    said = caller.report()
    assert said["outcomes"] == ["OK", "OK", "OK"]
    assert said["received"]["talk"] >= 60
    assert said["received"]["hold"] == 0
    assert said["received"]["resumed"] >= 60
    assert said["bye"] == 1
    captured.equals_metrics(answer, answer.side)


def test_net_sip_cancels_while_we_ring(tmp_path: Path, start: Start, captured: Comparison) -> None:
    answer = start(Answer(tmp_path, ["--ring-time", "10s"]))
    answer.ready()
    local = f"sip:{LOOPBACK}:{free_port()}"
    caller = start(NetSip(tmp_path, "uac_cancel.pl", 30, to=f"sip:robot@{answer.address}", local=local))
    said = caller.report()
    assert (said["final"], said["code"]) == ("FAIL", 487), said
    assert said["cancelled"] == 1
    assert 180 in said["preliminary"]
    answer.counted("sipswarm_calls_finished_total", 1, role="uas", outcome="cancelled")
    captured.equals_metrics(answer, answer.side)


def test_a_registration_is_made_with_the_password_and_taken_back_at_the_end(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    registrar = start(Sipp(tmp_path, "registrar", scenario="uas_registrar.xml", calls=1, seconds=60))
    registrar.ready()
    password = tmp_path / "password"
    password.write_text("open-sesame\n")
    password.chmod(0o600)
    options = ["--register", f"sip:alice@{registrar.address}", "--auth-user", "alice"]
    answer = start(Answer(tmp_path, [*options, "--auth-password-file", str(password)]))
    answer.ready()
    answer.counted("sipswarm_registrations_total", 1, result="ok")
    captured.equals_metrics(answer, answer.side)
    answer.program.end()
    assert answer.program.exit_code == 0, answer.program.account()
    verdict = registrar.verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
