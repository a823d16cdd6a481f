"""Which messages are poison: two deaths at the same octets within a time, for a time, and a bounded number of them."""

from sipswarm.actors.supervisor.poison import DEATHS, LASTS, MOST, WINDOW, Poison


def killed(poison: Poison, digest: int, *times: float) -> list[bool]:
    return [poison.died(digest, at) for at in times]


def test_the_second_death_at_a_message_makes_it_poison() -> None:
    poison = Poison(DEATHS)
    assert killed(poison, 5, 0.0, 1.0) == [False, True]
    assert list(poison.digests) == [5]


def test_deaths_at_different_messages_prove_nothing() -> None:
    poison = Poison(DEATHS)
    assert not any(poison.died(number, float(number)) for number in range(50))
    assert list(poison.digests) == []


def test_deaths_far_apart_prove_nothing() -> None:
    poison = Poison(DEATHS)
    assert killed(poison, 5, 0.0, WINDOW, 2 * WINDOW) == [False] * 3
    assert killed(poison, 5, 3 * WINDOW - 1) == [True]


def test_what_is_poison_is_so_for_a_time_after_the_last_death() -> None:
    poison = Poison(DEATHS)
    killed(poison, 5, 0.0, 1.0)
    assert not poison.forget(1.0 + LASTS - 0.1)
    assert list(poison.digests) == [5]
    assert poison.forget(1.0 + LASTS)
    assert list(poison.digests) == []
    assert killed(poison, 5, 2 * LASTS) == [False], "it has another chance"


def test_the_number_of_messages_is_bounded_and_the_oldest_goes_first() -> None:
    poison = Poison(DEATHS)
    for number in range(MOST + 3):
        killed(poison, number, *([0.0] * DEATHS))
    assert list(poison.digests) == list(range(3, MOST + 3))
    killed(poison, 1000, 1.0)
    for number in range(2000, 2000 + MOST):
        killed(poison, number, 1.0)
    assert killed(poison, 1000, 2.0) == [False], "its one death is forgotten"


def test_one_that_does_no_harm_is_cleared_and_poison_is_not() -> None:
    poison = Poison(3)
    killed(poison, 5, 0.0, 1.0)
    assert poison.suspects == (5,)
    assert poison.clear(5)
    assert killed(poison, 5, 2.0, 3.0, 4.0) == [False, False, True], "three without anything between"
    assert not poison.clear(5)
    assert poison.digests == (5,)
