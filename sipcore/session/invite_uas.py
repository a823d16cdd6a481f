"""CalledSide: an INVITE or re-INVITE as the called side lives through it (RFC 3261 9.2, 13.3, 14.2, RFC 3262).

Provisional and final answers, the 2xx that is repeated until its ACK, reliable 1xx until their PRACK, the peer's
CANCEL. What the caller does is in `invite_uac`; what follows within the dialog is in `invite_session`.
"""

from __future__ import annotations

from abc import abstractmethod
from math import inf

from ..errors import LocalProtocolError, ParseError
from ..message.fields import RAck
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.hop import Hop, Transmit
from ..message.messages import Request
from ..message.tokens import Tokens
from ..transaction.reply import Reply, timestamp_line
from ..transaction.server_transaction import ServerAction, ServerTransaction, TransactionKey, transaction_key
from .dialog import Dialog, DialogState, OfferInput, OfferState, takes_update
from .events import AnswerReceived, By, CancelReceived, Cause, Established, InviteReceived, Refreshed, ReinviteReceived
from .incoming_invite import HeldAccept, IncomingInvite
from .invite_uac import SDP, CallingSide
from .provisional_reliability import OPTION_TAG, PendingProvisional, ReliableSender
from .session_config import SessionConfig
from .session_state import SessionInput, SessionState
from .session_timer import SessionTimer, answer, supports
from .transaction_user import ServerRequest


class CalledSide(CallingSide):
    """The part of a session that receives INVITEs. Arguments as for CallingSide."""

    __slots__ = ("_accepted", "_acknowledged", "_bye_held", "_incoming")

    def __init__(
        self,
        config: SessionConfig,
        tokens: Tokens,
        call_id: str,
        local_tag: str,
        from_: str,
        to: str,
        uri: str,
        hop: Hop,
    ) -> None:
        super().__init__(config, tokens, call_id, local_tag, from_, to, uri, hop)
        self._incoming: IncomingInvite | None = None
        """The peer's INVITE that waits for our final response."""
        self._accepted: list[IncomingInvite] = []
        """Those whose 2xx waits for its ACK."""
        self._acknowledged: tuple[int, Dialog] | None = None  # CSeq number and dialog of the newest 2xx with an ACK
        self._bye_held: str | None = None
        """Header lines of the BYE that waits for the ACK (RFC 3261 section 15)."""

    # Commands

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
        """Send a 101-199 to the INVITE that waits (RFC 3261 13.3.1.1, RFC 3262 section 3).

        Arguments: `description` early media; `reliable` ask for a PRACK, done in any case when the caller
        requires it; one reliable response is out at a time, further ones queue. Raises LocalProtocolError
        when no INVITE waits, the caller does not know 100rel, or a description is out of turn.
        """
        incoming = self._pending_invite("ring")
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is no provisional status of ours")
        own = lines_of(headers)
        required = _requires_reliable(incoming.request)
        if (reliable or required) and not description and _owes_offer(incoming):
            raise LocalProtocolError("the first reliable response to an INVITE without offer has one (RFC 3262 5)")
        tail = self.config.reply_tail if reliable or required else self.config.ring_tail
        extra = incoming.reply.record_route + merged(tail, own) + own
        if not reliable and not required:
            self._respond(
                incoming,
                status,
                now,
                reason=reason,
                extra=extra,
                body=description or b"",
                content_type=content_type,
            )
            return
        if not required and not supports(incoming.request, OPTION_TAG):
            raise LocalProtocolError("the caller does not support reliable provisional responses (RFC 3262)")
        if incoming.reliable is None:
            incoming.reliable = ReliableSender(self.tokens.integer(30) + 1, self.config.timers.t1)
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
        """Answer the INVITE or re-INVITE that waits with 2xx, repeated until its ACK (RFC 3261 13.3.1.4).

        Arguments: `description` the answer, or the offer when the INVITE had none; not sent when a reliable
        1xx has settled the matter. Raises LocalProtocolError when no INVITE waits or a description is owed.
        """
        incoming = self._pending_invite("accept")
        held = HeldAccept(description, lines_of(headers), content_type, status)
        reliable = incoming.reliable
        if reliable is not None and (reliable.queue or (reliable.unacked and reliable.has_description)):
            incoming.held = held
            return
        self._send_success(incoming, held, now)

    def reject(self, now: float, status: int = 486, reason: str = "", *, headers: HeaderPairs = ()) -> None:
        """Refuse the INVITE or re-INVITE that waits with 300-699 (RFC 3261 13.3.1.2, 13.3.1.3, 14.2).

        The first INVITE takes the call with it. Raises LocalProtocolError when none waits.
        """
        incoming = self._pending_invite("reject")
        if status < 300:
            raise LocalProtocolError(f"{status} is no refusal")
        self._refuse(incoming, status, now, reason, lines_of(headers))
        if not incoming.reinvite:
            self._finish_called(Cause.REJECTED, By.LOCAL, None)

    @property
    def invite_waits(self) -> bool:
        """True while an INVITE or re-INVITE of the peer waits for `accept` or `reject`."""
        return self._incoming is not None and self._incoming.held is None

    @property
    def owes_offer(self) -> bool:
        """True when the next `ring` has to carry our offer: the INVITE has none, and requires 100rel.

        The offer goes into the first reliable response that is no failure (RFC 3261 13.2.1, RFC 3262 section 5).
        """
        incoming = self._incoming
        return incoming is not None and _owes_offer(incoming) and _requires_reliable(incoming.request)

    # Answers

    def _pending_invite(self, name: str) -> IncomingInvite:
        incoming = self._incoming
        if incoming is None or incoming.held is not None:
            raise LocalProtocolError(f"{name} is not possible: no INVITE of the peer waits for an answer")
        return incoming

    def _finish_called(self, cause: Cause, by: By, message: Request | None) -> None:
        """The call is over before it was answered."""
        if self._move(SessionInput.REJECT):
            if self.dialog is not None:
                self.dialog.state = DialogState.TERMINATED
            self._tell_end(cause, by, message)

    def _refuse(self, incoming: IncomingInvite, status: int, now: float, reason: str = "", extra: str = "") -> None:
        """Send a final failure, and forget what waited for it."""
        self._incoming = None
        incoming.held = None
        if incoming.reliable is not None:
            incoming.reliable.stop()
            incoming.reliable.queue.clear()
        if incoming.dialog.offer is not OfferState.IDLE and not incoming.negotiated:
            incoming.dialog.negotiate(OfferInput.REJECT)
        self._respond(incoming, status, now, reason=reason, extra=extra)

    def _send_reliable(self, incoming: IncomingInvite, now: float) -> None:
        """Send the next reliable 1xx when none is out (RFC 3262 section 3)."""
        sender = incoming.reliable
        if sender is None or sender.unacked is not None or not sender.queue:
            return
        pending = sender.queue[0]
        has_description = self._offer_in_provisional(incoming, pending.body)
        sender.queue.popleft()
        data = self._respond(
            incoming,
            pending.status,
            now,
            reason=pending.reason,
            extra=f"Require: {OPTION_TAG}\r\nRSeq: {sender.rseq}\r\n{pending.extra}",
            body=pending.body,
            content_type=pending.content_type,
        )
        sender.sent(Transmit(data, incoming.reply.hop, incoming.reply.flow), has_description, now)

    def _offer_in_provisional(self, incoming: IncomingInvite, body: bytes) -> bool:
        """Count the description of a reliable 1xx as answer or offer (RFC 3262 section 5)."""
        if not body or incoming.negotiated:
            return False
        dialog = incoming.dialog
        if dialog.offer is OfferState.REMOTE_OFFER:
            dialog.negotiate(OfferInput.SEND_ANSWER)
            dialog.description = body
            incoming.negotiated = True
        else:
            dialog.negotiate(OfferInput.SEND_OFFER)
            incoming.offered = body
        return True

    def _send_success(self, incoming: IncomingInvite, held: HeldAccept, now: float) -> None:
        """Send the 2xx and begin to repeat it, on all transports (RFC 3261 13.3.1.4)."""
        dialog = incoming.dialog
        description = held.description
        if incoming.negotiated:
            description = None
        elif dialog.offer is OfferState.REMOTE_OFFER:
            if description is None:
                raise LocalProtocolError("a 2xx to an INVITE with an offer carries the answer (RFC 3261 13.2.1)")
            dialog.negotiate(OfferInput.SEND_ANSWER)
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
            self._command(SessionInput.ACCEPT, "accept")
        self._incoming = None
        incoming.held = None
        dialog.state = DialogState.CONFIRMED
        if incoming.reliable is not None:
            incoming.reliable.stop()
        config = self.config
        extra = incoming.reply.record_route + merged(config.reply_tail, held.extra) + held.extra
        data = self._respond(
            incoming,
            held.status,
            now,
            extra=extra + self._answer_session_timer(incoming.request, dialog, now),
            body=description or b"",
            content_type=held.content_type,
        )
        incoming.success = Transmit(data, incoming.reply.hop, incoming.reply.flow)
        t1 = config.timers.t1
        incoming.interval = t1
        incoming.repeat_at = now + t1
        incoming.give_up_at = now + 64.0 * t1
        self._accepted.append(incoming)

    def _answer_session_timer(self, request: Request, dialog: Dialog, now: float) -> str:
        """Start the session timer as called side; returns the header lines of the 2xx (RFC 4028 section 9).

        An early dialog starts none: the interval of the session is that of the INVITE's own 2xx.
        """
        if self._timer is None and not self.config.session_expires and "session-expires" not in request.headers.keys:
            return ""
        agreed, lines = answer(request, self.config)
        if "allow" in request.headers.keys:
            dialog.peer_updates = takes_update(request)
        if dialog.state is not DialogState.CONFIRMED or dialog is not self.dialog:
            return lines
        if self._timer is None:
            self._timer = SessionTimer(self.config.min_se)
        self._timer.start(agreed, now)
        self._events.append(Refreshed(agreed.interval))
        return lines

    # The peer's messages

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
        """File an INVITE, answer 100, and tell of it."""
        transaction = ServerTransaction(
            key,
            "INVITE",
            reliable=reply.hop.transport != "udp",
            timers=self.config.timers,
            now=now,
        )
        incoming = IncomingInvite(self._next_id(), request, reply, transaction, dialog, reinvite)
        self._servers.append(incoming)
        self._incoming = incoming
        trying = reply.trying(timestamp_line(request))
        transaction.respond(100, trying, now)
        self._transmits.append(Transmit(trying, reply.hop, reply.flow))
        offer = request.description or None
        if offer is not None:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
        if reinvite:
            self._events.append(ReinviteReceived(request, offer))
        else:
            incoming.expires_at = now + _lifetime(request)
            self._events.append(InviteReceived(request, offer))
        return incoming

    def _receive_ack(self, request: Request, now: float) -> None:
        """An ACK: of a failure it belongs to the transaction, of a 2xx to us (RFC 3261 13.3.1.4, 17.2.1)."""
        server = self._server_of(transaction_key(request))
        if server is not None and self._repeat(server, request, now) is not ServerAction.DELIVER_ACK:
            return
        number = request.cseq.number
        for incoming in self._accepted:
            if incoming.request.cseq.number == number and incoming.dialog.has_peer(request):
                self._accepted.remove(incoming)
                self._acknowledged = number, incoming.dialog
                incoming.success = None
                incoming.repeat_at = incoming.give_up_at = inf
                self._take_ack(incoming, request, now)
                return
        self.ignored += 1
        if self._acknowledged is not None:
            newest, dialog = self._acknowledged
            if number <= newest and dialog.has_peer(request):
                self.config.counts.received("ACK")

    def _take_ack(self, incoming: IncomingInvite, request: Request, now: float) -> None:
        """The first ACK of a 2xx: the answer of a delayed offer, the news, and the BYE that waited for it."""
        dialog = incoming.dialog
        offered, incoming.offered = incoming.offered, b""
        answer = request.description if offered else b""
        if answer:
            dialog.negotiate(OfferInput.RECEIVE_ANSWER)
            dialog.description = offered
        elif offered:
            dialog.negotiate(OfferInput.REJECT)
        ended = self.state not in (SessionState.ACCEPTED, SessionState.CONFIRMED)
        if not incoming.reinvite:
            self._move(SessionInput.ACK)
        if self._bye_held is not None:
            extra, self._bye_held = self._bye_held, None
            self._send_bye(dialog, extra, now)
        if ended:
            return
        if offered and not answer and not incoming.reinvite:
            self._end_by_bye(Cause.BAD_DESCRIPTION, By.LOCAL, request, now)
            return
        # Without an answer a re-INVITE has changed nothing: media goes on as agreed before.
        self._events.append(Established(request, incoming.reinvite))
        if answer:
            self._events.append(AnswerReceived(answer, "ACK", True, dialog.number))

    def _receive_cancel(self, request: Request, key: TransactionKey, reply: Reply, now: float) -> None:
        """A CANCEL: 200 when it names an INVITE of this session, and 487 to that if it still waits (9.2)."""
        named = (*key[:-1], "INVITE")
        cancel = self._open_server(request, key, reply, now)
        invite = next((server for server in self._servers if server.transaction.key == named), None)
        if not isinstance(invite, IncomingInvite):
            self._respond(cancel, 481, now)
            return
        cancel.reply = Reply(request, reply.hop, reply.flow, invite.reply.to_tag)
        self._respond(cancel, 200, now)
        if invite is not self._incoming:
            return
        self._refuse(invite, 487, now)
        self._events.append(CancelReceived(request))
        if not invite.reinvite:
            self._finish_called(Cause.CANCELLED, By.REMOTE, request)

    def _open_server(self, request: Request, key: TransactionKey, reply: Reply, now: float) -> ServerRequest:
        """File a request of the peer that is not INVITE."""
        transaction = ServerTransaction(
            key,
            request.method,
            reliable=reply.hop.transport != "udp",
            timers=self.config.timers,
            now=now,
        )
        server = ServerRequest(self._next_id(), request, reply, transaction)
        self._servers.append(server)
        return server

    # Time

    def _called_due(self) -> float:
        """Time of the next repetition of a 2xx or a reliable 1xx, or of giving up on one."""
        due = inf
        for incoming in self._accepted:
            due = min(due, incoming.repeat_at, incoming.give_up_at)
        if self._incoming is not None:
            due = min(due, self._incoming.expires_at)
            if self._incoming.reliable is not None:
                due = min(due, self._incoming.reliable.due)
        return due

    def _handle_called(self, now: float) -> None:
        """Repeat what is due, and give up on what was never acknowledged (13.3.1.4, RFC 3262 section 3)."""
        for incoming in self._accepted[:]:
            if incoming.give_up_at <= now:
                self._accepted.remove(incoming)
                incoming.repeat_at = incoming.give_up_at = inf
                incoming.success = None
                self._on_no_ack(incoming, now)
            elif incoming.repeat_at <= now and incoming.success is not None:
                incoming.interval = min(2.0 * incoming.interval, self.config.timers.t2)
                planned = incoming.repeat_at + incoming.interval
                incoming.repeat_at = planned if planned > now else now + incoming.interval
                self.retransmissions += 1
                self.config.counts.sent("INVITE")
                self._transmits.append(incoming.success)
        if self._incoming is not None and self._incoming.expires_at <= now:
            self._refuse(self._incoming, 487, now)
            self._finish_called(Cause.CANCELLED, By.EXPIRED, None)
        incoming_now = self._incoming
        sender = incoming_now.reliable if incoming_now is not None else None
        if incoming_now is None or sender is None or sender.due > now:
            return
        if sender.give_up_at <= now:
            self._refuse(incoming_now, 504, now)
            self.timeouts += 1
            if not incoming_now.reinvite:
                self._finish_called(Cause.NO_PRACK, By.EXPIRED, None)
        elif sender.unacked is not None:
            sender.repeated(now)
            self.retransmissions += 1
            self.config.counts.sent("INVITE")
            self._transmits.append(sender.unacked)

    def _on_no_ack(self, incoming: IncomingInvite, now: float) -> None:
        """Nobody acknowledged our 2xx for 64*T1: hang up (RFC 3261 13.3.1.4)."""
        self.timeouts += 1
        self.config.counts.timed_out("H")
        if self._bye_held is not None:
            extra, self._bye_held = self._bye_held, None
            self._send_bye(incoming.dialog, extra, now)
            return
        if self.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            self._end_by_bye(Cause.NO_ACK, By.EXPIRED, None, now)

    def _unacknowledged(self, rack: RAck | None) -> IncomingInvite | None:
        """Find the INVITE whose reliable 1xx a PRACK names, one that is accepted already included (RFC 3262 3)."""
        for server in self._servers:
            if not isinstance(server, IncomingInvite) or server.reliable is None or rack is None:
                continue
            if server.reliable.acknowledge(rack, server.request.cseq.number):
                return server
        return None

    @abstractmethod
    def _send_bye(self, dialog: Dialog, extra: str, now: float) -> int:
        """Send a BYE; returns its number."""


def _lifetime(request: Request) -> float:
    """Seconds within which an INVITE wants its final response; infinite without Expires, or with one that is none."""
    try:
        seconds = request.expires
    except ParseError:
        return inf
    return inf if seconds is None else float(seconds)


def _requires_reliable(request: Request) -> bool:
    """True when every provisional response above 100 has to be reliable (RFC 3262 section 3)."""
    return "require" in request.headers.keys and request.requires(OPTION_TAG)


def _owes_offer(incoming: IncomingInvite) -> bool:
    """True while nothing reliable has answered an INVITE without offer."""
    return incoming.reliable is None and not incoming.request.description
