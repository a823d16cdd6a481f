"""The end of a run that a call of a scenario file of SIPp asks for: `exec int_cmd="stop_gracefully"` and `stop_now`."""

from typing import Final

from ...sipp.actions.stop import Stop
from ..run import Signals

STOP_NOW: Final = Stop.NOW.value
CUT_SHORT: Final = 105
"""Exit code of a run that `stop_now` ended, as of a load that a signal cut short."""


def obey(stops: str, signals: Signals) -> None:
    """End a run as a signal does, once.

    Args:
        stops: what calls have asked for, `stop_gracefully` or `stop_now`; empty = nothing.
        signals: of the verb.
    """
    if stops == STOP_NOW and not signals.interrupted:
        signals.stop_now()
    elif stops == Stop.GRACEFULLY.value and not signals.ended_early:
        signals.end_early()
