"""A row per second: what counts in which second, percentiles within one, the rate that was commanded."""

from random import Random

import pytest

from actors.config import LoadConfig
from actors.load.schedule import Plan
from actors.load.timeline import Row, Spread, Timeline
from tests.actors.rows import REFUSED, ROW


def timeline(load: LoadConfig | None = None) -> Timeline:
    made = Timeline(Plan.of(load or LoadConfig("sip:a@127.0.0.1", rate=10.0, calls=20)).rate_at)
    made.begun = 100.0
    return made


def test_a_call_counts_where_it_started_and_where_it_ended() -> None:
    made = timeline()
    made.add(ROW._replace(started=100.5, ended=102.51), "")
    made.add(REFUSED._replace(started=101.2, ended=101.21), "code")
    rows = list(made.rows())
    assert [row.second for row in rows] == [0, 1, 2]
    assert [(row.started, row.answered, row.failed, row.ended, row.live) for row in rows] == [
        (1, 1, 0, 0, 1),
        (1, 0, 1, 1, 1),
        (0, 0, 0, 1, 0),
    ]
    assert rows[0].post_dial_max == rows[0].post_dial_p50 == ROW.post_dial_delay
    assert rows[0].lateness_max == ROW.lateness
    assert rows[0].loss is None
    assert rows[2].loss == pytest.approx(0.01)
    assert (rows[2].rtp_sent, rows[2].rtp_received, rows[2].rtp_lost) == (100, 99, 1)
    assert (rows[2].mos_mean, rows[2].mos_min, rows[2].jitter_max) == (ROW.mos, ROW.mos, ROW.jitter)
    assert rows[1].answer_p95 is rows[1].mos_mean is rows[1].jitter_max is None


def test_the_commanded_rate_is_the_plans_until_its_end_and_then_what_a_person_says() -> None:
    made = timeline()
    made.add(ROW._replace(started=105.0, duration=0.0, answer_delay=0.0), "")
    assert [row.target_rate for row in made.rows()] == [10.0, 10.0, 0.0, 0.0, 0.0, 0.0]
    made.command(1.2, 30.0)
    made.command(4.0, 0.0)
    assert [row.target_rate for row in made.rows()] == [10.0, 30.0, 30.0, 30.0, 0.0, 0.0]


def test_nothing_happened_is_no_row() -> None:
    assert list(timeline().rows()) == []


def test_percentiles_within_a_second_are_off_by_five_percent_at_most() -> None:
    random = Random(7)
    values = sorted(random.expovariate(20.0) for _ in range(2000))
    spread = Spread()
    for value in values:
        spread.add(value)
    for percent in (1, 50, 95, 99):
        assert spread.percentile(percent) == pytest.approx(values[len(values) * percent // 100 - 1], rel=0.05)
    assert (spread.min, spread.max) == (values[0], values[-1])
    assert spread.percentile(100) == pytest.approx(values[-1], rel=0.05)
    assert spread.mean == pytest.approx(sum(values) / len(values))


def test_an_empty_distribution_has_no_figures_and_zero_is_a_value() -> None:
    spread = Spread()
    assert spread.percentile(50) is spread.mean is None
    spread.add(0.0)
    assert spread.percentile(50) == 0.0


def test_the_columns_are_stable() -> None:
    assert Row._fields == (
        *("second", "target_rate", "started", "answered", "failed", "ended", "live"),
        *("post_dial_p50", "post_dial_p95", "post_dial_max", "answer_p50", "answer_p95", "lateness_max"),
        *("rtp_sent", "rtp_received", "rtp_lost", "loss", "jitter_max", "mos_mean", "mos_min"),
    )
