"""The a=crypto attribute: which keys can be used, and that none is shown (RFC 4568)."""

from base64 import b64encode

import pytest

from sipswarm.sipcore.sdp.media_attributes import Crypto

KEY_30, KEY_28 = bytes(range(30)), bytes(range(28))
INLINE_30, INLINE_28 = b64encode(KEY_30).decode(), b64encode(KEY_28).decode()
CM_80, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
OURS = Crypto(1, CM_80, f"inline:{INLINE_30}", "")

USABLE = {
    f"inline:{INLINE_30}": KEY_30,
    f"inline:{INLINE_30}|2^20": KEY_30,
    f"INLINE:{INLINE_30}|1000000 WSH=64": KEY_30,
    f"inline:{INLINE_30} -what=ever": KEY_30,
    f"inline:{INLINE_28}|2^48": KEY_28,
    # Written by many: base64 without its padding, and a derivation rate of 0 for none.
    f"inline:{INLINE_28.rstrip('=')}": KEY_28,
    f"inline:{INLINE_28.rstrip('=')}=|2^31": KEY_28,
    f"inline:{INLINE_30}|2^31 KDR=0": KEY_30,
    f"inline:{INLINE_30} wsh=128 kdr=0": KEY_30,
    # RFC 4568 section 4: the first offer's example, without the key identifier.
    "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20": b"YS___semctl () {\t220;}\n}\nunles",
}
UNUSABLE = (
    f"outline:{INLINE_30}",
    f"inline:{INLINE_30};inline:{INLINE_30}",
    f"inline:{INLINE_30}A",
    f"inline:{INLINE_30[:-1]}\u00e9",
    "inline:",
    f"inline:{INLINE_30}|2^20|1:32",
    f"inline:{INLINE_30}|1:4",
    f"inline:{INLINE_30}|2^20|5",
    f"inline:{INLINE_30} UNENCRYPTED_SRTP",
    f"inline:{INLINE_30} WSH=64 KDR=1",
    f"inline:{INLINE_30} KDR=01",
    f"inline:={INLINE_28.rstrip('=')}",
)


def attribute(text: str, suite: str = CM_80, tag: int = 2) -> Crypto:
    key, _, parameters = text.partition(" ")
    return Crypto(tag, suite, key, parameters)


@pytest.mark.parametrize(("text", "expected"), USABLE.items())
def test_a_key_is_read(text: str, expected: bytes) -> None:
    assert attribute(text).master_key() == expected


@pytest.mark.parametrize("text", UNUSABLE)
def test_what_would_have_to_be_understood_and_is_not_gives_no_key(text: str) -> None:
    assert attribute(text).master_key() == b""
    assert not OURS.fits(attribute(text))


def test_an_attribute_fits_by_suite_and_length_of_the_key() -> None:
    assert OURS.fits(attribute(f"inline:{INLINE_30}|2^20"))
    assert not OURS.fits(attribute(f"inline:{INLINE_28}"))
    assert not OURS.fits(attribute(f"inline:{INLINE_30[:-1]}"))
    assert not OURS.fits(attribute(f"inline:{INLINE_30}", "AES_CM_128_HMAC_SHA1_32"))


def test_the_repr_masks_the_key() -> None:
    assert repr(OURS) == f"Crypto(tag=1, suite='{CM_80}', key='…')"
