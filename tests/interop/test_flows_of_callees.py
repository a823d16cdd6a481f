"""Calls that we place against callees that do one thing each: the peer's verdict, then our summary."""

from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Start
from .net_sip import NetSip
from .node import load
from .processes import LOOPBACK, free_port
from .sipp import Sipp
from .wire_totals import Comparison


class Flow(NamedTuple):
    """One callee, how we call it, and what our summary must say of every call."""

    scenario: str
    options: tuple[str, ...] = ()
    outcome: str = "answered"
    exit_code: int = 0
    peer_options: tuple[str, ...] = ()


FLOWS = [
    Flow("uas_busy.xml", outcome="busy", exit_code=1),
    Flow("uas_repeats_200.xml", ("-d", "2s"), peer_options=("-pause_msg_ign",)),
    Flow("uas_hangs_up.xml", ("-d", "20s"), exit_code=1),
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.scenario.removesuffix(".xml"))
def test_sipp_is_content_with_each_flow(tmp_path: Path, start: Start, captured: Comparison, flow: Flow) -> None:
    options = flow.peer_options
    callee = start(Sipp(tmp_path, "callee", scenario=flow.scenario, calls=5, seconds=40, options=options))
    callee.ready()
    arguments = ["-r", "5", "-m", "5", "--media", "none", *flow.options]
    result = load(tmp_path, f"sip:peer@{callee.address}", arguments, 60)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert verdict.calls("SuccessfulCall(C)") == 5
    assert result.summary["calls"]["outcomes"] == {flow.outcome: 5}
    assert result.verdict == flow.exit_code, result.account
    captured.equals_summary(result)


SCENARIO = """async def scenario(ua, row):
    call = await ua.invite(ua.target)
    await call.bye()
"""


@pytest.mark.parametrize("by_scenario", [False, True], ids=["plain", "scenario"])
def test_a_challenge_is_answered_with_the_password(
    tmp_path: Path, start: Start, captured: Comparison, by_scenario: bool
) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_challenges.xml", calls=5, seconds=40))
    callee.ready()
    password = tmp_path / "password"
    password.write_text("open-sesame\n")
    password.chmod(0o600)
    scenario = tmp_path / "scenario.py"
    scenario.write_text(SCENARIO)
    arguments = ["-r", "5", "-m", "5", "--auth-user", "alice", "--auth-password-file", str(password)]
    arguments += ["--scenario", str(scenario)] if by_scenario else ["-d", "0.2s", "--media", "none"]
    result = load(tmp_path, f"sip:peer@{callee.address}", arguments, 60)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert result.verdict == 0, result.account
    # An attempt is a call, not an INVITE: the challenged one is counted once.
    assert result.summary["calls"]["attempted"] == result.summary["calls"]["answered"] == 5
    captured.equals_summary(result)


def test_a_call_that_is_not_answered_in_time_is_cancelled(tmp_path: Path, start: Start, captured: Comparison) -> None:
    callee = start(Sipp(tmp_path, "callee", scenario="uas_rings_forever.xml", calls=3, seconds=40))
    callee.ready()
    arguments = ["-r", "5", "-m", "3", "--media", "none", "--ring-time", "1s"]
    result = load(tmp_path, f"sip:peer@{callee.address}", arguments, 30)
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account + result.account
    assert verdict.total("CANCEL", "Recv") == 3
    assert result.verdict == 1, result.account
    # Our own timer ended it: the table of metrics calls that a timeout, also when CANCEL and 487 followed.
    assert result.summary["calls"]["outcomes"] == {"timeout": 3}
    captured.equals_summary(result)


def test_net_sip_echoes_our_audio_and_our_digits(tmp_path: Path, start: Start, captured: Comparison) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    callee = start(NetSip(tmp_path, "uas.pl", 60, local=f"sip:{address}", calls=3))
    callee.ready()
    arguments = ["-r", "1", "-m", "3", "-d", "2s", "--media", "tone", "--dtmf", "12D#"]
    arguments += ["--expect-media", "--expect-dtmf", "12D#"]
    result = load(tmp_path, f"sip:bob@{address}", arguments, 60)
    assert result.verdict == 0, result.account
    heard = callee.report()
    assert heard["invites"] == heard["established"] == heard["ended"] == 3
    assert sorted(heard["digits"]) == sorted("12D#" * 3)
    assert heard["packets"]["0"] >= 3 * 60
    assert result.summary["dtmf"]["missed"] == result.summary["dtmf"]["wrong"] == 0
    assert result.summary["media"]["one_way_calls"] == 0
    assert result.summary["media"]["rtp_received"] >= heard["packets"]["0"] - 3
    captured.equals_summary(result)
