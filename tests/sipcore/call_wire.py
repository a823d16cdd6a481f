"""A virtual wire between two or more call engines: bytes, literal times, chosen losses, and the ladder that results.

Not a test. Messages take `delay` seconds; what `drop` names, or the seeded `loss`, is lost. Every message is parsed
again at the other side, as the shell would.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.dialog import session_key
from sipswarm.sipcore.session.events import Event, ReinviteReceived
from sipswarm.sipcore.session.invite_session import Hop, InviteSession, SessionConfig

ALICE = Hop("udp", "192.0.2.1", 5060)
BOB = Hop("udp", "192.0.2.2", 5060)
CAROL = Hop("udp", "192.0.2.3", 5060)

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"

_E = TypeVar("_E")


def name_of(message: Request | Response) -> str:
    """A message in a ladder: ``INVITE``, or ``200 INVITE``."""
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


def tokens(seed: int = 1) -> Tokens:
    """Reproducible tokens."""
    return Tokens(random.Random(seed).randbytes)


def config(local: Hop, **settings: object) -> SessionConfig:
    """A configuration for one side."""
    plain = SessionConfig(local=local, from_=f"<sip:user@{local.host}>")
    return replace(plain, **settings)  # type: ignore[arg-type]  # the settings are SessionConfig's own, by name


Automaton = Callable[["Side", Event, float], None]


@dataclass
class Side:
    """One host: its sessions, and what they told."""

    name: str
    hop: Hop
    config: SessionConfig
    tokens: Tokens
    reacts: Automaton | None = None
    sessions: list[InviteSession] = field(default_factory=list)
    keys: dict[tuple[object, ...], InviteSession] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    speaking: InviteSession | None = None

    @property
    def session(self) -> InviteSession:
        """The side's first session."""
        return self.sessions[0]

    def call(self, to: str, hop: Hop | None = None) -> InviteSession:
        """Prepare an outgoing call."""
        session = InviteSession.outgoing(self.config, self.tokens, to, hop=hop)
        self.add(session)
        return session

    def add(self, session: InviteSession) -> None:
        self.sessions.append(session)
        self.keys[session.call_id, session.local_tag] = session

    def told(self, kind: type[_E]) -> list[_E]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


class Wire:
    """Carries messages between sides in virtual time.

    Arguments: the sides; `drop` the numbers of messages (from 0, in order of sending) that get lost; `loss` the
    share that gets lost at random, from `seed`; `delay` in seconds.
    """

    def __init__(
        self, *sides: Side, drop: Iterable[int] = (), loss: float = 0.0, seed: int = 1, delay: float = 0.0
    ) -> None:
        self.sides = {side.hop: side for side in sides}
        self.drop = frozenset(drop)
        self.loss = loss
        self.delay = delay
        self.random = random.Random(seed)
        self.now = 0.0
        self.sent = 0
        self.ladder: list[tuple[float, str, str]] = []
        """Time, sender and receiver, message: everything that was sent, lost or not."""
        self.raw: list[bytes] = []
        self._queue: list[tuple[float, int, bytes, Hop, Hop, int]] = []

    def flush(self) -> None:
        """Carry everything that can be carried now."""
        while True:
            self._collect()
            if not self._queue or self._queue[0][0] > self.now:
                return
            _, _, data, source, target, flow = heapq.heappop(self._queue)
            self._deliver(data, source, target, flow)

    def run(self, until: float) -> None:
        """Let time pass: timers fire and messages arrive, each at its own moment, up to `until` seconds."""
        while True:
            self.flush()
            moments = [d for side in self.sides.values() for s in side.sessions if (d := s.deadline) is not None]
            if self._queue:
                moments.append(self._queue[0][0])
            if not moments or min(moments) > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, min(moments))
            for side in self.sides.values():
                for session in side.sessions[:]:
                    deadline = session.deadline
                    if deadline is not None and deadline <= self.now:
                        session.handle_timer(self.now)

    def finish(self) -> None:
        """Let time pass until no timer runs."""
        self.run(10_000.0)

    def names(self) -> list[str]:
        """The ladder without times: ``A>B INVITE``."""
        return [f"{way} {what}" for _, way, what in self.ladder]

    def times(self, way: str, what: str) -> list[float]:
        """When a message was sent, first time and repetitions."""
        return [when for when, this_way, this in self.ladder if (this_way, this) == (way, what)]

    def message(self, number: int) -> Request | Response:
        """A message by its number, parsed."""
        return parse(self.raw[number])

    def last(self, what: str) -> Request | Response:
        """The last message of a name, parsed."""
        for (_, _, name), data in zip(reversed(self.ladder), reversed(self.raw), strict=True):
            if name == what:
                return parse(data)
        raise LookupError(what)

    def last_request(self, what: str) -> Request:
        """The last request of a method."""
        found = self.last(what)
        assert isinstance(found, Request)
        return found

    def last_response(self, what: str) -> Response:
        """The last response of a name such as ``200 INVITE``."""
        found = self.last(what)
        assert isinstance(found, Response)
        return found

    def inject(self, data: bytes, source: Hop, target: Hop) -> None:
        """Let a message arrive now that no engine has sent."""
        self._deliver(data, source, target, 0)
        self.flush()

    def _collect(self) -> None:
        progress = True
        while progress:
            progress = False
            for side in self.sides.values():
                for session in side.sessions[:]:
                    transmits, events = session.drain()
                    for event in events:
                        progress = True
                        side.events.append(event)
                        if side.reacts is not None:
                            side.speaking = session
                            side.reacts(side, event, self.now)
                    for transmit in transmits:
                        progress = True
                        self._send(side, transmit.data, transmit.hop, transmit.flow)

    def _send(self, side: Side, data: bytes, hop: Hop, flow: int) -> None:
        number = self.sent
        self.sent += 1
        target = self.sides.get(hop)
        self.ladder.append((round(self.now, 3), f"{side.name}>{target.name if target else '?'}", name_of(parse(data))))
        self.raw.append(data)
        lost = number in self.drop or (self.loss > 0.0 and self.random.random() < self.loss)
        if not lost and target is not None:
            heapq.heappush(self._queue, (self.now + self.delay, number, data, side.hop, hop, flow))

    def _deliver(self, data: bytes, source: Hop, target: Hop, flow: int) -> None:
        side = self.sides[target]
        message = parse(data)
        key = session_key(message)
        session = side.keys.get(key)
        if session is not None:
            session.receive(message, source, self.now, flow)
        elif isinstance(message, Request) and message.method == "INVITE" and message.to_tag is None:
            session = InviteSession.incoming(side.config, side.tokens, message, source, self.now, flow=flow)
            side.add(session)
            side.keys[key] = session


def pair(
    caller: dict[str, object] | None = None,
    called: dict[str, object] | None = None,
    *,
    seed: int = 1,
    drop: Iterable[int] = (),
    loss: float = 0.0,
    delay: float = 0.0,
) -> tuple[Side, Side, Wire]:
    """Two hosts and the wire between them, with settings of SessionConfig for each."""
    alice = Side("A", ALICE, config(ALICE, **(caller or {})), tokens(seed))
    bob = Side("B", BOB, config(BOB, **(called or {})), tokens(seed + 1000))
    return alice, bob, Wire(alice, bob, drop=drop, loss=loss, seed=seed, delay=delay)


def established(
    caller: dict[str, object] | None = None, called: dict[str, object] | None = None, *, seed: int = 1
) -> tuple[Side, Side, Wire]:
    """Two hosts with a call up at time 0; the ladder starts empty."""
    alice, bob, wire = pair(caller, called, seed=seed)
    session = alice.call("sip:bob@192.0.2.2")
    session.invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    restart(wire)
    return alice, bob, wire


def restart(wire: Wire) -> None:
    """Empty the ladder and the lists of events."""
    wire.ladder.clear()
    wire.raw.clear()
    wire.sent = 0
    for side in wire.sides.values():
        side.events.clear()


def ringing(
    caller: dict[str, object] | None = None, called: dict[str, object] | None = None
) -> tuple[Side, Side, Wire]:
    """A call that rings at time 0."""
    alice, bob, wire = pair(caller, called)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0)
    wire.flush()
    return alice, bob, wire


def edited(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """A message with some octets replaced; each must be there."""
    for old, new in changes:
        assert old in data
        data = data.replace(old, new, 1)
    return data


def in_dialog(wire: Wire, bob: Side, method: str, number: int, extra: str = "", body: bytes = b"") -> bytes:
    """A request of A within B's dialog, as an outsider would forge it with the right identity."""
    dialog = bob.session.dialog
    assert dialog is not None
    return (
        f"{method} sip:bob@192.0.2.2 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKforged{method}{number};rport\r\n"
        f"From: {dialog.remote}\r\nTo: {dialog.local}\r\nCall-ID: {dialog.call_id}\r\n"
        f"CSeq: {number} {method}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def request_of(data: bytes) -> Request:
    """Octets that are known to be a request, parsed."""
    message = parse(data)
    assert isinstance(message, Request)
    return message


def response_of(data: bytes) -> Response:
    """Octets that are known to be a response, parsed."""
    message = parse(data)
    assert isinstance(message, Response)
    return message


def accept_reinvites(side: Side, event: Event, now: float) -> None:
    """Answers every re-INVITE."""
    if isinstance(event, ReinviteReceived) and side.speaking is not None:
        side.speaking.accept(now, ANSWER)
