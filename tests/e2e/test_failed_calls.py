"""A load whose calls fail: twenty folders tell why, the reports name them; --sip-trace has every message.

In real processes, against our own answering robot that refuses, and against a peer that does not hear at first.
"""

import json
import re
import socket
import stat
import struct
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.cli import main
from sipswarm.actors.handle.call import Call
from sipswarm.actors.trace.pcap import HEADER
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.agents import address_of, note, run
from tests.e2e.test_command_line import Running

TWO = ["--call-workers", "2", "--media-workers", "1", "--quiet"]


def messages(path: Path) -> list[bytes]:
    """The SIP messages of a capture file of ours, whose addresses are all IPv4."""
    octets, at, found = path.read_bytes(), len(HEADER), []
    while at < len(octets):
        length = struct.unpack("<I", octets[at + 8 : at + 12])[0]
        found.append(octets[at + 16 + 28 : at + 16 + length])
        at += 16 + length
    return found


def test_twenty_of_many_refused_calls_have_folders_that_the_reports_name(tmp_path: Path) -> None:
    other_side = tmp_path / "robot.pcap"
    tracing = ["--status", "486", "--sip-trace", str(other_side)]
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *tracing, *TWO)
    try:
        address = robot.line().removeprefix("listening on udp:")
        out, trace = tmp_path / "out", tmp_path / "all.pcap"
        files = ["--out", str(out), "--sip-trace", str(trace)]
        assert main(["load", f"bob@{address}", "-m", "30", "-r", "60", *TWO, *files]) in (1, 98)
    finally:
        robot.close()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["calls"]["outcomes"] == {"busy": 30}
    folders = sorted((out / "failures").iterdir())
    assert len(folders) == 20
    report = (out / "report.html").read_text()
    failure = ElementTree.parse(out / "junit.xml").find(".//failure")
    assert failure is not None
    for folder in folders:
        story = (folder / "ladder.txt").read_text()
        rungs = [line for line in story.splitlines() if "  |" in line and line.count("|") == 2]
        # A busy machine has its INVITE sent again, and the answer with it.
        names = [rung.split("|")[1].strip("-.<> ").split()[0] for rung in rungs]
        assert list(dict.fromkeys(names)) in (
            ["INVITE", "486", "ACK"],
            ["INVITE", "100", "486", "ACK"],
        ), story
        assert max(map(len, rungs)) <= 100
        assert f'href="failures/{folder.name}/ladder.txt"' in report
        assert f"failures/{folder.name}: code, " in str(failure.text)
        assert len(messages(folder / "sip.pcap")) == len(rungs)
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    for capture in (trace, other_side):
        written = messages(capture)
        for start in (b"INVITE ", b"SIP/2.0 486 ", b"ACK "):
            found = {branch_of(each) for each in written if each.startswith(start)}
            assert len(found) == 30, (capture, start)


def branch_of(message: bytes) -> bytes:
    """The transaction of a message, which its repetitions have too."""
    found = re.search(rb";branch=([^;\r]+)", message)
    assert found is not None, message
    return found[1]


def deaf_at_first(peer: socket.socket) -> None:
    """Refuse the third copy of an INVITE."""
    for _ in range(3):
        invite, address = peer.recvfrom(65535)
    request = parse(invite)
    assert isinstance(request, Request)
    peer.sendto(Response.to_request(request, 480, to_tag="peer").to_bytes(), address)


def test_a_call_whose_first_messages_are_lost_shows_its_retransmissions(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(30)
        thread = threading.Thread(target=deaf_at_first, args=(peer,))
        thread.start()
        target = f"bob@127.0.0.1:{peer.getsockname()[1]}"
        assert main(["load", target, "-m", "1", *TWO, "--out", str(tmp_path)]) in (1, 98)
        thread.join()
    (folder,) = (tmp_path / "failures").iterdir()
    story = (folder / "ladder.txt").read_text()
    assert "missed: code; outcome unavailable, final status 480\n" in story
    rungs = [line for line in story.splitlines() if "|-- INVITE" in line or "|.. INVITE" in line]
    assert [rung.partition("again")[2] for rung in rungs] == ["", " (2), SDP", " (3), SDP"]
    first, second, third = (float(rung.split()[0]) for rung in rungs)
    assert 0.45 <= second - first < 3.0
    assert 1.4 <= third - first < 5.0  # later only on a machine that stood still


def test_calls_that_pass_leave_no_folder(tmp_path: Path) -> None:
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *TWO)
    try:
        address = robot.line().removeprefix("listening on udp:")
        assert main(["load", f"bob@{address}", "-m", "4", "-r", "50", *TWO, "--out", str(tmp_path)]) in (0, 98)
    finally:
        robot.close()
    assert not (tmp_path / "failures").exists()


def test_a_scenario_that_fails_after_its_call_has_a_folder_too(tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(
        "async def scenario(ua, row):\n    call = await ua.invite(ua.target)\n    await call.bye()\n    assert 0\n"
    )
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *TWO)
    try:
        address = robot.line().removeprefix("listening on udp:")
        arguments = ["--scenario", str(file), "-m", "2", *TWO, "--out", str(tmp_path / "out")]
        assert main(["load", f"bob@{address}", *arguments]) in (1, 98)
    finally:
        robot.close()
    stories = [each.read_text() for each in (tmp_path / "out" / "failures").glob("*/ladder.txt")]
    assert len(stories) == 2
    assert all("200 OK" in story and "|-- BYE " in story for story in stories)


# ---- in a robot and in a script


def test_a_robot_that_keeps_ladders_can_show_them(tmp_path: Path) -> None:
    file = tmp_path / "robot.py"
    file.write_text(
        "def setup(ua):\n    ua.keep_ladders()\n\n\nasync def robot(call):\n    await call.answer()\n"
        "    await call.over()\n    print(call.ladder, flush=True)\n"
    )
    robot = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *TWO)
    try:
        address = robot.line().removeprefix("listening on udp:")
        assert main(["load", f"bob@{address}", "-m", "1", *TWO, "--out", str(tmp_path / "out")]) in (0, 98)
        shown: list[str] = []
        while not (shown and "200 OK" in shown[-1] and shown[-1].endswith("to BYE")):
            shown.append(robot.line())
    finally:
        robot.close()
    assert "<" in shown[2]
    assert " INVITE sip:bob@" in shown[2]
    assert max(map(len, shown)) <= 100


def test_a_call_has_its_ladder_when_the_user_agent_traces_also_after_its_end() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async with UserAgent(legs=("udp:127.0.0.1:0",), trace=True) as tracing:
            bob.listen()
            call = await tracing.invite(address_of(bob))
            await call.bye()
            starts = [rung.start_line for rung in call.ladder.rungs]
            assert [start.split()[0] for start in starts if not start.startswith("SIP/2.0 1")] == [
                *("INVITE", "SIP/2.0", "ACK", "BYE", "SIP/2.0")
            ]
            assert [rung.sent for rung in call.ladder.rungs if "200" in rung.start_line] == [False, False]
            taken: list[Call] = []
            tracing.listen(cb_create=lambda call, request: note(taken, call))
            back = await bob.invite(address_of(tracing))
            await back.bye()
            await taken[0].over()
            assert taken[0].ladder.rungs[0].start_line.startswith("INVITE ")
            assert not taken[0].ladder.rungs[0].sent
            assert back.ladder.rungs == ()
            assert "no message" in str(back.ladder)

    run(scenario)


def test_a_call_from_the_terminal_that_fails_shows_its_ladder_and_is_traced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    robot = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--status", "603", *TWO)
    trace = tmp_path / "call.pcap"
    try:
        address = robot.line().removeprefix("listening on udp:")
        assert main(["call", f"bob@{address}", "--sip-trace", str(trace)]) == 1
    finally:
        robot.close()
    assert " 603 Decline --|  to INVITE" in capsys.readouterr().err
    assert [each.split()[0] for each in messages(trace)][-1] == b"ACK"


def test_a_trace_that_cannot_be_written_ends_the_start_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["load", "127.0.0.1", "-m", "1", "--sip-trace", str(tmp_path / "no" / "x.pcap"), *TWO]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "--sip-trace" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
