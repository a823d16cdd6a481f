"""Arrival times: exact for a fixed rate, the same stream for every number of shards and of call workers in them."""

from functools import partial
from itertools import islice, pairwise, takewhile
from math import inf
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sipswarm.actors.config import LoadConfig
from sipswarm.actors.load.schedule import ARRIVALS, Plan, Profile, Segment, Share, Stream, random_digits

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
    union = sorted(arrival for shard in range(shards) for arrival in plan.arrivals(Share(shard, shards)))
    assert union == list(plan.arrivals())
    assert plan.planned() == len(union) > 0
    assert sum(plan.planned(Share(shard, shards)) or 0 for shard in range(shards)) == len(union)


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
    assert list(islice(Plan(Profile.fixed(4)).arrivals(Share(1, 2)), 3)) == [(1, 0.25), (3, 0.75), (5, 1.25)]


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
        Share(2, 2)
    with pytest.raises(ValueError, match="worker 1"):
        Share(slot=1)


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
def test_a_changed_rate_holds_from_its_moment_on(arrival: str) -> None:
    plan = Plan(Profile.fixed(10), arrival, calls=1000, duration=40.0)
    changed = plan.changed(50.0, 20.0)
    before, after = list(plan.arrivals()), list(changed.arrivals())
    assert [each for each in after if each[1] < 20.0] == [each for each in before if each[1] < 20.0]
    times = [time for _, time in after]
    assert sum(20.0 <= time < 30.0 for time in times) == pytest.approx(500, abs=2 if arrival == "fixed" else 80)
    assert [index for index, _ in after] == list(range(len(after)))
    assert changed.planned() == len(after)
    assert times[-1] < 40.0


def test_no_rate_is_a_pause_and_the_duration_still_ends_the_plan() -> None:
    paused = Plan(Profile.fixed(10), duration=5.0).changed(0.0, 1.0)
    assert paused.planned() == 10, "what would start just then waits"
    resumed = paused.changed(2.0, 3.5)
    assert [time for _, time in resumed.arrivals()][10:] == [3.5, 4.0, 4.5]
    assert resumed.planned() == 13


@pytest.mark.parametrize(
    ("profile", "seconds"),
    [
        (((10.0, 10.0, 5.0),), 5.0),
        (((10.0, 0.0, 4.0), (0.0, 0.0, 0.0)), 4.0),
        (((1.0, 1.0, 2.0), (9.0, 9.0, 0.0)), inf),
    ],
)
def test_a_profile_that_ends_does_so_whatever_is_commanded(
    profile: tuple[tuple[float, float, float], ...], seconds: float
) -> None:
    plan = Plan.of(LoadConfig("sip:a@127.0.0.1", profile=profile))
    assert plan.closes == seconds
    changed = plan.changed(100.0, 2.0)
    assert changed.closes == seconds
    if seconds < inf:
        assert plan.changed(100.0, seconds) is plan
        assert max(time for _, time in changed.arrivals()) == pytest.approx(seconds, abs=0.011)
        assert changed.planned() == len(list(changed.arrivals()))
    else:
        assert changed.planned() is None


def test_a_share_that_had_nothing_more_to_start_goes_on_when_the_rate_rises() -> None:
    stream = Stream(Plan(Profile.fixed(1), duration=3), Share(slot=2, workers=3))
    stream.advance()
    assert (stream.next, stream.closes) == (None, 3.0)
    stream.change(100.0, 2.5)
    assert stream.next is not None
    assert stream.next[0] == 5
    assert 2.5 <= stream.next[1] < 3.0
    done = Stream(Plan(Profile.fixed(1), calls=2), Share(2, 3))
    assert (done.next, done.closes) == (None, 0.0)


RATES = st.floats(0.5, 40)
TIMES = st.floats(0.2, 8)
PROFILES = st.one_of(
    RATES.map(Profile.fixed),
    st.builds(Profile.ramp, st.floats(0, 40), RATES, TIMES),
    st.lists(st.tuples(st.floats(0, 40), TIMES), min_size=1, max_size=4).map(lambda steps: Profile.steps(*steps)),
)
ENDS = st.one_of(
    st.fixed_dictionaries({"calls": st.integers(1, 120)}),
    st.fixed_dictionaries({"duration": st.floats(0.1, 10)}),
    st.fixed_dictionaries({"calls": st.integers(1, 120), "duration": st.floats(0.1, 10)}),
)
CHANGES = st.lists(st.tuples(st.one_of(st.just(0.0), RATES), st.floats(0, 6)), max_size=3).map(
    lambda changes: sorted(changes, key=lambda change: change[1])
)


@settings(deadline=None, max_examples=300)
@given(PROFILES, st.sampled_from(ARRIVALS), st.integers(-3, 50), ENDS, CHANGES, st.lists(st.integers(1, 5), min_size=1))
def test_every_arrival_is_in_one_share_at_the_same_time_however_they_are_cut(
    profile: Profile, arrival: str, seed: int, end: dict[str, Any], changes: list[tuple[float, float]], hosts: list[int]
) -> None:
    """hosts: the call workers of each shard. changes: rates that are commanded, and when."""
    plan = Plan(profile, arrival, seed, **end)
    changed = plan
    for rate, at in changes:  # an arrival at the very moment of a change may fall on either side of it
        assume(all(abs(time - at) > 1e-9 for _, time in takewhile(partial(_until, at + 1e-6), changed.arrivals())))
        changed = changed.changed(rate, at)
    whole = list(islice(changed.arrivals(), 2000))
    found: list[tuple[int, float]] = []
    for shard, workers in enumerate(hosts):
        of_shard = Share(shard, len(hosts))
        started = 0
        for slot in range(workers):
            stream = Stream(plan, Share(shard, len(hosts), slot, workers))
            for rate, at in changes:
                while stream.next is not None and stream.next[1] < at:
                    found.append(stream.next)
                    started += 1
                    stream.advance()
                stream.change(rate, at)
            while stream.next is not None and stream.next[0] < 2000:
                found.append(stream.next)
                started += 1
                stream.advance()
        if len(whole) < 2000:
            assert changed.planned(of_shard) in (started, None)
    found.sort()
    assert [index for index, _ in found] == [index for index, _ in whole]
    # a ramp that is cut off has the same slope but for the last digit
    assert [time for _, time in found] == pytest.approx([time for _, time in whole], abs=1e-9)
    if not changes:
        assert found == whole
    assert sum(changed.planned(Share(shard, len(hosts))) or 0 for shard in range(len(hosts))) in (changed.planned(), 0)


def _until(end: float, arrival: tuple[int, float]) -> bool:
    return arrival[1] <= end


@given(st.integers(0, 1000), st.integers(1, 40))
def test_the_bounds_of_the_shards_add_up_to_the_limit(limit: int, shards: int) -> None:
    bounds = [Share(shard, shards).bound(limit) for shard in range(shards)]
    assert sum(bounds) == limit
    assert max(bounds) - min(bounds) <= 1


def test_random_digits_depend_on_seed_and_index_alone_and_differ() -> None:
    digits = [random_digits("????", 1, index) for index in range(1000)]
    assert digits == [random_digits("????", 1, index) for index in range(1000)]
    assert len(set(digits)) > 900
    assert digits != [random_digits("????", 2, index) for index in range(1000)]
    assert digits != [random_digits("????", -1, index) for index in range(1000)]
    assert {len(each) for each in digits} == {4}
    assert all(each in "".join(digits) for each in "0123456789")
    mixed = random_digits("1?#*A?", 1, 7)
    assert (mixed[0], mixed[2:5]) == ("1", "#*A")
    assert random_digits("12", 1, 0) == "12"
