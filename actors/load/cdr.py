"""Call detail records: a line of JSON for each ended call, appended to a file that another program may rotate.

A record is written when its call is over, by the process that the user started, never in the path of a call, and never
in its event loop. Records that the disk does not take wait in memory, at most RING; beyond, the oldest is dropped and
counted. Once a second the disk is made to keep what was written, so that a power failure costs a second at most.
"""

import datetime
import json
import os
import time
from pathlib import Path
from typing import Any, Final

from ..bus.messages import CallFinished
from ..counting.totals import SeriesRow
from ..diagnosis.failure_reasons import blame_of
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError
from ..host.named_files import open_to_write, why
from ..host.record_writer import RecordWriter
from .results import COLUMNS
from .tally import discards_of

RING: Final = 10_000
"""Records that wait for the disk at most, some 4 MB."""
RETRY: Final = 1.0
"""Seconds between two tries to write to a disk that is full."""
CLOSING: Final = 2.0
"""Seconds that the end of a run waits for the disk, or for a reader of a pipe that is full."""
_FIGURES: Final = (
    "post_dial_delay",
    "answer_delay",
    "disconnect_delay",
    "jitter",
    "mos",
    "media_due",
    "media_present",
    "media_gap",
    "remote_loss",
    "unreachable_share",
)
"""Columns in which -1.0 stands for none."""


class Cdr:
    """The records of one run.

    Args:
        file: made when it does not exist.
        ring: number of records that may wait.
        retry: seconds between two tries to write to a disk that is full.
        closing: seconds that `close` waits for a disk, or for the reader of a pipe.

    Raises:
        ConfigurationError: the file cannot be opened.
    """

    def __init__(self, file: Path, ring: int = RING, retry: float = RETRY, closing: float = CLOSING) -> None:
        self.file = file
        self._closing = closing
        try:
            self._writer = RecordWriter(f"--cdr {file}", self._open, ring=ring, retry=retry, syncs=True)
        except OSError as error:
            raise ConfigurationError(
                f"--cdr {file}: {why(error)}; give a file in a folder that can be written to"
            ) from error

    @property
    def waiting(self) -> int:
        """Records that are not in the file yet."""
        return self._writer.waiting

    @property
    def dropped(self) -> int:
        """Records that were lost because the disk took none and the ring was full."""
        return self._writer.dropped

    def rows(self) -> tuple[SeriesRow, ...]:
        """Return the lost records as a series of the process that writes."""
        return (("sipswarm_queue_dropped_total", ("cdr",), (self._writer.dropped,)),)

    def add(self, row: CallFinished, failure: str = "") -> None:
        """Record a call that is over.

        Args:
            row: of the call.
            failure: the expectation that it missed, when it is judged elsewhere.
        """
        if row.call_id:  # a scenario's run that placed no call has none
            self._writer.put(record_of(row, failure or row.failure, time.time() - time.monotonic()))

    def flush(self, within: float) -> bool:
        """Wait until the waiting records are written, or were tried.

        Args:
            within: seconds at most.

        Returns:
            Whether none waits.
        """
        return self._writer.flush(within)

    def reopen(self) -> None:
        """Let go of the file, which may have another name by now, and go on in a new one (SIGHUP)."""
        self._writer.reopen()

    def close(self, lost: int = 0) -> str:
        """Write the waiting records for the last time.

        Args:
            lost: records that never came here.

        Returns:
            What the file lacks, in words; empty = nothing.
        """
        missing = self._writer.close(self._closing)
        if not missing + lost:
            return ""
        problem = self._writer.problem
        mend = "make room, or give another file" if missing else "the log says why"
        return f"--cdr {self.file} lacks {missing + lost} records{f': {problem}' if problem else ''}; {mend}"

    def _open(self) -> int:
        return open_to_write(self.file, os.O_APPEND | os.O_CREAT, 0o640)


def record_of(row: CallFinished, failure: str, unix_offset: float) -> bytes:
    """Return a line of JSON: the columns of calls.csv and `role`.

    `start`, `end` and `planned` are times of day; null stands for a figure that there was not.

    Args:
        row: of the call.
        failure: the expectation that it missed.
        unix_offset: seconds from the monotonic clock to the Unix epoch.
    """
    values: dict[str, Any] = row._asdict()
    values |= {"id": row.call_id, "failure": failure}
    for name, moment in (("start", row.started), ("end", row.ended), ("planned", row.planned)):
        at = datetime.datetime.fromtimestamp(moment + unix_offset, datetime.UTC)
        values[name] = at.isoformat(timespec="milliseconds") if moment >= 0 else None
    failure = failure or row.failure
    values["blame"] = blame_of(failure).value if failure else ""
    for name in ("id", "scenario", "failure", "phrase", "cause", "detail"):
        values[name] = shown(values[name])
    values["code"] = row.code or None
    values["data_line"] = row.data_line or None
    values |= {"rtp_discarded": sum(row.rtp_discards), "discards": discards_of(row)}
    for name in _FIGURES:
        values[name] = None if values[name] < 0 else values[name]
    record = {
        name: round(value, 6) if isinstance(value := values[name], float) else value for name in (*COLUMNS, "role")
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
