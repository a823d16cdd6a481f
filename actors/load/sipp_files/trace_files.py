"""The files of `-trace_stat`, `-trace_rtt`, `-trace_err` and `-trace_error_codes` of a load or robot, in SIPp's form.

The process that the user started writes them, of what its call workers report, by a thread for each file: a disk
that stands still holds up nothing. Lines wait for it, `MOST_LINES` at most; then the oldest goes, and `close` says so.
"""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Final, NamedTuple, final

from ...bus.messages import CallFinished, ScenarioCounted
from ...errors import ConfigurationError
from ...host.named_files import open_to_write, why
from ...host.record_writer import RecordWriter
from ...sipp.traces.messages import (
    ERRORS_HEADER,
    RTT_HEADER,
    error_codes_line,
    error_line,
    failure_text,
    response_time_line,
)
from ...sipp.traces.statistics import Columns, Figures, Moment, Times, row
from .trace_names import TraceNames

MOST_LINES: Final = 50_000
"""Lines of a file that wait while the disk takes none."""
MOST_CODES: Final = 10_000
"""Codes of unexpected responses of one period that are kept."""
CLOSING: Final = 2.0
"""Seconds that the end of a run waits for each file."""
_CLASSES: Final[Mapping[str, str]] = dict.fromkeys(
    ("transport_error", "no_transport", "message_too_long", "unreachable", "forbidden_address"), "transport"
)
"""Failures of rows that have another name among the columns of SIPp."""
_SAID: Final = "unexpected_message"
"""The failure whose line of errors comes with the message."""


class Progress(NamedTuple):
    """How far a load or robot is, as its workers report."""

    begun: int
    """Calls that were begun."""
    live: int
    """Calls that are not over."""
    rate: float
    """Calls per second that the plan commands."""
    strange: int = 0
    """Messages that belong to no call."""
    is_receiving: bool = False
    """Whether peers begin the calls."""


@final
class TraceFiles:
    """The files of one run.

    Args:
        names: of those that are written.
        columns: that the scenario file decides.
        period: seconds between two rows of statistics, and between two lines of error codes.
        delimiter: between the columns of statistics.
        zone: in which date and time are written.
        wall: from monotonic seconds to those since 1970.

    Raises:
        ConfigurationError: a file cannot be written.
    """

    def __init__(
        self, names: TraceNames, columns: Columns, *, period: float, delimiter: str, zone: tzinfo, wall: float
    ) -> None:
        self._columns = columns
        self._period = period
        self._delimiter = delimiter
        self._zone = zone
        self._wall = wall
        self._begun = self._part_begun = self._due = self._rate = 0.0
        self._has_errors = False
        self._error_file = names.errors
        self._before = Progress(0, 0, 0.0)
        """At the row before."""
        self._whole = _Sums(columns)
        self._part = _Sums(columns)
        self._codes: list[int] = []
        self._left_out = 0
        self._statistics = _opened(names.statistics, "-trace_stat")
        self._response_times = _opened(names.response_times, "-trace_rtt")
        self._errors = _opened(names.errors, "-trace_err")
        self._error_codes = _opened(names.error_codes, "-trace_error_codes")
        self._put(self._statistics, columns.header().replace(";", delimiter))
        self._put(self._response_times, RTT_HEADER)

    def begin(self, at: float, rate: float = 0.0) -> None:
        """Write the first row.

        Args:
            at: begin of the plan, in monotonic seconds.
            rate: calls per second that the plan begins with.
        """
        self._begun = self._part_begun = at
        self._due = at + self._period
        self._rate = rate
        if self._statistics is not None:
            self._put_row(at, Progress(0, 0, rate))

    def counted(self, counted: ScenarioCounted) -> None:
        """Take what calls have counted."""
        self._whole.add(counted)
        self._part.add(counted)
        for name, at, seconds in counted.response_times:
            self._put(self._response_times, response_time_line(max(0.0, at - self._begun), seconds, name))
        for at, text, code in counted.said:
            self._put_error(at, text)
            if code and len(self._codes) < MOST_CODES:
                self._codes.append(code)
            elif code:
                self._left_out += 1

    def ended(self, call: CallFinished, failure: str) -> None:
        """Take a call that is over.

        Args:
            call: its row.
            failure: the expectation that it missed; empty = none.
        """
        self._whole.end(call, failure)
        self._part.end(call, failure)
        if failure and failure != _SAID:
            self._put_error(call.ended, failure_text(call.call_id, failure, call.detail))

    def tick(self, now: float, progress: Progress) -> None:
        """Write a row when it is due.

        Args:
            now: monotonic seconds.
            progress: of the load.
        """
        if self._begun and now >= self._due:
            self._due = max(self._due + self._period, now)
            self._write(now, progress)

    def close(self, now: float, progress: Progress) -> str:
        """Write the last row, and all that waits.

        Returns:
            What the files lack, in words; empty = nothing.
        """
        if self._begun:
            self._write(now, progress)
        lacking = [f"-trace_error_codes lacks {self._left_out} codes"] if self._left_out else []
        for option, writer in (
            ("-trace_stat", self._statistics),
            ("-trace_rtt", self._response_times),
            ("-trace_err", self._errors),
            ("-trace_error_codes", self._error_codes),
        ):
            missing = 0 if writer is None else writer.close(CLOSING)
            if writer is not None and missing:
                lacking.append(f"the file of {option} lacks {missing} lines: {writer.problem}")
        if self._error_file and not self._has_errors:  # SIPp makes it with the first error
            with suppress(OSError):
                _drop_empty(Path(self._error_file))
        return "; ".join(lacking)

    def _write(self, now: float, progress: Progress) -> None:
        """Write a row of statistics and a line of error codes, and begin the next period."""
        self._rate = progress.rate or self._rate  # behind the end of the plan the last one
        if self._statistics is not None:
            self._put_row(now, progress._replace(rate=self._rate))
        self._put(self._error_codes, error_codes_line(now + self._wall, self._zone, now - self._begun, self._codes))
        self._codes = []
        self._before, self._part, self._part_begun = progress, _Sums(self._columns), now

    def _put_row(self, now: float, progress: Progress) -> None:
        """Write a row of statistics."""
        before, columns = self._before, self._columns
        started, reset = self._begun + self._wall, self._part_begun + self._wall
        moment = Moment(started=started, reset=reset, now=now + self._wall, rate=progress.rate, live=progress.live)
        since = progress._replace(begun=progress.begun - before.begun, strange=progress.strange - before.strange)
        part = self._part.figures(now - self._part_begun, since)
        whole = self._whole.figures(now - self._begun, progress)
        line = row(columns, moment, part, whole, self._zone)
        self._put(self._statistics, line.replace(";", self._delimiter))

    def _put_error(self, at: float, text: str) -> None:
        if not self._has_errors:
            self._has_errors = True
            self._put(self._errors, ERRORS_HEADER)
        self._put(self._errors, error_line(at + self._wall, self._zone, text))

    def _put(self, writer: RecordWriter | None, line: str) -> None:
        if writer is not None:
            writer.put(f"{line}\n".encode("utf-8", "backslashreplace"))


class _Sums:
    """What was counted in a period, or in the whole run."""

    def __init__(self, columns: Columns) -> None:
        self._limits = [limit / 1000 for limit in columns.response_limits]
        self._successful = 0
        self._failed: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._counters: Counter[str] = Counter()
        self._times: dict[str, Times] = {}
        self._lengths = Times([limit / 1000 for limit in columns.length_limits])

    def add(self, counted: ScenarioCounted) -> None:
        for name, _, seconds in counted.response_times:
            times = self._times.get(name)
            if times is None:
                times = self._times[name] = Times(self._limits)
            times.add(seconds)
        for name, count in counted.counters:
            self._counters[name] += count
        for name, count in counted.events:
            self._events[name] += count

    def end(self, call: CallFinished, failure: str) -> None:
        self._lengths.add(max(0.0, call.ended - call.started))
        if failure:
            self._failed[_CLASSES.get(failure, failure)] += 1
        else:
            self._successful += 1

    def figures(self, elapsed: float, progress: Progress) -> Figures:
        return Figures(
            elapsed=max(0.0, elapsed),
            incoming=progress.begun if progress.is_receiving else 0,
            outgoing=0 if progress.is_receiving else progress.begun,
            successful=self._successful,
            failed=self._failed,
            out_of_call=progress.strange,
            retransmissions=self._events["sent_again"],
            auto_answered=self._events["auto_answered"],
            warnings=self._events["warnings"],
            response_times=self._times,
            call_length=self._lengths,
            counters=self._counters,
        )


def _drop_empty(path: Path) -> None:
    """Remove a file without a line; a device, a pipe or a link stays.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_file() and not path.is_symlink() and not path.stat().st_size:
        path.unlink()


def _opened(name: str, option: str) -> RecordWriter | None:
    """Return what writes a file; None = it is not wanted.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if not name:
        return None
    try:
        return RecordWriter(
            f"{option} {name}", lambda: open_to_write(name, os.O_CREAT | os.O_TRUNC, 0o640), ring=MOST_LINES
        )
    except OSError as error:
        raise ConfigurationError(f"{option} {name}: {why(error)}; start in a folder that can be written") from error
