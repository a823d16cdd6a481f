"""InviteSession: one call from its first INVITE to its last timer, caller or called side (RFC 3261 and extensions).

The face of the engine: commands and messages in with the time, messages and events out at `drain`. Its layers,
lowest first: `transaction_user` (transactions), `invite_uac` and `invite_uas` (INVITE), `in_dialog` (all other
requests), `renegotiation` (re-INVITE, session timer), `refer_usage` (REFER, Replaces). Opens no socket, reads no clock,
resolves no name, and never looks into a session description.
"""

from __future__ import annotations

from math import inf

from ..errors import LocalProtocolError, ParseError
from ..leniency import Leniency
from ..message.header_lines import HeaderPairs
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from ..message.uri import Uri
from ..transaction.reply import Reply
from ..transaction.server_transaction import transaction_key
from .dialog import Dialog, domain_of, hop_of, uri_of
from .events import By, Cause, Failed
from .invite_uac import SDP
from .outgoing_invite import CancelState, OutgoingInvite
from .refer import plain_uri
from .refer_usage import TransferSide
from .session_config import Reliability, SessionConfig
from .session_state import SessionInput, SessionState

__all__ = [
    "SDP",
    "Hop",
    "InviteSession",
    "Reliability",
    "SessionConfig",
    "SessionState",
    "Transmit",
]


class InviteSession(TransferSide):
    """One call. Make it with `outgoing` or `incoming`."""

    __slots__ = ()

    @classmethod
    def outgoing(
        cls,
        config: SessionConfig,
        tokens: Tokens,
        to: str,
        *,
        call_id: str | None = None,
        from_: str | None = None,
        hop: Hop | None = None,
    ) -> InviteSession:
        """Prepare a call to somebody; `invite` sends it off.

        Arguments: `to` URI or name-addr; `call_id` and `from_` (without tag) where they are not to be made
        or taken from the configuration; `hop` where the INVITE goes, else outgoing proxy, first preloaded
        route, or the URI itself. Raises ParseError for a `to` that cannot be called.
        """
        start = to.find("<")
        uri = to[start + 1 : to.find(">", start)] if start >= 0 else to
        if "?" in uri or ";method=" in uri:
            # 19.1.1: neither To nor Request-URI holds headers or a method.
            uri = plain_uri(Uri.parse(uri))
            to = uri
            start = -1
        if hop is None:
            first = uri_of(config.route[0]) if config.route else uri
            hop = config.outgoing_proxy or hop_of(first, config.local.transport)
        sender = from_ or config.from_
        session = cls(
            config,
            tokens,
            call_id or tokens.call_id(),
            tokens.tag(),
            sender if "<" in sender else f"<{sender}>",
            to if start >= 0 else f"<{to}>",
            uri,
            hop,
            is_caller=True,
        )
        session._home = hop.host
        session._domain = hop.host if config.outgoing_proxy or config.route else domain_of(uri)
        return session

    @classmethod
    def incoming(
        cls,
        config: SessionConfig,
        tokens: Tokens,
        request: Request,
        source: Hop,
        now: float,
        *,
        flow: int = 0,
    ) -> InviteSession:
        """Take a new INVITE: 100 and InviteReceived are waiting to be drained.

        Arguments: the INVITE without To tag; `source` where it came from; `now` in seconds; `flow` the number
        of the inbound connection, 0 for none. Raises ParseError when it is not fit to start a call.
        """
        tag = tokens.tag()
        reply = Reply(request, source, flow, tag)
        dialog = Dialog.of_request(request, reply.local, tag, config.max_forwards)
        session = cls(config, tokens, request.call_id, tag, "", "", "", source, is_caller=False)
        if "contact" not in request.headers.keys:
            request.headers.note(Leniency.NO_CONTACT)
        session.dialog = dialog
        session.flow = flow
        refusal = session._screen(request)
        session._move(SessionInput.INVITED)
        if refusal is not None:
            server = session._open_server(request, transaction_key(request), reply, now)
            session._respond(server, refusal[0], now, extra=refusal[1])
            session._finish_called(Cause.REJECTED, By.LOCAL, None)
            return session
        session._take_invite(request, transaction_key(request), reply, dialog, now, reinvite=False)
        return session

    # Commands beyond those of the layers

    def hang_up(self, now: float, headers: HeaderPairs = (), *, status: int = 480) -> None:
        """End the call by what its state asks for: CANCEL, a refusal with `status`, or BYE; harmless when over."""
        state = self.state
        if state in (SessionState.CALLING, SessionState.PROCEEDING, SessionState.EARLY):
            self.cancel(now, headers)
        elif state is SessionState.RINGING:
            if self._incoming is not None:
                self._incoming.held = None  # a 2xx that still waits for a PRACK is not sent
            self.reject(now, status, headers=headers)
        elif state is SessionState.ACCEPTED or state is SessionState.CONFIRMED:
            self.bye(now, headers)

    # What comes in

    def receive(self, message: Request | Response, source: Hop, now: float, flow: int = 0) -> None:
        """Take a message of this call.

        Arguments: the message; `source` where it came from; `now` in seconds; `flow` the number of the inbound
        connection, 0 for none. What is malformed in it is answered 400, or ignored in a response.
        """
        if isinstance(message, Response):
            try:
                self._receive_response(message, source, now)
            except ParseError:
                self.ignored += 1
        else:
            try:
                self._receive_request(message, source, flow, now)
            except ParseError as error:
                self._refuse_malformed(message, error, now)
        if self._queued:
            self._pump(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due at `now`, in seconds; call it at `deadline`, being late does no harm."""
        self._handle_transactions(now)
        self._handle_called(now)
        invite = self._invite
        if invite is not None and invite.ring_at <= now:
            self._on_ring_timeout(invite, now)
        if self._timer is not None:
            self._handle_refresh(now)
        if self._backing_off:
            self._handle_back_off(now)
        if self._transferring or self._transferred:
            self._handle_transfers(now)
        if self._queued:
            self._pump(now)

    def _on_ring_timeout(self, client: OutgoingInvite, now: float) -> None:
        """The ring timeout passed: give the INVITE up, and let our user go.

        A CANCEL that could be sent has T1 for its effect, so that the failure carries the 487. Without a 1xx no CANCEL
        may go (RFC 3261 9.1). Then the call ends here for our user; the transaction goes on until timer B, or until a
        late response, which gets its CANCEL, or its ACK and BYE.
        """
        if self._cancel(now, Cause.NO_ANSWER) and client.cancel is CancelState.SENT and not client.reinvite:
            client.ring_at = now + self.config.timers.t1
            return
        client.ring_at = inf
        if not client.reinvite and not self._told:
            self._events.append(Failed(408, "Request Timeout", None, Cause.NO_ANSWER, False))
            self._tell_end(Cause.NO_ANSWER, By.EXPIRED, None)

    def transport_failed(self, now: float, *, branch: str = "", hop: Hop | None = None) -> None:
        """Take the news that sending failed, for one branch, or for all that went to a hop (RFC 3261 17.1.4).

        Arguments: `branch` of a request of ours; `hop` as in Transmit.
        """
        for client in self._clients[:]:
            if client.transaction.branch == branch or client.hop == hop:
                self._carry_out(client, client.transaction.transport_failed(now), now)
        dialog = self.dialog
        if not branch or dialog is None or self.state is not SessionState.CONFIRMED:
            return
        mark = f";branch={branch};".encode()
        for client in self._clients:
            if isinstance(client, OutgoingInvite):
                ack = client.acks.get(dialog.remote_tag)
                if ack is not None and mark in ack.data:
                    # The peer will take its 2xx for lost, however often it comes, and hang up (13.3.1.4, 14.2).
                    self._end_by_bye(Cause.TRANSPORT, By.TRANSPORT, None, now)
                    return

    def success_failed(self, now: float) -> None:
        """Take the news that a 2xx of ours to an INVITE could not be sent: a call that waits for its ACK ends."""
        for incoming in self._accepted[:]:
            if not incoming.reinvite:
                self._accepted.remove(incoming)
                incoming.success = None
                self._end_by_bye(Cause.TRANSPORT, By.TRANSPORT, None, now)

    # What can be read

    def knows(self, request: Request) -> bool:
        """Whether a request is the repetition of one that came before (RFC 3261 17.2.3)."""
        return self._server_of(transaction_key(request)) is not None

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called, None when nothing waits."""
        due = self._due()
        if self._accepted or self._incoming is not None:
            due = min(due, self._called_due())
        if self._invite is not None and self._invite.ring_at < due:
            due = self._invite.ring_at
        if self._timer is not None and self._timer.due < due:
            due = self._timer.due
        if self._backing_off:
            due = min(due, min([at for at, _ in self._backing_off]))
        if self._transferring or self._transferred:
            due = min(due, self._transfers_due())
        return None if due == inf else due

    @property
    def dialogs(self) -> int:
        """How many dialogs it has, early ones of a forked INVITE included."""
        invites = [client for client in self._clients if isinstance(client, OutgoingInvite)]
        forks = {id(fork.dialog) for client in invites for fork in client.forks.values()}
        return len(forks if self.dialog is None else forks | {id(self.dialog)})

    @property
    def remote_tag(self) -> str:
        """The peer's tag, empty before it is known."""
        return self.dialog.remote_tag if self.dialog is not None else ""

    @property
    def ended(self) -> bool:
        """True once the call is over or on its way to be."""
        return self.state in (SessionState.TERMINATING, SessionState.TERMINATED)

    @property
    def ending(self) -> bool:
        """True while a CANCEL or BYE of ours, or the INVITE that it ends, waits for its final response."""
        return self.state is SessionState.TERMINATING

    @property
    def finished(self) -> bool:
        """True when nothing needs this session any more: no transaction, no timer, no call."""
        return (
            self.state is SessionState.TERMINATED
            and not self._clients
            and not self._servers
            and not self._accepted
            and not self._transferring
            and not self._transferred
        )

    def _refuse_malformed(self, request: Request, error: ParseError, now: float) -> None:
        """Answer a request whose details cannot be read (RFC 3261 21.4.1)."""
        self.ignored += 1
        if request.method == "ACK":
            return
        for server in self._servers:
            if server.request is request and not server.transaction.answered:
                if server is self._incoming:
                    self._incoming = None
                try:
                    self._respond(server, error.status_hint, now, reason="")
                except LocalProtocolError:
                    self.ignored += 1
                return
