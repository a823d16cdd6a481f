"""Encrypted media between two user agents: keys in the descriptions, packets under them (RFC 4568, RFC 3711)."""

import asyncio

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.runtime.callbacks import StopVariable
from tests.e2e.agents import address_of, agent
from tests.e2e.waiting import pass_time, until

pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")


def protocol_and_keys(call: Call) -> tuple[str, int]:
    """What the newest description of the peer says of its one line: the protocol, and how many keys."""
    assert call.param.sdp_peer is not None
    line = call.param.sdp_peer.media[0]
    return line.protocol, len(line.crypto)


async def talk(alice: UserAgent, bob: UserAgent) -> tuple[Call, list[object]]:
    """A call with a digit and some audio each way, until both are there; the call and what bob heard."""
    heard: list[object] = []
    bob.listen(cb_dtmf=lambda event, duration: heard.append(event))
    call = await alice.invite(address_of(bob))
    await call.dtmf("7")
    await until(lambda: bool(heard))
    await pass_time(0.3)
    await call.bye()
    await call.over()
    return call, heard


MODES = [
    ("required", "required", ("RTP/SAVP", 1)),
    ("required", "optional", ("RTP/SAVP", 1)),
    ("optional", "optional", ("RTP/AVP", 0)),
    ("optional", "off", ("RTP/AVP", 0)),
]


@pytest.mark.parametrize(("caller", "called", "answered"), MODES)
def test_two_sides_agree_and_hear_each_other(caller: str, called: str, answered: tuple[str, int]) -> None:
    async def main() -> None:
        alice = agent(srtp=caller)
        bob = agent("sip:bob@127.0.0.1", srtp=called)
        async with asyncio.timeout(30), alice, bob:
            call, heard = await talk(alice, bob)
            assert heard == ["7"]
            assert protocol_and_keys(call) == answered
            statistics = call.statistics
            assert statistics is not None
            assert statistics.packets_received > 10
            assert statistics.packets_lost == 0

    asyncio.run(main())


@pytest.mark.parametrize(("caller", "called"), [("required", "off"), ("optional", "required"), ("off", "required")])
def test_sides_that_cannot_agree_do_not_talk(caller: str, called: str) -> None:
    async def main() -> None:
        alice = agent(srtp=caller)
        bob = agent("sip:bob@127.0.0.1", srtp=called)
        async with asyncio.timeout(30), alice, bob:
            bob.listen()
            with pytest.raises(CallRejected) as refused:
                await alice.invite(address_of(bob))
            assert refused.value.status == 488

    asyncio.run(main())


def test_a_reinvite_keeps_the_keys_and_the_media() -> None:
    async def main() -> None:
        alice = agent(srtp="required")
        bob = agent("sip:bob@127.0.0.1", srtp="required")
        heard = StopVariable()
        async with asyncio.timeout(30), alice, bob:
            bob.listen(cb_dtmf=heard)
            call = await alice.invite(address_of(bob))
            await call.reinvite()
            await call.dtmf("5")
            await until(lambda: bool(heard))
            await call.bye()

    asyncio.run(main())


def test_a_word_that_is_no_mode_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="off, optional or required"):
        agent(srtp="yes")


def test_an_encrypted_call_stays_encrypted_whoever_offers_next() -> None:
    """The callee would take plain calls too; what it offers itself is encrypted all the same."""

    async def main() -> None:
        alice = agent(srtp="required")
        bob = agent("sip:bob@127.0.0.1", srtp="optional")
        answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def robot(call: Call) -> None:
            await call.answer()
            answered.set_result(call)
            await call.over()

        async with asyncio.timeout(40), alice, bob:
            bob.listen(robot)
            call = await alice.invite(address_of(bob))
            callee = await answered
            await callee.hold()
            assert protocol_and_keys(call)[0] == "RTP/SAVP"
            await callee.resume()
            assert protocol_and_keys(call)[0] == "RTP/SAVP"
            await callee.reinvite(clear_sdp=True)
            assert protocol_and_keys(call)[0] == "RTP/SAVP"
            await call.reinvite(sdp_on_ack=True)
            assert protocol_and_keys(call)[0] == "RTP/SAVP", "the offer in the 2xx to an INVITE without one"
            await pass_time(0.3)
            await call.bye()
            await call.over()
            assert call.statistics is not None
            assert call.statistics.packets_received > 10

    asyncio.run(main())
