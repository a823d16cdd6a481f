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


class Packet(NamedTuple):
    """One packet as tshark sees it."""

    number: int
    """1 for the first of the capture"""
    source: str
    """IP address"""
    protocols: frozenset[str]
    """sip, sdp, rtp, rtpevent, rtcp …; `data` for octets of UDP that mean nothing to tshark, `_ws.malformed`"""
    severity: int
    """of the worst that the expert says of it; 0 = nothing"""
    says: str
    methods: frozenset[str]
    """of the SIP requests in it"""
    events: frozenset[str]
    """numbers of RFC 4733 events in it"""


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
        self.packets: list[Packet] = []
        """what was captured, once it is stopped"""
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
        fields = ("frame.number", "ip.src", "frame.protocols", "_ws.expert.severity", "_ws.expert.message")
        named = [word for field in (*fields, "sip.Method", "rtpevent.event_id") for word in ("-e", field)]
        argv = [require(TSHARK), "-n", "-r", str(self.file), "-T", "fields", *named]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        self.packets = [_packet(line.split("\t")) for line in done.stdout.splitlines()]

    def count(self, source: str, protocol: str) -> int:
        """How many packets with this protocol in them came from an address; any address, if it is empty."""
        return sum(protocol in each.protocols for each in self.packets if not source or each.source == source)

    def findings(self, least: int = NOTE) -> list[Packet]:
        """What the expert finds wrong in SIP, SDP, RTP and RTCP, and malformed packets of any kind."""
        judged = {"sip", "rtp", "rtcp"}
        return [
            each
            for each in self.packets
            if "_ws.malformed" in each.protocols or (each.severity >= least and judged & each.protocols)
        ]

    def assert_clean(self) -> None:
        """Every octet that we sent has a meaning to tshark, and it remarks on nothing of it."""
        ours = [each for each in self.packets if each.source.endswith(OURS)]
        assert ours, "nothing of ours was captured"
        assert [each for each in ours if {"udp", "data"} <= each.protocols] == []
        assert [each for each in self.findings() if each.source.endswith(OURS)] == []


def _packet(row: list[str]) -> Packet:
    number, source, protocols, severities, says, methods, events = row
    return Packet(
        int(number),
        source,
        frozenset(protocols.split(":")),
        max((int(each) for each in severities.split(",") if each), default=0),
        says,
        frozenset(each for each in methods.split(",") if each),
        frozenset(each for each in events.split(",") if each),
    )
