"""A registration in a call worker: gives messages and time to `sipcore.usage.registration`, and takes what it produced.

After every input `pump` sends the messages, counts, and passes each event to `on_event`. The actor must not decide when
a binding is refreshed or tried again.
"""

from collections.abc import Callable
from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.usage.registration import Registration, RegistrationEvent

from ..diagnosis.request_loss import Loss
from ..runtime.actor import Actor
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from .metrics import RegistrationMetrics


class RegistrationActor(Actor):
    """One address-of-record that is kept bound.

    Args:
        metrics: counts its tries and its binding.
        on_event: called with each event.
    """

    __slots__ = (
        "_abandoned",
        "_again",
        "_bound",
        "_metrics",
        "_on_event",
        "_outbox",
        "registration",
        "stopped",
    )

    def __init__(
        self,
        registration: Registration,
        outbox: Outbox[Any],
        metrics: RegistrationMetrics,
        on_event: Callable[["RegistrationActor", RegistrationEvent], None],
    ) -> None:
        self.registration = registration
        self.stopped = False
        """Its removal has begun, or it was abandoned."""
        self._outbox = outbox
        self._metrics = metrics
        self._on_event = on_event
        self._bound = self._abandoned = False
        self._again = 0

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"registration {self.registration.key[0]}"

    @property
    def key(self) -> tuple[str, str]:
        """(Call-ID, local tag): responses with these belong to it."""
        return self.registration.key

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return None if self._abandoned else self.registration.deadline

    @property
    def finished(self) -> bool:
        """Whether it is stopped and has nothing under way."""
        return self.stopped and self.deadline is None

    def register(self, now: float) -> None:
        """Bind the contacts, and keep them bound."""
        self.registration.register(now)
        self.pump(now)

    def unregister(self, now: float) -> None:
        """Remove the local contacts."""
        self.stopped = True
        self.registration.unregister(now)
        self.pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a response of the registrar."""
        if isinstance(message, Response) and not self._abandoned:
            self.registration.receive(message, now)
            self.pump(now)

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        self.registration.handle_timer(now)
        self.pump(now)

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of a REGISTER that was not sent."""
        self.registration.transport_failed(branch, now)
        self.pump(now)

    def connections_lost(self, now: float) -> None:
        """Send a REGISTER again that waits for its first response over a connection."""
        self.registration.connections_lost(now)

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self.abandon()

    def abandon(self) -> None:
        """Stop without a message to the registrar: another actor keeps the same binding from now on."""
        self.stopped = self._abandoned = True
        self._count_binding(False)

    def pump(self, now: float) -> None:
        """Send, count and report what the registration produced."""
        registration = self.registration
        transmits, events = registration.drain()
        way = registration.way
        registrar = (way.hop.host,)
        self._outbox.send(transmits, way.bound or way.local, Peer(registrar, registrar))
        if registration.retransmissions != self._again:
            self._metrics.repeated(registration.retransmissions - self._again)
            self._again = registration.retransmissions
        self._count_binding(registration.bound_until is not None)
        for event in events:
            self._metrics.tried(registration, event, now)
            self._on_event(self, event)

    def _count_binding(self, bound: bool) -> None:
        if bound != self._bound:
            self._bound = bound
            self._metrics.bound(1 if bound else -1)
