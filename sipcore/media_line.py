"""One media line of a session description: the m= line and the lines below it.

RFC 8866 sections 5.7 and 5.14. What the attributes say is read by `media_attributes` when somebody asks. This file
knows nothing of sessions, offers, answers or the codecs that we have.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from .errors import ParseError
from .media_attributes import (
    MAX_WORD,
    Crypto,
    Direction,
    Encoding,
    MediaAttributes,
    is_number,
    is_payload_type,
    parse_number,
    read_attributes,
    read_media_attributes,
)

_STATUS = 400


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


class MediaLine:
    """One m= line with the lines below it.

    `media`, `port`, `port_count`, `protocol` and `formats` are the fields of the m= line; `lines` are the lines below
    it as written; `connection` is its own c= line or None. `address` and `direction` fall back to the session's.
    """

    __slots__ = (
        "_read",
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
        media: str,
        port: int,
        protocol: str,
        formats: tuple[str, ...],
        lines: Sequence[str] = (),
        connection: Connection | None = None,
        session_connection: Connection | None = None,
        session_direction: Direction | None = None,
        port_count: int = 1,
    ) -> None:
        """Hold parts that agree with each other; callers outside of this package use `parse` or `build`."""
        self.text = text
        self.media = media
        self.port = port
        self.port_count = port_count
        self.protocol = protocol
        self.formats = formats
        self.lines = lines
        self.connection = connection
        self._session_connection = session_connection
        self._session_direction = session_direction
        self._read: MediaAttributes | None = None

    @classmethod
    def parse(
        cls,
        text: str,
        lines: Sequence[str] = (),
        connection: Connection | None = None,
        session_connection: Connection | None = None,
        session_direction: Direction | None = None,
    ) -> "MediaLine":
        """Read `text`, the value of the m= line; `connection` is what the first c= line among `lines` says.

        Raises ParseError when the m= line is malformed.
        """
        fields = text.split()
        if len(fields) < 4:
            raise ParseError("m= line has fewer than four fields", _STATUS)
        media, port, protocol, *formats = fields
        if len(media) > MAX_WORD or len(protocol) > MAX_WORD:
            raise ParseError("m= line has an overlong word", _STATUS)
        count = 1
        if "/" in port:
            port, _, ports = port.partition("/")
            count = parse_number(ports, 5, 65535, "number of ports")
            if count == 0:
                raise ParseError("m= line with a range of no ports", _STATUS)
        return cls(
            text,
            media,
            parse_number(port, 5, 65535, "port"),
            protocol,
            tuple(formats),
            lines,
            connection,
            session_connection,
            session_direction,
            count,
        )

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
        own = next((parse_connection(line[2:]) for line in lines if line.startswith("c=")), None)
        return cls.parse(f"{media} {ports} {protocol} {' '.join(map(str, formats))}", lines, own)

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

    @property
    def read(self) -> MediaAttributes:
        """The usual attributes, read."""
        if self._read is None:
            self._read = read_media_attributes(self.lines)
        return self._read

    @property
    def attributes(self) -> tuple[tuple[str, str | None], ...]:
        """All attributes in order as (name, value); the value of a flag such as `a=rtcp-mux` is None."""
        return read_attributes(self.lines)

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of this name, empty for a flag, None when it is absent."""
        return next((value or "" for key, value in self.attributes if key == name), None)

    def rtpmap(self, payload_type: int | str) -> Encoding | None:
        """What a payload type of this line means: its first rtpmap, else the static table of RFC 3551, else None."""
        return self.read.encoding(str(payload_type))

    def fmtp(self, payload_type: int | str) -> str | None:
        """The format parameters of a payload type as written, or None."""
        return self.read.fmtps.get(str(payload_type))

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
        return self.read.ptime

    @property
    def maxptime(self) -> float | None:
        """The longest packet in ms that the writer can take, or None (RFC 8866 section 6.5)."""
        return self.read.maxptime

    @property
    def written_direction(self) -> Direction | None:
        """The direction as written on this line or for the session, None where nothing is written."""
        return self.read.direction or self._session_direction

    @property
    def direction(self) -> Direction:
        """The direction as its writer sees it; nothing written means sendrecv (RFC 3264 section 5.1)."""
        return self.read.direction or self._session_direction or Direction.SENDRECV

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP may share the port (RFC 5761)."""
        return self.read.rtcp_mux

    @property
    def rtcp_port(self) -> int:
        """Port for RTCP: the rtcp attribute (RFC 3605), else one above RTP; 0 when the stream is refused."""
        if written := self.read.rtcp:
            port = written.partition(" ")[0]
            if is_number(port, 5) and int(port) <= 65535:
                return int(port)
        return self.port + 1 if 0 < self.port < 65535 else 0

    @property
    def rtcp_address(self) -> str:
        """Address for RTCP: the rtcp attribute's if it names one, else `address`."""
        if written := self.read.rtcp:
            _, _, text = written.partition(" ")
            if text:
                try:
                    return parse_connection(text).address
                except ParseError:
                    return self.address
        return self.address

    @property
    def crypto(self) -> tuple[Crypto, ...]:
        """The crypto attributes that can be read, in order (RFC 4568)."""
        return self.read.crypto()

    @property
    def effective_connection(self) -> Connection | None:
        """The line's own c= line, else the session's (RFC 8866 section 5.7)."""
        return self.connection or self._session_connection

    @property
    def address(self) -> str:
        """Address for RTP, empty when neither the line nor the session names one."""
        connection = self.connection or self._session_connection
        return connection.address if connection is not None else ""


# The same few addresses come again and again; their texts are short and the table bounded.


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
    if suffix and not all(is_number(part, 5) for part in suffix.split("/")):
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
