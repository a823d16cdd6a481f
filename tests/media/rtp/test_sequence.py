"""Sequence numbers of one source (RFC 3550 A.1, A.3), against lists of what came."""

import random

import pytest

from sipswarm.media.rtp.sequence import MAX_DROPOUT, SequenceTracker, Verdict

N, R, D, O, S = Verdict.NEW, Verdict.REORDERED, Verdict.DUPLICATE, Verdict.OUTSIDE, Verdict.RESTARTED  # noqa: E741


def counted(numbers: list[int]) -> tuple[SequenceTracker, list[Verdict]]:
    tracker = SequenceTracker(numbers[0])
    return tracker, [tracker.count(number) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "verdicts", "lost", "duplicates", "reordered"),
    [
        pytest.param([1, 2, 3], [N, N, N], 0, 0, 0, id="in order"),
        pytest.param([0, 1, 2], [N, N, N], 0, 0, 0, id="from zero"),
        pytest.param([65534, 65535, 0, 1], [N, N, N, N], 0, 0, 0, id="over the wrap"),
        pytest.param([1, 4], [N, N], 2, 0, 0, id="two lost"),
        pytest.param([65534, 1], [N, N], 2, 0, 0, id="two lost over the wrap"),
        pytest.param([1, 2, 2, 3], [N, N, D, N], 0, 1, 0, id="the newest again"),
        pytest.param([1, 2, 3, 1], [N, N, N, D], 0, 1, 0, id="an old one again"),
        pytest.param([1, 3, 2, 4], [N, N, R, N], 0, 0, 1, id="two changed places"),
        pytest.param([1, 3, 2, 2], [N, N, R, D], 0, 1, 1, id="a late one again"),
        pytest.param([1, 4, 2, 3, 5], [N, N, R, R, N], 0, 0, 2, id="a gap filled from below"),
        pytest.param([5, 4, 6], [N, R, N], 0, 0, 1, id="one sent before the first that came"),
        pytest.param([5, 2, 6], [N, R, N], 2, 0, 1, id="one long before the first that came"),
        pytest.param([1, 2, 20000, 3], [N, N, O, N], 0, 0, 0, id="a stray number"),
        pytest.param([1, 2, 20000, 20001, 20002], [N, N, O, S, N], 0, 0, 0, id="a restart"),
        pytest.param([30000, 30001, 0, 1, 2], [N, N, O, S, N], 0, 0, 0, id="a restart at zero"),
        pytest.param([30000, 30001, 0, 2, 3], [N, N, O, O, S], 0, 0, 0, id="a restart with a hole"),
        pytest.param([100, 65500, 101], [N, O, N], 0, 0, 0, id="far behind"),
    ],
)
def test_a_list_of_numbers_gives_these_counts(
    numbers: list[int], verdicts: list[Verdict], lost: int, duplicates: int, reordered: int
) -> None:
    tracker, got = counted(numbers)
    assert got == verdicts
    assert (tracker.lost, tracker.duplicates, tracker.reordered) == (lost, duplicates, reordered)


def test_expected_is_unique_and_lost_over_restarts() -> None:
    tracker, _ = counted([1, 2, 4, 4, 40000, 40001, 40003])
    assert (tracker.expected, tracker.unique, tracker.lost, tracker.duplicates) == (7, 5, 2, 1)


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([1, 2, 3], 0),
        ([1, 3, 5], 2),
        ([1, 4], 1),
        ([1, 4, 2], 1),
        ([1, 5, 3], 2),
        ([1, 5, 2, 3, 4], 0),
        ([1, 3, 2], 0),
    ],
)
def test_loss_runs_follow_what_fills_them(numbers: list[int], runs: int) -> None:
    tracker, _ = counted(numbers)
    assert tracker.loss_runs == runs


def test_burst_ratio_is_one_for_single_losses_and_more_for_bursts() -> None:
    single, _ = counted([n for n in range(1000) if n % 10])
    burst, _ = counted([n for n in range(1000) if not 500 <= n < 600])
    none, _ = counted([1, 2])
    assert none.burst_ratio == 1.0
    assert single.burst_ratio == 1.0
    assert burst.burst_ratio == pytest.approx(100 * 0.9)


def test_a_jump_of_max_dropout_is_no_loss() -> None:
    tracker, verdicts = counted([10, 10 + MAX_DROPOUT - 1])
    assert verdicts[1] is N
    assert tracker.lost == MAX_DROPOUT - 2
    _, verdicts = counted([10, 10 + MAX_DROPOUT])
    assert verdicts[1] is O


def test_random_loss_duplication_and_reordering_equal_a_set_of_numbers() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        first = rng.randrange(65536)
        sent = list(range(first, first + 1500))
        came = [n for n in sent if n == first or rng.random() > 0.1]
        for _ in range(100):
            place = rng.randrange(1, len(came) - 1)
            came.insert(min(len(came), place + rng.randrange(15)), came[place])
        for _ in range(60):
            place = rng.randrange(1, len(came) - 20)
            came.insert(place + rng.randrange(1, 15), came.pop(place))
        tracker = SequenceTracker(first & 0xFFFF)
        seen: set[int] = set()
        for number in came:
            verdict = tracker.count(number & 0xFFFF)
            assert (verdict is D) == (number in seen), (seed, number)
            seen.add(number)
        assert tracker.expected == max(seen) - first + 1
        assert tracker.unique == len(seen)
        runs = sum(1 for n in range(first, max(seen)) if n in seen and n + 1 not in seen)
        assert tracker.loss_runs == runs, seed
