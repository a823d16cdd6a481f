"""Reception statistics of one source: RFC 3550 A.1 (sequence), A.3 (loss) and A.8 (jitter), all in integers.

What RTCP report blocks and the E-model are made of. `take_ready` is the hot loop of the whole engine: packets in order
of sources that are only counted, many to one call. It must not look at payload or at who the source is.
"""

from collections.abc import Callable, Iterable, Sequence

from .packet import HEADER_IN_WORDS, HEADER_SIZE
from .rtcp import ReportBlock
from .sequence import NEW, OUTSIDE, RESTARTED, SequenceTracker, Verdict

_M32 = 0xFFFFFFFF
_M31 = 0x80000000


class Reception(SequenceTracker):
    """One SSRC as we receive it."""

    __slots__ = (
        "_expected_before",
        "_other_octets",
        "_received_before",
        "arrival",
        "clock_rate",
        "echo",
        "head",
        "heard",
        "jitter16",
        "jitter16_max",
        "last_at",
        "last_sr",
        "last_sr_at",
        "packets_sent",
        "read",
        "slot",
        "ssrc",
        "timestamp",
        "usual_size",
    )

    def __init__(self, ssrc: int, sequence_number: int, clock_rate: int = 8000) -> None:
        """Begin before a source's first packet, which is to be received like any other.

        Args:
            ssrc: 32 bit.
            sequence_number: of that packet.
            clock_rate: RTP clock in Hz.
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
        self.packets_sent = 0
        """Packets that the source has sent, by that report (RFC 3550 6.4.1)."""
        self.usual_size = HEADER_SIZE
        """Octets of most datagrams; see `octets`."""
        self._other_octets = 0
        self.last_at = -1.0
        """When the newest packet came."""
        self.head = -1
        """First two octets of packets that need nothing but counting; -1 = none do."""
        self.read: Callable[[bytearray], int] = read_nothing
        """Puts the next datagram of the source's socket into a buffer; the owner of the socket sets it."""
        self.heard: list[tuple[int, bytes, int]] | None = None
        """Where payloads go for the tone detector, with `slot` and timestamp; None = nowhere."""
        self.slot = -1
        self.echo: Callable[[bytearray, int, int], None] | None = None
        """Sends a datagram back out of the buffer (which it may change), given its octets and timestamp."""
        self.timestamp = -1
        """Of the packet that jitter was reckoned from last, or -1; `arrival` is its time in clock units."""
        self.arrival = 0
        self._expected_before = 0
        self._received_before = 0

    def count_in_loop(
        self,
        head: int,
        echo: Callable[[bytearray, int, int], None] | None,
        heard: list[tuple[int, bytes, int]] | None,
        slot: int,
    ) -> None:
        """Set which packets the engine's loop counts by itself, and what it does with them; see the attributes."""
        self.head, self.echo, self.heard, self.slot = head, echo, heard, slot

    def count_nothing_in_loop(self) -> None:
        """Leave every packet to the receiver."""
        self.head = -1

    def read_by(self, read: Callable[[bytearray], int]) -> None:
        """Set what puts the next datagram of the source's socket into a buffer."""
        self.read = read

    def receive(self, sequence_number: int, timestamp: int, arrival: int) -> Verdict:
        """Count one packet of audio and its arrival.

        Args:
            sequence_number: 0 to 65535.
            timestamp: of the RTP header.
            arrival: time of arrival in clock units, any origin.

        Returns:
            what the sequence number means.
        """
        ahead = (sequence_number - self.highest) & 0xFFFF
        if ahead == 1:
            self.highest += 1
            verdict = NEW
        else:
            verdict = self._count_irregular(sequence_number, ahead)
            if verdict == OUTSIDE:
                return verdict
            if verdict == RESTARTED:
                self.timestamp = -1
        before = self.timestamp
        self.timestamp = timestamp
        difference = arrival - self.arrival - timestamp + before
        self.arrival = arrival
        if before < 0:
            return verdict
        difference = abs(((difference + _M31) & _M32) - _M31)
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
    def octets(self) -> int:
        """Payload octets received: those of datagrams of the usual size follow from their number."""
        return self._other_octets + self.received * (self.usual_size - HEADER_SIZE)

    def count_octets(self, octets: int) -> None:
        """Note the payload of a packet that was counted.

        Args:
            octets: 0 and more.
        """
        self._other_octets += octets + HEADER_SIZE - self.usual_size

    def expect(self, size: int) -> None:
        """Let datagrams of that many octets be the usual ones; not between a packet and the note of its octets."""
        if size != self.usual_size:
            self._other_octets += self.received * (self.usual_size - size)
            self.usual_size = size

    @property
    def jitter(self) -> int:
        """Interarrival jitter in clock units, as reports carry it."""
        return self.jitter16 >> 4

    def sender_report(self, ntp_middle: int, now: float, packets_sent: int = 0) -> None:
        """Note the source's sender report.

        Args:
            ntp_middle: middle 32 bits of its NTP time.
            now: seconds, monotonic.
            packets_sent: its packet count.
        """
        self.packets_sent = packets_sent
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


def read_nothing(buffer: bytearray) -> int:
    """The socket of a source that has none."""
    raise BlockingIOError


def take_ready(
    ready: Iterable[tuple[int, int]],
    sources: Sequence[Reception | None],
    others: Sequence[Callable[[int, float], None] | None],
    buffer: bytearray,
    now: float,
    unpack: Callable[[bytearray], tuple[int, int, int, int]] = HEADER_IN_WORDS.unpack_from,
) -> None:
    """Read one datagram of each descriptor that is ready.

    Args:
        ready: descriptors, as a poll object gives them.
        sources: by descriptor, the source whose packets are to be read here.
        others: by descriptor, who takes everything else: called with the octets that were read into the buffer, -1
            for an error of the socket, which may wait in its error queue, or -2 when nothing was read yet.
        buffer: for one datagram.
        now: seconds, monotonic.
    """
    clock_rate = arrival = 0
    full = len(buffer)
    for descriptor, _ in ready:
        source = sources[descriptor]
        if source is None:
            size = -2
        else:
            try:
                size = source.read(buffer)
            except OSError:  # also BlockingIOError: what made it ready waits in its queue of errors
                size = -1
            else:
                head, sequence_number, timestamp, ssrc = unpack(buffer)
                # The same as `Reception.receive`, without its calls: this runs for nearly every packet.
                if (
                    head == source.head
                    and ssrc == source.ssrc
                    and (sequence_number - source.highest) & 0xFFFF == 1
                    and HEADER_SIZE < size < full
                ):
                    source.highest += 1
                    if size != source.usual_size:
                        source.count_octets(size - HEADER_SIZE)
                    source.last_at = now
                    if source.heard is not None:
                        source.heard.append((source.slot, bytes(buffer[HEADER_SIZE:size]), timestamp))
                    if source.clock_rate != clock_rate:
                        clock_rate = source.clock_rate
                        arrival = int(now * clock_rate)
                    difference = arrival - source.arrival - timestamp + source.timestamp
                    source.timestamp = timestamp
                    source.arrival = arrival
                    if difference < 0:
                        difference = -difference
                    if difference > clock_rate:
                        difference = abs(((difference + _M31) & _M32) - _M31)
                    if difference <= clock_rate:
                        jitter = source.jitter16
                        source.jitter16 = jitter = jitter + difference - ((jitter + 8) >> 4)
                        if jitter > source.jitter16_max:
                            source.jitter16_max = jitter
                    if source.echo is not None:
                        source.echo(buffer, size, timestamp)
                    continue
        other = others[descriptor]
        if other is not None:
            other(size, now)
