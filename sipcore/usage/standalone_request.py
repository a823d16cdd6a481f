"""StandaloneRequest: one request outside of a dialog, from its sending to its end (RFC 3261 sections 8.1 and 11).

OPTIONS, MESSAGE (RFC 3428), PUBLISH (RFC 3903), INFO, or any other method but INVITE, ACK and CANCEL; also NOTIFY,
SUBSCRIBE and REFER, of which only the response is taken. It keeps no dialog. `RoutedExchange` decides where the
request goes. After the end it absorbs repetitions of the response for T4 (RFC 3261 section 17.1.2.2, timer K).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, final

from ..auth.digest import CredentialsLookup, DigestClient
from ..message.embedded import carried_headers
from ..message.hop import Transmit
from ..message.messages import Response
from ..message.tokens import Tokens
from ..message.uri import Uri
from ..session.redirection import callee_of
from ..session.refer import plain_uri
from ..session.session_config import SessionConfig
from ..transaction.client_exchange import Finished, Way
from ..transaction.timers import TimerSettings
from .routed_exchange import Reach, RoutedExchange

WITHOUT_CONTACT: Final = frozenset(("MESSAGE", "PUBLISH", "INFO"))
"""Methods that form no dialog and whose request has no Contact (RFC 3428 section 4, RFC 3903 section 4, RFC 6086)."""


@final
@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What is sent, and where."""

    method: str
    target: str
    """URI or name-addr, for To and the Request-URI; headers in the URI go into the request (RFC 3261 19.1.5)."""
    from_: str
    """The local identity, as name-addr or URI."""
    ways: tuple[Way, ...]
    """To the places of the target, the first to be tried first; at least one."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""
    body: bytes = b""
    content_type: str = ""
    """Of the body; left out without a body."""
    timeout: float = 0.0
    """Seconds until the request is given up, over all places; 0 = 64*T1 at each place (timer F)."""
    credentials: CredentialsLookup | None = None
    """Finds user and password for realm and host; None refuses all challenges."""
    route: tuple[str, ...] = ()
    """Preloaded Route values."""
    user_agent: str = ""
    """User-Agent header, empty for none."""
    max_forwards: int = 70
    """Max-Forwards."""
    timers: TimerSettings = field(default_factory=TimerSettings)
    """T1, T2, T4 in seconds."""
    redirects: int = 0
    """Targets of 3xx that are tried at most."""
    proxied: bool = False
    """Whether the ways lead to an outgoing proxy, which gets the requests to those targets too."""
    reach: Reach | None = None
    """Finds the way to a target of a 3xx; None = none is followed."""


@final
class StandaloneRequest:
    """One request outside of a dialog.

    The command is `send`; inputs are `receive`, `handle_timer`, `transport_failed` and `connections_lost`. After each
    of them `drain` gives what is to be sent and, once, the end of the request.

    Args:
        tokens: source of branches and tags.
        call_id: made from `tokens` when empty.

    Raises:
        ParseError: the target is not a SIP address.
    """

    __slots__ = (
        "_end_at",
        "_exchange",
        "_finished",
        "_linger_until",
        "_pairs",
        "_tag",
        "_uri",
        "call_id",
        "sent_at",
        "settings",
    )

    def __init__(self, settings: RequestSettings, tokens: Tokens, *, call_id: str = "") -> None:
        self.settings = settings
        self.call_id = call_id or tokens.call_id()
        self._tag = tokens.tag()
        first = settings.ways[0]
        config = SessionConfig(
            first.local, settings.from_, route=settings.route, outgoing_proxy=first.hop if settings.proxied else None
        )
        to, uri, _, host = callee_of(settings.target, config, first.hop)
        embedded: tuple[tuple[str, str], ...] = ()
        if "?" in uri or ";method=" in uri:
            parsed = Uri.parse(uri)
            uri, embedded = plain_uri(parsed), carried_headers(parsed)
        if settings.method == "REGISTER":  # the domain alone (RFC 3261 section 10.2)
            whole = Uri.parse(uri)
            uri = str(Uri(whole.scheme, None, whole.host, whole.port, whole.params))
        self._uri = uri
        self._pairs = self._headers(to, embedded)
        digest = DigestClient(settings.credentials or _nobody, tokens)
        self._exchange = RoutedExchange(
            settings.ways,
            tokens,
            settings.timers,
            digest,
            host,
            reach=settings.reach,
            redirects=settings.redirects,
            proxied=settings.proxied,
        )
        self.sent_at = 0.0
        """When it was sent first."""
        self._end_at: float | None = None
        self._linger_until: float | None = None
        self._finished: list[Finished] = []

    def _headers(self, to: str, embedded: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        settings = self.settings
        from_ = settings.from_ if "<" in settings.from_ else f"<{settings.from_}>"
        pairs = [("Max-Forwards", str(settings.max_forwards))]
        pairs += [("Route", value) for value in settings.route]
        pairs += [("From", f"{from_};tag={self._tag}"), ("To", to), ("Call-ID", self.call_id)]
        if settings.user_agent:
            pairs.append(("User-Agent", settings.user_agent))
        pairs += [*settings.headers, *embedded]
        if settings.body and settings.content_type:
            pairs.append(("Content-Type", settings.content_type))
        return pairs

    @property
    def key(self) -> tuple[str, str]:
        """What responses to this request carry: Call-ID and From tag."""
        return self.call_id, self._tag

    @property
    def way(self) -> Way:
        """The way of the present attempt."""
        return self._exchange.way

    @property
    def retransmissions(self) -> int:
        """Requests sent again by timers."""
        return self._exchange.retransmissions

    @property
    def is_open(self) -> bool:
        """Whether it waits for its final response."""
        return self._exchange.is_open

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is to be called next, None for never."""
        times = [at for at in (self._exchange.deadline, self._end_at, self._linger_until) if at is not None]
        return min(times, default=None)

    def drain(self) -> tuple[list[Transmit], list[Finished]]:
        """Hand out, and forget, what is to be sent, and the end of the request if it has come."""
        finished = self._finished
        self._finished = []
        return self._exchange.drain(), finished

    def send(self, now: float) -> None:
        """Send the request.

        Raises:
            LocalProtocolError: it waits for its answer.
        """
        settings = self.settings
        self.sent_at = now
        self._end_at = now + settings.timeout if settings.timeout else None
        self._exchange.start(settings.method, self._uri, self._pairs, now, settings.body)

    def receive(self, response: Response, now: float) -> None:
        """Take a response; one that belongs to no attempt of this request is ignored."""
        self._take(self._exchange.receive(response, now), now)

    def handle_timer(self, now: float) -> None:
        """Let everything fire that is due."""
        self._take(self._exchange.handle_timer(now), now)
        if self._end_at is not None and self._end_at <= now:
            self._exchange.abandon()
            self._take(Finished(408, None), now)
        if self._linger_until is not None and self._linger_until <= now:
            self._linger_until = None

    def transport_failed(self, branch: str, now: float) -> None:
        """Note that the attempt of this branch could not be sent."""
        self._take(self._exchange.transport_failed(branch, now), now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone; see `ClientTransaction.connections_lost`."""
        self._exchange.connections_lost(now)

    def abandon(self) -> None:
        """Give the request up: its answer no longer matters, and none is reported."""
        self._exchange.abandon()
        self._end_at = self._linger_until = None

    def _take(self, finished: Finished | None, now: float) -> None:
        if finished is None:
            return
        self._end_at = None
        if not self.way.hop.is_reliable:
            self._linger_until = now + self.settings.timers.t4
        self._finished.append(finished)


def _nobody(realm: str, host: str) -> tuple[str, str] | None:
    return None
