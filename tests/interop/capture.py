"""What was on the wire: dumpcap writes down a part of the loopback network, tshark reads it and says what is wrong.

A test takes a network of its own inside 127.0.0.0/8, so that nothing of other tests is in its capture. Needs the right
to capture (root, or CAP_NET_RAW for dumpcap).
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from .peers import TSHARK, require
from .processes import Program, wait_until

NOTE = 0x00400000
"""severity of tshark's expert, as a number: what it calls a note, a warning or an error is at least this. Faults of
SIP headers are notes to it; a malformed packet is an error"""
OURS = ".1"
"""how the addresses of our own product end in a test's network; those of its peers do not"""
LAST = b"the last packet of this capture"
MOST_SECONDS = 120
MOST_KIB = 100_000


def network() -> str:
    """The first two octets of a loopback network that no other process tests in."""
    return f"127.{100 + os.getpid() % 150}"


class Finding(NamedTuple):
    """One packet that tshark's expert finds wrong."""

    frame: int
    source: str
    severity: str
    """the expert's number; several, with commas, when it says several things"""
    says: str


class Capture:
    """Everything on the loopback interface within one network, from now on until `stop`."""

    def __init__(self, folder: Path, net: str) -> None:
        require(TSHARK)
        dumpcap = shutil.which("dumpcap")
        if dumpcap is None or os.geteuid() != 0:
            reason = "capturing needs root and dumpcap; run: make peers"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        self._net = net
        self.file = folder / "wire.pcapng"
        wanted = f"net {net}.0.0/16 and (udp or tcp)"
        ends = ["-a", f"duration:{MOST_SECONDS}", "-a", f"filesize:{MOST_KIB}"]
        self.program = Program(
            [dumpcap, "-q", "-i", "lo", "-f", wanted, "-w", str(self.file), *ends], folder, "dumpcap"
        )
        wait_until(
            lambda: "File: " in self.program.errors or self.program.exit_code is not None,
            10,
            lambda: f"a capture\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def stop(self) -> None:
        """Write everything out, up to a last word of our own; reading begins after it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.bind((f"{self._net}.254.2", 0))
            last.sendto(LAST, (f"{self._net}.254.3", 9))  # discard
        wait_until(lambda: LAST in self.file.read_bytes(), 10, lambda: f"the end\n{self.program.account()}")
        self.program.end()

    def packets(self, wanted: str, *fields: str) -> list[list[str]]:
        """These fields of every packet that a display filter lets through, as tshark prints them."""
        named = [word for field in fields for word in ("-e", field)]
        argv = [require(TSHARK), "-n", "-r", str(self.file), "-Y", wanted, "-T", "fields", *named]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def count(self, wanted: str) -> int:
        """How many packets a display filter lets through."""
        return len(self.packets(wanted, "frame.number"))

    def findings(self, least: int = NOTE) -> list[Finding]:
        """What the expert finds wrong in SIP, SDP, RTP and RTCP, and malformed packets of any kind."""
        wanted = f"_ws.malformed or ((sip or rtp or rtcp) and _ws.expert.severity >= {least})"
        rows = self.packets(wanted, "frame.number", "ip.src", "_ws.expert.severity", "_ws.expert.message")
        return [Finding(int(number), source, severity, says) for number, source, severity, says in rows]

    def assert_clean(self) -> None:
        """Every octet that we sent has a meaning to tshark, and it remarks on nothing of it."""
        unknown = self.packets("udp and data", "ip.src", "udp.length")
        assert [row for row in unknown if row[0].endswith(OURS)] == []
        assert [each for each in self.findings() if each.source.endswith(OURS)] == []
