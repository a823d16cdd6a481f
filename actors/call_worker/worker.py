"""A call worker: one slot of the node, and the owner of everything about its calls.

It has links and one timer on the outside, `CallActor`s inside. Every batch of inputs is handled first and flushed once.
The flush sends messages on the inherited listen sockets, media commands as one link message per media worker, and
notices to the handles. A call whose code or state fails must end alone: the crash boundary is `ActorLoop.guarded`. The
worker makes and joins the parts; work that one part can do alone must not stand here.
"""

import dataclasses
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Final

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.usage.registration import Registration

from ..bus.link import Channel, DealerLink, Surroundings
from ..bus.messages import LoadFinished, Prepared, Quarantined, Retire, SendFailed, SendSip, StoodStill
from ..bus.slots import SlotMap
from ..call.actor import CallActor, CallOutbox
from ..config import NodeConfig
from ..diagnosis.request_loss import Loss, may_have_arrived
from ..handle import notice_handlers
from ..handle.call import Call
from ..ledger.memory import Ledger
from ..registration.actor import RegistrationActor
from ..registration.keeper import Registrations
from ..requests.keeper import Requests
from ..runtime.actor import Actor
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox
from ..trace import recorder
from ..trace.recorder import SipTrace
from ..transport.counters import SipCounters
from ..transport.local_addresses import LocalAddresses
from ..transport.output import SipOutput
from . import actor_table
from .actor_table import ActorTable, AnyCall, Entries, RestsOfCalls
from .admission import Admission
from .application import Applications
from .authentication import AuthContext
from .call_factory import CallFactory
from .call_metrics import CallMetrics
from .call_slices import CallSlices
from .destinations import Destinations
from .draining import Draining
from .kept_calls import KeptCalls
from .late_answers import LateAnswers
from .media_moves import MediaMoves
from .media_output import MediaOutput
from .out_of_dialog import Arrivals
from .replacements import Replacements
from .sessions import SessionConfigs
from .sip_input import SipInput
from .sip_reader import SipReader
from .succession import Succession

SIP_WINDOW: Final = 1024
_logger = logging.getLogger(__name__)


class CallWorker:
    """The parts of one slot, and what passes between them.

    Args:
        sockets: the bound listen sockets in the order of `config.listeners`; their maker closes them.
        on_ready: called once, when the dispatcher and every media worker are linked.
        tell: sends a record to the supervisor; None in embedded mode.
        random_bytes: source of tags, branches and Call-IDs.
        ledger: of the slot; None = calls go with this process.
    """

    def __init__(
        self,
        config: NodeConfig,
        slot: int,
        sockets: Sequence[socket.socket],
        *,
        surroundings: Surroundings,
        on_ready: Callable[[], None],
        tell: Callable[[Any], None] | None,
        random_bytes: Callable[[int], bytes],
        ledger: Ledger | None = None,
    ) -> None:
        totals = surroundings.totals
        self.config = config
        self.slots = SlotMap(slot, config.call_workers, config.call_id_key)
        self.totals = totals
        tokens = Tokens(random_bytes)
        judged = surroundings.loop if tell is not None else None  # an embedded node's loop is the user's
        secret = random_bytes(16) if ledger is None else ledger.secret
        self.admission = Admission(totals, secret, config.networks, judged)
        self.applications = Applications()
        self.actor_loop = ActorLoop(
            surroundings.loop,
            empty=self._empty,
            forget=self._forget,
            rest_of=lambda actor: rests.take(actor),
            box=surroundings.box,
            fraction=Random(secret).random,
        )
        self.tell = tell
        slices = CallSlices(tell if config.load is not None else None)
        self.metrics = CallMetrics(totals, slices, surroundings.standstills())
        self._on_ready = on_ready
        counters = SipCounters(totals)
        self.actors = ActorTable()
        self._outbox: CallOutbox = Outbox(config.media_workers, surroundings.incarnation)
        rests = RestsOfCalls(self.actors, self._outbox, totals, drop=self.actor_loop.drop)
        self._kept = KeptCalls(ledger, totals, whole=config.load is None)
        self._sip_link = DealerLink(
            surroundings,
            config.endpoint("sip"),
            role="call",
            slot=slot,
            name="sip",
            window=SIP_WINDOW,
            on_records=lambda channel, records: self._input.take(channel, records),
            on_welcome=self._check_ready,
            on_drained=self.actor_loop.flush,
            on_lost=self._on_untaken,
        )
        self.output = SipOutput(
            config.listeners,
            sockets,
            counters,
            totals,
            self._on_lost,
            config.advertise,
            hand_on=self._sip_link.post,
            may_send=Destinations(config.send_to, totals).may_send,
        )
        self.metrics.standstills.outages.attend(lambda: self.output.addresses.used)
        self.output.record_to(recorder.of(config, self.output.hops, self.actor_loop.now, totals))
        self.factory = CallFactory(
            config,
            self.slots,
            SessionConfigs(self.output, config, tokens, secret),
            self.output,
            self._outbox,
            self.actors,
            self.actor_loop,
            self.metrics,
            owner=self,
            record=lambda call_id: self.trace.begin(call_id) if self.trace is not None else None,
        )
        totals.include(self.factory.configs.rows)
        self.registrations = Registrations(
            self.actor_loop,
            self._outbox,
            totals,
            new=lambda settings: Registration(settings, tokens, call_id=self.factory.new_call_id()),
            add=self.actors.add,
            toward=self.factory.toward,
            workers=config.call_workers,
            may_begin=lambda: not self.draining.begun,
            removed=lambda: self.draining.check(),
            succeeds=surroundings.incarnation > 1,
        )
        self.requests = Requests(
            self.actor_loop,
            self._outbox,
            totals,
            tokens,
            new_call_id=self.factory.new_call_id,
            enter=self.actors.enter,
            is_full=lambda: self.factory.is_full,
            reserve=self.actors.reserve,
            settled=lambda: self.draining.check(),
            toward=self.factory.toward,
        )
        self.draining = Draining(
            self.actor_loop,
            self.actors,
            self.registrations,
            self.requests,
            self.applications,
            settle_call=self.call_settled,
            is_kept=self._kept.has,
            is_whole=self._kept.has_all,
            tell=tell,
        )
        self.replacements = Replacements(self.actor_loop, self.actors, self.slots, self._sip_link.post)
        self._media_output = MediaOutput(
            surroundings,
            [config.endpoint(f"media-{worker}") for worker in range(config.media_workers)],
            slot,
            self._outbox,
            self.metrics.standstills,
            on_events=self._on_media,
            on_welcome=self._check_ready,
            on_gone=self._on_media_gone,
            on_drained=self.actor_loop.flush,
            lose=self._on_media_untaken,
        )
        self._media_moves = MediaMoves(self._outbox, self.actor_loop)
        late = LateAnswers(
            self.actor_loop,
            self.actors,
            self.factory.configs,
            self.output.addresses,
            self._outbox,
            totals,
            identity=lambda host: self.arrivals.policy.identity or self.arrivals.account.identity(host),
        )
        if surroundings.incarnation > 1:
            late.succeeded(self.actor_loop.now())
        self.arrivals = Arrivals(
            config,
            self.output,
            self.admission,
            self.factory,
            self.requests,
            self.applications,
            self.metrics,
            AuthContext(
                tokens,
                slot,
                self.admission.capabilities.tag_key,
                self.output.addresses.is_ours,
                self.admission.count,
                self.actor_loop.crashes,
            ),
            parse_errors=totals.cell("sipswarm_sip_parse_errors_total", "message"),
            is_draining=lambda: self.draining.refuses,
            is_deferring=lambda: self.draining.defers,
            take_late=late.take,
        )
        self._input = SipInput(
            self.actor_loop,
            self.actors,
            self.arrivals,
            self.replacements,
            SipReader(self.factory.configs.counts, strict=config.strict),
            self.output,
            counters,
            totals,
            self._outbox.remarks,
            self._on_told,
        )

        self._succession = Succession(
            ledger, self._kept, self.actor_loop, totals, self.factory, self.arrivals, resume=self.applications.resume
        )

    # ---- life

    def take_up(self) -> None:
        """Take up the calls of the process before; called in the turn in which the worker is made."""
        self._succession.take_up()

    def start(self, at: float) -> None:
        """Start the applications: every process is linked."""
        self.applications.start(at)

    def settle(self) -> bool:
        """Read no more SIP; return whether no call that is over waits for the figures of its media.

        Its record would be lost. What is not read is for the next process.
        """
        self._sip_link.stop_reading()
        return self.draining.is_settled

    def drain(self, within: float) -> None:
        """Take no new calls; hang up the live ones after `within` seconds."""
        self.draining.begin(within)

    def worker_down(self, role: str, slot: int, incarnation: int) -> None:
        """Take the loss of another process: reconnect its link, and do what its loss means for the actors."""
        if role == "dispatcher":
            self._sip_link.gone(incarnation)
            now = self.actor_loop.now()
            for each in self.actors.everyone:
                self.actor_loop.guarded(each, each.connections_lost, now)
                self.actor_loop.touch(each)
        elif role == "media":
            self._media_output.gone(slot, incarnation)
            self.actor_loop.flush()

    def update_gauges(self) -> int:
        """Update the gauges; return the number of live calls."""
        self.metrics.set_active(self.actors.live.values(), self.registrations.count)
        actor_table.show(self.entries, len(self.actors), self.totals)
        self.applications.update_gauges()
        self.metrics.slices.flush()
        return len(self.actors.live) + self.applications.live_calls()

    @property
    def busy(self) -> int:
        """Number of live calls, requests without an answer, and pieces of work of the applications."""
        return len(self.actors.live) + self.requests.pending + self.applications.pending()

    @property
    def entries(self) -> Entries:
        """The sizes of all tables about calls; each is zero when no call is left."""
        streams, names = len(self._outbox.streams), self.output.late.waiting
        return self.actors.entries(streams=streams, names=names, deadlines=self.actor_loop.waiting)

    def keep_ladders(self) -> None:
        """Keep the messages of each call that begins from now on."""
        if self.trace is not None:
            self.trace.keep_ladders()
        else:
            config = dataclasses.replace(self.config, ladders=True)
            self.output.record_to(recorder.of(config, self.output.hops, self.actor_loop.now, self.totals))

    def on_record(self, record: Any) -> None:
        """Take that a media worker never comes again, and that a worker retires; the rest is for the applications."""
        if record.__class__ is Quarantined:
            if record.role == "media":
                self._media_output.give_up(record.slot)
                self._check_ready()
        elif record.__class__ is not Retire:
            self.applications.on_record(record)
        elif record.role == "media":
            self._media_output.retire(record.slot)
        elif record.slot == self.slots.own:
            self.draining.retire()

    def close(self) -> None:
        """Close links and timers; calls that are still live are lost."""
        self.requests.close()
        self.actor_loop.close()
        self.admission.close()
        self.output.late.close()
        self.replacements.close()
        self._sip_link.close()
        self._media_moves.close()
        self._media_output.close()
        if self.trace is not None:
            self.trace.close()
        self.factory.close()

    @property
    def addresses(self) -> LocalAddresses:
        """The local addresses toward each host."""
        return self.output.addresses

    @property
    def trace(self) -> SipTrace | None:
        """The recorder of SIP messages; None when none are recorded."""
        return self.output.trace

    @property
    def live_calls(self) -> int:
        """Number of calls that are not over."""
        return len(self.actors.live)

    def _check_ready(self) -> None:
        if self.applications.is_prepared:
            self._report_prepared()
        elif self._sip_link.welcome and self._media_output.welcome:
            self.applications.prepare(self._on_prepared)

    def _report_prepared(self) -> None:
        if self._sip_link.welcome:  # else the next welcome comes here
            self._sip_link.post((Prepared(self.slots.own),))

    def _on_prepared(self) -> None:
        self._report_prepared()
        self._on_ready()
        self._succession.begin()

    # ---- losses, and reports of calls

    def _on_told(self, record: SendFailed | StoodStill) -> None:
        """Take what the dispatcher says of itself, and of the messages that it could not send."""
        if isinstance(record, StoodStill):
            self.metrics.standstills.add(record)
        else:
            self._on_lost(record)

    def _on_lost(self, failed: SendFailed) -> None:
        """Report a message that was not sent to its actor or the applications, unless another transport takes it.

        What was lost with its connection may have arrived: it is no message of an application.
        """
        owner = self.actors.owner_of(failed.data)
        if self.output.fall_back(failed):
            return
        if owner is None and failed.loss != Loss.LOST.value:
            what = "the loss of a message could not be handled"
            self.actor_loop.attempt(what, self.applications.message_lost, failed)
        elif owner is not None:
            actor, branch = owner
            _logger.info("%s: a message is lost: %s", actor.name, failed.reason)
            self.actor_loop.guarded(actor, actor.message_lost, branch, self.actor_loop.now(), Loss(failed.loss))
            self.actor_loop.touch(actor)

    def _on_untaken(self, channel: Channel, records: list[Any]) -> None:
        """Keep for the next dispatcher what the one that is gone has not acknowledged.

        Requests are sent again by their transactions (`worker_down`).
        """
        kept = [each for each in records if each.__class__ is not SendSip or may_have_arrived(each.data)]
        if kept:
            self._sip_link.post(kept)

    def call_came(self, call: Call, request: Request) -> None:
        """Give an incoming call to the call that it replaces, or to the application."""
        if request.replaces is None or not self.replacements.take_over(call, request):
            self.arrivals.announce(call, request)

    def reopen(self, call: Call) -> None:
        """Use a call again whose first INVITE was challenged."""
        self.factory.reopen(call)

    def call_answered(self, call: Call) -> None:
        """Count the answer to an outgoing call."""
        self.metrics.answered(call)
        self.applications.call_answered(call)

    def transfer_asked(self, call: Call, request_id: int, request: Request) -> None:
        """Give a REFER to the application; decline it when the application takes no transfers."""
        on_transfer = self.arrivals.policy.on_transfer
        if on_transfer is not None:
            on_transfer(call, request_id, request)
        else:
            call.actor.respond(request_id, 603, (), self.actor_loop.now())

    # ---- media in

    def _on_media(self, records: list[Any]) -> None:
        now = self.actor_loop.now()
        for record in records:
            owner = self._outbox.streams.get(record.stream_id)
            if owner is not None:
                self.actor_loop.guarded(owner, owner.media_event, record, now)
                if isinstance(owner, CallActor):
                    self.actor_loop.look_at(owner)

    def _on_media_gone(self, worker: int) -> None:
        """Take the streams of a media worker that is gone from their owners."""
        now = self.actor_loop.now()
        for owner in set(self._outbox.streams.values()):
            self.actor_loop.guarded(owner, owner.media_lost, worker, "media_worker_lost", now)
            if isinstance(owner, CallActor):
                self.actor_loop.look_at(owner)

    def _on_media_untaken(self, stream_id: int, worker: int, reason: str) -> None:
        """Take the media from the owner of a stream whose command the media worker did not accept or answer."""
        owner = self._outbox.streams.get(stream_id)
        if owner is not None:
            self.actor_loop.guarded(owner, owner.media_lost, worker, reason, self.actor_loop.now())
            self.actor_loop.flush_soon()

    # ---- out

    def _empty(self) -> bool:
        """Send everything that the last inputs produced, and give the handles their notices.

        Returns:
            Whether notices wait for the next turn of the loop, because those before took long.
        """
        take, send, turns = self._outbox.take, self.output.send, self.actor_loop.turns
        waits = False
        self._kept.note(self._outbox.take_changed())
        while not waits and (batch := take()) is not None:
            transmits, notices = batch
            self._kept.note(self._outbox.take_changed())
            for transmit in transmits:
                self.actor_loop.attempt("a message could not be sent", send, transmit)
            self._media_moves.take()
            self._media_output.flush()
            for place, (actor, notice) in enumerate(notices):
                if turns.is_long():
                    waits = self._outbox.put_back(notices[place:])
                    break
                if actor.user is not None:
                    self.actor_loop.guarded(actor, notice_handlers.take, actor.user, notice)
        self.output.flush()
        return waits

    def _forget(self, actor: Actor) -> None:
        known = self.actors.drop(actor)
        self._kept.forget(actor)
        if isinstance(actor, RegistrationActor):
            self.registrations.forget(actor)
        elif not isinstance(actor, AnyCall):
            self.requests.forget(actor)
        elif known:
            actor.let_go()
            if self.trace is not None:
                self.trace.end(actor.session.call_id)

    # ---- accounting

    def call_settled(self, call: Call) -> None:
        """Count a call whose metrics are final, report its row to the supervisor, release the handle."""
        if self.actors.live.pop(call.actor.number, None) is None:
            return
        self.actor_loop.ended_well(call.actor)
        row = self.metrics.finished(call, self.actor_loop.now())
        report = call.report or self.tell
        if self.trace is not None and call.report is None:
            call.close_record(partial(self.trace.over, row, tell=self.tell))
        elif self.trace is not None:
            self.trace.end(call.call_id)
        if report is not None and (call.is_uac or self.config.tells_incoming):
            report(row)
        self.actor_loop.look_at(call.actor)
        self.draining.check()

    def plan_finished(self, finished: LoadFinished) -> None:
        """Report that the load generator of this slot has placed its share."""
        self.metrics.slices.flush()
        if self.tell is not None:
            self.tell(finished)

    def media_silent(self, call: Call, level: str, seconds: float) -> None:
        """Count missing media; at the limit hang up, except in a load, whose expectation judges."""
        self.metrics.media.silent(call.call_id, level, seconds)
        if level == "limit" and self.config.load is None:
            call.hang_up()

    def media_moved(self, call: Call, seconds: float) -> None:
        """Count and log a move of media."""
        self.metrics.moved(call, seconds)

    def media_refused(self, call: Call, command: str, reason: str, detail: str) -> None:
        """Log and count a command that the media worker could not carry out."""
        self.metrics.media.refused(call.call_id, command, reason, detail, self.actor_loop.now())

    def digit_came(self, mode: str) -> None:
        """Count a digit that was received as a SIP message."""
        self.metrics.digit("received", mode)

    def digit_dropped(self) -> None:
        """Count a digit that a call's user did not read."""
        self.metrics.digit_dropped()
