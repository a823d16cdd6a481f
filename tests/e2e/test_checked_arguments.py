"""What a script gives and what becomes part of a message is checked when it is given, before anything is sent."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import Peer, address_of, agent, gate, reply

WRITTEN: tuple[str, ...] = (
    "Call-ID",
    "call-id",
    "i",
    "From",
    "f",
    "To",
    "t",
    "Via",
    "v",
    "CSeq",
    "Max-Forwards",
    "Content-Type",
    "c",
)
WRITTEN += ("Content-Length", "l", "Route", "Record-Route", "Content_Type:", "X Name", "", "X:", "Ü", "X\r\nY", "X\tY")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_header_that_the_message_writes_itself_is_refused(name: str) -> None:
    bad = {name: "x"}

    async def main() -> None:
        requests: list[Request] = []

        def answer(request: Request) -> Sequence[Response]:
            requests.append(request)
            return [] if request.method == "ACK" else [reply(request, 200, peer=peer)]

        peer = Peer(answer)
        refused = pytest.raises(ConfigurationError, match=r"header|written by the message itself")
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, peer:
            for option in ("sip_header", "ack_header"):
                given: dict[str, Any] = {option: bad}
                with refused:
                    await alice.invite(peer.uri(), media="none", **given)
            with refused:
                alice.listen(sip_header=bad)
            assert not worker_of(alice).actors.live
            call = await alice.invite(peer.uri(), media="none")
            with refused:
                await call.reinvite(sip_header=bad)
            if "_" not in name and name.isascii() and name.lower() != "content-type":
                with refused:
                    call.request("INFO", **bad)
                with refused:
                    await alice.register(peer.uri(), **bad)  # type: ignore[arg-type]  # further headers
            await call.reinvite()
            await call.bye()
            assert [each.method for each in requests] == ["INVITE", "ACK", "INVITE", "ACK", "BYE"]
        with refused:
            UserAgent("sip:alice@127.0.0.1", headers=[(name, "x")])

    asyncio.run(main())


@pytest.mark.parametrize("answer", ["ring", "early_media", "accept", "answer", "reject"])
def test_a_header_of_a_response_too(answer: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            told: list[Exception] = []

            async def robot(call: Any) -> None:
                try:
                    result = getattr(call, answer)(headers=[("Call-ID", "x")])
                    if result is not None:
                        await result
                except ConfigurationError as error:
                    told.append(error)
                call.reject(486)

            bob.listen(robot)
            with pytest.raises(CallRejected, match="486"):
                await alice.invite(address_of(bob), media="none")
            assert len(told) == 1

    asyncio.run(main())


@pytest.mark.parametrize("from_", ["alice", "", "sip:", "sip:alice@", "<sip:alice@127.0.0.1", '"Alice <sip:a@b>'])
def test_a_from_that_is_no_address_is_refused(from_: str) -> None:
    with pytest.raises(ConfigurationError, match="from_"):
        UserAgent(from_)


def test_a_user_with_a_domain_is_an_address() -> None:
    assert UserAgent("alice", domain="example.org").from_ == "sip:alice@example.org"
    assert UserAgent("alice@example.org").from_ == "sip:alice@example.org"  # as `--from` takes it
    assert UserAgent("alice@example.org:5070").from_ == "sip:alice@example.org:5070"
    with pytest.raises(ConfigurationError, match="contact"):
        UserAgent("sip:alice@example.org", contact="alice")


@pytest.mark.parametrize("auth", ["alice:secret", ("alice",), ("a", "b", "c"), {"r": "alice"}, 7, ("alice", 7)])
def test_credentials_that_are_none_are_refused_and_not_shown(auth: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give .user, password.") as refused:
        UserAgent("sip:alice@127.0.0.1", auth=auth)
    assert "secret" not in str(refused.value)


async def coroutine(realm: str) -> tuple[str, str]:
    return "alice", "secret"


def test_a_coroutine_function_for_credentials_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="plain function"):
        UserAgent("sip:alice@127.0.0.1", auth=coroutine)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("auth", "good"),
    [
        (["alice", "secret"], True),
        (("alice", "secret"), True),
        ({"test": ["alice", "secret"]}, True),
        ({"": ("alice", "secret")}, True),
        (lambda realm: ["alice", "secret"], True),
        (lambda realm: None, False),
        (lambda realm: "alice:secret", False),
    ],
)
def test_credentials_are_taken_in_every_form(auth: Any, good: bool) -> None:
    judge = gate()

    async def main() -> None:
        def answer(request: Request) -> Sequence[Response]:
            if request.method == "ACK":
                return []
            refused = judge(request)
            return [reply(request, 200, peer=peer) if refused is None else refused]

        peer = Peer(answer)
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", auth=auth) as alice, peer:
            if good:
                await (await alice.invite(peer.uri(), media="none")).bye()
            else:
                with pytest.raises(CallRejected, match="401"):
                    await alice.invite(peer.uri(), media="none")

    asyncio.run(main())


@pytest.mark.parametrize("name", ["Contact", "contact", "m"])
def test_a_contact_of_a_script_stands_in_place_of_ours_in_each_invite(name: str) -> None:
    theirs = '<sip:me@203.0.113.9:5070;transport=udp>;+sip.instance="x"'

    async def main() -> None:
        peer = Peer(lambda request: [] if request.method == "ACK" else [reply(request, 200, peer=peer)])
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, peer:
            call = await alice.invite(peer.uri(), media="none", sip_header={name: theirs})
            await call.reinvite()
            await call.reinvite(sip_header={"X-Other": "1"})
            await call.bye()
            invites = [each.headers.get_all("Contact") for each in peer.requests if each.method == "INVITE"]
            assert invites[:2] == [[theirs], [theirs]]
            assert len(invites[2]) == 1
            assert "203.0.113.9" not in invites[2][0]

    asyncio.run(main())


SEVERAL: dict[str, Any] = {
    "two": [("Contact", "<sip:a@192.0.2.1>"), ("Contact", "<sip:b@192.0.2.1>")],
    "two, one compact": [("Contact", "<sip:a@192.0.2.1>"), ("m", "<sip:b@192.0.2.1>")],
    "a list of values": {"Contact": ["<sip:a@192.0.2.1>", "<sip:b@192.0.2.1>"]},
    "a list in one line": {"Contact": "<sip:a@192.0.2.1>, <sip:b@192.0.2.1>"},
    "an asterisk": {"Contact": "*"},
    "nothing": {"Contact": ""},
    "no URI": {"m": "bob"},
    "no host": {"Contact": "<sip:bob@>"},
    "an open bracket": {"Contact": "<sip:bob@192.0.2.1"},
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_contact_that_is_not_one_uri_is_refused(kind: str) -> None:
    given = SEVERAL[kind]
    refused = pytest.raises(ConfigurationError, match="Contact")

    async def main() -> None:
        peer = Peer(lambda request: [] if request.method == "ACK" else [reply(request, 200, peer=peer)])
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, peer:
            with refused:
                await alice.invite(peer.uri(), media="none", sip_header=given)
            assert not worker_of(alice).actors.live
            assert peer.requests == []
            call = await alice.invite(peer.uri(), media="none")
            with refused:
                await call.reinvite(sip_header=given)
            await call.bye()
        with refused:
            UserAgent("sip:alice@127.0.0.1", headers=given)

    asyncio.run(main())


def test_a_redirect_may_name_several_contacts() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            both = [("Contact", "<sip:a@192.0.2.1>"), ("Contact", "<sip:b@192.0.2.1>")]
            bob.listen(cb_invite=lambda call, request: call.reject(302, headers=both))
            with pytest.raises(CallRejected) as redirected:
                await alice.invite(address_of(bob), media="none")
            response = redirected.value.response
            assert response is not None
            assert response.headers.get_all("Contact") == [value for _, value in both]

    asyncio.run(main())
