"""Secrets in SIP messages, overwritten where they stand: what is traced or shown is as long as it was on the wire.

Masked are the digest response and every other credential of Authorization and Proxy-Authorization (RFC 3261 section
22), and rspauth. The keys of SDP (RFC 4568, RFC 4567, k= and ice-pwd) and the digits of an INFO are masked too. Pure;
parses nothing, so that a message that cannot be read is masked as well.
"""

from typing import Final

HIDDEN: Final = b"x"
"""What each octet of a secret becomes."""
_CREDENTIALS: Final = (b"authorization", b"proxy-authorization")
_PROOFS: Final = (b"authentication-info", b"proxy-authentication-info")
_KEY_LINES: Final = (b"k=", b"a=ice-pwd:", b"a=key-mgmt:")
_MARKS: Final = (b"authorization", b"authentication-info", b"a=crypto:", *_KEY_LINES, b"info ")
"""Without any of these there is nothing to mask."""
_SPACE: Final = b" \t\r\n"
_DIGITS: Final = frozenset(b"0123456789ABCDabcd*#!")


def masked(data: bytes) -> bytes:
    """The message with its secrets overwritten, of the same length (RELIABILITY.md S13)."""
    lower = data.lower()
    if not any(mark in lower for mark in _MARKS):
        return data
    found = bytearray(data)
    start = 0
    while start < len(data):
        end = _end_of_line(data, start)
        line = lower[start:end]
        name = line.partition(b":")[0].strip(_SPACE)
        if name in _CREDENTIALS:
            _hide_credentials(found, lower, start + line.index(b":") + 1, end)
        elif name in _PROOFS:
            _hide_values(found, lower, b"rspauth", start, end)
        elif line.startswith(b"a=crypto:"):
            _hide_keys(found, line, start)
        else:
            for each in _KEY_LINES:
                if line.startswith(each):
                    _hide(found, start + len(each), end)
        start = end
    if lower.lstrip(b"\r\n").startswith(b"info "):
        _hide_digits(found, lower)
    return bytes(found)


def _end_of_line(data: bytes, start: int) -> int:
    """Behind the line that starts here and the folded lines that go on with it (RFC 3261 section 7.3.1)."""
    end = start
    while True:
        end = data.find(b"\n", end) + 1
        if not end:
            return len(data)
        if data[end : end + 1] not in (b" ", b"\t"):
            return end


def _hide(found: bytearray, start: int, end: int) -> None:
    """Overwrite everything but white space, so that lines stay lines."""
    for at in range(start, end):
        if found[at] not in _SPACE:
            found[at] = HIDDEN[0]


def _hide_credentials(found: bytearray, lower: bytes, start: int, end: int) -> None:
    value = lower[start:end]
    scheme = value.split(None, 1)[0] if value.strip(_SPACE) else b""
    if scheme == b"digest":
        _hide_values(found, lower, b"response", start, end)
    else:  # Basic, Bearer and whatever else: all of it is the secret
        _hide(found, start + value.find(scheme) + len(scheme), end)


def _hide_values(found: bytearray, lower: bytes, name: bytes, start: int, end: int) -> None:
    """Overwrite the value of each `name=value` and `name="value"`.

    Quoted strings are not followed: one that a peer has written to mislead us must not hide the real parameter.
    """
    at = lower.find(name, start, end)
    while at >= 0:
        at += len(name)
        while at < end and lower[at] in _SPACE:
            at += 1
        if lower[at : at + 1] == b"=":
            at += 1
            while at < end and lower[at] in _SPACE:
                at += 1
            quoted = lower[at : at + 1] == b'"'
            at += quoted
            begin = at
            while at < end and (lower[at] != 0x22 if quoted else lower[at] not in b", \t\r\n"):
                at += 1
            _hide(found, begin, at)
        at = lower.find(name, at, end)


def _hide_keys(found: bytearray, line: bytes, start: int) -> None:
    """The key parameters of a=crypto: everything behind tag and suite but the word inline (RFC 4568 section 9.1)."""
    words = line.split(None, 2)
    if len(words) < 3:
        return
    at = start + line.index(words[2], len(words[0]) + len(words[1]))
    _hide(found, at + len(b"inline:") * words[2].startswith(b"inline:"), start + len(line))


def _hide_digits(found: bytearray, lower: bytes) -> None:
    """The body of an INFO: `Signal=5` of dtmf-relay, an event as in RTP, or digits and nothing else."""
    body = lower.find(b"\r\n\r\n") + 4
    if body < 4:
        body = lower.find(b"\n\n") + 2  # the leniency `bare_line_ends`
    if body < 2:
        return
    if lower.find(b"telephone-event", 0, body) >= 0 or not found[body:].translate(None, bytes(_DIGITS) + _SPACE):
        _hide(found, body, len(found))
        return
    start = body
    while start < len(lower):
        end = _end_of_line(lower, start)
        line = lower[start:end]
        name, equals, _ = line.partition(b"=")
        if not equals and line.lstrip(_SPACE).startswith((b"signal", b"digit")):
            name, equals, _ = line.partition(b":")
        if equals and name.strip(_SPACE) in (b"signal", b"d", b"digit", b"digits", b"event", b"key", b"tone"):
            _hide(found, start + len(name) + 1, end)
        start = end
