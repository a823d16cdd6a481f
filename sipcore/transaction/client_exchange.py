"""Exchange: one request after another outside of calls, each from its sending to its final response.

Repeats by the timers of its transaction (RFC 3261 17.1.2) and once more with credentials after a challenge (22.2).
Used by registrations and subscriptions, which never have two requests of their own open at a time (10.2, RFC 6665
4.1.2.2). It has no dialogs, and must not interpret the requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from ..auth.digest import DigestClient, is_stale
from ..errors import LocalProtocolError
from ..message.hop import Hop, Transmit, bracketed
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from .client_transaction import ClientAction, ClientTransaction
from .repeats import NEVER, Why, once_more
from .timers import TimerSettings


class Finished(NamedTuple):
    """The end of a request."""

    status: int
    """Of the final response; 408 for silence and 503 for a failed transport (RFC 3261 8.1.3.1)."""
    response: Response | None
    """The final response, None without one."""


class Way(NamedTuple):
    """A place of a server or target, and the local side that it sees."""

    hop: Hop
    """Where the requests go."""
    local: Hop
    """Transport, host and port written into Via."""
    contacts: tuple[str, ...]
    """Contact values, as name-addr or URI with any parameters."""
    bound: Hop | None = None
    """What the socket is bound to where that is not `local` (1:1 NAT); None = `local`."""


@final
class Exchange:
    """What carries one request at a time.

    Args:
        local: hop written into Via.
        hop: where requests go.
        tokens: source of branches.
        digest: answers challenges for `host`, the name of the server as the credentials name it.

    Attributes:
        local, hop, host: of the next request.
    """

    __slots__ = (
        "_body",
        "_digest",
        "_headers",
        "_method",
        "_repeats",
        "_sent",
        "_timers",
        "_tokens",
        "_transaction",
        "_transmits",
        "_uri",
        "cseq",
        "hop",
        "host",
        "local",
        "retransmissions",
    )

    def __init__(
        self, local: Hop, hop: Hop, tokens: Tokens, timers: TimerSettings, digest: DigestClient, host: str
    ) -> None:
        self.local = local
        self.hop = hop
        self._tokens = tokens
        self._timers = timers
        self._digest = digest
        self.host = host
        self.cseq = 0
        """Number of the last request, 0 before the first."""
        self.retransmissions = 0
        """Requests sent again by timers."""
        self._transaction: ClientTransaction | None = None
        self._transmits: list[Transmit] = []
        self._method = ""
        self._uri = ""
        self._headers: Sequence[tuple[str, str]] = ()
        self._body = b""
        self._sent: Sequence[tuple[str, str]] = ()
        self._repeats = NEVER

    def go_by(self, *, local: Hop | None = None, hop: Hop | None = None, host: str | None = None) -> None:
        """Send the next request by another way; None keeps what there is."""
        self.local = local or self.local
        self.hop = hop or self.hop
        self.host = self.host if host is None else host

    @property
    def is_open(self) -> bool:
        """Whether a request waits for its final response."""
        return self._transaction is not None

    @property
    def deadline(self) -> float | None:
        """Time of the next timer, None without an open request."""
        return None if self._transaction is None else self._transaction.deadline

    def drain(self) -> list[Transmit]:
        """Hand out, and forget, what is to be sent."""
        out = self._transmits
        self._transmits = []
        return out

    def start(self, method: str, uri: str, headers: Sequence[tuple[str, str]], now: float, body: bytes = b"") -> None:
        """Send a request.

        Args:
            headers: all but Via, CSeq and credentials.

        Raises:
            LocalProtocolError: while one is open.
        """
        if self._transaction is not None:
            raise LocalProtocolError(f"{method} while the last request waits for its answer")
        self._method = method
        self._uri = uri
        self._headers = headers
        self._body = body
        self._repeats = NEVER
        self._send(self._digest.headers(method, uri, body, host=self.host), now)

    def authorize(self, challenge: Response) -> bool:
        """Take a challenge that the next requests answer at once; False when there are no credentials for it."""
        return self._digest.learn(challenge, host=self.host)

    def abandon(self) -> None:
        """Forget the open request, if any: its answer no longer matters."""
        self._transaction = None

    def is_answer(self, response: Response) -> bool:
        """Whether a response belongs to the open request (RFC 3261 17.1.3)."""
        return self._transaction is not None and self._transaction.matches(response)

    def receive(self, response: Response, now: float) -> Finished | None:
        """Take a response to the open request; returns the end of it, None while it goes on or is repeated."""
        transaction = self._transaction
        if transaction is None or not transaction.matches(response):
            return None
        if transaction.receive(response, now) is not ClientAction.DELIVER or response.status < 200:
            return None
        self._transaction = None
        if response.status in (401, 407):
            counted = once_more(self._repeats, Why.STALE if is_stale(response) else Why.CHALLENGE)
            if counted is None:
                return Finished(response.status, response)
            self._repeats = counted
            credentials = self._digest.answer(
                response,
                method=self._method,
                uri=self._uri,
                body=self._body,
                host=self.host,
                sent=self._sent,
            )
            if credentials is not None:
                self._send(credentials, now)
                return None
        else:
            self._digest.note(response, host=self.host)
        return Finished(response.status, response)

    def handle_timer(self, now: float) -> Finished | None:
        """Let the timers that are due fire; returns the end of the request if they ended it."""
        transaction = self._transaction
        while transaction is not None and transaction.due <= now:
            action = transaction.handle_timer(now)
            if action is ClientAction.SEND:
                self.retransmissions += 1
                self._transmits.append(Transmit(transaction.data, self.hop, 0))
            else:
                self._transaction = transaction = None
                return Finished(408, None)
        return None

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone; see `ClientTransaction.connections_lost`."""
        if self._transaction is not None:
            self._transaction.connections_lost(now)

    def transport_failed(self, branch: str, now: float) -> Finished | None:
        """Note that the open request, known by its branch, could not be sent (RFC 3261 17.1.4)."""
        if self._transaction is None or self._transaction.branch != branch:
            return None
        self._transaction = None
        return Finished(503, None)

    def _send(self, credentials: Sequence[tuple[str, str]], now: float) -> None:
        branch = self._tokens.branch()
        local = self.local
        self.cseq += 1
        self._sent = credentials
        via = f"SIP/2.0/{local.transport.upper()} {bracketed(local.host)}:{local.port};rport;branch={branch}"
        pairs = [("Via", via), *self._headers, ("CSeq", f"{self.cseq} {self._method}"), *credentials]
        data = Request.build(self._method, self._uri, pairs, self._body).to_bytes()
        self._transaction = ClientTransaction(
            data, self._method, branch, reliable=self.hop.is_reliable, timers=self._timers, now=now
        )
        self._transmits.append(Transmit(data, self.hop, 0))
