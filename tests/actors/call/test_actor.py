"""One call's decisions: two real actors joined by octets, media that answers from a list, time as literals."""

from collections.abc import Callable

import pytest

from sipswarm.actors.call.notices import DigitsSent, DtmfReceived, Ended, Failed, InviteReceived, Notice, Provisional
from sipswarm.media import messages as media
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.session.events import Cause
from tests.actors.phones import ALICE, BOB, Phone
from tests.actors.scenes import Scene, established, refuses, rings, scene

SET_UP = ["> INVITE", "< 100 INVITE", "< 200 INVITE", "> ACK"]
VIDEO_ONLY = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"


# Alice                       Bob
#  | OpenStream, StreamOpened  |
#  |---------- INVITE -------->| OpenStream, StreamOpened, ConfigureStream
#  |<---- 100, 200 ------------|
#  | ConfigureStream           |
#  |---------- ACK ----------->|
def test_a_call_opens_ports_before_it_speaks_of_them_and_tells_both_users_once() -> None:
    made = established()
    alice, bob = made.alice, made.bob
    assert made.line.ladder == SET_UP
    assert alice.told() == ["Provisional", "Answered"]
    assert bob.told() == ["InviteReceived", "Established"]
    assert alice.commanded() == bob.commanded() == ["OpenStream", "ConfigureStream"]
    offer, answer = (SessionDescription.parse(made.line.messages[index].body) for index in (0, 2))
    assert offer.media[0].port == answer.media[0].port == 4000
    for phone, other in ((alice, bob), (bob, alice)):
        configured = phone.last(media.ConfigureStream)
        assert (configured.remote_address, configured.remote_port) == (other.hop.host, 4000)
        assert (configured.direction, configured.codec, configured.payload_type) == ("sendrecv", "PCMU", 0)
        assert configured.dtmf_payload_type == configured.dtmf_receive_payload_type == 101
        assert configured.source == ("silence",)
        assert phone.call.answer_status == 200
        assert phone.call.times.answered == 1.0
    assert made.line.messages[0].headers.get("X-Test") == "1"


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("wanted", [True, False])
def test_either_side_hangs_up_and_nothing_is_left_of_the_call(who: str, wanted: bool) -> None:
    made = established(wanted=wanted, alice_wanted=wanted)
    ender, other = (made.alice, made.bob) if who == "alice" else (made.bob, made.alice)
    ender.call.hang_up(2.0)
    ender.call.hang_up(2.0)
    made.line.carry()
    assert [each[2:] for each in made.since(4)] == ["BYE", "200 BYE"]
    assert (ender.last(Ended).cause, ender.last(Ended).by) == ("bye", "local")
    assert (other.last(Ended).cause, other.last(Ended).by) == ("bye", "remote")
    assert ender.call.times.bye_sent == 2.0
    assert ender.call.times.bye_answered > 0
    made.assert_all_over()


def test_a_call_without_media_names_the_parked_port_and_opens_nothing() -> None:
    made = established(wanted=False, alice_wanted=False)
    assert made.alice.commanded() == made.bob.commanded() == []
    assert SessionDescription.parse(made.line.messages[0].body).media[0].port == 9
    assert made.alice.call.media.statistics == ()


@pytest.mark.parametrize(
    ("reacts", "status"),
    [(refuses, 486), (lambda phone, notice: phone.call.reject(603, "No", (), phone.now), 603)],
)
def test_a_refusal_is_told_with_its_status(reacts: Callable[[Phone, Notice], None], status: int) -> None:
    made = scene(lambda phone, notice: reacts(phone, notice) if isinstance(notice, InviteReceived) else None).invite()
    refused = made.alice.last(Failed)
    assert (refused.status, refused.cause, refused.reinvite) == (status, Cause.REJECTED, False)
    assert made.alice.told() == ["Provisional", "Failed", "Ended", "Closed"]
    assert made.bob.told() == ["InviteReceived", "Ended", "Closed"]
    assert made.alice.call.answer_status == made.bob.call.answer_status == status
    assert made.bob.commanded() == []
    made.assert_all_over()


def test_a_refused_port_refuses_the_callers_own_call_by_name() -> None:
    made = scene()
    made.alice.refuses = "no_port"
    made.invite()
    assert made.line.ladder == []
    assert made.alice.last(Failed)[:2] == (503, "no_port")
    assert made.alice.last(Ended)[:2] == ("no_port", "local")
    made.assert_all_over()


def test_a_refused_port_of_the_called_side_is_503_with_retry_after() -> None:
    made = scene()
    made.bob.refuses = "no_port"
    made.invite()
    assert made.line.ladder == ["> INVITE", "< 100 INVITE", "< 503 INVITE", "> ACK"]
    assert made.line.messages[2].headers.get("Retry-After") == "5"
    assert made.bob.last(Ended).cause == "no_port"
    assert made.alice.last(Failed).status == 503
    made.assert_all_over()


def incoming_with(body: bytes, content_type: str = "application/sdp") -> Scene:
    """Bob gets Alice's INVITE with another body."""
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    request = Request.build(
        "INVITE",
        f"sip:bob@{BOB.host}",
        [
            (name, content_type if name == "Content-Type" else value)
            for name, value in parse_pairs(transmits[0].data)
            if name != "Content-Length"
        ],
        body,
    )
    made.bob.receive(request.to_bytes(), ALICE)
    made.line.carry()
    return made


def parse_pairs(data: bytes) -> list[tuple[str, str]]:
    head = data.decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (each.partition(":") for each in head)]


NOT_ACCEPTABLE = {
    "a codec that we do not have": VIDEO_ONLY,
    "no audio at all": VIDEO_ONLY.replace(b"m=audio 4000 RTP/AVP 18", b"m=video 4000 RTP/AVP 96"),
    "no description": b"hello",
    "octets": bytes(range(256)),
    "a port that is none": VIDEO_ONLY.replace(b"4000", b"70000"),
    "an origin cut short": VIDEO_ONLY.replace(b"o=- 1 1 IN IP4 192.0.2.1", b"o=- 1"),
}


@pytest.mark.parametrize("body", NOT_ACCEPTABLE.values(), ids=NOT_ACCEPTABLE)
def test_an_offer_that_cannot_be_taken_is_488_and_leaves_nothing(body: bytes) -> None:
    made = incoming_with(body)
    assert made.line.ladder == ["< 100 INVITE", "< 488 INVITE", "> ACK"]
    assert made.bob.call.answer_status == 488
    made.assert_all_over()


@pytest.mark.parametrize(
    "body",
    [VIDEO_ONLY.replace(b"m=audio 4000 RTP/AVP 18", b"m=audio 0 RTP/AVP 0"), VIDEO_ONLY.partition(b"m=")[0]],
    ids=["only a refused line", "no line at all"],
)
def test_an_offer_that_asks_for_no_media_is_a_call_without_streams(body: bytes) -> None:
    made = incoming_with(body)
    assert made.line.ladder[:2] == ["< 100 INVITE", "< 200 INVITE"]
    assert made.bob.commanded() == []


def test_hanging_up_before_the_port_is_there_sends_nothing_and_closes_the_port() -> None:
    made = scene()
    made.alice.holds_back = True
    made.invite()
    made.alice.call.hang_up(1.0)
    made.alice.settle()
    assert made.alice.told() == ["RequestFinished", "Failed", "Ended"]
    made.alice.holds_back = False
    made.alice.release()
    made.alice.settle()
    assert made.alice.told() == ["RequestFinished", "Failed", "Ended", "Closed"]
    assert made.alice.commanded() == ["OpenStream", "CloseStream"]
    assert made.line.ladder == []
    made.assert_all_over()


def test_a_port_refused_after_the_hang_up_still_ends_the_call() -> None:
    made = scene()
    made.alice.holds_back, made.alice.refuses = True, "no_port"
    made.invite()
    made.alice.call.hang_up(1.0)
    made.alice.settle()
    made.alice.release()
    made.alice.settle()
    assert made.alice.told() == ["RequestFinished", "Failed", "Ended", "CommandRefused", "Closed"]
    assert made.alice.call.finished


def test_hanging_up_while_the_called_sides_port_is_on_its_way_refuses() -> None:
    made = scene()
    made.bob.holds_back = True
    made.invite()
    made.bob.call.hang_up(1.0)
    made.bob.holds_back = False
    made.line.carry()
    made.bob.release()
    made.line.carry()
    assert made.line.ladder == ["> INVITE", "< 100 INVITE", "< 480 INVITE", "> ACK"]
    made.assert_all_over()


# Alice            Bob
#  |---- INVITE --->|
#  |<- 100, 180 ----|
#  |---- CANCEL --->|
#  |<- 200, 487 ----|
#  |---- ACK ------>|
def test_hanging_up_while_it_rings_cancels() -> None:
    made = scene(rings).invite()
    assert [notice.response.status for notice in made.alice.notices if isinstance(notice, Provisional)] == [100, 180]
    made.alice.call.hang_up(3.0)
    made.line.carry()
    assert sorted(made.since(3)) == sorted(["> CANCEL", "< 200 CANCEL", "< 487 INVITE", "> ACK"])
    assert made.alice.last(Ended)[:2] == ("cancelled", "local")
    assert made.bob.last(Ended)[:2] == ("cancelled", "remote")
    made.assert_all_over()


def test_hanging_up_a_call_that_rings_here_refuses() -> None:
    made = scene(rings).invite()
    made.bob.call.hang_up(3.0)
    made.line.carry()
    assert made.since(3) == ["< 480 INVITE", "> ACK"]
    made.assert_all_over()


def test_the_ring_time_cancels_as_no_answer() -> None:
    made = scene(rings)
    made.alice.prepare(BOB, ring_timeout=20.0).invite((), 1.0)
    made.line.run(30.0)
    assert made.alice.last(Failed).cause is Cause.NO_ANSWER
    made.assert_all_over()


def test_a_silent_peer_is_a_timeout_after_32_seconds() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.line.phones = (made.alice, made.alice)
    made.alice.settle()
    sent = []
    now = 1.0
    while made.alice.call.deadline is not None and "Failed" not in made.alice.told():
        now = made.alice.call.deadline
        made.alice.call.handle_timer(now)
        sent += made.alice.outbox.transmits
        made.alice.outbox.transmits = []
        made.alice.settle()
    refused = made.alice.last(Failed)
    assert (refused.status, refused.cause, refused.response) == (408, Cause.TIMEOUT, None)
    assert now == 33.0
    assert len(sent) == 7
    assert made.alice.told() == ["Failed", "Ended", "Closed"]


def test_digits_go_out_through_the_stream_and_come_in_three_ways() -> None:
    made = established()
    made.alice.call.send_digits(5, "12#", 120, "rfc4733")
    made.line.carry()
    stream = made.alice.last(media.OpenStream).stream_id
    assert made.alice.last(media.SendDigits) == (stream, 5, "12#", 120, "rfc4733", True)
    assert made.alice.last(DigitsSent) == (5, "OK", "", 0, 0)
    for mode in ("rfc4733", "inband"):
        made.alice.call.media_event(media.DtmfReceived(stream, "7", 90, mode), 2.0)
        made.line.carry()
        assert made.alice.last(DtmfReceived) == ("7", 90, mode)
    made.bob.call.request("INFO", b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", (), 2.0)
    made.line.carry()
    assert made.alice.last(DtmfReceived) == ("5", 160, "info")
    assert made.since(4) == ["< INFO", "> 200 INFO"]
    assert "7" not in repr(made.alice.notices[-2])


@pytest.mark.parametrize(
    ("body", "digit"),
    [
        (b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        (b"Signal= *\nDuration= 80", ("*", 80)),
        (b"signal=d", ("D", 100)),
        (b"Duration=99999999\r\nSignal=#", ("#", 99999)),
        (b"Signal=", None),
        (b"Signal=12\r\nDuration=1", ("A", 1)),
        (b"Signal=x\r\nDuration=1", None),
        (b"Signal=1\r\nDuration=-1", ("1", 100)),
        (b"Signal=1\r\nDuration=1.5", ("1", 100)),
        (b"\xff\xfe=\x00", None),
    ],
)
def test_an_info_is_a_digit_or_400(body: bytes, digit: tuple[str, int] | None) -> None:
    made = established()
    made.bob.call.request("INFO", body, "application/dtmf-relay", (), 2.0)
    made.line.carry()
    assert made.since(4) == ["< INFO", f"> {200 if digit else 400} INFO"]
    found = [(notice.event, notice.duration_ms) for notice in made.alice.notices if isinstance(notice, DtmfReceived)]
    assert found == ([digit] if digit else [])


@pytest.mark.parametrize("wanted", [True, False])
def test_digits_without_a_stream_fail_at_once(wanted: bool) -> None:
    made = scene(alice_wanted=wanted)
    made.alice.prepare(BOB).send_digits(9, "1", 100, "rfc4733")
    made.line.carry()
    assert made.alice.last(DigitsSent)[:2] == (9, "FAIL")
