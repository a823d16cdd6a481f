"""A scenario file with what its peer does, and what SIPp 3.6.1 does with it: a row of `test_same_file`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sipswarm.actors.sipp.call.settings import ALL_BEHAVIOURS, Behaviour, Settings
from sipswarm.actors.sipp.call.statistics import Failure

from .scripted_peer import Play

AS_3_6 = Settings(strict=True, behaviours=ALL_BEHAVIOURS - {Behaviour.BAD_CSEQ})
"""3.6.1 takes an ACK with any CSeq."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One file, and what its peer does."""

    name: str
    file: str
    play: Play
    names: Sequence[str]
    """The messages that the file sends, by method or status code."""
    failure: Failure | None = None
    octets: bool = False
    """Whether all octets are compared."""
    options: Sequence[str] = ()
    """Of SIPp."""
    settings: Settings = AS_3_6
    """The same of the machine."""
    peer_begins: bool = False
    calls: int = 1
    injection: str = ""
    """Contents of a file for `-inf`."""
    gaps: Sequence[float] = ()
    """Seconds from each message to the next, as far as they matter; see `SLACK` of `test_same_file`."""
    seconds: float = 15
    """SIPp is ended then."""
