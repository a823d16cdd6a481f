"""A link of this host that drops packets without an error: what calls miss by it is no fault of their target."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = [sys.executable, "-m", "sipswarm.actors.cli", "load"]
OPTIONS = [
    "-r",
    "20",
    "-m",
    "4",
    "-d",
    "2s",
    "--media",
    "tone",
    "--expect-media",
    "--call-workers",
    "2",
    "--quiet",
    "--out",
]
TARGET = """
import os, re, select, socket, subprocess, sys, time

def link(state):
    subprocess.run(["ip", "link", "set", "lo", state], check=True)

link("up")
sip, media = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
for each in (sip, media):
    each.bind(("127.0.0.1", 0))
body = "v=0\\r\\no=- 1 1 IN IP4 127.0.0.1\\r\\ns=-\\r\\nc=IN IP4 127.0.0.1\\r\\nt=0 0\\r\\n"
body += f"m=audio {media.getsockname()[1]} RTP/AVP 0\\r\\n"
load = subprocess.Popen([*sys.argv[2:6], f"sip:x@127.0.0.1:{sip.getsockname()[1]}", *sys.argv[6:]])
ended, seconds, sources, up_at = os.pidfd_open(load.pid), float(sys.argv[1]), set(), 0.0
while True:
    ready = select.select([sip, media, ended], [], [], max(0.0, up_at - time.monotonic()) if up_at else 30)[0]
    if up_at and time.monotonic() >= up_at:
        link("up")
        up_at = 0.0
    if media in ready:
        data, source = media.recvfrom(4096)
        media.sendto(data, source)
        sources.add(source)
        if len(sources) == 4 and seconds:  # the media of every call is there
            link("down")
            up_at, seconds = time.monotonic() + seconds, 0.0
    if sip in ready:
        text, source = sip.recvfrom(65535)
        head = text.decode().partition("\\r\\n\\r\\n")[0]
        if not head.startswith("ACK"):
            kept = re.findall(r"(?im)^(?:via|from|call-id|cseq):.*?$", head)
            to = re.search(r"(?im)^to:.*$", head)[0].rstrip()
            lines = ["SIP/2.0 200 OK", *(each.rstrip() for each in kept), to + ("" if ";tag=" in to else ";tag=t")]
            lines += ["Contact: <sip:%s:%d>" % sip.getsockname()]
            answer = body if head.startswith("INVITE") else ""
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(answer)}", "", answer]
            sip.sendto("\\r\\n".join(lines).encode(), source)
    if ended in ready:
        break
sys.exit(load.wait())
"""
"""Answers each call, echoes its media, and takes loopback down for some seconds once every call has media."""
MAY_UNSHARE = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not MAY_UNSHARE, reason="this user may make no network of its own")
def test_calls_that_lose_their_media_to_a_link_that_is_down_blame_the_generator(tmp_path: Path) -> None:
    out = tmp_path / "out"
    target = [sys.executable, "-c", TARGET, "1.2"]
    done = subprocess.run(
        ["unshare", "--net", *target, *LOAD, *OPTIONS, str(out)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 98, done.stdout + done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert [(each["reason"], each["calls"]) for each in summary["failures"]] == [("network_down", 4)]
    (reason,) = (each for each in summary["generator"]["reasons"] if each.startswith("network:"))
    assert reason.startswith("network: lo was down from ")
    with (out / "calls.csv").open() as rows:
        assert [row["blame"] for row in csv.DictReader(rows)] == ["generator"] * 4
