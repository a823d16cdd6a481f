"""Transfer between three user agents of ours, blind and attended (RFC 3515, 3891, 5589; C34)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request
from tests.e2e.agents import address_of, agent, note
from tests.e2e.waiting import until


def run(scenario: Callable[[UserAgent, UserAgent, UserAgent], Any]) -> None:
    async def main() -> None:
        alice, bob, carol = (agent(f"sip:{name}@127.0.0.1") for name in ("alice", "bob", "carol"))
        async with asyncio.timeout(30), alice, bob, carol:
            await scenario(alice, bob, carol)

    asyncio.run(main())


def test_a_blind_transfer_is_carried_out_and_reported() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> None:
        at_carol: list[Call] = []
        asked: list[str] = []
        bob.listen()
        bob.take_transfers(lambda call, target: note(asked, target))
        carol.listen(cb_create=lambda call, request: note(at_carol, call))
        call = await alice.invite(address_of(bob))
        await call.transfer(address_of(carol, "carol"))
        assert asked == [address_of(carol, "carol")]
        assert at_carol[0].get_peer() == "<sip:bob@127.0.0.1>"
        assert call.is_up
        await call.bye()
        assert at_carol[0].is_up
        await at_carol[0].bye()

    run(scenario)


def test_a_transfer_that_the_target_refuses_is_reported_with_its_status() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> None:
        bob.listen()
        bob.take_transfers()
        carol.listen(cb_create=lambda call, request: None, refuse_status=486)
        call = await alice.invite(address_of(bob))
        with pytest.raises(CallRejected) as refused:
            await call.transfer(address_of(carol))
        assert refused.value.status == 486
        bob.take_transfers(lambda call, target: False)
        with pytest.raises(CallRejected) as refused:
            await call.transfer(address_of(carol))
        assert refused.value.status == 603
        await call.bye()

    run(scenario)


def test_a_transfer_by_another_method_than_invite_is_declined_and_calls_nobody() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> None:
        asked: list[str] = []
        at_carol: list[Request] = []
        bob.listen()
        bob.take_transfers(lambda call, target: note(asked, target))
        carol.listen(cb_create=lambda call, request: note(at_carol, request))
        call = await alice.invite(address_of(bob))
        for method in ("BYE", "SUBSCRIBE"):
            with pytest.raises(CallRejected) as refused:
                await call.transfer(f"{address_of(carol)};method={method}")
            assert refused.value.status == 603
        assert not asked
        assert not at_carol
        await call.transfer(f"{address_of(carol)};method=INVITE")
        assert asked == [address_of(carol)]
        assert len(at_carol) == 1
        await call.bye()

    run(scenario)


def test_an_attended_transfer_joins_the_two_peers_and_ends_the_replaced_call() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> None:
        ended: list[Any] = []
        bob.listen()
        bob.take_transfers()
        invites: list[Request] = []
        carol.listen(cb_invite=lambda call, request: note(invites, request))
        to_bob = await alice.invite(address_of(bob))
        to_carol = await alice.invite(address_of(carol), recv_bye=lambda param: note(ended, "replaced"))
        await to_bob.transfer(to_carol)
        await until(lambda: ended == ["replaced"])
        assert not to_carol.is_up
        await to_bob.bye()
        assert len(invites) == 1  # the one with Replaces is taken without asking

    run(scenario)


def test_an_invite_that_replaces_an_unknown_call_is_481() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent, carol: UserAgent) -> None:
        bob.listen()
        with pytest.raises(CallRejected) as refused:
            await alice.invite(address_of(bob), sip_header={"Replaces": "nobody@nowhere;to-tag=1;from-tag=2"})
        assert refused.value.status == 481

    run(scenario)
