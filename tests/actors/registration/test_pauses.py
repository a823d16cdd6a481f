"""Registrations of a process that stood still: each is refreshed once, not all at once, also when its time was over."""

import asyncio
import random
from itertools import count
from typing import Any

import pytest

from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.registration.keeper import Registrations
from sipswarm.actors.runtime.actor_loop import ActorLoop
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.usage.registration import (
    Registered,
    Registration,
    RegistrationEvent,
    RegistrationLapsed,
    RegistrationSettings,
)
from tests.actors.virtual_loop import VirtualLoop, run

US, REGISTRAR = Hop("udp", "192.0.2.10", 5060), Hop("udp", "192.0.2.1", 5060)
NUMBER = 700
EXPIRES = 900
ANSWERED_AFTER = 0.02
"""Seconds."""


class Registrar:
    """Answers each REGISTER of a worker's registrations, and notes when it came.

    Attributes:
        came: the seconds at which each REGISTER came, by Call-ID and CSeq number.
        copies: number of repeated ones.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox[Any](1)
        self.actors: dict[str, Any] = {}
        self.came: dict[tuple[str, int], float] = {}
        self.copies = 0
        self.actor_loop = ActorLoop(
            self.loop, empty=self.read, forget=lambda actor: None, fraction=random.Random(2).random
        )
        self.actor_loop.now = self.loop.time

    def read(self) -> None:
        """Take what leaves."""
        transmits, self.outbox.transmits = self.outbox.transmits, []
        for each in transmits:
            request = parse(each.data)
            assert isinstance(request, Request)
            key = request.call_id, request.cseq.number
            self.copies += key in self.came
            self.came.setdefault(key, self.loop.time())
            self.loop.call_later(ANSWERED_AFTER, self.answer, request)

    def answer(self, request: Request) -> None:
        """Bind its contact."""
        contact = f"{request.headers.get('Contact')};expires={EXPIRES}"
        actor = self.actors[request.call_id]
        response = Response.to_request(request, 200, extra=[("Contact", contact)])
        actor.receive(response, REGISTRAR, 0, self.loop.time())
        self.actor_loop.touch(actor)


@pytest.mark.parametrize("pause", [EXPIRES - 10, EXPIRES + 100, 86400])
def test_what_a_pause_made_late_is_refreshed_once_and_over_a_second(pause: float) -> None:
    async def main() -> None:
        registrar = Registrar()
        loop, outbox = registrar.loop, registrar.outbox
        assert isinstance(loop, VirtualLoop)
        tokens, numbers = Tokens(random.Random(1).randbytes), count()
        registrations = Registrations(
            registrar.actor_loop,
            outbox,
            Totals(),
            new=lambda settings: Registration(settings, tokens, call_id=f"call{next(numbers)}"),
            add=lambda actor, key: registrar.actors.update({key[0]: actor}),
            toward=lambda hop: (US, US),
            workers=1,
            may_begin=lambda: True,
            removed=lambda: None,
        )
        events: list[RegistrationEvent] = []
        for number in range(NUMBER):
            contact = f"<sip:u{number}@192.0.2.10>"
            settings = RegistrationSettings(
                "sip:192.0.2.1", f"<sip:u{number}@example.org>", (contact,), US, REGISTRAR, EXPIRES, bound=US
            )
            registrations.begin(settings, events.append)
        await asyncio.sleep(1.0)
        assert len(events) == NUMBER
        assert all(isinstance(each, Registered) for each in events)
        events.clear()
        registrar.came.clear()

        loop.stand_still(pause)
        went_on = loop.time()
        await asyncio.sleep(2.0)
        refreshes = [at - went_on for at in registrar.came.values()]
        late = [each for each in refreshes if each <= 1.05]
        # Those that were granted more time than the pause took are refreshed at their own times.
        assert len(late) >= NUMBER * 0.95
        tenths = [int(each * 10) for each in late]
        assert min(tenths) >= 3
        assert max(tenths.count(tenth) for tenth in range(11)) < NUMBER / 4
        assert registrar.copies == 0
        assert len({call_id for call_id, _ in registrar.came}) == len(registrar.came), "one REGISTER for each"
        lapsed = [each for each in events if isinstance(each, RegistrationLapsed)]
        assert len(lapsed) == (NUMBER if pause > EXPIRES else 0)
        await asyncio.sleep(15.0)
        assert sum(isinstance(each, Registered) for each in events) == NUMBER
        bound = [actor.registration.bound_until for actor in registrar.actors.values()]
        assert all(until is not None and until > loop.time() for until in bound)

    run(main)
