"""`sipswarm answer` under a call of baresip: its own packet counts, and what it recorded of our echo of its voice."""

import asyncio
from pathlib import Path

from .baresip import Phone
from .conftest import Start
from .node import Answer
from .speech import likeness, speech
from .wire_totals import Comparison


def test_a_phone_hears_its_own_voice(tmp_path: Path, start: Start, captured: Comparison) -> None:
    voice = speech(5, seed=1)
    answer = start(Answer(tmp_path, ["--media", "echo"]))
    phone = start(Phone(tmp_path, voice))
    answer.ready()

    async def call() -> None:
        async with phone:
            await phone.command("dial", f"sip:robot@{answer.address}")
            await phone.event("CALL_ESTABLISHED")
            await asyncio.sleep(3)
            await phone.command("hangup")

    asyncio.run(call())
    metrics = answer.counted("sipswarm_calls_completed_total", 1, role="uas", ended_by="remote")
    packets = phone.packets()
    assert packets.received >= packets.sent - 2 > 110, phone.program.account()
    assert packets.errors == 0, phone.program.account()
    assert metrics.total("sipswarm_rtp_packets_total", direction="received") >= packets.sent - 2
    heard = likeness(voice, phone.recording())
    assert heard.pieces >= 7, heard
    assert heard.found >= 0.9, heard
    assert abs(heard.gain - 1) < 0.02, heard
    assert heard.snr_db > 33, heard
    captured.equals_metrics(answer, answer.side)
