"""Calls of the command line have session timers without any option, so that none outlives its peer (RFC 4028)."""

import asyncio
import dataclasses
import socket
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import AnswerConfig
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.agents import Peer, reply
from tests.e2e.test_command_line import SECONDS, WORKERS, Running
from tests.e2e.test_processes import CONFIG, node
from tests.e2e.waiting import until

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
INVITE = (
    "INVITE sip:robot@{place} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKtimer;rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:peer@{own}>;tag=p\r\nTo: <sip:robot@{place}>\r\nCall-ID: timer@test\r\nCSeq: 1 INVITE\r\n"
    "Contact: <sip:peer@{own}>\r\nSupported: timer\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n"
)
BYE = (
    "BYE sip:robot@{place} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKbye;rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:peer@{own}>;tag=p\r\nTo: <sip:robot@{place}>;tag={tag}\r\nCall-ID: timer@test\r\n"
    "CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n"
)


def test_a_load_asks_for_a_session_timer() -> None:
    def answer(request: Request) -> list[Response]:
        return [] if request.method == "ACK" else [reply(request, 486 if request.method == "INVITE" else 200)]

    async def main() -> Request:
        async with Peer(answer) as peer:
            running = Running("load", peer.uri(), "-m", "1", "--metrics", "off", "--quiet", *WORKERS)
            try:
                await asyncio.to_thread(running.end)
            finally:
                await asyncio.to_thread(running.close)
            return peer.requests[0]

    invite = asyncio.run(main())
    assert invite.headers.get("Session-Expires") == "1800"
    assert "timer" in (invite.headers.get("Supported") or "")


def test_answer_grants_a_session_timer_that_it_was_not_asked_for() -> None:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--media", "none", *WORKERS)
    try:
        place = running.line().removeprefix("listening on udp:")
        host, _, port = place.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.connect((host, int(port)))
            peer.settimeout(SECONDS)
            own = "{}:{}".format(*peer.getsockname())
            peer.send((INVITE.format(place=place, own=own, length=len(OFFER)) + OFFER).encode())
            response = parse(peer.recv(65536))
            while not isinstance(response, Response) or response.status < 200:
                response = parse(peer.recv(65536))
            assert (response.status, response.headers.get("Session-Expires")) == (200, "1800;refresher=uac")
            assert "timer" in (response.headers.get("Require") or "")
            peer.send(BYE.format(place=place, own=own, tag=response.to_tag).encode())
            while response.cseq.method != "BYE":
                message = parse(peer.recv(65536))
                response = message if isinstance(message, Response) else response
    finally:
        running.close()


ACK = BYE.replace("2 BYE", "1 ACK").replace("BYE ", "ACK ").replace("bKbye", "bKack")
PROBED = dataclasses.replace(
    CONFIG, call_workers=1, answer=AnswerConfig(media="none"), tells_incoming=True, session_expires=1.0
)
"""A node that probes every half a second: the option allows no interval below 90 s."""


@pytest.mark.parametrize(("ends", "cause"), [("it is gone", "refused"), ("a proxy finds nobody", "dialog_gone")])
def test_a_call_without_media_ends_when_its_peer_is_reached_no_longer(tmp_path: Path, ends: str, cause: str) -> None:
    finished: list[CallFinished] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            asyncio.timeout(60),
            node(tmp_path / "run", PROBED, finished.append) as supervisor,
        ):
            place = f"127.0.0.1:{supervisor.listeners[0].port}"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                peer.setblocking(False)
                peer.bind(("127.0.0.1", 0))
                peer.connect(("127.0.0.1", supervisor.listeners[0].port))
                own = "{}:{}".format(*peer.getsockname())
                invite = INVITE.replace("Supported: timer\r\n", "")
                peer.send((invite.format(place=place, own=own, length=len(OFFER)) + OFFER).encode())
                statuses = iter((200, 404, 480, 480))
                probes = 0
                answered: dict[str, int] = {}
                while not finished:
                    message = parse(await loop.sock_recv(peer, 65536))
                    if isinstance(message, Response):
                        if message.status == 200:
                            assert message.headers.get("Session-Expires") is None
                            peer.send(ACK.format(place=place, own=own, tag=message.to_tag).encode())
                        continue
                    branch = message.branch or ""
                    if message.method == "OPTIONS" and branch not in answered:
                        probes += 1
                        if probes > 2 and ends == "it is gone":
                            break
                        answered[branch] = next(statuses)
                    status = answered.get(branch, 200)
                    peer.send(Response.to_request(message, status).to_bytes())
                    if message.method == "BYE":
                        break
                assert probes == (3 if ends == "it is gone" else 4)
                assert not finished, "a peer that answers at all stays in the call"
            await until(lambda: finished)

    asyncio.run(main())
    (row,) = finished
    assert (row.cause, row.ended_by) == (cause, "expired")
