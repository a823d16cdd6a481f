"""DialogSide: all requests within the dialog but INVITE, ours and the peer's (RFC 3261 12.2, 15; RFC 3262, 3311).

BYE, UPDATE and PRACK are understood here; INFO, MESSAGE, NOTIFY, OPTIONS and whatever else the configuration
allows are carried. INVITE is in `invite_uac` and `invite_uas`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from ..errors import LocalProtocolError, ParseError
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..transaction.client_transaction import ClientState
from ..transaction.reply import Reply
from ..transaction.server_transaction import TransactionKey, transaction_key
from .dialog import Dialog, DialogState, OfferInput, OfferState, ends_call
from .events import AnswerReceived, By, ByeCrossed, Cause, OfferReceived, RequestFinished, RequestReceived
from .incoming_invite import IncomingInvite
from .invite_uac import SDP
from .invite_uas import CalledSide
from .outgoing_invite import CancelState, OutgoingInvite
from .session_state import SessionInput, SessionState
from .session_timer import too_small
from .transaction_user import ClientRequest, ServerRequest

KNOWN_METHODS: Final = frozenset(
    (
        *("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "INFO", "MESSAGE"),
        *("NOTIFY", "SUBSCRIBE", "REFER", "REGISTER", "PUBLISH"),
    )
)
"""Methods that get 405 when they are not allowed; others get 501 (RFC 3261 8.2.1, 21.5.2)."""

_OVER = (SessionState.TERMINATING, SessionState.TERMINATED)


class DialogSide(CalledSide):
    """The part of a session that sends and receives requests within the dialog. Arguments as for CallingSide."""

    __slots__ = ()

    # Commands

    def bye(self, now: float, headers: HeaderPairs = ()) -> int:
        """Hang up an established call (RFC 3261 15.1.1); Ended is told at once, so that media stops.

        Where our 2xx waits for its ACK the BYE waits too. Returns the number under which RequestFinished
        comes, 0 when it waits or the call is over already. Raises LocalProtocolError before the answer.
        """
        if self.state in _OVER:
            return 0
        dialog = self.dialog
        waits = self.state is SessionState.ACCEPTED
        self._command(SessionInput.BYE, "bye")
        if dialog is None:
            raise LocalProtocolError("bye needs a dialog")
        self._tell_end(Cause.BYE, By.LOCAL, None)
        if waits:
            self._bye_held = lines_of(headers)
            return 0
        return self._send_bye(dialog, lines_of(headers), now)

    @property
    def bye_open(self) -> bool:
        """True while a BYE of ours has no final response, or waits for its turn (RFC 3261 15.1.1)."""
        return self._bye_held is not None or any(
            client.method == "BYE" and client.request_id and client.transaction.state < ClientState.COMPLETED
            for client in self._clients
        )

    def request(
        self,
        now: float,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        headers: HeaderPairs = (),
    ) -> int:
        """Send any other request within the dialog: INFO, MESSAGE, OPTIONS, NOTIFY … (RFC 3261 12.2.1).

        Returns the number under which RequestFinished comes. Raises LocalProtocolError without a dialog, and
        for methods that have a command of their own.
        """
        if method in ("INVITE", "ACK", "CANCEL", "BYE", "PRACK"):
            raise LocalProtocolError(f"{method} has a command of its own")
        dialog = self._live_dialog(method)
        return self._request(
            now, method, dialog, extra=self._extra(headers), body=body, content_type=content_type
        ).request_id

    def update(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send an UPDATE, with an offer or as a mere refresh (RFC 3311 5.1).

        Returns the number under which RequestFinished comes. Raises LocalProtocolError while an offer is open or owed
        by an INVITE of either side, or the answer in a reliable 1xx of ours has no PRACK yet.
        """
        dialog = self._live_dialog("UPDATE")
        if description is not None:
            incoming, invite = self._incoming, self._invite
            owes = incoming is not None and not incoming.negotiated
            if invite is not None and not invite.has_offer:
                fork = invite.forks.get(dialog.remote_tag)
                owes = owes or fork is None or not fork.settled
            if owes:
                raise LocalProtocolError("an offer in UPDATE has to wait for that of the open INVITE (RFC 3311 5.1)")
            sender = incoming.reliable if incoming is not None else None
            if sender is not None and sender.unacked is not None and sender.has_description:
                raise LocalProtocolError("an offer in UPDATE has to wait for the PRACK of our answer (RFC 3311 5.1)")
            dialog.negotiate(OfferInput.SEND_OFFER)
        extra = merged(self.config.invite_tail, lines_of(headers)) + lines_of(headers)
        if self._timer is not None:
            extra += self._timer.request_lines(self.config)
        return self._request(
            now, "UPDATE", dialog, extra=extra, body=description or b"", content_type=content_type
        ).request_id

    def respond(
        self,
        now: float,
        request_id: int,
        status: int,
        reason: str = "",
        *,
        headers: HeaderPairs = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        """Answer a request of the peer that waits: RequestReceived, OfferReceived, TransferRequested.

        For an offer in UPDATE or PRACK the body of a 2xx is the answer. Raises LocalProtocolError when no
        such request waits, or the answer is missing.
        """
        server = self._waiting(request_id)
        method = server.request.method
        if status >= 200 and method in ("UPDATE", "PRACK") and server.request.description:
            dialog = self._dialog_of(server.request)
            if dialog is not None and dialog.offer is OfferState.REMOTE_OFFER:
                if status < 300 and not body:
                    raise LocalProtocolError(f"a 2xx to {method} with an offer carries the answer (RFC 3311 5.2)")
                dialog.negotiate(OfferInput.SEND_ANSWER if status < 300 else OfferInput.REJECT)
                if status < 300:
                    self._settle_description(dialog, body)
        own = lines_of(headers)
        extra = merged(self.config.reply_tail, own) + own if 200 <= status < 300 else own
        updated = self._dialog_of(server.request) if method == "UPDATE" and 200 <= status < 300 else None
        if updated is not None:
            extra += self._answer_session_timer(server.request, updated, now)
        kind = content_type or (SDP if body and method in ("UPDATE", "PRACK") else "")
        self._respond(server, status, now, reason=reason, extra=extra, body=body, content_type=kind)

    # Sending

    def _live_dialog(self, method: str) -> Dialog:
        dialog = self.dialog
        if dialog is None or self.state in _OVER:
            raise LocalProtocolError(f"{method} needs a dialog; the call is in state {self.state.name}")
        return dialog

    def _extra(self, headers: HeaderPairs) -> str:
        own = lines_of(headers)
        return merged(self.config.tail, own) + own

    def _send_bye(self, dialog: Dialog, extra: str, now: float) -> int:
        dialog.state = DialogState.TERMINATED
        self._drop_waiting(now)
        if self._unacked is not None:
            client, fork, response = self._unacked
            self._unacked = None
            self._send_ack(client, fork, response)
        if self._timer is not None:
            self._timer.stop()
        return self._request(now, "BYE", dialog, extra=extra).request_id

    def _end_by_bye(self, cause: Cause, by: By, message: Request | Response | None, now: float) -> None:
        """End the call by a BYE and tell so; also when the dialog is gone for the peer (RFC 3261 12.2.1.2)."""
        dialog = self.dialog
        self._move(SessionInput.BYE)
        self._tell_end(cause, by, message)
        if dialog is not None:
            self._send_bye(dialog, "", now)

    def _drop_waiting(self, now: float) -> None:
        """Answer 487 to what the peer still waits for, as the dialog ends (RFC 3261 15.1.2).

        The peer owes us the same for a re-INVITE; one that never sends it is not waited for without end.
        """
        if self._invite is not None and self._invite.reinvite:
            self._bound_wait(self._invite, now)
        if self._incoming is not None:
            self._refuse(self._incoming, 487, now)
        for server in self._servers:
            if not server.transaction.answered and not isinstance(server, IncomingInvite):
                self._respond(server, 487, now)

    # Responses

    def _on_response(self, client: ClientRequest, response: Response, now: float) -> None:
        if isinstance(client, OutgoingInvite):
            self._on_invite_response(client, response, now)
        elif response.status >= 200:
            self._on_final(client, response, now)

    def _on_final(self, client: ClientRequest, response: Response, now: float) -> None:
        """The final response to a request that is not INVITE."""
        status = response.status
        method = client.method
        if status in (401, 407) and self._challenged(client, response):
            self._send_in_dialog(client.again(), now)
            return
        if method == "UPDATE" and status in (491, 500) and self._back_off(client, response, now):
            return
        if method == "UPDATE":
            self._on_update_answered(client, response)
        elif method == "PRACK":
            self._on_prack_answered(client, response)
        self._finish(client, response, status, now)

    def _on_no_response(self, client: ClientRequest, status: int, now: float) -> None:
        if isinstance(client, OutgoingInvite):
            self._on_no_invite_response(client, status, now)
            return
        if client.method == "CANCEL" and status == 503 and self._invite is not None:
            # Who cannot be told to stop will not say that it has stopped: the wait of RFC 3261 9.1 is for nothing.
            self._invite.transaction.give_up_at(now)
        if client.method == "UPDATE" and client.body and client.dialog is not None:
            client.dialog.negotiate(OfferInput.REJECT)
        self._finish(client, None, status, now)

    def _finish(self, client: ClientRequest, response: Response | None, status: int, now: float) -> None:
        """Tell that a request of ours is done; `ends_call` says whether the call is over with it (12.2.1.2)."""
        if client.request_id:
            self._events.append(RequestFinished(client.request_id, client.method, response, status))
        if client.method == "CANCEL" and self._invite is not None and self._invite.cancel_id == client.request_id:
            self._invite.cancel = CancelState.ANSWERED
        if client.method == "BYE":
            if client.dialog is self.dialog:
                self._move(SessionInput.DONE)
            return
        if ends_call(client.method, status) and client.dialog is self.dialog and self.state is SessionState.CONFIRMED:
            by = By.EXPIRED if response is None else By.REMOTE
            self._end_by_bye(Cause.DIALOG_GONE, by, response, now)

    def _on_update_answered(self, client: ClientRequest, response: Response) -> None:
        """The end of our UPDATE: its answer, and the peer's new target (RFC 3311 5.1)."""
        dialog = client.dialog
        if dialog is None:
            return
        if response.status < 300:
            dialog.refresh_target(response)
        if client.body and dialog.offer is OfferState.LOCAL_OFFER:
            if response.status < 300 and response.description:
                dialog.negotiate(OfferInput.RECEIVE_ANSWER)
                self._settle_description(dialog, client.body)
                self._events.append(AnswerReceived(response.description, "UPDATE", True, dialog.number))
            else:
                dialog.negotiate(OfferInput.REJECT)

    def _on_prack_answered(self, client: ClientRequest, response: Response) -> None:
        """The end of our PRACK, with the answer to an offer in it (RFC 3262 section 5)."""

    # Requests of the peer

    def _dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog of a request, forks included (RFC 3261 12.2.2)."""
        dialog = self.dialog
        if dialog is not None and dialog.has_peer(request):
            return dialog
        for client in self._clients:
            if isinstance(client, OutgoingInvite):
                fork = client.forks.get(request.from_tag or "")
                if fork is not None and fork.dialog.has_peer(request):
                    return fork.dialog
        return None

    def awaits(self, request_id: int) -> bool:
        """True while a request of the peer waits for `respond`; its BYE ends that too (RFC 3261 15.1.2)."""
        return any(each.request_id == request_id and not each.transaction.answered for each in self._servers)

    def _waiting(self, request_id: int) -> ServerRequest:
        for server in self._servers:
            if server.request_id == request_id and not server.transaction.answered:
                return server
        raise LocalProtocolError(f"no request {request_id} of the peer waits for an answer")

    def _receive_request(self, request: Request, source: Hop, flow: int, now: float) -> None:
        method = request.method
        if method == "ACK":
            if self.dialog is not None and self._is_stranger(self.dialog, source):
                self.config.counts.strangers += 1
            else:
                self._receive_ack(request, now)
            return
        key = transaction_key(request)
        server = self._server_of(key)
        if server is not None:
            self._repeat(server, request, now)
            return
        reply = Reply(request, source, flow, self.local_tag)
        dialog = self.dialog if method == "CANCEL" else self._dialog_of(request)
        if dialog is not None and self._is_stranger(dialog, source):
            self.config.counts.strangers += 1
            self._transmits.append(Transmit(reply.to_bytes(481, ""), reply.hop, reply.flow))  # without state: 8.2.7
            return
        if method == "CANCEL":
            self._receive_cancel(request, key, reply, now)
            return
        if method == "INVITE" and dialog is not None:
            self._receive_reinvite(request, key, reply, dialog, now)
            return
        server = self._open_server(request, key, reply, now)
        if dialog is None:
            # 8.2.2.2: an INVITE that took two ways here; else 12.2.2: no such dialog.
            merged_request = request.to_tag is None and method == "INVITE"
            self._respond(server, 482 if merged_request else 481, now)
            return
        refusal = self._screen(request)
        if refusal is not None:
            self._respond(server, refusal[0], now, extra=refusal[1])
            return
        if dialog.state is DialogState.TERMINATED and method != "BYE" and not self._outlives_call(request):
            self._respond(server, 481, now)
            return
        if not dialog.accepts(request):
            self._respond(server, 500, now)
            return
        if reply.hop.transport != "udp":
            self.flow = reply.flow
        if method == "BYE":
            self._receive_bye(server, dialog, now)
        elif method == "UPDATE":
            self._receive_update(server, dialog, now)
        elif method == "PRACK":
            self._receive_prack(server, dialog, now)
        elif method == "OPTIONS":
            accept = f"Accept: {', '.join(self.config.accept)}\r\n"
            self._respond(server, 200, now, extra=accept + self.config.reply_tail)
        elif method == "NOTIFY":
            self._receive_notify(server, dialog, now)
        elif method == "REFER":
            self._receive_refer(server, now)
        else:
            self._events.append(RequestReceived(server.request_id, request))

    def _screen(self, request: Request) -> tuple[int, str] | None:
        """Check method, required extensions and body; returns status and header lines of a refusal (RFC 3261 8.2)."""
        try:
            return self._refusal(request)
        except ParseError as error:
            return error.status_hint, ""

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        config = self.config
        method = request.method
        if method not in config.allow:
            allow = f"Allow: {', '.join(config.allow)}\r\n"
            return (405 if method in KNOWN_METHODS else 501), allow
        keys = request.headers.keys
        if "require" in keys:
            unknown = [tag for tag in request.require if tag.lower() not in config.supported]
            if unknown:
                return 420, f"Unsupported: {', '.join(unknown)}\r\n"
        request.check()
        if "session-expires" in keys and too_small(request, config):
            return 422, f"Min-SE: {config.min_se}\r\n"
        if method in ("INVITE", "UPDATE", "PRACK") and not request.has_only(config.accept):
            return 415, f"Accept: {', '.join(config.accept)}\r\n"
        return None

    def _receive_bye(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """The peer hangs up: 200, and 487 to what still waits (RFC 3261 15.1.2)."""
        self._respond(server, 200, now)
        if dialog is not self.dialog or (self._invite is not None and not self._invite.reinvite):
            # One fork of our INVITE; the others, or its own 487, settle the call.
            dialog.state = DialogState.TERMINATED
            return
        dialog.state = DialogState.TERMINATED
        self._drop_waiting(now)
        for incoming in self._accepted:
            # RFC 5407 3.1.4: after the BYE nobody waits for the 2xx any more.
            incoming.success = None
        self._accepted.clear()
        self._bye_held = None
        if self._timer is not None:
            self._timer.stop()
        crossed = self._told
        self._move(SessionInput.PEER_BYE)
        self._tell_end(Cause.BYE, By.REMOTE, server.request)
        if crossed:
            self._events.append(ByeCrossed(server.request))

    def _receive_reinvite(
        self, request: Request, key: TransactionKey, reply: Reply, dialog: Dialog, now: float
    ) -> None:
        """An INVITE within the dialog: 491 and 500 settle what crosses (RFC 3261 14.2, RFC 5407 3.1.5)."""
        refusal = self._screen(request)
        if self.state in _OVER or dialog is not self.dialog:
            refusal = (481, "")
        elif not dialog.accepts(request):
            refusal = (500, "")
        elif self._incoming is not None or dialog.offer is OfferState.REMOTE_OFFER:
            refusal = (500, f"Retry-After: {self.tokens.integer(16) % 11}\r\n")
        elif self._invite is not None or dialog.offer is OfferState.LOCAL_OFFER:
            refusal = (491, "")
        if refusal is not None:
            server = self._open_server(request, key, reply, now)
            self._respond(server, refusal[0], now, extra=refusal[1])
            return
        if reply.hop.transport != "udp":
            self.flow = reply.flow
        self._take_invite(request, key, reply, dialog, now, reinvite=True)

    def _receive_update(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """An UPDATE: new target, perhaps an offer that our user answers (RFC 3311 5.2)."""
        request = server.request
        if request.description:
            if dialog.offer is OfferState.REMOTE_OFFER:
                retry = f"Retry-After: {self.tokens.integer(16) % 11}\r\n"
                self._respond(server, 500, now, extra=retry)
                return
            if dialog.offer is OfferState.LOCAL_OFFER:
                self._respond(server, 491, now)
                return
        dialog.refresh_target(request)
        if request.description:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            self._events.append(OfferReceived(request.description, "UPDATE", server.request_id, dialog.number))
        else:
            timer = self._answer_session_timer(request, dialog, now)
            self._respond(server, 200, now, extra=self.config.reply_tail + timer)

    def _receive_prack(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """A PRACK for a reliable 1xx of ours (RFC 3262 section 3)."""
        incoming = self._unacknowledged(server.request.rack)
        sender = incoming.reliable if incoming is not None else None
        if incoming is None or sender is None:
            self._respond(server, 481, now)
            return
        body = server.request.description
        if incoming.offered and incoming is self._incoming:
            # Without the answer that it should have, the offer is made once more in the 2xx, and answered in its ACK.
            dialog.negotiate(OfferInput.RECEIVE_ANSWER if body else OfferInput.REJECT)
            offered, incoming.offered = incoming.offered, b""
            if body:
                dialog.description = offered
                incoming.negotiated = True
                self._events.append(AnswerReceived(body, "PRACK", True, dialog.number))
            self._respond(server, 200, now)
        elif body and dialog.offer is OfferState.IDLE:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            self._events.append(OfferReceived(body, "PRACK", server.request_id, dialog.number))
        elif body:
            self._respond(server, 491 if dialog.offer is OfferState.LOCAL_OFFER else 500, now)
        else:
            self._respond(server, 200, now)
        if incoming is not self._incoming:
            return
        self._send_reliable(incoming, now)
        if incoming.held is not None and not sender.queue and sender.unacked is None:
            held, incoming.held = incoming.held, None
            self._send_success(incoming, held, now)

    @abstractmethod
    def _receive_notify(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """A NOTIFY of the peer."""

    @abstractmethod
    def _receive_refer(self, server: ServerRequest, now: float) -> None:
        """A REFER of the peer."""

    @abstractmethod
    def _outlives_call(self, request: Request) -> bool:
        """True for a request that belongs to a subscription which goes on after the call (RFC 5057)."""
