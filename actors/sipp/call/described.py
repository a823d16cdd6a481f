"""The media of session descriptions, read as SIPp reads them: address, port and formats of the first audio line. Pure.

A scenario file may answer with any description, so nothing is negotiated here and nothing is refused (RFC 8866 section
5 has the lines). A description that cannot be read has no media.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

_AUDIO: Final = "m=audio "
STATIC: Final[Mapping[int, tuple[str, int]]] = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    18: ("G729", 8000),
}
"""Encodings of payload types without a line of their own (RFC 3551 section 6)."""
_FORMAT: Final = "a=rtpmap:"
_EVENTS: Final = "telephone-event"
MOST_FORMATS: Final = 64
"""Formats of a line that are read."""
Format = tuple[int, str, int]
"""Payload type, encoding name and clock rate in Hz."""


class RemoteMedia(NamedTuple):
    """Where the peer takes audio, and in which formats."""

    address: str
    """IP literal."""
    port: int
    formats: tuple[Format, ...]
    """In the order of the line; telephone-event is among them."""

    @property
    def events(self) -> int:
        """Payload type of telephone-event (RFC 4733); -1 = there is none."""
        return next((number for number, name, _ in self.formats if name.lower() == _EVENTS), -1)

    @property
    def audio(self) -> Format:
        """The first format that is audio; PCMU without one."""
        return next((each for each in self.formats if each[1].lower() != _EVENTS), (0, "PCMU", 8000))


@final
class Descriptions:
    """What both sides of a call have described last; a message without a description changes nothing."""

    __slots__ = ("_own", "peer", "received")

    def __init__(self) -> None:
        self._own: tuple[Format, ...] = ()
        self.peer: RemoteMedia | None = None
        """Where the peer takes audio; None = it has not said it yet."""
        self.received: tuple[Format, ...] = ()
        """What may come: what the file offers, then what the peer offers besides (RFC 3264 section 5.1)."""

    def came(self, message: str) -> None:
        """Take a message that counts, as `media_of` does."""
        found = media_of(message)
        if found is not None:
            self.peer = found
            self._join()

    def sent(self, message: str) -> None:
        """Take a message of the file, as `media_of` does."""
        found = media_of(message)
        if found is not None:
            self._own = found.formats
            self._join()

    def _join(self) -> None:
        numbers = {number for number, _, _ in self._own}
        others = self.peer.formats if self.peer is not None else ()
        self.received = (*self._own, *(each for each in others if each[0] not in numbers))


def media_of(message: str) -> RemoteMedia | None:
    """Return the first audio line of the description in a message; None = there is none that can be sent to.

    Args:
        message: the whole message, Latin-1.
    """
    if _AUDIO not in message:
        return None
    sections: list[list[str]] = [[]]
    for line in message.partition("\r\n\r\n")[2].splitlines():
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    audio = next((each for each in sections[1:] if each[0].startswith(_AUDIO)), None)
    if audio is None:
        return None
    address = _connection(audio) or _connection(sections[0])
    words = audio[0].split()
    port = _number(words[1].partition("/")[0], 65535) if len(words) > 1 else 0
    if not address or not port:
        return None
    names = dict(STATIC)
    for line in audio:
        if line.startswith(_FORMAT):
            number, _, encoding = line.removeprefix(_FORMAT).partition(" ")
            name, _, rate = encoding.strip().partition("/")
            key = _number(number, 127, -1)
            if key >= 0 and name:
                names[key] = name, _number(rate.partition("/")[0], 1_000_000) or 8000
    numbers = [_number(each, 127, -1) for each in words[3 : 3 + MOST_FORMATS]]
    return RemoteMedia(address, port, tuple((each, *names[each]) for each in numbers if each in names))


def _connection(section: list[str]) -> str:
    """The address of a section; empty = it has none."""
    found = next((line for line in section if line.startswith("c=IN IP")), "")
    return found.partition(" ")[2].partition(" ")[2].partition("/")[0].strip()


def _number(text: str, most: int, otherwise: int = 0) -> int:
    """A number of a description; `otherwise` for what is none."""
    is_number = text.isascii() and text.isdigit() and len(text) < 8
    return int(text) if is_number and int(text) <= most else otherwise
