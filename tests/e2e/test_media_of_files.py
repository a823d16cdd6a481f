"""Scenario files of SIPp that play, echo and send digits: what a receiver counts, and how the run is judged."""

import csv
import json
import socket
import struct
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.sipp.scenario_file import text_of
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, reply
from tests.e2e.counting_uas import CountingUas
from tests.e2e.in_thread import InThread
from tests.e2e.test_command_line import Running, was
from tests.media.written_captures import digit, of_rtp, speech

QUIET = ["--quiet", "--metrics", "off", "--media-workers", "1", "--call-workers", "1"]
SDP = (
    "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
)


class Heard(NamedTuple):
    """One RTP packet that came."""

    at: float
    payload_type: int
    marker: int
    timestamp: int
    payload: bytes


class Ear:
    """A socket that takes RTP in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port = int(self._socket.getsockname()[1])
        self.packets: list[Heard] = []
        self._closed = False
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                data = self._socket.recv(2048)
            except TimeoutError:
                continue
            _, second, _, timestamp, _ = struct.unpack_from("!BBHII", data)
            self.packets.append(Heard(time.monotonic(), second & 0x7F, second >> 7, timestamp, data[12:]))


class Listening(Peer):
    """Answers each call with a description of an ear."""

    def __init__(self, port: int) -> None:
        super().__init__(self._answers)
        self._rtp = port

    def _answers(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        if request.method != "INVITE":
            return [reply(request, 200)]
        contact = ("Contact", f"<{self.uri()}>")
        body = SDP.format(port=self._rtp).encode()
        kind = "application/sdp"
        return [Response.to_request(request, 200, to_tag="peer", extra=(contact,), body=body, content_type=kind)]


def caller(actions: str, milliseconds: int) -> str:
    """The built-in caller, which does something after the answer and waits."""
    pause = f'<nop><action>{actions}</action></nop><pause milliseconds="{milliseconds}"/>'
    return text_of("uac").replace("<pause/>", pause)


def load(target: str, tmp_path: Path, file: str, *options: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Run a load with a file; its exit code, summary and rows."""
    path = tmp_path / "calls.xml"
    path.write_text(file)
    out = tmp_path / "out"
    code = main(["load", target, "-sf", str(path), *options, *QUIET, "--out", str(out)])
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return code, summary, list(csv.DictReader((out / "calls.csv").read_text().splitlines()))


def test_a_receiver_counts_the_packets_of_a_capture_as_they_are(tmp_path: Path) -> None:
    packets = [*speech(50), *digit(1.0, 9000)]
    (tmp_path / "a.pcap").write_bytes(of_rtp(packets))
    file = caller('<exec play_pcap_audio="a.pcap"/>', 1400)
    with Ear() as ear, InThread(Listening(ear.port)) as peer:
        code, summary, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, file, "-m", "1")
        assert was(code, 0), summary
    heard = ear.packets
    skipped = len(packets) - len(heard)
    assert 0 <= skipped <= 10, "a busy machine passes over what is late by 0.1 s"
    if not skipped:
        assert [each[1:3] + each[4:] for each in heard] == [
            (each.payload_type, each.marker, each.payload) for each in packets
        ]
        steps = [each.timestamp - heard[0].timestamp & 0xFFFFFFFF for each in heard]
        assert steps == [each.timestamp - packets[0].timestamp for each in packets]
    assert rows[0]["rtp_sent"] == str(len(heard))
    assert rows[0]["failure"] == ""


def test_digits_of_a_file_go_on_the_negotiated_payload_type(tmp_path: Path) -> None:
    with CountingUas() as uas:
        code, summary, rows = load(uas.address, tmp_path, caller('<exec play_dtmf="147#"/>', 1500), "-m", "2")
        assert was(code, 0), summary
        assert sorted(uas.digits.values()) == ["147#", "147#"]
    assert [row["digits_sent"] for row in rows] == ["4", "4"]


def test_a_stream_is_paused_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.ulaw").write_bytes(b"".join(bytes([number]) * 160 for number in range(60)))
    streams = ("a.ulaw,1,0,PCMU/8000", "pause", "resume")
    actions = [f'<nop><action><exec rtp_stream="{each}"/></action></nop>' for each in streams]
    pause = '<pause milliseconds="300"/>'
    file = text_of("uac").replace("<pause/>", f"{actions[0]}{pause}{actions[1]}{pause}{actions[2]}{pause}")
    with Ear() as ear, InThread(Listening(ear.port)) as peer:
        code, summary, _ = load(f"b@127.0.0.1:{peer.port}", tmp_path, file, "-m", "1")
        assert was(code, 0), summary
    marks = [each.payload[0] for each in ear.packets]
    assert marks == sorted(set(marks)), "no packet comes twice, and none in another order"
    gaps = [later.at - earlier.at for earlier, later in pairwise(ear.packets)]
    assert max(gaps) > 0.2


@pytest.mark.parametrize(
    "echo",
    ['<rtp_echo value="1"/>', pytest.param('<exec rtp_echo="startaudio,0,PCMU/8000"/>', marks=pytest.mark.slow)],
)
def test_a_robot_echoes_what_a_load_plays_and_both_are_judged(tmp_path: Path, echo: str) -> None:
    path = tmp_path / "callee.xml"
    path.write_text(
        text_of("uas").replace('<recv request="ACK"/>', f'<recv request="ACK"><action>{echo}</action></recv>', 1)
    )
    listen = ["--listen", "udp:127.0.0.1:0", "--rtp-ports", "30000-30398", "--drain", "0s"]
    callee = Running("robot", "-sf", str(path), *listen, *QUIET)
    try:
        port = int(callee.line().rpartition(":")[2])
        options = ["--media", "tone:440", "--expect-media", "--expect-audio", "-d", "1500ms", "-m", "3"]
        code, summary, rows = load(f"127.0.0.1:{port}", tmp_path, text_of("uac"), *options)
    finally:
        callee.close()
    assert was(code, 0), summary
    assert all(int(row["rtp_received"]) > 40 for row in rows)


def test_a_peer_that_sends_no_media_fails_where_it_is_expected(tmp_path: Path) -> None:
    with Ear() as ear, InThread(Listening(ear.port)) as peer:
        options = ["--media", "silence", "--expect-media", "-d", "600ms", "-m", "1"]
        code, _, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, text_of("uac"), *options)
    assert was(code, 1)
    assert [row["failure"] for row in rows] == ["one_way"]


def test_each_call_has_a_port_of_its_own_and_gives_it_back(tmp_path: Path) -> None:
    with Ear() as ear, InThread(Listening(ear.port)) as peer:
        options = ["--media", "silence", "-d", "300ms", "-m", "5", "-r", "50"]
        code, summary, _ = load(f"b@127.0.0.1:{peer.port}", tmp_path, text_of("uac"), *options)
        assert was(code, 0), summary
        offers = [each.to_bytes().decode() for each in peer.requests if each.method == "INVITE"]
    ports = [int(each.partition("m=audio ")[2].split()[0]) for each in offers]
    assert len(set(ports)) == 5
    assert all(port % 2 == 0 for port in ports)


def test_a_file_that_is_gone_when_it_is_played_fails_its_call(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(of_rtp(speech(1)) + b"\xff" * 16)
    with Ear() as ear, InThread(Listening(ear.port)) as peer:
        file = caller('<exec play_pcap_audio="a.pcap"/>', 1000)
        code, _, rows = load(f"b@127.0.0.1:{peer.port}", tmp_path, file, "-m", "1")
    assert code not in (0, 2)
    assert [row["failure"] for row in rows] == ["media_refused"]
