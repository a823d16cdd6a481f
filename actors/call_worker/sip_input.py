"""The way in for SIP messages: each record of the dispatcher is read once and goes to its actor.

Order: turn away what has ended processes, ask the allow list, read the message and its key, record it, count it, find
the actor. `Arrivals` takes a message without an actor. Last, the leniencies of the message are counted. The black box
names the message meanwhile. A record on which the program fails must cost itself only: its request gets 500, and the
next records are handled. A stranger gets no answer, and is read only for a call of this node.
"""

from collections.abc import Callable
from typing import Any

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.hop import Hop, bracketed
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.dialog import session_key

from ..bus.messages import SendFailed, SipReceived, StoodStill
from ..call.actor import CallActor
from ..counting.totals import Totals
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import takes
from ..runtime.outbox import Remark
from ..transport.counters import SipCounters
from ..transport.output import SipOutput
from ..transport.poison_gate import REASON, PoisonGate, caller_of
from .actor_table import ActorTable
from .out_of_dialog import Arrivals
from .replacements import Replacements
from .sip_reader import SipReader


class SipInput:
    """The way in of one call worker.

    Args:
        output: has the local listeners, and the recorder of messages.
        remarks: those of the outbox, on the description of the message that is handled now.
        on_told: called with what the dispatcher could not send, and with each of its standstills.
    """

    __slots__ = (
        *("_actor_loop", "_actors", "_arrivals", "_counters", "_on_told", "_output", "_poison", "_reader", "_remarks"),
        "_replacements",
    )

    def __init__(
        self,
        actor_loop: ActorLoop,
        actors: ActorTable,
        arrivals: Arrivals,
        replacements: Replacements,
        reader: SipReader,
        output: SipOutput,
        counters: SipCounters,
        totals: Totals,
        remarks: list[Remark],
        on_told: Callable[[SendFailed | StoodStill], None],
    ) -> None:
        self._actor_loop = actor_loop
        self._actors = actors
        self._arrivals = arrivals
        self._replacements = replacements
        self._reader = reader
        self._output = output
        self._counters = counters
        self._poison = PoisonGate(actor_loop.box, totals)
        self._remarks = remarks
        self._on_told = on_told

    def take(self, channel: object, records: list[Any]) -> None:
        """Handle records of the dispatcher, in the order in which they came."""
        now, attempt = self._actor_loop.now(), self._actor_loop.attempt
        for record in records:
            if not attempt("a record of the dispatcher failed in our own code", self._take, record, now):
                attempt("a request could not even be refused", self._refuse, record)

    def _take(self, record: Any, now: float) -> None:
        if record.__class__ is not SipReceived:
            if record.__class__ in (SendFailed, StoodStill):
                self._on_told(record)
            else:
                self._replacements.on_record(record)
            return
        box = self._actor_loop.box
        box.begin(record.data)
        try:
            if not self._poison.stops(record.data, record.host, record.port):
                self._handle(record, now)
            elif not self._arrivals.is_stranger(record.host):
                self._arrivals.refuse_failed(record, REASON)
        finally:
            box.end()

    def _handle(self, record: SipReceived, now: float) -> None:
        if self._is_taken_as_it_is(record, now):
            return
        if self._arrivals.is_stranger(record.host) and not self._is_expected(record.data):
            self._arrivals.count_stranger()
            return
        take_octets = self._arrivals.policy.take_octets
        if take_octets is not None and peek.call_id(record.data) is not None:
            self._note_octets(record)
            take_octets(record, now)
            return
        if self._remarks:  # of a message that a user gave to its call later (man page `receive`)
            self._reader.count(self._remarks)
            self._remarks.clear()
        trace, relay = self._output.trace, self._arrivals.policy.relay
        try:
            message = self._reader.read(record.data, relayed=relay is not None)
            key = session_key(message)
        except ParseError as error:
            self._reader.dropped(record, error, trace, self._actors)
            if not self._arrivals.refuse_unreadable(record, error):
                self._reader.unanswered(record, error)
            return
        if trace is not None:
            trace.received(key[0], record)
        transport = self._output.hops[record.listener].transport
        self._counters.received(message, transport)
        source = Hop(transport, record.host, record.port)
        if relay is not None and relay(message, source, record, now):
            return
        actor = self._actors.actor_of(key, message)
        if actor is not None:
            if self._arrivals.policy.challenger is not None and self._arrivals.challenges(actor, message, record, now):
                return
            self._actor_loop.note_cause(actor, record.data)
            self._actor_loop.look_at(actor)
            user = actor.user if isinstance(actor, CallActor) else None
            if user is None or not (user.receiver or user.receives_itself):
                self._actor_loop.guarded(actor, actor.receive, message, source, record.flow, now)
            else:  # the user's handler stands in front of the actor (man page `receive`)
                here = self._output.hops[record.listener]
                leg = f"{transport}:{bracketed(here.host)}:{here.port}"
                receiver = user.receiver or user.receive
                arguments = (message, source, leg) if takes(receiver, 3) else (message, source)
                self._actor_loop.guarded(actor, user.call_back, "receiver", receiver, *arguments)
        elif isinstance(message, Request):
            self._take_new(message, source, record, now)
        else:
            self._arrivals.take_response(message, source, record, now)
        if message.headers.reading.used or self._remarks:
            self._reader.settle(message, self._remarks, record, trace)

    def _is_taken_as_it_is(self, record: SipReceived, now: float) -> bool:
        """Give a message to the actor that takes octets; False = its Call-ID has none."""
        actor = self._actors.octet_actor_of(record.data)
        if actor is None:
            return False
        self._note_octets(record)
        self._actor_loop.note_cause(actor, record.data)
        self._actor_loop.look_at(actor)
        self._actor_loop.guarded(actor, actor.receive_octets, record.data, record.flow, now)
        return True

    def _note_octets(self, record: SipReceived) -> None:
        """Record and count a message that is not parsed."""
        if self._output.trace is not None:
            call_id = peek.call_id(record.data) or b""
            self._output.trace.received(call_id.decode("utf-8", "surrogateescape"), record)
        self._counters.received_octets(record.data, self._output.hops[record.listener].transport)

    def _take_new(self, request: Request, source: Hop, record: SipReceived, now: float) -> None:
        """Give a request without an actor to `Arrivals`, unless its caller's calls have ended processes."""
        if request.method == "INVITE" and request.to_tag is None and not self._arrivals.is_stranger(record.host):
            caller = caller_of(request, record.host)
            if caller and self._poison.stops(record.data, record.host, record.port, caller):
                self._arrivals.refuse_failed(record, REASON)
                return
            self._actor_loop.box.names_caller(caller)
        self._arrivals.take(request, source, record, now)

    def _is_expected(self, data: bytes) -> bool:
        """Whether a message of a stranger belongs to a call or registration of this node; it is not parsed for that.

        Only such a message is read: this node has called the stranger, or is registered there. A response may be to a
        call that is over.
        """
        call_id = peek.call_id(data)
        tag = peek.to_tag(data) if peek.is_request(data) else peek.from_tag(data)
        if call_id is None:
            return False
        key = call_id.decode("utf-8", "surrogateescape"), tag
        return self._actors.find(key) is not None or (not peek.is_request(data) and self._arrivals.is_own(*key))

    def _refuse(self, record: Any) -> None:
        """Answer a request on which the program failed (RFC 3261 section 21.5.1)."""
        if record.__class__ is SipReceived and not self._arrivals.is_stranger(record.host):
            self._arrivals.refuse_failed(record)
