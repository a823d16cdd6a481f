"""AKAv1-MD5, the server's side: Digest with the authentication and key agreement of mobile networks (RFC 3310).

The nonce carries RAND and AUTN of one authentication vector, and behind them the server's own data, which here is the
signed nonce of `digest_server`; the password of the digest is the RES that the user's key gives for that RAND. The
functions f1 to f5 are Milenage (3GPP TS 35.206), which SIPp and test SIMs compute too. This file uses no sockets and
stores no keys. What it keeps is one sequence number per user, in a bounded table: a lost one costs one more challenge,
because the client reports its own number (section 3.4, AUTS).
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Callable
from typing import Final, NamedTuple, final

NAME: Final = "AKAv1-MD5"
"""As the registry writes it."""
CANONICAL: Final = "AKAV1-MD5"
"""As `digest` compares algorithms."""
VECTOR: Final = 32
"""Octets of RAND and AUTN at the start of a nonce."""
_SQN_MODULUS: Final = 1 << 48
_RESYNC_AMF: Final = bytes(2)


class AkaKeys(NamedTuple):
    """The secrets that a user and the server share."""

    k: bytes
    """16 octets, of the user alone."""
    opc: bytes
    """16 octets: the operator's OP, enciphered with `k`."""
    amf: bytes = bytes(2)
    """Authentication management field, 2 octets."""

    @classmethod
    def of(
        cls, k: str | bytes, op: str | bytes = bytes(16), amf: str | bytes = bytes(2), *, opc: bool = False
    ) -> "AkaKeys":
        """Keys from octets, from `0x` with hexadecimal digits as SIPp has them, or from such digits alone.

        Args:
            op: the operator's OP, or with `opc` the OPc made of it already.

        Raises:
            ValueError: one of them is not of its length.
        """
        key = _octets("K", k, 16)
        operator = _octets("OPc" if opc else "OP", op, 16)
        return cls(key, operator if opc else _xor(operator, encipher(key, operator)), _octets("AMF", amf, 2))

    def __repr__(self) -> str:
        return "AkaKeys(…)"


KeyLookup = Callable[[str], "AkaKeys | None"]
"""Called with a user's name; returns its keys, None when it has none."""


@final
class AkaServer:
    """Makes nonces of AKA, and the responses that must come back.

    Args:
        lookup: the keys of a user.
        table: sequence numbers that are kept; the oldest is dropped, and starts anew.
    """

    __slots__ = ("_lookup", "_numbers", "_table")

    def __init__(self, lookup: KeyLookup, table: int = 10_000) -> None:
        self._lookup = lookup
        self._table = table
        self._numbers: dict[str, int] = {}

    def nonce(self, user: str, rand: bytes, text: str, now: float) -> str:
        """A nonce for a user.

        Args:
            rand: 16 random octets.
            text: the server's own data.
            now: seconds, for a first number.
        """
        keys = self._lookup(user)
        if keys is None:  # a stranger gets a challenge like every user's
            return b64encode(rand + encipher(rand, rand) + text.encode("ascii")).decode("ascii")
        number = (self._numbers.pop(user, round(now) << 8) + 1) % _SQN_MODULUS
        self._remember(user, number)
        sqn = number.to_bytes(6, "big")
        mac, _ = _f1(keys, rand, sqn, keys.amf)
        _, concealing = _f2_f5(keys, rand)
        autn = _xor(sqn, concealing) + keys.amf + mac
        return b64encode(rand + autn + text.encode("ascii")).decode("ascii")

    def response(self, user: str, rand: bytes) -> bytes | None:
        """RES of a user for a RAND, 8 octets; None without keys."""
        keys = self._lookup(user)
        return None if keys is None else _f2_f5(keys, rand)[0]

    def resynchronize(self, user: str, rand: bytes, auts: str) -> bool:
        """Take the sequence number that a client reports; False when it cannot be of this user."""
        keys = self._lookup(user)
        octets = _decoded(auts)
        if keys is None or len(octets) != 14:
            return False
        sqn = _xor(octets[:6], _f5_star(keys, rand))
        _, mac = _f1(keys, rand, sqn, _RESYNC_AMF)
        if not hmac.compare_digest(mac, octets[6:]):
            return False
        self._remember(user, int.from_bytes(sqn, "big"))
        return True

    def _remember(self, user: str, number: int) -> None:
        self._numbers.pop(user, None)
        if len(self._numbers) >= self._table:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[user] = number


def parts_of(nonce: str) -> tuple[bytes, str]:
    """RAND and the server's own data of a nonce; empty both when it is none of AKA."""
    octets = _decoded(nonce)
    if len(octets) <= VECTOR or not octets[VECTOR:].isascii():
        return b"", ""
    return octets[:16], octets[VECTOR:].decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (NoBase64, ValueError):
        return b""


def _octets(name: str, given: str | bytes, length: int) -> bytes:
    if isinstance(given, str):
        digits = given.removeprefix("0x").removeprefix("0X")
        if len(digits) == 2 * length and not digits.strip("0123456789abcdefABCDEF"):
            return bytes.fromhex(digits)
        given = given.encode("utf-8", "surrogateescape")
    if len(given) != length:
        raise ValueError(f"{name} of AKA is {length} octets or {2 * length} hexadecimal digits")
    return bytes(given)


# Milenage, 3GPP TS 35.206 section 4.1


def _f1(keys: AkaKeys, rand: bytes, sqn: bytes, amf: bytes) -> tuple[bytes, bytes]:
    """MAC-A and MAC-S, the results of f1 and f1*."""
    temp = encipher(keys.k, _xor(rand, keys.opc))
    mixed = _rotated(_xor((sqn + amf) * 2, keys.opc), 8)
    out = _xor(encipher(keys.k, _xor(temp, mixed)), keys.opc)
    return out[:8], out[8:]


def _f2_f5(keys: AkaKeys, rand: bytes) -> tuple[bytes, bytes]:
    """RES and AK."""
    out = _out(keys, rand, 0, 1)
    return out[8:], out[:6]


def _f5_star(keys: AkaKeys, rand: bytes) -> bytes:
    """AK of a resynchronisation."""
    return _out(keys, rand, 12, 8)[:6]


def _out(keys: AkaKeys, rand: bytes, rotation: int, constant: int) -> bytes:
    temp = encipher(keys.k, _xor(rand, keys.opc))
    mixed = _xor(_rotated(_xor(temp, keys.opc), rotation), bytes(15) + bytes([constant]))
    return _xor(encipher(keys.k, mixed), keys.opc)


def _rotated(block: bytes, octets: int) -> bytes:
    return block[octets:] + block[:octets]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


# AES-128, FIPS 197; enciphering one block is all that Milenage needs, and the standard library has no AES.


def _double(octet: int) -> int:
    return (octet << 1) ^ (0x11B if octet & 0x80 else 0)


def _substitutions() -> bytes:
    """The S-box: inverse in GF(2^8), then the affine transformation (FIPS 197 section 5.1.1)."""
    powers = [1]
    while len(powers) < 255:
        powers.append(powers[-1] ^ _double(powers[-1]))  # powers of 3, a generator
    logarithm = {value: exponent for exponent, value in enumerate(powers)}
    box = bytearray(256)
    for octet in range(256):
        inverse = powers[-logarithm[octet] % 255] if octet else 0
        spread = 0
        for shift in range(5):
            spread ^= inverse << shift
        box[octet] = (spread ^ spread >> 8) & 0xFF ^ 0x63
    return bytes(box)


_BOX: Final = _substitutions()


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[start : start + 4] for start in range(0, 16, 4)]
    constant = 1
    for index in range(4, 44):
        word = words[-1]
        if index % 4 == 0:
            word = bytes(_BOX[octet] for octet in _rotated(word, 1))
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _double(constant)
        words.append(_xor(words[index - 4], word))
    return [b"".join(words[start : start + 4]) for start in range(0, 44, 4)]


def encipher(key: bytes, block: bytes) -> bytes:
    """AES-128 of one block of 16 octets."""
    first, *rounds, last = _round_keys(key)
    state = _xor(block, first)
    for round_key in rounds:
        state = _xor(_mixed(_shifted(state)), round_key)
    return _xor(_shifted(state), last)


def _shifted(state: bytes) -> bytes:
    """SubBytes and ShiftRows."""
    return bytes(_BOX[state[(index + 4 * (index % 4)) % 16]] for index in range(16))


def _mixed(state: bytes) -> bytes:
    """MixColumns."""
    out = bytearray()
    for start in range(0, 16, 4):
        column = state[start : start + 4]
        every = column[0] ^ column[1] ^ column[2] ^ column[3]
        out += bytes(column[row] ^ every ^ _double(column[row] ^ column[(row + 1) % 4]) for row in range(4))
    return bytes(out)
