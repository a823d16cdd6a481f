"""The files of `-trace_msg` and `-trace_shortmsg`: every SIP message of a run, in SIPp's form, secrets masked.

`create` makes them, in the process that the user started. Each call worker appends whole messages, by a thread.
"""

import datetime
import os
import time
from functools import partial

from ...config import SippTraceConfig
from ...counting.totals import Totals
from ...sipp.traces.messages import message_entry, short_message_line
from ...trace import file as trace_file
from ...trace.ladder import Row
from ...trace.recorder import SipTrace
from .trace_names import TraceNames


def create(names: TraceNames) -> tuple[str, str]:
    """Make the files that are wanted; only their owner may read them.

    Returns:
        Their absolute paths, for `message_file` and `short_message_file` of the options that call workers get; empty =
        the file is not wanted.

    Raises:
        ConfigurationError: one cannot be written.
    """
    return _created(names.messages, "-trace_msg"), _created(names.short_messages, "-trace_shortmsg")


def record(trace: SipTrace | None, given: SippTraceConfig, totals: Totals) -> None:
    """Have the messages of a call worker written to the files of its run.

    Args:
        trace: of the worker, which has one where messages are wanted.
        given: with the paths of `create`.
        totals: count what could not be written.
    """
    offset, zone = time.time() - time.monotonic(), local_zone()
    for wanted, path, form in (
        (given.trace_messages, given.message_file, _entry),
        (given.trace_short_messages, given.short_message_file, _line),
    ):
        if wanted and trace is not None:
            trace.put_to(trace_file.TraceFile(path, totals, clock_offset=offset, form=partial(form, zone)))


def local_zone() -> datetime.tzinfo:
    """Return the time zone of this machine as it is now, in which SIPp writes times."""
    return datetime.datetime.now().astimezone().tzinfo or datetime.UTC


def _created(name: str, option: str) -> str:
    if not name:
        return ""
    path = os.path.abspath(name)
    trace_file.create(path, b"", option)
    return path


def _entry(zone: datetime.tzinfo, row: Row, offset: float) -> bytes:
    return message_entry(row[0] + offset, zone, transport=row[2].upper(), sent=row[1], message=row[5])


def _line(zone: datetime.tzinfo, row: Row, offset: float) -> bytes:
    line = short_message_line(row[0] + offset, zone, sent=row[1], message=row[5].decode("latin-1"))
    return line.encode("latin-1") + b"\n"
