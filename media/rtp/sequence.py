"""RTP sequence numbers of one source: extension to more than 16 bits, probation's neighbour rules, loss, duplicates.

RFC 3550 A.1 (validity, restart of a source) and A.3 (expected and lost), made exact. Each of the newest 512 sequence
numbers is marked as received or not, so that a duplicate is distinguished from a packet that was only late. It must not
depend on time, timestamps or payload.
"""

from enum import IntEnum

MAX_DROPOUT = 3000
"""A jump ahead by at least this much is no loss but a restart, or a stray packet (RFC 3550 A.1)."""
MAX_MISORDER = 100
"""A packet at least this far behind is no late one (RFC 3550 A.1)."""

_WINDOW = 512
_WINDOW_MASK = (1 << _WINDOW) - 1


class Verdict(IntEnum):
    """What a packet's sequence number means."""

    NEW = 0
    """The next one, or a later one after a loss."""
    REORDERED = 1
    """New, but a later one came first."""
    DUPLICATE = 2
    """Was received before."""
    OUTSIDE = 3
    """Too far off to belong; a second one in sequence after it restarts the source (RFC 3550 A.1)."""
    RESTARTED = 4
    """The source began again with another sequence number; this packet is the second of the new count."""


NEW = Verdict.NEW
REORDERED = Verdict.REORDERED
DUPLICATE = Verdict.DUPLICATE
OUTSIDE = Verdict.OUTSIDE
RESTARTED = Verdict.RESTARTED


class SequenceTracker:
    """Counts one source's packets by their sequence numbers."""

    __slots__ = (
        "_before",
        "_run_start",
        "_unreceived",
        "_wanted_for_restart",
        "base",
        "duplicates",
        "earlier_expected",
        "highest",
        "loss_runs",
        "reordered",
    )

    def __init__(self, sequence_number: int) -> None:
        """Begin before the source's first packet, which is to be counted like any other.

        Args:
            sequence_number: of that packet, 0 to 65535.
        """
        self.base = sequence_number
        """Extended sequence number of the first packet of this count."""
        self.highest = sequence_number - 1
        """Extended highest sequence number: cycles * 65536 + sequence number."""
        self.duplicates = 0
        """Packets that had been received before."""
        self.reordered = 0
        """Packets that were new but came after a later one."""
        self.loss_runs = 0
        """Runs of consecutive losses that are still open: the bursts of G.107's BurstR."""
        self.earlier_expected = 0
        """Packets expected before the last restart."""
        self._run_start = sequence_number  # everything from here to `highest` was received
        self._unreceived = self.highest  # `highest` less the packets received: the next one in order leaves it as it is
        self._before = 0  # bit i: whether `_run_start - 1 - i` was received
        self._wanted_for_restart = -1

    @property
    def received(self) -> int:
        """Packets since the first one of the source, duplicates and restarts included."""
        return self.highest - self._unreceived

    @property
    def expected(self) -> int:
        """Packets expected by their sequence numbers (RFC 3550 A.3), over all restarts."""
        return self.earlier_expected + self.highest - self.base + 1

    @property
    def unique(self) -> int:
        """Packets received, each counted once, over all restarts."""
        return self.received - self.duplicates

    @property
    def lost(self) -> int:
        """Expected minus received (RFC 3550 A.3), duplicates not counted as received, never below zero."""
        return max(0, self.expected - self.unique)

    @property
    def burst_ratio(self) -> float:
        """ITU-T G.107 BurstR: mean length of the loss runs over that of independent losses, at least 1."""
        lost = self.lost
        if not lost or not self.loss_runs:
            return 1.0
        return max(1.0, lost / self.loss_runs * (1.0 - lost / self.expected))

    def count(self, sequence_number: int) -> Verdict:
        """Take one packet of the source.

        Args:
            sequence_number: 0 to 65535.

        Returns:
            what it means; only OUTSIDE is not counted as received.
        """
        ahead = (sequence_number - self.highest) & 0xFFFF
        if ahead == 1:
            self.highest += 1
            return NEW
        return self._count_irregular(sequence_number, ahead)

    def _count_irregular(self, sequence_number: int, ahead: int) -> Verdict:
        """Anything but the next packet in order; `ahead` is its distance modulo 65536."""
        if 0 < ahead < MAX_DROPOUT:
            self._jump(ahead)
            return NEW
        if MAX_DROPOUT <= ahead <= 0x10000 - MAX_MISORDER:
            if sequence_number != self._wanted_for_restart:
                self._wanted_for_restart = (sequence_number + 1) & 0xFFFF
                return OUTSIDE
            self._restart(sequence_number)
            return RESTARTED
        return self._count_behind((0x10000 - ahead) & 0xFFFF)

    def _jump(self, ahead: int) -> None:
        """`ahead - 1` packets are missing before a new highest one."""
        run = self.highest - self._run_start + 1
        if run >= _WINDOW:
            self._before = _WINDOW_MASK
        else:
            self._before = (self._before << run | ((1 << run) - 1)) & _WINDOW_MASK
        missing = ahead - 1
        if missing:
            self._before = (self._before << missing) & _WINDOW_MASK if missing < _WINDOW else 0
            self.loss_runs += 1
        self.highest += ahead
        self._unreceived += missing
        self._run_start = self.highest

    def _count_behind(self, back: int) -> Verdict:
        """A packet `back` places behind the highest one: late or a duplicate."""
        self._unreceived -= 1
        place = self._run_start - 1 - (self.highest - back)
        if place < 0 or self._before >> place & 1:
            self.duplicates += 1
            return DUPLICATE
        if self.highest - back < self.base:
            # Sent before the first packet that came: expected moves with it.
            if self.base - (self.highest - back) > 1:
                self.loss_runs += 1
            self.base = self.highest - back
        else:
            newer = place == 0 or self._before >> (place - 1) & 1
            older = self._before >> (place + 1) & 1
            if newer and older:
                self.loss_runs -= 1
            elif not newer and not older:
                self.loss_runs += 1
        self._before |= 1 << place
        self.reordered += 1
        return REORDERED

    def _restart(self, sequence_number: int) -> None:
        """Count anew from this packet; the one before it was discarded as stray when it came (RFC 3550 A.1)."""
        self.earlier_expected = self.expected
        received = self.received
        self._before = 0
        self.base = self.highest - self.highest % 0x10000 + 0x10000 + sequence_number
        self.highest = self.base
        self._run_start = self.highest
        self._wanted_for_restart = -1
        self._unreceived = self.highest - received - 1
