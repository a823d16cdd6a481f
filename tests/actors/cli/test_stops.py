"""What ends a run besides signals."""

from typing import cast

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.cli.loads.stops import CallLimit, obey
from sipswarm.actors.cli.run import Signals


class Row:
    """A call that is over, as far as it counts here."""

    def __init__(self, failure: str) -> None:
        self.failure = failure


@pytest.mark.parametrize(
    ("calls", "failures", "stops", "failed"),
    [
        (0, ["", "regexp"], "", 1),
        (2, [""], "", 0),
        (2, ["", "regexp"], "stop_gracefully", 1),
        (2, ["", "", ""], "stop_gracefully", 0),
    ],
)
def test_a_limit_is_reached_when_as_many_calls_are_over(
    calls: int, failures: list[str], stops: str, failed: int
) -> None:
    limit = CallLimit(calls)
    for failure in failures:
        limit.add(cast(CallFinished, Row(failure)))
    assert (limit.stops, limit.failed, limit.ended) == (stops, failed, len(failures))


@pytest.mark.parametrize(("stops", "drains"), [("", []), ("stop_gracefully", [30.0]), ("stop_now", [0.0])])
def test_what_is_asked_for_is_done_once(stops: str, drains: list[float]) -> None:
    found: list[float] = []
    signals = Signals(found.append, 30.0, lambda: None)
    signals.started()
    for _ in range(3):
        obey(stops, signals)
    assert found == drains
