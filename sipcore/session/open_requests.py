"""OpenRequests: the requests of one call that are under way on both sides, carried by their transactions.

It keeps messages to send until they are drained, repeats by timers, absorbs repeated messages (RFC 3261 section 17),
and separates new responses from repeated ones. The meaning of a request, and the consequences of its end, belong to the
parts of the session; this file must not depend on them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Final, TypeVar, final

from ..errors import LocalProtocolError
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..transaction.client_transaction import ClientAction, ClientState, ClientTransaction
from ..transaction.repeats import NEVER, Why, once_more
from ..transaction.reply import Reply, timestamp_line
from ..transaction.server_transaction import ServerAction, ServerTransaction, TransactionKey
from ..transaction.timers import TimerSettings
from ..transaction.transaction_counts import TransactionCounts
from .dialog import Dialog
from .refer import Transferring

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_DELIVER: Final = ClientAction.DELIVER
_SEND: Final = ServerAction.SEND


class ClientRequest:
    """A local request on its way: its transaction, and the data to send it again with other headers."""

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
        "subscription",
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
        """Repetitions with other credentials, another interval, or later."""
        self.credentials: Sequence[tuple[str, str]] = ()
        """The credentials that it carries, as header names and values."""
        self.subscription: Transferring | None = None
        """The subscription of a REFER: its id is the number under which the REFER was sent last (RFC 3515 section
        2.4.6)."""
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
        new.subscription = self.subscription
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


class FinalHandler(ABC):
    """A part that may have a task when a local request has come to its end."""

    __slots__ = ()

    @abstractmethod
    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Take the end of a request; True when that settles it, so that no other part gets it.

        Args:
            client: the request.
            response: its final response, None when none came.
            status: its status, 408 for a timeout and 503 for a transport failure (RFC 3261 section 8.1.3.1).
            now: seconds.
        """


MOST_HEARD: Final = 16
"""Hosts kept of those that have answered; the oldest goes."""


@final
class OpenRequests:
    """The requests of one call.

    Args:
        timers, counts: of its configuration.
    """

    __slots__ = (
        "_last_id",
        "clients",
        "counts",
        "heard",
        "ignored",
        "retransmissions",
        "servers",
        "timeouts",
        "timers",
        "transmits",
    )

    def __init__(self, timers: TimerSettings, counts: TransactionCounts) -> None:
        self.timers = timers
        self.counts = counts
        self.clients: list[ClientRequest] = []
        """Local ones, until their transactions end."""
        self.servers: list[ServerRequest] = []
        """The peer's, until their transactions end."""
        self.transmits: list[Transmit] = []
        """Messages to send."""
        self.retransmissions = 0
        """Messages sent again by timers, requests and responses."""
        self.timeouts = 0
        """Transactions that ended by timer B, F or H."""
        self.ignored = 0
        """Messages of the peer that were out of place or repeated."""
        self.heard: tuple[str, ...] = ()
        """Hosts that have answered local requests, other than the one that the first INVITE went to."""
        self._last_id = 0

    def hand_over(self) -> tuple[list[ClientRequest], list[ServerRequest]]:
        """Return, and forget, the requests of both sides: their transactions go on elsewhere."""
        out = self.clients, self.servers
        self.clients, self.servers = [], []
        return out

    def next_id(self) -> int:
        """Return the number of the next request of either side."""
        self._last_id += 1
        return self._last_id

    @property
    def all_answered(self) -> bool:
        """True when no request of either side waits for its final response."""
        return all(each.transaction.state >= ClientState.COMPLETED for each in self.clients) and all(
            each.transaction.answered for each in self.servers
        )

    def send(self, client: ClientRequest, data: bytes, branch: str, now: float) -> None:
        """Put a request on the wire with a transaction of its own."""
        hop = client.hop
        client.transaction = ClientTransaction(
            data, client.method, branch, reliable=hop.transport != "udp", timers=self.timers, now=now
        )
        self.clients.append(client)
        self.transmits.append(Transmit(data, hop, client.flow))

    def take(self, response: Response, host: str, home: str, now: float) -> ClientRequest | None:
        """Give a response to the request it belongs to (RFC 3261 section 17.1.3).

        Args:
            host: it came from.
            home: the host that needs no remembering.
            now: seconds.

        Returns:
            The request, when the response is new to it; else None.
        """
        branch = response.branch
        method = response.cseq.method
        for client in self.clients:
            transaction = client.transaction
            if transaction.branch == branch and client.method == method:
                break
        else:
            self.ignored += 1
            return None
        if host != home and host not in self.heard:
            self.heard = (*self.heard, host)[-MOST_HEARD:]
        action = transaction.receive(response, now)
        if action is _DELIVER:
            return client
        if action is ClientAction.IGNORE:
            self.ignored += 1
            if transaction.state is ClientState.COMPLETED:
                self.counts.received(method)
            return None
        self.transmits.append(Transmit(transaction.ack, client.hop, client.flow))
        if action is ClientAction.ACK:
            self.counts.received(method)
            self.counts.sent("ACK")
            return None
        return client

    def run_timer(self, client: ClientRequest, now: float) -> int | None:
        """Let the timer of a local request fire.

        Returns:
            The status with which it ends, None when it goes on. 408 = timeout, 503 = transport failure, 0 = final
            response (RFC 3261 section 8.1.3.1).
        """
        return self._carry_out(client, client.transaction.handle_timer(now))

    def fail(self, client: ClientRequest, now: float) -> int | None:
        """Note that a local request could not be sent; return as `run_timer`."""
        return self._carry_out(client, client.transaction.transport_failed(now))

    def _carry_out(self, client: ClientRequest, action: ClientAction) -> int | None:
        if action is ClientAction.SEND:
            self.retransmissions += 1
            self.counts.sent(client.method)
            self.transmits.append(Transmit(client.transaction.data, client.hop, client.flow))
            return None
        if action is ClientAction.END:
            self.clients.remove(client)
            return 0
        if action is ClientAction.FAIL:
            self.clients.remove(client)
            return 503
        if action is ClientAction.TIME_OUT:
            self.clients.remove(client)
            self.timeouts += 1
            self.counts.timed_out("B" if client.method == "INVITE" else "F")
            return 408
        return None

    def server_of(self, key: TransactionKey) -> ServerRequest | None:
        """Find the transaction that a repeated request or an ACK belongs to (RFC 3261 section 17.2.3)."""
        for server in self.servers:
            if server.transaction.key == key:
                return server
        return None

    def waiting(self, request_id: int) -> ServerRequest:
        """Find a request of the peer that waits for its answer.

        Raises:
            LocalProtocolError: none does.
        """
        for server in self.servers:
            if server.request_id == request_id and not server.transaction.answered:
                return server
        raise LocalProtocolError(f"no request {request_id} of the peer waits for an answer")

    def open_server(self, request: Request, key: TransactionKey, reply: Reply, now: float) -> ServerRequest:
        """File a request of the peer that is not answered as an INVITE."""
        transaction = ServerTransaction(
            key,
            request.method,
            reliable=reply.hop.transport != "udp",
            timers=self.timers,
            now=now,
        )
        server = ServerRequest(self.next_id(), request, reply, transaction)
        self.servers.append(server)
        return server

    def respond(
        self,
        server: ServerRequest,
        status: int,
        now: float,
        *,
        reason: str = "",
        extra: str = "",
        body: bytes = b"",
        content_type: str = "",
    ) -> Transmit:
        """Answer a request of the peer; return the response as it goes out."""
        reply = server.reply
        data = reply.to_bytes(status, reason, extra, body, content_type)
        transmit = Transmit(data, reply.hop, reply.flow)
        if server.transaction.respond(status, data, now) is _SEND:
            self.transmits.append(transmit)
        return transmit

    def send_trying(self, server: ServerRequest, now: float, delay: float = 0.0) -> None:
        """Answer 100 (RFC 3261 section 8.2.6.1).

        Args:
            delay: seconds since the request came.
        """
        reply = server.reply
        data = reply.trying(timestamp_line(server.request, delay))
        if server.transaction.respond(100, data, now) is _SEND:
            self.transmits.append(Transmit(data, reply.hop, reply.flow))

    def answer_stateless(self, reply: Reply, status: int) -> None:
        """Answer a request of the peer, and keep nothing of it (RFC 3261 section 8.2.7)."""
        self.transmits.append(Transmit(reply.to_bytes(status, ""), reply.hop, reply.flow))

    def repeat(self, server: ServerRequest, request: Request, now: float) -> ServerAction:
        """Let the transaction take a repeated request or an ACK."""
        action = server.transaction.receive(request, now)
        if action is _SEND:
            self.retransmissions += 1
            self.counts.received(request.method)
            self.counts.sent(request.method)
            self.transmits.append(Transmit(server.transaction.last, server.reply.hop, server.reply.flow))
        elif action is ServerAction.IGNORE:
            self.ignored += 1
            self.counts.received(request.method)
        return action

    @property
    def due(self) -> float:
        """Time of the next transaction timer, infinite when none runs."""
        due = inf
        for client in self.clients:
            transaction = client.transaction
            if transaction.repeat_at < due:
                due = transaction.repeat_at
            if transaction.end_at < due:
                due = transaction.end_at
        for server in self.servers:
            answering = server.transaction
            if answering.repeat_at < due:
                due = answering.repeat_at
            if answering.end_at < due:
                due = answering.end_at
        return due

    def handle_servers(self, now: float) -> None:
        """Let the timers of the peer's requests that are due fire, and forget what is over."""
        for server in self.servers[:]:
            transaction = server.transaction
            while transaction.due <= now:
                action = transaction.handle_timer(now)
                if action is _SEND:
                    self.retransmissions += 1
                    self.counts.sent(transaction.method)
                    self.transmits.append(Transmit(transaction.last, server.reply.hop, server.reply.flow))
                elif action is ServerAction.SEND_TRYING:
                    # The transaction of a request other than INVITE ends 64 T1 after its arrival (RFC 4320 4.2).
                    self.send_trying(server, now, now - (transaction.end_at - 64.0 * self.timers.t1))
                else:
                    if action is ServerAction.TIME_OUT:
                        self.timeouts += 1
                        self.counts.timed_out("H" if transaction.method == "INVITE" else "F")
                    self.servers.remove(server)
                    break
