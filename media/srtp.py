"""SRTP with keys from the SDP: the crypto attribute of RFC 4568, and packets of RFC 3711 and RFC 7714.

The attribute part is plain text and needs nothing; only `SrtpSession` imports pylibsrtp (extra `srtp`), and only when
one is made. Not done: MKI, several keys in one attribute, unencrypted or unauthenticated SRTP, key derivation rates;
an attribute that asks for one of them is refused, so that another of the offer is taken. Keys mask themselves in repr.
"""

import base64
import binascii
from collections.abc import Callable
from typing import NamedTuple


class CryptoError(ValueError):
    """A crypto attribute that cannot be used; the text says why and never quotes the key."""


class SrtpUnavailable(Exception):
    """SRTP was asked for and pylibsrtp is not installed; the text says how to get it."""


class Suite(NamedTuple):
    """A crypto suite."""

    name: str
    """Name in SDP (RFC 4568 6.2, RFC 7714 14.2)."""
    key_length: int
    """Octets of the master key."""
    salt_length: int
    """Octets of the master salt."""
    profile: str
    """Name of the profile's constant in pylibsrtp."""


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("AEAD_AES_128_GCM", 16, 12, "SRTP_PROFILE_AEAD_AES_128_GCM"),
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, "SRTP_PROFILE_AES128_CM_SHA1_80"),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, "SRTP_PROFILE_AES128_CM_SHA1_32"),
    )
}
"""What we can do, the strongest first."""

MAX_LIFETIME = 2**48
"""Packets that one SRTP master key may protect (RFC 3711 9.2)."""


class CryptoAttribute(NamedTuple):
    """One usable `a=crypto` line (RFC 4568 9.1)."""

    tag: int
    """Number that the answer repeats, 1 to 9 digits."""
    suite: str
    """A key of SUITES."""
    key: bytes
    """Master key followed by master salt."""
    lifetime: int = MAX_LIFETIME
    """Packets that the key may protect, as the peer declares."""

    def __repr__(self) -> str:
        return f"CryptoAttribute(tag={self.tag}, suite={self.suite!r}, key=<masked>, lifetime={self.lifetime})"

    @classmethod
    def parse(cls, value: str) -> "CryptoAttribute":
        """The attribute's value, that is what follows `a=crypto:`. Raises CryptoError for what we cannot use."""
        words = value.split()
        if len(words) < 3:
            raise CryptoError("crypto: tag, suite and key are needed")
        tag, name, keys, *parameters = words
        if not (tag.isascii() and tag.isdigit() and len(tag) <= 9):
            raise CryptoError("crypto: the tag is 1 to 9 digits")
        suite = SUITES.get(name)
        if suite is None:
            raise CryptoError("crypto: this suite is not supported")
        for parameter in parameters:
            # WSH is a hint, and a leading "-" marks what may be ignored (RFC 4568 6.3.6, 6.3.7).
            if not parameter.startswith(("-", "WSH=")):
                raise CryptoError("crypto: a session parameter is not supported")
        key, lifetime = _parse_key(keys, suite)
        return cls(int(tag), name, key, lifetime)

    def __str__(self) -> str:
        """The attribute's value, to be written after `a=crypto:`. This text holds the key."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def _parse_key(text: str, suite: Suite) -> tuple[bytes, int]:
    """Key with salt, and lifetime, of `inline:<base64>[|lifetime][|mki:length]` (RFC 4568 6.1)."""
    method, _, info = text.partition(":")
    if method.lower() != "inline" or ";" in text:
        raise CryptoError("crypto: one inline key is supported, no more")
    encoded, *rest = info.split("|")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise CryptoError("crypto: the key is not base64") from None
    if len(key) != suite.key_length + suite.salt_length:
        raise CryptoError(f"crypto: {suite.name} takes {suite.key_length + suite.salt_length} octets of key and salt")
    if any(":" in part for part in rest) or len(rest) > 1:
        raise CryptoError("crypto: a master key identifier is not supported")
    return key, _parse_lifetime(rest[0]) if rest else MAX_LIFETIME


def _parse_lifetime(text: str) -> int:
    power = text.startswith("2^")
    digits = text[2:] if power else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise CryptoError("crypto: the lifetime is a number of packets")
    number = int(digits)
    lifetime = 2 ** min(number, 49) if power else number
    if not 1 <= lifetime <= MAX_LIFETIME:
        raise CryptoError("crypto: the lifetime is 1 to 2^48 packets")
    return lifetime


def new_key(suite: str, random_bytes: Callable[[int], bytes]) -> bytes:
    """A fresh master key and salt for the suite. random_bytes: cryptographic source, such as os.urandom."""
    return random_bytes(SUITES[suite].key_length + SUITES[suite].salt_length)


class SrtpSession:
    """Protects what one stream sends and checks what it receives, RTP and RTCP, each direction with its key."""

    __slots__ = ("_errors", "_receive", "_send", "invalid", "replayed")

    def __init__(self, suite: str, send_key: bytes, receive_key: bytes) -> None:
        """suite: a key of SUITES. send_key, receive_key: master key and salt, as CryptoAttribute.key.

        Raises SrtpUnavailable without pylibsrtp, and CryptoError for an unknown suite or a key of a wrong length.
        """
        known = SUITES.get(suite)
        if known is None:
            raise CryptoError(f"crypto: suite {suite!r} is not supported")
        if {len(send_key), len(receive_key)} != {known.key_length + known.salt_length}:
            raise CryptoError(f"crypto: {suite} takes {known.key_length + known.salt_length} octets of key and salt")
        try:
            import pylibsrtp
        except ImportError as error:
            raise SrtpUnavailable("SRTP needs pylibsrtp: pip install sipswarm[srtp]") from error
        profile = getattr(pylibsrtp.Policy, known.profile)
        outbound, inbound = pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND
        self._errors = pylibsrtp.Error
        self._send: pylibsrtp.Session = pylibsrtp.Session(
            pylibsrtp.Policy(key=send_key, ssrc_type=outbound, srtp_profile=profile)
        )
        self._receive: pylibsrtp.Session = pylibsrtp.Session(
            pylibsrtp.Policy(key=receive_key, ssrc_type=inbound, srtp_profile=profile)
        )
        self.invalid = 0
        """Packets received that were malformed or whose authentication failed."""
        self.replayed = 0
        """Packets received whose index had come before, or is too old to tell (RFC 3711 3.3.2)."""

    def protect(self, packet: bytes) -> bytes:
        """The SRTP packet of an RTP packet. Raises ValueError when it is over 1,356 octets or no RTP."""
        return self._protected(self._send.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """The SRTCP packet of a compound RTCP packet. Raises ValueError when it is over 1,352 octets or no RTCP."""
        return self._protected(self._send.protect_rtcp, packet)

    def unprotect(self, packet: bytes) -> bytes | None:
        """The RTP packet of an SRTP packet from the peer; None, and counted, when it is not authentic or not new."""
        return self._unprotected(self._receive.unprotect, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """The RTCP packet of an SRTCP packet from the peer; None, and counted, as for `unprotect`."""
        return self._unprotected(self._receive.unprotect_rtcp, packet)

    def _protected(self, protect: Callable[[bytes], bytes], packet: bytes) -> bytes:
        try:
            return protect(packet)
        except self._errors as error:
            raise ValueError(f"cannot protect a packet of {len(packet)} octets: {error}") from error

    def _unprotected(self, unprotect: Callable[[bytes], bytes], packet: bytes) -> bytes | None:
        try:
            return unprotect(packet)
        except self._errors as error:
            if "replay" in str(error):
                self.replayed += 1
            else:
                self.invalid += 1
        except ValueError:  # longer than any packet that libsrtp takes
            self.invalid += 1
        return None
