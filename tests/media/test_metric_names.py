"""What the media engine counts and what the node shows are one list."""

from sipswarm.actors.counting.table import BY_NAME, METRICS
from sipswarm.media.totals import MediaTotals


def test_every_metric_of_media_is_fed_by_the_engine_and_every_row_is_shown() -> None:
    given = {name: labels for name, labels, _ in MediaTotals().rows()}
    shown = {
        metric.name
        for metric in METRICS
        if metric.name.startswith(("sipswarm_rtp_", "sipswarm_rtcp_", "sipswarm_dtmf_"))
    }
    assert shown - {"sipswarm_dtmf_errors_total"} == {name for name in given if "queue" not in name}, "or by the calls"
    for name, labels in given.items():
        assert len(labels) == len(BY_NAME[name].own_labels)


def test_every_series_that_exists_from_the_start_is_one_that_the_engine_can_feed() -> None:
    given = {(name, labels) for name, labels, _ in MediaTotals().rows()}
    for name in {name for name, _ in given if "queue" not in name}:
        assert {(name, labels) for labels in BY_NAME[name].children({}) if "info" not in labels} <= given
