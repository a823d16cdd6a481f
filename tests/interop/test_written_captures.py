"""tshark reads the captures that we write: every packet is a SIP message, none is malformed, no checksum is wrong."""

import subprocess
from pathlib import Path

import pytest

from sipswarm.actors.cli import main

from .conftest import Start
from .node import Answer
from .peers import TSHARK, require
from .wire_totals import Comparison

WORKERS = ["--call-workers", "2", "--media-workers", "1", "--quiet"]
BAD = "_ws.malformed or _ws.unreassembled or ip.checksum.status == 0 or udp.checksum.status == 0 or !sip"


def read(file: Path, wanted: str, *fields: str) -> list[list[str]]:
    """These fields of the packets that a display filter lets through, checksums verified."""
    named = [word for field in fields for word in ("-e", field)]
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    argv = [require(TSHARK), "-n", *checks, "-r", str(file), "-Y", wanted, "-T", "fields", *named]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "cut short" not in done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("transport", "host"), [("udp", ""), pytest.param("tcp", "::1", marks=pytest.mark.slow)])
def test_tshark_reads_what_we_write(
    tmp_path: Path, start: Start, captured: Comparison, transport: str, host: str
) -> None:
    require(TSHARK)
    robot = start(Answer(tmp_path, ["--media", "echo"], transport=transport, host=host))
    robot.ready()
    out, trace = tmp_path / "out", tmp_path / "all.pcap"
    target = f"sip:bob@{robot.address}"
    arguments = ["load", target, "-t", transport, "-m", "3", "-r", "50", "--media", "silence", "--dtmf", "1"]
    expecting = ["--expect-dtmf", "99", "--out", str(out), "--sip-trace", str(trace)]  # nobody sends any: all fail
    apart = ["--rtp-ports", "33000-33998"]  # on ::1 both ends have one address: the ports tell whose media is counted
    assert main([*arguments, *expecting, *apart, *WORKERS]) in (1, 98)
    captures = [trace, *(out / "failures").glob("*/sip.pcap")]
    assert len(captures) == 4
    for capture in captures:
        assert read(capture, BAD, "frame.number", "_ws.expert.message") == []
    assert len(read(trace, 'sip.Request-Line contains "INVITE"', "frame.number")) == 3
    assert len(read(trace, "sip.Status-Code == 200 and sip.CSeq.method == BYE", "frame.number")) == 3
    story = read(captures[1], "sip", "sip.Method", "sip.Status-Code", "sip.Call-ID")
    assert [(method or status) for method, status, _ in story if status not in ("100", "180")] == [
        *("INVITE", "200", "ACK", "BYE", "200")
    ]
    assert len({call_id for _, _, call_id in story}) == 1
    captured.equals_metrics(robot, robot.side)
