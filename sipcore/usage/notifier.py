"""Notifier: one subscription of a remote subscriber, from its SUBSCRIBE to the last NOTIFY (RFC 6665 section 4.2).

Sends NOTIFYs one after another in the dialog, answers refreshes and the end, and ends when the granted time runs out or
the subscriber is gone. Each refresh is followed by a NOTIFY with the newest state (4.2.1.2). The first SUBSCRIBE is
answered by who makes the notifier. It uses no sockets, no clock and no event package.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple, final

from ..auth.digest import DigestClient
from ..errors import LocalProtocolError, ParseError
from ..message.fields import Event, NameAddr
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from ..session.dialog import Dialog
from ..transaction.client_exchange import Exchange, Finished, Way
from ..transaction.reply import Reply
from ..transaction.server_transaction import TransactionKey, transaction_key
from ..transaction.timers import TimerSettings

MOST_WAITING: Final = 64
"""NOTIFYs that wait for the answer to the one before."""
_REMEMBERED: Final = 8
"""How many answers to SUBSCRIBE are kept for repeated requests."""
USUAL_EXPIRES: Final = 3600
"""Seconds of a subscription for which none are requested; event packages name their own (RFC 6665 section 5.4.4)."""
GONE: Final = frozenset((404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 503, 604))
"""Answers to NOTIFY that end the subscription (RFC 6665 section 4.2.2, RFC 5057 section 5.1); silence and a failed
transport are 408 and 503."""


class State(Enum):
    """Where a subscription stands."""

    PENDING = auto()
    """The subscriber has to wait for the decision whether it may."""
    ACTIVE = auto()
    CLOSING = auto()
    """The last NOTIFY is to be sent, or is out."""
    TERMINATED = auto()


class Input(Enum):
    """What happens to a subscription."""

    ACTIVATE = auto()
    """A NOTIFY with the state active is wanted."""
    HOLD = auto()
    """A NOTIFY with the state pending is wanted."""
    END = auto()
    """It ends: by its owner, by its subscriber, or by time."""
    CLOSED = auto()
    """The last NOTIFY is answered."""
    GONE = auto()
    """The subscriber is gone."""


class Action(Enum):
    """What is done then."""

    NOTIFY = auto()
    LAST = auto()
    FINISH = auto()
    NOTHING = auto()


TRANSITIONS: Final[dict[tuple[State, Input], tuple[State, Action]]] = {
    (State.PENDING, Input.HOLD): (State.PENDING, Action.NOTIFY),
    (State.PENDING, Input.ACTIVATE): (State.ACTIVE, Action.NOTIFY),
    (State.PENDING, Input.END): (State.CLOSING, Action.LAST),
    (State.PENDING, Input.GONE): (State.TERMINATED, Action.FINISH),
    (State.ACTIVE, Input.ACTIVATE): (State.ACTIVE, Action.NOTIFY),
    (State.ACTIVE, Input.END): (State.CLOSING, Action.LAST),
    (State.ACTIVE, Input.GONE): (State.TERMINATED, Action.FINISH),
    (State.CLOSING, Input.END): (State.CLOSING, Action.NOTHING),
    (State.CLOSING, Input.CLOSED): (State.TERMINATED, Action.FINISH),
    (State.CLOSING, Input.GONE): (State.TERMINATED, Action.FINISH),
    (State.TERMINATED, Input.END): (State.TERMINATED, Action.NOTHING),
}
"""RFC 6665 figure 1, as the notifier sees it: an active subscription does not become pending again."""
_OPEN: Final = (State.PENDING, State.ACTIVE)


class Delivered(NamedTuple):
    """A NOTIFY came to its end."""

    number: int
    """That of `notify`."""
    status: int
    """Of the final response; 408 for silence, 503 for a failed transport, 0 for one that was never sent."""
    response: Response | None


class NotifierEnded(NamedTuple):
    """The subscription is over."""

    reason: str
    """That of the last NOTIFY: timeout, noresource …; "gone" when the subscriber did not take one."""


NotifierEvent = Delivered | NotifierEnded


@final
@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """The settings of one subscription."""

    local: Hop
    """Transport, host and port written into Via."""
    contact: str
    """Where the subscriber's requests reach us, as name-addr or URI."""
    bound: Hop | None = None
    """What the socket is bound to where that is not `local` (1:1 NAT); None = `local`."""
    toward: Callable[[Hop], tuple[Hop, Hop]] | None = None
    """Returns both for a hop that `local` does not reach; None = there is no other."""
    most: int = USUAL_EXPIRES
    """Seconds that are granted at most."""
    pending: bool = False
    """Whether the subscriber has to wait for a decision."""
    max_forwards: int = 70
    timers: TimerSettings = field(default_factory=TimerSettings)
    """T1, T2, T4 in seconds."""
    user_agent: str = ""
    """User-Agent header, empty for none."""


class _Waiting(NamedTuple):
    """A NOTIFY that is to be sent."""

    number: int
    last: str
    """Reason of the last one; empty = another one."""
    body: bytes
    content_type: str


@final
class Notifier:
    """One subscription, as its notifier."""

    __slots__ = (
        *(
            "_answers",
            "_contact",
            "_dialog",
            "_event",
            "_events",
            "_exchange",
            "_expires_at",
            "_newest",
            "_number",
            "_out",
        ),
        *("_reason", "_required", "_settings", "_transmits", "_waiting", "granted", "ignored", "state", "way"),
    )

    def __init__(self, request: Request, settings: NotifierSettings, tokens: Tokens, tag: str, now: float) -> None:
        """Accept a SUBSCRIBE; its 2xx must have the time that is `granted`, and this tag.

        Raises:
            ParseError: a header field that the dialog is made of cannot be read.
        """
        self._settings = settings
        self._contact = str(NameAddr.parse(settings.contact))
        local = f"{NameAddr.parse(request.headers.get('To') or '')};tag={tag}"
        self._dialog = Dialog.of_request(request, local, tag, settings.max_forwards)
        self._event = Event.parse(request.headers.get("Event") or "")
        self._required = frozenset(tag.lower() for tag in request.require)
        self.way = self._aimed()
        """Where NOTIFYs go, and the local side that the subscriber sees."""
        digest = DigestClient(_nobody, tokens)
        hop = self.way.hop
        self._exchange = Exchange(self.way.local, hop, tokens, settings.timers, digest, hop.host)
        self.state = State.PENDING if settings.pending else State.ACTIVE
        self.granted = self._grant(request)
        """Seconds that were granted last."""
        self._expires_at: float | None = now + self.granted
        self._number = 0
        self._newest = (b"", "")
        self._waiting: deque[_Waiting] = deque()
        self._out: _Waiting | None = None
        self._reason = ""
        self._answers: dict[TransactionKey, Transmit] = {}
        self._transmits: list[Transmit] = []
        self._events: list[NotifierEvent] = []
        self.ignored = 0
        """Responses that were out of place."""

    def _aimed(self) -> Way:
        """Return the way of the dialog's requests.

        Raises:
            ParseError: the subscriber has named no SIP address.
        """
        settings = self._settings
        local, bound = settings.local, settings.bound
        hop = self._dialog.next_hop(local.transport, None)
        if settings.toward is not None and (
            hop.transport != local.transport or (":" in hop.host) != (":" in local.host)
        ):
            local, bound = settings.toward(hop)
        return Way(hop, local, (self._contact,), bound)

    def _grant(self, request: Request) -> int:
        wanted = request.expires
        return self._settings.most if wanted is None else min(wanted, self._settings.most)

    # ---- reading

    @property
    def event(self) -> str:
        """The event package, with its id if any."""
        return str(self._event)

    @property
    def key(self) -> tuple[str, str]:
        """What messages of this subscription carry: Call-ID and our tag."""
        return self._dialog.call_id, self._dialog.local_tag

    @property
    def waiting(self) -> int:
        """Number of NOTIFYs that wait for their turn."""
        return len(self._waiting)

    @property
    def retransmissions(self) -> int:
        """Requests sent again by timers."""
        return self._exchange.retransmissions

    @property
    def expires_at(self) -> float | None:
        """When the granted time runs out, in monotonic seconds; None after the end."""
        return self._expires_at

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is to be called next, None for never."""
        return min((at for at in (self._exchange.deadline, self._expires_at) if at is not None), default=None)

    def drain(self) -> tuple[list[Transmit], list[NotifierEvent]]:
        """Hand out, and forget, what is to be sent and what has happened since the last time."""
        transmits = self._transmits + self._exchange.drain()
        events = self._events
        self._transmits = []
        self._events = []
        return transmits, events

    # ---- what its owner wants

    def notify(self, body: bytes, content_type: str, now: float, *, pending: bool = False) -> int:
        """Send the state, after the NOTIFYs that wait; returns the number that its `Delivered` has.

        Raises:
            LocalProtocolError: the subscription is over, was active and is to be pending, or too many NOTIFYs wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise LocalProtocolError(f"{MOST_WAITING} NOTIFYs wait for their turn already")
        self._step(Input.HOLD if pending else Input.ACTIVATE)
        self._newest = (body, content_type)
        return self._queue("", now)

    def end(self, reason: str, now: float, body: bytes | None = None, content_type: str = "") -> None:
        """End the subscription by a last NOTIFY; harmless twice.

        Args:
            reason: of Subscription-State (RFC 6665 section 4.1.3): noresource, rejected, deactivated, timeout …
            body: of the last NOTIFY; None = the newest state.
        """
        if self._step(Input.END) is Action.LAST:
            self._expires_at = None
            self._reason = reason
            if body is not None:
                self._newest = (body, content_type)
            self._queue(reason, now)

    def abandon(self) -> None:
        """Stop without a message to the subscriber, which learns by the answer to its next SUBSCRIBE (481)."""
        if self.state is not State.TERMINATED:
            self._lose()

    # ---- messages and time

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
        if message.method == "ACK":
            return
        key = transaction_key(message)
        answer = self._answers.get(key)
        taken = False
        if answer is None:
            status, extra = self._judge(message)
            reply = Reply(message, source, flow, self._dialog.local_tag)
            taken = status == 200
            answer = Transmit(reply.to_bytes(status, "", extra), reply.hop, reply.flow)
            if len(self._answers) >= _REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = answer
        self._transmits.append(answer)
        if taken and self.granted == 0:
            self.end("timeout", now)
        elif taken:
            self._expires_at = now + self.granted
            self._queue("", now)

    def handle_timer(self, now: float) -> None:
        """Let everything fire that is due."""
        self._finish(self._exchange.handle_timer(now), now)
        if self._expires_at is not None and self._expires_at <= now:
            self.end("timeout", now)

    def transport_failed(self, branch: str, now: float) -> None:
        """Note that the NOTIFY of this branch could not be sent."""
        self._finish(self._exchange.transport_failed(branch, now), now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone; see `ClientTransaction.connections_lost`."""
        self._exchange.connections_lost(now)

    # ---- inside

    def _step(self, happened: Input) -> Action:
        row = TRANSITIONS.get((self.state, happened))
        if row is None:
            raise LocalProtocolError(f"{happened.name.lower()} while {self.state.name.lower()}")
        self.state, action = row
        return action

    def _judge(self, request: Request) -> tuple[int, str]:
        """Return the status and further header lines of the answer to a request; 200 is a refresh or the end."""
        if request.method != "SUBSCRIBE":
            return 405, "Allow: SUBSCRIBE, NOTIFY\r\n"
        try:
            if not self._dialog.has_peer(request) or self.state not in _OPEN:
                return 481, ""
            request.check()
            if missing := [tag for tag in request.require if tag.lower() not in self._required]:
                return 420, f"Unsupported: {', '.join(missing)}\r\n"  # RFC 3261 section 8.2.2.3
            event = request.event
            if event is None or (event.package.lower(), event.id) != (self._event.package.lower(), self._event.id):
                return 489, ""
            granted = self._grant(request)
            if not self._dialog.accepts(request):
                return 500, ""
            self._dialog.refresh_target(request)
            self.way = self._aimed()
        except ParseError as error:
            return error.status_hint, ""
        self.granted = granted
        return 200, f"Expires: {granted}\r\nContact: {self._contact}\r\n"

    def _queue(self, last: str, now: float) -> int:
        self._number += 1
        if len(self._waiting) < MOST_WAITING or last:
            self._waiting.append(_Waiting(self._number, last, *self._newest))
        self._send_next(now)
        return self._number

    def _send_next(self, now: float) -> None:
        if self._exchange.is_open or not self._waiting or self.state is State.TERMINATED:
            return
        self._out = out = self._waiting.popleft()
        dialog, settings = self._dialog, self._settings
        uri, route = dialog.request_uri, dialog.route_set
        if uri != dialog.remote_target:
            route = (*route[1:], f"<{dialog.remote_target}>")  # the first router is a strict one (RFC 3261 12.2.1.1)
        pairs = [("Max-Forwards", str(settings.max_forwards))]
        pairs += [("Route", value) for value in route]
        pairs += [("From", dialog.local), ("To", dialog.remote), ("Call-ID", dialog.call_id)]
        pairs += [("Event", self.event), ("Subscription-State", self._state_of(out, now))]
        pairs.append(("Contact", self._contact))
        if settings.user_agent:
            pairs.append(("User-Agent", settings.user_agent))
        if out.body and out.content_type:
            pairs.append(("Content-Type", out.content_type))
        self._exchange.go_by(local=self.way.local, hop=self.way.hop)
        self._exchange.start("NOTIFY", uri, pairs, now, out.body)

    def _state_of(self, out: _Waiting, now: float) -> str:
        if out.last:
            return f"terminated;reason={out.last}"
        left = max(0, round((self._expires_at or now) - now))
        return f"{'pending' if self.state is State.PENDING else 'active'};expires={left}"

    def _finish(self, finished: Finished | None, now: float) -> None:
        out = self._out
        if finished is None or out is None:
            return
        self._out = None
        self._events.append(Delivered(out.number, *finished))
        if self.state is State.TERMINATED:
            return
        if out.last:
            self._step(Input.CLOSED)
            self._over(self._reason)
        elif finished.status in GONE:
            self._lose()
        else:
            self._send_next(now)

    def _lose(self) -> None:
        self._step(Input.GONE)
        self._over("gone")

    def _over(self, reason: str) -> None:
        self._exchange.abandon()
        self._expires_at = None
        lost = [self._out] if self._out is not None else []
        self._out = None
        self._events += [Delivered(each.number, 0, None) for each in (*lost, *self._waiting)]
        self._waiting.clear()
        self._events.append(NotifierEnded(reason))


def _nobody(realm: str, host: str) -> tuple[str, str] | None:
    return None
