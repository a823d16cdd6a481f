"""One media line of a session description: the m= line and the lines below it.

RFC 8866 sections 5.7 and 5.14. A line is a value, made once from its text or its fields, and written back as it came.
`media_attributes` reads the attributes at the first use of one. This file must not depend on sessions, offers, answers
or the codecs that we have.
"""

from collections.abc import Iterable, Sequence
from typing import Final, final

from ..errors import ParseError
from ..leniency import Leniency, Used
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
)
from .sdp_section import EMPTY, Connection, Section, parse_connection, read_section

_STATUS = 400
# Before Python 3.12 reading a member off its class is slow.
_SENDRECV: Final = Direction.SENDRECV


@final
class MediaLine:
    """One m= line with the lines below it.

    `media`, `port`, `port_count`, `protocol` and `formats` are the fields of the m= line; `section` are the lines below
    it; `connection` is its own c= line or None. `address` and `direction` fall back to the session's.
    """

    __slots__ = (
        "effective_connection",
        "formats",
        "media",
        "port",
        "port_count",
        "protocol",
        "section",
        "text",
        "written_direction",
    )

    def __init__(
        self,
        text: str,
        media: str,
        port: int,
        protocol: str,
        formats: tuple[str, ...],
        section: Section = EMPTY,
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
        self.section = section
        self.effective_connection = section.connection or session_connection
        """The line's own c= line, else the session's (RFC 8866 section 5.7)."""
        self.written_direction = section.attributes.direction or session_direction
        """The direction as written on this line or for the session, None where nothing is written."""

    @classmethod
    def parse(
        cls,
        text: str,
        section: Section = EMPTY,
        session_connection: Connection | None = None,
        session_direction: Direction | None = None,
        used: Used | None = None,
    ) -> "MediaLine":
        """Read `text`, the value of the m= line with `section` below it, and what holds for all lines of the session.

        Args:
            used: takes up the leniency with which a malformed line counts as a refused one; None = it raises
                ParseError.
        """
        fields = text.split()
        try:
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
            number = parse_number(port, 5, 65535, "port")
        except ParseError:
            if used is None or not fields or max(map(len, fields)) > MAX_WORD:
                raise
            used[Leniency.SDP_MEDIA_LINE] = None
            media, protocol = fields[0], fields[2] if len(fields) > 2 else "RTP/AVP"
            # A refused line is answered with the same formats, and there must be one (RFC 3264 section 6).
            formats, number, count = fields[3:] or ["0"], 0, 1
        return cls(
            text,
            media,
            number,
            protocol,
            tuple(formats),
            section,
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
        """A media line from its fields; `lines` are whole lines such as "a=ptime:20".

        Raises:
            ParseError: on nonsense.
        """
        ports = f"{port}/{port_count}" if port_count != 1 else str(port)
        section = read_section("\r\n".join(lines)) if lines else EMPTY
        return cls.parse(f"{media} {ports} {protocol} {' '.join(map(str, formats))}", section)

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
    def lines(self) -> tuple[str, ...]:
        """The lines below the m= line as written."""
        return self.section.lines

    @property
    def connection(self) -> Connection | None:
        """The line's own c= line, None without one."""
        return self.section.connection

    @property
    def read(self) -> MediaAttributes:
        """The usual attributes, read."""
        return self.section.attributes

    @property
    def attributes(self) -> tuple[tuple[str, str | None], ...]:
        """All attributes in order as (name, value); the value of a flag such as `a=rtcp-mux` is None."""
        return read_attributes(self.lines)

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of this name, empty for a flag, None when it is absent."""
        return next((value or "" for key, value in self.attributes if key == name), None)

    def rtpmap(self, payload_type: int | str) -> Encoding | None:
        """What a payload type of this line means: its first rtpmap, else the static table of RFC 3551, else None."""
        return self.section.attributes.encoding(str(payload_type))

    def fmtp(self, payload_type: int | str) -> str | None:
        """The format parameters of a payload type as written, or None."""
        return self.section.attributes.fmtps.get(str(payload_type))

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
        return self.section.attributes.ptime

    @property
    def maxptime(self) -> float | None:
        """The longest packet in ms that the writer can take, or None (RFC 8866 section 6.5)."""
        return self.section.attributes.maxptime

    @property
    def direction(self) -> Direction:
        """The direction as its writer sees it; nothing written means sendrecv (RFC 3264 section 5.1)."""
        return self.written_direction or _SENDRECV

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP may share the port (RFC 5761)."""
        return self.section.attributes.rtcp_mux

    @property
    def rtcp_port(self) -> int:
        """Port for RTCP: the rtcp attribute (RFC 3605), else one above RTP; 0 when the stream is refused."""
        if written := self.section.attributes.rtcp:
            port = written.partition(" ")[0]
            if is_number(port, 5) and int(port) <= 65535:
                return int(port)
        return self.port + 1 if 0 < self.port < 65535 else 0

    @property
    def rtcp_address(self) -> str:
        """Address for RTCP: the rtcp attribute's if it names one, else `address`."""
        if written := self.section.attributes.rtcp:
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
        return self.section.attributes.crypto()

    @property
    def address(self) -> str:
        """Address for RTP, empty when neither the line nor the session names one."""
        connection = self.effective_connection
        return connection.address if connection is not None else ""
