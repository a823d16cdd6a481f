"""Session descriptions: RFC 8866 lines in, typed reading of what SIP needs, the same lines out.

A description is a value: parsed or built once and never changed afterwards; `replace` makes another one. Lines that are
not understood here are kept where they stood and written back. This file must not depend on offers, answers, codecs we
have, sockets or SIP.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, final

from ..errors import ParseError
from ..leniency import Leniency, Used
from .media_attributes import MAX_WORD, Crypto, Direction, Encoding, is_number, read_attributes
from .media_line import MediaLine
from .sdp_section import EMPTY, Connection, Section, connection_for, read_section

__all__ = [
    "CONTENT_TYPE",
    "Connection",
    "Crypto",
    "Direction",
    "Encoding",
    "MediaLine",
    "Origin",
    "SessionDescription",
    "connection_for",
]

CONTENT_TYPE: Final = "application/sdp"
MAX_MEDIA_LINES: Final = 256

_STATUS = 400


class Origin(NamedTuple):
    """The o= line (RFC 8866 section 5.2)."""

    username: str
    session_id: str
    """As written; opaque, because some peers do not write a number."""
    version: int
    """Rises by one when, and only when, the description changes (RFC 3264 section 8)."""
    nettype: str
    addrtype: str
    address: str

    def __str__(self) -> str:
        return " ".join((self.username, self.session_id, str(self.version), *self[3:]))


@final
class SessionDescription:
    """A session description: its session lines and its media lines.

    `lines` are the lines before the first m= line as written ("v=0", "o=…" …); `media` are the media lines;
    `connection` is the session's c= line or None; `direction` the session's direction attribute or None.
    """

    __slots__ = ("_ending", "_head", "_newline", "_origin", "connection", "direction", "leniencies", "media")

    def __init__(
        self,
        head: str,
        media: tuple[MediaLine, ...],
        origin: Sequence[str],
        connection: Connection | None,
        direction: Direction | None = None,
        newline: str = "\r\n",
        ending: str = "\r\n",
        leniencies: tuple[Leniency, ...] = (),
    ) -> None:
        """Hold parts that agree with each other; callers outside this file use `parse`, `build` or `from_parts`.

        `head` are the session's lines with CRLF between them, `origin` the fields of the o= line among them.
        """
        self._head = head
        self.media = media
        self._origin = origin
        self.connection = connection
        self.direction = direction
        self._newline = newline
        self._ending = ending
        self.leniencies = leniencies
        """What reading it has put up with, each once."""

    @classmethod
    def parse(cls, data: bytes | str, *, strict: bool = False) -> "SessionDescription":
        """Read a description; lines may end in CRLF or LF, the last one may lack its end.

        Checked: `v=0` first, `x=` before each line, o=, c= and m= lines, no NUL. Lines of unknown types are kept.

        Raises:
            ParseError: (400) for anything else; unless it is `strict`, a fault in a line that decides nothing is
                put up with (`leniencies`), and a media line that cannot be read counts as refused. Takes time
                linear in the length.
        """
        # Octets that are no UTF-8 survive as surrogates and are written back unchanged.
        text = data if isinstance(data, str) else str(data, "utf-8", "surrogateescape")
        used: Used = {}
        if "\0" in text:
            if strict:
                raise ParseError("NUL in a session description", _STATUS)
            used[Leniency.SDP_END] = None
            text = text.partition("\0")[0]
        body = text.rstrip("\r\n")
        ending = text[len(body) :]
        newline = "\r\n" if "\r\n" in text else "\n"
        breaks = body.count("\r\n")
        if body.count("\r") != breaks:
            if strict:
                raise ParseError("bare CR in a session description", _STATUS)
            used[Leniency.SDP_BLANKS] = None
            body = _BARE_CR.sub("", body)
            breaks = body.count("\r\n")
        if body.count("\n") != breaks:
            # Line ends of LF, or of both kinds: read as RFC 8866 section 5 asks; both kinds are written back as CRLF.
            body = body.replace("\r\n", "\n").replace("\n", "\r\n")
        head, *parts = body.split("\r\nm=")
        if len(parts) > MAX_MEDIA_LINES:
            raise ParseError(f"more than {MAX_MEDIA_LINES} media lines", _STATUS)
        odd = None if strict else used
        origin, session, head = _read_head(head, body, odd)
        connection, direction = session.connection, session.last_direction
        if session.leniencies:
            used.update(dict.fromkeys(session.leniencies))
        media = []
        for part in parts:
            line, end, below = part.partition("\r\n")
            section = read_section(below, strict) if end else EMPTY
            if section.leniencies:
                used.update(dict.fromkeys(section.leniencies))
            media.append(MediaLine.parse(line, section, connection, direction, odd))
        if not used:
            return cls(head, tuple(media), origin, connection, direction, newline, ending)
        if Leniency.SDP_MEDIA_LINE in used and not any(line.port for line in media):
            raise ParseError("no media line of the session description can be read", _STATUS)
        return cls(head, tuple(media), origin, connection, direction, newline, ending, tuple(used))

    @classmethod
    def build(cls, lines: Iterable[str], media: Iterable[MediaLine]) -> "SessionDescription":
        """A description from session lines ("o=…") and media lines; the media lines are copied, not shared.

        Raises:
            ParseError: the o= line is missing or a line is malformed.
        """
        return cls.parse(_join("\r\n".join(lines), media) + "\r\n", strict=True)

    @classmethod
    def from_parts(
        cls, session: Mapping[str, object], media: Sequence[Mapping[str, object]] = ()
    ) -> "SessionDescription":
        """A description from mappings, as the man page's `sdp` parameter takes them (CALL.md C6).

        `session`: one-letter keys are lines (a sequence repeats the line), `addr` is a shortcut for the c= line and the
        origin's address; missing v, o, s and t lines are filled in. Each mapping of `media`: `media` (audio), `port`,
        `range` (1), `proto` (RTP/AVP), `fmt` (a number, word or sequence of them; 0), `addr`, and one-letter keys.

        Raises:
            ParseError: a value does not make a valid line.
            ValueError: a key of no meaning.
        """
        address = str(session.get("addr", ""))
        at = str(connection_for(address or "0.0.0.0"))
        defaults: dict[str, object] = {"v": "0", "o": f"- 1 1 {at}", "s": "-"}
        if address:
            defaults["c"] = at
        defaults["t"] = "0 0"
        lines = _lines_of_parts({**defaults, **{key: value for key, value in session.items() if key != "addr"}}, _ORDER)
        for part in media:
            words = part.get("fmt", 0)
            formats = [words] if isinstance(words, str | int) else list(_sequence(words))
            ports = f"{part['port']}/{part['range']}" if part.get("range", 1) != 1 else str(part["port"])
            what = f"{part.get('media', 'audio')} {ports} {part.get('proto', 'RTP/AVP')}"
            lines.append(f"m={what} {' '.join(map(str, formats))}")
            rest = {key: value for key, value in part.items() if key not in _MEDIA_WORDS}
            if "addr" in part:
                rest.setdefault("c", str(connection_for(str(part["addr"]))))
            lines += _lines_of_parts(rest, _MEDIA_ORDER)
        return cls.parse("\r\n".join(lines) + "\r\n", strict=True)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines before the first m= line as written."""
        return tuple(self._head.split("\r\n"))

    @property
    def origin(self) -> Origin:
        """The o= line."""
        username, session_id, version, nettype, addrtype, address = self._origin
        return Origin(username, session_id, int(version), nettype, addrtype, address)

    @property
    def session_name(self) -> str:
        """The value of the s= line, empty when there is none."""
        return next((line[2:] for line in self.lines if line.startswith("s=")), "")

    @property
    def attributes(self) -> tuple[tuple[str, str | None], ...]:
        """The attributes of the session, in order, as (name, value)."""
        return read_attributes(self.lines)

    def replace(
        self,
        *,
        origin: Origin | None = None,
        connection: Connection | None = None,
        media: Iterable[MediaLine] | None = None,
    ) -> "SessionDescription":
        """A copy with another o= line, c= line of the session, or other media lines."""
        lines = list(self.lines)
        if origin is not None:
            lines = [f"o={origin}" if line.startswith("o=") else line for line in lines]
        if connection is not None:
            if self.connection is None:
                # Line order of RFC 8866 section 5: c= follows v, o, s, i, u, e and p.
                place = next((i for i, line in enumerate(lines) if line[0] not in "vosiuep"), len(lines))
                lines.insert(place, f"c={connection}")
            else:
                lines = [f"c={connection}" if line.startswith("c=") else line for line in lines]
        return SessionDescription.build(lines, self.media if media is None else media)

    def with_addresses(self, addresses: Sequence[tuple[str, int]]) -> "SessionDescription":
        """A copy in which each media line listens at its (address, port); port 0 drops a port range.

        Man page of the SDP class: `replace_media_listen`.

        Raises:
            ValueError: the numbers of lines differ.
        """
        if len(addresses) != len(self.media):
            raise ValueError(f"{len(addresses)} addresses for {len(self.media)} media lines")
        media = []
        for line, (address, port) in zip(self.media, addresses, strict=True):
            own = [text for text in line.lines if not text.startswith("c=")]
            # c= stands below i= and above everything else of a media line (RFC 8866 section 5).
            place = 1 if own and own[0].startswith("i=") else 0
            own.insert(place, f"c={connection_for(address)}")
            media.append(line.replace(port=port, port_count=None if port else 1, lines=own))
        shared = {address for address, _ in addresses}
        if len(shared) == 1 and self.connection is not None:
            return self.replace(connection=connection_for(shared.pop()), media=media)
        return self.replace(media=media)

    def same_as(self, other: "SessionDescription") -> bool:
        """Whether both have the same content, whatever their o= lines contain."""
        return (
            len(self.media) == len(other.media)
            and all(
                a.text == b.text and a.section.text == b.section.text
                for a, b in zip(self.media, other.media, strict=True)
            )
            and [line for line in self.lines if line[0] != "o"] == [line for line in other.lines if line[0] != "o"]
        )

    def __str__(self) -> str:
        text = _join(self._head, self.media)
        return (text if self._newline == "\r\n" else text.replace("\r\n", "\n")) + self._ending

    def to_bytes(self) -> bytes:
        """The description as octets: those it was parsed from, if the line ends were all alike."""
        return str(self).encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return f"SessionDescription({self.origin}, {[line.text for line in self.media]})"


_ORDER: Final = "vosiuepcbtrzka"
_MEDIA_ORDER: Final = "icbka"
_MEDIA_WORDS: Final = frozenset(("media", "port", "range", "proto", "fmt", "addr"))


def _lines_of_parts(parts: Mapping[str, object], order: str) -> list[str]:
    unknown = [key for key in parts if len(key) != 1 or not "a" <= key <= "z"]
    if unknown:
        raise ValueError(f"no such part of a session description: {', '.join(unknown)}")
    lines = []
    for key in sorted(parts, key=lambda key: order.find(key) if key in order else len(order)):
        value = parts[key]
        values = [value] if isinstance(value, str | int) else _sequence(value)
        lines += [f"{key}={item}" for item in values]
    return lines


def _sequence(value: object) -> Iterable[object]:
    if isinstance(value, Iterable):
        return value
    raise ValueError(f"a part of a session description must be text, a number or a sequence, not {value!r}")


def _join(head: str, media: Iterable[MediaLine]) -> str:
    parts = [head]
    for line in media:
        parts.append(f"m={line.text}")
        if line.section.lines:
            parts.append(line.section.text)
    return "\r\n".join(parts)


def _read_head(head: str, body: str, odd: Used | None) -> tuple[list[str], Section, str]:
    # The o= line differs from call to call; what follows it seldom does. odd: takes up leniencies, None for strict.
    first, _, rest = head.partition("\r\n")
    if first != "v=0" and (odd is None or first.rstrip(" \t") != "v=0"):
        raise ParseError("session description does not start with v=0", _STATUS)
    strict = odd is None
    line, end, below = rest.partition("\r\n")
    if line[:2] == "o=":
        section = read_section(below, strict) if end else EMPTY
        if section.leniencies:
            head = f"v=0\r\n{line}" + (f"\r\n{section.text}" if section.text else "")
        return _read_origin(line[2:], odd), section, head
    found = next((line for line in body.split("\r\n") if line.startswith("o=")), None)
    if found is None:
        raise ParseError("session description without o= line", _STATUS)
    section = read_section(rest, strict) if rest else EMPTY
    if section.leniencies:
        head = f"v=0\r\n{section.text}" if section.text else "v=0"
    return _read_origin(found[2:], odd), section, head


def _read_origin(text: str, odd: Used | None) -> list[str]:
    try:
        return _check_origin(text)
    except ParseError:
        if odd is None:
            raise
    # Its name and version decide nothing (RFC 3264 section 8 speaks of the writer): what is reported stands at the end.
    odd[Leniency.SDP_ORIGIN] = None
    fields = text.split()
    name, rest = " ".join(fields[:-5]), fields[-5:]
    session_id, version, *place = (["0"] * (5 - len(rest)) + rest) if len(rest) < 5 else rest
    return [name or "-", session_id, version if is_number(version, 20) else "0", *place]


def _check_origin(text: str) -> list[str]:
    fields = text.split()
    if len(fields) != 6 or len(text) > 2 * MAX_WORD:
        raise ParseError("o= line does not have six fields of reasonable length", _STATUS)
    if not is_number(fields[2], 20):
        raise ParseError("version of the o= line is not a number", _STATUS)
    return fields


_BARE_CR: Final = re.compile(r"\r(?!\n)")
