"""How each leniency is done: a value with a fault that is put up with is written anew, so that it can be read.

The readers of `fields`, `uri` and `grammar` have the grammar of RFC 3261 section 25 alone. A value that they refuse
comes here: a mend rewrites it as the grammar demands and returns which leniencies that took; then the reader reads it
again. Messages without a fault never get here, so that they cost nothing. A strict reading uses no mend. Nothing here
guesses what a peer meant: where a mend would have to, the value stays refused.
"""

from collections.abc import Callable, Mapping
from typing import Final, final

from ..errors import ParseError
from ..leniency import Leniency, Used
from .grammar import BLANK, MAX_PARAMETERS, cut_commas, cut_semicolons, end_of_quotes, is_token, quote, words

Mend = Callable[[str, Used], str]
"""Rewrites a value; raises ParseError for what it cannot mend."""


@final
class Reading:
    """How the fields of one message are read, and what that took. The four usual ones are shared: see `own`.

    Args:
        strict: no leniency is used.
        is_response: fields that cannot be read are absent, since the status decides (RFC 3261 8.1.3.2).
        used: leniencies so far.
        unreadable: keys of the headers that could not be read.
        mended: values as they were rewritten, by key.
    """

    __slots__ = ("is_response", "mended", "strict", "unreadable", "used")

    def __init__(
        self,
        strict: bool,
        is_response: bool,
        used: tuple[Leniency, ...] = (),
        unreadable: tuple[str, ...] = (),
        mended: Mapping[str, str] | None = None,
    ) -> None:
        self.strict = strict
        self.is_response = is_response
        self.used = used
        self.unreadable = unreadable
        self.mended: Mapping[str, str] = mended or {}

    @property
    def forgives(self) -> bool:
        """Whether a field that cannot be read counts as absent; else it costs its request."""
        return self.is_response or not self.strict

    def with_used(self, *used: Leniency, unreadable: str = "", mended: Mapping[str, str] | None = None) -> "Reading":
        """Return this one with more leniencies, perhaps a header that could not be read, and rewritten values."""
        return Reading(
            self.strict,
            self.is_response,
            tuple(dict.fromkeys((*self.used, *used))),
            (*self.unreadable, unreadable) if unreadable and unreadable not in self.unreadable else self.unreadable,
            {**self.mended, **(mended or {})},
        )

    def relaxed(self) -> "Reading":
        """Return this one without strictness."""
        return Reading(False, self.is_response, self.used, self.unreadable, self.mended) if self.strict else self


READINGS: Final[Mapping[tuple[bool, bool], Reading]] = {
    (strict, is_response): Reading(strict, is_response) for strict in (False, True) for is_response in (False, True)
}
"""A reading that has used nothing yet, by (strict, is_response); never changed."""
LENIENT_REQUEST: Final = READINGS[False, False]
LENIENT_RESPONSE: Final = READINGS[False, True]


def mend_value(text: str, used: Used) -> str:
    """Mend `value;name=value`, the shape of most fields (RFC 3261 25.1)."""
    semicolon = text.find(";")
    return text if semicolon < 0 else text[:semicolon] + _tidy(text[semicolon:], used)


def mend_via(text: str, used: Used) -> str:
    """Mend a Via value; it must have a branch, which identifies a transaction (20.42)."""
    mended = mend_value(text, used)
    if ";branch=" not in mended.replace(" ", ""):
        raise ParseError("a Via with empty parameters has no branch")
    return mended


def mend_address(text: str, used: Used) -> str:
    """Mend a name-addr or addr-spec with its parameters (20.10, 25.1)."""
    text = text.strip(BLANK)
    start = end_of_quotes(text, 0) if text[:1] == '"' else 0
    at = text.find("<", start)
    if at < 0 or (not start and ";" in text[:at] and ":" in text[:at].partition(";")[0]):
        address, semicolon, params = text.partition(";")
        if start or "?" in address or "," in address or "<" in address:
            raise ParseError("no address after a display name")
        return mend_uri(address.rstrip(BLANK), used) + _tidy(semicolon + params, used)
    name = text[:at].strip(BLANK)
    if start != len(name) and not all(map(is_token, words(name))):
        used[Leniency.UNQUOTED_NAME] = None
        name = quote(name.replace('\\"', '"').replace('"', "").strip(BLANK))
    end = text.find(">", at)
    if end < 0:
        raise ParseError("an angle bracket does not close")
    inner = text[at + 1 : end]
    if inner != inner.strip(BLANK):
        used[Leniency.BLANKS_IN_BRACKETS] = None
        inner = inner.strip(BLANK)
    params = _tidy(text[end + 1 :].strip(BLANK), used, drop=True)
    return f"{name} <{mend_uri(inner, used)}>{params}".lstrip(" ")


def mend_uri(text: str, used: Used) -> str:
    """Mend a sip, sips or tel URI (19.1.1)."""
    scheme, _, rest = text.partition(":")
    if scheme.lower() not in ("sip", "sips", "tel"):
        return text
    user, at, place = rest.partition("@")
    if not at:
        user, place = "", rest
    elif "@" in place and not any(start in place.partition("@")[0] for start in ";?"):
        raise ParseError("a URI holds two at signs")
    if at and not user.partition(":")[0]:
        used[Leniency.EMPTY_USER] = None
        user = at = ""
    if "@" in place:
        used[Leniency.UNESCAPED_AT] = None
        place = place.replace("@", "%40")
    place, question, headers = place.partition("?")
    kept = ";".join([part for number, part in enumerate(place.split(";")) if part or not number])
    kept_headers = "&".join([part for part in headers.split("&") if part])
    if kept != place or kept_headers != headers or bool(question) != bool(kept_headers):
        used[Leniency.EMPTY_PARAMETER] = None
    return f"{scheme}:{user}{at}{kept}{'?' if kept_headers else ''}{kept_headers}"


def mend_authentication(text: str, used: Used) -> str:
    """Mend a challenge or credentials: `qop=auth,auth-int` without quotes, and agreeing doubles (RFC 7616 3.3)."""
    parts: list[str] = []
    seen: dict[str, str] = {}
    for part in cut_commas(text):
        part = part.strip(BLANK)
        name, equals, value = part.partition("=")
        before, _, first = parts[-1].partition("=") if parts else ("", "", "")
        if not equals and is_token(part) and words(before.lower())[-1:] == ["qop"]:
            used[Leniency.UNQUOTED_LIST] = None
            parts[-1] = f'{before}="{first.strip(BLANK).strip(chr(34))},{part}"'
            continue
        *scheme, name = words(name.lower()) or [""]
        if scheme:
            seen.clear()
        if not scheme and name in seen and seen[name] == value.strip(BLANK):
            used[Leniency.DOUBLED_PARAMETER] = None
            continue
        seen[name] = value.strip(BLANK)
        parts.append(part)
    return ", ".join(parts)


def _tidy(text: str, used: Used, *, drop: bool = False) -> str:
    """Write parameters without empty and doubled ones; with `drop` also without those that are none."""
    first, *parts = cut_semicolons(text)
    if first.strip(BLANK) or len(parts) > MAX_PARAMETERS:
        raise ParseError("no semicolon before a parameter")
    kept: dict[str, str] = {}
    for part in parts:
        name, equals, value = (piece.strip(BLANK) for piece in part.partition("="))
        if not name and not equals:
            used[Leniency.EMPTY_PARAMETER] = None
        elif drop and name.lower() != "tag" and not _is_parameter(name, equals, value):
            used[Leniency.UNREADABLE_PARAMETER] = None
        elif name.lower() in kept:
            same = kept[name.lower()].partition("=")[2].strip('"') == value.strip('"')
            used[Leniency.DOUBLED_PARAMETER if same else Leniency.CONTRADICTING_PARAMETER] = None
        elif equals and not value and is_token(name) and not drop:
            used[Leniency.EMPTY_VALUE] = None
            kept[name.lower()] = name
        else:
            kept[name.lower()] = f"{name}{equals}{value}"
    return "".join([f";{part}" for part in kept.values()])


def _is_parameter(name: str, equals: str, value: str) -> bool:
    if not is_token(name):
        return False
    if value[:1] == '"':
        return end_of_quotes(value, 0) == len(value)
    return not equals or (value != "" and not any(bad in value for bad in ' \t"<>,\r\n'))
