"""Subscription: one event package of one resource, as subscriber (RFC 6665 section 4.1).

Subscribes, refreshes, answers NOTIFY, and comes back when the notifier demands it. The notifier's side of REFER is
`session.refer`. It uses no sockets, no clock and no event package: bodies are handed on as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple, final

from ..auth.digest import CredentialsLookup, DigestClient
from ..errors import LocalProtocolError, ParseError
from ..message.fields import Event, NameAddr, SubscriptionState
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from ..session.dialog import Dialog
from ..transaction.client_exchange import Finished, Way
from ..transaction.reply import Reply
from ..transaction.server_transaction import TransactionKey, transaction_key
from ..transaction.timers import TimerSettings
from .routed_exchange import Reach, RoutedExchange

MAX_MINIMUM: Final = 7 * 86400
"""Longest Min-Expires in seconds that is followed."""

_REMEMBERED: Final = 8
"""How many answers to NOTIFY are kept for repeated requests."""

_UNKNOWN: Final = 481
"""Call/Transaction Does Not Exist: after a refresh, the notifier has lost the subscription, such as by a restart."""

ENDING_STATUSES: Final = frozenset((404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604))
"""Answers to a refresh that end the subscription (RFC 5057 section 5.1); after others it runs out by itself. After 481
a new one is made."""


@final
@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """The settings of a subscription."""

    target: str
    """Request-URI: the resource."""
    address: str
    """To value: the resource as name-addr or URI."""
    from_: str
    """Who subscribes, as name-addr or URI."""
    contact: str
    """Where NOTIFY requests reach us, as name-addr or URI."""
    event: str
    """Event value, with its id if any: "message-summary", "dialog"."""
    local: Hop
    """Transport, host and port written into Via."""
    hop: Hop
    """Where requests go until the notifier's Contact is known."""
    accept: tuple[str, ...] = ()
    """Body types that we read."""
    expires: int = 3600
    """Seconds that we request."""
    refresh_earliest: float = 0.5
    """Part of the granted time after which a refresh may come."""
    refresh_latest: float = 0.9
    """Part of the granted time until which it comes."""
    retry_wait: float = 60.0
    """Seconds until the next try where the notifier demands one and names no time."""
    credentials: CredentialsLookup | None = None
    """Finds user and password for realm and host; None refuses all challenges."""
    credentials_host: str = ""
    """Host that credentials are looked up for; empty takes the target's."""
    route: tuple[str, ...] = ()
    """Preloaded Route values."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers of SUBSCRIBE."""
    max_forwards: int = 70
    """Max-Forwards."""
    timers: TimerSettings = field(default_factory=TimerSettings)
    """T1, T2, T4 in seconds."""
    bound: Hop | None = None
    """What the socket is bound to where that is not `local` (1:1 NAT); None = `local`."""
    spare: tuple[Way, ...] = ()
    """Ways to further places of the notifier, for a SUBSCRIBE outside of a dialog (RFC 3263 section 4.3)."""
    body: bytes = b""
    """Of each SUBSCRIBE outside of a dialog, such as a filter."""
    content_type: str = ""
    """Of the body."""
    user_agent: str = ""
    """User-Agent header, empty for none."""
    redirects: int = 0
    """Targets of 3xx that a SUBSCRIBE outside of a dialog tries at most."""
    proxied: bool = False
    """Whether `hop` is an outgoing proxy, which gets every request without another route."""
    reach: Reach | None = None
    """Finds the way to a hop that the notifier has named; None = by `local`, and no 3xx is followed."""


class State(Enum):
    """Where a subscription stands (RFC 6665 figure 1)."""

    IDLE = auto()
    NOTIFY_WAIT = auto()
    """SUBSCRIBE is out; the first NOTIFY decides."""
    PENDING = auto()
    """The notifier has not decided whether we may."""
    ACTIVE = auto()
    STOPPING = auto()
    """We have had enough; the SUBSCRIBE that is out must end before the one that ends it."""
    CLOSING = auto()
    """The last SUBSCRIBE is out; the last NOTIFY ends it."""
    WAITING = auto()
    """Ended; the next try is planned."""
    TERMINATED = auto()


class Input(Enum):
    """What moves a subscription."""

    SUBSCRIBE = auto()
    """Our command."""
    UNSUBSCRIBE = auto()
    """Our command."""
    REFUSED = auto()
    """A final answer, or silence, that ends it."""
    PENDING = auto()
    """NOTIFY with Subscription-State: pending."""
    ACTIVE = auto()
    """NOTIFY with Subscription-State: active."""
    TERMINATED = auto()
    """NOTIFY with Subscription-State: terminated."""
    FREE = auto()
    """No SUBSCRIBE is out any more."""
    DUE = auto()
    """The planned refresh or next try."""
    EXPIRED = auto()
    """The granted time has run out, or timer N."""


class Action(Enum):
    """What a transition does."""

    SEND = auto()
    """A first SUBSCRIBE, in a dialog of its own."""
    REFRESH = auto()
    UPDATE = auto()
    """Take the times of a NOTIFY."""
    STOP = auto()
    CLOSE = auto()
    """Send the SUBSCRIBE with Expires 0."""
    END = auto()
    """Report it; the next state is WAITING when there is to be another try."""
    NOTHING = auto()


TRANSITIONS: Final[Mapping[tuple[State, Input], tuple[State, Action]]] = {
    (State.IDLE, Input.SUBSCRIBE): (State.NOTIFY_WAIT, Action.SEND),  # 4.1.2.1
    (State.WAITING, Input.SUBSCRIBE): (State.NOTIFY_WAIT, Action.SEND),
    (State.WAITING, Input.DUE): (State.NOTIFY_WAIT, Action.SEND),  # 4.1.3, retry-after
    (State.WAITING, Input.UNSUBSCRIBE): (State.TERMINATED, Action.NOTHING),
    (State.TERMINATED, Input.SUBSCRIBE): (State.NOTIFY_WAIT, Action.SEND),
    (State.TERMINATED, Input.UNSUBSCRIBE): (State.TERMINATED, Action.NOTHING),
    (State.NOTIFY_WAIT, Input.PENDING): (State.PENDING, Action.UPDATE),  # 4.1.2.4
    (State.NOTIFY_WAIT, Input.ACTIVE): (State.ACTIVE, Action.UPDATE),  # 4.1.2.4
    (State.NOTIFY_WAIT, Input.TERMINATED): (State.TERMINATED, Action.END),  # 4.1.2.4, also the answer to a fetch
    (State.NOTIFY_WAIT, Input.REFUSED): (State.TERMINATED, Action.END),  # 4.1.2.1
    (State.NOTIFY_WAIT, Input.EXPIRED): (State.TERMINATED, Action.END),  # 4.1.2.4, timer N
    (State.NOTIFY_WAIT, Input.UNSUBSCRIBE): (State.STOPPING, Action.STOP),  # 4.1.2.3
    (State.PENDING, Input.PENDING): (State.PENDING, Action.UPDATE),
    (State.PENDING, Input.ACTIVE): (State.ACTIVE, Action.UPDATE),
    (State.PENDING, Input.TERMINATED): (State.TERMINATED, Action.END),
    (State.PENDING, Input.DUE): (State.PENDING, Action.REFRESH),  # 4.1.2.2
    (State.PENDING, Input.REFUSED): (State.TERMINATED, Action.END),
    (State.PENDING, Input.EXPIRED): (State.TERMINATED, Action.END),
    (State.PENDING, Input.UNSUBSCRIBE): (State.STOPPING, Action.STOP),
    (State.ACTIVE, Input.PENDING): (State.PENDING, Action.UPDATE),
    (State.ACTIVE, Input.ACTIVE): (State.ACTIVE, Action.UPDATE),
    (State.ACTIVE, Input.TERMINATED): (State.TERMINATED, Action.END),
    (State.ACTIVE, Input.DUE): (State.ACTIVE, Action.REFRESH),  # 4.1.2.2
    (State.ACTIVE, Input.REFUSED): (State.TERMINATED, Action.END),  # 5057 5.1
    (State.ACTIVE, Input.EXPIRED): (State.TERMINATED, Action.END),
    (State.ACTIVE, Input.UNSUBSCRIBE): (State.STOPPING, Action.STOP),  # 4.1.2.3
    (State.STOPPING, Input.FREE): (State.CLOSING, Action.CLOSE),  # 4.1.2.3
    (State.STOPPING, Input.PENDING): (State.STOPPING, Action.NOTHING),
    (State.STOPPING, Input.ACTIVE): (State.STOPPING, Action.NOTHING),
    (State.STOPPING, Input.TERMINATED): (State.TERMINATED, Action.END),
    (State.STOPPING, Input.REFUSED): (State.TERMINATED, Action.END),
    (State.STOPPING, Input.EXPIRED): (State.TERMINATED, Action.END),
    (State.STOPPING, Input.UNSUBSCRIBE): (State.STOPPING, Action.NOTHING),
    (State.CLOSING, Input.PENDING): (State.CLOSING, Action.NOTHING),  # a NOTIFY that was on its way
    (State.CLOSING, Input.ACTIVE): (State.CLOSING, Action.NOTHING),
    (State.CLOSING, Input.TERMINATED): (State.TERMINATED, Action.END),  # 4.1.2.3
    (State.CLOSING, Input.REFUSED): (State.TERMINATED, Action.END),
    (State.CLOSING, Input.EXPIRED): (State.TERMINATED, Action.END),  # timer N
    (State.CLOSING, Input.UNSUBSCRIBE): (State.CLOSING, Action.NOTHING),
}
"""The subscriber's machine; an absent pair is an error of the caller."""

_OPEN: Final = frozenset((State.NOTIFY_WAIT, State.PENDING, State.ACTIVE, State.STOPPING, State.CLOSING))
_SOON: Final = 1.0
"""Seconds until we come back at once: a notifier that always ends must not make us spin."""


class Notified(NamedTuple):
    """A NOTIFY came and was answered 200."""

    state: str
    """Of Subscription-State: active, pending, terminated."""
    body: bytes
    """Its octets."""
    content_type: str
    """In lower case, without parameters; empty without a body."""
    request: Request
    """The NOTIFY itself."""


class SubscriptionEnded(NamedTuple):
    """The subscription is over."""

    reason: str
    """Of Subscription-State, or "refused", "expired", "silence" (timer N)."""
    status: int
    """Of the answer that refused it, 0 if none did."""
    retry_at: float | None
    """When we subscribe anew, None for never."""


SubscriptionEvent = Notified | SubscriptionEnded


@final
class Subscription:
    """One subscription.

    Commands are `subscribe` and `unsubscribe`; inputs `receive`, `handle_timer` and `transport_failed`; after each of
    them `drain` gives what is to be sent and what has happened, and `deadline` the time for the next `handle_timer`.

    Args:
        settings: what is subscribed where.
        tokens: source of branches and tags.
        call_id: of the first subscription; made by `new_call_id` when empty.
        new_call_id: makes the Call-ID of each later one; None = from `tokens`.
    """

    __slots__ = (
        "_answers",
        "_asked",
        "_dialog",
        "_due",
        "_event",
        "_events",
        "_exchange",
        "_expires_at",
        "_hop",
        "_new_call_id",
        "_notify_by",
        "_places",
        "_tag",
        "_tokens",
        "_transmits",
        "call_id",
        "ignored",
        "refusal",
        "settings",
        "state",
    )

    def __init__(
        self,
        settings: SubscriptionSettings,
        tokens: Tokens,
        *,
        call_id: str = "",
        new_call_id: Callable[[], str] | None = None,
    ) -> None:
        """Begin without a subscription.

        Raises:
            ParseError: an address, the target or the event is malformed.
        """
        self.settings = settings
        self._tokens = tokens
        self._event = Event.parse(settings.event)
        for address in (settings.address, settings.from_, settings.contact):
            NameAddr.parse(address)
        host = settings.credentials_host or NameAddr.parse(settings.target).uri.host
        digest = DigestClient(settings.credentials or _nobody, tokens)
        self._exchange = RoutedExchange(
            (Way(settings.hop, settings.local, (settings.contact,), settings.bound), *settings.spare),
            tokens,
            settings.timers,
            digest,
            host,
            reach=settings.reach,
            redirects=settings.redirects,
            proxied=settings.proxied,
        )
        self.state = State.IDLE
        self._new_call_id = new_call_id or tokens.call_id
        self.call_id = call_id or self._new_call_id()
        self._tag = tokens.tag()
        self._dialog: Dialog | None = None
        self._hop: Hop | None = None
        """Where requests of the dialog go."""
        self._places = 0
        """Number of places to which the present SUBSCRIBE went."""
        self._asked = settings.expires
        self._due: float | None = None
        self._expires_at: float | None = None
        self._notify_by: float | None = None
        self._answers: dict[TransactionKey, Transmit] = {}
        self._transmits: list[Transmit] = []
        self._events: list[SubscriptionEvent] = []
        self.ignored = 0
        """Responses that were out of place."""
        self.refusal: Response | None = None
        """The final response that refused the last subscription, if one did."""

    @property
    def way(self) -> Way:
        """Where the present SUBSCRIBE goes, and what the notifier sees."""
        return self._exchange.way

    @property
    def retransmissions(self) -> int:
        """Requests sent again by timers."""
        return self._exchange.retransmissions

    @property
    def expires_at(self) -> float | None:
        """When the granted time runs out, in monotonic seconds; None while none is granted."""
        return self._expires_at

    @property
    def key(self) -> tuple[str, str]:
        """What messages of this subscription carry: Call-ID and our tag. Both change with `subscribe` after an end."""
        return self.call_id, self._tag

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is to be called next, None for never."""
        times = (self._exchange.deadline, self._due, self._expires_at, self._notify_by)
        return min((at for at in times if at is not None), default=None)

    def drain(self) -> tuple[list[Transmit], list[SubscriptionEvent]]:
        """Hand out, and forget, what is to be sent and what has happened since the last time."""
        transmits = self._transmits + self._exchange.drain()
        events = self._events
        self._transmits = []
        self._events = []
        return transmits, events

    def subscribe(self, now: float) -> None:
        """Subscribe, anew if it had ended.

        Raises:
            LocalProtocolError: while there is a subscription.
        """
        self._step(Input.SUBSCRIBE, now)

    def unsubscribe(self, now: float) -> None:
        """End the subscription; harmless twice.

        Raises:
            LocalProtocolError: before `subscribe`.
        """
        self._step(Input.UNSUBSCRIBE, now)

    def receive(self, message: Request | Response, source: Hop, now: float, flow: int = 0) -> None:
        """Take a message of this subscription.

        Args:
            source: where it came from.
            flow: the inbound connection, 0 for none.
        """
        if isinstance(message, Response):
            if self._exchange.is_answer(message):
                self._finish(self._exchange.receive(message, now), now)
            else:
                self.ignored += 1
            return
        key = transaction_key(message)
        answer = self._answers.get(key)
        if answer is None:
            status, state = self._judge(message)
            reply = Reply(message, source, flow, self._tag)
            extra = f"Unsupported: {', '.join(self._unsupported(message))}\r\n" if status == 420 else ""
            answer = Transmit(reply.to_bytes(status, "", extra), reply.hop, reply.flow)
            if len(self._answers) >= _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = answer
            if state is not None:
                self._notify(message, state, now)
        self._transmits.append(answer)

    def handle_timer(self, now: float) -> None:
        """Let everything fire that is due."""
        self._finish(self._exchange.handle_timer(now), now)
        for at, reason in ((self._notify_by, "silence"), (self._expires_at, "expired")):
            if at is not None and at <= now and self.state in _OPEN:
                self._step(Input.EXPIRED, now, reason=reason)
        if self._due is not None and self._due <= now:
            # A refresh waits for the request that is still out.
            busy = self._exchange.is_open
            self._due = now + self.settings.timers.t1 if busy else None
            if not busy:
                self._step(Input.DUE, now)

    def transport_failed(self, branch: str, now: float) -> None:
        """Note that the request of this branch could not be sent."""
        self._finish(self._exchange.transport_failed(branch, now), now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone; see `ClientTransaction.connections_lost`."""
        self._exchange.connections_lost(now)

    def abandon(self) -> None:
        """Stop without a message to the notifier, which learns by the answer to its next NOTIFY (481)."""
        self._exchange.abandon()
        self.state = State.TERMINATED
        self._due = self._expires_at = self._notify_by = None

    def _step(
        self,
        happened: Input,
        now: float,
        *,
        state: SubscriptionState | None = None,
        reason: str = "",
        status: int = 0,
    ) -> None:
        row = TRANSITIONS.get((self.state, happened))
        if row is None:
            raise LocalProtocolError(f"{happened.name.lower()} while {self.state.name.lower()}")
        left = self.state
        self.state, action = row
        if action is Action.SEND:
            self._begin(now)
        elif action is Action.REFRESH:
            self._send(now)
        elif action is Action.UPDATE:
            assert state is not None
            self._update(state, now)
        elif action is Action.STOP:
            self._due = self._expires_at = None
            if not self._exchange.is_open:
                self._step(Input.FREE, now)
        elif action is Action.CLOSE:
            self._asked = 0
            self._send(now)
        elif action is Action.END:
            self._end(now, state, reason, status, left)
        else:
            self._due = None

    def _begin(self, now: float) -> None:
        if self._exchange.cseq:
            # RFC 6665 4.1.2.1: a new subscription is a new dialog.
            self.call_id = self._new_call_id()
            self._tag = self._tokens.tag()
        self._dialog = None
        self._hop = None
        self.refusal = None
        self._asked = self._asked or self.settings.expires
        self._send(now)

    def _send(self, now: float) -> None:
        settings = self.settings
        dialog = self._dialog
        uri, route = settings.target, settings.route
        to = str(NameAddr.parse(settings.address))
        if dialog is not None:
            uri, route, to = dialog.request_uri, dialog.route_set, dialog.remote
            if uri != dialog.remote_target:
                # The first router is a strict one (RFC 3261 12.2.1.1).
                route = (*route[1:], f"<{dialog.remote_target}>")
        pairs = [("Max-Forwards", str(settings.max_forwards))]
        pairs += [("Route", value) for value in route]
        pairs += [("From", f"{NameAddr.parse(settings.from_)};tag={self._tag}"), ("To", to), ("Call-ID", self.call_id)]
        pairs += [("Event", settings.event), ("Expires", str(self._asked))]
        if settings.accept:
            pairs.append(("Accept", ", ".join(settings.accept)))
        if settings.user_agent:
            pairs.append(("User-Agent", settings.user_agent))
        pairs += settings.headers
        self._notify_by = now + settings.timers.timeout
        self._places = 1
        if dialog is not None and self._hop is not None:
            self._exchange.start_within("SUBSCRIBE", uri, pairs, self._hop, now)
            return
        if settings.body and settings.content_type:
            pairs.append(("Content-Type", settings.content_type))
        self._exchange.start("SUBSCRIBE", uri, pairs, now, settings.body)

    def _finish(self, finished: Finished | None, now: float) -> None:
        if finished is None or self.state not in _OPEN:
            if self._exchange.places > self._places:  # it went elsewhere: the wait for the first NOTIFY begins anew
                self._places = self._exchange.places
                self._notify_by = now + self.settings.timers.timeout
            return
        status, response = finished
        if response is not None and status // 100 == 2:
            if self.state is State.STOPPING:
                self._step(Input.FREE, now)
            elif self.state in (State.PENDING, State.ACTIVE):
                self._refreshed(response, now)
        elif status == 423 and response is not None and self._ask_longer(response):
            self._send(now)
        elif self.state not in (State.PENDING, State.ACTIVE) or status in ENDING_STATUSES:
            self.refusal = response
            self._step(Input.REFUSED, now, reason="refused", status=status)
        else:
            # RFC 6665 4.1.2.2: the subscription is valid until it runs out; try again half way.
            self._notify_by = None
            remaining = (self._expires_at or now) - now
            self._due = now + remaining / 2 if remaining > _SOON else None

    def _refreshed(self, response: Response, now: float) -> None:
        # Until a NOTIFY has more, the 2xx has the duration (RFC 6665 4.1.2.2).
        try:
            granted = response.expires
        except ParseError:
            granted = None
        if granted is not None:
            self._plan(min(granted, self._asked), now)

    def _ask_longer(self, response: Response) -> bool:
        try:
            least = response.min_expires
        except ParseError:
            return False
        if self.state in (State.STOPPING, State.CLOSING) or least is None or not self._asked < least <= MAX_MINIMUM:
            return False
        self._asked = least
        return True

    def _judge(self, request: Request) -> tuple[int, SubscriptionState | None]:
        # RFC 6665 4.1.3: which NOTIFY belongs to this subscription.
        dialog = self._dialog
        try:
            if request.call_id != self.call_id or request.to_tag != self._tag or self.state not in _OPEN:
                return 481, None
            if dialog is not None and not dialog.has_peer(request):
                return 481, None
            request.check()
            if self._unsupported(request):
                return 420, None  # RFC 3261 section 8.2.2.3
            event = request.event
            if event is None or (event.package.lower(), event.id) != (self._event.package.lower(), self._event.id):
                return 489, None
            state = request.subscription_state
            numbers = {"expires": state.expires, "retry-after": state.retry_after} if state is not None else {}
            if state is None or any(name in state.params and value is None for name, value in numbers.items()):
                return 400, None
            if dialog is None:
                own = f"{NameAddr.parse(self.settings.from_)};tag={self._tag}"
                dialog = Dialog.of_request(request, own, self._tag, self.settings.max_forwards)
                self._next_hop(dialog)
                self._dialog = dialog
            elif not dialog.accepts(request):
                return 500, None
            else:
                dialog.refresh_target(request)
            self._hop = self._next_hop(dialog)
            return 200, state
        except ParseError as error:
            return error.status_hint, None

    def _unsupported(self, request: Request) -> list[str]:
        """Return the option tags that a NOTIFY requires, and that its SUBSCRIBE does not support."""
        given = [value for name, value in self.settings.headers if name.lower() in ("supported", "k")]
        known = {tag.strip().lower() for value in given for tag in value.split(",")}
        return [tag for tag in request.require if tag.lower() not in known]

    def _next_hop(self, dialog: Dialog) -> Hop:
        proxy = self.settings.hop if self.settings.proxied else None
        return dialog.next_hop(self.way.local.transport, proxy)

    def _notify(self, request: Request, state: SubscriptionState, now: float) -> None:
        if self.state is not State.CLOSING:
            self._notify_by = None
        self._events.append(Notified(state.state, request.body, request.content_type if request.body else "", request))
        # An unknown state counts as active (RFC 6665 8.4 lets others register some).
        happened = {"pending": Input.PENDING, "terminated": Input.TERMINATED}.get(state.state, Input.ACTIVE)
        self._step(happened, now, state=state, reason=state.reason or "")

    def _update(self, state: SubscriptionState, now: float) -> None:
        self._plan(self._asked if state.expires is None else state.expires, now)

    def _plan(self, granted: int, now: float) -> None:
        settings = self.settings
        self._expires_at = now + granted
        self._due = now + granted * self._tokens.uniform(settings.refresh_earliest, settings.refresh_latest)

    def _end(self, now: float, state: SubscriptionState | None, reason: str, status: int, left: State) -> None:
        self._exchange.abandon()
        by_us = left in (State.STOPPING, State.CLOSING)
        fetched = not self.settings.expires  # RFC 6665 section 4.4.3: one state was asked for
        # RFC 6665 4.1.2.2: the notifier has lost the dialog of a refresh; a new subscription is one of 4.1.2.1.
        is_lost = status == _UNKNOWN and left in (State.PENDING, State.ACTIVE)
        if by_us or fetched or (status and not is_lost):
            wait = None
        else:
            wait = _SOON if is_lost else _wait(state, reason, self.settings.retry_wait)
        self._expires_at = self._notify_by = None
        self._due = None if wait is None else now + wait
        if wait is not None:
            self.state = State.WAITING
        self._asked = self.settings.expires
        self._events.append(SubscriptionEnded(reason, status, self._due))


def _wait(state: SubscriptionState | None, reason: str, usual: float) -> float | None:
    # RFC 6665 4.1.3: what the reasons mean for another try.
    if reason in ("rejected", "noresource", "invariant"):
        return None
    if reason in ("deactivated", "timeout", "expired"):
        return _SOON
    after = state.retry_after if state is not None else None
    return usual if after is None else float(after)


def _nobody(realm: str, host: str) -> tuple[str, str] | None:
    return None
