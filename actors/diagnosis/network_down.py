"""When the network of a generator was away, in words for the verdict of its run. Pure.

Each call worker counts the seconds in which an interface carried nothing. Two of its snapshots show when that was: an
outage that lies between them is taken to end with the later one, which is less than a second off. The call workers see
the same outages, so what overlaps is one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

SHOWN: Final = 4
"""Outages of an interface that are named one by one; of the others it is said that there were some."""
APART: Final = 0.05
"""Seconds between two parts of one outage at most."""


class NetworkDown:
    """The outages of one run, by interface."""

    __slots__ = ("_begun", "_further", "_seen")

    def __init__(self) -> None:
        self._begun = 0.0
        self._seen: dict[str, list[tuple[float, float]]] = {}
        """From when to when."""
        self._further: set[str] = set()
        """Interfaces with more than those."""

    def begin(self, at: float) -> None:
        """Show times from here on.

        Args:
            at: monotonic seconds of the start of the plan.
        """
        self._begun = at

    def compare(self, counted: Sequence[Mapping[str, float]], before: float, now: float) -> None:
        """Take what a call worker has counted, by interface.

        Args:
            counted: seconds in its last snapshots, the newest one last: two, or three to see what goes on.
            before: monotonic seconds of the one before the newest.
            now: those of the newest.
        """
        for interface, total in counted[-1].items():
            earlier = [each.get(interface, 0.0) for each in counted[:-1]]
            if total > earlier[-1]:
                self._add(interface, total - earlier[-1], before, now, goes_on=earlier[0] < earlier[-1])

    def _add(self, interface: str, seconds: float, before: float, now: float, *, goes_on: bool) -> None:
        since, until = (before, before + seconds) if goes_on else (now - seconds, now)
        seen = self._seen.setdefault(interface, [])
        for place, (other, end) in enumerate(seen):
            if since <= end + APART and other <= until + APART:
                seen[place] = min(since, other), max(until, end)
                return
        if len(seen) < SHOWN:
            seen.append((since, until))
        else:
            self._further.add(interface)

    def reasons(self) -> dict[str, None]:
        """The outages in words."""
        words: dict[str, None] = {}
        for interface, seen in self._seen.items():
            times = ", ".join(f"from {self._shown(since)} to {self._shown(until)}" for since, until in seen)
            more = ", and later again" if interface in self._further else ""
            words[f"network: {interface} was down {times} s of the run{more}"] = None
        return words

    def _shown(self, at: float) -> str:
        return f"{max(0.0, at - self._begun):.1f}"
