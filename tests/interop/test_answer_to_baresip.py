"""`sipswarm answer` under a call of baresip: its own packet counts, and the tone that it recorded of its echo."""

from pathlib import Path

import pytest

from .baresip import TONE_HZ, TONE_RMS, Phone
from .conftest import Start
from .fleet import Answer


def test_a_phone_hears_its_own_tone(tmp_path: Path, start: Start) -> None:
    answer = start(Answer(tmp_path, ["--media", "echo"]))
    answer.ready()
    heard = start(Phone(tmp_path, f"sip:robot@{answer.address}", 6)).heard()
    assert heard.established, heard.account
    assert heard.packets_received >= heard.packets_sent - 2 > 250, heard.account
    assert heard.errors == 0, heard.account
    assert heard.hertz == pytest.approx(TONE_HZ, rel=0.01)
    assert heard.rms == pytest.approx(TONE_RMS, rel=0.05)
    metrics = answer.counted("sipswarm_calls_completed_total", 1, role="uas", ended_by="remote")
    assert metrics.total("sipswarm_rtp_packets_total", direction="received") >= heard.packets_sent - 2
