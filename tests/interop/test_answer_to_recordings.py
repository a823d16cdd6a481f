"""`sipswarm answer` under media that other phones have sent, played by SIPp from the recordings of its package.

tshark reads what we send meanwhile, the digits that are sent back included.
"""

import os
from pathlib import Path

import pytest

from .capture import OURS, Capture
from .conftest import Start
from .node import Answer
from .processes import network
from .sipp import Sipp
from .wire_totals import Comparison

RECORDINGS = Path("/usr/share/sip-tester")
SPEECH_PACKETS = 236
"""of g711a.pcap, as tshark counts them"""


@pytest.mark.skipif(os.geteuid() != 0, reason="SIPp plays recordings through raw sockets: root only")
def test_recorded_digits_are_told_once_each_and_every_packet_of_speech_is_counted(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    if not RECORDINGS.is_dir():
        pytest.skip(f"{RECORDINGS} is not there: this SIPp is not Debian's; run: make peers")
    net = network()
    answer = start(Answer(tmp_path, ["--media", "silence", "--dtmf-echo"], host=f"{net}.1{OURS}"))
    capture = start(Capture(tmp_path, net))
    answer.ready()
    scenario = "uac_plays_recordings.xml"
    host = f"{net}.1.2"
    caller = start(Sipp(tmp_path, "caller", remote=answer.address, scenario=scenario, calls=1, seconds=40, host=host))
    verdict = caller.verdict()
    capture.stop()
    assert verdict.exit_code == 0, verdict.account + answer.program.account()
    metrics = answer.counted("sipswarm_calls_completed_total", 1, role="uas", ended_by="remote")
    # Each end came three times under one sequence number: one digit each time.
    assert metrics.total("sipswarm_dtmf_events_total", direction="received", mode="rfc4733") == 2
    speech = metrics.total("sipswarm_rtp_packets_total", direction="received", codec="PCMA")
    assert speech == SPEECH_PACKETS

    digits = {event for each in capture.packets if each.source == answer.host for event in each.events}
    assert digits == {"1", "11"}, "1 and #, as sent back"
    assert capture.count(answer.host, "rtcp") >= 1
    capture.assert_clean()
    captured.equals_metrics(answer, answer.side)
