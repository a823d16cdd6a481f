"""The sums of what calls of a scenario file counted: the distribution of each response time, and counters. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, final

from ...bus.messages import ScenarioCounted
from ...sipp.actions.stop import Stop
from ..histogram import Histogram, digest_of


@final
class FileFigures:
    """The sums of a run; bounded, because a file has at most 32 names of each kind."""

    def __init__(self) -> None:
        self._response_times: dict[str, Histogram] = {}
        self._counters: Counter[str] = Counter()
        self.stops = ""
        """What calls have asked for by `int_cmd`: `stop_gracefully`, or `stop_now`; empty = nothing."""

    def add(self, counted: ScenarioCounted) -> None:
        """Add what a call worker has counted."""
        for name, _, seconds in counted.response_times:
            self._of(name).add(seconds)
        for name, times in counted.counters:
            self._counters[name] += times
        asked = {name for name, _ in counted.events}
        if Stop.NOW.value in asked:
            self.stops = Stop.NOW.value
        elif Stop.GRACEFULLY.value in asked:
            self.stops = self.stops or Stop.GRACEFULLY.value

    def response_time(self, name: str) -> Histogram:
        """Return the values of a response time, in seconds; empty = it never ended."""
        return self._response_times.get(name) or Histogram()

    @property
    def count(self) -> int:
        """Number of response times that ended."""
        return sum(each.count for each in self._response_times.values())

    def digest(self) -> Mapping[str, Any]:
        """Return them as they stand in summary.json, by names."""
        return {
            "response_times": {name: digest_of(each) for name, each in sorted(self._response_times.items())},
            "counters": dict(sorted(self._counters.items())),
        }

    def _of(self, name: str) -> Histogram:
        found = self._response_times.get(name)
        if found is None:
            found = self._response_times[name] = Histogram()
        return found
