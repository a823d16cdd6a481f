"""ITU-T G.711: µ-law (PCMU) and A-law (PCMA) to and from 16-bit linear samples, bit-exact, by table.

The tables are computed once from the segment formulas of the recommendation; a frame is then one lookup.
Sample rate, packet size and RTP do not belong here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Linear audio, one int16 per sample, any length."""

ULAW_SILENCE = b"\xff"
"""One octet of µ-law silence (positive zero)."""
ALAW_SILENCE = b"\xd5"
"""One octet of A-law silence (smallest positive step, value +8)."""


def _ulaw_decode_table() -> Samples:
    octets = np.arange(256, dtype=np.int32) ^ 0xFF
    exponent = (octets >> 4) & 7
    magnitude = ((((octets & 0x0F) << 3) + 0x84) << exponent) - 0x84
    return np.where(octets & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decode_table() -> Samples:
    octets = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (octets >> 4) & 7
    step = (octets & 0x0F) << 4
    magnitude = np.where(exponent == 0, step + 8, (step + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(octets & 0x80, magnitude, -magnitude).astype(np.int16)


def _exponent(magnitude: NDArray[np.int32], lowest_bit: int) -> NDArray[np.int32]:
    """Number of the segment 0-7: how far the highest set bit lies above `lowest_bit`."""
    exponent = np.zeros_like(magnitude)
    for bit in range(lowest_bit + 1, lowest_bit + 8):
        exponent += magnitude >= 1 << bit
    return exponent


def _linear_by_bits() -> NDArray[np.int32]:
    """All int16 values in the order of their bit pattern, so that a uint16 view of samples is an index."""
    samples: Samples = np.arange(65536, dtype=np.uint16).view(np.int16)
    return samples.astype(np.int32)


def _ulaw_encode_table() -> NDArray[np.uint8]:
    linear = _linear_by_bits() >> 2  # the recommendation codes 14 bits
    magnitude = np.minimum(np.abs(linear), 8158) + 33
    exponent = _exponent(magnitude, 5)
    octets = (exponent << 4) | ((magnitude >> (exponent + 1)) & 0x0F)
    table: NDArray[np.int32] = octets ^ np.where(linear < 0, 0x7F, 0xFF)
    return table.astype(np.uint8)


def _alaw_encode_table() -> NDArray[np.uint8]:
    linear = _linear_by_bits() >> 3  # the recommendation codes 13 bits
    magnitude = np.where(linear < 0, -linear - 1, linear)
    exponent = _exponent(magnitude, 4)
    octets = (exponent << 4) | ((magnitude >> np.maximum(exponent, 1)) & 0x0F)
    table: NDArray[np.int32] = octets ^ np.where(linear < 0, 0x55, 0xD5)
    return table.astype(np.uint8)


ULAW_TO_LINEAR = _ulaw_decode_table()
"""256 int16 values, index = µ-law octet."""
ALAW_TO_LINEAR = _alaw_decode_table()
"""256 int16 values, index = A-law octet."""
LINEAR_TO_ULAW = _ulaw_encode_table()
"""65,536 octets, index = the int16 sample seen as uint16."""
LINEAR_TO_ALAW = _alaw_encode_table()
"""65,536 octets, index = the int16 sample seen as uint16."""


def ulaw_decode(payload: bytes) -> Samples:
    """Linear samples of a PCMU payload, one per octet (G.711 table 2)."""
    return ULAW_TO_LINEAR[np.frombuffer(payload, np.uint8)]


def alaw_decode(payload: bytes) -> Samples:
    """Linear samples of a PCMA payload, one per octet (G.711 table 1)."""
    return ALAW_TO_LINEAR[np.frombuffer(payload, np.uint8)]


def ulaw_encode(samples: Samples) -> bytes:
    """The PCMU payload of int16 samples, one octet per sample (G.711 table 2)."""
    return LINEAR_TO_ULAW[samples.view(np.uint16)].tobytes()


def alaw_encode(samples: Samples) -> bytes:
    """The PCMA payload of int16 samples, one octet per sample (G.711 table 1)."""
    return LINEAR_TO_ALAW[samples.view(np.uint16)].tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """One of the two laws with all that a stream needs of it; compared by identity."""

    name: str
    """Encoding name in SDP: PCMU or PCMA (RFC 3551 4.5.14)."""
    payload_type: int
    """Static payload type: 0 or 8 (RFC 3551 6)."""
    silence: bytes
    """One octet of silence; repeat it to the length wanted."""
    to_linear: Samples
    """256 int16 values, index = octet."""
    decode: Callable[[bytes], Samples]
    """Payload to int16 samples."""
    encode: Callable[[Samples], bytes]
    """Int16 samples to payload."""


PCMU = Law("PCMU", 0, ULAW_SILENCE, ULAW_TO_LINEAR, ulaw_decode, ulaw_encode)
PCMA = Law("PCMA", 8, ALAW_SILENCE, ALAW_TO_LINEAR, alaw_decode, alaw_encode)
LAWS = {law.name: law for law in (PCMU, PCMA)}
"""Both, by encoding name: the codecs whose audio is listened to and measured."""
