"""A 2xx that comes when its INVITE is over gets its ACK and a BYE, RFC 3261 sections 13.2.2.4 and 13.3.1.4.

A worker in memory, in virtual time; its peer writes SIP by hand on a real socket.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call.local_tags import LocalTags
from sipswarm.actors.call_worker.actor_table import Entries
from sipswarm.actors.call_worker.late_answers import MOST, LateAnswers
from sipswarm.actors.call_worker.succession import REASON
from sipswarm.actors.errors import CallError
from sipswarm.actors.transport.names.dns_records import Answer
from sipswarm.actors.transport.names.resolver import Resolver
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.tokens import Tokens
from tests.actors.virtual_loop import run
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, agent, reply

EMPTY = Entries(0, 0, 0, 0, 0, 0)
TIMER_B = 64 * 0.5
LATE = "sipswarm_sip_late_answers_total"
UNEXPECTED = "sipswarm_sip_unexpected_messages_total"


def answered(invite: Request, tag: str, contact: str, *extra: tuple[str, str]) -> Response:
    """A 200 of one callee."""
    return Response.to_request(invite, 200, to_tag=tag, extra=(("Contact", f"<{contact}>"), *extra))


def silent(request: Request) -> list[Response]:
    """A callee that answers nothing but BYE."""
    return [reply(request, 200)] if request.method == "BYE" else []


def count(ua: UserAgent, metric: str, *labels: str) -> float:
    """A counter of its worker, as a snapshot has it."""
    cells = worker_of(ua).totals.snapshot()
    return sum(sum(values) for name, found, values in cells if name == metric and tuple(found) == labels)


def after_timer_b(
    scenario: Callable[[UserAgent, Peer, Request], Awaitable[None]],
    answer: Callable[[Request], list[Response]] = silent,
) -> None:
    """Run a scenario when the INVITE of a call has ended without any answer, and nothing is kept of it."""

    async def main() -> None:
        async with agent() as alice, Peer(answer, hears_all=True) as peer:
            worker = worker_of(alice)
            worker.actor_loop.now = asyncio.get_running_loop().time
            with suppress(CallError):
                await alice.invite(peer.uri(), media="none")
            await asyncio.sleep(1.0)
            assert {each.method for each in peer.requests} == {"INVITE"}
            assert worker.entries == EMPTY
            invite = peer.requests[0]
            peer.requests.clear()
            await scenario(alice, peer, invite)
            await asyncio.sleep(TIMER_B + 1)
            assert worker.entries == EMPTY

    run(main)


def named(peer: Peer) -> list[tuple[str, str | None]]:
    """What came: the methods with their To tags."""
    return [(each.method, each.to_tag) for each in peer.requests]


def test_a_200_after_timer_b_gets_ack_and_bye_and_each_repetition_the_ack_again() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        success = answered(invite, "a", peer.uri("there"))
        for _ in range(3):
            peer.send(success, invite)
            await asyncio.sleep(0.5)
        assert named(peer) == [("ACK", "a"), ("BYE", "a"), ("ACK", "a"), ("ACK", "a")]
        ack, bye = peer.requests[:2]
        assert ack.uri == bye.uri == peer.uri("there")
        assert (ack.cseq.number, bye.cseq.number) == (invite.cseq.number, invite.cseq.number + 1)
        for each in (ack, bye):
            assert each.call_id == invite.call_id
            assert each.headers.get("From") == invite.headers.get("From")
            assert each.headers.get("To") == success.headers.get("To")
        assert count(alice, LATE, "hung_up") == 1
        assert count(alice, UNEXPECTED, "", "response") == 0

    after_timer_b(scenario)


def test_every_fork_that_answers_late_is_hung_up() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        for tag in "abc":
            peer.send(answered(invite, tag, peer.uri(tag)), invite)
        await asyncio.sleep(0.5)
        assert sorted(named(peer)) == [(method, tag) for method in ("ACK", "BYE") for tag in "abc"]
        assert {each.uri for each in peer.requests} == {peer.uri(tag) for tag in "abc"}
        assert count(alice, LATE, "hung_up") == 3

    after_timer_b(scenario)


def test_a_bye_without_answer_is_repeated_until_timer_f() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        peer.send(answered(invite, "a", peer.uri()), invite)
        await asyncio.sleep(TIMER_B + 1)
        assert [each.method for each in peer.requests] == ["ACK"] + ["BYE"] * 11
        assert len({each.branch for each in peer.requests if each.method == "BYE"}) == 1

    after_timer_b(scenario, lambda request: [])


def test_both_go_by_the_recorded_route() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        async with Peer(silent) as proxy:
            route = f"<sip:127.0.0.1:{proxy.port};lr>"
            peer.send(answered(invite, "a", "sip:there@192.0.2.1", ("Record-Route", route)), invite)
            await asyncio.sleep(0.5)
            assert named(proxy) == [("ACK", "a"), ("BYE", "a")]
            assert {(each.uri, each.headers.get("Route")) for each in proxy.requests} == {
                ("sip:there@192.0.2.1", route)
            }
            assert not peer.requests

    after_timer_b(scenario)


@pytest.mark.parametrize("rows", [("127.0.0.1",), ()], ids=["known", "unknown"])
def test_a_contact_may_be_a_name(rows: tuple[str, ...]) -> None:
    async def lookup(kind: str, name: str) -> Answer:
        return Answer(rows if kind == "A" else (), 60.0)

    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        worker_of(alice).output.late.use(Resolver(lookup, random=Random(1)))
        peer.send(answered(invite, "a", f"sip:there@pbx.test:{peer.port}"), invite)
        await asyncio.sleep(1.0)
        assert named(peer) == ([("ACK", "a"), ("BYE", "a")] if rows else [])
        assert worker_of(alice).entries.actors == len(rows)  # timer K, or the BYE was lost at once

    after_timer_b(scenario)


def test_without_a_contact_both_go_where_the_200_came_from() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        peer.send(Response.to_request(invite, 200, to_tag="a"), invite)
        await asyncio.sleep(0.5)
        assert named(peer) == [("ACK", "a"), ("BYE", "a")]

    after_timer_b(scenario)


def test_nothing_goes_to_a_network_that_is_not_sent_to() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        async with Peer(silent, "0.0.0.0") as ear:  # Linux takes 0.0.0.0 for this host
            peer.send(answered(invite, "a", ear.uri()), invite)
            await asyncio.sleep(0.5)
            assert not ear.requests
            assert count(alice, "sipswarm_destinations_refused_total", "sip") >= 1

    after_timer_b(scenario)


@pytest.mark.parametrize("forged", ["tag", "call"])
def test_a_200_to_a_call_that_this_slot_has_not_made_is_counted_only(forged: str) -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        text = answered(invite, "a", peer.uri()).to_bytes()
        tag, call_id = (invite.from_tag or "").encode(), invite.call_id.encode()
        other = tag[:-1] + (b"0" if tag[-1:] != b"0" else b"1")
        text = text.replace(tag, other) if forged == "tag" else text.replace(call_id, call_id[::-1])
        peer.send_octets(text, invite)
        await asyncio.sleep(0.5)
        assert not peer.requests
        assert count(alice, UNEXPECTED, "", "response") == 1
        assert count(alice, LATE, "hung_up") == 0

    after_timer_b(scenario)


@pytest.mark.parametrize("status", [180, 302, 486])
def test_other_late_responses_are_counted_only(status: int) -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        peer.send(Response.to_request(invite, status, to_tag="a"), invite)
        await asyncio.sleep(0.5)
        assert not peer.requests
        assert count(alice, UNEXPECTED, "", "response") == 1

    after_timer_b(scenario)


def test_a_bye_of_the_peer_that_crosses_is_answered_and_other_requests_get_481() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        success = answered(invite, "a", peer.uri())
        peer.send(success, invite)
        for number, method in enumerate(("OPTIONS", "INVITE", "BYE"), 1):
            lines = (
                f"{method} sip:alice@{invite.via.host}:{invite.via.port} SIP/2.0",
                f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bK-{method}",
                "Max-Forwards: 70",
                f"From: {success.headers.get('To')}",
                f"To: {success.headers.get('From')}",
                f"Call-ID: {invite.call_id}",
                f"CSeq: {number} {method}",
                "Content-Length: 0",
            )
            peer.send_octets("\r\n".join((*lines, "", "")).encode(), invite)
        await asyncio.sleep(0.5)
        sent = {method: count(alice, RESPONSES, "sent", method, code) for method, code in ANSWERS}
        assert sent == {"OPTIONS": 1, "INVITE": 1, "BYE": 1}

    after_timer_b(scenario)


RESPONSES = "sipswarm_sip_responses_total"
ANSWERS = (("OPTIONS", "481"), ("INVITE", "481"), ("BYE", "200"))


def test_there_are_no_more_than_the_limit_at_a_time() -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        tags = worker_of(alice).factory.configs.tags
        first = answered(invite, "a", peer.uri()).to_bytes()
        for number in range(MOST + 1):
            call_id = f"call-{number}"
            mine = first.replace(invite.call_id.encode(), call_id.encode())
            peer.send_octets(mine.replace((invite.from_tag or "").encode(), tags.mint(call_id).encode()), invite)
            if number % 20 == 19:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert [each.method for each in peer.requests] == ["ACK", "BYE"] * MOST
        assert f"call-{MOST}" not in {each.call_id for each in peer.requests}
        assert (count(alice, LATE, "hung_up"), count(alice, LATE, "ignored")) == (MOST, 1)
        await asyncio.sleep(TIMER_B + 1)
        peer.send_octets(first, invite)
        await asyncio.sleep(0.1)
        assert peer.requests[-1].call_id == invite.call_id

    after_timer_b(scenario, lambda request: [])


def test_a_tag_is_known_by_its_call_id_and_the_secret_of_its_slot() -> None:
    octets = iter(range(256))
    tokens = Tokens(lambda number: bytes(next(octets) for _ in range(1)) * number)
    tags = LocalTags(tokens, b"secret")
    made = [tags.mint(f"call-{number}") for number in range(3)]
    assert all(tags.minted(f"call-{number}", tag) for number, tag in enumerate(made))
    assert LocalTags(tokens, b"secret").minted("call-0", made[0])  # of the next process
    assert not LocalTags(tokens, b"other").minted("call-0", made[0])
    for tag in (made[1][::-1], made[1][:-1], made[1] + "0", "", "ü" * 20, "\udcff", "0" * 20):
        assert not tags.minted("call-1", tag)
    assert not tags.minted("call-2", made[1])


@pytest.mark.parametrize("age", [0.0, 31.0, 33.0])
def test_the_bye_says_when_a_process_has_died_whose_call_it_may_be(age: float) -> None:
    async def scenario(alice: UserAgent, peer: Peer, invite: Request) -> None:
        late = worker_of(alice).arrivals._take_late.__self__  # type: ignore[attr-defined]
        assert isinstance(late, LateAnswers)
        late.succeeded(asyncio.get_running_loop().time() - age)
        peer.send(answered(invite, "a", peer.uri("there")), invite)
        await asyncio.sleep(0.5)
        bye = peer.requests[1]
        assert bye.method == "BYE"
        assert bye.headers.get("Reason") == (REASON[1] if age < 32.0 else None)

    after_timer_b(scenario)
