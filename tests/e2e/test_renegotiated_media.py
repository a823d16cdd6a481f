"""Media across re-INVITEs, with phones made of sockets: new keys, new sources, other payload types, silent holds."""

import asyncio
import os
import socket
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipswarm.media.audio.codecs import open_codec
from sipswarm.media.sockets import bind
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, agent, reply
from tests.e2e.waiting import again_after_a_stop, until
from tests.media.rtp_packet import RtpPacket
from tests.media.tones import channels, fit, sine

SUITE = "AES_CM_128_HMAC_SHA1_80"


class Phone(Peer):
    """A callee that answers each INVITE with the next of its descriptions, less the head."""

    def __init__(self, *lines: str) -> None:
        super().__init__(self._reply)
        self.rtp, self.rtcp = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        self.lines = list(lines)
        self.answered = 0
        self.offers: list[str] = []
        self.sent = 0

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def _reply(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        response = reply(request, 200, peer=self)
        if request.method == "INVITE":
            self.offers.append(request.body.decode())
            lines = self.lines[min(self.answered, len(self.lines) - 1)]
            self.answered += 1
            port, control = self.rtp.getsockname()[1], self.rtcp.getsockname()[1]
            text = lines.replace("PORT", str(port)) + f"\na=rtcp:{control}\n"
            head = f"v=0\no=- 7 {self.answered} IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
            response.body = (head + text).replace("\n", "\r\n").encode()
        return [response]

    def destination(self) -> tuple[str, int]:
        """Where our side receives, by its newest offer."""
        line = next(line for line in self.offers[-1].splitlines() if line.startswith("m=audio"))
        return "127.0.0.1", int(line.split()[1])


def arrived(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(2048))
        except BlockingIOError:
            return found


def test_a_new_key_of_the_peer_leaves_what_we_send_as_it_was() -> None:
    """One libsrtp context of the phone goes on through three re-INVITEs, each with another key of the phone."""
    pylibsrtp = pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")
    line = "m=audio PORT RTP/SAVP 0\na=crypto:2 " + SUITE + " inline:{}"
    phone = Phone(*(line.format(b64encode(os.urandom(30)).decode()) for _ in range(4)))

    async def main() -> None:
        async with asyncio.timeout(40), agent(srtp="required") as alice, phone:
            call = await alice.invite(phone.uri(), init_media=alice.rtp("silence"))
            key = phone.offers[0].partition(f"2 {SUITE} inline:")[2].split()[0]
            policy = pylibsrtp.Policy(
                key=b64decode(key),
                ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND,
                srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
            )
            context = pylibsrtp.Session(policy)
            heard: list[int] = []
            reports = 0

            def take() -> int:
                nonlocal reports
                heard.extend(RtpPacket.parse(context.unprotect(each)).sequence_number for each in arrived(phone.rtp))
                for data in arrived(phone.rtcp):
                    context.unprotect_rtcp(data)  # raises for an index that has come before
                    reports += 1
                return reports

            await until(lambda: take() >= 1)
            for _ in range(3):
                await call.reinvite()
                assert f"2 {SUITE} inline:{key}" in phone.offers[-1]
                before = len(heard)
                await until(lambda before=before: take() and len(heard) >= before + 25)  # type: ignore[misc]
            await call.bye()
            await until(lambda: take() >= 2)  # the last report says goodbye
            assert len(heard) == len(set(heard))

    try:
        asyncio.run(main())
    finally:
        phone.close()


@again_after_a_stop
def test_a_phone_with_a_new_source_after_each_reinvite_loses_no_digit_and_no_frame() -> None:
    phone = Phone("m=audio PORT RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000")

    async def main() -> None:
        digits: list[Any] = []
        async with asyncio.timeout(40), agent() as alice, phone:
            call = await alice.invite(phone.uri(), cb_dtmf=lambda event, duration: digits.append(event))
            for ssrc in range(1, 5):
                for place in range(20):
                    packet = RtpPacket(0, 1000 * ssrc + place, 160 * place, ssrc, b"\xff" * 160)
                    if place < 5:
                        duration = 160 * (place + 1)
                        end = 0x80 if place > 2 else 0
                        event = bytes((ssrc, 10 | end, duration >> 8, duration & 255))
                        packet = RtpPacket(101, 1000 * ssrc + place, 7, ssrc, event)
                    phone.rtp.sendto(packet.to_bytes(), phone.destination())
                    await asyncio.sleep(0.02)
                if ssrc < 4:
                    await call.reinvite()
            await until(lambda: len(digits) >= 4)
            await call.bye()
            await call.over()
            assert digits == ["1", "2", "3", "4"]
            statistics = call.statistics
            assert statistics is not None
            assert (statistics.packets_received, statistics.packets_discarded) == (80, 0)

    try:
        asyncio.run(main())
    finally:
        phone.close()


def test_an_echo_leaves_under_the_payload_types_of_the_answer() -> None:
    phone = Phone("m=audio PORT RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000")

    async def main() -> None:
        async with asyncio.timeout(40), agent() as alice, phone:
            call = await alice.invite(phone.uri(), init_media=alice.rtp("recv_echo"))
            assert "a=rtpmap:101 telephone-event/8000" in phone.offers[0]
            kinds = [0, 0, 0, 101, 101, 0]
            for place, kind in enumerate(kinds):
                payload = bytes((1, 10, 0, 160)) if kind else b"\xff" * 160
                packet = RtpPacket(kind, place, 160 * place, 7, payload)
                phone.rtp.sendto(packet.to_bytes(), phone.destination())
                await asyncio.sleep(0.02)
            back: list[int] = []

            def all_back() -> bool:
                back.extend(RtpPacket.parse(data).payload_type for data in arrived(phone.rtp))
                return len(back) >= len(kinds)

            await until(all_back)
            assert back == [96 if kind else 0 for kind in kinds]
            await call.bye()

    try:
        asyncio.run(main())
    finally:
        phone.close()


@pytest.mark.parametrize("hold", ["a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0", "c=IN IP4 0.0.0.0\na=sendonly"])
@again_after_a_stop
def test_a_phone_that_holds_without_music_is_not_hung_up(hold: str) -> None:
    line = "m=audio PORT RTP/AVP 0"
    phone = Phone(line, f"{line}\n{hold}", line)

    async def main() -> None:
        async with asyncio.timeout(40), agent(rtp_timeout=1.0) as alice, phone:
            call = await alice.invite(phone.uri())
            for place in range(3):
                packet = RtpPacket(0, place, 160 * place, 7, b"\xff" * 160)
                phone.rtp.sendto(packet.to_bytes(), phone.destination())
            await call.reinvite()
            await asyncio.sleep(2.5)
            assert "BYE" not in phone.methods()
            await call.reinvite()
            await until(lambda: "BYE" in phone.methods())  # held no longer, and still silent

    try:
        asyncio.run(main())
    finally:
        phone.close()


@again_after_a_stop
def test_a_recording_keeps_its_pitch_through_reinvites_to_codecs_of_other_rates(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is in the extra audio")
    forms = [("PCMU", 0, 8000, 8000), ("G722", 9, 8000, 16000), ("opus", 97, 48000, 48000), ("PCMU", 0, 8000, 8000)]
    phone = Phone(
        "m=audio PORT RTP/AVP 0",
        "m=audio PORT RTP/AVP 9",
        "m=audio PORT RTP/AVP 97\na=rtpmap:97 opus/48000/2",
        "m=audio PORT RTP/AVP 0",
    )
    path = tmp_path / "heard.wav"

    async def main() -> None:
        async with asyncio.timeout(40), agent(codecs=("pcmu", "g722", "opus")) as alice, phone:
            call = await alice.invite(phone.uri(), init_media=alice.rtp("record", str(path)))
            loop = asyncio.get_running_loop()
            number, timestamp, start = 5, 0, loop.time()
            for place, (name, payload_type, clock, rate) in enumerate(forms):
                if place:
                    await call.reinvite()
                    start = loop.time() - place
                codec = open_codec(name, clock)
                for frame in range(50):
                    at = place + frame / 50
                    await asyncio.sleep(max(0.0, start + at - loop.time()))
                    packet = RtpPacket(payload_type, number, timestamp, 7, codec.encode(sine(at, 0.02, rate)))
                    phone.rtp.sendto(packet.to_bytes(), phone.destination())
                    number += 1
                    timestamp += clock // 50
            await call.bye()
            await call.over()

    try:
        asyncio.run(main())
    finally:
        phone.close()
    (heard,) = channels(path, 8000)
    assert len(heard) / 8000 == pytest.approx(4, abs=0.4)  # a re-INVITE takes a moment
    assert np.argmax(np.abs(np.fft.rfft(heard, 80000))) / 10 == pytest.approx(440, abs=1)
    clean = [fit(heard[at : at + 800], 8000)[0] > 15 for at in range(0, len(heard) - 800, 800)]
    assert clean.count(True) >= len(clean) / 2, "all but the seams, and where a busy machine sent too late"
