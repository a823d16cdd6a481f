"""Dialogs: identity, CSeq numbers, route set and remote target of one peer-to-peer relation (RFC 3261 section 12).

Also the rule by which a message finds its session. A dialog is made from a response or a request and confirmed by the
2xx. Then it writes the requests of the local side and checks those of the peer. Of offer and answer it keeps whose turn
it is, and the octets that hold (RFC 3264, RFC 6337). It must not use transactions, timers or parsed session
descriptions.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from functools import lru_cache
from typing import Final, final

from ..errors import LocalProtocolError, ParseError
from ..leniency import Leniency
from ..message.fields import NameAddr
from ..message.grammar import split_values
from ..message.headers import value_of
from ..message.hop import Hop
from ..message.messages import Message, Request, Response
from ..message.uri import Uri

_SHARED_LENGTH: Final = 256
"""Characters of a Contact line up to which its URI is remembered."""

SessionKey = tuple[str, str] | tuple[str, str, int]


def session_key(message: Message) -> SessionKey:
    """Return the key under which the session of an arriving message is filed.

    A response and a request with a To tag: (Call-ID, the local tag). A request without To tag: (Call-ID, its From tag,
    CSeq number), the key of the incoming INVITE and of its CANCEL (RFC 3261 sections 12.2.2, 9.2).
    """
    if isinstance(message, Response):
        return (message.call_id, message.from_tag or "")
    to_tag = message.to_tag
    if to_tag is not None:
        return (message.call_id, to_tag)
    return (message.call_id, message.from_tag or "", message.cseq.number)


class DialogState(Enum):
    """Progress of a dialog (RFC 3261 section 12)."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class OfferState(IntEnum):
    """The turn in the negotiation (RFC 3264 section 4)."""

    IDLE = 1
    """No offer is open."""
    LOCAL_OFFER = 2
    """The local side waits for an answer."""
    REMOTE_OFFER = 3
    """The local side owes an answer."""


class OfferInput(IntEnum):
    """A step of the negotiation."""

    SEND_OFFER = 1
    SEND_ANSWER = 2
    RECEIVE_OFFER = 3
    RECEIVE_ANSWER = 4
    REJECT = 5
    """The request that carried the offer failed (RFC 6337 section 3.4)."""


OFFER_TABLE: Final[dict[tuple[OfferState, OfferInput], OfferState]] = {
    (OfferState.IDLE, OfferInput.SEND_OFFER): OfferState.LOCAL_OFFER,  # 3264 section 5
    (OfferState.IDLE, OfferInput.RECEIVE_OFFER): OfferState.REMOTE_OFFER,  # 3264 section 5
    (OfferState.IDLE, OfferInput.REJECT): OfferState.IDLE,  # nothing was open
    (OfferState.LOCAL_OFFER, OfferInput.RECEIVE_ANSWER): OfferState.IDLE,  # 3264 section 6
    (OfferState.LOCAL_OFFER, OfferInput.REJECT): OfferState.IDLE,  # 6337 3.4
    (OfferState.REMOTE_OFFER, OfferInput.SEND_ANSWER): OfferState.IDLE,  # 3264 section 6
    (OfferState.REMOTE_OFFER, OfferInput.REJECT): OfferState.IDLE,  # 6337 3.4
}
"""Offer and answer by turns; an absent pair is a glare or a local error."""

SPARED_BY_481: Final = frozenset(("NOTIFY", "SUBSCRIBE", "PRACK", "CANCEL", "BYE"))
"""Methods whose 481 does not concern the call. It concerns a subscription (RFC 5057 section 5.1), a reliable 1xx (RFC
3262 section 3), or an INVITE (RFC 3261 section 9.2). A BYE ends the call whatever its answer (15.1.1)."""
ENDED_BY_408: Final = frozenset(("INVITE", "UPDATE"))
"""Methods whose 408 or timeout ends the call: those that keep it alive. Silence about INFO and its like does not (RFC
5057 section 5.1): many peers never answer them."""

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_EARLY: Final = DialogState.EARLY
_CONFIRMED: Final = DialogState.CONFIRMED
_IDLE: Final = OfferState.IDLE


@final
class Dialog:
    """One dialog as seen from the local side. Source: RFC 3261 section 12.1.

    Args:
        local, remote: the From and To values of local requests, tags included.
        remote_target: the peer's Contact URI.
        route_set: the Route values in order.
    """

    __slots__ = (
        "_head",
        "_request_uri",
        "answer_seen",
        "call_id",
        "description",
        "local",
        "local_cseq",
        "local_tag",
        "max_forwards",
        "number",
        "offer",
        "peer_updates",
        "remote",
        "remote_cseq",
        "remote_methods",
        "remote_tag",
        "remote_target",
        "route_set",
        "state",
    )

    def __init__(
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        remote_target: str,
        route_set: tuple[str, ...] = (),
        *,
        max_forwards: int = 70,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.remote_target = remote_target
        self.route_set = route_set
        self.max_forwards = max_forwards
        self.local_cseq = 0
        """Number of the last local request, 0 before the first."""
        self.remote_cseq = -1
        """Number of the peer's last request, -1 before the first."""
        self.remote_methods: tuple[str, ...] = ()
        """Methods of the peer's requests that had this number."""
        self.number = 0
        """Number among the dialogs of the INVITE, from 0 in the order of their first responses."""
        self.description = b""
        """The local description that holds, for a refresh by re-INVITE; empty before the first agreement."""
        self.answer_seen = b""
        """The description that the peer sent last as an answer."""
        self.peer_updates = False
        """True when the peer is known to take UPDATE (RFC 3311 section 4); read with the session timer."""
        self.state = _EARLY
        self.offer = _IDLE
        self._head = ""
        self._request_uri = ""

    @classmethod
    def of_response(cls, response: Response, local: str, local_tag: str, max_forwards: int = 70) -> Dialog:
        """Make the UAC's dialog from a 1xx or 2xx to its INVITE (RFC 3261 section 12.1.2)."""
        routes = response.headers.values("Record-Route") if "record-route" in response.headers.keys else ()
        dialog = cls(
            response.call_id,
            local,
            local_tag,
            response.headers.mended("To") or "",
            response.to_tag or "",
            contact_uri(response),
            tuple(reversed(routes)),
            max_forwards=max_forwards,
        )
        dialog.local_cseq = response.cseq.number
        return dialog

    @classmethod
    def of_request(cls, request: Request, local: str, local_tag: str, max_forwards: int = 70) -> Dialog:
        """Make the UAS's dialog from an INVITE; `local` is its To with the local tag (RFC 3261 section 12.1.1)."""
        routes = request.headers.values("Record-Route") if "record-route" in request.headers.keys else ()
        dialog = cls(
            request.call_id,
            local,
            local_tag,
            request.headers.mended("From") or "",
            request.from_tag or "",
            # A UAC without Contact is still found by its From.
            contact_uri(request) or uri_of(request.headers.mended("From") or ""),
            tuple(routes),
            max_forwards=max_forwards,
        )
        dialog.remote_cseq = request.cseq.number
        dialog.remote_methods = (request.method,)
        return dialog

    @property
    def request_uri(self) -> str:
        """Request-URI of local requests (RFC 3261 section 12.2.1.1)."""
        if not self._head:
            self._write_head()
        return self._request_uri

    def confirm(self, response: Response) -> None:
        """Take route set and target from the 2xx that confirms an early dialog (RFC 3261 13.2.2.4)."""
        if self.state is _EARLY:
            self.state = _CONFIRMED
            routes = response.headers.values("Record-Route") if "record-route" in response.headers.keys else ()
            self.route_set = tuple(reversed(routes))
            self._head = ""
        if not self.refresh_target(response):
            response.headers.note(Leniency.NO_CONTACT)

    def name_peer(self, response: Response) -> None:
        """Take the tag that a 2xx gives to a dialog whose 1xx had none (RFC 3261 12.1.2: a null tag)."""
        self.remote = response.headers.get("To") or ""
        self.remote_tag = response.to_tag or ""
        self._head = ""

    def refresh_target(self, message: Message) -> bool:
        """Take the Contact of a target refresh request or its 2xx; False without one (RFC 3261 12.2.1.2, 12.2.2)."""
        target = contact_uri(message)
        if target and target != self.remote_target:
            self.remote_target = target
            self._head = ""
        return target != ""

    def write(self, method: str, number: int, via: str, extra: str, body: bytes = b"", content_type: str = "") -> bytes:
        """Write a request of the dialog (RFC 3261 section 12.2.1.1).

        Args:
            number: of its CSeq.
            via: the local Via as a whole line.
            extra: whole header lines.
            content_type: of the body.
        """
        if not self._head:
            self._write_head()
        kind = f"Content-Type: {content_type}\r\n" if body and content_type else ""
        return (
            f"{method} {self._request_uri} SIP/2.0\r\n{via}\r\n{self._head}CSeq: {number} {method}\r\n"
            f"{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body

    def next_cseq(self) -> int:
        """Return the number of the next local request (RFC 3261 section 12.2.1.1)."""
        self.local_cseq += 1
        return self.local_cseq

    def next_hop(self, transport: str, proxy: Hop | None) -> Hop:
        """Return the hop of local requests: first route, else the proxy given, else the target (RFC 3261 8.1.2)."""
        if self.route_set:
            return hop_of(uri_of(self.route_set[0]), transport)
        if proxy is not None:
            return proxy
        return hop_of(self.remote_target, transport)

    def next_is_plain(self, proxy: Hop | None) -> bool:
        """Whether the URI that `next_hop` follows is an address that names no transport."""
        if self.route_set:
            return is_plain(uri_of(self.route_set[0]))
        return proxy is None and is_plain(self.remote_target)

    def accepts(self, request: Request) -> bool:
        """Check and take the CSeq of a new request; False means 500 (RFC 3261 section 12.2.2).

        A lower number is out of order. An equal one is taken once per method: peers exist whose BYE has the number of
        their INVITE. A second request of one method and number is the same request by another way.
        """
        number, method = request.cseq.number, request.method
        if number < self.remote_cseq or (number == self.remote_cseq and method in self.remote_methods):
            return False
        self.remote_methods = (*self.remote_methods, method) if number == self.remote_cseq else (method,)
        self.remote_cseq = number
        return True

    def has_peer(self, request: Request) -> bool:
        """True when a request carries this dialog's identity; otherwise it gets 481 (RFC 3261 12.2.2)."""
        return (
            request.to_tag == self.local_tag
            and (request.from_tag or "") == self.remote_tag
            and request.call_id == self.call_id
        )

    def negotiate(self, what: OfferInput) -> None:
        """Take a step of the negotiation.

        Raises:
            LocalProtocolError: it is out of turn (RFC 3264).
        """
        entered = OFFER_TABLE.get((self.offer, what))
        if entered is None:
            raise LocalProtocolError(f"{what.name} is out of turn in {self.offer.name} (RFC 3264 section 4)")
        self.offer = entered

    def _write_head(self) -> None:
        """Write the lines that all local requests share; strict routers get the form of RFC 2543 (12.2.1.1)."""
        uri, routes = self.remote_target, self.route_set
        if routes and not is_loose(routes[0]):
            uri, routes = uri_of(routes[0]), (*routes[1:], f"<{uri}>")
        self._request_uri = uri
        lines = "".join([f"Route: {route}\r\n" for route in routes])
        self._head = (
            f"Max-Forwards: {self.max_forwards}\r\n{lines}From: {self.local}\r\nTo: {self.remote}\r\n"
            f"Call-ID: {self.call_id}\r\n"
        )


def contact_uri(message: Message) -> str:
    """Return the URI of the first Contact as text, empty without one."""
    headers = message.headers
    keys = headers.keys
    if "contact" not in keys:
        return ""
    line = headers.lines[keys.index("contact")]
    found = _contact_in(line) if len(line) <= _SHARED_LENGTH else _contact_in.__wrapped__(line)
    return found or next((str(each.uri) for each in message.contacts if not each.is_wildcard), "")


def ends_call(method: str, status: int) -> bool:
    """True when the final status of a request within the dialog ends the call, with a BYE (RFC 3261 section 12.2.1.2).

    Args:
        status: 408 also for a timeout.
    """
    return method not in SPARED_BY_481 if status == 481 else status == 408 and method in ENDED_BY_408


def takes_update(message: Message) -> bool:
    """True when Allow names UPDATE (RFC 3311 section 4)."""
    return any("UPDATE" in value.upper() for value in message.headers.get_all("Allow"))


@lru_cache(maxsize=1024)
def _contact_in(line: str) -> str:
    text = value_of(line)
    try:
        return uri_of(text) or next(map(uri_of, split_values(text)), "")
    except ParseError:
        return ""


@lru_cache(maxsize=4096)
def hop_of(uri: str, transport: str) -> Hop:
    """Return the hop of a request for a URI before any look-up in DNS (RFC 3263 section 4).

    Args:
        uri: as text.
        transport: used when neither scheme nor parameter name one.

    Raises:
        ParseError: no SIP URI.
    """
    parsed = Uri.parse(uri)
    if parsed.scheme not in ("sip", "sips"):
        raise ParseError(f"{parsed.scheme} URI cannot be called without a proxy", 416)
    named = (parsed.transport or "").lower()
    chosen = "tls" if parsed.scheme == "sips" else named or transport
    return Hop(chosen, parsed.maddr or parsed.host, parsed.port or (5061 if chosen == "tls" else 5060))


def is_numeric(host: str) -> bool:
    """Whether a host is an IP address, and no name."""
    return ":" in host or host.replace(".", "").isdigit()


@lru_cache(maxsize=4096)
def is_plain(uri: str) -> bool:
    """Whether a SIP URI has an address as its host, and names no transport.

    Raises:
        ParseError: no SIP URI.
    """
    parsed = Uri.parse(uri)
    return parsed.scheme == "sip" and not parsed.transport and is_numeric(parsed.maddr or parsed.host)


@lru_cache(maxsize=4096)
def domain_of(uri: str) -> str:
    """Return the host of a URI, under which credentials are looked up."""
    return Uri.parse(uri).host


@lru_cache(maxsize=4096)
def is_loose(route: str) -> bool:
    """True when a Route value has the lr parameter, or cannot be read (RFC 3261 16.12)."""
    uri = uri_of(route)
    return not uri or Uri.parse(uri).lr


@lru_cache(maxsize=4096)
def uri_of(address: str) -> str:
    """Return the URI of a name-addr or addr-spec as text, empty when it is not one."""
    try:
        parsed = NameAddr.parse(address)
        return "" if parsed.is_wildcard else str(parsed.uri)
    except ParseError:
        return ""
