"""The header lines of one message: ordered, case-blind, compact names known, written back as they came.

RFC 3261 section 7.3. It has the list of headers with comma-separated values, and must not interpret any. Keeps how its
message is read (`mending.Reading`): what a reader refuses is mended, or counts as absent, here.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar, final

from ..errors import LocalProtocolError, ParseError
from ..leniency import Leniency, Used
from .grammar import BLANK, MAX_VALUES, cut_commas, is_token, split_values
from .mending import LENIENT_REQUEST, Mend, mend_value

_T = TypeVar("_T")

MAX_MENDED = 16
"""How many values of one list are mended; the others that are refused count as unreadable."""

_NAMES = """
Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Authentication-Info
Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding Content-Language Content-Length
Content-Type CSeq Date Diversion Error-Info Event Expires Flow-Timer From History-Info Identity Identity-Info
In-Reply-To Join MIME-Version Max-Forwards Min-Expires Min-SE Organization P-Asserted-Identity
P-Associated-URI P-Preferred-Identity Path Priority Privacy Proxy-Authenticate Proxy-Authentication-Info
Proxy-Authorization Proxy-Require RAck RSeq Reason Record-Route Refer-To Referred-By Reject-Contact Replaces
Reply-To Request-Disposition Require Retry-After Route SIP-ETag SIP-If-Match Server Service-Route
Session-Expires Subject Subscription-State Supported Target-Dialog Timestamp To Unsupported User-Agent Via
WWW-Authenticate Warning
"""

_COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
    "e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
    "l": "content-length", "m": "contact", "n": "identity-info", "o": "event", "r": "refer-to", "s": "subject",
    "t": "to", "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}  # fmt: skip

_LISTS = """
accept accept-contact accept-encoding accept-language alert-info allow allow-events call-info contact
content-encoding content-language diversion error-info history-info in-reply-to p-asserted-identity
p-associated-uri p-preferred-identity path proxy-require reason record-route reject-contact
request-disposition require route service-route supported unsupported via warning
"""

LISTS = frozenset(_LISTS.split())
"""The headers whose grammar is a comma-separated list, by key; all others are one value a line (7.3.1)."""

# Every spelling in use maps to its key in one look-up; the keys are shared strings, so comparing them is cheap.
_KEYS: dict[str, str] = {}
for _name in _NAMES.split():
    _key = _name.lower()
    for _spelling in (_name, _key, _name.upper(), _name.title()):
        _KEYS[_spelling] = _key
for _letter, _key in _COMPACT.items():
    _KEYS[_letter] = _KEYS[_letter.upper()] = _KEYS[_key]


def key_of(name: str) -> str:
    """Return the key of a header name: lower case, long form.

    Raises:
        ParseError: it is no token.
    """
    key = _KEYS.get(name)
    if key is None:
        bare = name.rstrip(" \t")
        if not is_token(bare):
            raise ParseError("a header has no proper name")
        key = bare.lower()
        key = _KEYS.get(key, key)
    return key


def is_listed(name: str) -> bool:
    """Return whether a header is one of the usual ones, whose names are written here; in any case, short ones too."""
    return name.lower() in _KEYS


def unfold(value: str) -> str:
    """Return a raw value on one line and trimmed (7.3.1)."""
    if "\n" in value:
        return " ".join([part for piece in value.split("\r\n") if (part := piece.strip(" \t"))])
    return value.strip(" \t")


def value_of(line: str) -> str:
    """Return the value of a raw line, unfolded and trimmed (7.3.1)."""
    return unfold(line.split(":", 1)[1])


@final
class Headers:
    """The header lines of a message, in order.

    Names are taken in any case and in compact form. What the message derived from them is kept in `typed` and forgotten
    with every change. reading: how they are read, and which leniencies that took.

    Args:
        lines: raw lines without their line ends, `Name: value`.
        keys: the key of each (key_of).
    """

    __slots__ = ("keys", "lines", "reading", "typed")

    def __init__(self, lines: list[str], keys: list[str]) -> None:
        self.lines = lines
        self.keys = keys
        self.reading = LENIENT_REQUEST
        self.typed: dict[str, Any] = {}

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Headers":
        """Make headers from (name, value) pairs, written as given."""
        known = _KEYS.get
        lines = []
        keys = []
        for name, value in pairs:
            lines.append(f"{name}: {value}")
            keys.append(known(name) or _own_key(name))
        return cls(lines, keys)

    def get(self, name: str) -> str | None:
        """Return the first line's value, unfolded and trimmed, or None."""
        key = _KEYS.get(name) or key_of(name)
        keys = self.keys
        return value_of(self.lines[keys.index(key)]) if key in keys else None

    def get_all(self, name: str) -> list[str]:
        """Return the values of all lines of that name, one a line, uncut."""
        key = _KEYS.get(name) or key_of(name)
        keys = self.keys
        if key not in keys:
            return []
        if keys.count(key) == 1:
            return [value_of(self.lines[keys.index(key)])]
        return [value_of(line) for line, other in zip(self.lines, keys, strict=True) if other == key]

    def values(self, name: str) -> list[str]:
        """Return all values of that name: a list header is cut at its commas, every other is one value a line.

        An open quote is a plain character, and of too many values the first 256 count. Strictly read, both raise
        ParseError in a request.
        """
        key = _KEYS.get(name) or key_of(name)
        found = self.get_all(key)
        if not found or key not in LISTS:
            return found
        try:
            if len(found) == 1:
                return split_values(found[0])
            values = [value for text in found for value in split_values(text)]
            if len(values) > MAX_VALUES:
                raise ParseError(f"too many values of {key}")
            return values
        except ParseError:
            if not self.reading.forgives:
                raise
        self.note(Leniency.UNREADABLE_ELEMENT)
        values = []
        for text in found:
            values += [value for part in cut_commas(text) if (value := part.strip(BLANK))]
            if len(values) >= MAX_VALUES:
                break
        return values[:MAX_VALUES]

    def optional(self, name: str, parse: Callable[[str], _T], mend: Mend = mend_value) -> _T | None:
        """Read an optional header that stands once; None without one, and for one that cannot be read.

        Args:
            parse: raises ParseError for a value that it refuses.
            mend: rewrites such a value where the reading is not strict.

        Raises:
            ParseError: in a strict reading of a request.
        """
        value = self.get(name)
        if value is None:
            return None
        try:
            return parse(value)
        except ParseError:
            return self._recover(key_of(name), value, parse, mend)

    def each(self, name: str, parse: Callable[[str], _T], mend: Mend = mend_value) -> list[_T]:
        """Read all values of a header; one that cannot be read costs that value only. As `optional` otherwise."""
        values = self.values(name)
        try:
            return [parse(value) for value in values]
        except ParseError:
            return self._recover_list(key_of(name), values, parse, mend)

    # What a reader refuses

    def note(self, *used: Leniency) -> None:
        """Remember leniencies that reading this message took."""
        self.reading = self.reading.with_used(*used)

    def mended(self, name: str) -> str | None:
        """Return the first line's value as `get`, rewritten as the grammar demands where that was needed."""
        mended = self.reading.mended
        return mended.get(_KEYS.get(name) or key_of(name)) or self.get(name) if mended else self.get(name)

    def read(self, value: str, parse: Callable[[str], _T], mend: Mend, key: str = "") -> _T:
        """Read a value, mended where it has to be; the rewritten one is kept under `key`.

        Raises:
            ParseError: what is past mending, and for anything that needs it in a strict reading.
        """
        try:
            return parse(value)
        except ParseError:
            reading = self.reading
            if reading.strict:
                raise
            used: Used = {}
            text = mend(value, used)
            if text == value or (Leniency.CONTRADICTING_PARAMETER in used and not reading.is_response):
                raise
            found = parse(text)
            self.reading = reading.with_used(*used, mended={key: text} if key else None)
            return found

    def _recover(self, key: str, value: str, parse: Callable[[str], _T], mend: Mend) -> _T | None:
        """Read a value of an optional header that its reader refused: mended, or None as if it were absent.

        Raises:
            ParseError: in a strict reading of a request.
        """
        try:
            return self.read(value, parse, mend)
        except ParseError:
            if not self.reading.forgives:
                raise
            self.lose(key)
            return None

    def _recover_list(self, key: str, values: list[str], parse: Callable[[str], _T], mend: Mend) -> list[_T]:
        """Read a list of which one value was refused: what can be read of it counts. Raises as `_recover`."""
        found: list[_T] = []
        unmended = MAX_MENDED
        lost = False
        for value in values:
            try:
                found.append(parse(value))
                continue
            except ParseError:
                unmended -= 1
            if unmended < 0:
                lost = True  # mending costs more than reading
                continue
            try:
                found.append(self.read(value, parse, mend))
            except ParseError:
                if not self.reading.forgives:
                    raise
                lost = True
                # An open quote reaches to the next one, over commas: what stands between them may be read by itself.
                for piece in value.split(",", MAX_MENDED)[:MAX_MENDED] if "," in value else ():
                    with suppress(ParseError):
                        found.append(parse(piece.strip(BLANK)))
        if not found:
            self.lose(key)
        elif lost:
            self.note(Leniency.UNREADABLE_ELEMENT)
        return found

    def lose(self, key: str) -> None:
        """Remember that a header could not be read and counts as absent."""
        self.reading = self.reading.with_used(Leniency.UNREADABLE_FIELD, unreadable=key)

    def raw(self, name: str) -> list[str]:
        """Return the raw lines of that name, for copying them into another message."""
        key = _KEYS.get(name) or key_of(name)
        return [line for line, other in zip(self.lines, self.keys, strict=True) if other == key]

    def set(self, name: str, value: str) -> None:
        """Write the header once, in the place of its first line or at the end; further lines of it go."""
        key = _own_key(name)
        keys = self.keys
        if key not in keys:
            self.add(name, value)
            return
        first = keys.index(key)
        self.lines[first] = f"{name}: {value}"
        for index in range(len(keys) - 1, first, -1):
            if keys[index] == key:
                del self.lines[index], keys[index]
        self.typed.clear()

    def add(self, name: str, value: str) -> None:
        """Write the header as a new last line."""
        key = _own_key(name)
        self.keys.append(key)
        self.lines.append(f"{name}: {value}")
        self.typed.clear()

    def insert_first(self, name: str, value: str) -> None:
        """Write the header above all lines of its name, or as the first line of all."""
        key = _own_key(name)
        keys = self.keys
        at = keys.index(key) if key in keys else 0
        keys.insert(at, key)
        self.lines.insert(at, f"{name}: {value}")
        self.typed.clear()

    def remove(self, name: str) -> None:
        """Take out all lines of that name."""
        key = _own_key(name)
        keep = [index for index, other in enumerate(self.keys) if other != key]
        self.lines = [self.lines[index] for index in keep]
        self.keys = [self.keys[index] for index in keep]
        self.typed.clear()

    def remove_first(self, name: str) -> None:
        """Take out the topmost value of that name; the further ones of its line stay.

        Raises:
            ParseError: the line cannot be cut.
        """
        key = _own_key(name)
        if key not in self.keys:
            return
        at = self.keys.index(key)
        rest = split_values(value_of(self.lines[at]))[1:]
        if rest:
            self.lines[at] = f"{name}: {', '.join(rest)}"
        else:
            del self.lines[at], self.keys[at]
        self.typed.clear()

    def replace_line(self, index: int, line: str) -> None:
        """Put another raw line of the same name in the place of the one at that index."""
        self.lines[index] = line
        self.typed.clear()

    def index(self, name: str) -> int:
        """Return the index of the first line of that name, or -1."""
        key = _KEYS.get(name) or key_of(name)
        keys = self.keys
        return keys.index(key) if key in keys else -1

    def copy(self) -> "Headers":
        """Return headers of their own that start with the same lines."""
        return Headers(self.lines.copy(), self.keys.copy())

    def items(self) -> Iterator[tuple[str, str]]:
        """Go through (name as written, value) of every line, in order."""
        for line in self.lines:
            yield line.partition(":")[0].rstrip(BLANK), value_of(line)

    def __contains__(self, name: str) -> bool:
        return (_KEYS.get(name) or key_of(name)) in self.keys

    def __len__(self) -> int:
        return len(self.lines)


def _own_key(name: str) -> str:
    try:
        return key_of(name)
    except ParseError as error:
        raise LocalProtocolError(f"{name!r} is no header name") from error
