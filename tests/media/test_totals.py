"""Counters of a media process: labels, buckets and metric names."""

import pytest

from sipswarm.media.totals import CODECS, DISCARD_REASONS, LOSS_EDGES, Distribution, MediaTotals, codec_index


@pytest.mark.parametrize(
    ("name", "label"),
    [("PCMU", "PCMU"), ("pcma", "PCMA"), ("OPUS", "opus"), ("telephone-event", "telephone-event"), ("x-evil", "other")],
)
def test_codec_labels_are_a_closed_set(name: str, label: str) -> None:
    assert CODECS[codec_index(name)] == label


def test_an_edge_belongs_to_the_bucket_below_it() -> None:
    distribution = Distribution(LOSS_EDGES)
    distribution.add(0.0)
    distribution.add(0.001, 3)
    distribution.add(0.7)
    assert distribution.counts == [1, 3] + [0] * 9 + [1]
    assert distribution.count == 5
    assert distribution.total == pytest.approx(0.703)


def test_rows_name_every_series_once() -> None:
    totals = MediaTotals()
    totals.discards[DISCARD_REASONS.index("bad_source")] = 7
    rows = {(name, labels): numbers for name, labels, numbers in totals.rows()}
    assert len(rows) == len(list(totals.rows()))
    assert rows["sipswarm_rtp_packets_discarded_total", ("bad_source",)][0] == 7
    assert len(rows["sipswarm_rtp_loss_ratio", ("PCMU",)]) == 1 + len(LOSS_EDGES) + 1
