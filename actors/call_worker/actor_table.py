"""The actors of one call worker, by the keys of their messages and by number, and the sizes of all tables.

An actor is added and dropped here and nowhere else. The table keeps the keys of each actor, so that its end derives
nothing from values that may never have been set. The sizes of all tables are gauges, in which a leak shows in
production. Without a live call each is zero as soon as the last transactions are over (64*T1, RFC 3261 section 17).
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from sipswarm.sipcore.message import peek

from ..bus.slots import own_part
from ..call.actor import CallActor
from ..call.late_answer import LateAnswer
from ..counting.totals import Totals
from ..handle.call import Call
from ..runtime.actor import Actor, OctetActor
from ..transport.lost_requests import identity

LOOKED_AT: Final = 256
"""Calls that `call_of` looks at."""
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
    """

    __slots__ = ("_by_key", "_by_number", "_keys", "_octet_actors", "find", "late_answers", "live", "reserved")

    def __init__(self) -> None:
        self._by_key: dict[Key, Actor] = {}
        self._by_number: dict[int, CallActor] = {}
        self._keys: dict[Actor, tuple[Key, ...]] = {}
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
        octet_actor = self.octet_actor_of(data)
        if octet_actor is not None:
            return octet_actor, ""
        sent = identity(data)
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
        return len(self._by_number)

    def entries(self, *, streams: int, names: int, deadlines: int) -> Entries:
        """Return the sizes of these tables with those that are owned elsewhere."""
        transactions = dialogs = 0
        for actor in self._by_number.values():
            of_call = actor.session.sizes
            transactions += of_call.transactions
            dialogs += of_call.dialogs
        return Entries(len(self._by_key), transactions, dialogs, streams, names, deadlines)


def show(entries: Entries, calls: int, totals: Totals) -> None:
    """Update the gauges.

    Args:
        calls: number of call actors that are not forgotten.
    """
    totals.cell("sipswarm_actors_active", "call").value = calls
    for table, count in zip(Entries._fields, entries, strict=True):
        totals.cell("sipswarm_table_entries", table).value = count
