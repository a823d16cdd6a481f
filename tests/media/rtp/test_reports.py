"""The RTCP side of a stream: two real sessions and the bytes between them (RFC 3550 6.3)."""

import pytest

from sipswarm.media.rtp import rtcp
from sipswarm.media.rtp.packet import RtpError
from sipswarm.media.rtp.reception import Reception
from sipswarm.media.rtp.reports import RtcpSession

WALL = 1_700_000_000.0


def half(size: int) -> bytes:
    """A random number of one half."""
    return b"\x80" + bytes(size - 1)


def session(ssrc: int, name: bytes = b"name") -> RtcpSession:
    return RtcpSession(ssrc, name, half, WALL)


def heard(ssrc: int, count: int = 10) -> Reception:
    reception = Reception(ssrc, 1)
    for n in range(1, count + 1):
        reception.receive(n, 160 * n, 160 * n)
    return reception


def test_nothing_is_due_before_the_start() -> None:
    assert session(1).due == float("inf")


def test_the_first_report_is_due_after_half_the_interval_and_the_next_after_all_of_it() -> None:
    one = session(1)
    one.start(100.0)
    one.start(200.0)
    assert one.due == pytest.approx(100.0 + 2.5 / rtcp.COMPENSATION)
    now = one.due
    assert one.compound(now, 50, 8000, 1000, None) is not None
    assert one.due == pytest.approx(now + 5.0 / rtcp.COMPENSATION)
    assert one.sent == 1


def test_a_report_that_would_come_too_early_is_put_off() -> None:
    numbers = iter((b"\x00" * 4, b"\xff" * 4, b"\x80\x00\x00\x00", b"\x80\x00\x00\x00"))
    one = RtcpSession(1, b"x", lambda size: next(numbers), WALL)
    one.start(0.0)
    early = one.due
    assert one.compound(early, 0, 0, 0, None) is None
    assert one.due == pytest.approx(3 * early, rel=1e-6)
    assert one.compound(one.due, 0, 0, 0, None) is not None


def test_who_sent_rtp_reports_as_sender_and_who_did_not_as_receiver() -> None:
    one = session(7)
    one.start(0.0)
    data = one.compound(10.0, 3, 480, 0x1_0000_0001, heard(9))
    assert data is not None
    report, description = rtcp.parse(data)
    assert isinstance(report, rtcp.SenderReport)
    assert report[:5] == (7, rtcp.ntp_time(WALL + 10.0), 1, 3, 480)
    assert report.blocks[0].ssrc == 9
    assert description == rtcp.SourceDescription((rtcp.SdesChunk(7, ((rtcp.CNAME, b"name"),)),))
    data = one.compound(20.0, 3, 480, 5, None)
    assert data is not None
    assert rtcp.parse(data)[0] == rtcp.ReceiverReport(7)


def test_the_round_trip_is_the_time_under_way() -> None:
    one, other = session(1), session(2)
    of_one, of_other = heard(1), heard(2)
    one.start(0.0)
    other.start(0.0)
    first = one.compound(10.0, 10, 1600, 0, of_other)
    assert first is not None
    assert other.receive(first, of_one, 10.020)
    second = other.compound(12.0, 10, 1600, 0, of_one)
    assert second is not None
    assert one.receive(second, of_other, 12.030)
    assert one.round_trip == pytest.approx(0.050, abs=0.0001)
    assert (one.remote_loss.lost, one.remote_fraction_lost, one.remote_jitter) == (0, 0, 0)
    assert one.remote_cname == b"name"
    assert one.received == other.received == 1


def test_a_goodbye_names_its_source_and_ends_the_session() -> None:
    one, other = session(1), session(2)
    data = one.goodbye(5.0, 10, 1600, 0, heard(2))
    assert data is not None
    assert rtcp.parse(data)[-1] == rtcp.Goodbye((1,))
    assert other.receive(data, heard(1), 5.0)
    assert other.remote_said_bye


def test_who_never_sent_anything_leaves_without_a_word() -> None:
    assert session(1).goodbye(5.0, 0, 0, 0, None) is None


def test_reports_of_another_source_do_not_belong() -> None:
    data = session(99).goodbye(5.0, 10, 1600, 0, None)
    assert data is not None
    one = session(1)
    assert not one.receive(data, heard(2), 5.0)
    assert one.received == 0
    assert not one.remote_said_bye
    assert one.receive(data, None, 5.0)


def test_blocks_about_others_and_absurd_delays_are_passed_over() -> None:
    one = session(1)
    block = rtcp.ReportBlock(55, 1, 1, 1, 1, 0, 0)
    one.receive(rtcp.ReceiverReport(2, (block,)).to_bytes(), heard(2), 1.0)
    assert (one.remote_loss.lost, one.round_trip) == (-1, -1.0)
    block = rtcp.ReportBlock(1, 1, -5, 1, 80, 0x12345678, 0)
    report = rtcp.ReceiverReport(2, (block,)).to_bytes()
    one.receive(report + rtcp.Feedback(rtcp.RTPFB, 1, 2, 1).to_bytes(), heard(2), 1.0)
    assert (one.remote_loss.lost, one.remote_fraction_lost, one.remote_jitter, one.round_trip) == (0, 1, 80, -1.0)


def test_a_sender_report_before_any_rtp_is_read_but_noted_nowhere() -> None:
    one = session(1)
    description = rtcp.SourceDescription((rtcp.SdesChunk(2, ((2, b"a name"),)),)).to_bytes()
    assert one.receive(rtcp.SenderReport(2, 3, 4, 5, 6).to_bytes() + description, None, 1.0)
    assert one.remote_cname == b""


def test_what_is_no_rtcp_is_refused() -> None:
    with pytest.raises(RtpError):
        session(1).receive(b"\x80\xc8", None, 1.0)
