"""Offers and answers as values: what we have in, a description out; two descriptions in, the agreed streams out.

RFC 3264 sections 5, 6 and 8, RFC 6337, RFC 4568 (crypto), RFC 5761 (rtcp-mux), RFC 3605 (rtcp). Both styles of hold:
the unspecified address of RFC 2543 and the direction of RFC 3264. This file holds no state: whose turn it is to offer
or to answer is the business of `offer_answer`. It opens no sockets and reads no SIP message.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from ..errors import LocalProtocolError, SipError
from .description import SessionDescription
from .media_attributes import (
    DIRECTION_LINES,
    STATIC_ENCODINGS,
    TELEPHONE_EVENT,
    Codec,
    Crypto,
    Direction,
    Encoding,
    EncodingKey,
    Formats,
    direction_of,
)
from .media_line import MediaLine
from .sdp_section import EMPTY, Connection, Section, connection_for

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_SENDRECV: Final = Direction.SENDRECV
_INACTIVE: Final = Direction.INACTIVE

Hold = Literal["", "address", "direction", "both"]
"""How a description means "send me nothing": not at all, by address 0.0.0.0 or ::, by direction, or by both."""


class NothingFits(SipError):
    """No line of an offer can be accepted: the offer is answered 488 (RFC 3261 section 13.3.1.3)."""

    status_hint: Final = 488

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


PCMU: Final = Codec("PCMU", 0)
PCMA: Final = Codec("PCMA", 8)
EVENTS: Final = Codec(TELEPHONE_EVENT, 101, fmtp="0-15")
DEFAULT_CODECS: Final = (PCMU, PCMA, EVENTS)


def codec_for(payload_type: int, name: str = "", fmtp: str = "") -> Codec:
    """The codec of a payload type with a name as in an rtpmap ("iLBC/8000", "opus/48000/2"; CALL.md C5).

    Without a name the static table of RFC 3551 decides; a number that it lacks stays without a name.

    Raises:
        ValueError: a number that is no payload type or a name that is no encoding.
    """
    if not 0 <= payload_type <= 127:
        raise ValueError(f"payload type {payload_type} is not between 0 and 127")
    if not name:
        encoding = STATIC_ENCODINGS.get(str(payload_type))
        return Codec(*_split(encoding, payload_type), fmtp) if encoding else Codec("", payload_type, fmtp=fmtp)
    line = MediaLine.build("audio", 9, "RTP/AVP", (payload_type,), (f"a=rtpmap:{payload_type} {name}",))
    encoding = line.rtpmap(payload_type)
    if encoding is None:
        raise ValueError(f"{name!r} is not of the form name/clock rate[/channels]")
    return Codec(*_split(encoding, payload_type), fmtp)


def _split(encoding: Encoding, payload_type: int) -> tuple[str, int, int, int]:
    return encoding.name, payload_type, encoding.clock_rate, encoding.channels


class LocalMedia(NamedTuple):
    """The local side of one media line."""

    port: int
    """Local RTP port; 0 refuses the line."""
    codecs: tuple[Codec, ...] = DEFAULT_CODECS
    """In order of preference for an offer; an answer keeps the order of the offer."""
    direction: Direction = Direction.SENDRECV
    """The direction that the local side permits."""
    address: str = ""
    """Address for this line if it is not the session's."""
    rtcp_port: int = 0
    """Local RTCP port; 0 means one above RTP."""
    rtcp_mux: bool = False
    ptime: float | None = None
    """Preferred packet time of received RTP in ms; None leaves it open."""
    media: str = "audio"
    protocol: str = "RTP/AVP"
    """Protocol of an offer. RTP/SAVP also refuses offers without encryption; RTP/AVP with `crypto` takes both."""
    crypto: tuple[Crypto, ...] = ()
    """Suites and keys that we can use, one key of our own each (RFC 4568)."""
    attributes: tuple[str, ...] = ()
    """Further lines for this media line, written at its end ("a=label:1")."""


class NegotiatedLine(NamedTuple):
    """What two descriptions agree on for one media line, as seen from our side."""

    number: int
    """Index of the m= line, from 0."""
    media: str
    active: bool
    """Both sides have a port, the same kind of media and of protocol, and at least one format in common."""
    direction: Direction
    """What we do: hold of either side and style is already taken out; INACTIVE when the line is not active."""
    held_by_peer: bool
    """The peer takes nothing from us, by its address or its direction."""
    local_port: int
    remote_address: str
    """Where to send RTP; unspecified addresses included as written. Empty when the peer names none."""
    remote_port: int
    remote_rtcp_address: str
    remote_rtcp_port: int
    rtcp_mux: bool
    """Both sides agree on one port for RTP and RTCP."""
    send: tuple[Codec, ...]
    """Formats we may send, with the peer's numbers, the preferred one first; without telephone-event."""
    receive: tuple[Codec, ...]
    """Formats we may get, with our numbers; without telephone-event."""
    events_send: tuple[Codec, ...]
    """Telephone-event that the peer takes, with its numbers: of the clock of the first format to send before others
    (RFC 4733 section 2.1 recommends that clock, and does not require it), then of clocks that we have named too."""
    events_receive: tuple[Codec, ...]
    """Telephone-event that may come, of every clock that we have named, with our numbers; the same clock first."""
    ptime: float | None
    """Packet time in ms that the peer likes to get, not above its maxptime; None when it has none."""
    local_crypto: Crypto | None
    """Our key, for sending, of the agreed suite."""
    remote_crypto: Crypto | None
    """The peer's key, for receiving, of the agreed suite."""

    @property
    def telephone_event_send(self) -> int | None:
        """The peer's number for the telephone-event that we send, or None."""
        return self.events_send[0].payload_type if self.events_send else None

    @property
    def telephone_event_receive(self) -> int | None:
        """Our number for it, or None."""
        return self.events_receive[0].payload_type if self.events_receive else None


def make_offer(
    media: Sequence[LocalMedia],
    *,
    address: str,
    session_id: int,
    previous: SessionDescription | None = None,
    hold: Hold = "",
    username: str = "-",
    session_name: str = "-",
) -> SessionDescription:
    """An offer with one m= line for each of `media` (RFC 3264 section 5; a later offer: section 8).

    Args:
        address: our media address, IPv4 or IPv6 without brackets.
        session_id: of the o= line, once for a call.
        previous: our last description of this session, if any: its o= line is taken over with the version one up,
            or exactly `previous` comes back when nothing changed; its m= lines beyond `media` stay as refused
            lines.

    Raises:
        ParseError: an address that is none.
    """
    connection = connection_for(_address(address, hold))
    lines = []
    for number, local in enumerate(media):
        if local.port == 0:
            # A local line that is not in use; its formats must still name something.
            words = previous.media[number].formats if previous and number < len(previous.media) else ()
            lines.append(_refusal(local.media, local.protocol, words or _payload_types(local.codecs)))
            continue
        direction = _held(local.direction, hold)
        crypto = local.crypto if is_secure(local.protocol) else ()
        shape = _shape(local, local.codecs, direction, local.rtcp_mux, crypto, hold)
        lines.append(_line(local.media, local.port, local.protocol, shape, connection))
    if previous is not None:
        lines += [_refusal(old.media, old.protocol, old.formats) for old in previous.media[len(lines) :]]
    return _assemble(lines, connection, address, session_id, previous, username, session_name)


def make_answer(
    offer: SessionDescription,
    media: Sequence[LocalMedia | None],
    *,
    address: str,
    session_id: int,
    previous: SessionDescription | None = None,
    hold: Hold = "",
    username: str = "-",
    session_name: str = "-",
) -> SessionDescription:
    """The answer to `offer` from what we have (RFC 3264 section 6).

    An accepted line carries all of the offered formats that we have, in the offer's order and with the offer's numbers.
    The other arguments are those of `make_offer`. `wanted_lines` returns beforehand for which lines ports are needed.

    Args:
        media: by index of the offer's m= lines; None, port 0 or a missing one refuses the line.

    Raises:
        NothingFits: the offer has live lines and none of them can be accepted.
    """
    connection = connection_for(_address(address, hold))
    lines = []
    live = accepted = False
    for number, offered in enumerate(offer.media):
        local = media[number] if number < len(media) else None
        line = None
        if offered.port != 0:
            live = True
            if local is not None and local.port != 0:
                line = _accept(offered, local, connection, address, hold)
        if line is None:
            lines.append(_refusal(offered.media, offered.protocol, offered.formats))
        else:
            accepted = True
            lines.append(line)
    if live and not accepted:
        raise NothingFits("no media line of the offer can be accepted")
    return _assemble(lines, connection, address, session_id, previous, username, session_name)


def wanted_lines(offer: SessionDescription, have: LocalMedia, *, address: str) -> tuple[bool, ...]:
    """For each m= line of an offer, whether `make_answer` would accept it with `have` (whatever its port is)."""
    return tuple(
        line.port != 0 and _fits(line, have, have.address or address) and bool(_common(line, have.codecs))
        for line in offer.media
    )


def revise(description: SessionDescription, previous: SessionDescription | None) -> SessionDescription:
    """`description` under the o= rule of RFC 3264 section 8, for descriptions that users wrote themselves.

    `previous` comes back when both have the same content; otherwise `description` with its o= line, version one up.
    """
    if previous is None:
        return description
    if description.same_as(previous):
        return previous
    return description.replace(origin=previous.origin._replace(version=previous.origin.version + 1))


def moved_line(line: MediaLine, local: LocalMedia) -> MediaLine:
    """A media line as it stands, but with other ports, and other keys where it has some (RFC 3264 section 8.3.1).

    Args:
        local: has the ports and keys.
    """
    lines = [text for text in line.lines if not text.startswith(("a=rtcp:", "a=crypto:"))]
    if local.rtcp_port and local.rtcp_port != local.port + 1:
        lines.append(f"a=rtcp:{local.rtcp_port}")
    if is_secure(line.protocol):
        lines += [f"a=crypto:{each}" for each in local.crypto]
    return line.replace(port=local.port, lines=lines)


def put_on_hold(description: SessionDescription, hold: Hold) -> SessionDescription:
    """A description rewritten to demand no media, in the given style (RFC 3264 section 8.4, CALL.md C22).

    Ports stay. The o= line stays too: `revise` raises its version.
    """
    media = []
    for line in description.media:
        lines = list(line.lines)
        if hold in ("address", "both"):
            lines = [f"c={_unspecified(text)}" if text.startswith("c=") else text for text in lines]
        if hold in ("direction", "both"):
            lines = [text for text in lines if text not in DIRECTION_LINES]
            lines.append(f"a={_held(line.direction, hold).value}")
        media.append(line.replace(lines=lines))
    connection = description.connection
    if hold in ("address", "both") and connection is not None:
        return description.replace(connection=_unspecified(str(connection)), media=media)
    return description.replace(media=media)


def negotiated(local: SessionDescription, remote: SessionDescription) -> tuple[NegotiatedLine, ...]:
    """What our and the peer's description agree on, either side's offer (RFC 3264 sections 5 to 8), line by line."""
    pairs = enumerate(zip(local.media, remote.media, strict=False))
    return tuple([_agree(number, ours, theirs) for number, (ours, theirs) in pairs])


def _agree(number: int, ours: MediaLine, theirs: MediaLine) -> NegotiatedLine:
    send: tuple[Codec, ...] = ()
    receive: tuple[Codec, ...] = ()
    events_send: tuple[Codec, ...] = ()
    events_receive: tuple[Codec, ...] = ()
    local_crypto = remote_crypto = None
    said = theirs.section.attributes
    kind = _protocol_kind(ours.protocol)
    secure = kind == "srtp"
    active = (
        ours.port != 0
        and theirs.port != 0
        and _same_protocol(ours.protocol, theirs.protocol)
        and ours.media.lower() == theirs.media.lower()
    )
    if active and kind:
        mine = ours.section.attributes.formats(ours.formats)
        their = said.formats(theirs.formats)
        active, send, receive, events_send, events_receive = _match(mine, their)
        if secure:
            for remote_crypto in theirs.crypto:
                local_crypto = next(
                    (key for key in ours.crypto if key.tag == remote_crypto.tag and key.fits(remote_crypto)), None
                )
                if local_crypto is not None:
                    break
            active = active and local_crypto is not None
    there = theirs.effective_connection
    here = ours.effective_connection
    our_direction, their_direction = ours.direction, theirs.direction
    wants = their_direction.receives and not (there is not None and there.is_unspecified)
    direction = _INACTIVE
    if active:
        direction = direction_of(
            our_direction.sends and wants,
            our_direction.receives and their_direction.sends and not (here is not None and here.is_unspecified),
        )
    return NegotiatedLine(
        number,
        ours.media,
        active,
        direction,
        active and not wants,
        ours.port,
        there.address if there is not None else "",
        theirs.port,
        theirs.rtcp_address,
        theirs.rtcp_port,
        active and said.rtcp_mux and ours.rtcp_mux,
        send,
        receive,
        events_send if active else (),
        events_receive if active else (),
        said.packet_time,
        local_crypto if active else None,
        remote_crypto if active else None,
    )


@lru_cache(maxsize=256)
def _match(
    mine: Formats, their: Formats
) -> tuple[bool, tuple[Codec, ...], tuple[Codec, ...], tuple[Codec, ...], tuple[Codec, ...]]:
    # Whether there is a format in common; formats to send and to receive; telephone-event to send and to receive.
    send = _voice_first([codec for codec in their.speech if codec.key in mine.keys])
    receive = _voice_first([codec for codec in mine.speech if codec.key in their.keys])
    clock_rate = send[0].clock_rate if send else mine.events[0].clock_rate if mine.events else 0
    clock_rates = {codec.clock_rate for codec in mine.events}
    events_send = _by_clock(their.events, clock_rate, clock_rates)
    only_events = not mine.speech and not their.speech and bool(events_send)
    agreed = only_events or (bool(send) and not _is_companion(send[0]))
    # A peer that leaves events out of its answer may send them all the same, by our offer (RFC 3264 section 5.1).
    return agreed, send, receive, events_send, _by_clock(mine.events, clock_rate)


def _is_companion(codec: Codec) -> bool:
    return codec.key[0] in _COMPANIONS


def _voice_first(codecs: list[Codec]) -> tuple[Codec, ...]:
    # Comfort noise and redundancy go with a voice codec; they carry no voice.
    return tuple(sorted(codecs, key=_is_companion))


def _by_clock(events: Iterable[Codec], clock_rate: int, then: Collection[int] = ()) -> tuple[Codec, ...]:
    return tuple(sorted(events, key=lambda codec: (codec.clock_rate != clock_rate, codec.clock_rate not in then)))


def _accept(
    offered: MediaLine, local: LocalMedia, connection: Connection, address: str, hold: Hold
) -> MediaLine | None:
    if not _fits(offered, local, local.address or address):
        return None
    chosen = _common(offered, local.codecs)
    if not chosen:
        return None
    # An unspecified address is answered like any other (RFC 4317 section 5.2); `negotiated` interprets it.
    ours = _held(local.direction, hold)
    written = offered.written_direction
    theirs = written or _SENDRECV
    direction = direction_of(ours.sends and theirs.receives, ours.receives and theirs.sends)
    said = None if written is None and direction is _SENDRECV else direction
    crypto: tuple[Crypto, ...] = ()
    if is_secure(offered.protocol):
        pair = _agreed_crypto(offered, local)
        assert pair is not None
        crypto = (pair,)
    shape = _shape(local, chosen, said, local.rtcp_mux and offered.rtcp_mux, crypto, hold)
    return _line(offered.media, local.port, offered.protocol, shape, connection)


class _Shape(NamedTuple):
    """All of a local media line but its port."""

    formats: tuple[str, ...]
    words: str
    """The formats with blanks between them."""
    section: Section


def _shape(
    local: LocalMedia,
    codecs: tuple[Codec, ...],
    direction: Direction | None,
    mux: bool,
    crypto: tuple[Crypto, ...],
    hold: Hold,
) -> _Shape:
    address = _address(local.address, hold) if local.address else ""
    rtcp_port = 0 if local.rtcp_port == local.port + 1 else local.rtcp_port
    # Keys belong to one call each: they are not kept.
    write = _write_shape.__wrapped__ if crypto else _write_shape
    return write(codecs, direction, address, local.ptime, mux, rtcp_port, crypto, local.attributes)


@lru_cache(maxsize=256)
def _write_shape(
    codecs: tuple[Codec, ...],
    direction: Direction | None,
    address: str,
    ptime: float | None,
    mux: bool,
    rtcp_port: int,
    crypto: tuple[Crypto, ...],
    attributes: tuple[str, ...],
) -> _Shape:
    lines = [f"c={connection_for(address)}"] if address else []
    for codec in codecs:
        if codec.name:
            channels = f"/{codec.channels}" if codec.channels != 1 else ""
            lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    if ptime is not None:
        lines.append(f"a=ptime:{ptime:g}")
    if direction is not None:
        lines.append(f"a={direction.value}")
    if mux:
        lines.append("a=rtcp-mux")
    if rtcp_port:
        lines.append(f"a=rtcp:{rtcp_port}")
    lines += [f"a=crypto:{pair}" for pair in crypto]
    lines += attributes
    formats = _payload_types(codecs)
    return _Shape(formats, " ".join(formats), Section("\r\n".join(lines), tuple(lines)))


def _line(media: str, port: int, protocol: str, shape: _Shape, session: Connection | None) -> MediaLine:
    formats, words, section = shape
    return MediaLine(f"{media} {port} {protocol} {words}", media, port, protocol, formats, section, session)


def _fits(offered: MediaLine, local: LocalMedia, address: str) -> bool:
    if offered.media.lower() != local.media.lower() or not is_rtp(offered.protocol):
        return False
    if is_secure(offered.protocol):
        if _agreed_crypto(offered, local) is None:
            return False
    elif is_secure(local.protocol):
        return False
    there = offered.effective_connection
    if there is None or there.nettype != "IN":
        return False
    # RFC 3264 section 6.1 leaves the family to c=: what we cannot send to does not fit. Nothing is sent to an
    # unspecified address; Net::SIP writes IP4 0.0.0.0 to hold a call of IPv6 too.
    return there.is_unspecified or there.addrtype == ("IP6" if ":" in address else "IP4")


def _agreed_crypto(offered: MediaLine, local: LocalMedia) -> Crypto | None:
    # RFC 4568 section 5.1.2: the first offered suite that we have; its tag, our key.
    for theirs in offered.crypto:
        for ours in local.crypto:
            if ours.fits(theirs):
                return ours._replace(tag=theirs.tag)
    return None


def _common(offered: MediaLine, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    return _choose(offered.read.formats(offered.formats), codecs)


@lru_cache(maxsize=256)
def _choose(formats: Formats, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    # The offered formats that we have, by the offer's numbers; none when only digits or noise fit, in which we do not
    # talk. Digits are read under every clock, so that telephone-event is taken whatever the offer has.
    have: dict[EncodingKey, Codec] = {}
    for codec in codecs:
        have.setdefault(codec.key, codec)
    events = next((codec for codec in codecs if codec.key[0] == TELEPHONE_EVENT), None)
    found = []
    speech = False
    for number, key in formats.numbered:
        mine = have.get(key) or have.get(("", number, 0))
        if mine is None and key[0] == TELEPHONE_EVENT and events is not None:
            mine = events._replace(clock_rate=key[1], channels=key[2])
        if mine is not None:
            found.append(mine._replace(payload_type=number))
            speech = speech or key[0] not in _COMPANIONS
    # A line for digits alone takes one that we too have for digits alone (RFC 4317 section 2.4).
    alone = not formats.speech and all(codec.key[0] == TELEPHONE_EVENT for codec in codecs)
    return tuple(found) if speech or alone else ()


_COMPANIONS: Final = frozenset((TELEPHONE_EVENT, "cn", "red"))


def _payload_types(codecs: tuple[Codec, ...]) -> tuple[str, ...]:
    if not codecs:
        raise LocalProtocolError("a media line needs at least one codec")
    return tuple([str(codec.payload_type) for codec in codecs])


def _refusal(media: str, protocol: str, formats: Sequence[str]) -> MediaLine:
    # RFC 3264 section 6: same media, same protocol, port 0; the formats have no meaning but must be there.
    return _line(media, 0, protocol, _Shape(tuple(formats), " ".join(formats), EMPTY), None)


def _assemble(
    lines: list[MediaLine],
    connection: Connection,
    address: str,
    session_id: int,
    previous: SessionDescription | None,
    username: str,
    session_name: str,
) -> SessionDescription:
    if previous is None:
        origin = (username, str(session_id), "1", "IN", "IP6" if ":" in address else "IP4", address)
    else:
        old = previous.origin
        origin = (old.username, old.session_id, str(old.version + 1), *old[3:])
    head = f"v=0\r\no={' '.join(origin)}\r\ns={session_name}\r\nc={connection}\r\nt=0 0"
    made = SessionDescription(head, tuple(lines), origin, connection)
    if previous is not None and made.same_as(previous):
        return previous
    return made


def _address(address: str, hold: Hold) -> str:
    if hold in ("address", "both"):
        return "::" if ":" in address else "0.0.0.0"
    return address


def _unspecified(connection: str) -> Connection:
    return connection_for("::" if " IP6 " in connection else "0.0.0.0")


def _held(direction: Direction, hold: Hold) -> Direction:
    # RFC 3264 section 8.4: sendrecv becomes sendonly, recvonly becomes inactive.
    return direction_of(direction.sends, False) if hold in ("direction", "both") else direction


@lru_cache(maxsize=64)
def _protocol_kind(protocol: str) -> str:
    return {"RTP/AVP": "rtp", "RTP/AVPF": "rtp", "RTP/SAVP": "srtp", "RTP/SAVPF": "srtp"}.get(protocol.upper(), "")


@lru_cache(maxsize=64)
def _same_protocol(ours: str, theirs: str) -> bool:
    # RFC 3264 section 6. AVP and AVPF differ in the feedback of RTCP only, which a side may do without, and peers mix
    # them up; another transport, or keys made elsewhere (DTLS), lets no packet of ours be understood.
    kind = _protocol_kind(ours)
    return kind == _protocol_kind(theirs) if kind else ours.upper() == theirs.upper()


def is_rtp(protocol: str) -> bool:
    """Whether the protocol of an m= line is RTP in a profile that is known here, encrypted or not."""
    return _protocol_kind(protocol) != ""


def is_secure(protocol: str) -> bool:
    """Whether it is one with encryption, keys in the description (RFC 4568)."""
    return _protocol_kind(protocol) == "srtp"
