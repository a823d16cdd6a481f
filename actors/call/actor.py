"""The decisions of one call: its SIP session, its media and its user's commands, joined without any I/O.

Inputs are SIP messages, media events, commands of the user and time. Outputs are messages, media commands and notices
for the user, all put into the `Outbox` that the call worker empties once per batch. A stream is opened before an offer
or answer is made (RFC 3264 section 5) and configured when both descriptions are there. It is closed in the moment the
call ends (RFC 3261 section 15.1.1). While several forks ring, the newest description is in force; the 2xx puts that of
its fork in force. The actor must not decide what SIP permits (the session does) nor read SDP (`media` does).
"""

from typing import Any, Final

from sipswarm.media import messages as media
from sipswarm.sipcore.errors import LocalProtocolError, ParseError, RemoteProtocolError
from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.sdp.offer_answer import Hold, NothingFits
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.invite_session import InviteSession

from ..diagnosis.failure_reasons import cause_of, refusal_of, with_detail
from ..diagnosis.foreign_text import shown
from ..diagnosis.request_loss import Loss
from ..errors import CallError
from ..runtime.actor import Actor, StreamOwner
from ..runtime.outbox import Outbox
from . import request_bodies
from .ending import Ending
from .kept import KeptCall, KeptMedia
from .media import CallMedia
from .media_move import LOST, REASONS, MediaMove
from .media_stream import MediaStream
from .notices import (
    NOTICED,
    AnswerDropped,
    Answered,
    Closed,
    DigitsSent,
    Ended,
    Established,
    Failed,
    InviteReceived,
    Notice,
    OfferWaits,
    Provisional,
    RequestFinished,
    TransferProgress,
    TransferRequested,
    failure_of,
    notice_of,
)
from .own_update import OwnUpdate
from .peer_offers import PeerOffers
from .reach import Reach
from .state import TAKEN_OVER, TRANSPORT_FAILED, CallTimes, Pending, State
from .stream_configuration import MediaDemand

HOLD_STYLE: Final[Hold] = "both"
INTERNAL_ERROR: Final = "internal_error"
"""Cause of a call on which the program failed."""
Headers = tuple[tuple[str, str], ...]


class CallActor(Actor, StreamOwner):
    """One call, from its first message until nothing of it is left.

    Args:
        number: unique in the worker.
        session: the SIP side, made by the worker.
        demand: the required media.
        sdp_id: session id of the local descriptions.
        user: receiver of the notices, opaque here.
        reach: the addresses that it sends to; None = all.
    """

    __slots__ = (
        *("_early_status", "_headers", "_held", "_hold", "_offered", "_offers", "_outbox", "_pending", "_update"),
        *("_withdrawn", "answer_phrase", "answer_status", "ending", "is_uac", "media", "move", "number", "reach"),
        *("rung", "session", "state", "times", "unread", "user"),
    )

    def __init__(
        self,
        number: int,
        session: InviteSession,
        demand: MediaDemand,
        outbox: "CallOutbox",
        *,
        is_uac: bool,
        sdp_id: int,
        user: Any = None,
        reach: Reach | None = None,
    ) -> None:
        self.number = number
        self.session = session
        self.is_uac = is_uac
        self.user = user
        self.state = State.IDLE
        self.rung = 0
        """Number of provisional responses that the user sent."""
        self.times = CallTimes()
        self.ending = Ending()
        """Cause and progress of the call's end."""
        self.answer_status = 0
        """Final status of the first INVITE; 0 = none yet."""
        self.answer_phrase = ""
        """Its reason phrase, where the peer wrote it."""
        commands, new_id, secret = outbox.media[demand.worker], outbox.new_stream_id, session.tokens.secret
        self.reach = reach or Reach()
        self.media = CallMedia(demand, commands, new_id, sdp_id, secret, outbox.remarks, outbox.place, self.reach)
        self._update = OwnUpdate(session, self.media)
        self.move = MediaMove(session, self.media, self._update)
        """The moves of its media to another media worker."""
        self._offers = PeerOffers(session, self.media)
        self._outbox = outbox
        self._headers: Headers = ()
        self._hold: Hold = ""
        self._early_status = 183
        self._pending = Pending.NOTHING
        self._offered = False
        self._withdrawn = False
        """The peer withdrew its last INVITE before the local answer."""
        self._held: Answered | None = None
        self.unread = ""
        """Why the newest response to this call could not be read; empty when all could."""

    @property
    def deadline(self) -> float | None:
        """When the session's `handle_timer` is due."""
        if self.ending.abandoned:
            return None
        due, move_due = self.session.deadline, self.move.deadline
        return due if move_due is None else move_due if due is None else min(due, move_due)

    @property
    def finished(self) -> bool:
        """Whether no transaction, timer or stream of the call is left."""
        if self.state is not State.OVER or self.media.running:
            return False
        return self.ending.abandoned or (self.is_uac and not self.times.invited) or self.session.finished

    @property
    def awaits_answer(self) -> bool:
        """Whether an INVITE of the peer, the first or a later one, waits without an answer that is about to be sent."""
        return self.session.invite_waits and self._pending is not Pending.ACCEPT and self.state is not State.OVER

    @property
    def name(self) -> str:
        """Name of the call in logs."""
        return f"call {shown(self.session.call_id)}"

    def report_to(self, user: Any) -> None:
        """Send the notices to this user from now on."""
        self.user = user

    def let_go(self) -> None:
        """Send no more notices: the handle holds the actor, and both ways would be a cycle."""
        self.user = None

    def could_not_read(self, why: str) -> None:
        """Note a response to this call that could not be read."""
        self.unread = why

    def invite(
        self,
        headers: Headers,
        now: float,
        *,
        delayed: bool = False,
        hold: bool = False,
        lines: tuple[MediaStream, ...] = (),
        ring_time: float | None = None,
        ack_lines: str | None = None,
        asks: bool = False,
    ) -> None:
        """Place the call, or negotiate again when it is up: first the media ports, then the INVITE with the offer.

        Args:
            delayed: no offer in the INVITE, the answer goes into the ACK (man page `sdp_on_ack`).
            hold: this description puts the call on hold (`call_on_hold`).
            lines: streams opened beforehand.
            ring_time: seconds without a final answer before CANCEL.
            ack_lines: further header lines of the ACK; None = as before.
            asks: the user decides the answer to the offer of a 2xx: `OfferWaits` comes, and `acknowledge` is due.

        Raises:
            LocalProtocolError: the state forbids it.
        """
        if self.state is State.IDLE:
            self.state = State.CALLING
            self.times.began(now)
            then = Pending.INVITE
        elif self._update.is_open:
            raise LocalProtocolError("no INVITE can be sent now (the offer of a local UPDATE has no answer yet)")
        elif self.state is State.UP and self._pending is Pending.NOTHING:
            then = Pending.REINVITE
        else:
            raise LocalProtocolError(f"no INVITE can be sent now (the call is {self.state.value})")
        self.session.arrange_invites(ring_time=ring_time, ack_lines=ack_lines)
        self._offers.ask(asks)
        self._headers, self._hold = headers, HOLD_STYLE if hold else ""
        if lines:
            self.media.adopt(lines)
            self._outbox.streams.update((line.stream_id, self) for line in lines)
        if delayed:
            self._pending = Pending.NOTHING
            self._send_invite(then, None, now)
        else:
            given = self.media.given
            self._require(self.media.require(len(given.media) if given is not None else 1), then, now)

    def ring(
        self, status: int, headers: Headers, now: float, *, early_media: bool = False, described: bool = False
    ) -> None:
        """Send a response of 101 to 199, else LocalProtocolError; with `early_media` it carries the answer.

        An offer without any acceptable line is refused instead of ringing (RFC 3261 section 13.3.1.3).
        Where the INVITE has no offer and requires reliable responses, the first carries one (RFC 3262 section 5).

        Args:
            described: the user answers it with a description of its own.
        """
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is no provisional status of ours")
        if not self.awaits_answer:
            return
        self.rung += 1
        if not described and not self.media.fits_offer:
            self._refuse_unfit(now)
            return
        early_media = early_media and self.state is State.INCOMING and self.media.forks.owes_answer
        if early_media or self.session.owes_offer:
            self._headers, self._early_status = headers, status
            self._require(self.media.require_for_offer(), Pending.EARLY_MEDIA, now)
        else:
            self.session.ring(now, status, headers=headers)
            self.pump(now)

    def answer(self, headers: Headers, now: float, *, hold: bool = False) -> None:
        """Take the INVITE that waits: first the media ports, then the 200 with the answer.

        Nothing happens when the peer withdrew a later INVITE.

        Raises:
            LocalProtocolError: no INVITE waits for an answer.
        """
        if not self.awaits_answer:
            if self._withdrawn and self.state is not State.OVER:
                return
            raise LocalProtocolError(f"no call waits for an answer (it is {self.state.value})")
        if self.state is State.INCOMING:
            self.state = State.ANSWERING
        self._headers, self._hold = headers, HOLD_STYLE if hold else ""
        self._require(self.media.require_for_offer(), Pending.ACCEPT, now)

    def acknowledge(self, now: float) -> None:
        """Send the ACK that waits for the user, with the answer, when the ports are open; harmless when none waits."""
        if self._pending is Pending.USER_ACK and self.state is not State.OVER:
            self._require(self.media.require_for_offer(), Pending.ACK, now)

    def reject(self, status: int, reason: str, headers: Headers, now: float) -> None:
        """Refuse the INVITE that waits; a refused re-INVITE leaves the call up."""
        if self.state in (State.IDLE, State.CALLING, State.OVER) or self._withdrawn:
            return
        self.session.reject(now, status, reason, headers=headers)
        if not self.times.answered:
            self.answer_status = status
        self._drop_answer(status)
        self.pump(now)

    def cancel(self, now: float, headers: Headers = ()) -> bool:
        """Give up the local INVITE that is pending; False when there is none."""
        if self.move.is_offered:
            return False  # no INVITE of the user's is pending
        if self._pending is Pending.INVITE:
            self._pending = Pending.NOTHING  # nothing was sent yet: reported as if the peer had answered at once
            self._notify(RequestFinished(0, "CANCEL", None, 200))
            self._notify(Failed(487, "", None, sip.Cause.CANCELLED))
            self._end("cancelled", "local", None, now)
            return True
        cancelled = self.session.cancel(now, headers)
        self.pump(now)
        return cancelled

    def hang_up(self, now: float, why: str = "", detail: str = "", *, headers: Headers = (), status: int = 480) -> None:
        """End the call by BYE, CANCEL or a refusal, whichever its state needs. Harmless when it is over.

        Args:
            why: the cause, unless the user wished the end.
            detail: addition to the cause.
            headers: of that message.
            status: of the refusal.
        """
        if self.state is State.OVER:
            return
        self.ending.because(why, detail=detail)
        if self._pending is Pending.INVITE:
            self.cancel(now)
            return
        self.session.hang_up(now, headers or REASONS.get(self.ending.cause, ()), status=status)
        self.pump(now)

    def request(self, method: str, body: bytes, content_type: str, headers: Headers, now: float) -> int:
        """Send any other request within the dialog; return the number of its `RequestFinished`."""
        request_id = self.session.request(now, method, body, content_type, headers=headers)
        self.pump(now)
        return request_id

    def update(self, headers: Headers, now: float, *, hold: bool = False) -> int:
        """Negotiate again by an UPDATE with an offer, as `OwnUpdate.send`; then `RequestFinished` comes."""
        if self._pending is not Pending.NOTHING:
            raise LocalProtocolError(f"no UPDATE can be sent now ({self._pending.value} waits for its media port)")
        request_id = self._update.send(headers, now, hold=HOLD_STYLE if hold else "")
        self.pump(now)
        return request_id

    def respond(self, request_id: int, status: int, headers: Headers, now: float) -> None:
        """Answer a `RequestReceived` or `TransferRequested`; harmless when it no longer waits."""
        if not self.session.awaits(request_id):
            return
        self.session.respond(now, request_id, status, headers=headers)
        self.pump(now)

    def refer(self, target: str, replaces: Replaces | None, referred_by: str, now: float) -> int:
        """Send REFER; return the number of its `RequestFinished` and `TransferProgress`."""
        request_id = self.session.refer(now, target, replaces=replaces, referred_by=referred_by)
        self.pump(now)
        return request_id

    def accept_transfer(self, request_id: int, now: float) -> None:
        """Accept the transfer that the peer requested, if it still waits; the user places the new call."""
        if not self.session.awaits(request_id):
            return
        self.session.accept_transfer(now, request_id)
        self.pump(now)

    def report_transfer(self, request_id: int, status: int, reason: str, now: float) -> None:
        """Report to the peer the progress of the call to the target of its transfer."""
        self.session.notify_transfer(now, request_id, status, reason)
        self.pump(now)

    def send_digits(self, request_id: int, digits: str, duration_ms: int, mode: str) -> None:
        """Queue digits; answered by one `DigitsSent`."""
        if not self.media.send_digits(request_id, digits, duration_ms, mode):
            self._notify(DigitsSent(request_id, "FAIL", "the call has no media stream"))

    def keep(self, *, media: bool) -> tuple[object, ...]:
        """Return a plain `KeptCall` for the next process of the slot, with media if that may go on with the call."""
        times = self.times
        return times.begun, times.invited, times.answered, self.answer_status, self.media.keep() if media else ()

    def take_over(self, kept: KeptCall) -> None:
        """Go on with a call of the process before, whose session was restored.

        Raises:
            ParseError: its descriptions cannot be read.
        """
        session = self.session
        self.state = TAKEN_OVER[session.state]
        self.times.go_on(kept.begun, kept.invited, kept.answered)
        self.answer_status = kept.status
        if kept.media and session.dialog is not None:
            streams = self.media.take_over(KeptMedia._make(kept.media), session.dialog.number)
            self._outbox.streams.update(dict.fromkeys(streams, self))

    def abandon(self, now: float) -> None:
        """Give the call up without a message to the peer (man page `cleanup`): close streams, stop timers."""
        if self.state is not State.OVER:
            self._end("abandoned", "local", None, now)
        self.ending.abandon()
        self._close_if_settled()

    def reopen(self) -> None:
        """Prepare another first INVITE, after one that was challenged (man page `resp40x`)."""
        self.state, self.times, self.answer_status = State.IDLE, CallTimes(), 0
        self.ending.begin_anew()
        self.media.forget()
        self.move.forget()

    def ended_by(self, error: BaseException) -> bool:
        """Whether an error only reports that the call ended in the same moment."""
        return self.state is State.OVER and isinstance(error, CallError | LocalProtocolError)

    def crashed(self, now: float, error: BaseException) -> None:
        """Send 500 or BYE, where the peer has a dialog: the program's code, or its user's, failed on the call."""
        self.ending.crashed(error, INTERNAL_ERROR)
        try:
            if self.state in (State.INCOMING, State.ANSWERING) and not self.times.answered:
                self.reject(500, "", (), now)
            else:
                self.hang_up(now)
        except Exception:
            self.abandon(now)
            raise
        if self.state is not State.OVER and not self.session.sizes.transactions:
            self._notify(Failed(500, self.ending.cause, None, sip.Cause.TRANSPORT))
            self.abandon(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a SIP message of this call."""
        if not self.ending.abandoned:
            self.session.receive(message, source, now, flow)
            self.pump(now)

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of a request of this call, or of its 2xx to the INVITE, which was not sent or may be lost."""
        self.ending.lost(loss)
        if branch:
            self.session.transport_failed(now, branch=branch)
        else:
            self.session.success_failed(now)
        self.pump(now)

    def connections_lost(self, now: float) -> None:
        """Send requests again that wait for their first response over a connection."""
        self.session.connections_lost(now)

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        self.session.handle_timer(now)
        self.pump(now)
        if self.move.is_overdue(now):
            self.media_missing(now)

    def media_event(self, event: Any, now: float) -> None:
        """Take an event of one of this call's streams."""
        handler = _MEDIA_HANDLERS.get(event.__class__)
        if handler is not None:
            handler(self, event, now)

    def media_lost(self, worker: int, reason: str, now: float) -> None:
        """Ask for another media worker: one is gone, or accepted no command."""
        gone = self.media.lost(worker)
        for stream_id in gone:
            self._outbox.streams.pop(stream_id, None)
        if not gone:
            return
        if self.state is State.OVER:
            self.move.lost_after_end()
            self._close_if_settled()
        elif self.media.is_lost and self.media.can_move:
            for event in self.media.digits.lost():
                self._report(event, now)
            self.move.lost(reason, now)
            self._outbox.unplaced.append(self)
        elif self.media.is_lost:
            self._fail(reason, now=now)

    def media_found(self, now: float) -> None:
        """Open streams in the place of the lost ones: a media worker is there."""
        if self.state is not State.OVER:
            self._outbox.streams.update(dict.fromkeys(self.media.relocate(), self))

    def media_missing(self, now: float) -> None:
        """End the call: no media worker came in the place of the lost one, or the peer takes no new ports."""
        self.move.failed()
        self._fail(self.move.reason, now=now)

    def _move_on(self, now: float) -> None:
        """Offer the peer the new ports, where that is due; report the end of the gap."""
        moved = self.move.go_on(now, up=self.state is State.UP, free=self._pending is Pending.NOTHING)
        if moved is not None:
            self._notify(moved)
        if self.move.has_sent:
            self.pump(now)
        elif self.move.is_refused:
            self.media_missing(now)
        elif self._pending is not Pending.NOTHING and self.media.ready:
            self._go_on(now)  # a re-INVITE of the user's waited for that of the move

    def _on_opened(self, event: media.StreamOpened, now: float) -> None:
        self.media.opened(event)
        if self.media.ready:
            self._go_on(now)

    def _on_stream_refused(self, event: media.StreamRefused, now: float) -> None:
        self._outbox.streams.pop(event.stream_id, None)
        self.media.refused(event.stream_id)
        self._report(event, now)
        if self.state is State.OVER:
            self._close_if_settled()
        else:
            self._fail(*cause_of(event.reason, event.detail), now=now)

    def _on_command_refused(self, event: media.CommandRefused, now: float) -> None:
        """End the call when a configuration is refused, without which no media would flow; a stream that was taken
        over and is not there is lost: its media worker was replaced too."""
        self._report(event, now)
        if event.command == "ExpectMedia" and event.reason == "unknown_stream":
            self.media_lost(self.media.demand.worker, LOST, now)
        if event.command == "ConfigureStream" and event.reason != "unknown_stream":
            self._fail(sip.Cause.BAD_DESCRIPTION.value, now=now)

    def _report(self, event: Any, now: float) -> None:
        self._notify(notice_of(event, self.media.number_of(event.stream_id)))

    def _on_closed(self, event: media.StreamClosed, now: float) -> None:
        self._outbox.streams.pop(event.stream_id, None)
        in_use = self.media.closed(event)
        if self.state is State.OVER:
            self._close_if_settled()
        elif in_use:
            self._fail(event.reason, now=now)

    def note_change(self) -> None:
        """Have the ledger look at the call with the next flush."""
        self._outbox.changed[self] = None

    def pump(self, now: float) -> None:
        """Send the messages that the session produced, and give each event to its handler."""
        self._outbox.changed[self] = None
        transmits, events = self.session.drain()
        while transmits or events:
            if transmits:
                self._outbox.send(transmits, self.session.config.leaves_from, self.reach.peer)
            for event in events:
                handler = _SIP_HANDLERS.get(event.__class__)
                if handler is not None:
                    handler(self, event, now)
            transmits, events = self.session.drain()
        held = self._held
        if held is not None and self._pending not in (Pending.ACK, Pending.USER_ACK):
            self._held = None
            self._notify(held)
        if self.move.is_due and self.state is not State.OVER:
            self._move_on(now)

    def _on_invite(self, event: sip.InviteReceived, now: float) -> None:
        self.state = State.INCOMING
        self.times.came(now)
        if self._take_offer(event.offer, now):
            self._notify(InviteReceived(event.request))

    def _withdraw(self, event: Any, now: float) -> None:
        """End the wait of the peer's INVITE, which has no local answer: nothing is left of a re-INVITE."""
        self._withdrawn = True
        self._drop_answer(487)

    def _drop_answer(self, status: int) -> None:
        """Forget the local answer that was about to be sent."""
        if self._pending in (Pending.ACCEPT, Pending.EARLY_MEDIA):
            self._pending = Pending.NOTHING
        self._offers.drop_pending()
        if self.times.answered:
            self._notify(AnswerDropped(status))

    def _on_reinvite(self, event: sip.ReinviteReceived, now: float) -> None:
        if self._pending is Pending.REINVITE:
            self.session.reject(now, 491)  # the local one is about to leave, and waits for its port (RFC 3261 14.2)
            return
        self._withdraw(event, now)  # the one before, if it was given up silently (RFC 3262 section 3)
        self._withdrawn = False
        if self._take_offer(event.offer, now):
            self._notify(InviteReceived(event.request, reinvite=True))

    def _take_offer(self, offer: bytes | None, now: float) -> bool:
        """Keep the offer of an INVITE; False after its refusal."""
        taken = self._offers.take(offer, now)
        if not taken and self.state is State.INCOMING:
            self.answer_status = 488
        return taken

    def _on_provisional(self, event: sip.Provisional, now: float) -> None:
        self.times.responded(event.response.status, now)
        if not self.move.is_offered:
            self._notify(Provisional(event.response))

    def _on_answer(self, event: sip.AnswerReceived, now: float) -> None:
        self.media.forks.enter(event.fork)
        if event.in_ == "PRACK":
            self._offered = False
        if event.final and self.media.exchange.pending is None:
            self.media.forks.repeat_offer()
        try:
            lines = self.media.take_answer(event.description, final=event.final)
        except (ParseError, RemoteProtocolError):
            if event.final:
                self._refuse_description(event.in_, now)
            return
        if event.in_ == "UPDATE":
            self._update.answered()
        self.media.configure(lines)

    def _refuse_description(self, in_: str, now: float) -> None:
        """Drop an unusable description of the peer: an earlier session goes on as it was, else the call ends."""
        if self.media.exchange.local is None:
            self._fail(sip.Cause.BAD_DESCRIPTION.value, now=now)
            return
        if in_ == "1xx":
            self.session.cancel(now)
            return
        self._offers.drop_pending()
        self._fail_held(sip.Cause.BAD_DESCRIPTION.value)

    def _fail_held(self, reason: str) -> None:
        """Report that a 2xx whose report waits is of no use."""
        held, self._held = self._held, None
        if held is not None:
            self._notify(Failed(488, reason, held.response, sip.Cause.BAD_DESCRIPTION, held.reinvite))

    def _on_answered(self, event: sip.Answered, now: float) -> None:
        if self.media.forks.enter(event.fork):
            self.media.configure(self.media.agreed())
        if self.media.forks.owes_answer and not self.session.owes_prack(event.fork):
            self.media.exchange.reject()  # the unusable offer of a 1xx
        if not event.reinvite:
            self.times.accepted(now)
            self.media.expect()
            self.times.responded(event.response.status, now)
            self.answer_status, self.answer_phrase = event.response.status, event.response.reason
            if self.state is State.CALLING:
                self.state = State.UP
        if event.reinvite and self.move.is_offered:
            self.move.answered()
        elif self.state is State.UP:
            self._held = Answered(event.response, event.reinvite)  # reported when its description is handled

    def _on_established(self, event: sip.Established, now: float) -> None:
        if self.state is State.ANSWERING and not event.reinvite:
            self.state = State.UP
        offered, self._offered = self._offered, False
        if offered and not event.request.description:
            self.media.exchange.reject()  # an ACK without the answer: the earlier agreement holds
        if self.state is State.UP:
            self._notify(Established(event.request, event.reinvite))

    def _on_offer(self, event: sip.OfferReceived, now: float) -> None:
        """Take an offer outside of INVITE: in a response to a delayed offer, or in UPDATE or PRACK."""
        if event.in_ not in ("1xx", "2xx") and not self.media.ready:
            self.session.respond(now, event.request_id, 500, headers=(("Retry-After", "1"),))  # RFC 3311 section 5.2
        elif event.in_ not in ("1xx", "2xx"):
            self._offers.answer(event, now, up=self.state is State.UP)
        elif not self._offers.take_delayed(event):
            self._refuse_offer(event.in_, now)
        elif event.in_ == "2xx" and self._offers.asks:
            self._pending = Pending.USER_ACK
            self._notify(OfferWaits())
        else:
            self._require(self.media.require_for_offer(), Pending.PRACK if event.in_ == "1xx" else Pending.ACK, now)

    def _refuse_offer(self, in_: str, now: float) -> None:
        """Drop an unusable offer of a response; a 2xx still gets its ACK (RFC 3261 section 13.2.2.4)."""
        if in_ == "2xx" and self.media.exchange.local is not None:
            self.session.ack(now, None)
        self._refuse_description(in_, now)

    def _on_failed(self, event: sip.Failed, now: float) -> None:
        self._offers.forget_delayed()
        if event.reinvite:
            if self.media.forks.fall_back():
                self.media.configure(self.media.agreed())
        elif event.response is not None:
            status = self.answer_status = event.response.status
            self.answer_phrase = event.response.reason
            self.ending.refused(event.response, were_sent=event.authorized)
            self.times.responded(status, now)
            if status < 300 and event.cause is sip.Cause.BAD_DESCRIPTION:
                self.times.accepted(now)  # the INVITE was accepted, even if no call can follow
        if event.reinvite and self.move.is_offered:
            if not self.session.ended:  # 481 and 408 end the call by themselves (RFC 5057 section 5.1)
                self.media_missing(now)
            return
        self._notify(failure_of(event))

    def _on_request(self, event: sip.RequestReceived, now: float) -> None:
        for notice in request_bodies.taken(self.session, event, now):
            self._notify(notice)

    def _on_request_finished(self, event: sip.RequestFinished, now: float) -> None:
        if event.method == "BYE":
            self.times.bye_over(event.status, now, answered=event.response is not None)
            if event.response is None and event.status == TRANSPORT_FAILED and not self.times.peer_bye:
                self.ending.bye_lost()
            self.ending.bye_over()
        status = self._update.settled(event)
        if not self.move.updated(event.request_id):
            self._notify(RequestFinished(event.request_id, event.method, event.response, status))
        if self.state is State.OVER and event.method == "BYE":
            self._close_if_settled()

    def _on_ended(self, event: sip.Ended, now: float) -> None:
        cause = event.cause.value
        if event.refused_with:
            self.times.came(now)  # of the INVITE there was no other report
            self.answer_status = event.refused_with
        if event.cause is sip.Cause.TRANSPORT:
            cause = self.ending.cause_of_loss
        if event.by is sip.By.REMOTE and event.cause is sip.Cause.BYE:
            self.times.got_bye(now)
        elif self.session.bye_open:
            self.ending.bye_sent()
            self.times.sent_bye(now)
        self._end(cause, event.by.value, event.message, now)

    def _on_bye_crossed(self, event: sip.ByeCrossed, now: float) -> None:
        self.times.got_bye(now)
        self.ending.bye_over()  # the peer need not answer the local BYE any more
        self._close_if_settled()

    def _require(self, opened: list[int], then: Pending, now: float) -> None:
        """Go on with `then` when every stream has its port; at once when none is missing."""
        self._outbox.streams.update(dict.fromkeys(opened, self))
        self._pending = then
        if self.media.ready and not (then is Pending.REINVITE and self.move.is_offered):
            self._go_on(now)

    def _go_on(self, now: float) -> None:
        if self._pending is Pending.USER_ACK:
            return
        then, self._pending = self._pending, Pending.NOTHING
        if self.state is State.OVER:
            return
        if then in (Pending.ACCEPT, Pending.EARLY_MEDIA) and not self.session.invite_waits:
            self._withdraw(None, now)
        elif then is Pending.ACCEPT:
            self._accept(now)
        elif then is Pending.EARLY_MEDIA:
            self._send_early_media(now)
        elif then is Pending.PRACK:
            if not self._offers.prack(self._hold, now):
                self._refuse_description("1xx", now)
        elif then is Pending.ACK:
            self._acknowledge(now)
        elif then is not Pending.NOTHING:
            delayed = then is Pending.NEXT_PLACE and not self.media.lines
            self._send_invite(then, None if delayed else self.media.offer(self._hold), now)
        self.pump(now)

    def _send_invite(self, then: Pending, offer: bytes | None, now: float) -> None:
        self.media.forks.invited()
        try:
            if then is Pending.REINVITE:
                self.session.reinvite(now, offer, headers=self._headers)
            else:
                self.session.invite(now, offer, headers=self._headers)
                if then is Pending.INVITE:
                    self.times.sent_invite(now)
        except Exception:
            self._offers.drop_pending()  # it was not sent
            raise
        self.pump(now)

    def _accept(self, now: float) -> None:
        hold, self._hold = self._hold, ""
        self.media.expect()
        try:
            body = self.media.describe_success(hold, first=not self.times.answered)
            self._offered = self.media.exchange.pending is not None
        except NothingFits:
            self._refuse_unfit(now)
            return
        self.session.accept(now, body, headers=self._headers)
        if not self.times.answered:
            self.answer_status = 200
            self.times.accepted(now)

    def _refuse_unfit(self, now: float) -> None:
        """Refuse an offer without any acceptable line (RFC 3261 sections 13.3.1.3, 20.43 and 21.4.26)."""
        self.reject(488, "", self._offers.misfit, now)

    def _send_early_media(self, now: float) -> None:
        try:
            body = self.media.answer() if self.media.forks.owes_answer else self.media.offer()
        except NothingFits:
            self._refuse_unfit(now)
            return
        if self.media.exchange.pending is None:
            self.media.configure(self.media.agreed())
        self.session.ring(now, self._early_status, body, headers=self._headers)

    def _acknowledge(self, now: float) -> None:
        """Answer a delayed offer in the ACK."""
        if self._offers.ack(self._hold, now):
            self._hold = ""
        else:
            self._refuse_offer("2xx", now)

    def _fail(self, cause: str, detail: str = "", *, now: float) -> None:
        """End the call because of a failure on this side, with a detail for people."""
        if self.state is State.OVER:
            return
        reason = with_detail(cause, detail)
        if self.state is State.CALLING and not self.times.invited:
            self._pending = Pending.NOTHING
            self._notify(Failed(503, reason, None, sip.Cause.TRANSPORT))
            self._end(cause, "local", None, now, detail)
            return
        self.ending.failed(cause, detail)
        self._fail_held(reason)
        if self.state in (State.INCOMING, State.ANSWERING) and not self.times.answered:
            self.reject(*refusal_of(cause, self.session.config.local), now)
        else:
            self.hang_up(now)

    def _end(self, cause: str, by: str, message: Request | Response | None, now: float, detail: str = "") -> None:
        if self.state is State.OVER:
            return
        self.state = State.OVER
        self.ending.because(cause, by, detail)
        self.times.over(now)
        self.media.close()
        self._notify(Ended(self.ending.text, self.ending.by, message))
        self._close_if_settled()

    def _close_if_settled(self) -> None:
        """Send `Closed` once the streams are closed and the local BYE has its answer, or never gets one."""
        if self.ending.settle(running=self.media.running):
            self._notify(Closed())

    def _notify(self, notice: Notice) -> None:
        self._outbox.notices.append((self, notice))


_MEDIA_HANDLERS: Final[dict[type, Any]] = {
    **dict.fromkeys(NOTICED, CallActor._report),
    media.DigitsBegun: lambda actor, event, now: actor.media.digits.begun(event),
    media.DigitsSent: lambda actor, event, now: actor._report(actor.media.digits.sent(event), now),
    media.StreamOpened: CallActor._on_opened,
    media.StreamRefused: CallActor._on_stream_refused,
    media.StreamStatistics: lambda actor, event, now: actor.media.counted(event),
    media.StreamStarted: lambda actor, event, now: actor.media.started(event),
    media.CommandRefused: CallActor._on_command_refused,
    media.StreamClosed: CallActor._on_closed,
}

_SIP_HANDLERS: Final[dict[type, Any]] = {
    sip.InviteReceived: CallActor._on_invite,
    sip.Provisional: CallActor._on_provisional,
    sip.AnswerReceived: CallActor._on_answer,
    sip.Answered: CallActor._on_answered,
    sip.Established: CallActor._on_established,
    sip.ReinviteReceived: CallActor._on_reinvite,
    sip.CancelReceived: CallActor._withdraw,
    sip.OfferReceived: CallActor._on_offer,
    sip.Failed: CallActor._on_failed,
    sip.RequestReceived: CallActor._on_request,
    sip.RequestFinished: CallActor._on_request_finished,
    sip.TransferRequested: lambda actor, event, now: actor._notify(TransferRequested(*event)),
    sip.TransferProgress: lambda actor, event, now: actor._notify(TransferProgress(*event)),
    sip.Ended: CallActor._on_ended,
    sip.ByeCrossed: CallActor._on_bye_crossed,
    sip.Redirected: lambda actor, event, now: actor.reach.follow(event.hop.host),
    sip.NextPlace: lambda actor, _, now: actor._require(actor.media.renew(elsewhere=True), Pending.NEXT_PLACE, now),
}

CallOutbox = Outbox[tuple[CallActor, Notice]]
"""The outbox of a worker: each notice of a call with its actor."""
