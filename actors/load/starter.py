"""The interface by which the load generator starts an arrival: a plain call, a request, or a run of a scenario."""

from collections.abc import Callable
from typing import Final

from ..config import CALL_METHOD, LoadConfig
from ..scripts import user_file
from ..sipp import scenario_file

PLAIN: Final = "call"
"""Label of the calls of a load without a scenario."""

DEFAULT_NAME: Final = "scenario"
"""Function of a Python file that a load names without one."""
Ended = Callable[[bool], None]
"""Called when a call or a run that was begun is over; True = it was held back by a local bound."""


def name_of(config: LoadConfig) -> str:
    """Return the label of a load's arrivals: the name of the scenario or of its file, or the method of requests."""
    if scenario_file.is_named(config.scenario):
        return scenario_file.label_of(config.scenario)
    if config.scenario:
        return user_file.split(config.scenario, DEFAULT_NAME)[1]
    return PLAIN if config.method == CALL_METHOD else config.method


def is_in_python(config: LoadConfig) -> bool:
    """Return whether the arrivals of a load are runs of a scenario in Python, which may place any number of calls."""
    return bool(config.scenario) and not scenario_file.is_named(config.scenario)


class Starter:
    """Begins one call, request or run for each arrival. The methods besides `begin` do nothing where that is enough."""

    label: str
    """Of the calls."""
    runs = False
    """Whether an arrival is a run of a scenario."""
    places_calls = True
    """Whether calls come of an arrival; False = a request outside of calls, a registration or a subscription."""

    async def set_up(self) -> str:
        """Prepare, before the first arrival.

        Returns:
            Why nothing can begin, empty = it can.
        """
        return ""

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Begin a call or a run; False = it is held back.

        Args:
            index: number of the arrival over all shards.
            planned: monotonic time at which it should start.
            ended: called when it is over.

        Raises:
            Overloaded: the call worker takes no more calls.
        """
        raise NotImplementedError

    @property
    def takes_time(self) -> bool:
        """Whether what is begun goes on for the time of a drain, as a call does."""
        return False

    @property
    def running(self) -> int:
        """Number of runs that are not over, though no call of theirs may be live."""
        return 0

    def cancel(self) -> None:
        """End them."""

    def finish(self) -> None:
        """End what lasts until no further arrival comes here."""

    def update_gauges(self) -> None:
        """Report what was counted since the heartbeat before."""
