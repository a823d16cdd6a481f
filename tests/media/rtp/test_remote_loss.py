"""What arrived of our packets, by the reports of a peer: block by block, with no clock."""

import pytest

from sipswarm.media.rtp.remote_loss import RemoteLoss
from sipswarm.media.rtp.rtcp import ReportBlock


class Reporting:
    """A stream that sends fifty packets a second from the number 65500 on, and the reports about it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loss = RemoteLoss(self._sent)
        self.loss.start(0.0)

    def _sent(self) -> tuple[int, int]:
        count = round(self.now * 50)
        return count, (65500 + count) & 0xFFFF

    def report(self, at: float, highest: int, lost: int = 0, *, round_trip: float = 0.0) -> float:
        """The share that is lost by a report; `highest` counts our packets from 1 on."""
        self.now = at
        self.loss.take(ReportBlock(1, 0, lost, 65499 + highest, 0, 0, 0), round_trip, at)
        return self.loss.ratio


def test_packets_after_the_highest_number_did_not_arrive() -> None:
    """A receiver that gets nothing more can count no loss: its highest number stands still (RFC 3550 6.4.1)."""
    one = Reporting()
    assert one.loss.ratio == -1.0
    assert one.report(1.0, 50) == 0.0
    assert one.report(2.0, 50) == 0.5
    assert one.report(8.0, 50) == 350 / 400
    assert one.report(10.0, 499, lost=350) == 350 / 500
    assert one.report(12.0, 500, lost=350) == (350 + 100) / 600


def test_a_highest_number_that_stood_still_for_hours_is_still_loss() -> None:
    one = Reporting()
    one.report(1.0, 50)
    for at in range(600, 5000, 600):
        assert one.report(at, 50) == pytest.approx(1 - 1 / at)


@pytest.mark.parametrize("round_trip", [0.0, 0.3, 2.0])
def test_what_was_under_way_is_no_loss(round_trip: float) -> None:
    one = Reporting()
    for at in range(5, 50, 5):
        assert one.report(at, round((at - 0.2 - round_trip) * 50), round_trip=round_trip) == 0.0
    assert one.report(50, 1250, round_trip=round_trip) == pytest.approx(0.5 - round_trip / 50, abs=0.001)


def test_a_highest_number_that_was_never_sent_shows_only_whether_it_goes_on() -> None:
    one = Reporting()
    assert one.report(1.0, 30_000) == 0.0
    assert one.report(2.0, 30_050) == 0.0
    assert one.report(3.0, 30_050) == pytest.approx(50 / 150)
    assert one.report(5.0, 30_200) == 0.0


def test_the_loss_is_of_what_was_sent_until_the_report() -> None:
    one = Reporting()
    assert one.report(2.0, 100, lost=50) == 0.5
    one.now = 10.0
    assert one.loss.ratio == 0.5
    assert one.report(11.0, 550, lost=0x7FFFFF) == 1.0
    assert one.report(12.0, 600, lost=-3) == 0.0
