"""The From tags of outgoing calls: random, and with a proof that this slot has made them for this Call-ID.

So a response to a call of which nothing is kept is known from one that a stranger makes up. Nothing is remembered, and
a process that replaces one that died knows the tags of it, because the secret of the slot stays. 40 random bits (RFC
3261 section 19.3: at least 32) are followed by 40 bits of a keyed hash over them and the Call-ID.
"""

from hashlib import blake2s
from hmac import compare_digest
from typing import Final

from sipswarm.sipcore.message.tokens import Tokens

_DIGITS: Final = 10
"""Hexadecimal digits of either half."""


class LocalTags:
    """The tags of one slot.

    Args:
        tokens: source of the random half.
        secret: of the slot, at most 32 octets.
    """

    __slots__ = ("_secret", "_tokens")

    def __init__(self, tokens: Tokens, secret: bytes) -> None:
        self._tokens = tokens
        self._secret = secret

    def mint(self, call_id: str) -> str:
        """Return a new tag for a call with this Call-ID."""
        random = self._tokens.hexadecimal(_DIGITS)
        return random + self._proof(random, call_id)

    def minted(self, call_id: str, tag: str) -> bool:
        """Whether this slot has made a tag for a call with this Call-ID."""
        random, proof = tag[:_DIGITS], tag[_DIGITS:]
        return compare_digest(proof.encode("utf-8", "surrogateescape"), self._proof(random, call_id).encode())

    def _proof(self, random: str, call_id: str) -> str:
        octets = f"{random}\0{call_id}".encode("utf-8", "surrogateescape")
        return blake2s(octets, digest_size=_DIGITS // 2, key=self._secret).hexdigest()
