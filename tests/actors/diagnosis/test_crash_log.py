"""Tracebacks: one for each place and minute, and a count of those that were left out."""

import logging

import pytest

from sipswarm.actors.diagnosis.crash_log import MOST_PLACES, CrashLog


def error_of(line: int) -> Exception:
    """An error raised in a line of its own."""
    try:
        exec(compile("\n" * line + "raise ValueError('odd')", "user.py", "exec"))
    except ValueError as error:
        return error
    raise AssertionError


def test_a_place_is_told_once_a_minute_with_the_count_of_what_was_left_out(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = CrashLog(lambda: now[0])
    for tenths in range(1200):
        now[0] = tenths / 10
        log.tell("call x failed", error_of(3))
        if tenths % 2 == 0:
            log.tell("call y failed", error_of(4))
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "call x failed",
        "call y failed",
        "call x failed (599 more errors in this line were not logged)",
        "call y failed (299 more errors in this line were not logged)",
    ]
    assert all(record.exc_info and record.levelno == logging.ERROR for record in caplog.records)


def test_one_line_of_ours_is_told_for_each_line_of_a_user(caplog: pytest.LogCaptureFixture) -> None:
    log = CrashLog(lambda: 0.0)
    for where in ("user.py:4", "user.py:7", "user.py:4", ""):
        log.tell(f"at {where}", error_of(3), where)
    assert [record.getMessage() for record in caplog.records] == ["at user.py:4", "at user.py:7"], (
        "the last was raised in line 4 of user.py, which is told already"
    )


def test_who_asked_for_it_gets_each_error_also_those_that_are_counted() -> None:
    log = CrashLog(lambda: 0.0)
    got: list[tuple[str, str]] = []
    log.also_tell(lambda text, error: got.append((text, str(error))))
    for text in ("first", "second"):
        log.tell(text, error_of(3))
    assert got == [("first", "odd"), ("second", "odd")]


def test_the_places_that_are_remembered_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = CrashLog(lambda: 0.0)
    for line in range(MOST_PLACES + 50):
        log.tell("failed", error_of(line))
    assert len(log._places) == MOST_PLACES
