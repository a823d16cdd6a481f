"""FFmpeg decodes what a call sends while UPDATEs change its codec, before the answer and after it (RFC 3311)."""

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.handle.call import Call
from sipswarm.media.sockets import bind
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.agents import Peer, address_of, agent, reply
from tests.e2e.test_foreign_decoder import G722, L16, OPUS, PCMA, PCMU, SLOW_PCMU, Form, collect, judge, written
from tests.e2e.waiting import until
from tests.media.rtp_packet import RtpPacket

CODECS = ("pcmu", "pcma", "g722", "l16", "opus")
SDP = ("Content-Type", "application/sdp")


class Phone(Peer):
    """A phone that calls or is called, rings reliably, and offers and answers one codec at a time.

    forms: the codecs of its descriptions, in order.
    """

    def __init__(self, forms: Sequence[Form]) -> None:
        super().__init__(self._respond)
        self.rtp, self.rtcp = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        self.responses: list[Response] = []
        self._forms = iter(forms)
        self._numbers = count(1)
        self._versions = count(1)
        self._place: Any = ()
        self._uri = ""
        """Request-URI within the dialog."""
        self._ends = ("", "")
        """From and To of requests within the dialog."""
        self._call_id = "updates"
        self._invite: Request | None = None

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        self._place = addr
        message = parse(data)
        if isinstance(message, Response):
            self.responses.append(message)
        else:
            super().datagram_received(data, addr)

    def description(self) -> bytes:
        """The next one."""
        port, control, version = self.rtp.getsockname()[1], self.rtcp.getsockname()[1], next(self._versions)
        head = f"v=0\no=- 7 {version} IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
        text = next(self._forms).lines.replace("PORT", str(port)) + f"\na=rtcp:{control}\n"
        return (head + text).replace("\n", "\r\n").encode()

    def _respond(self, request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        if request.method == "INVITE":
            if self._invite is None:
                self._invite = request
                self._uri, self._call_id = str(request.contacts[0].uri), request.call_id
                self._ends = f"{request.headers.get('To')};tag=phone", request.headers.get("From") or ""
                reliable = (("Require", "100rel"), ("RSeq", "1"), ("Contact", f"<{self.uri()}>"))
                allow = ("Allow", "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE")
                ringing = Response.to_request(
                    request, 183, to_tag="phone", extra=(*reliable, allow), body=self.description(),
                    content_type="application/sdp",
                )  # fmt: skip
                return [ringing]
            return []
        response = reply(request, 200)
        if request.method == "UPDATE":
            response = Response.to_request(
                request, 200, extra=(("Contact", f"<{self.uri()}>"),), body=self.description(),
                content_type="application/sdp",
            )  # fmt: skip
        return [response]

    def answer(self) -> None:
        """200 to the INVITE: the answer to its offer was in the reliable 183."""
        assert self._invite is not None
        contact = ("Contact", f"<{self.uri()}>")
        self.send(Response.to_request(self._invite, 200, to_tag="phone", extra=(contact,)), self._invite)

    def _send_request(self, method: str, cseq: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        from_, to = self._ends
        pairs = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{method}{cseq}"),
            ("Max-Forwards", "70"),
            ("From", from_),
            ("To", to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self.uri()}>"),
            *headers,
            *([SDP] if body else []),
            ("Content-Length", str(len(body))),
        ]
        self._transport.sendto(Request.build(method, self._uri, pairs, body).to_bytes(), self._place)

    async def request(self, method: str, *headers: tuple[str, str], body: bytes = b"") -> Response:
        """Send a request within the dialog; its final response."""
        cseq = next(self._numbers)
        self._send_request(method, cseq, *headers, body=body)
        return await self.response(method, cseq, 200)

    async def response(self, method: str, cseq: int, least: int) -> Response:
        """The first response to a request of a number that has at least that status."""

        def found() -> list[Response]:
            return [
                each
                for each in self.responses
                if (each.cseq.number, each.cseq.method) == (cseq, method) and each.status >= least
            ]

        await until(found)
        return found()[0]

    async def call(self, uri: str) -> Response:
        """Call somebody who has to ring reliably; the response that rings."""
        host, _, port = uri.rpartition("@")[2].partition(":")
        self._place, self._uri = (host, int(port)), uri
        self._ends = f"<{self.uri()}>;tag=phone", f"<{uri}>"
        cseq = next(self._numbers)
        self._send_request("INVITE", cseq, ("Require", "100rel"), ("Supported", "100rel"), body=self.description())
        ringing = await self.response("INVITE", cseq, 101)
        assert (ringing.status, ringing.requires("100rel")) == (183, True)
        self._ends = self._ends[0], ringing.headers.get("To") or ""
        self._uri = str(ringing.contacts[0].uri)
        assert (await self.request("PRACK", ("RAck", f"{ringing.rseq} {cseq} INVITE"))).status == 200
        return ringing

    async def up(self) -> None:
        """Wait for the 200 to its INVITE, and acknowledge it."""
        response = await self.response("INVITE", 1, 200)
        assert response.status == 200
        self._send_request("ACK", 1)

    async def update(self) -> None:
        """Offer the next codec by an UPDATE, which is taken."""
        response = await self.request("UPDATE", body=self.description())
        assert response.status == 200
        assert response.description, "with the answer (RFC 3311 section 5.2)"


def calls(
    phone: Phone, path: Path, forms: tuple[Form, ...], *, phone_calls: bool, phone_updates: bool
) -> list[RtpPacket]:
    """What the phone gets in a call with one UPDATE before the answer and one after it, a second of each codec."""
    packets: list[RtpPacket] = []

    async def change(call: Call) -> None:
        if phone_updates:
            await phone.update()
        else:
            response = await call.update()
            assert response.status == 200
            assert phone.requests[-1].method == "UPDATE"
            assert phone.requests[-1].description

    async def main() -> None:
        async with asyncio.timeout(40), agent(codecs=CODECS) as alice, phone:
            call = await rung(alice)
            first, second, third = forms
            await collect(phone.rtp, packets, first)
            await change(call)
            await collect(phone.rtp, packets, second)
            await answered(call)
            await collect(phone.rtp, packets, second)
            await change(call)
            await collect(phone.rtp, packets, third)
            await call.bye()

    async def rung(alice: Any) -> Call:
        """A call in which the answer is there, and the 200 is not."""
        if not phone_calls:
            call: Call = await alice.invite(phone.uri(), media=f"play:{path}", cb_final=lambda *_: None)
            await until(lambda: "PRACK" in phone.methods())
            return call
        found: list[Call] = []

        async def robot(call: Call) -> None:
            call.early_media()
            found.append(call)
            await call.over()

        alice.listen(robot, media=f"play:{path}")
        await phone.call(address_of(alice, "alice"))
        return found[0]

    async def answered(call: Call) -> None:
        if phone_calls:
            call.accept()
            await phone.up()
        else:
            phone.answer()
        await until(lambda: call.is_up)

    try:
        asyncio.run(main())
    finally:
        phone.close()
    return packets


@pytest.mark.parametrize("forms", [(PCMU, G722, PCMA), (OPUS, L16, SLOW_PCMU)], ids=["G.722", "Opus"])
@pytest.mark.parametrize("phone_updates", [True, False], ids=["the phone updates", "we update"])
@pytest.mark.parametrize("phone_calls", [True, False], ids=["the phone calls", "we call"])
def test_ffmpeg_hears_the_file_through_an_update_before_the_answer_and_one_after_it(
    phone_calls: bool, phone_updates: bool, forms: tuple[Form, ...], tmp_path: Path
) -> None:
    phone = Phone(forms)
    packets = calls(phone, written(tmp_path), forms, phone_calls=phone_calls, phone_updates=phone_updates)
    judge(packets, forms)
