"""Speech quality of one received stream by the E-model: rating R (ITU-T G.107) and MOS-CQE (its Annex B).

Only what a network sees varies: codec, packet loss, burstiness and delay; the telephone sets and rooms keep the
recommendation's default values. Narrow band only: there is no value for codecs that G.113 gives none.
Where the numbers come from (RTCP, playout buffer) does not belong here.
"""

import math
from typing import NamedTuple


class Impairment(NamedTuple):
    """What a codec costs (ITU-T G.113 Appendix I)."""

    ie: float
    """Equipment impairment factor without loss."""
    bpl: float
    """Packet-loss robustness factor; the loss in percent that costs half of what total loss costs."""


IMPAIRMENTS: dict[str, Impairment] = {
    "PCMU": Impairment(0, 4.3),
    "PCMA": Impairment(0, 4.3),
    "L16": Impairment(0, 4.3),
    "G729": Impairment(11, 19.0),
    "G723": Impairment(15, 16.1),
    "GSM-EFR": Impairment(5, 10.0),
}
"""By encoding name in capitals: G.711 without concealment, G.729A with VAD, G.723.1 at 6.3 kbit/s with VAD, GSM EFR.
L16 has no entry in G.113; at 8 kHz it carries the samples of G.711."""
CONCEALED: dict[str, Impairment] = {
    "PCMU": Impairment(0, 25.1),
    "PCMA": Impairment(0, 25.1),
    "L16": Impairment(0, 25.1),
}
"""The same with packet-loss concealment in the receiver (G.711 Appendix I)."""

# Default values of G.107 table 2, in the recommendation's own names.
_SLR, _RLR, _STMR, _LSTR, _DS = 8.0, 2.0, 15.0, 18.0, 3.0
_TELR, _WEPL, _QDU = 65.0, 110.0, 1.0
_NC, _NFOR, _PS, _PR = -70.0, -64.0, 35.0, 35.0


def _power(level: float) -> float:
    return math.pow(10, level / 10)


def _norm(x: float, order: int) -> float:
    """The rounded corner max(1, x) that the recommendation builds its curves from."""
    return math.pow(1 + math.pow(abs(x), order), 1 / order)


def _db_sum(*levels: float) -> float:
    return 10 * math.log10(sum(map(_power, levels)))


def _noise() -> float:
    """No, all noise referred to the 0 dBr point (G.107 3.2)."""
    olr = _SLR + _RLR
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - olr - _DS - 14) ** 2
    pre = _PR + 10 * math.log10(1 + _power(10 - _LSTR))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    return _db_sum(_NC, nos, nor, _NFOR + _RLR)


_NO = _noise()
_RO = 15 - 1.5 * (_SLR + _NO)
"""Basic signal-to-noise ratio (G.107 3.2)."""


def _simultaneous(echo_delay_ms: float) -> float:
    """Is: too loud a connection, sidetone, quantising noise (G.107 3.3)."""
    xolr = _SLR + _RLR + 0.2 * (64 + _NO - _RLR)
    iolr = 20 * (_norm(xolr / 8, 8) - xolr / 8)
    stmro = -10 * math.log10(_power(-_STMR) + math.exp(-echo_delay_ms / 4) * _power(-_TELR))
    ist = 12 * _norm((stmro - 13) / 6, 8) - 28 * _norm((stmro + 1) / 19.4, 35) - 13 * _norm((stmro - 3) / 33, 13) + 29
    q = 37 - 15 * math.log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q * q
    y = (_RO - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    iq = 15 * math.log10(1 + math.pow(10, y) + math.pow(10, z))
    return iolr + ist + iq


def _delayed(delay_ms: float) -> float:
    """Id: talker echo, listener echo and absolute delay (G.107 3.4)."""
    terv = (
        _TELR - 40 * math.log10((1 + delay_ms / 10) / (1 + delay_ms / 150)) + 6 * math.exp(-0.3 * delay_ms * delay_ms)
    )
    echo = -1.5 * (_NO - _RLR) - (80 + 2.5 * (terv - 14))
    idte = (echo / 2 + math.sqrt(echo * echo / 4 + 100) - 1) * (1 - math.exp(-delay_ms))
    loop = _RO - 10.5 * (_WEPL + 7) * math.pow(2 * delay_ms + 1, -0.25)
    idle = loop / 2 + math.sqrt(loop * loop / 4 + 169)
    if delay_ms <= 100:
        return idte + idle
    x = math.log2(delay_ms / 100)
    return idte + idle + 25 * (_norm(x, 6) - 3 * _norm(x / 3, 6) + 2)


def rating(impairment: Impairment, loss_ratio: float, burst_ratio: float = 1.0, delay: float = 0.0) -> float:
    """The transmission rating R, about -5 to 93.2 (G.107 3.1).

    Args:
        impairment: of the codec.
        loss_ratio: packets lost of those expected, 0 to 1, those that came too late included.
        burst_ratio: see `burst_ratio`.
        delay: seconds one way from mouth to ear, echo path the same.
    """
    loss = 100 * min(max(loss_ratio, 0.0), 1.0)
    ie = impairment.ie + (95 - impairment.ie) * loss / (loss / max(burst_ratio, 1.0) + impairment.bpl)
    delay_ms = 1000 * max(delay, 0.0)
    return _RO - _simultaneous(delay_ms) - _delayed(delay_ms) - ie


def mos(r: float) -> float:
    """Mean opinion score, 1 to 4.5, of the rating R (G.107 Annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    # The polynomial dips below 1 for R under 6.5.
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def burst_ratio(lost: int, bursts: int, expected: int) -> float:
    """How much longer runs of lost packets are than random loss would make them; 1 at the least (G.107 3.5).

    Args:
        lost: packets.
        bursts: runs of lost packets.
        expected: packets, received or not.
    """
    if lost <= 0 or bursts <= 0 or expected <= lost:
        return 1.0
    return max(1.0, lost / bursts * (1 - lost / expected))


def mos_cqe(
    codec: str, loss_ratio: float, burst_ratio: float = 1.0, delay: float = 0.0, *, concealment: bool = False
) -> float | None:
    """Estimated conversational quality, 1 to 4.41, of a stream; None for a codec without values in G.113.

    Args:
        codec: encoding name, any case.
        loss_ratio, burst_ratio, delay: as for `rating`.
        concealment: the receiver hides lost packets (G.711 only).
    """
    table = CONCEALED if concealment else IMPAIRMENTS
    impairment = table.get(codec.upper())
    return None if impairment is None else mos(rating(impairment, loss_ratio, burst_ratio, delay))
