"""The audio of a stream against its time: how much of what lacks counts, and that no figure jumps."""

from itertools import pairwise

import pytest

from sipswarm.media.audio.pace import CLOCKS, Pace, beyond
from tests.media.test_presence import Sent, played, stream


def test_what_counts_of_a_value_grows_with_it_and_is_all_of_it_from_twice_the_bound_on() -> None:
    found = [beyond(each, 10.0) for each in (-5.0, 0.0, 10.0, 12.0, 15.0, 20.0, 25.0)]
    assert found == [0.0, 0.0, 0.0, 4.0, 10.0, 20.0, 25.0]


@pytest.mark.parametrize("seconds", [2.0, 10.0, 60.0])
@pytest.mark.parametrize("slow", [1.0, 1.0005, 1.001, 1.004])
def test_a_clock_that_drifts_loses_nothing(seconds: float, slow: float) -> None:
    packets = [each._replace(at=each.at * slow) for each in stream(0, seconds)]
    assert played(packets, seconds).packets_missed == 0


@pytest.mark.parametrize("step", [0.0205, 0.021, 0.0215, 0.022, 0.023, 0.025, 0.03, 0.04])
def test_what_a_slow_peer_never_sent_is_missed(step: float) -> None:
    packets = [Sent(n * step, n, n * 160) for n in range(round(10.0 / step))]
    found = played(packets, 10.0)
    assert found.packets_due == 500
    missing = 500 - len(packets)  # a fifth too slow, each look has what may be a short pause
    assert missing - (12 if step == 0.025 else 2) <= found.packets_missed <= missing + 2
    assert found.gap < 0.2


def test_figures_do_not_jump_where_a_peer_is_a_little_slower() -> None:
    missed = []
    for tenths in range(200, 261):
        packets = [Sent(n * tenths * 1e-4, n, n * 160) for n in range(round(10.0 / (tenths * 1e-4)))]
        missed.append(played(packets, 10.0).packets_missed)
    steps = [after - before for before, after in pairwise(missed)]
    assert missed[0] == 0
    assert missed[-1] == pytest.approx(115, abs=12)
    assert min(steps) >= -2
    assert max(steps) <= 6


def test_a_short_pause_alone_is_none_and_many_of_them_are_missing_audio() -> None:
    one = [*stream(0, 4), *stream(4.25, 10, first=200)]
    assert played(one, 10.0).packets_missed == 0
    many = [each for n in range(20) for each in stream(n * 0.5, n * 0.5 + 0.3, first=n * 15)]
    found = played(many, 10.0)
    assert found.gap < 0.3
    assert found.packets_missed == pytest.approx(190, abs=3)  # the last of them is the end of the call


@pytest.mark.parametrize("step", [0.0199, 0.0195, 0.019, 0.0185, 0.018])
def test_a_fast_peer_makes_no_figure_jump(step: float) -> None:
    packets = [Sent(n * step, n, n * 160) for n in range(round(10.0 / step))]
    over = len(packets) * 0.02 - 10.0
    assert played(packets, 10.0).packets_surplus == pytest.approx(beyond(over, 0.5) / 0.02, abs=3)


def test_the_bound_of_clocks_grows_with_the_time() -> None:
    for due in (100.0, 3600.0):
        pace = Pace()
        assert pace.short(due, 0.0, due * (1 - CLOCKS), 0.02) == 0
        assert pace.short(due, 0.0, due * (1 - 2 * CLOCKS), 0.02) == round(due * 2 * CLOCKS / 0.02)


def press(begin: float, number: int, timestamp: int, packets: int = 8) -> list[Sent]:
    """A digit in place of audio, one packet each 20 ms."""
    return [Sent(begin + n * 0.02, number + n, timestamp, pt=101, octets=4) for n in range(packets)]


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("digits", [1, 6, 20])
def test_digits_in_a_row_instead_of_audio_are_media(digits: int, late: float) -> None:
    end = 2.0 + 0.16 * digits
    row = [each for n in range(digits) for each in press(2.0 + 0.16 * n, 100 + 8 * n, 16000 + 1600 * n)]
    found = played([*stream(0, 2), *row, *stream(end, 10, first=100 + 8 * digits)], 10.0, looks_late=late)
    assert found.packets_due == 500
    assert found.packets_missed <= 1
    assert found.present == pytest.approx(10.0)
    assert found.gap < 0.06
    ended = played([*stream(0, 2), *row], end, looks_late=late)
    assert ended.packets_missed <= 1


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("digits", [1, 4, 8])
def test_digits_before_any_audio_are_media(digits: int, late: float) -> None:
    row = [each for n in range(digits) for each in press(0.16 * n, 8 * n, 1600 * n)]
    found = played([*row, *stream(0.16 * digits, 2, first=8 * digits)], 2.0, looks_late=late)
    assert (found.packets_due, found.packets_missed, found.packets_surplus) == (100, 0, 0)


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2, 0.3])
def test_a_digit_of_one_packet_stands_for_its_duration(late: float) -> None:
    """The numbers of such a peer have no hole; it sends nothing else for 100 ms."""
    packets, number, at = [], 0, 0.0
    while at < 10.0:
        if number % 40 == 39:
            packets.append(Sent(at, number, round(at * 8000), pt=101))
            at += 0.1
        else:
            packets.append(Sent(at, number, round(at * 8000)))
            at += 0.02
        number += 1
    payload = bytes((1, 0x8A)) + (800).to_bytes(2, "big")
    found = played(packets, 10.0, looks_late=late, event=payload)
    assert found.packets_missed == 0
    assert found.present == pytest.approx(10.0)


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("is_endless", [False, True])
def test_events_beside_the_audio_change_nothing(is_endless: bool, late: float) -> None:
    packets = []
    for n in range(500):
        packets.append(Sent(n * 0.02, 2 * n, n * 160))
        packets.append(Sent(n * 0.02 + 0.007, 2 * n + 1, 0 if is_endless else n // 8 * 1280, pt=101, octets=4))
    found = played(packets, 10.0, looks_late=late)
    assert (found.packets_due, found.packets_missed, found.packets_surplus) == (500, 0, 0)
    assert found.present == pytest.approx(10.0)
    half = [each for each in packets if each.pt or each.number % 4]
    missed = played(half, 10.0, looks_late=late).packets_missed
    # A digit may stand for its time, an endless one for a second; the numbers show half of it in any case.
    assert (200 if is_endless else 125) <= missed <= 255


@pytest.mark.parametrize("jump", [30000, -30000])
@pytest.mark.parametrize("end", [2.0, 2.009, 2.011, 2.019])
def test_a_packet_discarded_where_numbers_start_anew_is_missed_however_the_time_is_rounded(
    jump: int, end: float
) -> None:
    packets = [each._replace(number=each.number + jump * (each.number >= 50)) for each in stream(0, end)]
    assert played(packets, end).packets_missed == 1


def test_stray_packets_between_others_are_not_missed() -> None:
    strays = [Sent(n * 0.5 + 0.01, 20000 + 5000 * (n % 5), n * 160) for n in range(20)]
    found = played([*stream(0, 10), *strays], 10.0)
    assert (found.packets_due, found.packets_missed) == (500, 0)
