"""Headers and descriptions on the wire as a user of the man page asks for them (C3, C18, C26, `ack_header`)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import MediaHandler
from sipswarm.actors.identity import written_address
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import pass_time, until


def test_every_header_of_a_returned_response_is_sent_that_is_the_users_to_set() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        ringing: list[Response] = []
        answered: list[Response] = []
        own = (
            ("Retry-After", "30"),
            ("Reason", 'Q.850;cause=17;text="busy"'),
            ("X-Why", "lunch"),
            ("Server", "mine"),
            ("Warning", '399 here "one"'),
            ("Warning", '399 here "two"'),
        )
        forbidden = (("Require", "100rel"), ("Via", "SIP/2.0/UDP 192.0.2.1"), ("Session-Expires", "90"))

        def decide(call: Call, request: Request) -> Response:
            user = request.uri.partition(":")[2].partition("@")[0]
            status = {"busy": 486, "up": 200}[user]
            if status == 200:
                call.ring(181, [("X-Ring", "yes")])
            return Response.to_request(request, status, "Later", extra=(*own, *forbidden))

        bob.listen(cb_invite=decide)
        with pytest.raises(CallRejected) as refused:
            await alice.invite(address_of(bob, "busy"))
        call = await alice.invite(
            address_of(bob, "up"),
            cb_preliminary=lambda call, code, response: note(ringing, response),
            cb_final=lambda status, call, info: note(answered, info["packet"]),
        )
        await until(lambda: answered)
        assert ringing[-1].headers.get("X-Ring") == "yes"
        assert refused.value.reason == "Later"
        assert refused.value.response is not None
        for response in (refused.value.response, answered[0]):
            for name, value in own:
                assert value in response.headers.get_all(name)
            assert response.headers.get_all("Server") == ["mine"]
            assert len(response.headers.get_all("Via")) == 1
            assert "Require" not in response.headers
            assert "Session-Expires" not in response.headers
        await call.bye()

    run(scenario)


def test_the_ack_has_the_headers_that_were_given_beforehand_and_only_the_ack() -> None:
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            return [] if request.method == "ACK" else [reply(request, 200, peer=peer)]

        async with agent() as alice, Peer(answer) as peer:
            call = await alice.invite(peer.uri(), ack_header={"X-Ack": ["one", "two"]})
            await call.reinvite()
            await call.reinvite(ack_header=[("X-Ack", "three")])
            await call.bye()
            await until(lambda: [request.method for request in peer.requests].count("ACK") == 3)
            marks = [request.headers.get_all("X-Ack") for request in peer.requests if request.method == "ACK"]
            assert marks == [["one", "two"], ["one", "two"], ["three"]]
            assert not any("X-Ack" in request.headers for request in peer.requests if request.method != "ACK")

    asyncio.run(main())


@pytest.mark.parametrize("form", ["{}", "<{}>", '"Bob" <{}>'])
def test_headers_in_the_uri_of_the_callee_are_those_of_the_invite_in_each_attempt(form: str) -> None:
    # RFC 3261 section 19.1.5; what would forge the request is left out.
    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            if request.method == "INVITE" and "Authorization" not in request.headers:
                return [reply(request, 401, ("WWW-Authenticate", 'Digest realm="x", nonce="n"'))]
            return [] if request.method == "ACK" else [reply(request, 200, peer=peer)]

        async with asyncio.timeout(20), agent(auth=("alice", "secret")) as alice, Peer(answer) as peer:
            embedded = "Subject=hi%20there&X-A=b&X-Both=uri&From=sip:x%40y&Via=z&Route=%3Csip:q%3E&body=v"
            call = await alice.invite(form.format(f"{peer.uri()}?{embedded}"), sip_header={"X-Both": "mine"})
            await call.reinvite()
            await call.bye()
            invites = [request for request in peer.requests if request.method == "INVITE"]
            for request in invites[:2]:
                assert request.uri == peer.uri()
                assert "?" not in str(request.headers.get("To"))
                found = [request.headers.get_all(name) for name in ("Subject", "X-A", "X-Both", "Route")]
                assert found == [["hi there"], ["b"], ["mine"], []]
                assert len(request.headers.get_all("From")) == len(request.headers.get_all("Via")) == 1
            assert ["Subject" in request.headers for request in invites] == [True, True, False]

    asyncio.run(main())


def test_a_delayed_offer_in_a_reinvite_is_answered_in_its_ack_and_media_goes_on() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bodies: list[bytes] = []
        acks: list[bytes] = []
        calls: list[Call] = []

        def watch(call: Call, request: Request) -> Any:
            calls.append(call)

            def receive(message: Request | Response, source: Any) -> None:
                if isinstance(message, Request) and message.method == "ACK":
                    acks.append(message.body)
                call.receive(message, source)

            call.receiver = receive
            return True

        tone = MediaHandler(("tone", 440.0))
        bob.listen(
            cb_create=watch, cb_invite=lambda call, request: note(bodies, request.body), init_media=tone, clear_sdp=True
        )
        call = await alice.invite(address_of(bob), init_media=tone)
        first = call.get_param("media_raddr")
        await call.reinvite(sdp_on_ack=True)
        await until(lambda: len(acks) == 2)
        assert [bool(body) for body in bodies] == [True, False]
        assert [b"m=audio " in body for body in acks] == [False, True]
        assert acks[1].count(b"m=") == 1
        assert call.get_param("media_raddr") != first  # the offer of the 200 named a new port
        await pass_time(0.4)
        await call.reinvite()  # it is kept until it is taken back
        assert bodies[2] == b""
        await call.reinvite(sdp_on_ack=False)
        assert b"m=audio " in bodies[3]
        await call.bye()
        await calls[0].over()
        assert calls[0].all_statistics[1].packets_received > 5
        assert call.statistics is not None
        assert call.statistics.packets_received > 5

    run(scenario)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Bob" <sip:bob@h>;tag=x', '"Bob" <sip:bob@h>'),
        ("Bob <sip:bob@h>;tag=x", "Bob <sip:bob@h>"),
        ('"a > b; \\"c\\"" <sip:bob@h;lr>;tag=x', '"a > b; \\"c\\"" <sip:bob@h;lr>'),
        ("<sip:bob@h>", "<sip:bob@h>"),
        ("sip:bob@h;tag=x", "<sip:bob@h>"),
    ],
)
def test_an_address_keeps_the_form_in_which_it_was_written(value: str, expected: str) -> None:
    assert written_address(value) == expected


@pytest.mark.parametrize("name", ['"Alice" ', "Alice ", '"Alice; the first" '])
def test_the_peer_of_a_call_that_came_in_has_its_name_as_it_was_sent(name: str) -> None:
    async def main() -> None:
        calls: list[Call] = []
        async with agent(f"{name}<sip:alice@127.0.0.1>") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(cb_create=lambda call, request: note(calls, call))
            call = await alice.invite(f"{name}<{address_of(bob)}>;x=1")
            assert calls[0].get_peer() == calls[0].peer == f"{name}<sip:alice@127.0.0.1>"
            assert call.get_peer() == f"{name}<{address_of(bob)}>"
            assert calls[0].callid == call.callid
            await call.bye()

    asyncio.run(main())
