"""G.711 against tables of an independent implementation, and against a few values everybody knows."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from sipswarm.media.audio import g711

ALL_INT16 = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
ALL_OCTETS = bytes(range(256))


@pytest.mark.parametrize(
    ("law", "decoded", "digest"),
    [
        (g711.PCMU, "ulaw_to_linear16", "sha256_encode_all_int16_ulaw"),
        (g711.PCMA, "alaw_to_linear16", "sha256_encode_all_int16_alaw"),
    ],
)
def test_all_decodes_and_all_encodes_are_bit_exact(shared_data: Path, law: g711.Law, decoded: str, digest: str) -> None:
    expected = json.loads((shared_data / "g711_tables.json").read_text())
    assert law.decode(ALL_OCTETS).tolist() == expected[decoded]
    assert hashlib.sha256(law.encode(ALL_INT16)).hexdigest() == expected[digest]


@pytest.mark.parametrize(
    ("law", "octet", "sample"),
    [
        (g711.PCMU, 0xFF, 0),
        (g711.PCMU, 0x80, 32124),
        (g711.PCMU, 0x00, -32124),
        (g711.PCMA, 0xD5, 8),
        (g711.PCMA, 0xAA, 32256),
        (g711.PCMA, 0x2A, -32256),
    ],
)
def test_corner_octets_have_the_values_of_the_recommendation(law: g711.Law, octet: int, sample: int) -> None:
    assert law.decode(bytes([octet])).tolist() == [sample]
    assert law.encode(np.array([sample], np.int16)) == bytes([octet])


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_every_octet_survives_decoding_and_encoding(law: g711.Law) -> None:
    again = law.encode(law.decode(ALL_OCTETS))
    # µ-law has two zeros; the negative one comes back as the positive one.
    assert again == (ALL_OCTETS.replace(b"\x7f", b"\xff") if law is g711.PCMU else ALL_OCTETS)


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_silence_decodes_to_the_smallest_positive_value(law: g711.Law) -> None:
    assert set(law.decode(law.silence * 160).tolist()) == {min(v for v in law.to_linear.tolist() if v >= 0)}


def test_an_empty_payload_is_no_samples() -> None:
    assert g711.ulaw_decode(b"").size == 0
    assert g711.alaw_encode(np.empty(0, np.int16)) == b""
