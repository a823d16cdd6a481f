"""The progress of placed calls while they live, in slices of a tenth of a second, for the charts of a running load.

A finished call is one `CallFinished`; with calls of five minutes that is five minutes late. So the call worker also
counts each call when it begins, and with its delays when it is answered or fails. It reports the counts twice a second.
Each call is counted once as begun and once at its answer or its failure. Pure.
"""

from collections.abc import Callable

from ..bus.messages import CallSlice
from ..call.state import CallTimes, Planned
from ..counting.slices import slice_of
from ..counting.spread import Spread


class _Open:
    """One slice that is not reported yet."""

    __slots__ = ("answer", "answered", "begun", "lateness", "post_dial")

    def __init__(self) -> None:
        self.begun = self.answered = 0
        self.lateness = -1.0
        self.post_dial, self.answer = Spread(), Spread()


class CallSlices:
    """The slices since the last `flush`; bounded, because each heartbeat flushes.

    Args:
        tell: called with each `CallSlice`; None = nothing is counted.
    """

    __slots__ = ("_open", "_tell")

    def __init__(self, tell: Callable[[CallSlice], object] | None) -> None:
        self._tell = tell
        self._open: dict[int, _Open] = {}

    def began(self, now: float) -> None:
        """Count a call that was placed."""
        if self._tell is not None:
            self._at(now).begun += 1

    def settled(self, times: CallTimes, planned: Planned | None, now: float) -> bool:
        """Count a call that was answered, or ended without an answer; once for each call.

        Args:
            planned: its place in the plan of a load; None = it has none.
            now: monotonic time of an end without an answer.

        Returns:
            Whether this was the once, also where nobody takes the slices.
        """
        if not times.count():
            return False
        if self._tell is not None:
            self._add(times, planned, now)
        return True

    def _add(self, times: CallTimes, planned: Planned | None, now: float) -> None:
        here = self._at(times.answered or now)
        here.answered += bool(times.answered)
        if not times.invited:
            return
        if times.alerted:
            here.post_dial.add(max(0.0, times.alerted - times.invited))
        if times.answered:
            here.answer.add(max(0.0, times.answered - times.invited))
        if planned is not None:
            here.lateness = max(here.lateness, planned.lateness(times))

    def flush(self) -> None:
        """Report every slice that was counted in since the last time; a slice may come in parts."""
        taken, self._open = self._open, {}
        for number, each in taken.items():
            post_dial, answer = each.post_dial.to_tuple(), each.answer.to_tuple()
            if self._tell is not None:
                self._tell(CallSlice(number, each.begun, each.answered, each.lateness, post_dial, answer))

    def _at(self, moment: float) -> _Open:
        number = slice_of(moment)
        found = self._open.get(number)
        if found is None:
            found = self._open[number] = _Open()
        return found
