"""InviteUas: the INVITEs and re-INVITEs of the UAS (RFC 3261 9.2, 13.3, 14.2, RFC 3262 section 3).

Provisional and final answers, the 2xx that is repeated until its ACK, reliable 1xx until their PRACK, the peer's
CANCEL. One reliable 1xx is out at a time, and a 2xx must never overtake one that carries a description.
"""

from __future__ import annotations

from math import inf
from typing import Final, final

from ..errors import LocalProtocolError, ParseError
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.messages import Request
from ..transaction.reply import Reply
from ..transaction.server_transaction import ServerAction, ServerTransaction, TransactionKey, transaction_key
from .dialog import Dialog, DialogState, OfferInput, OfferState, takes_update
from .events import (
    AnswerReceived,
    By,
    CancelReceived,
    Cause,
    Established,
    InviteReceived,
    OfferReceived,
    ReinviteReceived,
)
from .in_dialog import InDialog
from .invites import OPTION_TAG, HeldAccept, IncomingInvite, PendingProvisional, ReliableSender
from .open_requests import ServerRequest
from .session_core import OVER, SDP, SessionCore
from .session_state import SessionInput, SessionState

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_INVITED: Final = SessionInput.INVITED
_RECEIVE_OFFER: Final = OfferInput.RECEIVE_OFFER
_REMOTE_OFFER: Final = OfferState.REMOTE_OFFER
_SEND_ANSWER: Final = OfferInput.SEND_ANSWER
_ACCEPT: Final = SessionInput.ACCEPT
_CONFIRMED_DIALOG: Final = DialogState.CONFIRMED
_ACCEPTED: Final = SessionState.ACCEPTED
_CONFIRMED: Final = SessionState.CONFIRMED
_ACK: Final = SessionInput.ACK


@final
class InviteUas:
    """Takes and answers the INVITEs of the peer.

    Args:
        core: of the call.
        in_dialog: ends the call.
    """

    __slots__ = ("_acknowledged", "_core", "_in_dialog")

    def __init__(self, core: SessionCore, in_dialog: InDialog) -> None:
        self._core = core
        self._in_dialog = in_dialog
        self._acknowledged: tuple[int, Dialog] | None = None
        """CSeq number and dialog of the newest 2xx with an ACK."""

    @property
    def newest_acknowledged(self) -> int:
        """CSeq number of the newest local 2xx with an ACK; -1 = none has one."""
        return -1 if self._acknowledged is None else self._acknowledged[0]

    def ring(
        self,
        now: float,
        status: int = 180,
        description: bytes | None = None,
        *,
        reliable: bool = False,
        reason: str = "",
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> None:
        """Send a 101-199 to the INVITE that waits (RFC 3261 section 13.3.1.1, RFC 3262 section 3).

        One reliable response is out at a time, further ones queue.

        Args:
            description: early media.
            reliable: request a PRACK, done in any case when the UAC requires it.

        Raises:
            LocalProtocolError: no INVITE waits, the UAC does not support 100rel, or a description is out of turn.
        """
        core = self._core
        incoming = self._pending_invite("ring")
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is no provisional status that this side may send")
        own = lines_of(headers)
        required = _requires_reliable(incoming.request)
        if (reliable or required) and not description and _owes_offer(incoming):
            raise LocalProtocolError("the first reliable response to an INVITE without offer has one (RFC 3262 5)")
        tail = core.config.reply_tail if reliable or required else core.config.ring_tail
        extra = incoming.reply.record_route + merged(tail, own) + own
        if not reliable and not required:
            core.requests.respond(
                incoming,
                status,
                now,
                reason=reason,
                extra=extra,
                body=description or b"",
                content_type=content_type,
            )
            return
        if not required and not incoming.supports_reliable:
            raise LocalProtocolError("the caller does not support reliable provisional responses (RFC 3262)")
        if "allow" in incoming.request.headers.keys:
            incoming.dialog.peer_updates = takes_update(incoming.request)  # RFC 3311 section 4
        if incoming.reliable is None:
            incoming.reliable = ReliableSender(core.tokens.integer(30) + 1, core.config.timers.t1)
        incoming.reliable.queue.append(PendingProvisional(status, reason, extra, description or b"", content_type))
        self._send_reliable(incoming, now)

    def accept(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
        status: int = 200,
    ) -> None:
        """Answer the INVITE or re-INVITE that waits with 2xx, repeated until its ACK (RFC 3261 section 13.3.1.4).

        Args:
            description: the answer, or the offer when the INVITE had none; not sent when a reliable 1xx has settled the
                matter.
            status: 200 to 299.

        Raises:
            LocalProtocolError: no INVITE waits or a description is owed.
        """
        incoming = self._pending_invite("accept")
        held = HeldAccept(description, lines_of(headers), content_type, status)
        reliable = incoming.reliable
        if reliable is not None and (reliable.queue or (reliable.unacked and reliable.has_description)):
            incoming.held = held
            return
        self._send_success(incoming, held, now)

    def reject(self, now: float, status: int = 486, reason: str = "", *, headers: HeaderPairs = ()) -> None:
        """Refuse the INVITE or re-INVITE that waits with 300-699 (RFC 3261 sections 13.3.1.2, 13.3.1.3, 14.2).

        A refusal of the first INVITE ends the call.

        Raises:
            LocalProtocolError: none waits.
        """
        incoming = self._pending_invite("reject")
        if status < 300:
            raise LocalProtocolError(f"{status} is no refusal")
        self._in_dialog.refuse(incoming, status, now, reason, lines_of(headers))
        if not incoming.reinvite:
            self._finish(Cause.REJECTED, By.LOCAL, None)

    @property
    def invite_waits(self) -> bool:
        """True while an INVITE or re-INVITE of the peer waits for `accept` or `reject`."""
        core = self._core
        return core.incoming is not None and core.incoming.held is None

    @property
    def owes_offer(self) -> bool:
        """True when the next `ring` has to carry the local offer: the INVITE has none, and requires 100rel.

        The offer goes into the first reliable response that is no failure (RFC 3261 section 13.2.1, RFC 3262 section
        5).
        """
        incoming = self._core.incoming
        return incoming is not None and _owes_offer(incoming) and _requires_reliable(incoming.request)

    def _pending_invite(self, name: str) -> IncomingInvite:
        incoming = self._core.incoming
        if incoming is None or incoming.held is not None:
            raise LocalProtocolError(f"{name} is not possible: no INVITE of the peer waits for an answer")
        return incoming

    def _finish(self, cause: Cause, by: By, message: Request | None, refused_with: int = 0) -> None:
        """End a call that was not answered."""
        core = self._core
        if core.move(SessionInput.REJECT):
            if core.dialog is not None:
                core.dialog.state = DialogState.TERMINATED
            self._in_dialog.report(cause, by, message, refused_with)

    def _send_reliable(self, incoming: IncomingInvite, now: float) -> None:
        """Send the next reliable 1xx when none is out (RFC 3262 section 3)."""
        sender = incoming.reliable
        if sender is None or sender.unacked is not None or not sender.queue:
            return
        pending = sender.queue[0]
        has_description = self._offer_in_provisional(incoming, pending.body)
        sender.queue.popleft()
        transmit = self._core.requests.respond(
            incoming,
            pending.status,
            now,
            reason=pending.reason,
            extra=f"Require: {OPTION_TAG}\r\nRSeq: {sender.rseq}\r\n{pending.extra}",
            body=pending.body,
            content_type=pending.content_type,
        )
        sender.sent(transmit, has_description, now)

    def _offer_in_provisional(self, incoming: IncomingInvite, body: bytes) -> bool:
        """Count the description of a reliable 1xx as answer or offer (RFC 3262 section 5)."""
        if not body or incoming.negotiated:
            return False
        dialog = incoming.dialog
        if dialog.offer is _REMOTE_OFFER:
            dialog.negotiate(_SEND_ANSWER)
            dialog.description = body
            incoming.negotiated = True
        else:
            dialog.negotiate(OfferInput.SEND_OFFER)
            incoming.offered = body
        return True

    def _send_success(self, incoming: IncomingInvite, held: HeldAccept, now: float) -> None:
        """Send the 2xx and begin to repeat it, on all transports (RFC 3261 section 13.3.1.4)."""
        core = self._core
        dialog = incoming.dialog
        description = held.description
        if incoming.negotiated:
            description = None
        elif dialog.offer is _REMOTE_OFFER:
            if description is None:
                raise LocalProtocolError("a 2xx to an INVITE with an offer carries the answer (RFC 3261 13.2.1)")
            dialog.negotiate(_SEND_ANSWER)
            dialog.description = description
        elif description is None:
            raise LocalProtocolError("a 2xx to an INVITE without offer carries one (RFC 3261 13.2.1)")
        else:
            dialog.negotiate(OfferInput.SEND_OFFER)
            incoming.offered = description
        if incoming.reinvite:
            # RFC 6141 section 4: the new target holds with the 2xx.
            dialog.refresh_target(incoming.request)
        else:
            core.command(_ACCEPT, "accept")
        core.incoming = None
        incoming.held = None
        dialog.state = _CONFIRMED_DIALOG
        if incoming.reliable is not None:
            incoming.reliable.stop()
        config = core.config
        extra = incoming.reply.record_route + merged(config.reply_tail, held.extra) + held.extra
        incoming.success = core.requests.respond(
            incoming,
            held.status,
            now,
            extra=extra + core.answer_timer(incoming.request, dialog, now),
            body=description or b"",
            content_type=held.content_type,
        )
        t1 = config.timers.t1
        incoming.interval = t1
        incoming.repeat_at = now + t1
        incoming.give_up_at = now + 64.0 * t1
        core.accepted.append(incoming)

    def receive_first(
        self, request: Request, reply: Reply, dialog: Dialog, refusal: tuple[int, str] | None, now: float
    ) -> None:
        """Take the INVITE that begins the call. Arguments as for `receive_reinvite`."""
        core = self._core
        core.move(_INVITED)
        if refusal is None:
            self._take_invite(request, transaction_key(request), reply, dialog, now, reinvite=False)
            return
        server = core.requests.open_server(request, transaction_key(request), reply, now)
        core.requests.respond(server, refusal[0], now, extra=refusal[1])
        self._finish(Cause.REJECTED, By.LOCAL, None, refusal[0])

    def receive_reinvite(
        self,
        request: Request,
        key: TransactionKey,
        reply: Reply,
        dialog: Dialog,
        refusal: tuple[int, str] | None,
        now: float,
    ) -> None:
        """Take an INVITE within the dialog: 491 and 500 settle what crosses (RFC 3261 14.2, RFC 5407 3.1.5).

        Args:
            refusal: status and header lines when the request itself is not fit to be taken.
        """
        core = self._core
        if core.state in OVER or dialog is not core.dialog:
            refusal = (481, "")
        elif not dialog.accepts(request):
            refusal = (500, "")
        elif core.incoming is not None or dialog.offer is _REMOTE_OFFER:
            refusal = (500, f"Retry-After: {core.tokens.integer(16) % 11}\r\n")
        elif core.invite is not None or dialog.offer is OfferState.LOCAL_OFFER:
            refusal = (491, "")
        if refusal is not None:
            server = core.requests.open_server(request, key, reply, now)
            core.requests.respond(server, refusal[0], now, extra=refusal[1])
            return
        if reply.hop.transport != "udp":
            core.flow = reply.flow
        self._take_invite(request, key, reply, dialog, now, reinvite=True)

    def _take_invite(
        self,
        request: Request,
        key: TransactionKey,
        reply: Reply,
        dialog: Dialog,
        now: float,
        *,
        reinvite: bool,
    ) -> IncomingInvite:
        """File an INVITE, answer 100, and report it."""
        core = self._core
        transaction = ServerTransaction(
            key,
            "INVITE",
            reliable=reply.hop.transport != "udp",
            timers=core.config.timers,
            now=now,
        )
        incoming = IncomingInvite(core.requests.next_id(), request, reply, transaction, dialog, reinvite)
        core.requests.servers.append(incoming)
        core.incoming = incoming
        core.requests.send_trying(incoming, now)
        offer = request.description or None
        if offer is not None:
            dialog.negotiate(_RECEIVE_OFFER)
        if reinvite:
            core.events.append(ReinviteReceived(request, offer))
        else:
            incoming.expires_at = now + _lifetime(request)
            core.events.append(InviteReceived(request, offer))
        return incoming

    def receive_ack(self, request: Request, now: float) -> None:
        """Take an ACK: that of a failure belongs to the transaction, that of a 2xx here (RFC 3261 13.3.1.4, 17.2.1)."""
        core = self._core
        server = core.requests.server_of(transaction_key(request))
        if server is not None and core.requests.repeat(server, request, now) is not ServerAction.DELIVER_ACK:
            return
        number = request.cseq.number
        for incoming in core.accepted:
            if incoming.request.cseq.number == number and incoming.dialog.has_peer(request):
                core.accepted.remove(incoming)
                self._acknowledged = number, incoming.dialog
                incoming.success = None
                incoming.repeat_at = incoming.give_up_at = inf
                self._take_ack(incoming, request, now)
                return
        core.requests.ignored += 1
        if self._acknowledged is not None:
            newest, dialog = self._acknowledged
            if number <= newest and dialog.has_peer(request):
                core.config.counts.received("ACK")

    def _take_ack(self, incoming: IncomingInvite, request: Request, now: float) -> None:
        """Take the first ACK of a 2xx: the answer of a delayed offer, the event, and the BYE that waited for it."""
        core = self._core
        dialog = incoming.dialog
        offered, incoming.offered = incoming.offered, b""
        answer = request.description if offered else b""
        if answer:
            dialog.negotiate(OfferInput.RECEIVE_ANSWER)
            dialog.description = offered
        elif offered:
            dialog.negotiate(OfferInput.REJECT)
        ended = core.state not in (_ACCEPTED, _CONFIRMED)
        if not incoming.reinvite:
            core.move(_ACK)
        if self._in_dialog.held is not None:
            self._in_dialog.send_held(dialog, now)
        if ended:
            return
        if offered and not answer and not incoming.reinvite:
            self._in_dialog.end_by_bye(Cause.BAD_DESCRIPTION, By.LOCAL, request, now)
            return
        # Without an answer a re-INVITE has changed nothing: media goes on as agreed before.
        core.events.append(Established(request, incoming.reinvite))
        if answer:
            core.events.append(AnswerReceived(answer, "ACK", True, dialog.number))

    def receive_cancel(self, request: Request, key: TransactionKey, reply: Reply, now: float) -> None:
        """Take a CANCEL: 200 when it names an INVITE of this session, and 487 to that if it still waits (9.2)."""
        core = self._core
        named = (*key[:-1], "INVITE")
        cancel = core.requests.open_server(request, key, reply, now)
        invite = next((server for server in core.requests.servers if server.transaction.key == named), None)
        if not isinstance(invite, IncomingInvite):
            core.requests.respond(cancel, 481, now)
            return
        cancel.reply = Reply(request, reply.hop, reply.flow, invite.reply.to_tag)
        core.requests.respond(cancel, 200, now)
        if invite is not core.incoming:
            return
        self._in_dialog.refuse(invite, 487, now)
        core.events.append(CancelReceived(request))
        if not invite.reinvite:
            self._finish(Cause.CANCELLED, By.REMOTE, request)

    def receive_prack(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """Take a PRACK for a local reliable 1xx (RFC 3262 section 3)."""
        core = self._core
        incoming = self._unacknowledged(server.request)
        sender = incoming.reliable if incoming is not None else None
        if incoming is None or sender is None:
            core.requests.respond(server, 481, now)
            return
        body = server.request.description
        if incoming.offered and incoming is core.incoming:
            # Without the answer that it should have, the offer is made once more in the 2xx, and answered in its ACK.
            dialog.negotiate(OfferInput.RECEIVE_ANSWER if body else OfferInput.REJECT)
            offered, incoming.offered = incoming.offered, b""
            if body:
                dialog.description = offered
                incoming.negotiated = True
                core.events.append(AnswerReceived(body, "PRACK", True, dialog.number))
            core.requests.respond(server, 200, now)
        elif body and dialog.offer is OfferState.IDLE:
            dialog.negotiate(_RECEIVE_OFFER)
            core.events.append(OfferReceived(body, "PRACK", server.request_id, dialog.number))
        elif body:
            core.requests.respond(server, 491 if dialog.offer is OfferState.LOCAL_OFFER else 500, now)
        else:
            core.requests.respond(server, 200, now)
        if incoming is not core.incoming:
            return
        self._send_reliable(incoming, now)
        if incoming.held is not None and not sender.queue and sender.unacked is None:
            held, incoming.held = incoming.held, None
            self._send_success(incoming, held, now)

    def _unacknowledged(self, prack: Request) -> IncomingInvite | None:
        """Find the INVITE whose reliable 1xx a PRACK names, one that is accepted already included (RFC 3262 3)."""
        rack = prack.rack
        for server in self._core.requests.servers:
            if not isinstance(server, IncomingInvite) or server.reliable is None or rack is None:
                continue
            if server.reliable.acknowledge(rack, server.request.cseq.number):
                return server
        return None

    @property
    def due(self) -> float:
        """Time of the next repetition of a 2xx or a reliable 1xx, or of giving up on one."""
        core = self._core
        due = inf
        for incoming in core.accepted:
            due = min(due, incoming.repeat_at, incoming.give_up_at)
        if core.incoming is not None:
            due = min(due, core.incoming.expires_at)
            if core.incoming.reliable is not None:
                due = min(due, core.incoming.reliable.due)
        return due

    def handle_timer(self, now: float) -> None:
        """Repeat what is due, and give up on 2xx and 1xx that were never acknowledged (13.3.1.4, RFC 3262 3)."""
        core = self._core
        for incoming in core.accepted[:]:
            if incoming.give_up_at <= now:
                core.accepted.remove(incoming)
                incoming.repeat_at = incoming.give_up_at = inf
                incoming.success = None
                self._on_no_ack(incoming, now)
            elif incoming.repeat_at <= now and incoming.success is not None:
                incoming.interval = min(2.0 * incoming.interval, core.config.timers.t2)
                planned = incoming.repeat_at + incoming.interval
                incoming.repeat_at = planned if planned > now else now + incoming.interval
                core.requests.retransmissions += 1
                core.config.counts.sent("INVITE")
                core.requests.transmits.append(incoming.success)
        if core.incoming is not None and core.incoming.expires_at <= now:
            self._in_dialog.refuse(core.incoming, 487, now)
            self._finish(Cause.CANCELLED, By.EXPIRED, None)
        incoming_now = core.incoming
        sender = incoming_now.reliable if incoming_now is not None else None
        if incoming_now is None or sender is None or sender.due > now:
            return
        if sender.give_up_at <= now:
            self._in_dialog.refuse(incoming_now, 504, now)
            core.requests.timeouts += 1
            if not incoming_now.reinvite:
                self._finish(Cause.NO_PRACK, By.EXPIRED, None)
        elif sender.unacked is not None:
            sender.repeated(now)
            core.requests.retransmissions += 1
            core.config.counts.sent("INVITE")
            core.requests.transmits.append(sender.unacked)

    def _on_no_ack(self, incoming: IncomingInvite, now: float) -> None:
        """Hang up: the 2xx was not acknowledged for 64*T1 (RFC 3261 section 13.3.1.4)."""
        core = self._core
        core.requests.timeouts += 1
        core.config.counts.timed_out("H")
        if self._in_dialog.held is not None:
            self._in_dialog.send_held(incoming.dialog, now)
            return
        if core.state in (_ACCEPTED, _CONFIRMED):
            self._in_dialog.end_by_bye(Cause.NO_ACK, By.EXPIRED, None, now)

    def success_failed(self, now: float) -> None:
        """Note that a local 2xx to an INVITE could not be sent.

        A call that waits for its ACK ends.
        """
        core = self._core
        for incoming in core.accepted[:]:
            if not incoming.reinvite:
                core.accepted.remove(incoming)
                incoming.success = None
                self._in_dialog.end_by_bye(Cause.TRANSPORT, By.TRANSPORT, None, now)


def _lifetime(request: Request) -> float:
    """Return the seconds within which an INVITE needs its final response; infinite without a valid Expires."""
    try:
        seconds = request.expires
    except ParseError:
        return inf
    return inf if seconds is None else float(seconds)


def _requires_reliable(request: Request) -> bool:
    """True when every provisional response above 100 has to be reliable (RFC 3262 section 3)."""
    return "require" in request.headers.keys and request.requires(OPTION_TAG)


def _owes_offer(incoming: IncomingInvite) -> bool:
    """True while no reliable response has answered an INVITE without offer."""
    return incoming.reliable is None and not incoming.request.description
