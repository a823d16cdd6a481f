"""Answers with which no media can flow: the await says so by name, and the call is ended with a BYE."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import SDP, Peer, agent, reply
from tests.e2e.waiting import again_after_a_stop, until

HERE = SDP.format(port=9)
ANSWERS = {
    "port 0": SDP.format(port=0),
    "foreign codec": HERE.replace("RTP/AVP 0", "RTP/AVP 18"),
    "events only": HERE.replace("RTP/AVP 0", "RTP/AVP 101") + "a=rtpmap:101 telephone-event/8000\r\n",
    "host name": HERE.replace("c=IN IP4 127.0.0.1", "c=IN IP4 localhost"),
    "name of nobody": HERE.replace("c=IN IP4 127.0.0.1", "c=IN IP4 none.example.org"),
    "no connection": HERE.replace("c=IN IP4 127.0.0.1\r\n", ""),
    "other network": HERE.replace("c=IN IP4 127.0.0.1", "c=ATM NSAP 47.0091"),
    "other version": HERE.replace("c=IN IP4 127.0.0.1", "c=IN IP6 ::1"),
    "group": HERE.replace("c=IN IP4 127.0.0.1", "c=IN IP4 224.2.1.1/127"),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("media", ["silence", None])
def test_an_answer_without_a_usable_line_ends_the_call_by_name(kind: str, media: str | None) -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        given: dict[str, Any] = {} if media is None else {"media": media}
        with pytest.raises(CallEnded, match="bad_description"):
            await alice.invite(peer.uri(), **given)
        await until(lambda: peer.methods() == ["INVITE", "BYE"])

    _with_answer(ANSWERS[kind], scenario)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_call_without_media_does_not_mind(kind: str) -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        call = await alice.invite(peer.uri(), media="none")
        await call.bye()

    _with_answer(ANSWERS[kind], scenario)


@pytest.mark.parametrize("wish", ["ptime:200", "ptime:1000", "ptime:0.5", "ptime:-1", "maxptime:200", "maxptime:1"])
@again_after_a_stop
def test_odd_packet_times_of_an_answer_are_met_as_nearly_as_can_be(wish: str) -> None:
    async def scenario(alice: UserAgent, peer: Peer) -> None:
        call = await alice.invite(peer.uri(), media="silence")
        await asyncio.sleep(0.6)
        await call.bye()
        assert call.statistics is not None
        assert 3 <= call.statistics.packets_sent <= 70

    _with_answer(HERE + f"a={wish}\r\n", scenario)


def _with_answer(answer: str, scenario: Callable[[UserAgent, Peer], Awaitable[None]]) -> None:
    def answers(request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return ()
        made = reply(request, 200, peer=peer)
        if request.method != "INVITE":
            return (made,)
        contact = ("Contact", f"<{peer.uri()}>")
        return (
            Response.to_request(
                request, 200, to_tag="peer", extra=(contact,), body=answer.encode(), content_type="application/sdp"
            ),
        )

    peer = Peer(answers)

    async def main() -> None:
        async with asyncio.timeout(30), peer, agent() as alice:
            await scenario(alice, peer)

    asyncio.run(main())
