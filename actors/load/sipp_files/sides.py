"""One scenario file of a load, ready for the calls of a worker: two of them are the sides of each call (3PCC)."""

from typing import NamedTuple

from ...sipp.call.script import Script
from ...sipp.call.surroundings import Surroundings
from ...sipp.variables import Value
from .call_streams import CallStreams


class Side(NamedTuple):
    """One file."""

    script: Script
    everyone: list[Value]
    """The values of its global variables."""
    surroundings: Surroundings
    """What keywords stand for in its calls."""
    streams: CallStreams
    """Gives its calls their media."""
