"""InviteSession: one call from its first INVITE to its last timer, UAC or UAS (RFC 3261 and extensions).

The face of the engine: commands and messages in with the time, messages and events out at `drain`. It has parts that
work on one `SessionCore`, put together by `session_parts`. A command goes to the part that owns what it changes. A
request goes to `incoming_requests`, a response to `session_parts`, which hand them to a part; a timer goes to all.

| part | owns |
|---|---|
| `session_core` | data of several parts: configuration, state, dialog, events, open INVITEs, the session timer |
| `open_requests` | transactions of both sides, and the messages to send |
| `request_sender` | learnt credentials; writes requests of the dialog |
| `in_dialog` | BYE, UPDATE and all other requests; whether the end was reported, and the BYE that waits |
| `invite_uac`, `failover` | local INVITEs with their forks, and the next hop of a failed one |
| `invite_uas` | INVITEs of the peer |
| `renegotiation` | re-INVITEs that wait, and the refreshing of the session |
| `refer_usage` | the subscriptions of transfers |
| `session_record` | nothing: what another process needs to go on with the call |
| `ended_session` | nothing: what takes the place of the session when the call is over |

A part never holds what made it, so that a call leaves no cycle to the garbage collector. No part may open a socket,
read a clock, resolve a name, or look into a session description.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple, final

from ..auth.digest import CredentialsLookup
from ..errors import ParseError
from ..leniency import Leniency
from ..message.fields import Replaces
from ..message.header_lines import HeaderPairs
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from .dialog import Dialog
from .events import By, Cause, Event
from .redirection import Place, callee_of
from .session_config import Reliability, SessionConfig
from .session_core import OVER, SDP, SessionCore
from .session_parts import SessionParts
from .session_record import SessionMarks, SessionRecord, marks_of, record_of, restored
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


class SessionSizes(NamedTuple):
    """How much a call keeps in tables."""

    transactions: int
    """Of both sides."""
    dialogs: int
    """Early ones of a forked INVITE included."""


@final
class InviteSession:
    """One call. Make it with `outgoing`, `toward`, `incoming`, `late` or `restored`."""

    __slots__ = ("core", "parts")

    def __init__(self, core: SessionCore, from_: str = "", to: str = "", uri: str = "") -> None:
        self.core = core
        self.parts = SessionParts(core, from_, to, uri)

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
        local_tag: str = "",
    ) -> InviteSession:
        """Prepare a call; `invite` sends it off.

        Args:
            to: URI or name-addr.
            call_id, local_tag: where they are not to be made.
            from_: without tag, where it is not that of the configuration.
            hop: of the INVITE; else outgoing proxy, first preloaded route, or the URI itself.

        Raises:
            ParseError: a `to` that cannot be called.
        """
        to, uri, hop, domain = callee_of(to, config, hop)
        core = SessionCore(config, tokens, call_id or tokens.call_id(), local_tag or tokens.tag(), hop, is_caller=True)
        core.home = hop.host
        core.domain = domain
        sender = from_ or config.from_
        return cls(core, sender if "<" in sender else f"<{sender}>", to, uri)

    @classmethod
    def toward(
        cls, tokens: Tokens, to: str, places: Sequence[Place], *, call_id: str, local_tag: str = ""
    ) -> InviteSession:
        """Prepare a call to a callee who may be found at several places, the best first; as `outgoing`.

        Where a place is of another IP version than the one before, NextPlace asks for an offer.
        """
        first, *rest = places
        session = cls.outgoing(first.config, tokens, to, call_id=call_id, hop=first.hop, local_tag=local_tag)
        session.parts.failover.places = rest
        return session

    @classmethod
    def restored(cls, record: SessionRecord, config: SessionConfig, tokens: Tokens, now: float) -> InviteSession:
        """Return the session that goes on where another process left it; see `session_record.restored`."""
        session = cls.__new__(cls)
        session.core, session.parts = restored(record, config, tokens, now)
        return session

    @classmethod
    def late(
        cls,
        config: SessionConfig,
        tokens: Tokens,
        call_id: str,
        local_tag: str,
        source: Hop,
        headers: HeaderPairs = (),
    ) -> InviteSession:
        """Return the session that ends what is left of a call of which nothing is kept: see `InviteUac.take_late`.

        Args:
            call_id, local_tag: of the call, which was placed here.
            source: where the 2xx came from, which `receive` gets next.
            headers: of the BYE.
        """
        core = SessionCore(config, tokens, call_id, local_tag, source, is_caller=True)
        core.home = core.domain = source.host
        core.state = SessionState.TERMINATING
        session = cls(core)
        session.parts.uac.take_over()
        core.explain_end(headers)
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

        Args:
            request: the INVITE, without To tag.
            source: where it came from.
            now: seconds.
            flow: number of the inbound connection, 0 for none.

        Raises:
            ParseError: it is not fit to start a call.
        """
        core = SessionCore(config, tokens, request.call_id, tokens.tag(), source, is_caller=False)
        session = cls(core)
        session.parts.requests.begin(request, source, flow, now)
        if "contact" not in request.headers.keys:
            request.headers.note(Leniency.NO_CONTACT)
        return session

    def receive(self, message: Request | Response, source: Hop, now: float, flow: int = 0) -> None:
        """Take a message of this call; malformed parts are answered 400, or ignored in a response.

        Args:
            source: where it came from.
            now: seconds.
            flow: number of the inbound connection, 0 for none.
        """
        parts = self.parts
        try:
            if isinstance(message, Response):
                parts.take_response(message, source.host, now)
            else:
                (parts.made_requests or parts.requests).take(message, source, flow, now)
        except ParseError as error:
            if isinstance(message, Response):
                self.core.requests.ignored += 1
            else:
                parts.requests.refuse_malformed(message, error, now)
        renegotiation = parts.made_renegotiation
        if renegotiation is not None and renegotiation.queued:
            renegotiation.pump(now)

    def record(self) -> SessionRecord | None:
        """Return what another process needs to go on with the call; None when there is nothing to go on with."""
        return record_of(self.core, self.parts)

    @property
    def marks(self) -> SessionMarks:
        """What tells whether `record` differs from before; see `marks_of`."""
        return marks_of(self.core)

    @property
    def waiting_request(self) -> Request | None:
        """The INVITE of the peer that waits in the record."""
        core = self.core
        waiting = core.accepted[0] if core.accepted else core.incoming
        return waiting.request if waiting is not None else None

    def drain(self) -> tuple[list[Transmit], list[Event]]:
        """Return, and forget, the messages to send and the events since the last time."""
        core = self.core
        requests = core.requests
        out = (requests.transmits, core.events)
        requests.transmits = []
        core.events = []
        return out

    def handle_timer(self, now: float) -> None:
        """Do what is due at `now`, in seconds; call it at `deadline`, being late does no harm."""
        parts = self.parts
        parts.run_timers(now)
        self.core.requests.handle_servers(now)
        parts.uas.handle_timer(now)
        parts.uac.handle_timer(now)
        if parts.made_failover is not None:
            parts.made_failover.stop_if_cancelled(now)
        timer = self.core.timer
        if parts.made_renegotiation is not None or (timer is not None and timer.due <= now):
            parts.renegotiation.handle_timer(now)
        if parts.made_refer is not None:
            parts.made_refer.handle_timer(now)

    def transport_failed(self, now: float, *, branch: str = "", hop: Hop | None = None) -> None:
        """Note that sending failed, for one branch, or for all that went to a hop (RFC 3261 section 17.1.4).

        Args:
            branch: of a local request.
            hop: as in Transmit.
        """
        parts = self.parts
        for client in self.core.requests.clients[:]:
            if client.transaction.branch == branch or client.hop == hop:
                parts.fail(client, now)
        if branch:
            parts.uac.ack_failed(branch, now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone: requests without any response are due once more, at `now`."""
        for client in self.core.requests.clients:
            client.transaction.connections_lost(now)

    def success_failed(self, now: float) -> None:
        """Note that a local 2xx to an INVITE could not be sent.

        A call that waits for its ACK ends.
        """
        self.parts.uas.success_failed(now)

    def arrange_invites(self, *, ring_time: float | None = None, ack_lines: str | None = None) -> None:
        """Change how later INVITEs are sent. None leaves a value as it is.

        Args:
            ring_time: seconds without a final answer until a re-INVITE is cancelled, 0 = the configuration's.
            ack_lines: further header lines of each ACK to a 2xx.
        """
        if ring_time is not None:
            self.parts.renegotiation.ring_time = ring_time
        if ack_lines is not None:
            self.parts.sender.ack_lines = ack_lines

    def invite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send the INVITE that sets the call up, also after NextPlace; see `InviteUac.invite`."""
        failover = self.parts.made_failover
        if failover is not None and failover.waits:
            return failover.go_on(now, description, content_type)
        return self.parts.uac.invite(now, description, headers=headers, content_type=content_type)

    def authorize(self, challenge: Response | None, credentials: CredentialsLookup) -> bool:
        """Take other credentials; see `RequestSender.authorize`."""
        parts = self.parts
        return parts.sender.authorize(challenge, credentials, parts.uac.challenger)

    def cancel(self, now: float, headers: HeaderPairs = ()) -> bool:
        """Give up the pending INVITE or re-INVITE; see `InviteUac.cancel`."""
        cancelled = self.parts.renegotiation.cancel(now, headers)
        if self.parts.made_failover is not None:
            self.parts.made_failover.stop_if_cancelled(now)
        return cancelled

    def ack(self, now: float, description: bytes | None, *, headers: HeaderPairs = (), content_type: str = SDP) -> None:
        """Answer the offer of a 2xx in its ACK; see `InviteUac.ack`."""
        self.parts.uac.ack(now, description, headers=headers, content_type=content_type)

    def prack(
        self,
        now: float,
        description: bytes,
        *,
        fork: int | None = None,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Answer the offer of a reliable 1xx in its PRACK; see `InviteUac.prack`."""
        return self.parts.uac.prack(now, description, fork=fork, headers=headers, content_type=content_type)

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
        """Send a 101-199 to the INVITE that waits; see `InviteUas.ring`."""
        self.parts.uas.ring(
            now, status, description, reliable=reliable, reason=reason, headers=headers, content_type=content_type
        )

    def accept(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
        status: int = 200,
    ) -> None:
        """Answer the INVITE or re-INVITE that waits with 2xx; see `InviteUas.accept`."""
        self.parts.uas.accept(now, description, headers=headers, content_type=content_type, status=status)

    def reject(self, now: float, status: int = 486, reason: str = "", *, headers: HeaderPairs = ()) -> None:
        """Refuse the INVITE or re-INVITE that waits with 300-699; see `InviteUas.reject`."""
        self.parts.uas.reject(now, status, reason, headers=headers)

    def bye(self, now: float, headers: HeaderPairs = ()) -> int:
        """Hang up an established call; see `InDialog.bye`."""
        return self.parts.in_dialog.bye(now, headers)

    def request(
        self,
        now: float,
        method: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        headers: HeaderPairs = (),
    ) -> int:
        """Send any other request within the dialog; see `InDialog.request`."""
        return self.parts.in_dialog.request(now, method, body, content_type, headers=headers)

    def update(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send an UPDATE, with an offer or as a mere refresh; see `InDialog.update`."""
        return self.parts.in_dialog.update(now, description, headers=headers, content_type=content_type)

    def reinvite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Change the session by a re-INVITE; see `Renegotiation.reinvite`."""
        return self.parts.renegotiation.reinvite(now, description, headers=headers, content_type=content_type)

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
        """Answer a request of the peer that waits; see `InDialog.respond`."""
        self.parts.in_dialog.respond(
            now, request_id, status, reason, headers=headers, body=body, content_type=content_type
        )

    def hang_up(self, now: float, headers: HeaderPairs = (), *, status: int = 480) -> None:
        """End the call as its state demands: CANCEL, a refusal with `status`, or BYE; harmless when over."""
        core = self.core
        state = core.state
        if state in (SessionState.CALLING, SessionState.PROCEEDING, SessionState.EARLY):
            self.cancel(now, headers)
        elif state is SessionState.RINGING:
            if core.incoming is not None:
                core.incoming.held = None  # a 2xx that still waits for a PRACK is not sent
            self.reject(now, status, headers=headers)
        elif state is SessionState.ACCEPTED or state is SessionState.CONFIRMED:
            self.bye(now, headers)

    def give_way(self, now: float) -> None:
        """End the call because another has replaced it: BYE, or CANCEL for one that is early (RFC 3891 section 3)."""
        parts = self.parts
        state = self.core.state
        if state in (SessionState.CALLING, SessionState.PROCEEDING, SessionState.EARLY):
            parts.uac.cancel_for(now, Cause.REPLACED)
            if parts.made_failover is not None:
                parts.made_failover.stop_if_cancelled(now)
        elif state is SessionState.CONFIRMED:
            parts.in_dialog.end_by_bye(Cause.REPLACED, By.LOCAL, None, now)
        elif state is SessionState.ACCEPTED:
            self.core.command(SessionInput.BYE, "giving way")
            parts.in_dialog.held = ""
            parts.in_dialog.report(Cause.REPLACED, By.LOCAL, None)

    def refer(
        self,
        now: float,
        target: str,
        *,
        replaces: Replaces | None = None,
        referred_by: str = "",
        notify: bool = True,
        headers: HeaderPairs = (),
    ) -> int:
        """Request that the peer calls a third party; see `ReferUsage.refer`."""
        return self.parts.refer.refer(
            now, target, replaces=replaces, referred_by=referred_by, notify=notify, headers=headers
        )

    def accept_transfer(self, now: float, request_id: int) -> None:
        """Answer a REFER with 202 and report 100; see `ReferUsage.accept_transfer`."""
        self.parts.refer.accept_transfer(now, request_id)

    def notify_transfer(self, now: float, request_id: int, status: int, reason: str = "") -> bool:
        """Report how the call to the transfer target goes; see `ReferUsage.notify_transfer`."""
        return self.parts.refer.notify_transfer(now, request_id, status, reason)

    def replaces_of(self) -> Replaces | None:
        """Return the Replaces by which another call names this one, tags as the peer has them (RFC 3891 6.1)."""
        return self.parts.refer.replaces_of()

    def may_be_replaced(self, replaces: Replaces) -> int:
        """Return 200 when an INVITE with this Replaces may take the call over, else its refusal (RFC 3891 3)."""
        return self.parts.refer.may_be_replaced(replaces)

    @property
    def config(self) -> SessionConfig:
        """The configuration of the call, by the way that it has taken."""
        return self.core.config

    @config.setter
    def config(self, config: SessionConfig) -> None:
        self.core.use(config)

    @property
    def tokens(self) -> Tokens:
        """The source of branches and tags."""
        return self.core.tokens

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.core.call_id

    @property
    def local_tag(self) -> str:
        """The local tag."""
        return self.core.local_tag

    @property
    def remote_tag(self) -> str:
        """The peer's tag, empty before it is known."""
        dialog = self.core.dialog
        return dialog.remote_tag if dialog is not None else ""

    @property
    def dialog(self) -> Dialog | None:
        """The dialog of the call once it is known; of several forks the one that was answered first."""
        return self.core.dialog

    @property
    def flow(self) -> int:
        """Inbound connection of the peer, 0 for none."""
        return self.core.flow

    @property
    def is_caller(self) -> bool:
        """True when the call was placed here (UAC)."""
        return self.core.is_caller

    @property
    def state(self) -> SessionState:
        """The state of the call."""
        return self.core.state

    @property
    def ended(self) -> bool:
        """True once the call is over or on its way to be."""
        return self.core.state in OVER

    @property
    def ending(self) -> bool:
        """True while a local CANCEL or BYE, or the INVITE that it ends, waits for its final response."""
        return self.core.state is SessionState.TERMINATING

    @property
    def finished(self) -> bool:
        """True when this session is needed no more: no transaction, no timer, no call."""
        core, refer = self.core, self.parts.made_refer
        return (
            core.state is SessionState.TERMINATED
            and not core.requests.clients
            and not core.requests.servers
            and not core.accepted
            and (refer is None or not refer.is_open)
        )

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, None when nothing waits."""
        core, parts = self.core, self.parts
        due = core.requests.due
        if core.accepted or core.incoming is not None:
            due = min(due, parts.uas.due)
        if core.invite is not None and core.invite.ring_at < due:
            due = core.invite.ring_at
        if parts.made_renegotiation is not None:
            due = min(due, parts.made_renegotiation.due)
        elif core.timer is not None:
            due = min(due, core.timer.due)
        if parts.made_refer is not None:
            due = min(due, parts.made_refer.due)
        return None if due == inf else due

    @property
    def sizes(self) -> SessionSizes:
        """The number of its transactions and dialogs."""
        core = self.core
        requests = core.requests
        return SessionSizes(len(requests.clients) + len(requests.servers), core.dialogs)

    @property
    def retransmissions(self) -> int:
        """Messages sent again by timers, requests and responses."""
        return self.core.requests.retransmissions

    @property
    def timeouts(self) -> int:
        """Transactions that ended by timer B, F or H."""
        return self.core.requests.timeouts

    @property
    def ignored(self) -> int:
        """Messages of the peer that were out of place or repeated."""
        return self.core.requests.ignored

    def knows(self, request: Request) -> bool:
        """Whether a request is the repetition of one that came before (RFC 3261 section 17.2.3)."""
        return self.parts.requests.knows(request)

    def awaits(self, request_id: int) -> bool:
        """True while a request of the peer waits for `respond`; its BYE ends that too (RFC 3261 section 15.1.2)."""
        return self.parts.in_dialog.awaits(request_id)

    def owes_prack(self, fork: int) -> bool:
        """True while the offer of a reliable 1xx in this dialog waits for `prack`."""
        return self.parts.uac.owes_prack(fork)

    @property
    def owes_offer(self) -> bool:
        """True when the next `ring` has to carry the local offer; see `InviteUas.owes_offer`."""
        return self.parts.uas.owes_offer

    @property
    def invite_waits(self) -> bool:
        """True while an INVITE or re-INVITE of the peer waits for `accept` or `reject`."""
        return self.parts.uas.invite_waits

    @property
    def is_quiet(self) -> bool:
        """Whether a re-INVITE could be sent at once: no INVITE of either side and no offer is open, none waits."""
        renegotiation = self.parts.renegotiation
        return renegotiation.is_quiet and not renegotiation.queued and not renegotiation.backing_off

    @property
    def cancel_open(self) -> bool:
        """Whether the result of a CANCEL is still to come, as RequestFinished."""
        return self.parts.uac.cancel_open

    @property
    def bye_open(self) -> bool:
        """True while a local BYE has no final response, or waits for its turn (RFC 3261 section 15.1.1)."""
        return self.parts.in_dialog.bye_open

    @property
    def challenger(self) -> str:
        """The host for which the credentials of the next local request are (RELIABILITY S8)."""
        return self.parts.uac.challenger

    @property
    def was_challenged(self) -> bool:
        """True while the first INVITE has failed for lack of credentials and nothing else."""
        return self.parts.uac.refused is not None
