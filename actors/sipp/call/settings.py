"""How calls of a scenario file behave beyond the file: SIPp's options, with SIPp's defaults.

Times are in seconds.
"""

from dataclasses import dataclass
from enum import Enum


class Behaviour(Enum):
    """What a call does by itself, by the words of `-default_behaviors`."""

    BYE = "bye"
    """Send ACK, CANCEL or BYE when a call is given up, and 200 to a BYE or CANCEL that nobody expected."""
    ABORT_UNEXPECTED = "abortunexp"
    """Give up the call at a message that it did not expect; else it goes on, and may succeed."""
    PING_REPLY = "pingreply"
    """Answer PING."""
    BAD_CSEQ = "badcseq"
    """Take an ACK whose CSeq number is not that of the INVITE as unexpected (SIPp 3.7)."""


ALL_BEHAVIOURS = frozenset(Behaviour)
"""`-default_behaviors all`; `-nd` is the empty set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of a run that its calls depend on."""

    strict: bool = False
    """`--sipp-strict`: do as SIPp where the differences are deliberate."""
    behaviours: frozenset[Behaviour] = ALL_BEHAVIOURS
    """`-default_behaviors`."""
    auto_answer: bool = False
    """`-aa`: 200 to INFO, NOTIFY, OPTIONS and UPDATE that nobody expected."""
    repeats: bool = True
    """Whether messages are repeated over UDP, and repetitions recognized; `-nr` = no."""
    invite_repeats: int = 5
    """`-max_invite_retrans`: the most repetitions of an INVITE."""
    other_repeats: int = 10
    """`-max_non_invite_retrans`: the most repetitions of any other message."""
    t2: float = 4.0
    """`-T2`: the longest time between two repetitions, but those of an INVITE (RFC 3261 section 17.1.2.2)."""
    loose: bool = False
    """`-rtcheck loose`: a repetition has the same To, From, Call-ID, CSeq, and as a response first line and body."""
    receive_timeout: float = 0.0
    """`-recv_timeout`: how long a `recv` without a timeout of its own waits; 0 = without limit."""
    pause: float = 0.0
    """`-d`: length of a `pause` without a length."""
    base_cseq: int = 1
    """`-base_cseq`: the first `[cseq]`."""
    lost: float = 0.0
    """`-lost`: probability with which a message is dropped that the file gives none, 0 to 1."""
    ignored_in_pause: bool = False
    """`-pause_msg_ign`: messages that come in a pause are ignored."""
