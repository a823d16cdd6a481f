"""`sipswarm answer` under calls of SIPp over a network that loses, doubles and reorders packets: all succeed."""

from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import Start
from .fleet import Answer
from .relay import Relay, Weather
from .sipp import Sipp

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
def test_every_call_succeeds_and_is_one_call(tmp_path: Path, start: Start, name: str) -> None:
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
