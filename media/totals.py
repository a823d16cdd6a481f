"""What one media process counts: plain integers and fixed arrays, and their metric names.

Hot code adds to attributes and list items; `rows` turns all of it into (metric name, label values, numbers). Values
are cumulative since the start of the process; the supervisor adds the rows of several. It must not depend on Prometheus
or links.
"""

from bisect import bisect_left
from collections.abc import Iterator

from .audio.formats import encoding_of

DISCARD_REASONS = (
    "duplicate",
    "late",
    "reordered",
    "bad_ssrc",
    "bad_payload",
    "srtp_auth",
    "srtp_replay",
    "bad_source",
    "malformed",
    "oversize",
    "direction",
    "loop",
    "undescribed",
    "no_stream",
)
"""Why a packet is dropped, in the order of `StreamStatistics.discards`; `no_stream` is of no stream: it came at a port
whose stream was over."""
(
    DUPLICATE,
    LATE,
    REORDERED,
    BAD_SSRC,
    BAD_PAYLOAD,
    SRTP_AUTH,
    SRTP_REPLAY,
    BAD_SOURCE,
    MALFORMED,
    OVERSIZE,
    DIRECTION,
    LOOP,
    UNDESCRIBED,
    NO_STREAM,
) = range(len(DISCARD_REASONS))

RTCP_DISCARD_REASONS = ("bad_source", "bad_ssrc", "malformed", "not_negotiated", "srtp_auth")
"""Why an RTCP packet is dropped; `not_negotiated` came on the port of RTP."""
RTCP_BAD_SOURCE, RTCP_BAD_SSRC, RTCP_MALFORMED, RTCP_NOT_NEGOTIATED, RTCP_SRTP_AUTH = range(len(RTCP_DISCARD_REASONS))

RELAY_KINDS = ("rtp", "rtcp")
"""By the socket: RTCP on the port of RTP (RFC 5761) counts as rtp."""
RELAY_RESULTS = ("forwarded", "bad_source", "no_destination", "oversize", "send_error")
"""What became of a datagram that came to a relay."""

CODECS = ("PCMU", "PCMA", "G722", "L16", "opus", "telephone-event", "CN", "other")
"""Codec labels: a closed set."""
_CODEC_INDEX = {name.lower(): index for index, name in enumerate(CODECS)}

LATENESS_EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.2)
JITTER_EDGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
LOSS_EDGES = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
ROUND_TRIP_EDGES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
GAP_EDGES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
MOS_EDGES = (1.0, 2.0, 2.58, 3.1, 3.6, 4.03, 4.2, 4.34, 4.4)

Row = tuple[str, tuple[str, ...], tuple[float, ...]]
"""Metric name, label values in the metric's order, one number; or for a histogram: sum, then counts per bucket."""


TELEPHONE_EVENT = CODECS.index("telephone-event")


def codec_index(name: str) -> int:
    """Place of an encoding name in CODECS, whatever its channels; unknown names are "other"."""
    return _CODEC_INDEX.get(encoding_of(name)[0].lower(), len(CODECS) - 1)


class Distribution:
    """A histogram: counts per bucket, the last one for all above the highest edge, and the sum."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value; an edge belongs to the bucket below it."""
        self.counts[bisect_left(self.edges, value)] += times
        self.total += value * times

    @property
    def count(self) -> int:
        """Values counted."""
        return sum(self.counts)


def _per_codec() -> list[int]:
    return [0] * len(CODECS)


class MediaTotals:
    """Everything a media engine counts; gauges are at the end."""

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "digits_dropped",
        "digits_not_queued",
        "digits_received",
        "digits_refused",
        "digits_sent",
        "discards",
        "frames_dropped",
        "frames_skipped",
        "gap",
        "jitter",
        "lateness",
        "loss_ratio",
        "mos",
        "packets_due",
        "packets_lost",
        "packets_missed",
        "packets_received",
        "packets_sent",
        "parts_not_written",
        "ports_in_use",
        "quarantined",
        "relayed",
        "round_trip",
        "rtcp_discards",
        "rtcp_received",
        "rtcp_sent",
        "send_errors",
        "streams_active",
        "streams_one_way",
        "streams_receiving",
        "streams_refused",
        "streams_sending",
        "ticks",
    )

    def __init__(self) -> None:
        self.packets_sent = _per_codec()
        """RTP packets by codec (index into CODECS)."""
        self.bytes_sent = _per_codec()
        """Their payload octets."""
        self.packets_received = _per_codec()
        """RTP packets accepted, by codec."""
        self.bytes_received = _per_codec()
        """Their payload octets."""
        self.packets_lost = _per_codec()
        """RFC 3550 losses of streams, by codec."""
        self.packets_due = _per_codec()
        """Packets that were due on finished streams by time, by codec."""
        self.packets_missed = _per_codec()
        """Those of them that never came."""
        self.gap = Distribution(GAP_EDGES)
        """Longest gap of each finished stream on which media was due, in seconds."""
        self.discards = [0] * len(DISCARD_REASONS)
        """Packets dropped, by reason."""
        self.frames_skipped = 0
        """Frames too late to send."""
        self.parts_not_written = 0
        """Parts of recordings, of a second or 16 KiB, that the disk did not take."""
        self.frames_dropped = 0
        """Frames of callback sources and sinks beyond their bounds."""
        self.send_errors = 0
        """Datagrams that the kernel did not take."""
        self.digits_sent = [0, 0]
        """rfc4733, inband."""
        self.digits_received = [0, 0]
        """rfc4733, inband."""
        self.digits_refused = 0
        """Digit requests that could not be queued or sent."""
        self.digits_not_queued = 0
        """Those of them for which the queue was full."""
        self.digits_dropped = 0
        """Received digits beyond the bound of a stream."""
        self.rtcp_sent = 0
        self.rtcp_received = 0
        self.rtcp_discards = [0] * len(RTCP_DISCARD_REASONS)
        """RTCP packets dropped, by reason."""
        self.relayed = [[0] * len(RELAY_RESULTS) for _ in RELAY_KINDS]
        """Datagrams that came to relays, by kind and by what became of them."""
        self.streams_refused = 0
        self.streams_one_way = [0, 0]
        """Finished streams whose peer, or whose local side, was silent."""
        self.ticks = 0
        self.lateness = Distribution(LATENESS_EDGES)
        """Seconds by which packets left after their schedule."""
        self.jitter = [Distribution(JITTER_EDGES) for _ in CODECS]
        self.loss_ratio = [Distribution(LOSS_EDGES) for _ in CODECS]
        self.round_trip = Distribution(ROUND_TRIP_EDGES)
        self.mos = [Distribution(MOS_EDGES) for _ in CODECS]
        self.streams_active = _per_codec()
        """Gauge: open streams by the codec they send."""
        self.streams_sending = _per_codec()
        """Gauge: those that may send (direction and address allow it), by the codec they send."""
        self.streams_receiving = _per_codec()
        """Gauge: those whose direction lets them receive, by the codec received last, before that the preferred one."""
        self.ports_in_use = 0
        """Gauge: ports of open streams, those in quarantine included."""
        self.quarantined = 0
        """Gauge: sockets in quarantine."""

    def rows(self) -> Iterator[Row]:
        """All of it under the names of the metrics; the label `process` is the caller's to add."""
        for index, codec in enumerate(CODECS):
            for direction, packets, size in (
                ("sent", self.packets_sent, self.bytes_sent),
                ("received", self.packets_received, self.bytes_received),
            ):
                yield "sipswarm_rtp_packets_total", (direction, codec), (packets[index],)
                yield "sipswarm_rtp_bytes_total", (direction, codec), (size[index],)
            yield "sipswarm_rtp_packets_lost_total", (codec,), (self.packets_lost[index],)
            yield "sipswarm_rtp_packets_due_total", (codec,), (self.packets_due[index],)
            yield "sipswarm_rtp_packets_missed_total", (codec,), (self.packets_missed[index],)
            yield "sipswarm_rtp_streams_active", ("sent", codec), (self.streams_sending[index],)
            yield "sipswarm_rtp_streams_active", ("received", codec), (self.streams_receiving[index],)
            for name, distribution in (
                ("sipswarm_rtp_jitter_seconds", self.jitter[index]),
                ("sipswarm_rtp_loss_ratio", self.loss_ratio[index]),
                ("sipswarm_rtp_mos", self.mos[index]),
            ):
                yield name, (codec,), (distribution.total, *distribution.counts)
        for reason, value in zip(DISCARD_REASONS, self.discards, strict=True):
            yield "sipswarm_rtp_packets_discarded_total", (reason,), (value,)
        for reason, value in zip(RTCP_DISCARD_REASONS, self.rtcp_discards, strict=True):
            yield "sipswarm_rtcp_packets_discarded_total", (reason,), (value,)
        for kind, counts in zip(RELAY_KINDS, self.relayed, strict=True):
            for result, value in zip(RELAY_RESULTS, counts, strict=True):
                yield "sipswarm_rtp_relayed_packets_total", (kind, result), (value,)
        yield "sipswarm_rtp_send_lateness_seconds", (), (self.lateness.total, *self.lateness.counts)
        yield "sipswarm_rtp_gap_seconds", (), (self.gap.total, *self.gap.counts)
        yield "sipswarm_rtp_round_trip_seconds", (), (self.round_trip.total, *self.round_trip.counts)
        for index, mode in enumerate(("rfc4733", "inband")):
            yield "sipswarm_dtmf_events_total", ("sent", mode), (self.digits_sent[index],)
            yield "sipswarm_dtmf_events_total", ("received", mode), (self.digits_received[index],)
        yield "sipswarm_queue_dropped_total", ("media_events",), (self.digits_dropped,)
        yield "sipswarm_queue_dropped_total", ("media_frames",), (self.frames_dropped,)
        yield "sipswarm_queue_dropped_total", ("recordings",), (self.parts_not_written,)
        yield "sipswarm_queue_dropped_total", ("digits_to_send",), (self.digits_not_queued,)
        yield "sipswarm_rtp_send_errors_total", (), (self.send_errors,)
        yield "sipswarm_rtp_frames_skipped_total", (), (self.frames_skipped,)
        yield "sipswarm_rtp_ports_in_use", (), (self.ports_in_use,)
