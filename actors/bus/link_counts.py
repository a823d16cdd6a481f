"""What the links of a process count: records by link and direction, and what became of each record, by its kind.

Each record that is given to a link is offered. It ends as one of three: acknowledged (the other end handled it),
refused (its sender knows that it did not arrive) or expired (it came too late, and its peer repeats it). Until then it
is under way. Offered = acknowledged + refused + expired + under way holds at any time, for each kind.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..counting.totals import Cell, Totals
from .channel import Frame
from .kinds import kind_of, may_expire

RECORDS: Final = "sipswarm_bus_records_total"


class _Fate(dict[str, Cell]):
    """The cells of one fate by kind; each is made on first use, so that a snapshot holds only kinds that occur."""

    def __init__(self, totals: Totals, fate: str) -> None:
        super().__init__()
        self._totals = totals
        self._fate = fate

    def __missing__(self, kind: str) -> Cell:
        cell = self[kind] = self._totals.cell(RECORDS, kind, self._fate)
        return cell


class LinkCounts:
    """The counts of one link.

    Args:
        name: of the link: sip, media or control.
    """

    __slots__ = ("_acknowledged", "_expired", "_offered", "_refused", "_totals", "delay", "name", "received", "sent")

    def __init__(self, totals: Totals, name: str) -> None:
        self.name = name
        self._totals = totals
        self.sent = totals.cell("sipswarm_bus_messages_total", "sent", name)
        self.received = totals.cell("sipswarm_bus_messages_total", "received", name)
        self.delay = totals.distribution("sipswarm_bus_delay_seconds")
        self._offered = _Fate(totals, "offered")
        self._acknowledged = _Fate(totals, "acknowledged")
        self._refused = _Fate(totals, "refused")
        self._expired = _Fate(totals, "expired")

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count records that were refused or lost, by the reason."""
        self._totals.cell("sipswarm_bus_dropped_total", reason).value += count

    def offered(self, records: Iterable[Any]) -> None:
        """Count records that a link was given to send."""
        cells = self._offered
        for record in records:
            cells[kind_of(record)].value += 1

    def refused(self, records: Iterable[Any]) -> None:
        """Count records whose sender knows that they were not handled."""
        cells = self._refused
        for record in records:
            cells[kind_of(record)].value += 1

    def settled(self, frames: Sequence[Frame], late: int) -> None:
        """Count the records of acknowledged frames.

        Args:
            late: how many of them the other end has left out.
        """
        cells = self._acknowledged
        if not late:
            for frame in frames:
                for record in frame.records:
                    cells[kind_of(record)].value += 1
            return
        records = sorted((record for frame in frames for record in frame.records), key=may_expire, reverse=True)
        for number, record in enumerate(records):
            (self._expired if number < late else cells)[kind_of(record)].value += 1
