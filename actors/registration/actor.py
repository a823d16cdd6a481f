"""A registration in a call worker: the actor of one `sipcore.usage.registration`.

It counts each event and passes it to `on_event`. The actor must not decide when a binding is refreshed or tried again.
"""

from collections.abc import Callable
from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import Registration, RegistrationEvent

from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..runtime.usage_actor import UsageActor
from .metrics import RegistrationMetrics


class RegistrationActor(UsageActor):
    """One address-of-record that is kept bound.

    Args:
        metrics: counts its tries and its binding.
        on_event: called with each event.
        on_crash: called when a failure of the program has ended it, after which no event comes.
    """

    __slots__ = (
        "_abandoned",
        "_bound",
        "_metrics",
        "_on_crash",
        "_on_event",
        "registration",
        "stopped",
    )

    def __init__(
        self,
        registration: Registration,
        outbox: Outbox[Any],
        metrics: RegistrationMetrics,
        on_event: Callable[["RegistrationActor", RegistrationEvent], None],
        on_crash: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(registration, outbox)
        self.registration = registration
        self.stopped = False
        """Its removal has begun, or it was abandoned."""
        self._metrics = metrics
        self._on_event = on_event
        self._on_crash = on_crash
        self._bound = self._abandoned = False

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"registration {self.registration.key[0]}"

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

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self.abandon()
        if self._on_crash is not None:
            self._on_crash()

    def abandon(self) -> None:
        """Stop without a message to the registrar: another actor keeps the same binding from now on."""
        self.stopped = self._abandoned = True
        self._count_binding(False)

    @property
    def way(self) -> Way:
        """Where the registrar is, as far as is known."""
        return self.registration.way

    @property
    def peer(self) -> Peer:
        """The registrar."""
        registrar = (self.registration.way.hop.host,)
        return Peer(registrar, registrar)

    def pump(self, now: float) -> None:
        """Send, count and report what the registration produced."""
        self._count_binding(not self._abandoned and self.registration.bound_until is not None)
        super().pump(now)

    def take_event(self, event: RegistrationEvent, now: float) -> None:
        """Count and report an event."""
        self._metrics.tried(self.registration, event, now)
        self._on_event(self, event)

    def count_repeated(self, times: int) -> None:
        """Count retransmissions of a REGISTER."""
        self._metrics.repeated(times)

    def _count_binding(self, bound: bool) -> None:
        if bound != self._bound:
            self._bound = bound
            self._metrics.bound(1 if bound else -1)
