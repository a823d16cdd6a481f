"""Attended transfer to a node of two call workers: the call taken over lives in the other slot (RFC 3891, 5589)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipswarm.actors.agent.placing import Placing
from sipswarm.actors.bus.slots import slot_of
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from tests.e2e.agents import address_of, agent
from tests.e2e.test_processes import node
from tests.e2e.test_processes import target as target_of
from tests.e2e.waiting import until

KEY = 20261123
"""of the node, so that a test can tell the slot of a Call-ID"""
CONFIG = NodeConfig(
    "",
    (Listener("udp", "127.0.0.1", 0),),
    KEY,
    call_workers=2,
    answer=AnswerConfig(),
    rtp_ports=(32000, 32498),
)


@asynccontextmanager
async def carol(folder: Path) -> AsyncIterator[str]:
    """A node with two call workers that answers; its SIP URI."""
    async with node(folder / "run", CONFIG) as supervisor:
        yield target_of(supervisor)


def slot(call_id: str) -> int:
    return slot_of(call_id.encode(), KEY, 2)


def call_id_in(number: int, name: str) -> str:
    """A Call-ID that falls into a slot."""
    return next(each for each in (f"{name}-{n}@127.0.0.1" for n in range(100)) if slot(each) == number)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await scenario()

    asyncio.run(bounded())


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("second", [0, 1])
def test_a_call_is_taken_over_by_an_invite_of_either_slot(tmp_path: Path, first: int, second: int) -> None:
    async def scenario() -> None:
        async with carol(tmp_path) as target, agent() as alice, agent() as bob:
            old = await alice.invite(target, call_id=call_id_in(first, "old"))
            replaces = old.actor.session.replaces_of()
            assert replaces is not None
            header = {"Replaces": str(replaces)}
            new = await bob.invite(target, call_id=call_id_in(second, "new"), sip_header=header)
            await until(lambda: not old.is_up)
            assert (old.cause, old.by) == ("bye", "remote")
            assert new.is_up
            await new.bye()
            with pytest.raises(CallRejected) as refused:  # RFC 3891 section 3: the dialog has ended
                await bob.invite(target, call_id=call_id_in(1 - first, "late"), sip_header=header)
            assert refused.value.status == 603

    run(scenario)


def test_what_the_other_slot_refuses_is_refused_and_leaves_the_call_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with carol(tmp_path) as target, agent() as alice, agent() as bob:
            old = await alice.invite(target, call_id=call_id_in(0, "old"))
            replaces = old.actor.session.replaces_of()
            assert replaces is not None
            wrong = [
                (f"{replaces};early-only", 486),
                (str(replaces._replace(from_tag="another")), 481),
                (str(replaces._replace(to_tag="another")), 481),
                (f"{call_id_in(0, 'none')};to-tag=1;from-tag=2", 481),
            ]
            for value, status in wrong:
                call_id = call_id_in(1, f"wrong-{wrong.index((value, status))}")
                with pytest.raises(CallRejected) as refused:
                    await bob.invite(target, call_id=call_id, sip_header={"Replaces": value})
                assert refused.value.status == status, value
            assert old.is_up
            await old.bye()

    run(scenario)


def test_attended_transfers_join_two_peers_whatever_slots_their_calls_are_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with carol(tmp_path) as target, agent() as alice, agent() as bob:
            taken: list[Call] = []
            bob.listen(media="silence")
            placed: list[Call] = []
            bob.placing_as(Placing(media="tone:440", on_placed=placed.append)).take_transfers()
            crossed = 0

            async def transfer(number: int) -> None:
                nonlocal crossed
                to_bob = await alice.invite(address_of(bob))
                to_carol = await alice.invite(target, call_id=call_id_in(number, f"old-{len(taken)}"))
                await to_bob.transfer(to_carol)
                await until(lambda: not to_carol.is_up)
                taken.append(to_carol)
                crossed += slot(placed[-1].call_id) != number
                await to_bob.bye()

            attempts = 0
            while crossed < 2:  # the Call-ID of bob's call is his own: which slot it falls into is chance
                assert attempts < 30
                await transfer(attempts % 2)
                attempts += 1
            assert [call.by for call in taken] == ["remote"] * attempts
            assert all(call.is_up for call in placed)
            await until(lambda: all(call.statistics and call.statistics.packets_received > 5 for call in placed))
            await asyncio.gather(*(call.bye() for call in placed))
            assert all(call.statistics and call.statistics.packets_received > 5 for call in placed)

    run(scenario)
