"""A call worker: one slot of the node, owner of everything about its calls.

Links and one timer on the outside, `CallActor`s inside. Every batch of inputs is handled first and flushed once: UDP
goes out on the inherited listen sockets at once, media commands as one link message per media worker, notices to the
users of the calls. A call whose code or state goes wrong ends alone: the crash boundary is `ActorLoop.guarded`.
"""

import dataclasses
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.usage.registration import Registration

from ..bus.link import DealerLink, Surroundings
from ..bus.messages import LoadFinished, SendFailed
from ..bus.slots import SlotMap
from ..call.actor import CallActor, CallOutbox
from ..config import NodeConfig
from ..diagnosis.request_loss import Loss
from ..handle import notice_handlers
from ..handle.call import Call
from ..registration.actor import RegistrationActor
from ..registration.keeper import Registrations
from ..runtime.actor import Actor
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox
from ..trace import recorder
from ..trace.recorder import SipTrace
from ..transport.counters import SipCounters
from ..transport.local_addresses import LocalAddresses
from ..transport.output import SipOutput
from . import actor_table
from .actor_table import ActorTable, Entries
from .admission import Admission
from .application import Applications
from .authentication import AuthContext
from .call_factory import CallFactory
from .call_metrics import CallBook
from .call_slices import CallSlices
from .draining import Draining
from .media_output import MediaOutput
from .out_of_dialog import Arrivals
from .replacements import Replacements
from .sip_input import SipInput
from .sip_reader import SipReader

SIP_WINDOW: Final = 1024
_logger = logging.getLogger(__name__)


class CallWorker:
    """One slot. See the module's text.

    sockets: the bound listen sockets in the order of `config.listeners`; owned by whoever made them.
    on_ready: called once, when the dispatcher and every media worker are linked.
    tell: sends a record to the supervisor; absent in embedded mode.
    random_bytes: source of tags, branches and Call-IDs.
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
    ) -> None:
        totals = surroundings.totals
        self.config = config
        self.slots = SlotMap(slot, config.call_workers, config.call_id_key)
        self.totals = totals
        tokens = Tokens(random_bytes)
        self.admission = Admission(totals, random_bytes(16))
        self.applications = Applications()
        self.actor_loop = ActorLoop(surroundings.loop, empty=self._empty, forget=self._forget)
        self.tell = tell
        self.book = CallBook(totals, CallSlices(tell if config.load is not None else None))
        self._on_ready = on_ready
        counters = SipCounters(totals)
        self.actors = ActorTable()
        self._outbox: CallOutbox = Outbox(config.media_workers)
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
        )
        self.output = SipOutput(
            config.listeners,
            sockets,
            counters,
            totals,
            self._on_lost,
            config.advertise,
            hand_on=self._sip_link.send,
        )
        self.output.record_to(recorder.of(config, self.output.hops, self.actor_loop.now, totals))
        self.factory = CallFactory(
            config,
            self.slots,
            tokens,
            self.output,
            self._outbox,
            self.actors,
            self.actor_loop,
            self.book,
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
        )
        self.draining = Draining(
            self.actor_loop,
            self.actors,
            self.registrations,
            self.applications,
            settle_call=self.call_settled,
            tell=tell,
        )
        self.replacements = Replacements(self.actor_loop, self.actors, self.slots, self._sip_link.send)
        self._media_output = MediaOutput(
            surroundings,
            [config.endpoint(f"media-{worker}") for worker in range(config.media_workers)],
            slot,
            self._outbox,
            on_events=self._on_media,
            on_welcome=self._check_ready,
            on_drained=self.actor_loop.flush,
            lose=self._on_media_untaken,
        )
        self.arrivals = Arrivals(
            config,
            self.output,
            self.admission,
            self.factory,
            self.applications,
            self.book,
            AuthContext(
                tokens,
                slot,
                self.admission.capabilities.tag_key,
                self.output.addresses.is_ours,
                self.admission.count,
                self.actor_loop.crashes,
            ),
            parse_errors=totals.cell("sipswarm_sip_parse_errors_total", "message"),
            is_draining=lambda: self.draining.begun,
        )
        self._input = SipInput(
            self.actor_loop,
            self.actors,
            self.arrivals,
            self.replacements,
            SipReader(self.factory.configs.counts, strict=config.strict),
            self.output,
            counters,
            self._outbox.remarks,
            self._on_lost,
        )

    # ---- life

    def start(self, at: float) -> None:
        """Every process is linked."""
        self.applications.start(at)

    def settle(self) -> None:
        """Nothing to do: every number is up to date."""

    def drain(self, within: float) -> None:
        """No new calls; live ones may end by themselves for `within` seconds, then they are hung up."""
        self.draining.begin(within)

    def worker_down(self, role: str, slot: int, incarnation: int) -> None:
        """Another process died: its link starts anew, calls whose media it held end by name."""
        if role == "dispatcher":
            self._sip_link.reconnect()
        elif role == "media":
            self._media_output.reconnect(slot)
            now = self.actor_loop.now()
            for actor in self.actors.calls:
                if actor.media.demand.worker == slot:
                    self.actor_loop.guarded(actor, actor.media_lost, "media_worker_lost", now)
            for lease in self.factory.media_leases.open if slot == self.factory.media_leases.worker else ():
                self.actor_loop.guarded(lease, lease.media_lost, "media_worker_lost", now)
            self.actor_loop.flush()

    def update_gauges(self) -> int:
        """Bring gauges up to date; the number of live calls."""
        self.book.set_active(self.actors.live.values(), self.registrations.count)
        actor_table.show(self.entries, len(self.actors), self.totals)
        self.applications.update_gauges()
        self.book.slices.flush()
        return len(self.actors.live)

    @property
    def entries(self) -> Entries:
        """The sizes of all tables about calls; zero when nothing is left of any."""
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
        """A record of the supervisor that only the application knows."""
        self.applications.on_record(record)

    def close(self) -> None:
        """Let go of links and timers; calls that are still live are lost to us."""
        self.actor_loop.close()
        self.output.late.close()
        self.replacements.close()
        self._sip_link.close()
        self._media_output.close()
        if self.trace is not None:
            self.trace.close()
        self.factory.close()

    @property
    def addresses(self) -> LocalAddresses:
        """Our addresses, toward each host."""
        return self.output.addresses

    @property
    def trace(self) -> SipTrace | None:
        """Remembers the messages of calls; None where nobody wants them."""
        return self.output.trace

    @property
    def live_calls(self) -> int:
        """Calls that are not over."""
        return len(self.actors.live)

    def _check_ready(self) -> None:
        if self._sip_link.welcome and self._media_output.welcome:
            self.applications.prepare(self._on_ready)

    # ---- what is lost, and what calls report

    def _on_lost(self, failed: SendFailed) -> None:
        """A message of ours did not get out."""
        owner = self.actors.owner_of(failed.data)
        if owner is not None and not self.output.fall_back(failed):
            actor, branch = owner
            _logger.info("%s: a message is lost: %s", actor.name, failed.reason)
            self.actor_loop.guarded(actor, actor.message_lost, branch, self.actor_loop.now(), Loss(failed.loss))
            self.actor_loop.touch(actor)

    def call_came(self, call: Call, request: Request) -> None:
        """A call came in: it takes over another one, or is the application's."""
        if request.replaces is None or not self.replacements.take_over(call, request):
            self.arrivals.announce(call, request)

    def reopen(self, call: Call) -> None:
        """Take a call up again whose first INVITE was challenged."""
        self.factory.reopen(call)

    def call_answered(self, call: Call) -> None:
        """A call of ours was answered."""
        self.book.answered(call)

    def transfer_asked(self, call: Call, request_id: int, request: Request) -> None:
        """The peer of a call wants it transferred; declined unless the application takes transfers."""
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

    def _on_media_untaken(self, stream_id: int, reason: str) -> None:
        """The media worker did not take a command for a stream."""
        owner = self._outbox.streams.get(stream_id)
        if owner is not None:
            self.actor_loop.guarded(owner, owner.media_lost, reason, self.actor_loop.now())

    # ---- out

    def _empty(self) -> None:
        """Put out everything the last inputs produced, and tell the users of the calls."""
        outbox = self._outbox
        while not outbox.is_empty:
            send = self.output.send
            for transmit in outbox.take_transmits():
                self.actor_loop.attempt("a message could not be sent", send, transmit)
            self._media_output.flush()
            for actor, notice in outbox.take_notices():
                if actor.user is not None:
                    self.actor_loop.guarded(actor, notice_handlers.take, actor.user, notice)
        self.output.flush()

    def _forget(self, actor: Actor) -> None:
        known = self.actors.drop(actor)
        if isinstance(actor, RegistrationActor):
            self.registrations.forget(actor)
        elif known and isinstance(actor, CallActor):
            actor.let_go()
            if self.trace is not None:
                self.trace.end(actor.session.call_id)

    # ---- accounting

    def call_settled(self, call: Call) -> None:
        """Every figure of a call is final: book it, tell the supervisor, forget the handle."""
        if self.actors.live.pop(call.actor.number, None) is None:
            return
        row = self.book.finished(call, self.actor_loop.now())
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
        """The load generator of this slot is through with its share."""
        self.book.slices.flush()
        if self.tell is not None:
            self.tell(finished)

    def media_silent(self, call: Call, level: str, seconds: float) -> None:
        """No media: at the limit a robot hangs up, a load only reports (its expectation judges)."""
        self.book.media.silent(call.call_id, level, seconds)
        if level == "limit" and self.config.load is None:
            call.hang_up()

    def media_refused(self, call: Call, command: str, reason: str, detail: str) -> None:
        """The media worker could not do what was asked of it: log and count it."""
        self.book.media.refused(call.call_id, command, reason, detail, self.actor_loop.now())

    def digit_came(self, mode: str) -> None:
        """A digit came as a SIP message."""
        self.book.digit("received", mode)

    def digit_dropped(self) -> None:
        """A call's user does not read its digits."""
        self.book.digit_dropped()
