"""What the attributes of one media line mean: payload types, direction, packet times, RTCP and keys.

RFC 8866 section 6, RFC 3551 (static payload types), RFC 3605 (rtcp), RFC 4568 (crypto), RFC 5761 (rtcp-mux). One pass
reads them all, because a reader of one needs most; peers of a kind write the same lines for every call, so what was
read is shared. This file has no m= line, no offers and no list of local codecs.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple, final

from ..errors import ParseError

MAX_WORD: Final = 255

_STATUS = 400
_SHARED_FORMATS: Final = 8

TELEPHONE_EVENT: Final = "telephone-event"
EVENT_CLOCKS: Final = range(1000, 192_001)
"""Clock rates of telephone-event in Hz in which digits can be sent and received: below, a duration has no milliseconds;
above, its field of 16 bits (RFC 4733 section 2.3.1) is full after a few packets, and no audio has such a clock."""
DEFAULT_PACKET_TIME: Final = 20.0
"""ms of audio in a packet where the description gives none (RFC 3551 section 4.2)."""


class Direction(Enum):
    """The four directions of RFC 3264 section 5.1, seen from the side that wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    # Members are compared by identity; the hash of Enum itself is a call in Python for each look-up.
    __hash__ = object.__hash__

    @property
    def sends(self) -> bool:
        """Whether this side sends media."""
        return self in _SENDING

    @property
    def receives(self) -> bool:
        """Whether this side takes media."""
        return self in _RECEIVING

    @property
    def reversed(self) -> "Direction":
        """The same flow of media as the other side would write it."""
        return _BY_HALVES[self.receives, self.sends]


_SENDING: Final = frozenset((Direction.SENDRECV, Direction.SENDONLY))
_RECEIVING: Final = frozenset((Direction.SENDRECV, Direction.RECVONLY))
_BY_HALVES: Final = {(direction.sends, direction.receives): direction for direction in Direction}


def direction_of(sends: bool, receives: bool) -> Direction:
    """The direction with these two halves."""
    return _BY_HALVES[sends, receives]


DIRECTION_LINES: Final = {f"a={direction.value}": direction for direction in Direction}


EncodingKey = tuple[str, int, int]
"""Name in lower case, clock rate, channels."""


class Encoding(NamedTuple):
    """What a payload type means: the value of an rtpmap attribute (RFC 8866 section 6.6)."""

    name: str
    clock_rate: int
    channels: int


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

    def master_key(self) -> bytes:
        """Master key and salt of one inline key; empty for what would have to be understood and is not.

        That is several keys, a key identifier (MKI), a broken key, or a session parameter that is neither a hint
        nor marked as one that may be ignored (RFC 4568 sections 6.1, 6.3.6 and 6.3.7). Taken although the grammar
        has neither: KDR=0, which some peers write for no key derivation rate, and base64 without its padding.
        """
        method, _, info = self.key.partition(":")
        encoded, *rest = info.split("|")
        words = self.parameters.upper().split()
        ignorable = all(word.startswith(("-", "WSH=")) or word == "KDR=0" for word in words)
        if method.lower() != "inline" or ";" in info or not ignorable or len(rest) > 1 or ":" in "".join(rest):
            return b""
        try:
            return b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
        except ValueError:
            return b""

    def fits(self, other: "Crypto") -> bool:
        """Return whether the other side's attribute can be used with this one: same suite, a key of the same length."""
        return self.suite == other.suite and 0 < len(self.master_key()) == len(other.master_key())

    def __repr__(self) -> str:
        return f"Crypto(tag={self.tag}, suite={self.suite!r}, key='…')"

    def __str__(self) -> str:
        text = f"{self.tag} {self.suite} {self.key}"
        return f"{text} {self.parameters}" if self.parameters else text


class Codec(NamedTuple):
    """One payload type and what it means."""

    name: str
    """Encoding name such as PCMU; empty when only the number is known."""
    payload_type: int
    """0 to 127."""
    clock_rate: int = 8000
    """Hz."""
    channels: int = 1
    fmtp: str = ""
    """Format parameters as written after the payload type, may be empty."""

    @property
    def key(self) -> EncodingKey:
        """Equal for the same encoding under any number; a codec without a name is known by its number only."""
        if self.name:
            return self.name.lower(), self.clock_rate, self.channels
        return "", self.payload_type, 0


@final
class Formats:
    """The formats of an m= line that are payload types, each once, in order. Compared by identity, because shared.

    `numbered` are all of them, number and key of the codec; `speech` those without telephone-event, `keys` their keys;
    `events` telephone-event only, one for each clock rate (RFC 4733 section 2.1). What is no payload type, and
    telephone-event of a clock out of `EVENT_CLOCKS`, counts as not written.
    """

    __slots__ = ("events", "keys", "numbered", "speech")

    def __init__(
        self, numbered: tuple[tuple[int, EncodingKey], ...], speech: tuple[Codec, ...], events: tuple[Codec, ...]
    ) -> None:
        self.numbered = numbered
        self.speech = speech
        self.events = events
        self.keys = frozenset([codec.key for codec in speech])


@final
class MediaAttributes:
    """The usual attributes of a media line, read. Shared between descriptions: it is never changed.

    `rtpmaps` and `fmtps` give the text behind a payload type, of the first line for that type; `direction` is None
    where none is written; `rtcp` is the value of the rtcp attribute or empty; `cryptos` are the values of crypto
    attributes.
    """

    __slots__ = (
        "_formats",
        "cryptos",
        "direction",
        "fmtps",
        "maxptime",
        "packet_time",
        "ptime",
        "rtcp",
        "rtcp_mux",
        "rtpmaps",
    )

    def __init__(self, lines: Iterable[str]) -> None:
        """Read lines such as "a=ptime:20"; whatever is malformed counts as not written."""
        rtpmaps: dict[str, str] = {}
        fmtps: dict[str, str] = {}
        cryptos: list[str] = []
        self.direction: Direction | None = None
        self.rtcp_mux = False
        ptime = maxptime = rtcp = ""
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                if line in DIRECTION_LINES:
                    self.direction = self.direction or DIRECTION_LINES[line]
                elif line == "a=rtcp-mux":
                    self.rtcp_mux = True
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
        self.rtpmaps = rtpmaps
        self.fmtps = fmtps
        self.ptime = _decimal(ptime)
        """ms, or None."""
        self.maxptime = _decimal(maxptime)
        """ms, or None."""
        self.packet_time = self.ptime
        """Packet time to send with in ms: `ptime`, not above `maxptime`; None where neither is written."""
        if self.maxptime is not None:
            self.packet_time = min(DEFAULT_PACKET_TIME if self.ptime is None else self.ptime, self.maxptime)
        self.rtcp = rtcp
        self.cryptos = cryptos
        self._formats: dict[tuple[str, ...], Formats] = {}

    def encoding(self, number: str) -> Encoding | None:
        """What a payload type means: its first rtpmap, else the static table of RFC 3551, else None."""
        text = self.rtpmaps.get(number)
        return STATIC_ENCODINGS.get(number) if text is None else _parse_encoding(text)

    def formats(self, numbers: tuple[str, ...]) -> Formats:
        """What the formats of an m= line mean."""
        found = self._formats.get(numbers)
        if found is None:
            if len(self._formats) >= _SHARED_FORMATS:
                self._formats.clear()
            found = self._formats[numbers] = self._read_formats(numbers)
        return found

    def _read_formats(self, numbers: tuple[str, ...]) -> Formats:
        numbered = []
        speech: list[Codec] = []
        events: list[Codec] = []
        for number in dict.fromkeys(numbers):
            text, fmtp = self.rtpmaps.get(number), self.fmtps.get(number, "")
            read = _codec if len(fmtp) + len(text or "") <= MAX_WORD else _codec.__wrapped__
            codec, key = read(number, text, fmtp)
            if codec is None or (key[0] == TELEPHONE_EVENT and key[1] not in EVENT_CLOCKS):
                continue
            numbered.append((codec.payload_type, key))
            if key[0] == TELEPHONE_EVENT:
                events.append(codec)
            else:
                speech.append(codec)
        return Formats(tuple(numbered), tuple(speech), tuple(events))

    def crypto(self) -> tuple[Crypto, ...]:
        """The crypto attributes that can be read, in order (RFC 4568)."""
        found = []
        for text in self.cryptos:
            fields = text.split(None, 3)
            if len(fields) >= 3 and is_number(fields[0], 9):
                found.append(Crypto(int(fields[0]), fields[1], fields[2], fields[3] if len(fields) > 3 else ""))
        return tuple(found)


MOST_EVENT: Final = 255


@lru_cache(maxsize=64)
def event_codes(fmtp: str) -> frozenset[int]:
    """The events that the format parameters of a telephone-event list, such as "0-15,66" (RFC 4733 section 2.4.1).

    Without a list it is 0 to 15, as that section says; so it is where nothing of a list can be read. Some peers write
    `events=` before it, the name that the media type registration has.
    """
    codes: set[int] = set()
    for part in fmtp.partition(";")[0].strip().lower().removeprefix("events=").strip('"').split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        last = last if dash else first
        if is_number(first, 3) and is_number(last, 3):
            codes.update(range(int(first), min(int(last), MOST_EVENT) + 1))
    return frozenset(codes or range(16))


def read_attributes(lines: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for line in lines:
        if line.startswith("a="):
            name, colon, value = line[2:].partition(":")
            found.append((name, value if colon else None))
    return tuple(found)


def is_payload_type(text: str) -> bool:
    """Whether a format of an m= line is an RTP payload type, 0 to 127."""
    return is_number(text, 3) and int(text) <= 127 and (text[0] != "0" or text == "0")


def is_number(text: str, digits: int) -> bool:
    return len(text) <= digits and text.isascii() and text.isdigit()


def parse_number(text: str, digits: int, highest: int, what: str) -> int:
    if len(text) > digits or not text.isascii() or not text.isdigit():
        raise ParseError(f"{what} is not a number", _STATUS)
    value = int(text)
    if value > highest:
        raise ParseError(f"{what} is too large", _STATUS)
    return value


def _decimal(text: str) -> float | None:
    if not text:
        return None
    whole, dot, fraction = text.strip().partition(".")
    if not is_number(whole, 6) or (dot and not is_number(fraction, 6)):
        return None
    return float(f"{whole}.{fraction or 0}") or None


@lru_cache(maxsize=1024)
def _codec(number: str, text: str | None, fmtp: str) -> tuple[Codec | None, EncodingKey]:
    # A format, its rtpmap if it has one, and its format parameters; None for what is no payload type.
    if not is_payload_type(number):
        return None, _NO_KEY
    encoding = STATIC_ENCODINGS.get(number) if text is None else _parse_encoding(text)
    if encoding is None:
        codec = Codec("", int(number), fmtp=fmtp)
    else:
        codec = Codec(encoding.name, int(number), encoding.clock_rate, encoding.channels, fmtp)
    return codec, codec.key


_NO_KEY: Final = ("", -1, 0)


def _parse_encoding(text: str) -> Encoding | None:
    fields = text.strip().split("/")
    if not fields[0] or len(text) > MAX_WORD or len(fields) not in (2, 3) or not is_number(fields[1], 9):
        return None
    if int(fields[1]) == 0:
        return None
    channels = 1
    if len(fields) == 3:
        if not is_number(fields[2], 3) or int(fields[2]) == 0:
            return None
        channels = int(fields[2])
    return Encoding(fields[0], int(fields[1]), channels)
