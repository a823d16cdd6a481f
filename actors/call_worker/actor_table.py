"""The actors of one call worker, by the keys of their messages and by number, and the sizes of all tables.

An actor is added and dropped here and nowhere else. The table keeps the keys of each actor, so that its end derives
nothing from values that may never have been set. The sizes of all tables are gauges, in which a leak shows in
production. Without a live call each is zero as soon as the last transactions are over (64*T1, RFC 3261 section 17).
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.ended_session import rest_of

from ..bus.slots import own_part
from ..call.actor import CallActor
from ..call.ended_call import EndedCall
from ..call.late_answer import LateAnswer
from ..call.state import State
from ..counting.totals import Totals
from ..handle.call import Call
from ..runtime.actor import Actor, OctetActor
from ..runtime.outbox import Outbox
from ..transport.lost_requests import identity

LOOKED_AT: Final = 256
"""Calls that `call_of` looks at."""
MOST_ENDED: Final = 50_000
"""Calls of one worker that are over for their users, of some 2.5 KB each."""
AnyCall = CallActor | EndedCall
Key = tuple[Any, ...]
"""As `sipcore.session.dialog.session_key`."""


class Entries(NamedTuple):
    """The numbers of entries in the tables of a call worker."""

    actors: int
    """Keys under which messages find an actor."""
    transactions: int
    """Client and server transactions of calls."""
    dialogs: int
    """Dialogs of calls, early and forked ones included."""
    streams: int
    """Media streams that belong to a call or a lease."""
    names: int
    """Host names whose addresses are being looked up."""
    deadlines: int
    """Actors that wait for a timer."""


class ActorTable:
    """The actors of one call worker.

    Attributes:
        find: returns the actor of a message's key, or None.
        late_answers: number of actors that are the rest of a call.
        reserved: number of places that requests and subscriptions take beside the calls.
        live: the calls that are not over for their users, by number.
        ended: the actors of the others, the oldest first; `RestsOfCalls` notes them here.
        most_ended: their largest number.
    """

    __slots__ = (
        *("_by_key", "_by_number", "_keys", "_octet_actors", "ended", "find", "late_answers", "live", "most_ended"),
        "reserved",
    )

    def __init__(self) -> None:
        self._by_key: dict[Key, Actor] = {}
        self._by_number: dict[int, CallActor] = {}
        self._keys: dict[Actor, tuple[Key, ...]] = {}
        self.ended: dict[AnyCall, None] = {}
        self.most_ended = MOST_ENDED
        self.find = self._by_key.get
        self.late_answers = self.reserved = self._octet_actors = 0
        self.live: dict[int, Call] = {}

    def add(self, actor: Actor, *keys: Key) -> None:
        """Route messages with these keys to an actor."""
        if isinstance(actor, CallActor):
            self._by_number[actor.number] = actor
        elif isinstance(actor, LateAnswer) and actor not in self._keys:
            self.late_answers += 1
        elif isinstance(actor, OctetActor) and actor not in self._keys:
            self._octet_actors += 1
        for key in keys:
            self._by_key[key] = actor
        if keys:
            self._keys[actor] = tuple({*self._keys.get(actor, ()), *keys})

    def enter(self, actor: Actor, *keys: Key) -> None:
        """Route messages with these keys to an actor, and those with its earlier keys no longer."""
        self.drop(actor)
        self.add(actor, *keys)

    def replace(self, actor: Actor, by: Actor) -> None:
        """Route messages of an actor to another one from now on."""
        keys = self._keys.get(actor, ())
        self.drop(actor)
        self.add(by, *keys)

    def reserve(self, places: int) -> None:
        """Note that requests or subscriptions take more places beside the calls, or fewer."""
        self.reserved += places

    @property
    def taken(self) -> int:
        """Number of places taken by live calls, requests and subscriptions."""
        return len(self.live) + self.reserved

    def drop(self, actor: Actor) -> bool:
        """Remove an actor; return whether it was there. A key that another actor has taken over stays."""
        keys = self._keys.pop(actor, ())
        if isinstance(actor, AnyCall):
            self.ended.pop(actor, None)
        for key in keys:
            if self._by_key.get(key) is actor:
                del self._by_key[key]
        known = bool(keys)
        if isinstance(actor, CallActor):
            known = self._by_number.pop(actor.number, None) is not None
        elif known and isinstance(actor, LateAnswer):
            self.late_answers -= 1
        elif known and isinstance(actor, OctetActor):
            self._octet_actors -= 1
        return known

    def actor_of(self, key: Key, message: Request | Response) -> Actor | None:
        """Return the actor of a message by its key; None also for one that a call which is over leaves to others."""
        actor = self._by_key.get(key)
        return None if isinstance(actor, EndedCall) and not actor.session.is_for(message) else actor

    def octet_actor_of(self, data: bytes) -> OctetActor | None:
        """Return the actor that gets a message as it came; None = there is none for its Call-ID."""
        if not self._octet_actors:
            return None
        call_id = peek.call_id(data)
        actor = None if call_id is None else self.find((own_part(call_id),))
        return actor if isinstance(actor, OctetActor) else None

    def owner_of(self, data: bytes) -> tuple[Actor, str] | None:
        """Return the actor of a lost message and its branch, which is empty for a response; None without an actor.

        Args:
            data: the message, or its first part.
        """
        octet_actor, sent = self.octet_actor_of(data), identity(data)
        if octet_actor is not None:
            return octet_actor, sent.branch if sent is not None else ""
        actor = self.find((sent.call_id, sent.from_tag)) if sent is not None else None
        return (actor, sent.branch) if sent is not None and actor is not None else None

    @property
    def everyone(self) -> list[Actor]:
        """Every call and registration that messages can find."""
        return list(self._keys)

    @property
    def calls(self) -> Iterator[CallActor]:
        """Every call that is not forgotten, those included whose last transactions run."""
        return iter(list(self._by_number.values()))

    def call_of(self, call_id: str) -> CallActor | None:
        """Return a call by its Call-ID alone, among the first calls only: for texts, not for decisions."""
        return next(
            (each for each in islice(self._by_number.values(), LOOKED_AT) if each.session.call_id == call_id), None
        )

    def has_open_ends(self) -> bool:
        """Whether a call that is over for its user, or a late answer, waits for a response to INVITE, CANCEL or BYE."""
        calls = any(each.session.ending and each.number not in self.live for each in self._by_number.values())
        return calls or any(isinstance(each, LateAnswer) and each.ending for each in self._keys)

    def __len__(self) -> int:
        return len(self._by_number) + sum([isinstance(each, EndedCall) for each in self.ended])

    def entries(self, *, streams: int, names: int, deadlines: int) -> Entries:
        """Return the sizes of these tables with those that are owned elsewhere."""
        transactions = dialogs = 0
        for actor in self._by_number.values():
            of_call = actor.session.sizes
            transactions += of_call.transactions
            dialogs += of_call.dialogs
        transactions += sum([each.session.transactions for each in self.ended if isinstance(each, EndedCall)])
        return Entries(len(self._by_key), transactions, dialogs, streams, names, deadlines)


class RestsOfCalls:
    """Bounds what is kept of calls that are over and wait for their last timers (RFC 3261 section 17: up to 32 s).

    An `EndedCall` takes the place of such a call as soon as each request of both sides has its final response. Beyond a
    number the oldest ones go first, whatever their kind, because nothing else but the rate of calls bounds them. A
    message that comes for one afterwards gets the answer of an unknown call: 481, and for a 2xx its ACK and a BYE
    (`LateAnswers`). A call that is live never goes from here.

    Args:
        drop: forgets an actor at once.
    """

    __slots__ = ("_actors", "_drop", "_dropped", "_outbox")

    def __init__(
        self, actors: ActorTable, outbox: Outbox[Any], totals: Totals, *, drop: Callable[[Actor], None]
    ) -> None:
        self._actors = actors
        self._outbox = outbox
        self._drop = drop
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "ended_calls")

    def take(self, actor: Actor) -> EndedCall | None:
        """Note a call that is over for its user; return what takes its place, None while the actor stays."""
        if not isinstance(actor, CallActor) or not self._is_over(actor):
            return None
        actors = self._actors
        rest = self._rest_of(actor)
        if rest is None:
            actors.ended.setdefault(actor)
        else:
            actors.replace(actor, rest)
            actors.ended[rest] = None
            actor.let_go()
        while len(actors.ended) > actors.most_ended:
            self._evict(next(iter(actors.ended)))
        return rest

    def _is_over(self, actor: CallActor) -> bool:
        return actor.state is State.OVER and actor.number not in self._actors.live

    def _rest_of(self, actor: CallActor) -> EndedCall | None:
        user, session = actor.user, actor.session
        if actor.media.running or actor.ending.abandoned:
            return None
        if user is not None and (user.receiver or user.receives_itself):
            return None  # the user's handler stands in front of the actor (man page `receive`)
        rest = rest_of(session.core, session.parts)
        return None if rest is None else EndedCall(rest, self._outbox, session.config.leaves_from, actor.reach.peer)

    def _evict(self, actor: AnyCall) -> None:
        del self._actors.ended[actor]
        if isinstance(actor, EndedCall) or self._is_over(actor):  # else it was placed again
            self._dropped.value += 1
            self._drop(actor)


def show(entries: Entries, calls: int, totals: Totals) -> None:
    """Update the gauges.

    Args:
        calls: number of call actors that are not forgotten.
    """
    totals.cell("sipswarm_actors_active", "call").value = calls
    for table, count in zip(Entries._fields, entries, strict=True):
        totals.cell("sipswarm_table_entries", table).value = count
