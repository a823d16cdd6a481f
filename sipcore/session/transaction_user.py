"""TransactionUser: the requests and replies of one call, carried by their transactions (RFC 3261 section 5, "TU").

Sends requests, repeats them by their timers and with credentials after a challenge, answers requests, and keeps
what is to go out and what has happened until it is drained. What requests mean is the business of the layers
built on it: `invite_uac` and `invite_uas` for INVITE, `in_dialog` for the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Final, TypeVar

from ..auth.digest import DigestClient, is_stale
from ..errors import LocalProtocolError, ParseError
from ..message.header_lines import lines_of
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from ..transaction.client_transaction import ClientAction, ClientState, ClientTransaction
from ..transaction.repeats import NEVER, Why, once_more
from ..transaction.reply import Reply, timestamp_line
from ..transaction.server_transaction import ServerAction, ServerTransaction, TransactionKey
from .dialog import Dialog
from .events import Event
from .peer_set import MOST_HEARD, admits
from .session_config import SessionConfig

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_DELIVER: Final = ClientAction.DELIVER
_SEND: Final = ServerAction.SEND


class ClientRequest:
    """A request of ours on its way: its transaction, and what is needed to send it again with other headers."""

    __slots__ = (
        "body",
        "content_type",
        "credentials",
        "cseq",
        "dialog",
        "extra",
        "flow",
        "hop",
        "method",
        "repeats",
        "request_id",
        "transaction",
        "uri",
    )

    def __init__(self, request_id: int, method: str, uri: str, dialog: Dialog | None, hop: Hop) -> None:
        self.request_id = request_id
        self.method = method
        self.uri = uri
        self.dialog = dialog
        self.hop = hop
        self.flow = 0
        self.extra = ""
        self.body = b""
        self.content_type = ""
        self.cseq = 0
        self.repeats = NEVER
        """How often it was sent again with other credentials, another interval, or later."""
        self.credentials: Sequence[tuple[str, str]] = ()
        """The credentials that it carries, as header names and values."""
        self.transaction: ClientTransaction

    def again(self) -> ClientRequest:
        """Make the record for sending the same request once more; this one stays to absorb repeated responses."""
        return self._copy_to(ClientRequest(self.request_id, self.method, self.uri, self.dialog, self.hop))

    def _copy_to(self, new: _Client) -> _Client:
        new.flow = self.flow
        new.extra = self.extra
        new.body = self.body
        new.content_type = self.content_type
        new.repeats = self.repeats
        return new

    def may_repeat(self, why: Why) -> bool:
        """Count one more repetition; False when there were enough for that reason."""
        counted = once_more(self.repeats, why)
        if counted is None:
            return False
        self.repeats = counted
        return True


_Client = TypeVar("_Client", bound=ClientRequest)


class ServerRequest:
    """A request of the peer: its transaction and the reply that its responses share."""

    __slots__ = ("reply", "request", "request_id", "transaction")

    def __init__(self, request_id: int, request: Request, reply: Reply, transaction: ServerTransaction) -> None:
        self.request_id = request_id
        self.request = request
        self.reply = reply
        self.transaction = transaction


class TransactionUser(ABC):
    """What carries the requests of one call.

    Arguments: `config` shared by many calls; `tokens` the source of branches and tags; `call_id`; `local_tag`;
    `hop` where the first INVITE goes, or came from.
    """

    __slots__ = (
        "_clients",
        "_digest",
        "_domain",
        "_events",
        "_heard",
        "_home",
        "_hop",
        "_last_id",
        "_servers",
        "_transmits",
        "call_id",
        "config",
        "dialog",
        "flow",
        "ignored",
        "local_tag",
        "retransmissions",
        "timeouts",
        "tokens",
    )

    def __init__(self, config: SessionConfig, tokens: Tokens, call_id: str, local_tag: str, hop: Hop) -> None:
        self.config = config
        self._hop = hop
        self.tokens = tokens
        self.call_id = call_id
        self.local_tag = local_tag
        self.dialog: Dialog | None = None
        """The dialog of the call once it is known; of several forks the one that was answered first."""
        self.flow = 0
        """Inbound connection of the peer, 0 for none."""
        self.retransmissions = 0
        """Messages sent again by timers, requests and responses."""
        self.timeouts = 0
        """Transactions that ended by timer B, F or H."""
        self.ignored = 0
        """Messages of the peer that were out of place or repeated."""
        self._transmits: list[Transmit] = []
        self._events: list[Event] = []
        self._clients: list[ClientRequest] = []
        self._servers: list[ServerRequest] = []
        self._last_id = 0
        self._digest: DigestClient | None = None
        self._home = ""
        """Host that our first INVITE went to, empty when the call came in."""
        self._domain = ""
        """Host that its credentials are looked up under."""
        self._heard: tuple[str, ...] = ()
        """Hosts that have answered requests of ours, other than the one that the first INVITE went to."""

    def drain(self) -> tuple[list[Transmit], list[Event]]:
        """Hand out, and forget, what is to be sent and what has happened since the last time."""
        out = (self._transmits, self._events)
        self._transmits = []
        self._events = []
        return out

    @property
    def transactions(self) -> int:
        """How many transactions it has, ours and the peer's."""
        return len(self._clients) + len(self._servers)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # Requests of ours

    def _send(self, client: ClientRequest, data: bytes, branch: str, now: float) -> None:
        """Put a request on the wire with a transaction of its own."""
        hop = client.hop
        client.transaction = ClientTransaction(
            data, client.method, branch, reliable=hop.transport != "udp", timers=self.config.timers, now=now
        )
        self._clients.append(client)
        self._transmits.append(Transmit(data, hop, client.flow))

    def _request(
        self,
        now: float,
        method: str,
        dialog: Dialog,
        *,
        extra: str = "",
        body: bytes = b"",
        content_type: str = "",
        request_id: int = 0,
    ) -> ClientRequest:
        """Send a request other than INVITE and ACK within a dialog."""
        hop = self._next_hop(dialog)
        client = ClientRequest(request_id or self._next_id(), method, dialog.request_uri, dialog, hop)
        client.flow = self._flow_to(hop, dialog)
        client.extra = extra
        client.body = body
        client.content_type = content_type
        self._send_in_dialog(client, now)
        return client

    def _send_in_dialog(self, client: ClientRequest, now: float) -> None:
        """Write a request of a dialog with a new CSeq number and branch, and send it."""
        dialog = client.dialog
        if dialog is None:
            raise LocalProtocolError(f"{client.method} needs a dialog")
        branch = self.tokens.branch()
        client.cseq = dialog.next_cseq()
        self._on_numbered(client)
        extra, config = client.extra, self._way(client.hop)
        if config is not self.config:
            extra = extra.replace(f"Contact: {self.config.contact}\r\n", f"Contact: {config.contact}\r\n", 1)
        data = dialog.write(
            client.method,
            client.cseq,
            f"{config.via_start}{branch};rport",
            self._credentials_for(client) + extra,
            client.body,
            client.content_type,
        )
        self._send(client, data, branch, now)

    def _credentials_for(self, client: ClientRequest) -> str:
        """Header lines with credentials for a request, empty while nobody has challenged us (RFC 3261 22.1)."""
        if self._digest is None:
            return ""
        host = self._auth_host(client)
        client.credentials = self._digest.headers(client.method, client.uri, client.body, host=host)
        return lines_of(client.credentials)

    def _auth_host(self, client: ClientRequest) -> str:
        """Whom a request is shown to: credentials of one host are never given to another (RELIABILITY S8)."""
        return self._domain if client.hop.host == self._home else client.hop.host

    def _challenged(self, client: ClientRequest, response: Response) -> bool:
        """Take a 401 or 407; True when the request may be sent again with credentials (RFC 3261 22.2, 22.3)."""
        lookup = self.config.credentials
        if lookup is None or not client.may_repeat(Why.STALE if is_stale(response) else Why.CHALLENGE):
            return False
        if self._digest is None:
            self._digest = DigestClient(lookup, self.tokens)
        return self._digest.learn(response, host=self._auth_host(client), sent=client.credentials)

    def _next_hop(self, dialog: Dialog) -> Hop:
        """Where requests of a dialog go; when its target cannot be read, where the first INVITE went or came from."""
        try:
            return dialog.next_hop(self.config.local.transport, self.config.outgoing_proxy)
        except ParseError:
            return self._hop

    def _way(self, hop: Hop) -> SessionConfig:
        """The configuration whose Via and Contact tell of the way that a request to a hop takes (RFC 3261 18.1.1).

        When there is no such way the request is written all the same, and lost where it is to be sent.
        """
        config = self.config
        local = config.local
        if config.way_to is None:
            return config
        if not config.roams and hop.transport == local.transport and (":" in hop.host) == (":" in local.host):
            return config
        return config.way_to(hop) or config

    def _flow_to(self, hop: Hop, dialog: Dialog) -> int:
        """The connection a request of ours may reuse: the peer's own, when no proxy is between (RFC 5923)."""
        return self.flow if hop.transport == self.config.local.transport and not dialog.route_set else 0

    def _receive_response(self, response: Response, source: Hop, now: float) -> None:
        """Give a response to the request it belongs to (RFC 3261 17.1.3)."""
        branch = response.branch
        method = response.cseq.method
        for client in self._clients:
            transaction = client.transaction
            if transaction.branch == branch and client.method == method:
                break
        else:
            self.ignored += 1
            return
        if source.host != self._hop.host and source.host not in self._heard:
            self._heard = (*self._heard, source.host)[-MOST_HEARD:]
        action = transaction.receive(response, now)
        if action is not _DELIVER:
            if action is ClientAction.IGNORE:
                self.ignored += 1
                if transaction.state is ClientState.COMPLETED:
                    self.config.counts.received(method)
                return
            self._transmits.append(Transmit(transaction.ack, client.hop, client.flow))
            if action is ClientAction.ACK:
                self.config.counts.received(method)
                self.config.counts.sent("ACK")
                return
        self._on_response(client, response, now)

    # Requests of the peer

    def _is_stranger(self, dialog: Dialog, source: Hop) -> bool:
        """Whether a request of the dialog comes from outside of its peer set, where the configuration minds."""
        host, config = source.host, self.config
        if host == self._hop.host or not config.strict_source or host in self._heard:
            return False
        return not admits(dialog, host, self._hop.host, config.addresses_of)

    def _server_of(self, key: TransactionKey) -> ServerRequest | None:
        """Find the transaction that a repeated request or an ACK belongs to (RFC 3261 17.2.3)."""
        for server in self._servers:
            if server.transaction.key == key:
                return server
        return None

    def _respond(
        self,
        server: ServerRequest,
        status: int,
        now: float,
        *,
        reason: str = "",
        extra: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> bytes:
        """Answer a request of the peer; returns the response as written."""
        reply = server.reply
        data = reply.to_bytes(status, reason, extra, body, content_type)
        if server.transaction.respond(status, data, now) is _SEND:
            self._transmits.append(Transmit(data, reply.hop, reply.flow))
        return data

    def _repeat(self, server: ServerRequest, request: Request, now: float) -> ServerAction:
        """Let the transaction take a repeated request or an ACK."""
        action = server.transaction.receive(request, now)
        if action is _SEND:
            self.retransmissions += 1
            self.config.counts.received(request.method)
            self.config.counts.sent(request.method)
            self._transmits.append(Transmit(server.transaction.last, server.reply.hop, server.reply.flow))
        elif action is ServerAction.IGNORE:
            self.ignored += 1
            self.config.counts.received(request.method)
        return action

    # Time

    def _due(self) -> float:
        """Time of the next transaction timer, infinite when none runs."""
        due = inf
        for client in self._clients:
            transaction = client.transaction
            if transaction.repeat_at < due:
                due = transaction.repeat_at
            if transaction.end_at < due:
                due = transaction.end_at
        for server in self._servers:
            answering = server.transaction
            if answering.repeat_at < due:
                due = answering.repeat_at
            if answering.end_at < due:
                due = answering.end_at
        return due

    def _handle_transactions(self, now: float) -> None:
        """Let all transaction timers that are due fire, and forget what is over."""
        for client in self._clients[:]:
            while client.transaction.due <= now:
                self._carry_out(client, client.transaction.handle_timer(now), now)
        for server in self._servers[:]:
            transaction = server.transaction
            while transaction.due <= now:
                action = transaction.handle_timer(now)
                if action is _SEND:
                    self.retransmissions += 1
                    self.config.counts.sent(transaction.method)
                    self._transmits.append(Transmit(transaction.last, server.reply.hop, server.reply.flow))
                elif action is ServerAction.SEND_TRYING:
                    self._respond_trying(server, now)
                else:
                    if action is ServerAction.TIME_OUT:
                        self.timeouts += 1
                        self.config.counts.timed_out("H" if transaction.method == "INVITE" else "F")
                    self._servers.remove(server)
                    break

    def _respond_trying(self, server: ServerRequest, now: float) -> None:
        # The transaction of a request other than INVITE ends 64 T1 after its arrival (RFC 4320 4.2).
        delay = now - (server.transaction.end_at - 64.0 * self.config.timers.t1)
        data = server.reply.trying(timestamp_line(server.request, delay))
        if server.transaction.respond(100, data, now) is _SEND:
            self._transmits.append(Transmit(data, server.reply.hop, server.reply.flow))

    def _carry_out(self, client: ClientRequest, action: ClientAction, now: float) -> None:
        """Do what a client transaction's timer or transport failure asks for."""
        if action is ClientAction.SEND:
            self.retransmissions += 1
            self.config.counts.sent(client.method)
            self._transmits.append(Transmit(client.transaction.data, client.hop, client.flow))
        elif action is ClientAction.END:
            self._clients.remove(client)
            self._on_over(client, now)
        elif action is ClientAction.TIME_OUT or action is ClientAction.FAIL:
            self._clients.remove(client)
            if action is ClientAction.TIME_OUT:
                self.timeouts += 1
                self.config.counts.timed_out("B" if client.method == "INVITE" else "F")
            self._on_no_response(client, 408 if action is ClientAction.TIME_OUT else 503, now)

    # What the layers above fill in

    @abstractmethod
    def _on_numbered(self, client: ClientRequest) -> None:
        """A request within the dialog is about to be sent, for the first time or again, under the number it has now."""

    @abstractmethod
    def _on_response(self, client: ClientRequest, response: Response, now: float) -> None:
        """A response to a request of ours."""

    @abstractmethod
    def _on_over(self, client: ClientRequest, now: float) -> None:
        """The transaction of a request of ours is over after its final response."""

    @abstractmethod
    def _on_no_response(self, client: ClientRequest, status: int, now: float) -> None:
        """A request of ours ended by timeout (408) or transport failure (503)."""
