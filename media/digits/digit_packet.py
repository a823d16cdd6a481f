"""What digits are on the wire (RFC 4733): event codes, what leaves for a digit, and the telephone-event of the peer.

Plain values without a state. Queues, times and the RTP header do not belong here. Digits are secrets (they may be
PINs): every repr masks them.
"""

from enum import Enum, auto
from typing import NamedTuple, Protocol

EVENTS = "0123456789*#ABCD"
"""The digit of event code 0-15 is the character at that index (RFC 4733 3.2)."""
CODE_OF = {digit: code for code, digit in enumerate(EVENTS)}
"""The event code of each digit."""
ALL_EVENTS = 0xFFFF
"""A set of event codes, bit n for code n, with those of all digits."""


class EventFormat(NamedTuple):
    """The telephone-event format of the peer."""

    payload_type: int = -1
    """-1 = it has none."""
    clock_rate: int = 8000
    """Hz, in which durations count (2.3.1)."""
    listed: int = ALL_EVENTS
    """The events that it takes (2.4.1), as a set."""

    @property
    def events(self) -> int:
        """The events that can be sent, as a set."""
        return self.listed if self.payload_type >= 0 else 0

    def lists(self, digits: str) -> bool:
        """Whether all digits of a string can be sent; other characters are pauses."""
        return self.listed == ALL_EVENTS or all(self.listed >> CODE_OF[each] & 1 for each in digits if each in CODE_OF)


class DigitKind(Enum):
    """What a `DigitPacket` is."""

    EVENT = auto()
    """A telephone-event payload."""
    TONE = auto()
    """A tone, encoded in the voice codec."""
    GAP = auto()
    """Silence that belongs to the digits: send silence or nothing, but not the source's audio."""


class DigitPacket(NamedTuple):
    """What replaces the audio of one packet interval while digits are sent."""

    kind: DigitKind
    """Whether the telephone-event payload type, the voice payload type or silence is meant."""
    payload: bytes
    """RTP payload; empty for a gap."""
    marker: bool
    """RTP marker bit: True in the first packet of an event only (RFC 4733 2.5.1.2)."""
    timestamp: int
    """RTP timestamp: start of the event or segment for an event, the packet's own for tone and gap."""

    def __repr__(self) -> str:
        return f"DigitPacket({self.kind.name}, <masked>, marker={self.marker}, timestamp={self.timestamp})"


class ToneSource(Protocol):
    """Renders digits as audio; `inband.ToneGenerator` is one."""

    def frame(self, digit: str, start: int, samples: int, total: int) -> bytes:
        """Payload of `samples` samples from sample `start` of a tone of `total` samples; silence after its end."""
        ...


class Reformed(NamedTuple):
    """What another format leaves of the digits under way."""

    ends: tuple[DigitPacket, ...]
    """Event packets that are still to leave in the old format, at once."""
    taken_back: tuple[tuple[int, int], ...]
    """Requests that cannot go on: number, and how many digits and pauses at their end are dropped."""
