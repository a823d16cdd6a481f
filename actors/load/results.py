"""The files of a run, written so that a reader never sees half of one.

Rows of calls go to calls.csv.partial as they come, by a thread, and the file gets its name at the end. timeline.csv
gets each second once, whole lines at a time. summary.json, junit.xml and report.html are replaced as a whole. Rows wait
for a disk that is full or stands still, MOST_ROWS at most, and never hold up the run; when one is lost `error` has the
reason, and the verdict must name it. A little room is reserved for the summary of the end. A file that has no room at
the end is removed, because what stands in it is that the run goes on; `unfinished` names it.

Files of an earlier run in the folder get the suffix `.previous` before this run begins, and are removed when its
processes are up. So, whenever this run is killed, no file in the folder reads as its result. A run that cannot start
leaves the earlier results under that suffix.
"""

import csv
import fcntl
import io
import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..bus.messages import CallFinished
from ..diagnosis.failure_reasons import blame_of, with_detail
from ..diagnosis.foreign_text import cell, shown_values
from ..errors import ConfigurationError
from ..host.named_files import open_to_write
from ..host.record_writer import RecordWriter
from . import failures
from .tally import discards_of
from .timeline import Row

COLUMNS: Final = (
    "id",
    "scenario",
    "start",
    "outcome",
    "code",
    "post_dial_delay",
    "answer_delay",
    "disconnect_delay",
    "duration",
    "ended_by",
    "lateness",
    "rtp_sent",
    "rtp_received",
    "rtp_lost",
    "jitter",
    "mos",
    "media_due",
    "media_present",
    "media_gap",
    "rtp_due",
    "rtp_missed",
    "digits_sent",
    "digits_received",
    "digits_missed",
    "digits_wrong",
    "failure",
    "blame",
    "phrase",
    "cause",
    "closed",
    "end",
    "rtp_discarded",
    "discards",
    "media_held",
    "media_removed",
    "remote_loss",
    "unreachable_share",
    "planned",
    "data_line",
    "detail",
)
"""Of calls.csv; times in seconds, `start`, `end` and `planned` from the start of the run; empty = there was none.
`data_line` is the line of the row in the file of `--data`."""
MOST_SECONDS: Final = 3600
"""Rows of timeline.csv that wait while the disk takes none; then the oldest goes, counted."""

LAST_RESORT: Final = "backslashreplace"
"""Stands for a character that cannot be encoded: every text is escaped before, and none may stop the writing."""


MOST_ROWS: Final = 50_000
"""Rows of calls.csv that wait while the disk takes none, some 15 MB; then the oldest goes, counted."""
CLOSING: Final = 3.0
"""Seconds that the end of a run waits for the rows that are left."""
FILES: Final = ("summary.json", "junit.xml", "calls.csv", "timeline.csv", "report.html")
"""Files of a run."""
RESERVED: Final = 16_384
"""Octets that are kept free on the disk for summary.json and junit.xml of the end."""
_RESERVE: Final = "reserve.partial"
PREVIOUS: Final = ".previous"
"""Suffix of the files of an earlier run."""


def set_aside(folder: Path) -> None:
    """Rename the files of an earlier run in a folder, so that none is read as the result of this one.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    try:
        (folder / _RESERVE).unlink(missing_ok=True)
        for name in FILES:
            if name != "calls.csv":  # the rows of this run replace those
                (folder / f"{name}.partial").unlink(missing_ok=True)
            there = folder / name
            if there.is_symlink() or (there.exists() and not there.is_dir()):  # a pipe too: writing to it would wait
                (folder / name).replace(folder / f"{name}{PREVIOUS}")
    except OSError as error:
        raise _not_writable(folder, error) from error
    ladders, aside = folder / failures.FOLDER, folder / f"{failures.FOLDER}{PREVIOUS}"
    if ladders.is_dir() and not ladders.is_symlink():
        failures.clear(aside)
        try:
            ladders.rename(aside)
        except OSError:  # foreign files are in the other one
            failures.clear(ladders)


def _lock(folder: Path) -> int:
    """Hold a folder for one run; the kernel lets go of it when the process ends.

    Returns:
        The descriptor.

    Raises:
        ConfigurationError: another run writes there.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigurationError(f"--out {folder}: another run writes there; give each run its own folder") from error
    return descriptor


def _not_writable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"--out {folder}: {error.strerror}; give a folder that can be written to")


class Results:
    """The folder of one run.

    Args:
        folder: made when it does not exist.

    Raises:
        ConfigurationError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.error = ""
        """Why rows are missing in calls.csv; empty = none is."""
        self.unfinished: dict[str, str] = {}
        """The files that are not there, or not complete, at the end, each with the reason."""
        self.seconds_missing = 0
        """Rows of timeline.csv that waited too long for a disk."""
        self._seconds: deque[Row] = deque()
        self._timeline_begun = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            set_aside(folder)
            partial = folder / "calls.csv.partial"
            if partial.is_fifo() or partial.is_socket():
                partial.unlink()
            self._rows: RecordWriter | None = RecordWriter(
                str(self.calls_path), lambda: open_to_write(partial, os.O_CREAT | os.O_TRUNC, 0o666), ring=MOST_ROWS
            )
        except OSError as error:
            raise _not_writable(folder, error) from error
        with suppress(OSError):  # on a disk without that much room nothing is reserved
            (folder / _RESERVE).write_bytes(bytes(RESERVED))
        self._write_row(COLUMNS)

    def incomplete(self, why: str) -> None:
        """Note that figures of the run are missing; the first reason counts.

        Args:
            why: empty = none are.
        """
        self.error = self.error or why

    def unwritten(self, why: str) -> None:
        """Note that the last files could not be written; that counts before all else."""
        self.error = why

    @property
    def summary_path(self) -> Path:
        """Path of the summary."""
        return self.folder / "summary.json"

    @property
    def report_path(self) -> Path:
        """Path of the report for people."""
        return self.folder / "report.html"

    @property
    def calls_path(self) -> Path:
        """Path of the calls, once they are complete."""
        return self.folder / "calls.csv"

    def add(self, row: CallFinished, failure: str, run_started: float) -> None:
        """Write the row of a call.

        Args:
            row: of the call.
            failure: the expectation it missed.
            run_started: monotonic time of the start of the run.
        """
        self._write_row(
            (
                cell(row.call_id),
                cell(row.scenario),
                f"{row.started - run_started:.6f}",
                cell(row.outcome),
                row.code or "",
                _known(row.post_dial_delay),
                _known(row.answer_delay),
                _known(row.disconnect_delay),
                f"{row.duration:.6f}",
                cell(row.ended_by),
                _known(row.lateness),
                row.rtp_sent,
                row.rtp_received,
                row.rtp_lost,
                _known(row.jitter),
                _known(row.mos),
                _known(row.media_due),
                _known(row.media_present),
                _known(row.media_gap),
                row.rtp_due,
                row.rtp_missed,
                row.digits_sent,
                row.digits_received,
                row.digits_missed,
                row.digits_wrong,
                cell(failure),
                blame_of(failure).value if failure else "",
                cell(row.phrase),
                cell(with_detail(row.cause, row.detail) if row.cause else ""),
                cell(row.closed),
                f"{row.ended - run_started:.6f}",
                sum(row.rtp_discards),
                " ".join(f"{reason}:{count}" for reason, count in discards_of(row).items()),
                f"{row.media_held:.6f}",
                f"{row.media_removed:.6f}",
                _known(row.remote_loss),
                _known(row.unreachable_share),
                f"{row.planned - run_started:.6f}" if row.planned >= 0 else "",
                row.data_line or "",
                cell(row.detail),
            )
        )

    def flush(self, within: float) -> bool:
        """Wait until the rows so far are written, or were tried.

        Args:
            within: seconds at most.

        Returns:
            Whether they are.
        """
        return self._rows is None or self._rows.flush(within)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace summary.json.

        Raises:
            OSError: it cannot be written.
        """
        self.write("summary.json", written(summary))

    def add_seconds(self, rows: Iterable[Row]) -> None:
        """Take final seconds of the timeline, which wait for `append_timeline`."""
        self._seconds.extend(rows)
        while len(self._seconds) > MOST_SECONDS:
            self._seconds.popleft()
            self.seconds_missing += 1

    def append_timeline(self) -> None:
        """Append the waiting seconds to timeline.csv: a row each, empty where there was no figure.

        The first time makes the file. May run in another thread than `add_seconds`.

        Raises:
            OSError: it cannot be written; then none of them stands in it, and they wait on.
        """
        rows = [self._seconds.popleft() for _ in range(len(self._seconds))]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._timeline_begun:
            writer.writerow(Row._fields)
        for row in rows:
            writer.writerow(["" if each is None else round(each, 6) for each in row])
        try:
            _append(self.folder / "timeline.csv", text.getvalue().encode(), new=not self._timeline_begun)
        except OSError:
            self._seconds.extendleft(reversed(rows))
            raise
        self._timeline_begun = True

    def write(self, name: str, text: str) -> None:
        """Replace a file of the folder.

        Raises:
            OSError: it cannot be written.
        """
        temporary = self.folder / f"{name}.partial"
        try:
            temporary.write_text(text, encoding="utf-8", errors=LAST_RESORT)
            os.replace(temporary, self.folder / name)
        except OSError:
            with suppress(OSError):  # a part of it would only take room
                temporary.unlink(missing_ok=True)
            raise

    def write_last(self, texts: Mapping[str, str]) -> str:
        """Replace files for the last time, those first that stand first; the room that was reserved is free for them.

        One that has no room is written without the one before it, or is not there.

        Returns:
            Why some could not be written; empty = all are.
        """
        with suppress(OSError):
            (self.folder / _RESERVE).unlink(missing_ok=True)
        for name, text in texts.items():
            self.unfinished.pop(name, None)
            try:
                self.write(name, text)
            except OSError:
                with suppress(OSError):
                    (self.folder / name).unlink(missing_ok=True)
                try:
                    self.write(name, text)
                except OSError as error:
                    self.unfinished[name] = error.strerror or str(error)
        missing = [name for name in texts if name in self.unfinished]
        if not missing:
            return ""
        return f"{self.folder} cannot be written: {self.unfinished[missing[0]]}; it has no {' and no '.join(missing)}"

    def where(self, name: str) -> str:
        """Return the path of a file for people, with what it lacks."""
        path, why = self.folder / name, self.unfinished.get(name)
        if why is None:
            return str(path)
        partial = self.folder / f"{name}.partial"
        return f"{partial} is not complete: {why}" if partial.is_file() else f"{path} could not be written: {why}"

    def close_calls(self, within: float = CLOSING) -> None:
        """Give calls.csv its name; where rows are missing the partial file keeps its own, and `error` says so.

        Args:
            within: seconds that the disk gets.
        """
        if self._rows is None:
            return
        rows, self._rows = self._rows, None
        missing = rows.close(within, lambda: os.replace(self.folder / "calls.csv.partial", self.calls_path))
        self._release()
        if missing or not rows.ended or rows.problem:
            lacks = f" lacks {missing} rows" if missing else " is not complete"
            self.incomplete(f"{self.calls_path}{lacks}: {rows.problem}")
            self.unfinished["calls.csv"] = f"it{lacks}: {rows.problem}" if missing else rows.problem

    def begun(self) -> None:
        """Remove the files of an earlier run, because this run has started."""
        for name in FILES:
            with suppress(OSError):
                (self.folder / f"{name}{PREVIOUS}").unlink(missing_ok=True)
        failures.clear(self.folder / f"{failures.FOLDER}{PREVIOUS}")

    def discard(self) -> None:
        """Leave no files of a run that did not start, but keep those that were there before, under their other name."""
        self._release()
        if self._rows is not None:
            self._rows.close(0.0)
            self._rows = None
            for name in ("calls.csv.partial", "summary.json.partial", "summary.json", _RESERVE):
                (self.folder / name).unlink(missing_ok=True)
            with suppress(OSError):  # another file is in it
                self.folder.rmdir()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write_row(self, row: tuple[object, ...]) -> None:
        if self._rows is not None:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerow(row)
            self._rows.put(text.getvalue().encode("utf-8", LAST_RESORT))


def written(summary: Mapping[str, Any]) -> str:
    """Return a summary as it stands in its file."""
    return json.dumps(shown_values(summary), indent=1) + "\n"


def _append(path: Path, octets: bytes, *, new: bool) -> None:
    """Write all octets at the end of a file, or leave it as it was.

    Args:
        new: its content goes first.
    """
    with path.open("wb" if new else "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            left = memoryview(octets)
            while left:
                left = left[file.write(left) :]
        except OSError:
            with suppress(OSError):
                file.truncate(before)
            raise


def _known(value: float) -> str:
    """Write a figure, or nothing for the -1.0 that stands for none."""
    return "" if value < 0 else f"{value:.6f}"
