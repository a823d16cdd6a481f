"""What calls of a scenario file count while they go on: response times, counters, repetitions, unexpected messages.

Each is counted on the metrics of the process at once. The supervisor gets the same in records, of which the report and
the thresholds are made: when a record is full, with each heartbeat, and when the last call is over.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, final

from ...bus.messages import ScenarioCounted
from ...counting.labels import SCENARIO_EVENTS
from ...counting.totals import Totals
from ...diagnosis.foreign_text import cut
from ...sipp.actions.results import Loudness, Result, Say
from ...sipp.actions.stop import Stop
from ...sipp.call.statistics import AutoAnswered, Counted, Mark, Repeated, ResponseTime, Unexpected
from ...sipp.markup import shown
from ...sipp.program import Program
from ...sipp.traces.messages import unexpected_text
from ...trace.masking import masked

MOST_TIMES: Final = 500
"""Response times of one record."""
MOST_SAID: Final = 20
"""Lines of errors of one record."""
LONGEST_MESSAGE: Final = 4000
"""Octets of an unexpected message in the file of errors."""
LONGEST_LINE: Final = 400
"""Characters of a line of errors."""
RESPONSE_TIMES: Final = "sipswarm_scenario_response_seconds"
COUNTERS: Final = "sipswarm_scenario_counts_total"
EVENTS: Final = "sipswarm_scenario_events_total"


@final
class Marks:
    """The counts of the calls of one worker.

    Args:
        totals: of the process.
        scenario: label of the calls.
        tell: takes records for the supervisor; None in embedded mode.
        says: whether lines of errors are told too.
    """

    __slots__ = ("_counters", "_events", "_said", "_says", "_scenario", "_tell", "_times", "_totals")

    def __init__(
        self, totals: Totals, scenario: str, tell: Callable[[Any], None] | None, *, says: bool = False
    ) -> None:
        self._totals = totals
        self._scenario = scenario
        self._tell = tell
        self._says = says and tell is not None
        self._said: list[tuple[float, str, int]] = []
        self._times: list[tuple[str, float, float]] = []
        self._counters: Counter[str] = Counter()
        self._events: Counter[str] = Counter()

    def declare(self, program: Program) -> None:
        """Have a series of each name of a file, and of each event, from the start."""
        for name in program.response_times:
            self._totals.distribution(RESPONSE_TIMES, self._scenario, name)
        for name in program.counters:
            self._totals.cell(COUNTERS, self._scenario, name)
        for event in SCENARIO_EVENTS:
            self._totals.cell(EVENTS, self._scenario, event)

    def note(self, call: str, marks: Iterable[Mark], wishes: Iterable[Result], now: float) -> None:
        """Count what a call has marked.

        Args:
            call: its Call-ID.
            marks: in their order.
            wishes: of its actions, of which lines of `warning` and `int_cmd` for the whole run count.
            now: monotonic seconds.
        """
        for mark in marks:
            match mark:
                case ResponseTime(name=name, seconds=seconds):
                    self._totals.distribution(RESPONSE_TIMES, self._scenario, name).add(seconds)
                    self._times.append((name, now, seconds))
                    if len(self._times) >= MOST_TIMES:
                        self.flush()
                case Counted(name=name):
                    self._totals.cell(COUNTERS, self._scenario, name).value += 1
                    self._counters[name] += 1
                case Repeated(sent=sent, received=received):
                    self._count("sent_again", sent)
                    self._count("received_again", received)
                case AutoAnswered():
                    self._count("auto_answered")
                case Unexpected(code=code):
                    self._count("unexpected")
                    self._say_unexpected(call, mark, code, now)
        for wish in wishes:
            if isinstance(wish, Say) and wish.loudness is Loudness.WARNING:
                self._count("warnings")
                self._say(f"{cut(shown(wish.text), LONGEST_LINE)}; Call-ID {call}", 0, now)
            elif wish is Stop.GRACEFULLY or wish is Stop.NOW:  # the supervisor acts on it
                self._count(wish.value)
                self.flush()

    def left_out_command(self) -> None:
        """Count a command of `exec` that is not run, because too many wait."""
        self._count("commands_left_out")

    def flush(self) -> None:
        """Tell what was counted since the last time."""
        if not (self._times or self._counters or self._events):  # what is said is counted as an event too
            return
        record = ScenarioCounted(
            tuple(self._times), tuple(self._counters.items()), tuple(self._events.items()), tuple(self._said)
        )
        self._times.clear()
        self._counters.clear()
        self._events.clear()
        self._said.clear()
        if self._tell is not None:
            self._tell(record)

    def _count(self, event: str, times: int = 1) -> None:
        if times:
            self._totals.cell(EVENTS, self._scenario, event).value += times
            self._events[event] += times

    def _say_unexpected(self, call: str, mark: Unexpected, code: int, now: float) -> None:
        if self._says:
            message = masked(mark.message[:LONGEST_MESSAGE].encode("latin-1", "replace")).decode("latin-1")
            text = unexpected_text(call, replace(mark, message=message), longest=LONGEST_MESSAGE)
            self._say(text, code, now)

    def _say(self, text: str, code: int, now: float) -> None:
        if self._says:
            self._said.append((now, text, code))
            if len(self._said) >= MOST_SAID:
                self.flush()
