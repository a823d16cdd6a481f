"""The registrations of one call worker: begun at a bounded rate, kept as a list requires, removed before the end.

Thousands of addresses are bound one after the other, so that a start, a reload or an end does not flood a registrar.
`settle` compares the wanted list with the kept one: new bindings wait for their turn, equal ones stay, others are
removed. A registrar without an answer is looked up again. `remove_all` removes every binding, at a rate that ends
within `REMOVAL_TIME` where the registrar is as fast: while it answers, a bounded number is on its way (`removals`). A
process that replaces one that died removes what that one may have bound, too.
`sipcore.usage.registration` decides when a binding is refreshed (RFC 3261 section 10.2); its delays are random, so that
the refreshes stay spread. The keeper must not read a user's file: `Arrangement` gives the list.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import (
    Registered,
    Registration,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationLapsed,
    RegistrationSettings,
    RegistrationState,
    Unregistered,
)

from ..counting.totals import Totals
from ..errors import ConfigurationError
from ..identity import Auth, Keyring, contact_at
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox
from .actor import RegistrationActor
from .metrics import RegistrationMetrics
from .registrars import Find, Registrars
from .removals import AGAIN, Removals

RATE: Final = 100.0
"""REGISTERs per second of a whole node that begin a registration, unless the list sets another rate."""
REMOVAL_TIME: Final = 3.0
"""Seconds within which the last removal of a drain is sent, however many there are."""
OVERLOADED: Final = 503
STEP: Final = 0.01
"""Seconds between two groups of REGISTERs at least."""
UNBOUND_WAIT: Final = 0.5
"""Seconds to wait at the end for a registrar that has never answered."""
MAX_BINDINGS: Final = 20_000
"""Bindings that one worker keeps at most."""
SAID_EVERY: Final = 10.0
"""Seconds between two log lines about registrations that fail."""
_GONE: Final = (RegistrationState.IDLE, RegistrationState.WAITING, RegistrationState.ENDED)
_logger = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Address, registrar and contact, which no two bindings have in common."""


class Binding(NamedTuple):
    """An address that is to be kept registered."""

    address: str
    """SIP URI."""
    registrar: str
    """SIP URI."""
    contact: str = ""
    """SIP URI; empty = the address's user at the listener that reaches the registrar."""
    auth: Auth | None = None
    expires: int = 900
    """Seconds to request."""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> Key:
        """Address, registrar and contact."""
        return self.address, self.registrar, self.contact


class Kept(NamedTuple):
    """A binding and its actor; None while it waits for its turn."""

    binding: Binding
    actor: RegistrationActor | None


class Registrations:
    """The registrations of one call worker.

    Args:
        new: makes a registration whose Call-ID belongs to this slot.
        add: routes responses with a key to a registration.
        toward: returns the address that a registrar sees and that of the socket; raises ConfigurationError.
        workers: number of call workers of the node.
        may_begin: whether a new registration may begin.
        removed: called when a removal is answered, or is waited for no longer.
        succeeds: a process before this one may have bound what its list holds: at the end the bindings that have not
            begun here are removed too.
    """

    def __init__(
        self,
        actor_loop: ActorLoop,
        outbox: Outbox[Any],
        totals: Totals,
        *,
        new: Callable[[RegistrationSettings], Registration],
        add: Callable[[RegistrationActor, tuple[str, str]], None],
        toward: Callable[[Hop], tuple[Hop, Hop]],
        workers: int,
        may_begin: Callable[[], bool],
        removed: Callable[[], None],
        succeeds: bool = False,
    ) -> None:
        self.metrics = RegistrationMetrics(totals)
        self.rate = RATE / workers
        """REGISTERs per second of this worker that begin or remove a registration."""
        self._actor_loop = actor_loop
        self._outbox = outbox
        self._new = new
        self._add = add
        self._toward = toward
        self._workers = workers
        self._may_begin = may_begin
        self._removed = removed
        self._succeeds = succeeds
        self._ending = False
        """The bindings are removed, those of a list that comes later too."""
        self._actors: dict[tuple[str, str], RegistrationActor] = {}
        self._kept: dict[Key, Kept] = {}
        self._registrars = Registrars(self._is_reached)
        self._waiting: deque[Binding | RegistrationActor] = deque()
        self._stepping = False
        self._removals = Removals()
        self._failing: set[tuple[str, str]] = set()
        self._said_at = -SAID_EVERY

    # ---- reading

    @property
    def count(self) -> int:
        """Number of live registrations, bound or not."""
        return len(self._actors)

    @property
    def waiting(self) -> int:
        """Number of REGISTERs that wait for their turn."""
        return len(self._waiting)

    @property
    def removing(self) -> int:
        """Number of removals without an answer, those that wait for their turn included."""
        return len(self._removals)

    def kept(self, binding: Binding) -> RegistrationActor | None:
        """Return the actor that keeps exactly this binding; None without one."""
        known = self._kept.get(binding.key)
        return known.actor if known is not None and known.binding == binding else None

    # ---- one registration

    def begin(
        self,
        settings: RegistrationSettings,
        on_event: Callable[[RegistrationEvent], None] | None = None,
        challenge: Response | None = None,
        on_crash: Callable[[], None] | None = None,
    ) -> RegistrationActor:
        """Bind contacts and keep them bound.

        Args:
            on_event: called with each event.
            challenge: a 401 or 407 to be answered at once.
            on_crash: called when a failure of the program has ended it, after which no event comes.

        Raises:
            ConfigurationError: there are no credentials for the challenge.
        """
        actor = self._make(settings, on_event, challenge, on_crash)
        actor.register(self._actor_loop.now())
        self._actor_loop.touch(actor)
        return actor

    def _make(
        self,
        settings: RegistrationSettings,
        on_event: Callable[[RegistrationEvent], None] | None = None,
        challenge: Response | None = None,
        on_crash: Callable[[], None] | None = None,
    ) -> RegistrationActor:
        """Return a registration that has sent nothing yet, as `begin` does."""
        registration = self._new(settings)
        if challenge is not None and not registration.authorize(challenge):
            raise ConfigurationError("resp40x: there are no local credentials for its realm; give auth")

        def happened(actor: RegistrationActor, event: RegistrationEvent) -> None:
            self.happened(actor, event)
            if on_event is not None:
                on_event(event)

        actor = RegistrationActor(registration, self._outbox, self.metrics, happened, on_crash)
        self._add(actor, actor.key)
        self._actors[actor.key] = actor
        return actor

    def happened(self, actor: RegistrationActor, event: RegistrationEvent) -> None:
        """Take an event of a registration: note its removal or failure, and look up a registrar that did not answer."""
        if isinstance(event, Unregistered):
            self._removals.answered(actor.key, self._actor_loop.now())
            if event.status == OVERLOADED and event.response is not None and self._ending:
                self._remove_again(actor.registration.settings)
            self._removed()
        elif isinstance(event, Registered):
            self._failing.discard(actor.key)
        elif isinstance(event, RegistrationFailed | RegistrationLapsed):
            self._failing.add(actor.key)
            self._say(actor, event)
            if isinstance(event, RegistrationFailed) and event.response is None:
                self._look_again(actor.registration.settings.registrar)

    def forget(self, actor: RegistrationActor) -> None:
        """Release a registration that is finished."""
        self._actors.pop(actor.key, None)
        self._removals.discard(actor.key)
        self._failing.discard(actor.key)

    def _remove_again(self, settings: RegistrationSettings) -> None:
        """Try a removal again in a moment that an overloaded registrar has refused."""
        actor = self._make(settings)
        self._removals.add(actor.key)
        self._actor_loop.loop.call_later(AGAIN, self._remove_soon, actor)

    def _say(self, actor: RegistrationActor, event: RegistrationFailed | RegistrationLapsed) -> None:
        now = self._actor_loop.now()
        if now - self._said_at < SAID_EVERY:
            return
        self._said_at = now
        reason = "its binding ran out"
        if isinstance(event, RegistrationFailed):
            reason = f"{event.status} {event.response.reason}" if event.response is not None else "no answer"
        address = actor.registration.settings.address
        _logger.warning(
            "%d of %d registrations fail, the last one %s: %s", len(self._failing), len(self._actors), address, reason
        )

    # ---- a list of them

    def set_pace(self, rate: float) -> None:
        """Set how many registrations begin or are removed per second of the whole node.

        Args:
            rate: per second; 0 = `RATE`.
        """
        self.rate = (rate if rate > 0 else RATE) / self._workers

    def settle(
        self,
        wanted: Mapping[Key, Binding],
        made: Mapping[Key, RegistrationActor],
        hops: Mapping[str, Hop],
        find: Find | None = None,
    ) -> None:
        """Keep these bindings from now on: begin new ones, remove those that are not in the list, leave equal ones.

        Args:
            made: registrations of `wanted` that were begun already.
            hops: hop of each registrar.
            find: looks up a registrar that does not answer.
        """
        self._registrars.replace(hops, find)
        before, self._kept = self._kept, {}
        again = {key for key, old in before.items() if wanted.get(key) != old.binding}
        self._waiting = deque(
            each for each in self._waiting if isinstance(each, RegistrationActor) or each.key not in again
        )
        for key in again:
            actor = before[key].actor
            if key in wanted:
                self._abandon(actor)  # its successor binds the same contact
            elif actor is not None:
                self._remove_soon(actor)
        for key, binding in wanted.items():
            actor = made.get(key)
            if key in before and key not in again:
                old = before[key]
                if actor is None or actor is old.actor:
                    self._kept[key] = old
                    continue
                self._abandon(old.actor)
            self._kept[key] = Kept(binding, actor)
            if actor is None:
                self._waiting.append(binding)
        if self._ending:
            self._remove_inherited()
        self._step_soon()

    def _look_again(self, registrar: str) -> None:
        if self._registrars.is_due(registrar, self._actor_loop.now()):
            self._actor_loop.spawn(self._move(registrar))

    async def _move(self, registrar: str) -> None:
        """Send to another place of a registrar that does not answer, if there is one (RFC 3263 section 4.3)."""
        hop = await self._registrars.next_place(registrar)
        if hop is not None:
            for binding, actor in self._kept.values():
                if binding.registrar == registrar and actor is not None:
                    actor.registration.move(self._way(binding, hop))

    def _is_reached(self, hop: Hop) -> bool:
        try:
            self._toward(hop)
        except ConfigurationError:
            return False
        return True

    def _way(self, binding: Binding, hop: Hop) -> Way:
        """Return the way of a binding by a hop of its registrar."""
        seen, bound = self._toward(hop)
        return Way(hop, seen, (binding.contact or contact_at(Uri.parse(binding.address).user or "", seen),), bound)

    def remove_all(self) -> None:
        """Remove every live binding, soon enough for the end of the process."""
        self._waiting.clear()
        for actor in list(self._actors.values()):
            unbound = actor.registration.bound_until is None
            if actor.stopped or (unbound and actor.registration.state in _GONE):
                continue
            self._remove_soon(actor)
            if unbound:  # its first REGISTER was sent: an answer would have come soon
                self._actor_loop.loop.call_later(UNBOUND_WAIT, self._wait_no_more, actor)
        self._ending = True
        self._remove_inherited()
        self.rate = max(self.rate, len(self._waiting) / REMOVAL_TIME)

    def _remove_inherited(self) -> None:
        """Remove the bindings that have not begun here, but maybe in the process before, with the same contact."""
        if self._succeeds:
            for key, (binding, actor) in self._kept.items():
                if actor is None:
                    self._kept[key] = Kept(binding, removal := self._make(self._settings(binding)))
                    self._remove_soon(removal)

    def _abandon(self, actor: RegistrationActor | None) -> None:
        if actor is not None:
            actor.abandon()
            self._actor_loop.touch(actor)

    def _wait_no_more(self, actor: RegistrationActor) -> None:
        self._removals.discard(actor.key)
        self._removed()

    def _remove_soon(self, actor: RegistrationActor) -> None:
        self._removals.add(actor.key)
        self._waiting.append(actor)
        self._step_soon()

    # ---- the pace

    def _step_soon(self) -> None:
        if not self._stepping and self._waiting:
            self._stepping = True
            self._actor_loop.loop.call_soon(self._step)

    def _step(self) -> None:
        interval = max(STEP, 1.0 / self.rate)
        handful = min(len(self._waiting), round(interval * self.rate))
        handful = self._removals.room(handful, self._actor_loop.now())
        self._stepping = len(self._waiting) > handful
        if self._stepping:  # armed first: a failure of one of them must not stop the others
            self._actor_loop.loop.call_later(interval, self._step)
        for _ in range(handful):
            next_one = self._waiting.popleft()
            if isinstance(next_one, RegistrationActor):
                now = self._actor_loop.now()
                self._removals.sent(next_one.key, now)
                self._actor_loop.guarded(next_one, next_one.unregister, now)
                self._actor_loop.touch(next_one)
            elif self._may_begin():
                self._begin(next_one)

    def _begin(self, binding: Binding) -> None:
        self._kept[binding.key] = Kept(binding, self.begin(self._settings(binding)))

    def _settings(self, binding: Binding) -> RegistrationSettings:
        hop, seen, contacts, bound = self._way(binding, self._registrars[binding.registrar])
        keyring = Keyring(binding.auth) if binding.auth is not None else None
        if keyring is not None:
            keyring.trust(Uri.parse(binding.registrar).host)
        return RegistrationSettings(
            binding.registrar,
            f"<{binding.address}>",
            contacts,
            seen,
            hop,
            binding.expires,
            credentials=keyring,
            headers=binding.headers,
            user_agent="sipswarm",
            bound=bound,
        )
