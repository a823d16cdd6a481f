"""What strangers can make us log: few lines for many messages, none longer than its bound, none that is obeyed."""

import contextlib
import signal
import socket
from pathlib import Path

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import follow_up, invite
from tests.certificates import Authority
from tests.e2e.test_command_line import WORKERS, Running

HANDSHAKES = 300
ROBOT = "async def robot(call):\n    raise ValueError(call.call_id)\n"


def test_three_hundred_handshakes_of_rubbish_are_few_lines(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("server", "IP:127.0.0.1")
    arguments = ["--tls-cert", certificate, "--tls-key", key, "--metrics", "off", "--quiet"]
    running = Running("answer", "--listen", "tls:127.0.0.1:0", *arguments, *WORKERS)
    try:
        port = int(running.line().rpartition(":")[2])
        for _ in range(HANDSHAKES):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as stranger:
                stranger.sendall(b"\x1b]0;owned\x07 no handshake\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    while stranger.recv(4096):
                        pass
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    lines = errors.splitlines()
    assert code == 0
    assert 0 < len(lines) <= 20, errors
    assert "held back" in errors
    assert errors.replace("\n", "").isprintable()
    assert len(errors) < 8192


def test_a_call_id_of_seven_thousand_octets_is_cut_and_moves_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    listen = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--quiet"]
    running = Running("robot", str(tmp_path / "robot.py"), *listen, *WORKERS)
    try:
        port = int(running.line().rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            phone.settimeout(20)
            for number in range(3):
                long = b"call-%d@%s" % (number, b"\xe2\x80\xa8\x1b[2J".ljust(7000, b"x"))
                first = invite(number, *phone.getsockname()).replace(b"call-%d@127.0.0.1" % number, long)
                phone.sendto(first, ("127.0.0.1", port))
                answer = parse(phone.recv(65536))
                while not isinstance(answer, Response) or answer.status < 200:
                    answer = parse(phone.recv(65536))
                phone.sendto(follow_up("ACK", first, answer), ("127.0.0.1", port))
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0
    assert errors.replace("\n", "").isprintable()
    assert all(len(line.encode()) <= 2200 for line in errors.splitlines())
    assert len(errors) < 8192
