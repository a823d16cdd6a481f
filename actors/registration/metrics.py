"""Counts registrations: how each try to bind an address ended, how long it took, and how many bindings live.

The delays are RRD of RFC 6076 section 4.1. A refresh is a try like the first one, a removal is none.
"""

from sipswarm.sipcore.usage.registration import Registered, Registration, RegistrationEvent, RegistrationFailed

from ..counting.totals import Totals

UNAUTHORIZED = (401, 407)


def result_of(event: Registered | RegistrationFailed) -> str:
    """Return the label of a try's result."""
    if isinstance(event, Registered):
        return "ok"
    if event.response is None:
        return "timeout" if event.status == 408 else "transport_error"
    if event.status == 408:
        return "timeout"
    return "challenged_twice" if event.status in UNAUTHORIZED else "rejected"


class RegistrationMetrics:
    """The registration metrics of one process."""

    __slots__ = ("_active", "_again", "_timeouts", "_totals")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._active = totals.cell("sipswarm_registrations_active")
        self._again = totals.cell("sipswarm_sip_retransmissions_total", "sent", "REGISTER")
        self._timeouts = totals.cell("sipswarm_sip_transaction_timeouts_total", "F")

    @property
    def active(self) -> int:
        """Number of live bindings, by the last answer of each registrar."""
        return int(self._active.value)

    def tried(self, registration: Registration, event: RegistrationEvent, now: float) -> None:
        """Count an event of a registration; only the end of a try counts.

        Args:
            now: monotonic seconds.
        """
        if isinstance(event, Registered | RegistrationFailed):
            result = result_of(event)
            self._totals.cell("sipswarm_registrations_total", result).value += 1
            delay = max(0.0, now - registration.asked_at)
            self._totals.distribution("sipswarm_registration_delay_seconds", result).add(delay)
            if isinstance(event, RegistrationFailed) and event.response is None and event.status == 408:
                self._timeouts.value += 1

    def bound(self, change: int) -> None:
        """Count a binding that was made (1) or lost (-1)."""
        self._active.value += change

    def repeated(self, times: int) -> None:
        """Count retransmissions of a REGISTER."""
        self._again.value += times
