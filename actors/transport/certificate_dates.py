"""The dates between which a certificate is valid (RFC 5280 section 4.1.2.5), read from its PEM file.

Reads the first certificate of the file, which is the own one of a chain (RFC 5246 section 7.4.2), and of it only what
stands before the dates. Python's `ssl` gives the dates of a verified peer only. It reads no keys.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Final, NamedTuple

_BEGIN: Final = (
    b"-----BEGIN CERTIFICATE-----",
    b"-----BEGIN X509 CERTIFICATE-----",
    b"-----BEGIN TRUSTED CERTIFICATE-----",
)
"""The forms of PEM that OpenSSL reads."""
_END: Final = b"-----END"
_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_VERSION: Final = 0xA0


class Validity(NamedTuple):
    """Seconds since 1970 (UTC)."""

    not_before: float
    not_after: float


class UnknownDates(ValueError):
    """The file shows no dates."""


def validity_of(octets: bytes) -> Validity:
    """Read the dates of the first certificate of a PEM file.

    Raises:
        UnknownDates: there is no certificate in it, or none with dates.
    """
    starts = [at + len(begin) for begin in _BEGIN if (at := octets.find(begin)) >= 0]
    if not starts:
        raise UnknownDates
    first = min(starts)
    try:
        certificate = base64.b64decode(octets[first : octets.find(_END, first)])
        _, whole, _ = _element(certificate)
        _, rest, _ = _element(whole)
        kind, _, after = _element(rest)
        if kind == _VERSION:
            rest = after
        for _ in ("serial number", "signature algorithm", "issuer"):
            _, _, rest = _element(rest)
        kind, dates, _ = _element(rest)
        if kind != _SEQUENCE:
            raise UnknownDates
        before_kind, before, rest = _element(dates)
        after_kind, after, _ = _element(rest)
        return Validity(_time(before_kind, before), _time(after_kind, after))
    except (binascii.Error, IndexError) as error:
        raise UnknownDates from error


def shown_date(seconds: float) -> str:
    """Return a date as messages have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first DER element, and what follows it (X.690 section 8.1)."""
    kind, size, start = data[0], data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start])
    return kind, data[start : start + size], data[start + size :]


def _time(kind: int, content: bytes) -> float:
    text = content.decode("ascii", "replace")
    if kind == _UTC_TIME:  # two digits of the year, from 1950 on (RFC 5280 section 4.1.2.5.1)
        text = ("19" if text >= "50" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise UnknownDates
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise UnknownDates from error
