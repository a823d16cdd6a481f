"""The E-model against the figures that ITU-T G.107 and G.109 print."""

import pytest

from sipswarm.media.audio.quality import IMPAIRMENTS, burst_ratio, mos, mos_cqe, rating

G711 = IMPAIRMENTS["PCMU"]


def test_default_values_give_the_rating_and_score_of_the_recommendation() -> None:
    r = rating(G711, 0.0)
    assert r == pytest.approx(93.2, abs=0.05)  # G.107 7.8: all parameters at their defaults
    assert mos(r) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "score"),
    # G.107 table B.1, G.109 table 1: the limits of the categories of quality.
    [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0), (3, 1.0), (100, 4.5), (120, 4.5)],
)
def test_the_score_follows_annex_b(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("delay_ms", "low", "high"),
    # Read from the curve of G.114 figure 1: little until 150 ms, under 80 at 250, some 60 at 400.
    [(50, 91, 93), (100, 90, 91), (150, 89, 90), (250, 76, 81), (300, 71, 74), (400, 60, 64)],
)
def test_delay_costs_what_the_curve_of_g114_says(delay_ms: int, low: float, high: float) -> None:
    assert low <= rating(G711, 0.0, delay=delay_ms / 1000) <= high


@pytest.mark.parametrize(
    ("codec", "loss", "burst", "concealment", "impairment"),
    # Ie-eff = Ie + (95 - Ie) * Ppl / (Ppl / BurstR + Bpl), G.107 equation 7-29, worked by hand.
    [
        ("PCMU", 0.00, 1.0, False, 0.0),
        ("PCMU", 0.01, 1.0, False, 95 / 5.3),
        ("pcma", 0.01, 1.0, True, 95 / 26.1),
        ("PCMA", 0.05, 1.0, False, 475 / 9.3),
        ("PCMA", 0.05, 2.0, False, 475 / 6.8),
        ("G729", 0.02, 1.0, False, 11 + 84 * 2 / 21),
        ("GSM-EFR", 0.00, 1.0, False, 5.0),
        ("PCMU", 2.00, 1.0, False, 95 * 100 / 104.3),
        ("PCMU", -1.0, 0.1, False, 0.0),
    ],
)
def test_loss_costs_the_effective_equipment_impairment(
    codec: str, loss: float, burst: float, concealment: bool, impairment: float
) -> None:
    expected = mos(rating(G711, 0.0) - impairment)
    assert mos_cqe(codec, loss, burst, concealment=concealment) == pytest.approx(expected)


def test_a_codec_without_published_values_has_no_score() -> None:
    assert mos_cqe("opus", 0.0) is None
    assert mos_cqe("G729", 0.0, concealment=True) is None


@pytest.mark.parametrize(
    ("lost", "bursts", "expected", "ratio"),
    [
        (0, 0, 100, 1.0),
        (10, 10, 100, 1.0),  # single losses: not burstier than chance
        (10, 2, 100, 4.5),  # runs of 5, by chance they would be 1 / 0.9 long
        (100, 1, 100, 1.0),
        (5, 1, 0, 1.0),
    ],
)
def test_burst_ratio_compares_runs_with_chance(lost: int, bursts: int, expected: int, ratio: float) -> None:
    assert burst_ratio(lost, bursts, expected) == pytest.approx(ratio)
