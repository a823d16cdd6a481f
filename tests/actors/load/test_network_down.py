"""The network of a generator was away: its run is not to be trusted, and the verdict says which and when."""

from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.bus.outages import SECONDS
from sipswarm.actors.load.health import Health


def beat(number: int, at: float, **down: float) -> Snapshot:
    """A snapshot of a call worker that has counted seconds without a network, by interface."""
    return Snapshot(number, at, 0, tuple((SECONDS, (name,), (seconds,)) for name, seconds in down.items()))


def observed(*outages: tuple[float, float], step: float = 0.5, offset: float = 0.0, health: Health) -> None:
    """Show the snapshots of a minute of one call worker whose eth0 was down at some times."""
    number = 0
    while number * step <= 60.0:
        at = 1000.0 + offset + number * step
        total = sum(max(0.0, min(at, until) - since) for since, until in outages)
        health.observe(f"call-{offset}", 1, beat(number + 1, at, **({"eth0": total} if total else {})))
        number += 1


def reasons(*outages: tuple[float, float], workers: int = 1) -> tuple[str, ...]:
    """The reasons of a run that began at 1000 s."""
    health = Health()
    health.begin(1000.0)
    for worker in range(workers):
        observed(*outages, offset=0.17 * worker, health=health)
    figures = health.figures(None)
    assert figures.healthy is (not figures.reasons)
    return figures.reasons


def test_an_outage_is_named_with_its_interface_and_its_time() -> None:
    assert reasons() == ()
    assert reasons((1010.2, 1013.4)) == ("network: eth0 was down from 10.2 to 13.4 s of the run",)
    assert reasons((1010.2, 1060.0)) == ("network: eth0 was down from 10.2 to 60.0 s of the run",)


def test_two_outages_are_two_and_further_ones_are_said() -> None:
    assert reasons((1010.2, 1013.4), (1020.0, 1020.4)) == (
        "network: eth0 was down from 10.2 to 13.4, from 20.1 to 20.5 s of the run",
    )
    (words,) = reasons(*((1000.25 + at, 1001.25 + at) for at in range(2, 50, 5)))
    assert words.count("from") == 4
    assert words.endswith("s of the run, and later again")


def test_call_workers_that_see_the_same_outage_make_one_reason_of_it() -> None:
    assert reasons((1010.2, 1013.4), workers=4) == ("network: eth0 was down from 10.2 to 13.4 s of the run",)


def test_what_was_down_before_the_run_is_no_reason() -> None:
    health = Health()
    health.observe("call-0", 1, beat(1, 999.0, eth0=7.0))
    health.begin(1000.0)
    health.observe("call-0", 1, beat(2, 1000.0, eth0=7.0))
    assert health.figures(None).healthy
