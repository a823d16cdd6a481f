"""The built-in answering robot in one loop with its caller: what each of its options does to a call."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors.call import Call
from actors.config import AnswerConfig, Listener, NodeConfig
from actors.errors import CallRejected, ConfigurationError
from actors.node import EmbeddedNode
from actors.robots import media_wishes
from actors.user_agent import UserAgent
from tests.e2e.agents import agent, rtp_ports


def answered_by(config: AnswerConfig, scenario: Callable[[UserAgent, str], Awaitable[None]]) -> None:
    """Run a caller against a node with this answering robot."""

    async def main() -> None:
        listener = Listener.parse("udp:127.0.0.1:0")
        node = EmbeddedNode(NodeConfig("", (listener,), 0, rtp_ports=rtp_ports(), answer=config))
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
