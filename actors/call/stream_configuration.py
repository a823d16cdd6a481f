"""What the media worker is told about one stream: a negotiated m= line and the wishes of the call, as a command.

`MediaDemand` holds the wishes. `configuration` joins them with the line that offer and answer agreed on: formats in
both directions, addresses, packet time, keys. It keeps no state; `CallMedia` decides when a stream is configured.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from sipswarm.media import messages as media
from sipswarm.media.audio.formats import payload_octets, stream_codec
from sipswarm.sipcore.sdp.media_attributes import event_codes
from sipswarm.sipcore.sdp.offer_answer import DEFAULT_CODECS, Codec, NegotiatedLine

PARKED_PORT: Final = 9
"""Port in the SDP of a call without media (discard, RFC 863), unless the worker has a parked socket."""
SHORTEST_INTERVAL: Final = 0.01
OPUS_INTERVALS: Final = (0.01, 0.02, 0.04, 0.06)
LONGEST_INTERVAL: Final = 0.12
LARGEST_PAYLOAD: Final = 1400
"""Octets that the media worker sends in one packet at most; larger wishes are reduced to it."""
INTERVAL: Final = 0.02
"""Seconds between two packets where the peer names no packet time."""


class MediaPlace(NamedTuple):
    """Where the media of a call is on this host."""

    address: str
    """As written into the SDP."""
    bound: str
    """The address that media ports are bound to."""
    parked_port: int
    """See `MediaDemand`."""


class MediaDemand(NamedTuple):
    """The media that a call requires."""

    wanted: bool
    """False: no stream is opened, the SDP names the parked port."""
    address: str
    """The local IP address of the media, as written into the SDP."""
    worker: int
    """Index of the media worker."""
    parked_port: int = PARKED_PORT
    source: media.SourceSpec = ("silence",)
    sink: media.SinkSpec = ("none",)
    codecs: tuple[Codec, ...] = DEFAULT_CODECS
    inactivity_limit: float = 30.0
    """Seconds without any RTP, where some is due, until the stream reports it."""
    asymmetric: bool = False
    """Send from another port than the announced one (man page `asymetric_rtp`)."""
    send_address: str = ""
    """The address to send from then (`rtp_addr`); empty = `address`."""
    payload_size: int = 0
    """Octets in each sent packet (`rtp_param[1]`); 0 = by the codec's clock and the packet time."""
    interval: float = 0.0
    """Seconds between two sent packets (`rtp_param[2]`); 0.0 = the packet time of the peer, or 20 ms."""
    dtmf_methods: tuple[str, ...] = ("rfc4733",)
    """Kinds of digits that are reported: rfc4733, inband."""
    tones: bool = True
    """Tones in the audio are reported too, wherever no telephone-event was agreed."""
    srtp: str = "off"
    """Encryption with keys in the SDP (RFC 4568).

    Modes: off; optional, which accepts encrypted offers too; required, which accepts and offers nothing else.
    """
    bound: str = ""
    """The address that media ports are bound to, where peers see another one (1:1 NAT); empty = `address`."""
    strict: bool = False
    """A description of the peer is refused even for a line without effect."""
    must_flow: bool = False
    """A first answer that refuses every line ends the call; else it goes on, and its expectations judge it."""
    file: media.SourceSpec = ()
    """A file that a handler is to send: a file that cannot be played ends the call before it is answered."""
    statistics_interval: float = 0.0
    """Seconds between two statistics while the call is up; 0.0 = at its end only."""
    elsewhere: MediaPlace | None = None
    """Where the media is once the INVITE goes to a place of the other IP version; None = it goes to none."""


def _packet_time(wished: float | None, codec: Codec) -> float:
    """Return the seconds between two sent packets: the peer's wish (RFC 8866 section 6.4), as far as a datagram allows.

    Opus has only some lengths (RFC 6716 section 2.1.4).

    Args:
        wished: milliseconds; None = the peer names none.
    """
    name = stream_codec(codec.name, codec.channels)
    most = min(LONGEST_INTERVAL, int(LARGEST_PAYLOAD / payload_octets(name, codec.clock_rate) * 100) / 100)
    if not most:  # not even 10 ms, as in two channels at 44,100 Hz: as many whole samples as a datagram takes
        return LARGEST_PAYLOAD // payload_octets(name, 1) / codec.clock_rate
    interval = min(max(wished / 1000 if wished else INTERVAL, SHORTEST_INTERVAL), most)
    if codec.name.lower() == "opus":
        return max(each for each in OPUS_INTERVALS if each <= max(interval, SHORTEST_INTERVAL))
    return interval


@lru_cache(maxsize=1024)
def is_unspecified(address: str) -> bool:
    """Whether an address of a description means "send nothing" (RFC 3264 section 8.4, RFC 6157 section 5.1)."""
    return bool(address) and (not address.strip("0:.") or address.lower().endswith(".invalid"))


@lru_cache(maxsize=1024)
def is_sendable(there: str, local_address: str) -> bool:
    """Whether a stream at a local address can send to an address of a description, or has to send nothing.

    False for a name: it is not looked up, because answers are made at once (RFC 8866 section 5.7 permits both).
    """
    if is_unspecified(there):
        return True
    try:
        address = ip_address(there)
    except ValueError:
        return False
    if (address.version == 6) != (":" in local_address):
        return False
    if isinstance(address, IPv6Address):
        return not address.is_multicast and address.ipv4_mapped is None
    return address.packed[0] < 224


def _renumbered(line: NegotiatedLine) -> tuple[tuple[int, int], ...]:
    """Return the formats that the peer receives under another number than it sends (RFC 3264 section 5.1)."""
    theirs = {codec.key: codec.payload_type for codec in reversed(line.send + line.events_send)}
    pairs = [(codec.payload_type, theirs.get(codec.key, -1)) for codec in line.receive + line.events_receive]
    return tuple([pair for pair in pairs if pair[0] != pair[1]])


def _received(line: NegotiatedLine) -> tuple[tuple[int, str, int], ...]:
    """Return what may come: formats under the local numbers, and under the peer's where the local ones leave them free.

    RFC 3264 section 5.1 asks the peer for the local numbers; some send under those of their own answer.
    """
    codecs = line.receive + line.events_receive
    taken = {codec.payload_type for codec in codecs}
    codecs += tuple([codec for codec in line.send + line.events_send if codec.payload_type not in taken])
    return tuple([(each.payload_type, stream_codec(each.name, each.channels), each.clock_rate) for each in codecs])


@lru_cache(maxsize=64)
def _event_mask(fmtp: str) -> int:
    """Return the telephone-events 0 to 15 of a list, bit n for code n."""
    return sum(1 << code for code in event_codes(fmtp) if code <= 15)


def configuration(stream_id: int, line: NegotiatedLine, demand: MediaDemand) -> media.ConfigureStream:
    """Return a negotiated media line as a command to its stream."""
    codec = line.send[0] if line.send else DEFAULT_CODECS[0]
    name = stream_codec(codec.name, codec.channels)
    # A user's own line without a supported codec (digits alone, T.38): the source cannot be sent on it.
    source: media.SourceSpec = demand.source if line.send or not (line.active and demand.source) else ("none",)
    events = line.events_send[0] if line.events_send else None
    interval = demand.interval or _packet_time(line.ptime, codec)
    methods = demand.dtmf_methods
    if demand.tones and "inband" not in methods and not (line.events_send and line.events_receive):
        methods = (*methods, "inband")
    return media.ConfigureStream(
        stream_id=stream_id,
        direction=line.direction.value,
        remote_address="" if is_unspecified(line.remote_address) else line.remote_address,
        remote_port=line.remote_port if line.active else 0,
        remote_rtcp_port=line.remote_rtcp_port if line.active else 0,
        remote_rtcp_address=line.remote_rtcp_address,
        rtcp_mux=line.rtcp_mux,
        codec=name,
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        payload_size=demand.payload_size or payload_octets(name, round(codec.clock_rate * interval)),
        packet_interval=interval,
        receive_codecs=_received(line),
        renumbered=_renumbered(line),
        dtmf_payload_type=-1 if events is None else events.payload_type,
        dtmf_receive_payload_type=-1 if line.telephone_event_receive is None else line.telephone_event_receive,
        dtmf_clock_rate=codec.clock_rate if events is None else events.clock_rate,
        dtmf_events=0 if events is None else _event_mask(events.fmtp),
        dtmf_methods=methods,
        inactivity_limit=demand.inactivity_limit,
        statistics_interval=demand.statistics_interval,
        source=source,
        sink=demand.sink,
        srtp_suite=line.local_crypto.suite if line.local_crypto is not None else "",
        srtp_send_key=line.local_crypto.master_key() if line.local_crypto is not None else b"",
        srtp_receive_key=line.remote_crypto.master_key() if line.remote_crypto is not None else b"",
    )
