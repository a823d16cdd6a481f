"""A received message, read only as far as a scenario file asks.

The text is Latin-1, octet for octet. Nothing is parsed before it is needed, and nothing is refused: a file may wait for
a message that no parser takes. Headers are found by name without case; a compact form (RFC 3261 section 7.3.3) counts
only where the long one is not there.
"""

import re
from typing import Final, final

_COMPACT: Final = {
    "call-id": "i",
    "contact": "m",
    "content-encoding": "e",
    "content-length": "l",
    "content-type": "c",
    "from": "f",
    "to": "t",
    "via": "v",
}
"""The compact forms that SIPp knows."""
_BRANCH: Final = re.compile(r";[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE)
_TAG: Final = re.compile(r";[ \t]*tag[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE)

_QUOTED: Final = re.compile(r'[ \t]*"(?:[^"\\]|\\.)*"', re.DOTALL)
"""A display name in quotes."""
_NEEDED: Final = ("To", "From", "CSeq")
"""Headers of each message; without Call-ID and Via it comes to no call."""
_STATUS: Final = re.compile(r"SIP/2\.0[ \t]+([0-9]{3})(?![0-9])")
_HIGHEST_CSEQ: Final = 2**31 - 1
"""RFC 3261 section 8.1.1.5."""


@final
class Received:
    """One received message.

    Args:
        text: all of it, Latin-1.
    """

    __slots__ = ("_headers", "code", "method", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        """The whole message."""
        status = _STATUS.match(text)
        self.code = int(status[1]) if status else 0
        """Status code; 0 for a request, and for a status line without a code."""
        self.method = "" if text.startswith("SIP/") else text[: _end_of_word(text)]
        """Method; empty for a response."""
        self._headers: dict[str, list[str]] | None = None

    def lines(self, name: str) -> list[str]:
        """The lines of all headers of that name, in their order, as they stand in the message.

        Args:
            name: the long name of the header, without colon, in any case.
        """
        headers = self._headers
        if headers is None:
            headers = self._headers = _headers_of(self.text)
        lower = name.lower()
        found = headers.get(lower)
        if found is None:
            found = headers.get(_COMPACT.get(lower, ""))
        return found or []

    def values(self, name: str) -> list[str]:
        """The values of all headers of that name, in their order; `name` as for `lines`."""
        return [line.partition(":")[2].strip() for line in self.lines(name)]

    def value(self, name: str) -> str:
        """The value of the first header of that name, empty when there is none."""
        found = self.values(name)
        return found[0] if found else ""

    @property
    def start_line(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0].rstrip("\r")

    @property
    def request_uri(self) -> str:
        """Request-URI; empty for a response."""
        if not self.method:
            return ""
        words = self.start_line.split()
        return words[1] if len(words) > 1 else ""

    @property
    def body(self) -> str:
        """What follows the empty line."""
        for end in ("\r\n\r\n", "\n\n"):
            _, found, body = self.text.partition(end)
            if found:
                return body
        return ""

    @property
    def cseq_number(self) -> int:
        """Number of the CSeq, 0 when there is none (RFC 3261 section 20.16)."""
        word = self.value("CSeq").partition(" ")[0]
        return int(word) if word.isascii() and word.isdecimal() and len(word) <= len(str(_HIGHEST_CSEQ)) else 0

    @property
    def cseq_method(self) -> str:
        """Method of the CSeq, empty when there is none."""
        words = self.value("CSeq").split()
        return words[1] if len(words) > 1 else ""

    @property
    def branch(self) -> str:
        """The branch of the topmost Via (RFC 3261 section 17.1.3), empty when there is none."""
        found = _BRANCH.search(self.value("Via"))
        return found[1] if found else ""

    @property
    def to_tag(self) -> str:
        """The tag of the To (RFC 3261 section 19.3), empty when there is none."""
        return tag_of(self.value("To"))

    def lacking(self, *, strict: bool) -> str:
        """Return a header that each message must have and this one has not; empty = it has them (RFC 3261 8.1.1).

        Args:
            strict: SIPp misses To only.
        """
        return next((name for name in _NEEDED[: 1 if strict else None] if not self.lines(name)), "")

    @property
    def loose_key(self) -> str:
        """What repetitions have in common: To, From, Call-ID and CSeq; of a response also first line and body."""
        parts = [self.value(name) for name in ("To", "From", "Call-ID", "CSeq")]
        if not self.method:
            parts += (self.start_line, self.body)
        return "\n".join(parts)


def tag_of(address: str) -> str:
    """The tag of a From or To value, empty when there is none."""
    address = _behind_name(address)
    found = _TAG.search(address, address.find(">") + 1)
    return found[1] if found else ""


def uri_of(address: str) -> str:
    """The URI of a From, To, Contact or Route value: within angle brackets, or up to the first parameter."""
    before, bracket, rest = _behind_name(address).partition("<")
    uri, closed, _ = rest.partition(">")
    return uri if bracket and closed else before.partition(";")[0].strip()


def _behind_name(address: str) -> str:
    """What follows a display name in quotes, which may have any of `<>;,` in it (RFC 3261 section 25.1)."""
    name = _QUOTED.match(address)
    return address[name.end() :] if name else address


def _end_of_word(text: str) -> int:
    """Where the first word of a text ends."""
    return next((at for at, letter in enumerate(text) if letter in " \t\r\n"), len(text))


def _headers_of(text: str) -> dict[str, list[str]]:
    """The lines of a message by the name of the header in small letters; a folded line stays as it is (7.3.1)."""
    found: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.split("\n")[1:]:
        line = line.removesuffix("\r")
        if not line:
            break
        if line[0] in " \t":
            if lines:
                lines[-1] = f"{lines[-1]}\n{line}"  # as SIPp copies it
            continue
        name, colon, _ = line.partition(":")
        lines = found.setdefault(name.strip().lower(), []) if colon else None
        if lines is not None:
            lines.append(line)
    return found
