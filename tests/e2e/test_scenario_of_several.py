"""A scenario with several user agents: each call is one of its run, labelled, judged and hung up with it."""

from pathlib import Path

from tests.interop.node import Answer, load

SCENARIO = """
import asyncio

async def setup(ua):
    ua.another("sip:nobody@127.0.0.1")

async def scenario(ua, row):
    carol = await ua.invite({"to": ua.target, "from": "sip:carol@127.0.0.1"})
    dave = await ua.another("sip:dave@127.0.0.1").invite(ua.target)
    assert carol.is_up and dave.is_up, "both are up at once"
    await asyncio.sleep(0.2)
"""


def test_calls_of_another_user_agent_belong_to_the_run(tmp_path: Path) -> None:
    (tmp_path / "several.py").write_text(SCENARIO)
    answer = Answer(tmp_path)
    with answer.program:
        answer.ready()
        arguments = ["--scenario", "several.py", "-m", "3", "-r", "5"]
        result = load(tmp_path, f"sip:echo@{answer.address}", arguments, 60)
        assert result.verdict == 0, result.account
        answer.counted("sipswarm_calls_completed_total", 6, role="uas", ended_by="remote")
    assert [row["scenario"] for row in result.calls] == ["scenario"] * 6
    assert result.summary["calls"]["planned"] == 3
    assert result.summary["calls"]["answered"] == result.summary["calls"]["completed"] == 6
