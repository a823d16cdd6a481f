"""`sipswarm answer` with two call workers under SIPp, which takes over its own calls with Replaces (RFC 3891, 5589)."""

from pathlib import Path

from .conftest import Start
from .node import Answer
from .sipp import Sipp
from .wire_totals import Comparison

CALLS = 24
"""each is two dialogs whose slots are chance; that every pair shares one is one case of 2^24"""


def test_sipp_takes_over_its_calls_in_either_slot(tmp_path: Path, start: Start, captured: Comparison) -> None:
    answer = start(Answer(tmp_path, ["--call-workers", "2"]))
    answer.ready()
    scenario = "uac_takes_over.xml"
    options = ["-r", "12", "-trace_logs"]
    caller = start(
        Sipp(tmp_path, "caller", remote=answer.address, scenario=scenario, calls=CALLS, seconds=30, options=options)
    )
    verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    assert verdict.calls("SuccessfulCall(C)") == CALLS
    answer.counted("sipswarm_calls_completed_total", CALLS, role="uas", ended_by="local")
    metrics = answer.counted("sipswarm_calls_completed_total", CALLS, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_calls_finished_total", role="uas", outcome="answered") == 2 * CALLS
    captured.equals_metrics(answer, answer.side)
