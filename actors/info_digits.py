"""Digits in SIP INFO: bodies of type application/dtmf-relay, lines `Signal=5` and `Duration=160`."""

from typing import Final

from .notices import Digit

DTMF_RELAY: Final = "application/dtmf-relay"


def relay_body(digit: str, duration_ms: int) -> bytes:
    """The body that sends one digit."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()


def relayed_digit(body: bytes) -> Digit | None:
    """The digit that a body sends; None when it is not one."""
    values = {}
    for line in body.decode("ascii", "replace").splitlines():
        name, _, value = line.partition("=")
        values[name.strip().lower()] = value.strip()
    signal = values.get("signal", "").upper()
    duration = values.get("duration", "100")
    if len(signal) != 1 or signal not in "0123456789ABCD*#" or not (duration.isascii() and duration.isdigit()):
        return None
    return Digit(signal, int(duration[:5]), "info")
