"""The log: what may stand in a line, how long it is, how often it comes, and what becomes of lines of other code."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from sipswarm.actors.diagnosis import log_lines
from sipswarm.actors.diagnosis.log_limit import AT_ONCE, EVERY, MOST_KINDS, LogLimit
from sipswarm.actors.diagnosis.log_lines import (
    EVENT,
    MARK,
    MOST_LINES,
    VALUE,
    LogEvent,
    LogHandler,
    event_of,
    from_process,
    to_supervisor,
)


class Stage:
    """A logger of ours, and what its handler writes."""

    def __init__(self, name: str) -> None:
        self.now = 0.0
        self.events: list[LogEvent] = []
        self.handler = LogHandler(self.events.append, "call-0", lambda: self.now)
        self.logger = logging.Logger(name)
        self.logger.addHandler(self.handler)

    @property
    def texts(self) -> list[str]:
        return [each.event for each in self.events]


@pytest.fixture
def stage() -> Stage:
    return Stage("sipswarm.actors.x")


def test_a_kind_of_line_comes_a_few_times_and_then_now_and_then_with_the_number_of_the_others(stage: Stage) -> None:
    for number in range(300):
        stage.now = number / 100
        stage.logger.warning("%s: %s", f"10.0.0.{number}", "no handshake")
    assert len(stage.events) == AT_ONCE
    stage.now = EVERY + 3
    for place in ("one", "another"):
        stage.logger.warning("%s: %s", "10.0.0.1", place)  # the same kind in another line of the source
    assert len(stage.events) == AT_ONCE + 2
    stage.handler.tick()
    assert stage.texts[-1] == "290 more lines were held back: WARNING %s: %s (test_log_lines:50)"
    stage.handler.tick()
    stage.handler.tick(last=True)
    assert len(stage.events) == AT_ONCE + 3


def test_the_next_line_says_how_many_were_held_back(stage: Stage) -> None:
    for number in range(30):
        stage.now = EVERY if number == 29 else 0.0
        stage.logger.error("no answer from %s", "x" * 5000)
    assert len(stage.events) == AT_ONCE + 1
    assert stage.texts[-1].endswith(" (19 more of these lines were held back)")


def test_errors_of_several_lines_of_the_source_are_several_kinds(stage: Stage) -> None:
    for line in range(30):
        try:
            exec(compile("\n" * line + "raise ValueError('odd')", "user.py", "exec"))
        except ValueError as error:
            stage.logger.error("a call failed", exc_info=error)
    assert len(stage.events) == 30


def test_lines_of_users_code_have_a_limit_that_floods_only_reach() -> None:
    stage = Stage("robot")
    for _ in range(1000):
        stage.logger.warning("one more call")
    assert len(stage.events) == log_lines.USERS_AT_ONCE


def test_the_kinds_that_are_remembered_are_bounded_and_nothing_held_back_is_forgotten() -> None:
    limit = LogLimit(at_once=1)
    for kind in range(3 * MOST_KINDS):
        assert limit.admit((kind,), str(kind), 0.0) == 0
        assert limit.admit((kind,), str(kind), 0.0) == -1
    told = dict(limit.due(0.0, all_of_them=True))
    assert len(told) == MOST_KINDS + 1
    assert sum(told.values()) == 3 * MOST_KINDS


class Odd:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "arguments", "wanted"),
    [
        ("%s of %d", ("a\x1b[2J\u2028b", 5), "a\\x1b[2J\\u2028b of 5"),
        ("%r", ("a\nb",), "'a\\nb'"),
        ("%(a)s", ({"a": "x" * 600},), f"{'x' * 487}… (113 more characters)"),
        ("%s", ("\u20ac" * 600,), "\u20ac" * 40),
        ("%.1f %s %s", (0.5, b"\0", None), "0.5 b'\\x00' None"),
        ("%s %s", ("one",), "%s %s (its values cannot be put into it: not enough arguments for format string)"),
        ("%d", ("one",), "%d (its values cannot be put into it: "),
        ("%s", (Odd(),), "<Odd that cannot be shown: RuntimeError>"),
        (Odd(), (), "<Odd that cannot be shown: RuntimeError>"),
        ("100 %", (), "100 %"),
        ("\r\nSIP/2.0 200 OK\x9b", (), "\\x0d\\x0aSIP/2.0 200 OK\\x9b"),
        ("y" * 9000, (), f"{'y' * 2022}… (6978 more characters)"),
    ],
)
def test_an_event_is_one_line_with_bounded_values(message: object, arguments: tuple[object, ...], wanted: str) -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, message, arguments, None)
    event = event_of(record, "call-0")
    assert event.event.startswith(wanted)
    assert len(event.event.encode()) <= EVENT
    assert from_process(to_supervisor(event)[:-1], "call-0", 0.0) == event


def test_a_traceback_is_bounded_in_lines_and_octets() -> None:
    def deep(left: int) -> None:
        if not left:
            raise ValueError("\n".join("x" * 7000 for _ in range(300)))
        deep(left - 1)

    try:
        deep(100)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "it failed", (), sys.exc_info())
    event = event_of(record, "call-0")
    assert len(event.trace) == MOST_LINES + 1
    assert all(len(line.encode()) <= VALUE for line in event.trace)
    assert len(to_supervisor(event)) < 1 << 15


def test_json_has_what_code_has_added(stage: Stage) -> None:
    stage.logger.warning("registered %s", "bob", extra={"attempt": 3, "peer": "a\0b", "odd": Odd()})
    entry = json.loads(stage.events[0].json())
    assert entry["time"].endswith("Z")
    del entry["time"]
    assert entry == {
        "level": "warning",
        "process": "call-0",
        "event": "registered bob",
        "fields": {"attempt": 3, "peer": "a\\x00b", "odd": "<Odd that cannot be shown: RuntimeError>"},
    }
    assert stage.events[0].text().endswith(" registered bob attempt=3 peer=a\\x00b odd=" + entry["fields"]["odd"])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"Fatal Python error: Aborted", "Fatal Python error: Aborted"),
        (b"a user's \x1b[2J\xff", "a user's \\x1b[2J\\xff"),
        (MARK + b'[1.0,"ERROR","a part of', '[1.0,"ERROR","a part of'),
        (MARK + b"[]", "[]"),
        (MARK + b"{}", "{}"),
        (b"", ""),
    ],
)
def test_a_line_of_other_code_is_an_event_of_its_process(line: bytes, wanted: str) -> None:
    event = from_process(line, "media-1", 5.0)
    assert (event.time, event.process, event.event) == (5.0, "media-1", wanted)
    assert event.text() == wanted


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    yield
    logging.captureWarnings(False)


@pytest.mark.usefixtures("hooks")
def test_what_no_code_takes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Falls:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    def fails() -> None:
        raise ValueError("in a thread")

    log_lines.take_what_nobody_takes()
    thread = threading.Thread(target=fails, name="worker")
    thread.start()
    thread.join()
    falls = Falls()
    del falls
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    try:
        raise ValueError("at the end")
    except ValueError as error:
        sys.excepthook(ValueError, error, None)
    errors = [record.exc_info[1].args[0] for record in caplog.records if record.exc_info and record.exc_info[1]]
    assert errors == ["in a thread", "in a destructor", "at the end"]
    assert any("DeprecationWarning: old" in record.getMessage() for record in caplog.records)
