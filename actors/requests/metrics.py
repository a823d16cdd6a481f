"""Counts requests outside of calls: how each ended, how long it took, and how many wait; and the subscriptions.

A request counts once, with its repetitions, challenges and further places. The label `code` is that of the final
response, or one of the three names here; `method` is one of the registry, or OTHER. Series begin to exist with the
first request or subscription, so that a node without them has none.
"""

from typing import Final

from sipswarm.sipcore.transaction.client_exchange import Finished

from ..counting.labels import METHODS, OTHER
from ..counting.totals import Totals

TIMEOUT: Final = "timeout"
TRANSPORT_ERROR: Final = "transport_error"
ENDED: Final = "ended"
"""Ended here: the task that waited for it was cancelled, or the node has ended."""


def code_of(finished: Finished) -> str:
    """Return the label of the end of a request that was sent."""
    if finished.response is not None:
        return str(finished.response.status)
    return TIMEOUT if finished.status == 408 else TRANSPORT_ERROR


def label_of(method: str) -> str:
    """Return the label of a method."""
    return method if method in METHODS else OTHER.upper()


class RequestMetrics:
    """The metrics of requests outside of calls of one process."""

    __slots__ = ("_timeouts", "_totals")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._timeouts = totals.cell("sipswarm_sip_transaction_timeouts_total", "F")

    def begun(self, direction: str, method: str) -> None:
        """Count a request that waits for its final response from now on.

        Args:
            direction: sent or received.
        """
        self._totals.cell("sipswarm_out_of_dialog_requests_active", direction, label_of(method)).value += 1

    def ended(self, direction: str, method: str, code: str, seconds: float) -> None:
        """Count the end of a request.

        Args:
            direction: sent or received.
            code: see the module's text.
            seconds: from the request to its end.
        """
        totals, label = self._totals, label_of(method)
        totals.cell("sipswarm_out_of_dialog_requests_active", direction, label).value -= 1
        totals.cell("sipswarm_out_of_dialog_requests_total", direction, label, code).value += 1
        if direction == "sent" and code == TIMEOUT:
            self._timeouts.value += 1
        delay = totals.distribution("sipswarm_out_of_dialog_request_delay_seconds", direction, label)
        delay.add(max(0.0, seconds))

    def repeated(self, method: str, times: int) -> None:
        """Count retransmissions of requests of a method."""
        self._totals.cell("sipswarm_sip_retransmissions_total", "sent", method).value += times

    def subscribed(self, event: str, change: int) -> None:
        """Count a subscription that the notifier has accepted (1) or that has ended (-1).

        Args:
            event: package, with its id if any.
        """
        self._totals.cell("sipswarm_subscriptions_active", package_of(event)).value += change

    def served(self, event: str, change: int) -> None:
        """Count a subscription that a handler has accepted (1) or that has ended (-1).

        Args:
            event: package, with its id if any.
        """
        self._totals.cell("sipswarm_subscriptions_served", package_of(event)).value += change

    def dropped(self, event: str) -> None:
        """Count a NOTIFY that the user of a subscription has not read."""
        self._totals.cell("sipswarm_notifications_dropped_total", package_of(event)).value += 1


def package_of(event: str) -> str:
    """Return the event package of an Event value."""
    return event.partition(";")[0].strip().lower()
