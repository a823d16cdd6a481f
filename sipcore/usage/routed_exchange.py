"""RoutedExchange: one request outside of a dialog, sent to one place of its target after the other.

A place that does not answer, cannot be reached, or answers 503 is followed by the next one (RFC 3263 section 4.3).
Then come the targets that 3xx have named, the highest q first (RFC 3261 section 8.1.3.4). Repetitions and challenges
are those of `Exchange`. A request within the dialog of a subscription has one place and follows no 3xx. It looks up no
names, and must not interpret the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from ..auth.digest import DigestClient
from ..errors import LocalProtocolError
from ..message.embedded import carried_headers
from ..message.hop import Hop, Transmit
from ..message.messages import Response
from ..message.tokens import Tokens
from ..message.uri import Uri
from ..session.redirection import Target, with_targets
from ..session.session_config import SessionConfig
from ..transaction.client_exchange import Exchange, Finished, Way
from ..transaction.timers import TimerSettings

Reach = Callable[[Hop], "Way | None"]
"""Returns the way to a hop that a peer has named; None when no local address reaches it."""


@final
class RoutedExchange:
    """What carries one request at a time, by several ways.

    Args:
        ways: to the places of the target, the first to be tried first.
        tokens: source of branches.
        digest: answers challenges for `host`, the name of the server as the credentials name it.
        reach: finds the way to a target of a 3xx; None = none is followed.
        redirects: targets of 3xx that one request tries at most.
        proxied: the first way leads to an outgoing proxy, which gets the requests to those targets too.

    Attributes:
        way: of the present request.
        places: number of places to which the present request went so far.
    """

    __slots__ = (
        "_body",
        "_exchange",
        "_host",
        "_method",
        "_pairs",
        "_proxied",
        "_reach",
        "_redirects",
        "_spare",
        "_targets",
        "_uri",
        "_visited",
        "_ways",
        "places",
        "way",
    )

    def __init__(
        self,
        ways: Sequence[Way],
        tokens: Tokens,
        timers: TimerSettings,
        digest: DigestClient,
        host: str,
        *,
        reach: Reach | None = None,
        redirects: int = 0,
        proxied: bool = False,
    ) -> None:
        self._ways = tuple(ways)
        self.places = 0
        self.way = self._ways[0]
        self._host = host
        self._reach = reach
        self._redirects = redirects if reach is not None else 0
        self._proxied = proxied
        self._exchange = Exchange(self.way.local, self.way.hop, tokens, timers, digest, host)
        self._method = self._uri = ""
        self._pairs: Sequence[tuple[str, str]] = ()
        self._body = b""
        self._spare: tuple[Way, ...] = ()
        """Further ways of the present target, the next one first."""
        self._targets: tuple[Target, ...] = ()
        """Further targets that 3xx have named, the next one first."""
        self._visited: tuple[str, ...] = ()
        """The URIs to which the present request went."""

    @property
    def cseq(self) -> int:
        """Number of the last request, 0 before the first."""
        return self._exchange.cseq

    @property
    def retransmissions(self) -> int:
        """Requests sent again by timers."""
        return self._exchange.retransmissions

    @property
    def is_open(self) -> bool:
        """Whether a request waits for its final response."""
        return self._exchange.is_open

    @property
    def deadline(self) -> float | None:
        """Time of the next timer, None without an open request."""
        return self._exchange.deadline

    def drain(self) -> list[Transmit]:
        """Hand out, and forget, what is to be sent."""
        return self._exchange.drain()

    def start(self, method: str, uri: str, pairs: Sequence[tuple[str, str]], now: float, body: bytes = b"") -> None:
        """Send a request outside of a dialog, by the first way.

        Args:
            pairs: headers, all but Via, Contact, CSeq and credentials.

        Raises:
            LocalProtocolError: while one is open.
        """
        self._take(method, uri, pairs, body)
        self._spare = self._ways[1:]
        self._visited = (uri,)
        self._send(self._ways[0], self._host, now)

    def start_within(self, method: str, uri: str, pairs: Sequence[tuple[str, str]], hop: Hop, now: float) -> None:
        """Send a request within a dialog; arguments as for `start`.

        Args:
            hop: where it goes.
        """
        self._take(method, uri, pairs, b"")
        way = self.way._replace(hop=hop)
        if hop.transport != self.way.local.transport and self._reach is not None:
            way = self._reach(hop) or way
        self._send(way, self._host, now)

    def _take(self, method: str, uri: str, pairs: Sequence[tuple[str, str]], body: bytes) -> None:
        if self._exchange.is_open:
            raise LocalProtocolError(f"{method} while the last request waits for its answer")
        self._method, self._uri, self._pairs, self._body = method, uri, pairs, body
        self._spare, self._targets, self._visited = (), (), ()
        self.places = 0

    def abandon(self) -> None:
        """Forget the open request, if any: its answer no longer matters."""
        self._exchange.abandon()

    def is_answer(self, response: Response) -> bool:
        """Whether a response belongs to the open request (RFC 3261 17.1.3)."""
        return self._exchange.is_answer(response)

    def receive(self, response: Response, now: float) -> Finished | None:
        """Take a response; returns the end of the request, None while it goes on, is repeated or goes elsewhere."""
        return self._goes_on(self._exchange.receive(response, now), now)

    def handle_timer(self, now: float) -> Finished | None:
        """Let the timers that are due fire; returns the end of the request if they ended it."""
        return self._goes_on(self._exchange.handle_timer(now), now)

    def transport_failed(self, branch: str, now: float) -> Finished | None:
        """Note that the request of this branch could not be sent; returns its end if no other place is left."""
        return self._goes_on(self._exchange.transport_failed(branch, now), now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone; see `ClientTransaction.connections_lost`."""
        self._exchange.connections_lost(now)

    def _goes_on(self, finished: Finished | None, now: float) -> Finished | None:
        """Return the end of a request, or None after it was sent to the next place or target."""
        if finished is None or not self._visited:
            return finished
        status, response = finished
        if self._spare and (response is None or status == 503):
            way, *rest = self._spare
            self._spare = tuple(rest)
            self._send(way, self._host, now)
            return None
        if response is not None and 300 <= status < 400 and self._reach is not None:
            self._targets = self._with_targets(response)
        if status < 300 or status >= 600 or len(self._visited) > self._redirects or not self._targets:
            return finished
        target, *others = self._targets
        self._targets, self._spare = tuple(others), ()
        way_there = self._way_to(target.hop)
        if way_there is None:
            return finished
        self._visited = (*self._visited, target.named)
        self._uri = target.uri
        self._send(way_there, self._host if self._proxied else target.hop.host, now, carried_headers(_uri(target)))
        return None

    def _with_targets(self, response: Response) -> tuple[Target, ...]:
        proxy = self._ways[0].hop if self._proxied else None

        def way_to(hop: Hop) -> SessionConfig | None:
            return None if self._way_to(hop) is None else config

        config = SessionConfig(self.way.local, "", outgoing_proxy=proxy, way_to=way_to)
        found = with_targets(self._targets, response, self._visited, config)
        return tuple(each for each in found if self._way_to(each.hop) is not None)

    def _way_to(self, hop: Hop) -> Way | None:
        if self._proxied and hop == self._ways[0].hop:
            return self._ways[0]
        return self._reach(hop) if self._reach is not None else None

    def _send(self, way: Way, host: str, now: float, more: Sequence[tuple[str, str]] = ()) -> None:
        self.way = way
        self.places += 1
        self._exchange.go_by(local=way.local, hop=way.hop, host=host)
        contacts = [("Contact", contact) for contact in way.contacts]
        self._exchange.start(self._method, self._uri, [*self._pairs, *contacts, *more], now, self._body)


def _uri(target: Target) -> Uri:
    """Return the Contact of a 3xx as a URI, with the headers that it demands (RFC 3261 section 19.1.5)."""
    return Uri.parse(target.named)
