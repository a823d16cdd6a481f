"""What became of placed calls while they live, in slices of a tenth of a second, for the charts of a running load.

A finished call is one `CallFinished`; with calls of five minutes that is five minutes late. So the call worker also
counts each call when it begins, and with its delays when it is answered or fails, and hands over what it counted twice
a second. Each call is counted once as begun and once at its answer or its failure. Pure.
"""

from collections.abc import Callable

from ..bus.messages import CallSlice
from ..call.state import CallTimes
from ..counting.slices import slice_of
from ..counting.spread import Spread


class _Open:
    """One slice that is not handed over yet."""

    __slots__ = ("answer", "answered", "begun", "lateness", "post_dial")

    def __init__(self) -> None:
        self.begun = self.answered = 0
        self.lateness = -1.0
        self.post_dial, self.answer = Spread(), Spread()


class CallSlices:
    """The slices since the last `flush`: bounded, because that is called with each heartbeat.

    tell: takes each `CallSlice`; None = nobody wants them, and nothing is counted.
    """

    __slots__ = ("_open", "_tell")

    def __init__(self, tell: Callable[[CallSlice], object] | None) -> None:
        self._tell = tell
        self._open: dict[int, _Open] = {}

    def began(self, now: float) -> None:
        """A call was placed."""
        if self._tell is not None:
            self._at(now).begun += 1

    def settled(self, times: CallTimes, planned: float | None, now: float) -> None:
        """A call was answered, or ended without that; when it was counted already, nothing happens.

        planned: monotonic time at which it should have started; None = there was none.
        """
        if self._tell is None or not times.count():
            return
        here = self._at(times.answered or now)
        here.answered += bool(times.answered)
        if not times.invited:
            return
        if times.alerted:
            here.post_dial.add(max(0.0, times.alerted - times.invited))
        if times.answered:
            here.answer.add(max(0.0, times.answered - times.invited))
        if planned is not None:
            here.lateness = max(here.lateness, times.invited - planned, 0.0)

    def flush(self) -> None:
        """Hand over every slice in which something happened since the last time; a slice may come in parts."""
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
