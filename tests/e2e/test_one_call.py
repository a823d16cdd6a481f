"""`sipswarm call`, `check` and `doctor`: one call from the terminal, and what is said before anything is sent."""

import re
import signal
import socket
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.actors.cli.doctor import findings
from tests.e2e.test_command_line import WORKERS, Running
from tests.e2e.waiting import again_after_a_stop


@pytest.fixture(scope="module")
def ivr() -> Iterator[str]:
    """The address of an answering robot that sends four digits back."""
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--media", "ivr", *WORKERS)
    try:
        yield running.line().removeprefix("listening on udp:")
    finally:
        running.close()


@again_after_a_stop
def test_a_call_shows_progress_digits_and_quality(ivr: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "in.wav"
    assert main(["call", f"ivr@{ivr}", "--dtmf", "1234", "-d", "2s", "--record", str(file)]) == 0
    shown = capsys.readouterr()
    assert re.search(r"^calling sip:ivr@.*\n(100 Trying\n)?180 Ringing\nanswered\nsent 1234\n", shown.err)
    assert "digits received: 1234\n" in shown.out
    assert re.search(r"ended by local after [2-5]\.\d s\nanswered after [0-3]\.\d+ s\n", shown.out)
    assert re.search(r"media: RTP sent \d+, received \d+, lost 0, jitter .* ms, MOS 4\.\d+", shown.out)
    with wave.open(str(file)) as recorded:
        assert recorded.getnframes() > 8000


def test_a_call_ends_when_its_file_was_played(ivr: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prompt.wav"
    with wave.open(str(file), "wb") as prompt:
        prompt.setnchannels(1)
        prompt.setsampwidth(2)
        prompt.setframerate(8000)
        prompt.writeframes(bytes(8000))
    assert main(["call", ivr, "--play", str(file), "--quiet"]) == 0
    shown = capsys.readouterr()
    assert not shown.err
    assert re.search(r"ended by local after (0\.[4-9]|[1-4]\.\d) s", shown.out)


def answers(sock: socket.socket, direction: str, rtp_port: int) -> None:
    """Answer an INVITE, and the BYE that ends its call."""
    port = sock.getsockname()[1]
    body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    body += f"m=audio {rtp_port} RTP/AVP 0\r\na={direction}\r\n"
    method = ""
    while method != "BYE":
        data, source = sock.recvfrom(65536)
        lines = data.decode().split("\r\n")
        method = lines[0].split(" ")[0]
        if method == "ACK":
            continue
        kept = [line for line in lines if line.lower().startswith(("via:", "from:", "call-id:", "cseq:"))]
        to = next(line for line in lines if line.lower().startswith("to:"))
        tag = "" if "tag=" in to else ";tag=peer"
        head = ["SIP/2.0 200 OK", *kept, to + tag, f"Contact: <sip:127.0.0.1:{port}>", "Content-Type: application/sdp"]
        text = body if method == "INVITE" else ""
        sock.sendto("\r\n".join((*head, f"Content-Length: {len(text)}", "", text)).encode(), source)


@pytest.mark.parametrize(
    ("direction", "listens", "hold", "why"),
    [
        ("sendonly", True, "500ms", "no packet left; "),
        ("inactive", True, "500ms", "no packet left; "),
        ("recvonly", True, "500ms", ""),
        ("recvonly", False, "1500ms", "nobody took our media at the address and port"),
    ],
)
def test_a_file_of_which_the_peer_takes_nothing_is_told_and_fails_the_call(
    direction: str, listens: bool, hold: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prompt.ulaw"
    file.write_bytes(bytes(16_000))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
    ):
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(20)
        rtp.bind(("127.0.0.1", 0))
        if not listens:
            rtp.connect(peer.getsockname())  # of others it takes nothing: ICMP port unreachable
        answering = threading.Thread(target=answers, args=(peer, direction, rtp.getsockname()[1]))
        answering.start()
        to = f"127.0.0.1:{peer.getsockname()[1]}"
        assert main(["call", to, "--play", str(file), "-d", hold, "--quiet"]) == bool(why)
        answering.join(20)
    shown = capsys.readouterr().out
    assert ("\nnot played: " in shown) == bool(why)
    assert why in shown
    assert ("\ndestination unreachable (ICMP) for " in shown) == (not listens)


@pytest.mark.slow
def test_a_call_that_is_not_answered_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert main(["call", to, "--ring-time", "300ms"]) == 1
    assert "not answered" in capsys.readouterr().out


def test_a_signal_gives_a_call_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.settimeout(20)
        running = Running("call", f"127.0.0.1:{nobody.getsockname()[1]}")
        try:
            assert nobody.recv(65536).startswith(b"INVITE")
            time.sleep(0.2)
            code, errors = running.end(signal.SIGINT)
        finally:
            running.close()
    assert code == 1
    assert "given up" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["192.0.2.1"], "say --allow-public"),
        (["127.0.0.1", "--auth-user", "a"], "--auth-user and --auth-password-file belong together"),
        (["127.0.0.1", "--dtmf", "1?"], "write the digits"),
        (["127.0.0.1", "-i", "localhost"], "is not an IP address"),
        (["127.0.0.1", "--auth-user", "a", "--auth-password-file", "/dev/null"], "/dev/null"),
    ],
)
def test_a_bad_call_is_one_line_and_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", *arguments]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


# ---- check


def test_check_shows_schedule_needs_and_the_first_invite_and_sends_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        target = f"sip:echo@127.0.0.1:{peer.getsockname()[1]}"
        assert main(["check", "load", target, "-r", "50", "-m", "1000", "-d", "5s", "--media", "silence"]) == 0
        with pytest.raises(BlockingIOError):
            peer.recv(1)
    shown = capsys.readouterr().out
    assert "schedule: 1000 calls in 20.0 s, fixed, at most 50 calls/s" in shown
    assert "live calls at the peak: about 300" in shown
    assert "RTP port pairs: 550 needed, 6384 available" in shown
    assert f"  INVITE {target} SIP/2.0\n" in shown
    assert "  m=audio " in shown


def test_check_shows_a_ramp_and_what_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    ramp = ["--ramp", "10:200/60s", "--duration", "90s", "-d", "5s", "--media", "silence"]
    assert main(["check", "load", "127.0.0.1", *ramp, "--rtp-ports", "20000-20100"]) == 2
    shown = capsys.readouterr().out
    assert "  10 to 200 calls/s within 60 s\n  200 to 200 calls/s, on and on\n" in shown
    assert "51 available; NOT ENOUGH: widen --rtp-ports" in shown


def test_check_reads_an_answering_node_and_a_robot_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "answer", "--listen", "udp:127.0.0.1:0"]) == 0
    assert "listen on: udp:127.0.0.1:0\nRTP ports: 6384 media lines" in capsys.readouterr().out
    file = tmp_path / "robot.py"
    file.write_text("async def robot(call): pass\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("127.0.0.1", 0))
        listen = f"udp:127.0.0.1:{busy.getsockname()[1]}"
        assert main(["check", "robot", str(file), "--listen", listen]) == 2
    assert f"{listen} cannot be bound: Address already in use" in capsys.readouterr().out
    assert main(["check", "load", "127.0.0.1"]) == 2
    assert "there is no end to this load" in capsys.readouterr().err


# ---- doctor


def test_doctor_says_what_it_found_and_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [each.name for each in findings()]
    assert len(names) > 10
    for name in names:
        assert any(re.match(rf"(ok|!!) {re.escape(name)}: ", line) for line in lines), name
    troubles = sum(line.startswith("!!") for line in lines)
    assert sum(line.startswith("   fix: ") for line in lines) == troubles
    assert lines[-1] == (f"{troubles} findings" if troubles else "nothing to mend")


def test_doctor_sees_a_port_in_use() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        with suppress(OSError):  # somebody else has it, which is as good
            busy.bind(("127.0.0.1", 5070))
        found = {each.name: each for each in findings()}["port SIP, 5070"]
    assert found.value == "address already in use"
    assert "--listen" in found.fix


def test_a_recording_that_fails_is_told_and_fails_the_call(ivr: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", ivr, "--record", "/dev/full", "-d", "1s", "--quiet"]) == 1
    assert re.search(r"media failed: write_failed: No space left on device", capsys.readouterr().out)
