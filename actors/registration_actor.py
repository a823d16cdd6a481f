"""A registration in a call worker: `sipcore.registration` joined to the outbox, its user told by callback."""

from collections.abc import Callable
from typing import Any

from sipcore.hop import Hop
from sipcore.message import Request, Response
from sipcore.registration import Registration, RegistrationEvent

from .outbox import Outbox


class RegistrationActor:
    """One address-of-record that is kept bound.

    on_event: called with each event of the registration.
    """

    __slots__ = ("_on_event", "_outbox", "number", "registration", "stopped")

    def __init__(
        self, number: int, registration: Registration, outbox: Outbox, on_event: Callable[[RegistrationEvent], None]
    ) -> None:
        self.number = number
        self.registration = registration
        self.stopped = False
        self._outbox = outbox
        self._on_event = on_event

    @property
    def name(self) -> str:
        """What logs call it."""
        return f"registration {self.registration.key[0]}"

    @property
    def key(self) -> tuple[str, str]:
        """(Call-ID, our tag): responses with these are for it."""
        return self.registration.key

    @property
    def deadline(self) -> float | None:
        """When it next wants to be woken."""
        return self.registration.deadline

    @property
    def finished(self) -> bool:
        """Nothing is bound and nothing is under way."""
        return self.stopped and self.registration.deadline is None

    def register(self, now: float) -> None:
        """Bind the contacts, and keep them bound."""
        self.registration.register(now)
        self.pump(now)

    def unregister(self, now: float) -> None:
        """Remove our contacts."""
        self.stopped = True
        self.registration.unregister(now)
        self.pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """A response of the registrar."""
        if isinstance(message, Response):
            self.registration.receive(message, now)
            self.pump(now)

    def handle_timer(self, now: float) -> None:
        """Its deadline has come."""
        self.registration.handle_timer(now)
        self.pump(now)

    def media_event(self, event: Any, now: float) -> None:
        """A registration has no media."""

    def crashed(self, now: float) -> None:
        """Our own code failed on it: stop."""
        self.stopped = True

    def pump(self, now: float) -> None:
        """Take over what it produced."""
        transmits, events = self.registration.drain()
        self._outbox.send(transmits, self.registration.settings.local)
        for event in events:
            self._on_event(event)
