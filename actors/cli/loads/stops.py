"""What ends a run besides signals: a call of a scenario file (`exec int_cmd`), or the calls of a robot (`-m`)."""

from typing import Final, final

from ...bus.messages import CallFinished
from ...sipp.actions.stop import Stop
from ..run import Signals

STOP_NOW: Final = Stop.NOW.value
CUT_SHORT: Final = 105
"""Exit code of a run that `stop_now` or a signal ended before its time, as of a load."""


@final
class CallLimit:
    """The number of calls after which a robot ends.

    Args:
        calls: 0 = there is none.
    """

    def __init__(self, calls: int) -> None:
        self.calls = calls
        """The number."""
        self.ended = 0
        """Calls that are over."""
        self.failed = 0
        """Those that have failed."""

    def add(self, row: CallFinished) -> None:
        """Count a call that is over."""
        self.ended += 1
        self.failed += bool(row.failure)

    @property
    def stops(self) -> str:
        """What `obey` is told; empty = calls are missing."""
        return Stop.GRACEFULLY.value if 0 < self.calls <= self.ended else ""


def obey(stops: str, signals: Signals) -> None:
    """End a run as a signal does, once.

    Args:
        stops: `stop_gracefully` or `stop_now`; empty = nothing.
        signals: of the verb.
    """
    if stops == STOP_NOW and not signals.interrupted:
        signals.stop_now()
    elif stops == Stop.GRACEFULLY.value and not signals.ended_early:
        signals.end_early()
