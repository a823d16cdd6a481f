"""Arrival times: exact for a fixed rate, the same stream for every number of shards."""

from itertools import islice, pairwise
from math import inf

import pytest

from actors.config import LoadConfig
from actors.load.schedule import Plan, Profile, Segment

PLANS = {
    "fixed": Plan(Profile.fixed(100), duration=5),
    "fixed, so many calls": Plan(Profile.fixed(3), calls=200),
    "poisson": Plan(Profile.fixed(50), "poisson", seed=7, duration=10),
    "poisson, so many calls": Plan(Profile.fixed(50), "poisson", seed=8, calls=333),
    "steps with a pause": Plan(Profile.steps((10, 5), (0, 20), (40, 5))),
    "a ramp": Plan(Profile.ramp(10, 200, 60), duration=70),
    "a ramp, poisson": Plan(Profile.ramp(0, 20, 30), "poisson", seed=3, duration=40),
}


def test_fixed_rate_is_exactly_rate_times_duration_calls_evenly_spaced() -> None:
    arrivals = list(Plan(Profile.fixed(100), duration=5).arrivals())
    assert arrivals == [(index, index / 100) for index in range(500)]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_the_union_over_the_shards_is_one_and_the_same_stream(plan: Plan, shards: int) -> None:
    union = sorted(arrival for shard in range(shards) for arrival in plan.arrivals(shard, shards))
    assert union == list(plan.arrivals())
    assert plan.planned() == len(union) > 0
    assert sum(plan.planned(shard, shards) or 0 for shard in range(shards)) == len(union)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_times_rise_and_indexes_count_up(plan: Plan) -> None:
    arrivals = list(plan.arrivals())
    assert [index for index, _ in arrivals] == list(range(len(arrivals)))
    assert all(earlier <= later for (_, earlier), (_, later) in pairwise(arrivals))
    assert all(time < plan.duration for _, time in arrivals)


@pytest.mark.parametrize(
    ("plan", "planned"),
    [
        (Plan(Profile.fixed(10), calls=25, duration=2), 20),
        (Plan(Profile.fixed(10), calls=15, duration=2), 15),
        (Plan(Profile.fixed(0.3), duration=10), 3),
        (Plan(Profile.fixed(10)), None),
        (Plan(Profile.fixed(0)), 0),
        (Plan(Profile.steps((10, 5), (20, 5))), 150),
        (Plan(Profile.ramp(10, 200, 60), duration=60), 6300),
        (Plan(Profile(())), 0),
        (Plan(Profile.fixed(10), "poisson", calls=12), 12),
    ],
)
def test_planned_counts_all_shards(plan: Plan, planned: int | None) -> None:
    assert plan.planned() == planned


def test_an_endless_plan_goes_on() -> None:
    assert list(islice(Plan(Profile.fixed(4)).arrivals(1, 2), 3)) == [(1, 0.25), (3, 0.75), (5, 1.25)]


def test_steps_start_calls_at_each_steps_own_spacing() -> None:
    times = [time for _, time in Plan(Profile.steps((2, 1), (0, 3), (4, 1))).arrivals()]
    assert times == [0.0, 0.5, 4.0, 4.25, 4.5, 4.75]


@pytest.mark.parametrize(
    ("profile", "until", "calls"),
    [
        (Profile.ramp(0, 100, 10), 5, 125),
        (Profile.ramp(0, 100, 10), 10, 500),
        (Profile.ramp(100, 0, 10), 10, 500),
        (Profile.ramp(20, 60, 10), 15, 400 + 300),
    ],
)
def test_a_ramp_starts_as_many_calls_as_the_area_below_it(profile: Profile, until: float, calls: int) -> None:
    started = [time for _, time in Plan(profile, duration=until).arrivals()]
    assert len(started) == pytest.approx(calls, abs=1)


def test_poisson_arrivals_have_the_mean_and_spread_of_a_poisson_process() -> None:
    times = [time for _, time in Plan(Profile.fixed(100), "poisson", seed=5, calls=20000).arrivals()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(0.01, rel=0.03)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)


def test_the_seed_decides_the_poisson_arrivals() -> None:
    def first(seed: int) -> list[tuple[int, float]]:
        return list(Plan(Profile.fixed(1), "poisson", seed=seed, calls=20).arrivals())

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.parametrize(
    ("profile", "rates"),
    [
        (Profile.fixed(10), [10, 10, 10, 10]),
        (Profile.ramp(10, 30, 2), [10, 20, 30, 30]),
        (Profile.steps((1, 1), (2, 1.5)), [1, 2, 2, 0]),
    ],
)
def test_the_commanded_rate_at_a_time(profile: Profile, rates: list[float]) -> None:
    assert [profile.rate_at(time) for time in (0, 1, 2, 3)] == rates


def test_the_configuration_of_a_load_is_a_plan() -> None:
    load = LoadConfig("sip:127.0.0.1", rate=5, arrival="poisson", calls=10, seed=9)
    assert Plan.of(load) == Plan(Profile.fixed(5), "poisson", 9, 10, inf)
    assert Plan.of(LoadConfig("sip:127.0.0.1", rate=5, duration=2)).planned() == 10


@pytest.mark.parametrize(
    "segments",
    [
        (Segment(-1, 1, 1),),
        (Segment(1, 1, 0),),
        (Segment(1, 2, inf),),
        (Segment(1, 1, inf), Segment(1, 1, 1)),
        (Segment(inf, inf, 1),),
    ],
)
def test_a_profile_that_cannot_be_is_refused(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match="segment"):
        Profile(segments)


def test_an_unknown_arrival_or_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="arrival 'random'"):
        Plan(Profile.fixed(1), "random")
    with pytest.raises(ValueError, match="shard 2"):
        next(Plan(Profile.fixed(1)).arrivals(2, 2))


def test_a_load_with_a_profile_has_its_segments_and_its_last_rate_goes_on() -> None:
    load = LoadConfig("sip:a@127.0.0.1", profile=((0.0, 20.0, 10.0), (20.0, 20.0, 0.0)), calls=300)
    plan = Plan.of(load)
    assert plan.planned() == 300
    assert plan.end == pytest.approx(20.0)
    assert [plan.rate_at(each) for each in (5.0, 15.0, 20.5)] == [10.0, 20.0, 0.0]


@pytest.mark.parametrize(
    ("plan", "end"),
    [
        (Plan(Profile.fixed(10), calls=50), 5.0),
        (Plan(Profile.fixed(10), calls=50, duration=3.0), 3.0),
        (Plan(Profile.steps((10, 2), (5, 3))), 5.0),
        (Plan(Profile.steps((10, 2)), calls=1000), 2.0),
    ],
)
def test_a_plan_ends_with_its_calls_its_duration_or_its_profile(plan: Plan, end: float) -> None:
    assert plan.end == pytest.approx(end)


@pytest.mark.parametrize("arrival", ["fixed", "poisson"])
def test_a_changed_rate_goes_on_with_the_indexes_of_each_shard(arrival: str) -> None:
    plan = Plan(Profile.fixed(10), arrival, calls=1000, duration=40.0)
    shares = [list(plan.continued(50.0, 20.0, 200 + shard, shard, 3)) for shard in range(3)]
    assert all(index % 3 == (200 + shard) % 3 for shard, share in enumerate(shares) for index, _ in share)
    every = sorted(time for share in shares for _, time in share)
    assert every[0] >= 20.0
    assert every[-1] < 40.0
    assert len(every) == pytest.approx(800, abs=60)
    assert sum(20.0 <= time < 30.0 for time in every) == pytest.approx(500, abs=2 if arrival == "fixed" else 80)


def test_no_rate_is_a_pause_and_the_duration_still_ends_the_plan() -> None:
    plan = Plan(Profile.fixed(10), duration=5.0)
    assert list(plan.continued(0.0, 1.0, 10)) == []
    assert [time for _, time in plan.continued(2.0, 4.0, 10)] == [4.0, 4.5]
