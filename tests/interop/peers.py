"""The foreign programs that the interop tests talk to: where they are, and in which version."""

import functools
import os
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest


class Peer(NamedTuple):
    """One foreign program, or one library of it."""

    name: str
    program: str
    version_arguments: tuple[str, ...]
    """what makes it print its version; a failure means that it is not usable"""
    version_pattern: str
    package: str
    """of Debian"""


SIPP = Peer("SIPp", "sipp", ("-v",), r"SIPp (v[\w.]+)", "sip-tester")
NET_SIP = Peer(
    "Perl Net::SIP", "perl", ("-MNet::SIP", "-e", "print $Net::SIP::VERSION"), r"^([\d.]+)$", "libnet-sip-perl"
)
BARESIP = Peer("baresip", "baresip", ("-h",), r"baresip (v[\d.]+)", "baresip-core")
KAMAILIO = Peer("kamailio", "kamailio", ("-v",), r"version: kamailio ([\d.]+)", "kamailio")
TSHARK = Peer("tshark", "tshark", ("--version",), r"TShark \(Wireshark\) ([\d.]+)", "tshark")
PROMTOOL = Peer("promtool", "promtool", ("--version",), r"version ([\d.]+)", "prometheus")

PEERS = (SIPP, NET_SIP, BARESIP, KAMAILIO, TSHARK, PROMTOOL)


@functools.cache
def version(peer: Peer) -> str | None:
    """What the peer says of itself, or None where it is not installed."""
    program = shutil.which(peer.program)
    if program is None:
        return None
    done = subprocess.run(
        [program, *peer.version_arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    found = re.search(peer.version_pattern, done.stdout + done.stderr, re.MULTILINE)
    return found[1] if found else None


def require(peer: Peer) -> str:
    """The path of the peer's program; a test without it skips, and fails when CI=true."""
    program = shutil.which(peer.program)
    if program is not None and version(peer) is not None:
        return program
    reason = f"{peer.name} is not installed (Debian: {peer.package}); run: make peers"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def inventory() -> str:
    """One line for the head of a test run."""
    return "peers: " + ", ".join(f"{peer.name} {version(peer) or 'missing (make peers)'}" for peer in PEERS)
