"""What an action of a scenario file asks of the call: a failure, another step, or something outside of the call.

Actions themselves change variables only. The machine hands out the rest, in the order of the actions.
"""

from dataclasses import dataclass
from enum import Enum

from .stop import Stop


class CheckFailure(Enum):
    """Why a check of an action has failed."""

    REGEXP = "regexp"
    """`check_it`: the expression of `ereg` does not match."""
    REGEXP_MATCHED = "regexp_matched"
    """`check_it_inverse`: it does."""
    HEADER_MISSING = "header_missing"
    """The message has no header in which `ereg` is to search."""
    TEST = "test"
    """`check_it` of `test`: the comparison does not hold."""
    TEST_HELD = "test_held"
    """`check_it_inverse` of `test`: it does."""
    STRCMP = "strcmp"
    """`check_it` of `strcmp`: the texts are different."""
    STRCMP_EQUAL = "strcmp_equal"
    """`check_it_inverse` of `strcmp`: they are equal."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The call has failed; as in SIPp it goes on to its end."""

    failure: CheckFailure
    text: str
    """What was expected, and what there was."""


@dataclass(frozen=True, slots=True)
class ScenarioFault:
    """The file asked for something impossible, or for an error (`error`): the call ends."""

    text: str


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at a step."""

    step: int
    """Its number, from 0."""


@dataclass(frozen=True, slots=True)
class RestorePause:
    """Go on with a pause that an unexpected message broke off."""

    until: float
    """The time of its end, as `_unexp.pausedaddr` has it."""


class Loudness(Enum):
    """Where a line of a file goes."""

    LOG = "log"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Say:
    """Write a line: `log`, `warning`."""

    loudness: Loudness
    text: str


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a command of the shell: `exec command`."""

    command: str


@dataclass(frozen=True, slots=True)
class PlayCapture:
    """Send the RTP packets of a capture: `exec play_pcap_audio`."""

    path: str


@dataclass(frozen=True, slots=True)
class PlayDigits:
    """Send digits as telephone events: `exec play_dtmf`."""

    digits: str


@dataclass(frozen=True, slots=True)
class StreamFile:
    """Send a file as RTP: `exec rtp_stream`."""

    path: str
    loops: int
    """How often; -1 = until the end of the call."""
    payload_type: int
    """-1 = that of the session description."""
    codec: str
    """As in `a=rtpmap`, such as `PCMA/8000`; empty = that of the payload type."""


class StreamControl(Enum):
    """What is done to a file that is being sent: `exec rtp_stream`."""

    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class EchoMedia:
    """Send received RTP back, or cease to: `rtp_echo`."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetDestination:
    """Send the following messages of the call to another place: `setdest`."""

    host: str
    port: int
    transport: str
    """In lower case: udp, tcp, tls."""


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the connection of the call: `closecon`."""


@dataclass(frozen=True, slots=True)
class TellOther:
    """Give a command to the other file of the same call: `sendCmd`."""

    text: str


Result = (
    Failed
    | ScenarioFault
    | Jump
    | RestorePause
    | Say
    | Stop
    | RunCommand
    | PlayCapture
    | PlayDigits
    | StreamFile
    | StreamControl
    | EchoMedia
    | SetDestination
    | CloseConnection
    | TellOther
)
"""What one action may ask for, and `sendCmd`."""
