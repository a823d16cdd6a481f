"""A generator whose own system refuses its packets is not healthy: no route, or an interface that is down."""

import pytest

from sipswarm.actors.bus.messages import Snapshot
from sipswarm.actors.load.health import PACKETS, SEND_ERRORS, Health


def beat(number: int, at: float, packets: int, refused: int) -> Snapshot:
    """A snapshot of a media worker whose packets the system has refused in part."""
    rows = ((PACKETS, ("sent", "pcmu"), (float(packets),)), (PACKETS, ("received", "pcmu"), (0.0,)))
    return Snapshot(number, at, 0, (*rows, (SEND_ERRORS, (), (float(refused),))))


@pytest.mark.parametrize(
    ("refused", "healthy"), [((0, 10), True), ((0, 11), False), ((500, 500), True)], ids=["1 %", "more", "before"]
)
def test_more_than_one_in_a_hundred_is_a_reason(refused: tuple[int, int], healthy: bool) -> None:
    health = Health()
    health.observe("media-0", 1, beat(1, 0.0, 1000, refused[0]))
    health.begin()
    health.observe("media-0", 1, beat(2, 1.0, 2000, refused[1]))
    figures = health.figures(None)
    assert figures.healthy is healthy
    reason = "media-0: the system refused to send RTP (no route, an interface that is down, a firewall)"
    assert figures.reasons == (() if healthy else (reason,))


def test_a_refusal_in_one_window_of_a_long_run_is_a_reason() -> None:
    health = Health()
    health.begin()
    for second in range(100):
        health.observe("media-0", 1, beat(second + 1, float(second), 1000 * second, 200 if second >= 50 else 0))
    assert not health.figures(None).healthy
