"""Strangers get nothing: no octet, no connection, no handshake, whatever they send, and no call of others notices."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.certificates import Authority
from tests.e2e.test_command_line import SECONDS, WORKERS, Running

FRIEND = "127.0.0.9"
QUIET = 0.3
"""Seconds in which an answer on loopback would have come."""


def message(method: str, number: int, to_tag: str = "", transport: str = "UDP") -> bytes:
    return (
        f"{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:5060;branch=z9hG4bK{number};rport\r\n"
        f"From: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>{to_tag}\r\nCall-ID: {number}@test\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


RUBBISH = [
    *(message(method, number) for number, method in enumerate(("INVITE", "OPTIONS", "CANCEL", "REGISTER", "NONSENSE"))),
    message("BYE", 10, ";tag=ours"),
    message("INVITE", 11).replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
    message("INVITE", 12).replace(b"CSeq: 1", b"CSeq: x"),
    message("BYE", 13, ";tag=ours").replace(b"CSeq: 1", b"CSeq: x"),
    message("OPTIONS", 14).replace(b"Content-Length: 0", b"Content-Length: 99"),
    b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n",
    bytes(range(256)),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Running, dict[str, tuple[str, int]]]]:
    """A robot that answers one friend, and its addresses by transport."""
    certificate, key = Authority(tmp_path).issue("node", "IP:127.0.0.1")
    listen = [part for each in ("udp", "tcp", "tls") for part in ("--listen", f"{each}:127.0.0.1:0")]
    files = ["--tls-cert", certificate, "--tls-key", key]
    running = Running("answer", *listen, *files, "--allow", FRIEND, "--metrics", "off", "--quiet", *WORKERS)
    try:
        places = {}
        for _ in range(3):
            transport, host, port = running.line().removeprefix("listening on ").split(":")
            places[transport] = (host, int(port))
        yield running, places
    finally:
        running.close()


def answer_to(data: bytes, place: tuple[str, int], source: str, seconds: float) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((source, 0))
        peer.settimeout(seconds)
        peer.sendto(data, place)
        try:
            return peer.recv(65535)
        except TimeoutError:
            return b""


def test_a_stranger_gets_no_octet_by_any_transport_and_a_friend_is_answered(
    node: tuple[Running, dict[str, tuple[str, int]]],
) -> None:
    running, places = node
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        for data in RUBBISH:
            peer.sendto(data, places["udp"])
        assert b"SIP/2.0 200" in answer_to(message("OPTIONS", 20), places["udp"], FRIEND, SECONDS)
        peer.settimeout(QUIET)
        with pytest.raises(TimeoutError):
            peer.recv(65535)
    for transport in ("tcp", "tls"):
        with socket.create_connection(places[transport], timeout=SECONDS) as peer:
            begun = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(65535) == b"", "closed before anything is read"
            assert time.monotonic() - begun < SECONDS / 2
    with socket.create_connection(places["tcp"], timeout=SECONDS, source_address=(FRIEND, 0)) as peer:
        peer.sendall(message("OPTIONS", 21, transport="TCP"))
        assert b"SIP/2.0 200" in peer.recv(65535)
    assert running.process.poll() is None


def test_a_load_answers_its_target_and_nobody_else(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind((FRIEND, 0))
        target.settimeout(SECONDS)
        place = ":".join(map(str, target.getsockname()))
        running = Running(
            *("load", place, "-m", "1", "-r", "1", "-i", "127.0.0.1", "--out", str(tmp_path / "out"), "--quiet"),
            *("--ring-time", "20s", "--drain", "0s", *WORKERS),
        )
        try:
            invite, load = target.recvfrom(65535)
            assert invite.startswith(b"INVITE ")
            for data in RUBBISH:
                assert not answer_to(data, load, "127.0.0.8", 0.02)
            assert b"SIP/2.0 200" in answer_to(message("OPTIONS", 30), load, FRIEND, SECONDS)
            request = parse(invite)
            assert isinstance(request, Request)
            target.sendto(Response.to_request(request, 486, to_tag="b").to_bytes(), load)
            running.process.wait(SECONDS)
        finally:
            running.close()
