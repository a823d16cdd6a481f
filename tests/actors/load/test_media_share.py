"""What a call lacks of its media, as a table over its figures."""

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.config import MEDIA_SHARE, LoadConfig
from sipswarm.actors.load.expectations import is_one_way, missed
from sipswarm.actors.load.tally import Tally
from sipswarm.actors.load.thresholds import Threshold
from tests.actors.load.test_report import ending, report
from tests.actors.rows import ROW

LOAD = LoadConfig("sip:echo@127.0.0.1:5070", expect_media=True)


def row(due: float, present: float, *, sent: int = 500, received: int = 500, gap: float = 0.02) -> CallFinished:
    packets = round(max(0.0, due) * 50)
    return ROW._replace(
        rtp_sent=sent,
        rtp_received=received,
        rtp_lost=0,
        media_due=due,
        media_present=present,
        media_gap=gap,
        rtp_due=packets,
        rtp_missed=packets - round(max(0.0, present) * 50),
    )


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (row(10, 10), ""),
        (row(10, 9.8), ""),
        (row(10, 1, received=50), "media_share"),
        (row(6, 3, received=150), "media_share"),
        (row(3, 0.4, received=20), "media_share"),
        (row(12, 1.7, received=85), "media_share"),
        (row(10, 0.02, received=1), "media_share"),
        (row(0.2, 0.2, sent=10, received=10), ""),
        (row(0.2, 0.0, sent=10, received=1), ""),
        (row(0.01, 0.01, sent=1, received=1), ""),
        (row(0.5, 0.3, sent=25, received=15), ""),
        (row(1, 0.8), ""),
        (row(-1.0, -1.0), ""),
        (row(10, 10, received=450)._replace(rtp_missed=50), ""),
        (row(10, 10, received=400)._replace(rtp_missed=100), "media_share"),  # lost one by one, without any gap
        (row(10, 10, received=250)._replace(rtp_missed=250), "media_share"),
        (row(10, 0, received=0), "one_way"),
        (row(10, 10, sent=0), "one_way"),
        (row(10, 0, sent=0, received=0), "silent"),
        (row(-1.0, -1.0, sent=0, received=0), "silent"),
    ],
)
def test_a_call_lacks_media_by_its_share_of_the_time(figures: CallFinished, reason: str) -> None:
    assert MEDIA_SHARE == 0.9
    assert missed(figures, LOAD) == reason
    assert report(figures, load=LOAD).tally.failures == ({reason: 1} if reason else {})


@pytest.mark.parametrize("expected", ["expect_media", "expect_audio", "expect_mos"])
@pytest.mark.parametrize(
    ("due", "held", "removed", "reason"),
    [
        (0.3, 0.0, 5.7, "media_removed"),
        (2.9, 0.0, 3.1, "media_removed"),
        (3.1, 0.0, 2.9, ""),
        (-1.0, 0.0, 6.0, "media_removed"),
        (0.3, 5.7, 0.0, ""),
        (-1.0, 6.0, 0.0, ""),
        (0.5, 5.1, 0.4, ""),
        (0.3, 5.1, 0.6, "media_removed"),
    ],
)
def test_a_peer_that_removes_the_line_has_no_media(
    expected: str, due: float, held: float, removed: float, reason: str
) -> None:
    """RFC 3264 8.2; a hold is legal, however long it is."""
    load = LoadConfig("sip:echo@127.0.0.1:5070", **{expected: 1})  # type: ignore[arg-type]  # any field
    figures = row(due, due, sent=15, received=15)._replace(media_held=held, media_removed=removed)
    assert missed(figures, load) == reason
    assert missed(figures, LoadConfig("sip:echo@127.0.0.1:5070")) == ""


@pytest.mark.parametrize(
    ("remote_loss", "reason"), [(-1.0, ""), (0.0, ""), (0.3, ""), (0.75, ""), (0.76, "one_way"), (1.0, "one_way")]
)
def test_what_the_peer_reports_as_lost_did_not_arrive(remote_loss: float, reason: str) -> None:
    """RFC 3550 6.4.1; without a report nothing is known of the way out."""
    figures = row(10, 10)._replace(remote_loss=remote_loss)
    assert missed(figures, LOAD) == reason
    assert is_one_way(figures) is bool(reason)
    tally = Tally(LoadConfig("sip:echo@127.0.0.1:5070"))
    assert tally.add(figures) == "", "nothing was expected of media"
    assert tally.distributions["remote_loss"].max == (remote_loss if remote_loss >= 0 else None)


@pytest.mark.parametrize("expected", ["expect_media", "expect_audio", "expect_mos"])
@pytest.mark.parametrize(
    ("share", "received", "reason"),
    [
        (-1.0, 500, ""),
        (0.0, 500, ""),
        (0.5, 500, ""),
        (0.51, 500, "media_unreachable"),
        (1.0, 500, "media_unreachable"),
        (1.0, 0, "one_way"),
    ],
)
def test_media_that_nobody_takes_has_not_arrived(expected: str, share: float, received: int, reason: str) -> None:
    """RFC 1122 4.1.3.3; where nothing is expected of media, it is a figure and no failure."""
    load = LoadConfig("sip:echo@127.0.0.1:5070", **{expected: 1})  # type: ignore[arg-type]  # any field
    figures = row(10, 10, received=received)._replace(unreachable_share=share, mos=4.0, audible=1.0)
    assert missed(figures, load) == reason
    assert is_one_way(figures) is bool(reason)
    tally = Tally(LoadConfig("sip:echo@127.0.0.1:5070"))
    assert tally.add(figures) == ""
    assert tally.one_way == bool(reason)
    assert tally.distributions["unreachable_share"].max == (share if share >= 0 else None)


def test_the_share_of_holds_is_a_figure_of_the_run() -> None:
    tally = Tally(LOAD)
    for held in (0.0, 1.0, 9.0):
        tally.add(row(10 - held, 10 - held)._replace(media_held=held))
    tally.add(row(-1.0, -1.0)._replace(media_held=0.0))
    found = tally.distributions["hold_share"]
    assert (found.count, found.min, found.max) == (3, 0.0, 0.9)
    assert found.mean == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("share", "reason"), [(0.0, ""), (0.1, ""), (0.5, ""), (0.6, "media_share"), (1.0, "media_share")]
)
def test_the_share_is_the_users(share: float, reason: str) -> None:
    load = LoadConfig("sip:echo@127.0.0.1:5070", expect_media=True, media_share=share)
    assert missed(row(10, 5), load) == reason


@pytest.mark.parametrize(
    ("figures", "one_way"),
    [
        (row(10, 10), False),
        (row(10, 5), False),
        (row(10, 0.02, received=1), True),
        (row(10, 1, received=50), True),
        (row(10, 0, received=0), True),
        (row(10, 10, sent=0), True),
        (row(10, 0, sent=0, received=0), False),
        (row(0.2, 0.02, received=1), False),
        (row(-1.0, -1.0), False),
        (row(0.012, 0.0, sent=2, received=0), False),
        (row(0.012, 0.0, sent=0, received=1), False),
        (row(-1.0, -1.0, sent=1, received=0), False),
        (row(0.2, 0.0, sent=10, received=0), True),
        (row(-1.0, -1.0, sent=100, received=0)._replace(media_held=2.0), True),
    ],
)
def test_one_packet_of_many_is_one_way(figures: CallFinished, one_way: bool) -> None:
    assert is_one_way(figures) is one_way
    assert report(figures).tally.one_way == one_way


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("received_ratio.min>=0.99", 0.1),
        ("received_ratio.p5>=0.99", 0.1),
        ("received_ratio.max>=0.99", 1.0),
        ("gap.max<0.5", 9.02),
        ("media_share.min>0.9", 0.1),
        ("loss.max<0.01", 0.9),
        ("mos.min>4", 1.0),
    ],
)
def test_thresholds_see_what_never_came(expression: str, value: float) -> None:
    made = report(row(10, 10), row(10, 1, received=50, gap=9.02)._replace(mos=1.0))
    found = made.figure(Threshold.parse(expression), ending(2))
    assert found == pytest.approx(value, rel=0.03)


def test_a_silent_call_is_all_loss_and_a_call_without_media_none() -> None:
    tally = Tally(LOAD)
    tally.add(row(2, 0, received=0, gap=2.0)._replace(mos=1.0))
    tally.add(row(-1.0, -1.0, sent=0, received=0)._replace(mos=-1.0, media_gap=-1.0))
    assert tally.distributions["loss"].count == tally.distributions["mos"].count == 1
    assert tally.distributions["loss"].max == 1.0
    assert tally.distributions["gap"].count == tally.distributions["media_share"].count == 1
    assert (tally.rtp_due, tally.rtp_missed) == (100, 100)
