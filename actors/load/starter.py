"""What the load generator starts when the schedule says so: a plain call, or a run of a scenario."""

from collections.abc import Callable
from typing import Final

PLAIN: Final = "call"
"""label of the calls of a load without a scenario"""

Ended = Callable[[bool], None]
"""called when something that was begun is over; True = it was held back by a bound of ours"""


class Starter:
    """Begins one thing for each arrival. The methods besides `begin` do nothing where that is enough."""

    label: str
    """of the calls"""

    async def set_up(self) -> str:
        """What comes before the first arrival; why nothing can begin, empty = it can."""
        return ""

    def begin(self, index: int, planned: float, ended: Ended) -> bool:
        """Begin something; False = it is held back.

        index: number of the arrival over all shards. planned: monotonic time at which it should start.

        Raises:
            Overloaded: the call worker takes no more calls.
        """
        raise NotImplementedError

    @property
    def running(self) -> int:
        """Number of pieces of work that are not over though no call of theirs may be live."""
        return 0

    def cancel(self) -> None:
        """End them."""
