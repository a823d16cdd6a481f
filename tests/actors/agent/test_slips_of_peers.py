"""What peers write in a rare way, or wrongly where nobody needs it, through a user agent (RFC 3261 8.2, 20, 25.1)."""

import asyncio
from collections.abc import Sequence

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.agent.test_answers_and_ends import up, with_stranger
from tests.actors.stranger import SDP, Stranger, finals, statuses, within
from tests.e2e.agents import Peer, agent, reply

KIND = b"Content-Type: application/sdp"


def with_lines(request: bytes, *lines: str) -> bytes:
    return request.replace(b"Content-Length", b"".join(f"{each}\r\n".encode() for each in lines) + b"Content-Length", 1)


def with_hops(request: bytes, value: str) -> bytes:
    return request.replace(b"Max-Forwards: 70", f"Max-Forwards: {value}".encode())


@pytest.mark.parametrize("kind", ["application / sdp", "application/ SDP;x=y", "application\t/\tsdp"])
def test_blanks_around_the_slash_of_a_content_type_change_nothing(kind: str) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="echo")
        line = f"Content-Type: {kind}".encode()
        first = stranger.invite(1, f"Accept: {kind}").replace(KIND, line)
        answer = finals(await stranger.exchange(first, seconds=0.5))[0]
        assert answer.status == 200
        await stranger.exchange(within("ACK", first, answer, 1))
        text = within("MESSAGE", first, answer, 2, b"hello").replace(KIND, b"Content-Type: text / plain")
        digit = within("INFO", first, answer, 3, b"Signal=5\r\n").replace(KIND, b"c: application /dtmf-relay")
        update = within("UPDATE", first, answer, 4, SDP).replace(KIND, line)
        for method, each in (("MESSAGE", text), ("INFO", digit), ("UPDATE", update)):
            assert statuses(await stranger.exchange(each, seconds=0.3), method) == [200]

    with_stranger(scenario)


def test_our_call_takes_an_answer_whose_content_type_has_blanks() -> None:
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            response = reply(request, 200, peer=peer)
            if request.method == "INVITE":
                response.headers.set("Content-Type", "application / sdp")
            return [] if request.method == "ACK" else [response]

        async with asyncio.timeout(20), agent() as alice, Peer(answer) as peer:
            call = await alice.invite(peer.uri(), media="none")
            await call.bye()
            assert peer.methods() == ["INVITE", "BYE"]

    asyncio.run(main())


def test_a_coded_offer_gets_415_in_every_request() -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="echo")
        first = stranger.invite(1, "Content-Encoding: gzip")
        refused = finals(await stranger.exchange(first, seconds=0.3))[0]
        assert (refused.status, refused.headers.get("Accept-Encoding")) == (415, "identity")
        first, answer = await up(stranger, 2)
        for cseq, method in enumerate(("INVITE", "UPDATE", "MESSAGE"), 2):
            again = with_lines(within(method, first, answer, cseq, SDP), "Content-Encoding: gzip")
            refused = finals(await stranger.exchange(again, seconds=0.3), method)[0]
            assert (refused.status, refused.headers.get("Accept-Encoding")) == (415, "identity")
        assert statuses(await stranger.exchange(within("BYE", first, answer, 9)), "BYE") == [200]

    with_stranger(scenario)


@pytest.mark.parametrize("junk", ["@@", '"open', "<", "", "-1", "x"])
def test_junk_in_a_field_that_a_request_does_not_need_costs_it_nothing(junk: str) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="echo")
        accept = ("Accept: " + junk,) if junk else ()
        first = with_hops(stranger.invite(1, f"Route: {junk}", *accept), junk)
        answer = finals(await stranger.exchange(first, seconds=0.5))[0]
        assert answer.status == 200
        first = stranger.invite(1)
        await stranger.exchange(with_hops(within("ACK", first, answer, 1), junk))
        for cseq, method in enumerate(("INFO", "OPTIONS", "UPDATE", "BYE"), 2):
            request = with_lines(within(method, first, answer, cseq), f"Route: {junk}", f"Record-Route: {junk}")
            assert statuses(await stranger.exchange(with_hops(request, junk), seconds=0.2), method) == [200], method
        apart = stranger.invite(7, f"Route: {junk}", f"Record-Route: {junk}", body=b"").replace(b"INVITE", b"OPTIONS")
        assert statuses(await stranger.exchange(with_hops(apart, junk), seconds=0.2), "OPTIONS") == [200]

    with_stranger(scenario)
