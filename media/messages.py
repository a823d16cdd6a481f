"""The media vocabulary: every command a media engine takes and every event it gives back.

All are NamedTuples of plain values (int, float, str, bytes, bool, tuples of those), so that they cross a
process as they are; none nests another. One stream is one RTP stream of a call: an RTP and RTCP pair of sockets and one
remote. The owner of a stream chooses its `stream_id`, which is unique per owner; the owner itself is named by the link,
not by the message. It must not depend on SIP, SDP or calls.

Sources, what a stream sends (`SetSource`, `ConfigureStream.source`):

    ("none",)                     nothing; digits are sent all the same
    ("silence",)                  the codec's silence
    ("tone", hz)                  a sine of -16 dBm0
    ("file", path, repeat)        an audio file, or payload: "raw:…" or named so; repeat < 0 endless, 0 and 1 once
    ("capture", path)             the RTP of a pcap or pcapng file at its times, under its payload types
    ("echo", delay_packets)       what was received, after that many packets; < 0 receives only
    ("callback",)                 frames requested by `FramesWanted`, given by `ProvideFrames`
    ("callback", seconds)         the same, requested that long ahead, at most 0.1 s and at least one packet

Sinks, where a stream puts what it receives (`SetSink`, `ConfigureStream.sink`):

    ("none",)                     dropped, after statistics and digits
    ("file", path)                ".wav": decoded audio, 16 bit; any other name: payload bytes as received
    ("file", path, sides)         ".wav" only: "heard", or with what is sent: "stereo" (left heard, right sent), "mixed"
    ("callback",)                 `FramesReceived`
"""

from typing import Final, NamedTuple

SourceSpec = tuple[str | int | float, ...]
"""A source as plain values: its kind and arguments (see the module's table).

A tuple and no record: making one would add a quarter to the decoding of each command that carries it.
"""

SinkSpec = tuple[str | int | float, ...]
"""A sink as plain values: its kind and arguments (see the module's table)."""

Frame = tuple[bytes, int, int, int]
"""One frame to send: payload, payload type (-1 = the stream's), marker (0 or 1), timestamp (-1 = the
stream's own)."""

ReceivedFrame = tuple[bytes, int, int, int, int]
"""One frame received: payload, sequence number, timestamp, payload type, marker."""


class OpenStream(NamedTuple):
    """Bind an RTP and RTCP pair; answered by `StreamOpened` or `StreamRefused`. Nothing is sent before
    `ConfigureStream`."""

    stream_id: int
    """Chosen by the owner, unique among the owner's streams."""
    local_address: str
    """The IPv4 or IPv6 literal that the sockets bind to, without brackets."""
    asymmetric: bool = False
    """Send from a port of its own instead of the announced one (man page `asymetric_rtp`, C10)."""
    rtp_fd: int = -1
    """Embedded mode only: a bound UDP socket's descriptor to use (it is duplicated); -1 = take a port of
    the pool. The kernel keeps its ICMP errors from then on (IP_RECVERR)."""
    rtcp_fd: int = -1
    """Embedded mode only: the same for RTCP; -1 with an `rtp_fd` = this stream has no RTCP socket."""
    send_address: str = ""
    """The IP literal to send from with `asymmetric` (`rtp_addr`, C10); "" = `local_address`."""
    source: SourceSpec = ()
    """A file that the stream will send: one that cannot be played refuses the stream, before its port is announced.
    Any other source is left to its configuration; () = none."""


class ConfigureStream(NamedTuple):
    """Set or change everything that signalling decides; may come again at any time. Unlocks the source
    address (S4)."""

    stream_id: int
    """An open stream of the same owner."""
    direction: str = "sendrecv"
    """As seen from here: sendrecv, sendonly, recvonly or inactive (RFC 3264)."""
    remote_address: str = ""
    """IP literal of the peer's media; "", 0.0.0.0 or :: = do not send."""
    remote_port: int = 0
    """The peer's RTP port; 0 = do not send."""
    remote_rtcp_port: int = 0
    """The peer's RTCP port (RFC 3605); 0 = RTP port + 1, or the RTP port with `rtcp_mux`."""
    remote_rtcp_address: str = ""
    """IP literal that the peer's RTCP uses, if it is another one (RFC 3605 2.1); whatever we cannot send to = the
    address of its RTP."""
    rtcp_mux: bool = False
    """RTP and RTCP share one port (RFC 5761)."""
    codec: str = "PCMU"
    """Encoding name of what we send, as in rtpmap, of several channels as `formats.stream_codec` writes it; unknown
    names are passed through as opaque payload."""
    payload_type: int = 0
    """Payload type of what we send."""
    clock_rate: int = 8000
    """RTP clock of what we send, in Hz."""
    payload_size: int = 160
    """Octets of payload per packet that we send (man page `rtp_param[1]`)."""
    packet_interval: float = 0.02
    """Seconds between two packets that we send (`rtp_param[2]`); the timestamp step is clock_rate *
    packet_interval."""
    receive_codecs: tuple[tuple[int, str, int], ...] = ((0, "PCMU", 8000), (8, "PCMA", 8000))
    """What may come in: (payload type, encoding name as above, clock rate), telephone-event under each of its clocks
    included; any other payload type is counted and dropped."""
    renumbered: tuple[tuple[int, int], ...] = ()
    """Formats that both sides number differently: (payload type of what we receive, the peer's own number for it, -1 =
    it takes none). What passes through, an echo or frames of a callback, leaves under the peer's (RFC 3264 5.1)."""
    dtmf_payload_type: int = -1
    """The peer's telephone-event payload type, on which we send digits; -1 = not negotiated."""
    dtmf_receive_payload_type: int = -1
    """Our telephone-event payload type, on which digits arrive, beside those of `receive_codecs`; -1 = none."""
    dtmf_clock_rate: int = 8000
    """Clock in Hz of the durations of both (RFC 4733 2.3.1), where `receive_codecs` does not give the local one;
    timestamps count in `clock_rate`."""
    dtmf_events: int = 0xFFFF
    """The events that the peer takes under `dtmf_payload_type` (RFC 4733 2.4.1): bit n is event code n."""
    dtmf_methods: tuple[str, ...] = ("rfc4733",)
    """Which digits are reported: any of "rfc4733" and "inband"."""
    latching: bool = False
    """Take the first packets' source, if its IP is `latch_address`, instead of the announced address (S4);
    off by policy."""
    latch_address: str = ""
    """IP of the signalling source; only media from it may be latched to."""
    silence_warning: float = 15.0
    """Seconds without RTP and RTCP, while we expect to receive, until `StreamSilent("warning")`; 0 =
    never."""
    inactivity_limit: float = 30.0
    """The same for `StreamSilent("limit")`; 0 = never."""
    statistics_interval: float = 0.0
    """Seconds between two `StreamStatistics`; 0 = only the final ones, in `StreamClosed`."""
    srtp_suite: str = ""
    """SDES crypto suite (RFC 4568), such as AES_CM_128_HMAC_SHA1_80; "" = plain RTP."""
    srtp_send_key: bytes = b""
    """Master key and salt for what we send, as the suite sizes them."""
    srtp_receive_key: bytes = b""
    """Master key and salt for what we receive."""
    source: SourceSpec = ()
    """New source; () = leave the present one."""
    sink: SinkSpec = ()
    """New sink; () = leave the present one."""
    send_through: int = -1
    """Send from the RTP socket of this other open stream of the same owner (man page `media_ssocks`); -1 =
    own socket."""
    strangers: tuple[tuple[str, int], ...] = ()
    """Addresses and ports whose packets are not the peer's: what other dialogs of the call describe, and the local
    description behind a NAT."""
    removed: bool = False
    """The peer has removed the media line, by the port 0 in its description (RFC 3264 8.2)."""
    early: bool = False
    """The call is not answered yet: nothing is due, until `ExpectMedia` or a configuration without it."""

    def __repr__(self) -> str:
        """As text without the SRTP keys (RELIABILITY S13)."""
        shown = self._replace(srtp_send_key=b"<masked>", srtp_receive_key=b"<masked>") if self.srtp_suite else self
        return f"ConfigureStream{tuple(shown)!r}"


class ExpectMedia(NamedTuple):
    """The call is answered: from now on the peer's media is due, where it was configured as early."""

    stream_id: int
    """An open stream of the same owner."""


class RelayStream(NamedTuple):
    """Send on what comes to a stream from the sockets of another one, octet for octet: RTP, SRTP and RTCP.

    Two streams of an owner that were never configured become a relay by one command for each. From then on neither
    takes another command but this one and `CloseStream`. What comes before a stream got its own command waits.
    """

    stream_id: int
    """An open stream of the same owner; its peer is described here."""
    through: int
    """The other open stream of the same owner, in the same engine."""
    remote_address: str = ""
    """IP literal of the peer's media; "", 0.0.0.0 or :: = nothing is sent to it before a packet came from it."""
    remote_port: int = 0
    """The peer's RTP port; 0 = as without an address."""
    remote_rtcp_address: str = ""
    """IP literal of the peer's RTCP; "" = `remote_address`."""
    remote_rtcp_port: int = 0
    """The peer's RTCP port; 0 = RTP port + 1."""
    latch_address: str = ""
    """IP of the signalling source. The first packet from it, or from the announced address, decides where packets of
    this socket are taken from and sent to (RFC 4961), until another address is announced."""
    inactivity_limit: float = 0.0
    """Seconds without a packet in both directions until `StreamSilent("limit")`, once per silence; 0 = never."""


class SetSource(NamedTuple):
    """Replace what a stream sends; takes effect with the next packet."""

    stream_id: int
    """An open stream of the same owner."""
    source: SourceSpec
    """See the module's table; a source that cannot be opened gives `CommandRefused` and leaves the old
    one."""
    request_id: int = 0
    """Comes back in `CommandDone` or `CommandRefused`, with layer "over" in `SourceFinished` too; 0 = in none."""
    layer: str = "all"
    """"all": instead of everything. "over": for a time; what was sent before goes on when it ends (`StopSource`).
    "under": what goes on then, instead of everything when nothing lies over it."""


class StopSource(NamedTuple):
    """End a source of layer "over": what was sent before goes on. Nothing happens without one."""

    stream_id: int
    """An open stream of the same owner."""


class SetSink(NamedTuple):
    """Replace where a stream puts what it receives; an open file is closed."""

    stream_id: int
    """An open stream of the same owner."""
    sink: SinkSpec
    """See the module's table; a sink that cannot be opened gives `CommandRefused` and leaves the old one."""
    request_id: int = 0
    """Comes back in `CommandDone` or `CommandRefused`; 0 = neither is wanted."""


class SendDigits(NamedTuple):
    """Queue digits to send; answered by one `DigitsSent`. They replace audio while they last (C35-C39)."""

    stream_id: int
    """An open stream of the same owner."""
    request_id: int
    """Chosen by the owner, comes back in `DigitsSent`."""
    digits: str
    """0-9 A-D * #; any other character is a pause of `duration_ms`."""
    duration_ms: int = 100
    """Milliseconds per digit."""
    mode: str = "rfc4733"
    """"rfc4733" (needs a negotiated payload type) or "inband" (needs PCMU or PCMA)."""
    progress: bool = False
    """Report each of them as it begins, by `DigitsBegun`."""

    def __repr__(self) -> str:
        """As text without the digits, which may be a PIN (RELIABILITY S6)."""
        return f"SendDigits({self.stream_id}, {self.request_id}, <{len(self.digits)} digits>, {self.mode!r})"


class StopDigits(NamedTuple):
    """Forget the digits still queued; each of their requests gets `DigitsSent(status="FAIL")`."""

    stream_id: int
    """An open stream of the same owner."""


class ProvideFrames(NamedTuple):
    """Frames for a callback source, in order, usually in answer to `FramesWanted`."""

    stream_id: int
    """An open stream of the same owner."""
    frames: tuple[Frame, ...]
    """The next frames; beyond the source's bound of 64 they are dropped and counted."""
    end: bool = False
    """True: no more frames; `SourceFinished` follows when the last is sent."""


class CloseStream(NamedTuple):
    """Send RTCP BYE, stop, put the ports into quarantine; answered by `StreamClosed` at once."""

    stream_id: int
    """An open stream of the same owner."""


Command = (
    OpenStream
    | ConfigureStream
    | ExpectMedia
    | SetSource
    | StopSource
    | SetSink
    | SendDigits
    | StopDigits
    | ProvideFrames
    | CloseStream
    | RelayStream
)
"""Whatever `MediaEngine.handle` takes."""


class StreamOpened(NamedTuple):
    """The pair is bound; what to write into the SDP."""

    stream_id: int
    """The stream."""
    address: str
    """Local IP literal."""
    rtp_port: int
    """Local RTP port, to be announced (even, unless the socket was given)."""
    rtcp_port: int
    """Local RTCP port; 0 = none."""
    send_port: int
    """Port that RTP is sent from: `rtp_port`, or another with `asymmetric`."""


class StreamRefused(NamedTuple):
    """`OpenStream` failed; no such stream exists afterwards."""

    stream_id: int
    """The stream that was requested."""
    reason: str
    """Value of a `refusal.Refusal`: no_port, no_descriptor, limit, bad_address or duplicate; for its source no_file or
    bad_file."""
    detail: str = ""
    """What, where, and how to mend it."""


class CommandRefused(NamedTuple):
    """A command other than `OpenStream` could not be done; the stream, if there is one, goes on as before.

    Source and sink of a `ConfigureStream` are refused by themselves, as `SetSource` and `SetSink`.
    """

    stream_id: int
    """The stream that was named."""
    command: str
    """Class name of the command."""
    reason: str
    """Value of a `refusal.Refusal`: unknown_stream, bad_value, no_file, bad_file, no_srtp …"""
    request_id: int = 0
    """From the command."""
    detail: str = ""
    """What, where, and how to mend it."""


class CommandDone(NamedTuple):
    """A `SetSource` or `SetSink` with a `request_id` was done."""

    stream_id: int
    """The stream."""
    request_id: int
    """From the command."""


class StreamStarted(NamedTuple):
    """The first RTP was accepted from a source: at the start, and again after the peer changed address or
    SSRC."""

    stream_id: int
    """The stream."""
    ssrc: int
    """The peer's SSRC."""
    payload_type: int
    """Payload type of that packet."""
    address: str
    """Where it came from."""
    port: int
    """And its port."""


class StreamSilent(NamedTuple):
    """Nothing came in though the direction demands it (direction- and RTCP-aware; B4, W21)."""

    stream_id: int
    """The stream."""
    level: str
    """"warning" or "limit"; each once per silence."""
    seconds: float
    """How long nothing has come."""


class DtmfReceived(NamedTuple):
    """One digit came to its end (or its end was lost and it ran out)."""

    stream_id: int
    """The stream."""
    event: str
    """One of 0-9 A-D * #."""
    duration_ms: int
    """How long it lasted, by its own RTP duration or its tone."""
    mode: str
    """"rfc4733" or "inband"."""

    def __repr__(self) -> str:
        """As text without the digit, which may be of a PIN (RELIABILITY S6)."""
        return f"DtmfReceived({self.stream_id}, <digit>, {self.duration_ms}, {self.mode!r})"


class DigitsSent(NamedTuple):
    """All digits of one `SendDigits` are out, or never will be."""

    stream_id: int
    """The stream."""
    request_id: int
    """From the command."""
    status: str
    """"OK" or "FAIL"."""
    reason: str = ""
    """With FAIL: queue_full, not_negotiated, not_listed, no_tone_codec, stopped, closed, bad_value, unknown_stream, or
    format_changed: since a `ConfigureStream` some digits cannot be sent as they were requested."""
    sent: int = 0
    """With FAIL: how many digits, from the first, are out nevertheless: the first end packet or the whole tone."""
    left: int = 0
    """With format_changed: how many digits and pauses, from the last, will not be sent; the others are out or under
    way."""


class DigitsBegun(NamedTuple):
    """Another digit or pause of a `SendDigits` with `progress` has begun."""

    stream_id: int
    """The stream."""
    request_id: int
    """From the command."""
    begun: int
    """Digits and pauses of the request, from the first, that are out or under way."""


class SourceFinished(NamedTuple):
    """A file was played as often as requested, or a callback source reported its end (man page
    `cb_rtp_done`)."""

    stream_id: int
    """The stream."""
    reason: str
    """"end", or a reason as in `CommandRefused`, when the source could not go on."""
    request_id: int = 0
    """From the `SetSource` with layer "over"; 0 = another source."""
    detail: str = ""
    """As in `CommandRefused`."""


class FramesWanted(NamedTuple):
    """A callback source will soon run out; at most 100 ms ahead and one question open at a time."""

    stream_id: int
    """The stream."""
    first_sequence_number: int
    """RTP sequence number that the first of them will get (16 bit; digits sent in between shift it)."""
    wanted: int
    """How many frames."""
    octets: int = 0
    """Octets that each of them must have, `ConfigureStream.payload_size`: for Opus at the most."""


class FramesReceived(NamedTuple):
    """What a callback sink took in since the last one; at most 32 frames."""

    stream_id: int
    """The stream."""
    frames: tuple[ReceivedFrame, ...]
    """In the order of arrival."""
    dropped: int
    """Frames that did not fit since the last event."""


class SinkFailed(NamedTuple):
    """A recording ended early (disk full); the stream goes on with sink ("none",)."""

    stream_id: int
    """The stream."""
    reason: str
    """The operating system's words."""


ONE_WAY_SHARE: Final = 0.25
"""A peer whose media is there for a smaller share of the time in which it is due counts as silent."""
UNREACHABLE_SHARE: Final = 0.5
"""Of packets sent: a peer of which ICMP reports more than this as undelivered takes no media."""


class StreamStatistics(NamedTuple):
    """Everything that was counted on one stream since it was opened; the newest replaces the older."""

    stream_id: int
    """The stream."""
    seconds: float
    """Since `OpenStream`."""
    codec: str
    """Encoding name received last (of `receive_codecs`), or of what we send when nothing came."""
    packets_sent: int
    """RTP packets, digits included."""
    bytes_sent: int
    """Their payload octets."""
    packets_received: int
    """RTP packets that belonged to the stream, duplicates included."""
    bytes_received: int
    """Their payload octets."""
    packets_expected: int
    """RFC 3550 A.3, over all of the peer's SSRCs."""
    packets_lost: int
    """RFC 3550 A.3: expected minus received, never below zero. What was discarded here by payload type or direction
    is left out, because the network did not lose it."""
    loss_ratio: float
    """packets_lost / packets_expected, 0 to 1."""
    burst_ratio: float
    """ITU-T G.107 BurstR: 1 = losses are independent, more = they come in bursts."""
    packets_duplicate: int
    """Sequence number seen before."""
    packets_reordered: int
    """Came after a later one, but were new."""
    packets_late: int
    """Too late for the playout buffer (0 where audio is not decoded)."""
    packets_discarded: int
    """Dropped for any reason: sum over the next field, without duplicates."""
    discards: tuple[int, ...]
    """One count per name of `totals.DISCARD_REASONS`, in that order."""
    jitter_ms: float
    """Interarrival jitter now (RFC 3550 A.8)."""
    jitter_max_ms: float
    """Its highest value."""
    round_trip_ms: float
    """From LSR/DLSR of the last report; -1 = none came."""
    remote_loss_ratio: float
    """Share of what was sent until the peer's newest report that did not arrive by it: its cumulative loss, and what
    was sent after its highest number; -1 = no report came."""
    remote_jitter_ms: float
    """Jitter that the peer reported; -1 = no report came."""
    mos: float
    """MOS-CQE of the E-model, 1 to 4.5, with the worse of loss_ratio and missed_ratio; 0 = the codec has no values, or
    nothing came and nothing was due."""
    level_dbm0: float
    """Mean level of the sampled audio received; -127 = digital silence or nothing decoded."""
    audible_ratio: float
    """Share of the sampled packets louder than -50 dBm0; -1 = none was sampled."""
    frames_skipped: int
    """Local frames that were too late to send."""
    send_errors: int
    """Packets that the kernel refused twice (ENOBUFS, EPERM, ...); an ICMP error of an earlier packet is none."""
    late_max_ms: float
    """Worst lateness of one of our packets against its schedule."""
    digits_sent: int
    """RFC 4733 and in-band."""
    digits_received: int
    """RFC 4733 and in-band."""
    rtcp_sent: int
    """RTCP compound packets."""
    rtcp_received: int
    """RTCP compound packets that were valid and belonged."""
    remote_address: str
    """The source that media was accepted from last; "" = none."""
    remote_port: int
    """And its port."""
    ssrc: int
    """Of the local side."""
    remote_ssrc: int
    """The peer's newest; 0 = none."""
    ssrc_changes: int
    """How often the peer's SSRC changed."""
    received_first: float
    """Seconds from the opening to the first packet; -1 = none came."""
    received_last: float
    """Seconds from the opening to the newest packet; -1 = none came."""
    one_way: str
    """Empty when both sides followed the direction; "peer": we sent, and media was there for less than a quarter of
    the time in which it was due; "local": the peer's media came, and we sent nothing."""
    media_due: float
    """Seconds from the answer to the close in which the peer's media was due: holds, directions in which it sends
    nothing and agreed silence suppression are left out; see `presence`."""
    media_present: float
    """Seconds of those with media: all but gaps of more than 0.3 s."""
    media_gap: float
    """Seconds of the longest gap while media was due, before the first and after the last packet included."""
    packets_due: int
    """Packets due in that time: by sequence numbers, and in gaps by the peer's packet time."""
    packets_missed: int
    """Packets of those that did not come in their time, those after the newest one included."""
    missed_ratio: float
    """packets_missed / packets_due, 0 to 1."""
    media_held: float = 0.0
    """Seconds of the answered call in which a hold, or a direction in which the peer sends nothing, left no media
    due."""
    media_removed: float = 0.0
    """Seconds of the answered call in which the peer had removed the media line."""
    packets_unreachable: int = 0
    """RTP packets sent while ICMP reported their destination as unreachable, without a pause of 5 s, for at least
    0.5 s; see `unreachable`."""


class StreamClosed(NamedTuple):
    """The stream is gone, by `CloseStream` or with its owner; the last event about it."""

    stream_id: int
    """The stream."""
    reason: str
    """closed, or failed when the engine had to give it up."""
    values: tuple[int | float | str | tuple[int, ...], ...]
    """The fields of the final `StreamStatistics`, in order, as plain values for the wire."""

    @property
    def statistics(self) -> StreamStatistics:
        """The final values by name."""
        return StreamStatistics(*self.values)  # type: ignore[arg-type]  # the same record, flat for the wire


Event = (
    StreamOpened
    | StreamRefused
    | CommandRefused
    | CommandDone
    | StreamStarted
    | StreamSilent
    | DtmfReceived
    | DigitsSent
    | DigitsBegun
    | SourceFinished
    | FramesWanted
    | FramesReceived
    | SinkFailed
    | StreamStatistics
    | StreamClosed
)
"""Whatever `MediaEngine.drain` hands out beside the owner."""
