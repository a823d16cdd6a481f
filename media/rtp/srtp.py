"""SRTP with keys that signalling has agreed on: packets of RFC 3711 and RFC 7714.

Only `SrtpSession` imports pylibsrtp (extra `srtp`), and only when one is made. Not done: key identifiers (MKI),
unencrypted or unauthenticated SRTP, key derivation rates. Each direction and key has a context of its own, which lives
as long as the session: rollover counter, SRTCP index and replay window go on, so that no key and index are used twice
(RFC 3711 sections 3.3.1 and 9.1). Descriptions, which bring the keys (RFC 4568), do not belong here.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class CryptoError(ValueError):
    """A suite or key that cannot be used; the text has the reason and never quotes the key."""


class SrtpUnavailable(Exception):
    """SRTP was requested and pylibsrtp is not installed; the text names the way to get it."""


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


def new_key(suite: str, random_bytes: Callable[[int], bytes]) -> bytes:
    """A fresh master key and salt for the suite.

    Args:
        random_bytes: cryptographic source, such as os.urandom.
    """
    return random_bytes(SUITES[suite].key_length + SUITES[suite].salt_length)


KEYS_KEPT = 64
"""Contexts kept per direction; the one that was used longest ago is forgotten beyond that."""


def check_keys(suite: str, send_key: bytes, receive_key: bytes) -> None:
    """Raise CryptoError for an unknown suite or a key of a wrong length."""
    known = SUITES.get(suite)
    if known is None:
        raise CryptoError(f"suite {suite!r} is not supported")
    if {len(send_key), len(receive_key)} != {known.key_length + known.salt_length}:
        raise CryptoError(f"{suite} takes {known.key_length + known.salt_length} octets of key and salt")


class _Context(Protocol):
    """A `pylibsrtp.Session`: a name of its own, because the library may be missing."""

    def protect(self, packet: bytes, /) -> bytes: ...

    def protect_rtcp(self, packet: bytes, /) -> bytes: ...

    def unprotect(self, packet: bytes, /) -> bytes: ...

    def unprotect_rtcp(self, packet: bytes, /) -> bytes: ...


class SrtpSession:
    """Protects what one stream sends and checks what it receives, RTP and RTCP, each direction with its key."""

    __slots__ = ("_contexts", "_errors", "_receive", "_send", "invalid", "replayed")

    def __init__(self, suite: str, send_key: bytes, receive_key: bytes) -> None:
        """Begin with the keys that signalling agreed on.

        Args:
            suite: a key of SUITES.
            send_key, receive_key: master key followed by master salt.

        Raises:
            SrtpUnavailable: without pylibsrtp.
            CryptoError: an unknown suite or a key of a wrong length.
        """
        check_keys(suite, send_key, receive_key)
        try:
            import pylibsrtp
        except ImportError as error:
            raise SrtpUnavailable("SRTP needs pylibsrtp: pip install sipswarm[srtp]") from error
        self._errors = pylibsrtp.Error
        self._contexts: dict[tuple[bool, str, bytes], _Context] = {}
        self._send: _Context = self._context(True, suite, send_key)
        self._receive: _Context = self._context(False, suite, receive_key)
        self.invalid = 0
        """Packets received that were malformed or whose authentication failed."""
        self.replayed = 0
        """Packets received whose index had come before, or is too old to decide (RFC 3711 3.3.2)."""

    def rekey(self, suite: str, send_key: bytes, receive_key: bytes) -> None:
        """Go on with these keys; a direction whose key stays, or was used before, goes on where it was.

        Raises:
            CryptoError: as the constructor does, and changes nothing then.
        """
        check_keys(suite, send_key, receive_key)
        self._send = self._context(True, suite, send_key)
        self._receive = self._context(False, suite, receive_key)

    def _context(self, outbound: bool, suite: str, key: bytes) -> _Context:
        """The context of a direction and key: the one that it had, or a new one."""
        import pylibsrtp

        contexts = self._contexts
        name = (outbound, suite, key)
        context = contexts.pop(name, None)
        if context is None:
            own = [each for each in contexts if each[0] is outbound]
            if len(own) >= KEYS_KEPT:
                del contexts[own[0]]
            policy = pylibsrtp.Policy
            kind = policy.SSRC_ANY_OUTBOUND if outbound else policy.SSRC_ANY_INBOUND
            profile = getattr(policy, SUITES[suite].profile)
            context = pylibsrtp.Session(policy(key=key, ssrc_type=kind, srtp_profile=profile))
        contexts[name] = context  # the newest is the last
        return context

    def protect(self, packet: bytes) -> bytes:
        """The SRTP packet of an RTP packet.

        Raises:
            ValueError: it is over 1,356 octets or no RTP.
        """
        return self._protected(self._send.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """The SRTCP packet of a compound RTCP packet.

        Raises:
            ValueError: it is over 1,352 octets or no RTCP.
        """
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
