"""The built-in answering robot in one loop with its caller: what each of its options does to a call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.agent.node import EmbeddedNode
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.demand import media_wishes
from sipswarm.actors.process.applications import install
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.agents import SDP, agent, rtp_ports
from tests.e2e.waiting import until


def answered_by(config: AnswerConfig, scenario: Callable[[UserAgent, str], Awaitable[None]]) -> None:
    """Run a caller against a node with this answering robot."""

    async def main() -> None:
        listener = Listener.parse("udp:127.0.0.1:0")
        node = EmbeddedNode(NodeConfig("", (listener,), 0, rtp_ports=rtp_ports(), answer=config), install=install)
        await node.start()
        try:
            async with asyncio.timeout(30), agent() as alice:
                await scenario(alice, f"sip:robot@127.0.0.1:{node.config.listeners[0].port}")
        finally:
            await node.close()

    asyncio.run(main())


async def ends_by_the_robot(call: Call) -> None:
    await call.over()
    assert call.by == "remote"


@pytest.mark.parametrize(
    "config",
    [
        AnswerConfig(media="silence", hangup_after=0.2),
        AnswerConfig(media="tone:440", hangup_after=0.2, ring_time=0.2),
        AnswerConfig(media="none", hangup_after=0.2),
    ],
)
def test_it_rings_answers_and_hangs_up_when_told_to(config: AnswerConfig) -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        call = await alice.invite(to, media="silence")
        await ends_by_the_robot(call)
        assert call.times.answered - call.times.invited >= config.ring_time

    answered_by(config, scenario)


def test_it_refuses_with_the_chosen_status() -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        with pytest.raises(CallRejected, match="486"):
            await alice.invite(to)

    answered_by(AnswerConfig(status=486), scenario)


def test_as_an_ivr_it_sends_four_digits_back() -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        call = await alice.invite(to, media="silence")
        await call.dtmf("1234", duration=60)
        assert await call.digits(4, 10) == "1234"
        await call.bye()

    answered_by(AnswerConfig(media="ivr"), scenario)


def test_it_echoes_digits_as_they_come() -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        call = await alice.invite(to, media="silence")
        await call.dtmf("5", duration=60)
        assert await call.digits(1, 10) == "5"
        await call.bye()

    answered_by(AnswerConfig(media="silence", dtmf_echo=True), scenario)


@pytest.mark.parametrize("mode", ["rfc2833", "info"])
def test_beside_an_echo_of_the_media_each_digit_comes_back_once(mode: str) -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        call = await alice.invite(to, media="silence")
        for digit in "12":
            await call.dtmf(digit, duration=100, methods=mode)
            assert await call.digits(1, 10) == digit
            assert await call.digits(1, 1.0) == "", "it comes back once"
        await call.bye()

    answered_by(AnswerConfig(media="echo", dtmf_echo=True), scenario)


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("none", {"wanted": False}),
        ("tone", {"source": ("tone", 440.0), "inactivity_limit": 9.0}),
        ("play:a.wav", {"source": ("file", "a.wav", -1), "inactivity_limit": 9.0}),
        ("ivr", {"source": ("tone", 440.0), "inactivity_limit": 9.0}),
    ],
)
def test_media_is_chosen_by_name(text: str, wishes: dict[str, object]) -> None:
    assert media_wishes(text, 9.0) == wishes


@pytest.mark.parametrize("text", ["", "whistle", "tone:x", "play:"])
def test_media_of_no_known_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not known"):
        media_wishes(text, 9.0)


class ByHand(asyncio.DatagramProtocol):
    """A caller that writes its messages itself, and counts the RTP that comes to the same port."""

    def __init__(self) -> None:
        self.messages: list[Request | Response] = []
        self.rtp = 0

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        if data[:1] == b"\x80":
            self.rtp += 1
        else:
            self.messages.append(parse(data))

    def response(self, status: int, method: str) -> Response | None:
        """The first response to a method with this status."""
        found = [each for each in self.messages if isinstance(each, Response) and each.cseq.method == method]
        return next((each for each in found if each.status == status), None)


@pytest.mark.parametrize("answered_in", ["PRACK", "ACK"])
def test_a_caller_that_requires_reliable_ringing_and_offers_nothing_gets_the_offer_while_it_rings(
    answered_in: str,
) -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        address = to.removeprefix("sip:robot@")
        host, _, port = address.partition(":")
        loop = asyncio.get_running_loop()
        transport, caller = await loop.create_datagram_endpoint(ByHand, local_addr=("127.0.0.1", 0))
        own = transport.get_extra_info("sockname")[1]
        sdp = SDP.format(port=own)

        def send(method: str, number: int, tag: str = "", extra: str = "", body: str = "") -> None:
            kind = "Content-Type: application/sdp\r\n" if body else ""
            transport.sendto(
                f"{method} {to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{own};branch=z9hG4bK{method}{number}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:hand@127.0.0.1>;tag=hand\r\nTo: <{to}>{tag}\r\n"
                f"Call-ID: by-hand{own}\r\nCSeq: {number} {method}\r\nContact: <sip:hand@127.0.0.1:{own}>\r\n"
                f"{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode(),
                (host, int(port)),
            )

        try:
            send("INVITE", 1, extra="Require: 100rel\r\n")
            await until(lambda: caller.response(180, "INVITE"))
            ringing = caller.response(180, "INVITE")
            assert ringing is not None
            assert b"m=audio" in ringing.description
            tag = f";tag={ringing.to_tag}"
            send("PRACK", 2, tag, f"RAck: {ringing.rseq} 1 INVITE\r\n", sdp if answered_in == "PRACK" else "")
            await until(lambda: caller.response(200, "PRACK") and caller.response(200, "INVITE"))
            ok = caller.response(200, "INVITE")
            assert ok is not None
            assert bool(ok.description) == (answered_in == "ACK")
            send("ACK", 1, tag, body=sdp if answered_in == "ACK" else "")
            await until(lambda: caller.rtp >= 5)
            assert not [each for each in caller.messages if isinstance(each, Request)]
            send("BYE", 3, tag)
            await until(lambda: caller.response(200, "BYE"))
        finally:
            transport.close()

    answered_by(AnswerConfig(media="tone:440", ring_time=0.3), scenario)


@pytest.mark.parametrize(
    ("config", "digits"),
    [(AnswerConfig(media="ivr"), "1590"), (AnswerConfig(media="silence", dtmf_echo=True), "5")],
)
def test_it_takes_and_sends_digits_as_tones_where_no_events_are_agreed(config: AnswerConfig, digits: str) -> None:
    async def scenario(alice: UserAgent, to: str) -> None:
        leases = await alice.reserve_media(1)
        sdp = SDP.format(port=leases[0].port)
        call = await alice.invite(to, media="silence", sdp=sdp, media_lsocks=leases)
        await call.dtmf(digits, duration=80)
        assert await call.digits(len(digits), 10) == digits
        assert call.keypad.mode == "inband"
        await call.bye()

    answered_by(config, scenario)
