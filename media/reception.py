"""Reception statistics of one source: RFC 3550 A.1 (sequence), A.3 (loss) and A.8 (jitter), all in integers.

What RTCP report blocks and the E-model are made of. Knows nothing of sockets, payload or who the source is.
"""

from .rtcp import ReportBlock
from .sequence import NEW, OUTSIDE, RESTARTED, SequenceTracker, Verdict

_M32 = 0xFFFFFFFF


class Reception(SequenceTracker):
    """One SSRC as we receive it."""

    __slots__ = (
        "_expected_before",
        "_received_before",
        "_transit",
        "clock_rate",
        "jitter16",
        "jitter16_max",
        "last_sr",
        "last_sr_at",
        "ssrc",
    )

    def __init__(self, ssrc: int, sequence_number: int, clock_rate: int = 8000) -> None:
        """Begin before a source's first packet, which is to be received like any other.

        ssrc: 32 bit. sequence_number: of that packet. clock_rate: RTP clock in Hz.
        """
        super().__init__(sequence_number)
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.jitter16 = 0
        """Interarrival jitter in sixteenths of a clock unit (RFC 3550 A.8)."""
        self.jitter16_max = 0
        """Its highest value."""
        self.last_sr = 0
        """Middle 32 bits of the NTP time of the source's last sender report; 0 = none came."""
        self.last_sr_at = 0.0
        """When that report came."""
        self._transit = -1
        self._expected_before = 0
        self._received_before = 0

    def receive(self, sequence_number: int, timestamp: int, arrival: int) -> Verdict:
        """Count one packet of audio and its arrival.

        sequence_number: 0 to 65535. timestamp: of the RTP header. arrival: time of arrival in clock units, any
        origin. Returns what the sequence number means.
        """
        ahead = (sequence_number - self.highest) & 0xFFFF
        if ahead == 1:
            self.highest += 1
            self.received += 1
            verdict = NEW
        else:
            verdict = self._count_irregular(sequence_number, ahead)
            if verdict == OUTSIDE:
                return verdict
            if verdict == RESTARTED:
                self._transit = -1
        transit = (arrival - timestamp) & _M32
        before = self._transit
        self._transit = transit
        if before < 0:
            return verdict
        difference = (transit - before) & _M32
        if difference > 0x7FFFFFFF:
            difference = 0x100000000 - difference
        if difference > self.clock_rate:
            # More than a second is a jump of the peer's clock (RELIABILITY B8), not the network's jitter.
            return verdict
        jitter = self.jitter16
        jitter += difference - ((jitter + 8) >> 4)
        self.jitter16 = jitter
        if jitter > self.jitter16_max:
            self.jitter16_max = jitter
        return verdict

    @property
    def jitter(self) -> int:
        """Interarrival jitter in clock units, as reports carry it."""
        return self.jitter16 >> 4

    def sender_report(self, ntp_middle: int, now: float) -> None:
        """Note the source's sender report. ntp_middle: middle 32 bits of its NTP time. now: seconds, monotonic."""
        self.last_sr = ntp_middle
        self.last_sr_at = now

    def report_block(self, now: float) -> ReportBlock:
        """The block about this source for our next report; fraction lost counts from the block before (A.3)."""
        expected = self.expected
        expected_interval = expected - self._expected_before
        lost_interval = expected_interval - (self.received - self._received_before)
        self._expected_before = expected
        self._received_before = self.received
        fraction = (lost_interval << 8) // expected_interval if expected_interval and lost_interval > 0 else 0
        delay = min(int((now - self.last_sr_at) * 65536), _M32) if self.last_sr else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=min(fraction, 255),
            packets_lost=max(-0x800000, min(expected - self.received, 0x7FFFFF)),
            highest_sequence=self.highest & _M32,
            jitter=self.jitter,
            last_sr=self.last_sr,
            delay_since_last_sr=delay,
        )
