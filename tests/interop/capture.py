"""What was on the wire: dumpcap writes down a part of the loopback network, tshark reads it and says what is wrong.

A test takes a network of its own inside 127.0.0.0/8, so that nothing of other tests is in its capture. Needs the right
to capture (root, or CAP_NET_RAW for dumpcap).
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
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
AGGREGATOR = "\x1f"
"""between the values of a field that a packet has several times"""
HEURISTIC_FIRST = [word for kind in ("udp", "tcp") for word in ("-o", f"{kind}.try_heuristic_first:TRUE")]
"""SIP is SIP at ports too that are registered for something else, of which a test may get any"""
MOST_SECONDS = 240
MOST_KIB = 200_000
TAIL = 1_000_000
"""octets at the end of a capture in which its last packet is looked for"""


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


def cannot_capture() -> str:
    """Why nothing can be captured here; empty = it can."""
    allowed = shutil.which("dumpcap") is not None and shutil.which("tshark") is not None and os.geteuid() == 0
    return "" if allowed else "capturing needs root, dumpcap and tshark; run: make peers"


def skip_unless_capturing() -> None:
    """Skip the test where nothing can be captured; with CI=true it fails."""
    reason = cannot_capture()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


class Recording:
    """What a filter takes of the loopback interface, from now on until `stop`."""

    def __init__(self, folder: Path, wanted: str, farewell: tuple[str, int], name: str = "wire") -> None:
        """Begin.

        wanted: filter of pcap, in its words. farewell: address and port, within the filter, of the last packet. name:
        of its files.
        """
        self._farewell = farewell
        self.file = folder / f"{name}.pcapng"
        ends = ["-a", f"duration:{MOST_SECONDS}", "-a", f"filesize:{MOST_KIB}"]
        argv = [shutil.which("dumpcap") or "dumpcap", "-q", "-i", "lo", "-B", "16", "-f", wanted, "-w", str(self.file)]
        self.program = Program([*argv, *ends], folder, name)
        wait_until(
            lambda: "File: " in self.program.errors or self.program.exit_code is not None,
            10,
            lambda: f"a capture\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def stop(self) -> None:
        """Write everything out, up to a last packet of this one; then end."""
        family = socket.AF_INET6 if ":" in self._farewell[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as last:
            last.bind((self._farewell[0], 0))
            last.sendto(LAST, self._farewell)
        wait_until(lambda: LAST in self.file.read_bytes()[-TAIL:], 10, lambda: f"the end\n{self.program.account()}")
        self.program.signal(signal.SIGINT)
        self.program.wait(10)
        dropped = re.search(r"received/dropped on interface '.*lo': \d+/(\d+)", self.program.errors)
        assert dropped, self.program.account()
        assert dropped[1] == "0", f"dumpcap was too slow\n{self.program.account()}"

    def rows(self, *fields: str, options: Sequence[str] = ()) -> list[list[str]]:
        """These fields of each packet; several values of one are joined by `AGGREGATOR`. options: of tshark."""
        named = [word for field in fields for word in ("-e", field)]
        argv = [require(TSHARK), "-n", *(options or HEURISTIC_FIRST), "-r", str(self.file)]
        wanted = ["-T", "fields", "-E", f"aggregator={AGGREGATOR}", *named]
        done = subprocess.run([*argv, *wanted], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.decode(errors="replace").split("\n")[:-1]]


class Capture(Recording):
    """Everything on the loopback interface within one network, from now on until `stop`."""

    def __init__(self, folder: Path, net: str) -> None:
        skip_unless_capturing()
        self.packets: list[Packet] = []
        """what was captured, once it is stopped"""
        super().__init__(folder, f"net {net}.0.0/16 and (udp or tcp)", (f"{net}.254.3", 9))  # discard

    def stop(self) -> None:
        """End, and read it."""
        super().stop()
        fields = ("frame.number", "ip.src", "frame.protocols", "_ws.expert.severity", "_ws.expert.message")
        self.packets = [_packet(row) for row in self.rows(*fields, "sip.Method", "rtpevent.event_id")]

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
        max((int(each) for each in severities.split(AGGREGATOR) if each), default=0),
        says,
        frozenset(each for each in methods.split(AGGREGATOR) if each),
        frozenset(each for each in events.split(AGGREGATOR) if each),
    )
