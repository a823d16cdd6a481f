"""Digits in SIP INFO, in every spelling that phones and gateways use; there is no standard for it.

`application/dtmf-relay` has lines `Signal=5` and `Duration=160`, `application/dtmf` the digit alone,
`application/vnd.nortelnetworks.digits` a line `d=5`, `audio/telephone-event` either or the octets of RFC 4733 2.3. Each
spelling is accepted under each type. 10 to 15 are * # A B C D, the numbers of RFC 4733 3.2. Only the digit matters: an
unreadable duration counts as none. A body that may be a digit must not get 200 and be dropped.
"""

from typing import Final

from sipswarm.sipcore.message.messages import Request

from .notices import DtmfReceived

DTMF_RELAY: Final = "application/dtmf-relay"
DTMF: Final = "application/dtmf"
TYPES: Final = (DTMF_RELAY, DTMF, "audio/telephone-event", "application/vnd.nortelnetworks.digits")
"""Content types of INFO that carry a digit."""
ACCEPT: Final = (("Accept", ", ".join(TYPES)),)
NOT_UNDERSTOOD: Final = frozenset((405, 415, 501))
"""Responses to an INFO after which another type or method may succeed (RFC 3261 sections 21.4.6, 21.4.13, 21.5.2)."""
USUAL_MS: Final = 100
"""Milliseconds of a digit whose INFO names no duration."""
_EVENTS: Final = "0123456789*#ABCD"
_NAMES: Final = frozenset(("signal", "digit", "digits", "d", "event", "key", "tone"))
_NAMED: Final = ("dtmf", "digit", "telephone-event", "kpml")
"""Parts of the names of content types that mean digits."""


def body_of(content_type: str, digit: str, duration_ms: int) -> bytes:
    """Return the body that sends one digit.

    Args:
        content_type: `DTMF_RELAY` or `DTMF`.
    """
    return digit.encode() if content_type == DTMF else f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()


def read(request: Request) -> tuple[int, tuple[tuple[str, str], ...], DtmfReceived | None]:
    """Read an INFO.

    A body of a type for digits without a digit is refused with 400. Another type that means digits, or a `Signal` under
    a type that does not, gets 415 and the accepted types (RFC 3261 section 8.2.3).

    Returns:
        Status and header fields of the response, and the digit or None.
    """
    kind = request.content_type
    if kind in TYPES:
        digit = digit_in(request.body)
        return (200 if digit is not None else 400), (), digit
    if request.body and (any(word in kind for word in _NAMED) or _has_signal(request.body)):
        return 415, ACCEPT, None
    return 200, (), None


def digit_in(body: bytes) -> DtmfReceived | None:
    """Return the digit that a body sends; None when it has none, or more than one."""
    signals, duration = [], USUAL_MS
    if body.isascii():
        for name, value in _lines(body):
            if name == "duration":
                duration = _milliseconds(value)
            elif name in _NAMES or (not name and value):
                signals.append(_event(value))
        if len(signals) == 1 and signals[0]:
            return DtmfReceived(signals[0], duration, "info")
    if len(body) == 4 and body[0] < len(_EVENTS):  # as in an RTP packet, at 8000 Hz
        return DtmfReceived(_EVENTS[body[0]], int.from_bytes(body[2:]) // 8 or USUAL_MS, "info")
    return None


def _lines(body: bytes) -> list[tuple[str, str]]:
    """Return name and value of each line; the name is empty where the line has only a value."""
    found = []
    for line in body.decode("ascii", "replace").splitlines():
        name, mark, value = line.replace(":", "=", 1).partition("=") if "=" not in line else line.partition("=")
        found.append((name.strip().lower(), value.strip()) if mark else ("", line.strip()))
    return found


def _has_signal(body: bytes) -> bool:
    return any(name == "signal" for name, _ in _lines(body))


def _milliseconds(text: str) -> int:
    number = text.lower().removesuffix("ms").rstrip()
    return int(number[:5]) or USUAL_MS if number.isascii() and number.isdigit() else USUAL_MS


def _event(text: str) -> str:
    """Return the digit that a value names, by itself or by its number; empty without one."""
    word = text.strip().strip("\"'").upper()
    if len(word) == 1:
        return word if word in _EVENTS else ""
    if len(word) == 2 and word.isdecimal() and int(word) < len(_EVENTS):
        return _EVENTS[int(word)]
    return ""
