"""The time that digits stand for, packet by packet."""

import pytest

from sipswarm.media.digits.event_time import LONGEST, EventTime


def report(duration: int, *, end: bool = False, code: int = 1) -> bytes:
    return bytes((code, 0x80 if end else 10)) + duration.to_bytes(2, "big")


def test_a_digit_stands_for_the_time_from_the_packet_before_it() -> None:
    time = EventTime()
    time.follow(4.98)
    for n in range(8):
        time.take(report(160 * min(n + 1, 5), end=n >= 5), 7, 8000, 5.0 + 0.02 * n)
    assert time.seconds == pytest.approx(0.16)
    assert time.before == 0.0
    time.follow(5.16)
    assert time.before == time.seconds


def test_an_end_alone_stands_for_the_duration_that_it_reports() -> None:
    time = EventTime()
    time.follow(4.98)
    for _ in range(3):  # copies, or the end again
        time.take(report(800, end=True), 7, 8000, 5.0)
    assert time.seconds == pytest.approx(0.1)


@pytest.mark.parametrize("stands_still", [False, True])
def test_each_press_counts(stands_still: bool) -> None:
    time = EventTime()
    time.follow(-0.02)
    for n in range(10):
        time.take(report(800), 0 if stands_still else n, 8000, 0.1 * n)
        time.take(report(1600, end=True), 0 if stands_still else n, 8000, 0.1 * n + 0.08)
    assert time.seconds == pytest.approx(2.0, abs=0.05)


def test_an_event_that_never_ends_is_no_audio() -> None:
    time = EventTime()
    for n in range(500):
        time.take(report(0xFFFF), 7, 8000, 0.02 * n)
    assert time.seconds == LONGEST


def test_a_digit_after_a_pause_does_not_stand_for_the_pause() -> None:
    time = EventTime()
    time.follow(1.0)
    time.take(report(160), 7, 8000, 3.0)
    assert time.seconds == pytest.approx(0.1)


@pytest.mark.parametrize("payload", [b"", b"\x01\x0a\x00"])
def test_a_packet_that_is_no_event_counts_nothing(payload: bytes) -> None:
    time = EventTime()
    time.take(payload, 7, 8000, 1.0)
    assert time.seconds == 0.0
