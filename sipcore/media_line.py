"""One media line of a session description: the m= line and the lines below it, read when somebody asks.

RFC 8866 sections 5.7, 5.14 and 6, RFC 3551 (static payload types), RFC 3605 (rtcp), RFC 4568 (crypto), RFC 5761
(rtcp-mux). This file knows nothing of sessions, offers, answers or the codecs that we have.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

from .errors import ParseError

MAX_WORD: Final = 255

_STATUS = 400


class Direction(Enum):
    """The four directions of RFC 3264 section 5.1, seen from the side that wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether this side sends media."""
        return self is Direction.SENDRECV or self is Direction.SENDONLY

    @property
    def receives(self) -> bool:
        """Whether this side wants media."""
        return self is Direction.SENDRECV or self is Direction.RECVONLY

    @property
    def reversed(self) -> "Direction":
        """The same flow of media as the other side would write it."""
        return _REVERSED[self]

    @staticmethod
    def of(sends: bool, receives: bool) -> "Direction":
        """The direction with these two halves."""
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE


_REVERSED: Final = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}
DIRECTION_LINES: Final = {f"a={direction.value}": direction for direction in Direction}


class Connection(NamedTuple):
    """A c= line (RFC 8866 section 5.7)."""

    nettype: str
    addrtype: str
    """`IP4` or `IP6`."""
    address: str
    """Address literal without brackets, or a host name."""
    suffix: str
    """TTL and number of addresses of a multicast group as written after the slash, else empty."""

    @property
    def is_unspecified(self) -> bool:
        """Whether the address says "send me nothing": 0.0.0.0 (RFC 3264 8.4), `::`, or .invalid (RFC 6157)."""
        return not self.address.strip("0:.") or self.address.endswith(".invalid")

    def __str__(self) -> str:
        text = f"{self.nettype} {self.addrtype} {self.address}"
        return f"{text}/{self.suffix}" if self.suffix else text


def connection_for(address: str) -> Connection:
    """The connection of an address literal; an address with a colon is IPv6.

    Raises ParseError for what is neither an address nor a host name.
    """
    return parse_connection(f"IN {'IP6' if ':' in address else 'IP4'} {address}")


class Encoding(NamedTuple):
    """What a payload type means: the value of an rtpmap attribute (RFC 8866 section 6.6)."""

    name: str
    clock_rate: int
    channels: int

    @property
    def key(self) -> tuple[str, int, int]:
        """Equal for equal encodings: names are compared without case (RFC 4855 section 3)."""
        return self.name.lower(), self.clock_rate, self.channels

    def __str__(self) -> str:
        text = f"{self.name}/{self.clock_rate}"
        return text if self.channels == 1 else f"{text}/{self.channels}"


STATIC_ENCODINGS: Final[Mapping[str, Encoding]] = {
    # RFC 3551 tables 4 and 5; 16 and 17 are DVI4 at 11025 and 22050 Hz.
    str(number): Encoding(name, clock_rate, channels)
    for number, name, clock_rate, channels in (
        (0, "PCMU", 8000, 1),
        (3, "GSM", 8000, 1),
        (4, "G723", 8000, 1),
        (5, "DVI4", 8000, 1),
        (6, "DVI4", 16000, 1),
        (7, "LPC", 8000, 1),
        (8, "PCMA", 8000, 1),
        (9, "G722", 8000, 1),
        (10, "L16", 44100, 2),
        (11, "L16", 44100, 1),
        (12, "QCELP", 8000, 1),
        (13, "CN", 8000, 1),
        (14, "MPA", 90000, 1),
        (15, "G728", 8000, 1),
        (16, "DVI4", 11025, 1),
        (17, "DVI4", 22050, 1),
        (18, "G729", 8000, 1),
        (25, "CelB", 90000, 1),
        (26, "JPEG", 90000, 1),
        (28, "nv", 90000, 1),
        (31, "H261", 90000, 1),
        (32, "MPV", 90000, 1),
        (33, "MP2T", 90000, 1),
        (34, "H263", 90000, 1),
    )
}


class Crypto(NamedTuple):
    """An a=crypto line (RFC 4568 section 9.1). The key is a secret: never log one."""

    tag: int
    suite: str
    key: str
    """Key parameters as written, `inline:…`."""
    parameters: str
    """Session parameters as written, else empty."""

    def __repr__(self) -> str:
        return f"Crypto(tag={self.tag}, suite={self.suite!r}, key='…')"

    def __str__(self) -> str:
        text = f"{self.tag} {self.suite} {self.key}"
        return f"{text} {self.parameters}" if self.parameters else text


class MediaLine:
    """One m= line with the lines below it.

    `media`, `port`, `port_count`, `protocol` and `formats` are the fields of the m= line; `lines` are the lines below
    it as written; `connection` is its own c= line or None. `address` and `direction` fall back to the session's.
    """

    __slots__ = (
        "_attributes",
        "_cryptos",
        "_direction",
        "_fmtps",
        "_maxptime",
        "_ptime",
        "_rtcp",
        "_rtcp_mux",
        "_rtpmaps",
        "_session_connection",
        "_session_direction",
        "connection",
        "formats",
        "lines",
        "media",
        "port",
        "port_count",
        "protocol",
        "text",
    )

    def __init__(
        self,
        text: str,
        lines: Sequence[str] = (),
        session_connection: Connection | None = None,
        session_direction: Direction | None = None,
    ) -> None:
        """Read `text`, the value of the m= line, and take `lines` ("a=…", "c=…") as what stands below it.

        Raises ParseError when the m= line or a c= line below it is malformed.
        """
        fields = text.split()
        if len(fields) < 4:
            raise ParseError("m= line has fewer than four fields", _STATUS)
        media, port, protocol = fields[0], fields[1], fields[2]
        if len(media) > MAX_WORD or len(protocol) > MAX_WORD:
            raise ParseError("m= line has an overlong word", _STATUS)
        count = 1
        if "/" in port:
            port, _, ports = port.partition("/")
            count = parse_number(ports, 5, 65535, "number of ports")
            if count == 0:
                raise ParseError("m= line with a range of no ports", _STATUS)
        self.text = text
        self.media = media
        self.port = parse_number(port, 5, 65535, "port")
        self.port_count = count
        self.protocol = protocol
        self.formats = tuple(fields[3:])
        self.lines = lines
        self.connection: Connection | None = None
        for line in lines:
            if line.startswith("c="):
                self.connection = parse_connection(line[2:])
                break
        self._session_connection = session_connection
        self._session_direction = session_direction
        self._rtpmaps: dict[str, str] | None = None
        self._attributes: tuple[tuple[str, str | None], ...] | None = None

    @classmethod
    def build(
        cls,
        media: str,
        port: int,
        protocol: str,
        formats: Iterable[object],
        lines: Sequence[str] = (),
        *,
        port_count: int = 1,
    ) -> "MediaLine":
        """A media line from its fields; `lines` are whole lines such as "a=ptime:20". Raises ParseError on nonsense."""
        ports = f"{port}/{port_count}" if port_count != 1 else str(port)
        return cls(f"{media} {ports} {protocol} {' '.join(map(str, formats))}", lines)

    def replace(
        self,
        *,
        port: int | None = None,
        port_count: int | None = None,
        formats: Iterable[object] | None = None,
        lines: Sequence[str] | None = None,
    ) -> "MediaLine":
        """A copy with these fields changed; the session's part of it is set anew by `SessionDescription.build`."""
        return MediaLine.build(
            self.media,
            self.port if port is None else port,
            self.protocol,
            self.formats if formats is None else formats,
            self.lines if lines is None else lines,
            port_count=self.port_count if port_count is None else port_count,
        )

    def __repr__(self) -> str:
        return f"MediaLine({self.text!r}, {len(self.lines)} lines)"

    # Reading below the m= line. One pass fills all of the usual attributes, because whoever wants one wants most.

    def _read(self) -> dict[str, str]:
        rtpmaps: dict[str, str] = {}
        fmtps: dict[str, str] = {}
        cryptos: list[str] = []
        direction: Direction | None = None
        ptime = maxptime = rtcp = ""
        mux = False
        for line in self.lines:
            name, colon, value = line.partition(":")
            if not colon:
                if direction is None and line in DIRECTION_LINES:
                    direction = DIRECTION_LINES[line]
                elif line == "a=rtcp-mux":
                    mux = True
            elif name == "a=rtpmap":
                number, _, text = value.partition(" ")
                # A number that is mapped twice keeps its first meaning.
                rtpmaps.setdefault(number, text)
            elif name == "a=fmtp":
                number, _, text = value.partition(" ")
                fmtps.setdefault(number, text)
            elif name == "a=ptime":
                ptime = ptime or value
            elif name == "a=maxptime":
                maxptime = maxptime or value
            elif name == "a=rtcp":
                rtcp = rtcp or value
            elif name == "a=crypto":
                cryptos.append(value)
        self._fmtps = fmtps
        self._cryptos = cryptos
        self._direction = direction
        self._ptime = ptime
        self._maxptime = maxptime
        self._rtcp = rtcp
        self._rtcp_mux = mux
        self._rtpmaps = rtpmaps
        return rtpmaps

    @property
    def attributes(self) -> tuple[tuple[str, str | None], ...]:
        """All attributes in order as (name, value); the value of a flag such as `a=rtcp-mux` is None."""
        if self._attributes is None:
            self._attributes = read_attributes(self.lines)
        return self._attributes

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of this name, empty for a flag, None when it is absent."""
        return next((value or "" for key, value in self.attributes if key == name), None)

    def rtpmap(self, payload_type: int | str) -> Encoding | None:
        """What a payload type of this line means: its first rtpmap, else the static table of RFC 3551, else None."""
        maps = self._rtpmaps if self._rtpmaps is not None else self._read()
        number = payload_type if isinstance(payload_type, str) else str(payload_type)
        text = maps.get(number)
        if text is None:
            return STATIC_ENCODINGS.get(number)
        return _parse_encoding(text) if len(text) <= MAX_WORD else None

    def fmtp(self, payload_type: int | str) -> str | None:
        """The format parameters of a payload type as written, or None."""
        if self._rtpmaps is None:
            self._read()
        return self._fmtps.get(payload_type if isinstance(payload_type, str) else str(payload_type))

    def payload_type_of(self, encoding_name: str) -> int | None:
        """The first payload type of this line with that encoding name (compared without case), or None.

        Man page of the SDP class: `name2int`.
        """
        wanted = encoding_name.lower().partition("/")[0]
        for number in self.formats:
            encoding = self.rtpmap(number)
            if encoding is not None and encoding.name.lower() == wanted and is_payload_type(number):
                return int(number)
        return None

    @property
    def ptime(self) -> float | None:
        """Packet time in ms that the writer likes to receive, or None (RFC 8866 section 6.4)."""
        if self._rtpmaps is None:
            self._read()
        return _decimal(self._ptime) if self._ptime else None

    @property
    def maxptime(self) -> float | None:
        """The longest packet in ms that the writer can take, or None (RFC 8866 section 6.5)."""
        if self._rtpmaps is None:
            self._read()
        return _decimal(self._maxptime) if self._maxptime else None

    @property
    def written_direction(self) -> Direction | None:
        """The direction as written on this line or for the session, None where nothing is written."""
        if self._rtpmaps is None:
            self._read()
        return self._direction or self._session_direction

    @property
    def direction(self) -> Direction:
        """The direction as its writer sees it; nothing written means sendrecv (RFC 3264 section 5.1)."""
        return self.written_direction or Direction.SENDRECV

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP may share the port (RFC 5761)."""
        if self._rtpmaps is None:
            self._read()
        return self._rtcp_mux

    @property
    def rtcp_port(self) -> int:
        """Port for RTCP: the rtcp attribute (RFC 3605), else one above RTP; 0 when the stream is refused."""
        if self._rtpmaps is None:
            self._read()
        if self._rtcp:
            port = self._rtcp.partition(" ")[0]
            if _is_number(port, 5) and int(port) <= 65535:
                return int(port)
        return self.port + 1 if 0 < self.port < 65535 else 0

    @property
    def rtcp_address(self) -> str:
        """Address for RTCP: the rtcp attribute's if it names one, else `address`."""
        if self._rtpmaps is None:
            self._read()
        _, _, text = self._rtcp.partition(" ")
        if text:
            try:
                return parse_connection(text).address
            except ParseError:
                return self.address
        return self.address

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The crypto attributes that can be read, in order (RFC 4568)."""
        if self._rtpmaps is None:
            self._read()
        found = []
        for text in self._cryptos:
            fields = text.split(None, 3)
            if len(fields) >= 3 and _is_number(fields[0], 9):
                found.append(Crypto(int(fields[0]), fields[1], fields[2], fields[3] if len(fields) > 3 else ""))
        return tuple(found)

    @property
    def effective_connection(self) -> Connection | None:
        """The line's own c= line, else the session's (RFC 8866 section 5.7)."""
        return self.connection or self._session_connection

    @property
    def address(self) -> str:
        """Address for RTP, empty when neither the line nor the session names one."""
        connection = self.connection or self._session_connection
        return connection.address if connection is not None else ""


def is_payload_type(text: str) -> bool:
    """Whether a format of an m= line is an RTP payload type, 0 to 127."""
    return _is_number(text, 3) and int(text) <= 127


def _is_number(text: str, digits: int) -> bool:
    return len(text) <= digits and text.isascii() and text.isdigit()


def parse_number(text: str, digits: int, highest: int, what: str) -> int:
    if len(text) > digits or not text.isascii() or not text.isdigit():
        raise ParseError(f"{what} is not a number", _STATUS)
    value = int(text)
    if value > highest:
        raise ParseError(f"{what} is too large", _STATUS)
    return value


def _decimal(text: str) -> float | None:
    whole, dot, fraction = text.strip().partition(".")
    if not _is_number(whole, 6) or (dot and not _is_number(fraction, 6)):
        return None
    return float(f"{whole}.{fraction or 0}") or None


def read_attributes(lines: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for line in lines:
        if line.startswith("a="):
            name, colon, value = line[2:].partition(":")
            found.append((name, value if colon else None))
    return tuple(found)


# The same few addresses and encodings come again and again; texts are short and the tables bounded.


@lru_cache(maxsize=1024)
def parse_connection(text: str) -> Connection:
    fields = text.split()
    if len(fields) != 3 or len(text) > MAX_WORD:
        raise ParseError("c= line does not have three fields", _STATUS)
    nettype, addrtype, address = fields
    if nettype != "IN" or addrtype not in ("IP4", "IP6"):
        # Other networks are legal and of no use here: kept, and answered with a refused stream.
        return Connection(nettype, addrtype, address, "")
    address, _, suffix = address.partition("/")
    if suffix and not all(_is_number(part, 5) for part in suffix.split("/")):
        raise ParseError("c= line with a malformed TTL", _STATUS)
    if not _is_address(address, addrtype):
        raise ParseError("c= line with a malformed address", _STATUS)
    return Connection(nettype, addrtype, address, suffix)


def _is_address(text: str, addrtype: str) -> bool:
    if not text.isascii():
        return False
    try:
        if ":" in text:
            return addrtype == "IP6" and "%" not in text and bool(IPv6Address(text).packed)
        if text.replace(".", "").isdigit():
            return addrtype == "IP4" and bool(IPv4Address(text).packed)
    except AddressValueError:
        return False
    return text.replace("-", "").replace(".", "").replace("_", "").isalnum()


@lru_cache(maxsize=1024)
def _parse_encoding(text: str) -> Encoding | None:
    fields = text.strip().split("/")
    if not fields[0] or len(fields) not in (2, 3) or not _is_number(fields[1], 9):
        return None
    channels = 1
    if len(fields) == 3:
        if not _is_number(fields[2], 3) or int(fields[2]) == 0:
            return None
        channels = int(fields[2])
    return Encoding(fields[0], int(fields[1]), channels)
