"""Two call actors joined by lists of octets, each with a media side that answers from a list. Not a test.

Time is a literal; nothing is lost unless a test takes it out of `wire`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sipswarm.actors.call.actor import CallActor, CallOutbox
from sipswarm.actors.call.notices import Notice
from sipswarm.actors.call.stream_configuration import MediaDemand
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.media import messages as media
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.session_config import Reliability, SessionConfig

ALICE = Hop("udp", "192.0.2.1", 5060)
BOB = Hop("udp", "192.0.2.2", 5060)
FIGURES: tuple[Any, ...] = tuple(
    {int: 0, float: 0.0, str: "", bool: False}.get(kind, ()) for kind in media.StreamStatistics.__annotations__.values()
)
"""of a stream on which nothing happened"""


def name_of(message: Request | Response) -> str:
    """A message in a ladder: `INVITE`, or `200 INVITE`."""
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


@dataclass
class Phone:
    """One side: its one call, what its user was told, and what its media worker was commanded."""

    hop: Hop
    wanted: bool = True
    refuses: str = ""
    """the reason for which the media side opens nothing"""
    holds_back: bool = False
    """True: the media side answers only when a test says so"""
    srtp: str = "off"
    reliable: bool = False
    """True: INVITEs require reliable provisional responses"""
    elsewhere: bool = True
    """False: no other media worker takes the place of a lost one"""
    reacts: Callable[["Phone", Notice], None] | None = None
    notices: list[Notice] = field(default_factory=list)
    commands: list[Any] = field(default_factory=list)
    actor: CallActor | None = None
    now: float = 1.0

    def __post_init__(self) -> None:
        self.outbox: CallOutbox = Outbox(2)
        self.waiting: list[Any] = []
        self._tokens = Tokens(random.Random(self.hop.host).randbytes)
        self._next_port = 4000

    @property
    def call(self) -> CallActor:
        assert self.actor is not None
        return self.actor

    def told(self) -> list[str]:
        """The notices so far, by name."""
        return [type(notice).__name__ for notice in self.notices]

    def last(self, kind: type[Any]) -> Any:
        """The newest notice or command of a class."""
        return next(each for each in reversed([*self.commands, *self.notices]) if isinstance(each, kind))

    def commanded(self) -> list[str]:
        """The media commands so far, by name."""
        return [type(command).__name__ for command in self.commands]

    def prepare(self, to: Hop, ring_timeout: float = 180.0) -> CallActor:
        """A call of ours that nothing was done with yet."""
        session = InviteSession.outgoing(self._config(ring_timeout), self._tokens, f"sip:bob@{to.host}", hop=to)
        self.actor = self._actor(session, is_uac=True)
        return self.actor

    def receive(self, data: bytes, source: Hop) -> None:
        """A datagram came."""
        message = parse(data)
        if self.actor is None:
            assert isinstance(message, Request)
            session = InviteSession.incoming(self._config(180.0), self._tokens, message, source, self.now)
            self.actor = self._actor(session, is_uac=False)
            self.actor.pump(self.now)
        else:
            self.actor.receive(message, source, 0, self.now)
        self.settle()

    def settle(self) -> None:
        """Let the media side and the user take what waits for them."""
        while any(self.outbox.media) or self.outbox.notices or (self.outbox.unplaced and self.elsewhere):
            if self.elsewhere:
                lost, self.outbox.unplaced[:] = self.outbox.unplaced[:], []
                for owner in lost:
                    owner.media_found(self.now)
            for commands in self.outbox.media:
                taken, commands[:] = commands[:], []
                for command in taken:
                    self.commands.append(command)
                    self.waiting += self._answers_to(command)
            if not self.holds_back:
                self.release()
            notices, self.outbox.notices = self.outbox.notices, []
            for _, notice in notices:
                self.notices.append(notice)
                if self.reacts is not None:
                    self.reacts(self, notice)

    def lose_media(self, now: float, reason: str = "media_worker_lost") -> None:
        """The media worker of the call is gone."""
        worker = self.call.media.demand.worker
        self.outbox.workers.unlinked(worker)
        self.call.media_lost(worker, reason, now)
        self.outbox.media[worker].clear()

    def release(self) -> None:
        """The media side answers."""
        events, self.waiting = self.waiting, []
        for event in events:
            self.call.media_event(event, self.now)

    def _answers_to(self, command: Any) -> list[Any]:
        if isinstance(command, media.OpenStream):
            if self.refuses:
                return [media.StreamRefused(command.stream_id, self.refuses)]
            port, self._next_port = self._next_port, self._next_port + 2
            return [media.StreamOpened(command.stream_id, self.hop.host, port, port + 1, port)]
        if isinstance(command, media.CloseStream) and not self.refuses:
            return [media.StreamClosed(command.stream_id, "closed", FIGURES)]
        if isinstance(command, media.SendDigits):
            return [media.DigitsSent(command.stream_id, command.request_id, "OK")]
        return []

    def _config(self, ring_timeout: float) -> SessionConfig:
        return SessionConfig(
            local=self.hop,
            from_=f"<sip:user@{self.hop.host}>",
            ring_timeout=ring_timeout,
            reliability=Reliability.REQUIRED if self.reliable else Reliability.SUPPORTED,
        )

    def _actor(self, session: InviteSession, *, is_uac: bool) -> CallActor:
        demand = MediaDemand(self.wanted, self.hop.host, 0, srtp=self.srtp)
        return CallActor(1, session, demand, self.outbox, is_uac=is_uac, sdp_id=7)


class Line:
    """Carries datagrams between two phones."""

    def __init__(self, alice: Phone, bob: Phone) -> None:
        self.phones = (alice, bob)
        self.ladder: list[str] = []
        self.messages: list[Request | Response] = []
        self.now = 1.0
        self.down = False
        """True: what is sent is lost"""

    def carry(self) -> None:
        """Carry until nobody has anything to say."""
        alice, bob = self.phones
        for phone in self.phones:
            phone.settle()
        while alice.outbox.transmits or bob.outbox.transmits:
            for phone, other in ((alice, bob), (bob, alice)):
                transmits, phone.outbox.transmits = phone.outbox.transmits, []
                for transmit in transmits:
                    message = parse(transmit.data)
                    self.messages.append(message)
                    self.ladder.append(f"{'>' if phone is alice else '<'} {name_of(message)}")
                    if not self.down:
                        other.receive(transmit.data, phone.hop)

    def run(self, until: float) -> None:
        """Let time pass: timers fire, each at its own moment."""
        self.carry()
        while True:
            actors = [phone.actor for phone in self.phones if phone.actor is not None]
            moments = [actor.deadline for actor in actors if actor.deadline is not None]
            at = min(moments, default=until)
            if at >= until:
                break
            self._set(at)
            for actor in actors:
                if actor.deadline is not None and actor.deadline <= at:
                    actor.handle_timer(at)
            self.carry()
        self._set(until)

    def _set(self, now: float) -> None:
        self.now = now
        for phone in self.phones:
            phone.now = now
