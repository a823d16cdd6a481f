"""InDialog: all requests within the dialog but INVITE, and the end of the call (RFC 3261 12.2, 15; RFC 3311, RFC 5407).

BYE and UPDATE are understood here; INFO, MESSAGE, OPTIONS and every other method that the configuration allows are
carried. Every part that finds a call at its end comes here. The end is reported once. Then come the ACK that is still
owed, the BYE, and the 487 for requests of the peer that still wait. A BYE must never go before the ACK of a local 2xx.
"""

from __future__ import annotations

from typing import Final, final

from ..errors import LocalProtocolError
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.messages import Request, Response
from ..transaction.client_transaction import ClientState
from .dialog import Dialog, DialogState, OfferInput, OfferState, ends_call
from .events import AnswerReceived, By, ByeCrossed, Cause, Ended, OfferReceived, RequestFinished, RequestReceived
from .invites import IncomingInvite
from .open_requests import ClientRequest, ServerRequest
from .request_sender import RequestSender
from .session_core import OVER, SDP, SessionCore
from .session_state import SessionInput, SessionState

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_ACCEPTED: Final = SessionState.ACCEPTED
_BYE: Final = SessionInput.BYE
_HUNG_UP: Final = Cause.BYE
_LOCAL: Final = By.LOCAL
_REMOTE: Final = By.REMOTE
_TERMINATED: Final = DialogState.TERMINATED
_PEER_BYE: Final = SessionInput.PEER_BYE
_DONE: Final = SessionInput.DONE


@final
class InDialog:
    """Sends and takes requests within the dialog.

    Args:
        core: of the call.
        sender: of its requests.
    """

    __slots__ = ("_core", "_sender", "held", "told")

    def __init__(self, core: SessionCore, sender: RequestSender) -> None:
        self._core = core
        self._sender = sender
        self.told = False
        """True once Ended was reported."""
        self.held: str | None = None
        """Header lines of the BYE that waits for the ACK (RFC 3261 section 15)."""

    def bye(self, now: float, headers: HeaderPairs = ()) -> int:
        """Hang up an established call (RFC 3261 section 15.1.1); Ended comes at once, so that media stops.

        Where a local 2xx waits for its ACK the BYE waits too.

        Returns:
            The number under which RequestFinished comes; 0 when it waits or the call is over already.

        Raises:
            LocalProtocolError: before the answer.
        """
        core = self._core
        if core.state in OVER:
            return 0
        dialog = core.dialog
        waits = core.state is _ACCEPTED
        core.command(_BYE, "bye")
        if dialog is None:
            raise LocalProtocolError("bye needs a dialog")
        self.report(_HUNG_UP, _LOCAL, None)
        if waits:
            self.held = lines_of(headers)
            return 0
        return self.send_bye(dialog, lines_of(headers), now)

    @property
    def bye_open(self) -> bool:
        """True while a local BYE has no final response, or waits for its turn (RFC 3261 section 15.1.1)."""
        return self.held is not None or any(
            client.method == "BYE" and client.request_id and client.transaction.state < ClientState.COMPLETED
            for client in self._core.requests.clients
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
        """Send any other request within the dialog: INFO, MESSAGE, OPTIONS, NOTIFY … (RFC 3261 section 12.2.1).

        Returns:
            The number under which RequestFinished comes.

        Raises:
            LocalProtocolError: without a dialog, and for methods that have a command of their own.
        """
        if method in ("INVITE", "ACK", "CANCEL", "BYE", "PRACK"):
            raise LocalProtocolError(f"{method} has a command of its own")
        dialog = self._core.live_dialog(method)
        return self._sender.request(
            now, method, dialog, extra=self._sender.own_lines(headers), body=body, content_type=content_type
        ).request_id

    def update(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send an UPDATE, with an offer or as a mere refresh (RFC 3311 section 5.1).

        Returns:
            The number under which RequestFinished comes.

        Raises:
            LocalProtocolError: while an offer is open or owed by an INVITE of either side, or the answer in a local
                reliable 1xx has no PRACK yet.
        """
        core = self._core
        dialog = core.live_dialog("UPDATE")
        if description is not None:
            incoming, invite = core.incoming, core.invite
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
        extra = merged(core.config.invite_tail, lines_of(headers)) + lines_of(headers)
        if core.timer is not None:
            extra += core.timer.request_lines(core.config)
        return self._sender.request(
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

        For an offer in UPDATE or PRACK the body of a 2xx is the answer.

        Raises:
            LocalProtocolError: no such request waits, or the answer is missing.
        """
        core = self._core
        server = core.requests.waiting(request_id)
        method = server.request.method
        if status >= 200 and method in ("UPDATE", "PRACK") and server.request.description:
            dialog = core.dialog_of(server.request)
            if dialog is not None and dialog.offer is OfferState.REMOTE_OFFER:
                if status < 300 and not body:
                    raise LocalProtocolError(f"a 2xx to {method} with an offer carries the answer (RFC 3311 5.2)")
                dialog.negotiate(OfferInput.SEND_ANSWER if status < 300 else OfferInput.REJECT)
                if status < 300:
                    self._settle_description(dialog, body)
        own = lines_of(headers)
        extra = merged(core.config.reply_tail, own) + own if 200 <= status < 300 else own
        updated = core.dialog_of(server.request) if method == "UPDATE" and 200 <= status < 300 else None
        if updated is not None:
            extra += core.answer_timer(server.request, updated, now)
        kind = content_type or (SDP if body and method in ("UPDATE", "PRACK") else "")
        core.requests.respond(server, status, now, reason=reason, extra=extra, body=body, content_type=kind)

    def awaits(self, request_id: int) -> bool:
        """True while a request of the peer waits for `respond`; its BYE ends that too (RFC 3261 section 15.1.2)."""
        return any(
            each.request_id == request_id and not each.transaction.answered for each in self._core.requests.servers
        )

    def report(self, cause: Cause, by: By, message: Request | Response | None, refused_with: int = 0) -> None:
        """Report that the call is over, once."""
        if not self.told:
            self.told = True
            self._core.events.append(Ended(cause, by, message, refused_with))

    def end_by_bye(self, cause: Cause, by: By, message: Request | Response | None, now: float, extra: str = "") -> None:
        """End the call by a BYE and report it; also when the dialog is gone for the peer (RFC 3261 12.2.1.2).

        Args:
            extra: header lines of the BYE.
        """
        core = self._core
        dialog = core.dialog
        core.move(_BYE)
        self.report(cause, by, message)
        if dialog is not None:
            self.send_bye(dialog, extra, now)

    def send_bye(self, dialog: Dialog, extra: str, now: float) -> int:
        """Send a BYE, and the ACK that is owed before it; return its number.

        Args:
            extra: its header lines; empty = `core.parting`.
        """
        core = self._core
        dialog.state = _TERMINATED
        self.drop_waiting(now)
        if core.unacked is not None:
            client, fork = core.unacked
            core.unacked = None
            self._sender.send_ack(client, fork)
        if core.timer is not None:
            core.timer.stop()
        return self._sender.request(now, "BYE", dialog, extra=extra or core.parting).request_id

    def send_held(self, dialog: Dialog, now: float) -> None:
        """Send the BYE that has waited for the ACK of the local 2xx."""
        extra, self.held = self.held or "", None
        self.send_bye(dialog, extra, now)

    def drop_waiting(self, now: float) -> None:
        """Answer 487 to requests of the peer that still wait, as the dialog ends (RFC 3261 section 15.1.2).

        The peer owes the same for a re-INVITE; one that never sends it is not waited for without end.
        """
        core = self._core
        if core.invite is not None and core.invite.reinvite:
            core.invite.bound_wait(now, core.config.timers.t1)
        if core.incoming is not None:
            self.refuse(core.incoming, 487, now)
        for server in core.requests.servers:
            if not server.transaction.answered and not isinstance(server, IncomingInvite):
                core.requests.respond(server, 487, now)

    def refuse(self, incoming: IncomingInvite, status: int, now: float, reason: str = "", extra: str = "") -> None:
        """Send a final failure, and forget what waited for it."""
        core = self._core
        core.incoming = None
        incoming.held = None
        if incoming.reliable is not None:
            incoming.reliable.stop()
            incoming.reliable.queue.clear()
        if incoming.dialog.offer is not OfferState.IDLE and not incoming.negotiated:
            incoming.dialog.negotiate(OfferInput.REJECT)
        core.requests.respond(incoming, status, now, reason=reason, extra=extra)

    def finish(self, client: ClientRequest, response: Response | None, status: int, now: float) -> None:
        """End a local request other than INVITE: it is not sent again.

        `ends_call` decides whether the call is over with it (12.2.1.2). Arguments as for `FinalHandler.take_final`.
        """
        core = self._core
        method, dialog = client.method, client.dialog
        if method == "UPDATE" and dialog is not None:
            self._on_update_over(client, dialog, response)
        if client.request_id:
            core.events.append(RequestFinished(client.request_id, method, response, status))
        if method == "BYE":
            if dialog is core.dialog:
                core.move(_DONE)
            return
        if ends_call(method, status) and dialog is core.dialog and core.state is SessionState.CONFIRMED:
            by = By.EXPIRED if response is None else _REMOTE
            self.end_by_bye(Cause.DIALOG_GONE, by, response, now)

    def _on_update_over(self, client: ClientRequest, dialog: Dialog, response: Response | None) -> None:
        """End a local UPDATE: take its answer, and the peer's new target (RFC 3311 section 5.1)."""
        success = response if response is not None and response.status < 300 else None
        if success is not None:
            dialog.refresh_target(success)
        if not client.body or (response is not None and dialog.offer is not OfferState.LOCAL_OFFER):
            return
        if success is not None and success.description:
            dialog.negotiate(OfferInput.RECEIVE_ANSWER)
            self._settle_description(dialog, client.body)
            self._core.events.append(AnswerReceived(success.description, "UPDATE", True, dialog.number))
        else:
            dialog.negotiate(OfferInput.REJECT)

    def _settle_description(self, dialog: Dialog, description: bytes) -> None:
        """Keep the local description of an UPDATE, whatever becomes of an open re-INVITE (RFC 6141)."""
        core = self._core
        dialog.description = description
        begun = core.invite.forks.get(dialog.remote_tag) if core.invite is not None else None
        if begun is not None:
            begun.before = description

    def receive_bye(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """The peer hangs up: 200, and 487 to its requests that still wait (RFC 3261 section 15.1.2)."""
        core = self._core
        core.requests.respond(server, 200, now)
        if dialog is not core.dialog or (core.invite is not None and not core.invite.reinvite):
            # One fork of the local INVITE; the others, or its own 487, settle the call.
            dialog.state = _TERMINATED
            return
        dialog.state = _TERMINATED
        self.drop_waiting(now)
        for incoming in core.accepted:
            # RFC 5407 3.1.4: after the BYE the peer waits for no 2xx any more.
            incoming.success = None
        core.accepted.clear()
        self.held = None
        if core.timer is not None:
            core.timer.stop()
        crossed = self.told
        core.move(_PEER_BYE)
        self.report(_HUNG_UP, _REMOTE, server.request)
        if crossed:
            core.events.append(ByeCrossed(server.request))

    def receive_update(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """Take an UPDATE: a new target, perhaps an offer that the local user answers (RFC 3311 section 5.2)."""
        core = self._core
        request = server.request
        if request.description:
            if dialog.offer is OfferState.REMOTE_OFFER:
                retry = f"Retry-After: {core.tokens.integer(16) % 11}\r\n"
                core.requests.respond(server, 500, now, extra=retry)
                return
            if dialog.offer is OfferState.LOCAL_OFFER:
                core.requests.respond(server, 491, now)
                return
        dialog.refresh_target(request)
        if request.description:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            core.events.append(OfferReceived(request.description, "UPDATE", server.request_id, dialog.number))
        else:
            timer = core.answer_timer(request, dialog, now)
            core.requests.respond(server, 200, now, extra=core.config.reply_tail + timer)

    def answer_options(self, server: ServerRequest, now: float) -> None:
        """Answer an OPTIONS with the accepted bodies and methods (RFC 3261 section 11.2)."""
        config = self._core.config
        accept = f"Accept: {', '.join(config.accept)}\r\n"
        self._core.requests.respond(server, 200, now, extra=accept + config.reply_tail)

    def hand_on(self, server: ServerRequest) -> None:
        """Take any other request: the local user answers it."""
        self._core.events.append(RequestReceived(server.request_id, server.request))
