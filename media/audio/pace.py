"""The audio of one stream against its time: what lacks though no gap and no number shows it, and what is too much.

A peer that sends a packet of 20 ms each 22 ms loses no packet and makes no gap, and a tenth of its audio is missing. So
the audio that came is compared with the time in which it was due. Three things are no loss, each up to a bound, and
from twice the bound on they count in full; in between what counts grows with them, so that no figure jumps:

- clocks that differ, by CLOCKS of the time: G.711 demands 50 parts in a million, and devices stay within 0.1 %;
- FEW packets, by which any two times of packets differ;
- short pauses, SETTLED seconds of them together.

Digits that stood instead of audio (RFC 4733) are audio here. Sans-IO; who finds the gaps is `presence`.
"""

from typing import Final

SETTLED: Final = 0.3
"""Seconds without a packet that are no missing media yet."""
SETTLED_START: Final = 0.5
"""The same before the first packet: a peer may begin so long after its answer."""
FEW: Final = 3
"""Packets whose time is no missing media yet, however long they are."""
CLOCKS: Final = 0.005
"""Share of the time by which clocks may differ."""


def beyond(value: float, bound: float) -> float:
    """What counts of a value: nothing up to the bound, all of it from twice the bound on."""
    return max(0.0, min(value, 2 * (value - bound)))


class Pace:
    """What of the time of one stream is not measured in packets of audio."""

    __slots__ = ("audio", "digits", "pauses", "restarts", "started_late")

    def __init__(self) -> None:
        self.audio = 0
        """Packets of audio that came while it was due, each once."""
        self.digits = 0.0
        """Seconds in which digits stood instead of audio."""
        self.pauses = 0.0
        """Seconds of pauses that were too short for gaps."""
        self.started_late = 0.0
        """Seconds before the first packet that are no missing media."""
        self.restarts = 0
        """Packets that were discarded because the numbers started anew with them (RFC 3550 A.1)."""

    def count(self, audio: int = 0, restarts: int = 0) -> None:
        """Count packets.

        Args:
            audio: of audio that came.
            restarts: discarded ones with which the numbers started anew; negative = they came before media was due.
        """
        self.audio += audio
        self.restarts += restarts

    def press(self, seconds: float) -> None:
        """Count time in which digits stood instead of audio.

        Args:
            seconds: of them.
        """
        self.digits += seconds

    def start_late(self, seconds: float) -> None:
        """Count time before the first packet that is no missing media.

        Args:
            seconds: of it.
        """
        self.started_late += seconds

    def pause(self, seconds: float, interval: float) -> None:
        """Count a pause.

        Args:
            seconds: without packets and digits.
            interval: seconds of audio in a packet.
        """
        self.pauses += max(0.0, seconds - FEW * interval)

    def short(self, due: float, elsewhere: float, audio: float, interval: float) -> int:
        """Packets that the time demands and nothing else shows: a peer that sends too slowly, or too little in each.

        Args:
            due: seconds.
            elsewhere: seconds that are known to be missing, or not missing, by something else than the time.
            audio: seconds of audio that came.
            interval: seconds of audio in a packet.
        """
        lacking = due - elsewhere - self.started_late - self.digits - audio
        lacking -= self.pauses - beyond(self.pauses, SETTLED)
        return round(beyond(lacking, max(FEW * interval, CLOCKS * due)) / interval)

    def surplus(self, due: float, audio: float, interval: float) -> int:
        """Packets of audio beyond the time: a peer that sends too fast, or too much in each.

        Args:
            due, audio, interval: as for `short`.
        """
        return round(beyond(audio - due, max(SETTLED_START, CLOCKS * due)) / interval)
