"""Calls between SIPp and us over a network that loses, doubles and reorders packets: all succeed, each once."""

from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Start
from .node import Answer, load
from .relay import Relay, Weather
from .sipp import Sipp
from .wire_totals import Comparison

CALLS = 200


class Row(NamedTuple):
    there: Weather
    back: Weather


ROWS = {
    "five of a hundred are lost both ways": Row(Weather(loss=0.05), Weather(loss=0.05)),
    "every second packet comes twice both ways": Row(Weather(duplicate=0.5), Weather(duplicate=0.5)),
    # Only toward us: SIPp takes a 180 that comes after the 200 for a wrong message.
    "every fifth packet of the caller is overtaken": Row(Weather(reorder=0.2, held_back=0.3), Weather()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_every_call_of_sipp_succeeds_and_is_one_call(
    tmp_path: Path, start: Start, captured: Comparison, name: str
) -> None:
    answer = start(Answer(tmp_path, ["--media", "none"]))
    answer.ready()
    with Relay(answer.host, answer.port, *ROWS[name], seed=1) as relay:
        caller = Sipp(
            tmp_path,
            "caller",
            remote=relay.address,
            scenario="uac_relayed.xml",
            calls=CALLS,
            seconds=100,
            options=["-r", "50"],
        )
        verdict = start(caller).verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    assert verdict.calls("SuccessfulCall(C)") == CALLS, verdict.account
    assert relay.lost + relay.doubled + relay.held > CALLS / 10, "the network was bad"
    metrics = answer.counted("sipswarm_calls_completed_total", CALLS, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_call_attempts_total", role="uas") == CALLS
    assert metrics.total("sipswarm_calls_finished_total", role="uas", outcome="answered") == CALLS
    captured.equals_metrics(answer, answer.side)


@pytest.mark.slow
def test_every_call_of_ours_succeeds_when_five_of_a_hundred_packets_of_its_set_up_are_lost(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    callee = start(Sipp(tmp_path, "uas", scenario="uas_takes_invites_again.xml", calls=CALLS, seconds=100))
    callee.ready()
    weather = Weather(loss=0.05)
    with Relay(callee.host, callee.port, weather, weather, seed=2) as relay:
        # ACK and BYE go to SIPp's Contact, past the relay.
        arguments = ["-r", "50", "-m", str(CALLS), "-d", "0.2s", "--media", "none"]
        result = load(tmp_path, f"sip:service@{relay.address}", arguments, 90)
    assert result.verdict == 0, result.account
    assert relay.lost > CALLS / 20
    assert result.summary["calls"]["outcomes"] == {"answered": CALLS}, result.account
    verdict = callee.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("TotalCallCreated") == verdict.calls("SuccessfulCall(C)") == CALLS, verdict.account
    captured.equals_summary(result)
