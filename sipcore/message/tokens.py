"""Identifiers that no peer can guess: branches, tags, Call-IDs, client nonces, and numbers for random timers.

RFC 3261 section 8.1.1.7 (branch), 19.3 (tags: at least 32 random bits; ours 80), 8.1.1.4 (Call-ID; ours 128 bits).
It uses no source of randomness: the caller passes one, the operating system's in production, a seeded one in tests.
"""

from collections.abc import Callable
from typing import Final, final

MAGIC_COOKIE: Final = "z9hG4bK"
"""How the branch of every RFC 3261 transaction starts (8.1.1.7)."""

_BLOCK = 1024


@final
class Tokens:
    """Mints identifiers from random bytes drawn in blocks, because a system call a token is dear.

    Args:
        random_bytes: called with a number of octets, returns that many; os.urandom in production.
    """

    __slots__ = ("_block", "_draw", "_position")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._draw = random_bytes
        self._block = ""
        self._position = 0

    def hexadecimal(self, digits: int) -> str:
        """Return that many random hexadecimal digits.

        Raises:
            ValueError: more than 2048.
        """
        position = self._position
        end = position + digits
        if end > len(self._block):
            if digits > 2 * _BLOCK:
                raise ValueError(f"at most {2 * _BLOCK} digits at once")
            self._block = self._draw(_BLOCK).hex()
            position, end = 0, digits
        self._position = end
        return self._block[position:end]

    def secret(self, octets: int) -> bytes:
        """Return that many random octets, for keys."""
        return bytes.fromhex(self.hexadecimal(2 * octets))

    def branch(self) -> str:
        """Return a new branch: the magic cookie and 80 random bits (RFC 3261 8.1.1.7)."""
        return MAGIC_COOKIE + self.hexadecimal(20)

    def tag(self) -> str:
        """Return a new tag of 80 random bits (RFC 3261 19.3)."""
        return self.hexadecimal(20)

    def call_id(self, host: str = "") -> str:
        """Return a new Call-ID of 128 random bits, with `@host` when a host is given (RFC 3261 8.1.1.4)."""
        local = self.hexadecimal(32)
        return f"{local}@{host}" if host else local

    def cnonce(self) -> str:
        """Return a new client nonce of 128 random bits (RFC 7616 3.4)."""
        return self.hexadecimal(32)

    def integer(self, bits: int) -> int:
        """Return a random whole number of 0 <= n < 2**bits."""
        digits = (bits + 3) // 4
        return int(self.hexadecimal(digits), 16) >> (4 * digits - bits) if digits else 0

    def uniform(self, low: float, high: float) -> float:
        """Return a random number of low <= x < high, for timers that must not march in step (14.1, RFC 5626 4.5)."""
        return low + (high - low) * (self.integer(52) / (1 << 52))
