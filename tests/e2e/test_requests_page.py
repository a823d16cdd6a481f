"""docs/requests.md: its Python runs between two user agents and a notifier."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request

from .agents import Peer, address_of, agent, run
from .test_subscriptions import Notifier

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "requests.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def functions() -> dict[str, Callable[..., Any]]:
    """What the Python of the page defines, all of it in one module."""
    found: dict[str, Any] = {"__name__": "page"}
    exec(compile("".join(PYTHON), "<docs/requests.md>", "exec"), found)
    return {name: each for name, each in found.items() if getattr(each, "__module__", "") == "page"}


DEFINED = functions()


def test_every_function_of_the_page_is_run_here() -> None:
    assert set(DEFINED) == {"probe", "text", "publish", "answer_messages", "watch_mailbox", "fetch", "doorbell"}


def test_a_trunk_is_probed_and_messages_and_states_arrive() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        texts: list[str] = []
        await DEFINED["answer_messages"](bob, texts)
        assert await DEFINED["probe"](alice, address_of(bob)) == "480 Temporarily Unavailable"
        bob.listen()
        assert await DEFINED["probe"](alice, address_of(bob)) == (
            "200, INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, MESSAGE, PUBLISH"
        )
        await DEFINED["text"](alice, address_of(bob))
        assert texts == ["The build has failed."]
        assert await DEFINED["publish"](alice, address_of(bob), "<presence/>") == "1"

    run(scenario)


def test_a_mailbox_is_watched_until_it_is_empty_and_a_state_fetched() -> None:
    class Mailbox(Notifier):
        def notify(self, state: str, **more: str) -> None:
            count = sum(each.method == "SUBSCRIBE" for each in self.requests)
            super().notify(state, body="Messages-Waiting: yes" if count == 1 else "gone", **more)

    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice, Mailbox() as box:

            async def empties() -> None:
                while not box.statuses:
                    await asyncio.sleep(0.01)
                Notifier.notify(box, "active", body="Messages-Waiting: no")

            emptied = asyncio.create_task(empties())
            waiting, reason = await DEFINED["watch_mailbox"](alice, box.uri())
            await emptied
            assert waiting == ["Messages-Waiting: yes", "Messages-Waiting: no", "gone"]
            assert reason == "timeout"
            assert await DEFINED["fetch"](alice, box.uri()) == [b"gone"]

    asyncio.run(main())


def test_a_dead_trunk_is_told() -> None:
    def silent(request: Request) -> list[Any]:
        return []

    async def main() -> None:
        async with agent() as alice, Peer(silent) as trunk:
            ua = _impatient(alice)
            assert (await DEFINED["probe"](ua, trunk.uri())).startswith("dead: no answer to OPTIONS")

    asyncio.run(main())


def _impatient(ua: UserAgent) -> Any:
    """The same user agent with a short `timeout` of each request."""

    class Impatient:
        async def request(self, method: str, to: str, *, timeout: float) -> Any:
            return await ua.request(method, to, timeout=timeout / 50)

    return Impatient()


def test_a_doorbell_tells_its_subscriber_and_ends_the_subscription() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        rang = asyncio.Event()
        bell = asyncio.create_task(DEFINED["doorbell"](bob, rang))
        await asyncio.sleep(0)
        with pytest.raises(CallRejected) as refused:
            await alice.subscribe(address_of(bob), "presence")
        assert refused.value.status == 489
        subscription = await alice.subscribe(address_of(bob), "doorbell")
        rang.set()
        assert [each.body async for each in subscription] == [b"quiet", b"ringing", b"ringing"]
        assert await bell == ["noresource"]
        assert subscription.reason == "noresource"

    run(scenario)
