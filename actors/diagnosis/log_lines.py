"""The log of every process: one event a line, texts of peers and users as `foreign_text` shows them, each with a bound.

A process of a node writes its events to its supervisor, each as a line of JSON behind the mark of a record (RFC 7464),
and the supervisor writes those of all processes, and its own, to standard error: as text, or as JSON. So one place
knows the form. A line without that mark was written by other code, such as a user's or a library's, and becomes an
event of that process. Warnings, and errors that no code takes, are events too.
"""

import contextlib
import datetime
import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from numbers import Number
from types import TracebackType
from typing import Any, Final, NamedTuple

from .foreign_text import shown, shown_octets
from .log_limit import LogLimit

MOST_LINES: Final = 60
"""Of a traceback; the middle of a longer one is left out."""
VALUE: Final = 512
"""Octets of one value in an event, and of one line of a traceback."""
EVENT: Final = 2048
"""Octets of an event with its values."""
MOST_FIELDS: Final = 16
"""Of one event."""
MARK: Final = b"\x1e"
"""Begins the line of an event on its way to the supervisor."""
OURS: Final = "sipswarm."
"""Begins the names of the loggers whose lines a peer can cause without end."""
OUTPUT: Final = "OUTPUT"
"""Level of a line that other code wrote to standard error."""
USERS_AT_ONCE: Final = 200
"""Lines of a kind of a user's program before the limit is felt."""
USERS_EVERY: Final = 0.05
"""Seconds between two lines of a kind of a user's program beyond."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_STANDARD: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


class LogEvent(NamedTuple):
    """One event; its texts can be written as they are."""

    time: float
    """Seconds since 1970."""
    level: str
    process: str
    event: str
    trace: tuple[str, ...] = ()
    """The lines of the traceback."""
    fields: Mapping[str, Any] = {}
    """What code has added by `extra=`."""

    def text(self) -> str:
        """As lines for people."""
        if self.level == OUTPUT:
            return self.event
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        more = "".join(f" {name}={value}" for name, value in self.fields.items())
        head = f"{moment},{int(self.time * 1000) % 1000:03d} {self.level} {self.process} {self.event}{more}"
        return "\n".join((head, *self.trace))

    def json(self) -> str:
        """As one line for programs: time, level, process, event, fields."""
        at = datetime.datetime.fromtimestamp(self.time, datetime.UTC).isoformat(timespec="milliseconds")
        fields = dict(self.fields) | ({"traceback": list(self.trace)} if self.trace else {})
        entry = {
            "time": at.replace("+00:00", "Z"),
            "level": self.level.lower(),
            "process": self.process,
            "event": self.event,
            "fields": fields,
        }
        return json.dumps(entry, separators=(",", ":"), ensure_ascii=False)


class Form:
    """The form in which this process writes events to standard error."""

    def __init__(self) -> None:
        self.json = False
        """An object a line, for programs."""
        self.name = ""
        """Of this process."""

    def choose(self, *, json: bool) -> None:
        """Write events of now on as JSON, or as text."""
        self.json = json

    def name_it(self, process: str) -> None:
        """Give this process its name."""
        self.name = process

    def of(self, event: LogEvent) -> str:
        """The lines of an event."""
        return f"{event.json() if self.json else event.text()}\n"

    def line(self, level: str, text: str) -> str:
        """The lines of an event of this process that begins now."""
        return self.of(LogEvent(time.time(), level, self.name, shown_octets(text, EVENT)))


FORM: Final = Form()


class _Value:
    """A value in an event, bounded in whatever way the event asks for it."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return shown_octets(_said(str, self._value), VALUE)

    def __repr__(self) -> str:
        return shown_octets(_said(repr, self._value), VALUE)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def event_of(record: logging.LogRecord, process: str, held_back: int = 0) -> LogEvent:
    """The event of a record.

    Args:
        process: its name.
        held_back: lines of its kind that were not written before it.
    """
    message = _said(str, record.msg)
    arguments: Any = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(map(_bounded, arguments))
    elif arguments:
        arguments = {name: _bounded(value) for name, value in arguments.items()}
    try:
        text = message % arguments if arguments else message
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:  # a user's text does not go with its values
        text = f"{message} (its values cannot be put into it: {_said(str, error)})"
    if record.exc_info and record.exc_info[1] is not None:
        lines = traceback.format_exception(record.exc_info[1])
        trace = "".join(lines).rstrip("\n").split("\n")
    else:
        trace = []
    if record.stack_info:
        trace += record.stack_info.split("\n")
    if held_back:
        text = f"{shown_octets(text, EVENT - 64)} ({held_back} more of these lines were held back)"
    return LogEvent(
        record.created,
        record.levelname,
        process,
        shown_octets(text, EVENT),
        tuple(shown_octets(line, VALUE) for line in _shortened(trace)),
        _fields_of(record),
    )


def to_supervisor(event: LogEvent) -> bytes:
    """The line of an event on its way to the supervisor."""
    line = json.dumps([event.time, event.level, event.event, list(event.trace), dict(event.fields)])
    return MARK + line.encode() + b"\n"


def from_process(line: bytes, process: str, now: float) -> LogEvent:
    """The event of a line that a process wrote to its supervisor.

    Args:
        line: without its end.
        process: its name.
        now: seconds since 1970, the time of a line that is none of ours.
    """
    if line.startswith(MARK):
        try:
            at, level, text, trace, fields = json.loads(line[1:])
            return LogEvent(float(at), str(level), process, str(text), tuple(map(str, trace)), dict(fields))
        except (ValueError, TypeError):
            line = line[1:]  # a process that was killed left a part of it
    return LogEvent(now, OUTPUT, process, shown_octets(line.decode("utf-8", "surrogateescape"), EVENT))


class LogHandler(logging.Handler):
    """Hands the events of this process to a writer that never blocks, within the limits of each kind.

    Args:
        write: takes an event.
        process: name of this process.
        now: the monotonic clock.
    """

    def __init__(
        self, write: Callable[[LogEvent], object], process: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._write = write
        self._process = process
        self._now = now
        self._ours = LogLimit()
        self._users = LogLimit(USERS_AT_ONCE, USERS_EVERY)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or hold it back."""
        limit = self._ours if record.name.startswith(OURS) else self._users
        held_back = limit.admit(_kind_of(record), _name_of(record), self._now())
        if held_back >= 0:
            self._write(event_of(record, self._process, held_back))

    def tick(self, *, last: bool = False) -> None:
        """Say how many lines were held back of kinds that do not come any more.

        Args:
            last: say so of all kinds: it is the end.
        """
        with contextlib.ExitStack() as stack:
            if self.lock is not None:
                stack.enter_context(self.lock)
            for limit in (self._ours, self._users):
                for name, count in limit.due(self._now(), all_of_them=last):
                    text = f"{count} more lines were held back: {name}"
                    self._write(LogEvent(time.time(), "WARNING", self._process, text))


def begin(name: str) -> LogHandler:
    """Log warnings and errors of this process to standard error, for people.

    Args:
        name: of the process.
    """
    FORM.name_it(name)
    return _begin(LogHandler(lambda event: sys.stderr.write(FORM.of(event)), name))


def begin_process(name: str, write: Callable[[bytes], object]) -> LogHandler:
    """Log warnings and errors of this process to its supervisor, and with them what no code takes.

    Args:
        name: of the process.
        write: takes lines.
    """
    FORM.name_it(name)
    take_what_nobody_takes()
    return _begin(LogHandler(lambda event: write(to_supervisor(event)), name))


def lost(lines: int) -> bytes:
    """The line that says how many lines of this process were lost."""
    return FORM.line("WARNING", f"{lines} lines were lost, because nobody read them").encode("utf-8", "replace")


def lost_of_process(lines: int) -> bytes:
    """The same, on its way to the supervisor."""
    text = f"{lines} lines were lost, because nobody read them"
    return to_supervisor(LogEvent(time.time(), "WARNING", FORM.name, text))


def take_what_nobody_takes() -> None:
    """Log warnings, and exceptions that end a thread, this program, or a destructor."""
    logger = logging.getLogger("sipswarm.process")
    logging.captureWarnings(True)

    def at_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        logger.critical("the program ends by an error", exc_info=(kind, error, trace))

    def in_a_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None and found.exc_type is not SystemExit:
            name = found.thread.name if found.thread is not None else "?"
            logger.error("thread %s ended by an error", name, exc_info=found.exc_value)

    def in_a_destructor(found: "sys.UnraisableHookArgs") -> None:
        if found.exc_value is not None:
            logger.error("%s %r", found.err_msg or "an error is ignored in", found.object, exc_info=found.exc_value)

    sys.excepthook = at_the_end
    threading.excepthook = in_a_thread
    sys.unraisablehook = in_a_destructor


def tick(*, last: bool = False) -> None:
    """Say how many lines of this process were held back, and do not come any more.

    Args:
        last: say so of all kinds: it is the end.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogHandler):
            handler.tick(last=last)


def _begin(handler: LogHandler) -> LogHandler:
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    return handler


def _kind_of(record: logging.LogRecord) -> tuple[object, ...]:
    error = record.exc_info[1] if record.exc_info else None
    frames = [*traceback.walk_tb(error.__traceback__)] if error is not None else []
    place = (frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ()
    return record.pathname, record.lineno, *place


def _name_of(record: logging.LogRecord) -> str:
    return f"{record.levelname} {shown(_said(str, record.msg), 100)} ({record.module}:{record.lineno})"


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What code has added to a record, as values that JSON has."""
    added = [(name, value) for name, value in vars(record).items() if name not in _STANDARD]
    return {shown(name, 40): _plain(value) for name, value in added[:MOST_FIELDS]}


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float) or value is None else str(_Value(value))


def _bounded(value: object) -> object:
    return value if isinstance(value, Number) else _Value(value)


def _said(how: Callable[[object], str], value: object) -> str:
    """What a value says of itself; anything may be in a log line, also what fails."""
    try:
        return how(value)
    except Exception as error:  # noqa: BLE001  # a line about an error must not be the next one
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"… ({len(lines) - 2 * half} more lines)", *lines[-half:]]
