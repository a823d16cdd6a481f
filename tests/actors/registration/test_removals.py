"""Many removals at the end: a registrar that answers gets no more than it takes, a silent one gets all in time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.registration.keeper import REMOVAL_TIME, Registrations
from sipswarm.actors.registration.removals import MOST_UNANSWERED, STALL
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.usage.registration import Registration, RegistrationSettings
from tests.actors.virtual_loop import run

US, REGISTRAR = Hop("udp", "192.0.2.10", 5060), Hop("udp", "192.0.2.1", 5060)
NUMBER = 1500


class Node:
    """The registrations of a worker, all bound, and the removals that have left."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        actor_loop: Any = SimpleNamespace(
            loop=loop,
            now=loop.time,
            guarded=lambda actor, action, *arguments: action(*arguments),
            touch=lambda actor: None,
            spawn=lambda work: None,
        )
        self.outbox = Outbox[Any](1)
        self.actors: dict[str, Any] = {}
        tokens, numbers = Tokens(random.Random(1).randbytes), count()
        self.registrations = Registrations(
            actor_loop,
            self.outbox,
            Totals(),
            new=lambda settings: Registration(settings, tokens, call_id=f"call{next(numbers)}"),
            add=lambda actor, key: self.actors.update({key[0]: actor}),
            toward=lambda hop: (US, US),
            workers=1,
            may_begin=lambda: True,
            removed=lambda: None,
        )
        for number in range(NUMBER):
            contact = f"<sip:u{number}@192.0.2.10>"
            settings = RegistrationSettings(
                "sip:192.0.2.1", f"<sip:u{number}@example.org>", (contact,), US, REGISTRAR, 900, bound=US
            )
            self.registrations.begin(settings)
        self.unanswered: list[Request] = []
        self.read()
        self.answer(NUMBER, "900")

    def read(self) -> int:
        """Take what has left; returns how many REGISTERs have no answer."""
        for each in self.outbox.transmits:
            message = parse(each.data)
            assert isinstance(message, Request)
            self.unanswered.append(message)
        self.outbox.transmits.clear()
        return len(self.unanswered)

    def answer(self, number: int, expires: str = "0", status: int = 200) -> None:
        """The registrar answers the oldest ones."""
        now = asyncio.get_running_loop().time()
        for request in self.unanswered[:number]:
            contact = request.headers.get("Contact") or ""
            extra = [("Contact", f"{contact};expires={expires}")] if expires != "0" else []
            self.actors[request.call_id].receive(Response.to_request(request, status, extra=extra), REGISTRAR, 0, now)
        del self.unanswered[:number]


def scene(play: Callable[[Node], Awaitable[None]]) -> None:
    async def main() -> None:
        await play(Node())

    run(main)


@pytest.mark.parametrize(("answers", "seconds"), [(40, REMOVAL_TIME), (2, NUMBER / 200)], ids=["fast", "slow"])
def test_a_registrar_that_answers_never_has_more_than_it_can_take(answers: int, seconds: float) -> None:
    async def play(node: Node) -> None:
        began = asyncio.get_running_loop().time()
        node.registrations.remove_all()
        most = 0
        while node.registrations.removing:
            await asyncio.sleep(0.01)
            most = max(most, node.read())
            node.answer(answers)
        assert most <= MOST_UNANSWERED
        assert asyncio.get_running_loop().time() - began == pytest.approx(seconds, rel=0.1)

    scene(play)


def test_a_removal_that_an_overloaded_registrar_refuses_is_tried_again() -> None:
    async def play(node: Node) -> None:
        node.registrations.remove_all()
        await asyncio.sleep(0.2)
        assert node.read() == MOST_UNANSWERED
        refused = node.unanswered[0].from_
        node.answer(1, status=503)
        node.answer(1, status=403)
        again: list[Request] = []
        while node.registrations.removing:
            await asyncio.sleep(0.01)
            node.read()
            again += [each for each in node.unanswered[:20] if each.from_.uri == refused.uri]
            node.answer(20)
        assert len(again) == 1
        assert again[0].expires == 0 or "expires=0" in (again[0].headers.get("Contact") or "")

    scene(play)


def test_a_silent_registrar_gets_all_of_them_in_time() -> None:
    async def play(node: Node) -> None:
        node.registrations.remove_all()
        await asyncio.sleep(STALL / 2)
        assert node.read() == MOST_UNANSWERED
        await asyncio.sleep(STALL / 2 + REMOVAL_TIME + 0.1)
        assert node.read() == NUMBER

    scene(play)
