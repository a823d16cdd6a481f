"""A row per second: what counts in which second, each second once, and points that are merged when they are many."""

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipswarm.actors.bus.messages import CallFinished, CallSlice
from sipswarm.actors.config import LoadConfig
from sipswarm.actors.counting.spread import Spread
from sipswarm.actors.load.schedule import Plan
from sipswarm.actors.load.timeline import MOST_OPEN, MOST_POINTS, SETTLE, Point, Row, Timeline
from tests.actors.rows import NO_CALL, REFUSED, ROW

BEGUN = 100.0


def timeline(load: LoadConfig | None = None) -> Timeline:
    load = load or LoadConfig("sip:a@127.0.0.1", rate=10.0, calls=20)
    made = Timeline(Plan.of(load), load.shards)
    made.begun = BEGUN
    return made


def endless(rate: float = 10.0) -> Timeline:
    return timeline(LoadConfig("sip:a@127.0.0.1", rate=rate))


def sliced(at: float, begun: int = 0, answered: int = 0, *delays: float, lateness: float = -1.0) -> CallSlice:
    """A slice at seconds after the start, with the same values as post-dial and as answer delays."""
    spread = Spread()
    for delay in delays:
        spread.add(delay)
    return CallSlice(round((BEGUN + at) * 10), begun, answered, lateness, spread.to_tuple(), spread.to_tuple())


def ended(at: float, row: CallFinished = ROW) -> CallFinished:
    """A row of a call that ends at seconds after the start."""
    return row._replace(started=BEGUN + at - (row.ended - row.started), ended=BEGUN + at)


# ---- what counts in which second


def test_a_call_counts_where_it_begins_where_it_is_answered_and_where_it_ends() -> None:
    made = timeline()
    made.add_slice(sliced(0.5, 1))
    made.add_slice(sliced(1.2, 1, 1, 0.004, 0.7, lateness=0.001))
    made.add(ended(1.3, REFUSED), "code")
    made.add(ended(2.6), "")
    rows = made.finish(3.0, 2)
    assert [row.second for row in rows] == [0, 1, 2]
    assert [(row.started, row.answered, row.failed, row.ended, row.live) for row in rows] == [
        (1, 0, 0, 0, 1),
        (1, 1, 1, 1, 1),
        (0, 0, 0, 1, 0),
    ]
    assert rows[0].post_dial_max is rows[0].lateness_max is rows[0].loss is None
    assert (rows[1].post_dial_max, rows[1].lateness_max) == (0.7, 0.001)
    assert rows[1].answer_p95 == pytest.approx(0.7, rel=0.05)
    assert rows[1].mos_mean is rows[1].jitter_max is None
    assert rows[2].loss == pytest.approx(0.01)
    assert (rows[2].rtp_sent, rows[2].rtp_received, rows[2].rtp_lost) == (100, 99, 1)
    assert (rows[2].mos_mean, rows[2].mos_min, rows[2].jitter_max) == (ROW.mos, ROW.mos, ROW.jitter)


def test_lost_packets_are_those_of_the_rows_and_the_loss_is_by_time() -> None:
    """A name means the same in every file: what was lost by sequence numbers, here nothing of a stream that stopped."""
    made = endless()
    stopped = ROW._replace(rtp_received=50, rtp_lost=0, rtp_missed=50)
    not_due = ROW._replace(rtp_received=50, rtp_lost=10, rtp_due=0, rtp_missed=0)
    for row in (stopped, stopped, not_due):
        made.add(ended(0.5, row), "")
    rows = made.finish(1.0, 3)
    assert (rows[0].rtp_received, rows[0].rtp_lost) == (150, 10)
    assert rows[0].loss == pytest.approx(110 / 260)
    assert made.points[0].rtp_lost == 10


def test_calls_of_five_minutes_are_seen_in_the_second_in_which_they_start() -> None:
    made = endless()
    for second in range(10):
        made.add_slice(sliced(second + 0.2, 10, 10, 0.02))
    rows = made.closed(BEGUN + 10)
    assert [(row.started, row.answered, row.live) for row in rows] == [(10, 10, 10 * n) for n in range(1, 8)]
    assert (made.live, made.started, made.answered) == (100, 100, 100)
    assert made.most_live == 100
    assert [point.rate for point in made.points] == [10.0] * 7
    assert made.rate == pytest.approx(99 / 9)
    assert made.post_dial.count == 10


def test_a_second_is_final_soon_after_it_has_passed_and_comes_once() -> None:
    made = endless()
    made.add_slice(sliced(0.0, 1))
    assert made.closed(BEGUN + 0.99 + SETTLE) == []
    assert [row.second for row in made.closed(BEGUN + 1 + SETTLE)] == [0]
    assert made.closed(BEGUN + 1.9 + SETTLE) == []
    assert [row.second for row in made.closed(BEGUN + 4 + SETTLE)] == [1, 2, 3]
    made.add_slice(sliced(0.9, 5))
    made.add(ended(1.0), "")
    late = made.finish(5.0, 6)
    assert [(row.second, row.started, row.ended) for row in late] == [(4, 5, 1)]


def test_what_no_process_reported_is_added_at_the_end() -> None:
    made = endless()
    made.add_slice(sliced(0.0, 3))
    made.add_slice(sliced(2.0, 1))
    made.add_slice(sliced(3.0, 0, 1))
    assert sum(row.started for row in made.finish(4.0, 9)) == made.started == 9


def test_a_run_of_a_scenario_that_placed_no_call_is_started_and_ended() -> None:
    made = endless()
    made.add(ended(1.0, NO_CALL), "scenario_error")
    rows = made.finish(2.0, 1)
    assert [(row.started, row.ended, row.failed, row.live) for row in rows] == [(0, 0, 0, 0), (1, 1, 1, 0)]


def test_the_live_calls_of_a_process_that_died_are_not_live_any_more() -> None:
    made = endless()
    made.add_slice(sliced(0.0, 9))
    made.observe("call-0", 1, 5)
    made.observe("call-1", 1, 4)
    made.observe("call-0", 2, 0)
    made.observe("call-0", 1, 5)  # a late one of the process that died
    assert made.live == 4
    made.observe("call-0", 3, 0)
    assert made.live == 4


def test_a_row_that_claims_to_be_of_another_age_takes_no_memory() -> None:
    made = endless()
    made.add(ended(1e9), "")
    made.add(ended(-1e9), "")
    rows = made.finish(1.0, 2)
    assert len(rows) == MOST_OPEN
    assert sum(row.ended for row in rows) == 2


def test_nothing_happened_is_no_row() -> None:
    assert timeline().finish(3.0, 0) == []


# ---- the rate that was commanded


def test_the_commanded_rate_is_the_plans_until_its_end_and_then_what_a_person_says() -> None:
    made = timeline()
    assert [row.target_rate for row in made.closed(BEGUN + 6 + SETTLE)] == [10.0, 10.0, 0.0, 0.0, 0.0, 0.0]
    made = timeline()
    made.command(1.2, 30.0)
    made.command(4.0, 0.0)
    assert [row.target_rate for row in made.closed(BEGUN + 6 + SETTLE)] == [10.0, 30.0, 30.0, 30.0, 0.0, 0.0]
    assert made.commanded_until(6.0) == pytest.approx(12 + 2.8 * 30)


def test_the_target_is_the_mean_of_the_plan_over_the_time_in_which_calls_start() -> None:
    ramp = LoadConfig("sip:a@127.0.0.1", rate=40.0, profile=((5.0, 40.0, 5.0), (40.0, 40.0, 0.0)), duration=8.0)
    assert timeline(ramp).target_rate(0.0, 8.0) == pytest.approx((22.5 * 5 + 40 * 3) / 8)
    assert timeline(ramp).target_rate(0.0, 5.0) == pytest.approx(22.5)
    assert endless(50.0).target_rate(0.0, 2.0) == 50.0
    assert endless(50.0).target_rate(3.0, 3.0) == 50.0


def test_a_part_of_a_test_is_held_against_its_part_of_the_rate() -> None:
    made = timeline(LoadConfig("sip:a@127.0.0.1", rate=10.0, shard=1, shards=4))
    assert made.target_rate(0.0, 2.0) == 2.5
    assert [row.target_rate for row in made.closed(BEGUN + 1 + SETTLE)] == [2.5]


@pytest.mark.parametrize(
    ("calls", "started", "rates"),
    [
        (25, [10, 10, 5], [10.0, 10.0, 10.0]),  # ends at 2.5 s: five calls in half a second
        (21, [10, 10, 1], [10.0, 10.0, None]),  # ends at 2.1 s: too short a part for a rate
        (30, [10, 10, 10], [10.0, 10.0, 10.0]),
        (1, [1], [10.0]),
    ],
)
def test_a_part_of_a_second_is_not_drawn_as_a_whole_one(
    calls: int, started: list[int], rates: list[float | None]
) -> None:
    made = timeline(LoadConfig("sip:a@127.0.0.1", rate=10.0, calls=calls))
    for second, number in enumerate(started):
        made.add_slice(sliced(second, number))
    made.finish(20.0, calls)
    points = made.points
    assert [point.rate for point in points] == [None if each is None else pytest.approx(each) for each in rates]
    assert [point.target_rate for point in points] == [point.rate for point in points]


def test_the_last_second_of_a_run_that_is_cut_short_is_a_part() -> None:
    made = endless()
    for second in range(3):
        made.add_slice(sliced(second, 10 if second < 2 else 5))
    made.finish(2.5, 25)
    assert [point.rate for point in made.points] == [10.0, 10.0, 10.0]


# ---- thinning


SECONDS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.integers(0, 20),
        st.lists(st.floats(0.0, 60.0), max_size=3),
        st.integers(0, 3),
        st.integers(0, 50),
        st.floats(1.0, 4.5),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(SECONDS, st.integers(1, 3 * MOST_POINTS))
def test_thinning_keeps_sums_and_greatest_and_least_values(
    seconds: list[tuple[int, int, list[float], int, int, float]], length: int
) -> None:
    made = endless()
    rows: list[Row] = []
    for second in range(length):
        begun, answered, delays, over, lost, mos = seconds[second % len(seconds)]
        made.add_slice(sliced(second + 0.3, begun, answered, *delays, lateness=max(delays, default=-1.0)))
        for _ in range(over):
            row = ROW._replace(rtp_lost=lost, mos=mos, jitter=mos / 1000)
            made.add(ended(second + 0.4, row), "code" if lost > 25 else "")
        rows += made.closed(BEGUN + second)
    rows += made.finish(float(length), 0)
    points = made.points
    assert len(points) <= MOST_POINTS
    assert [point.begin for point in points[1:]] == [point.begin + point.seconds for point in points[:-1]]
    assert (points[0].begin, points[-1].begin + points[-1].seconds) == (0, len(rows))
    for name in ("started", "answered", "failed", "ended", "rtp_sent", "rtp_received", "rtp_lost"):
        assert sum(getattr(point, name) for point in points) == sum(getattr(row, name) for row in rows), name
    for of_point, of_row, extreme in (
        ("live", "live", max),
        ("failed_max", "failed", max),
        ("post_dial_max", "post_dial_max", max),
        ("lateness_max", "lateness_max", max),
        ("loss_max", "loss", max),
        ("jitter_max", "jitter_max", max),
        ("mos_min", "mos_min", min),
    ):
        found = [getattr(point, of_point) for point in points if getattr(point, of_point) is not None]
        wanted = [getattr(row, of_row) for row in rows if getattr(row, of_row) is not None]
        assert extreme(found, default=None) == extreme(wanted, default=None), of_point


def test_a_merged_point_has_the_percentiles_of_all_its_values() -> None:
    made, whole = endless(), Spread()
    random = Random(3)
    for second in range(MOST_POINTS + 1):
        delays = [random.expovariate(20.0) for _ in range(5)]
        made.add_slice(sliced(second, 5, 5, *delays))
        made.closed(BEGUN + second)
        if second < 2:
            for delay in delays:
                whole.add(delay)
    made.finish(MOST_POINTS + 1.0, 0)
    assert made.points[0].seconds == 2
    assert made.points[0].post_dial_p95 == whole.percentile(95)
    assert made.points[0].rate == 5.0


def test_six_hours_cost_as_much_memory_and_work_as_one() -> None:
    """Counted, not timed: objects that are kept, rows per second, points per page."""

    def kept(made: Timeline) -> int:
        stretches = [*made._points, *made._open.values()]
        return sum(each.post_dial.buckets + each.answer.buckets + each.mos.buckets + 1 for each in stretches)

    made, random, sizes = endless(), Random(1), []
    written = count()
    for second in range(6 * 3600):
        made.add_slice(sliced(second + 0.1, 5, 5, random.uniform(0.002, 0.2), random.uniform(0.002, 0.2)))
        made.add(ended(second + 0.5), "")
        rows = made.closed(BEGUN + second)
        assert len(rows) <= 1
        assert all(row.second == next(written) for row in rows)
        assert len(made._open) <= SETTLE + 1
        if (second + 1) % 3600 == 0:
            assert len(made.points) <= MOST_POINTS
            sizes.append(kept(made))
    widest = 2 * 96 + 2  # buckets 5 % wide from 2 to 200 ms, for both delays
    assert max(sizes) <= MOST_POINTS * widest
    assert sum(point.started for point in made.points) == 5 * next(written)


def test_the_points_are_a_copy_that_later_seconds_do_not_change() -> None:
    made = endless()
    for second in range(MOST_POINTS):
        made.add_slice(sliced(second, 1))
    made.closed(BEGUN + MOST_POINTS + SETTLE)
    before = made.points
    kept = list(before)
    made.add_slice(sliced(MOST_POINTS, 1))
    made.closed(BEGUN + MOST_POINTS + 1 + SETTLE)
    assert before == kept
    assert len(made.points) == MOST_POINTS // 2 + 1
    assert all(isinstance(each, Point) for each in before)


def test_the_columns_are_stable() -> None:
    assert Row._fields == (
        *("second", "target_rate", "started", "answered", "failed", "ended", "live"),
        *("post_dial_p50", "post_dial_p95", "post_dial_max", "answer_p50", "answer_p95", "lateness_max"),
        *("rtp_sent", "rtp_received", "rtp_lost", "loss", "jitter_max", "mos_mean", "mos_min"),
    )
