"""One call's decisions: two real actors joined by octets, media that answers from a list, time as literals."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from actors.call_media import CallMedia
from actors.call_state import State
from actors.notices import Answered, Closed, Digit, DigitsDone, Incoming, MediaSilent, Notice, Over, Progress, Refused
from media import messages as media
from sipcore.errors import LocalProtocolError
from sipcore.events import Cause
from sipcore.message import Request, Response
from sipcore.sdp import SessionDescription
from tests.actors.phones import ALICE, BOB, Line, Phone, name_of

SET_UP = ["> INVITE", "< 100 INVITE", "< 200 INVITE", "> ACK"]
VIDEO_ONLY = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"


def answers(phone: Phone, notice: Notice) -> None:
    """A user who takes every call and every re-INVITE."""
    if isinstance(notice, Incoming):
        phone.call.answer((), phone.now)


def rings(phone: Phone, notice: Notice) -> None:
    """A user who lets it ring."""
    if isinstance(notice, Incoming):
        phone.call.ring(180, (), phone.now)


def refuses(phone: Phone, notice: Notice) -> None:
    """A user who is busy."""
    if isinstance(notice, Incoming):
        phone.call.reject(486, "", (), phone.now)


@dataclass
class Scene:
    alice: Phone
    bob: Phone
    line: Line

    def invite(self) -> "Scene":
        self.alice.prepare(BOB).invite((("X-Test", "1"),), self.line.now)
        self.line.carry()
        return self

    def since(self, count: int) -> list[str]:
        return self.line.ladder[count:]

    def assert_all_over(self) -> None:
        """Nothing is left of the call on either side, and each user was told so exactly once."""
        self.line.run(self.line.now + 200)
        for phone in (self.alice, self.bob):
            if phone.actor is not None:
                assert phone.call.finished
                assert phone.call.deadline is None
                assert phone.told().count("Over") == phone.told().count("Closed") == 1
                assert phone.told()[-1] == "Closed"
                assert phone.outbox.streams == {}
                opened = phone.commanded().count("OpenStream")
                assert phone.commanded().count("CloseStream") == (0 if phone.refuses else opened)


def scene(
    bob_reacts: Callable[[Phone, Notice], None] | None = answers, *, wanted: bool = True, alice_wanted: bool = True
) -> Scene:
    alice, bob = Phone(ALICE, wanted=alice_wanted), Phone(BOB, wanted=wanted, reacts=bob_reacts)
    return Scene(alice, bob, Line(alice, bob))


def established(*, wanted: bool = True, alice_wanted: bool = True) -> Scene:
    made = scene(wanted=wanted, alice_wanted=alice_wanted).invite()
    assert made.alice.call.state is made.bob.call.state is State.UP
    return made


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
    assert alice.told() == ["Progress", "Answered"]
    assert bob.told() == ["Incoming", "Acknowledged"]
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
    assert (ender.last(Over).cause, ender.last(Over).by) == ("bye", "local")
    assert (other.last(Over).cause, other.last(Over).by) == ("bye", "remote")
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
    made = scene(lambda phone, notice: reacts(phone, notice) if isinstance(notice, Incoming) else None).invite()
    refused = made.alice.last(Refused)
    assert (refused.status, refused.cause, refused.reinvite) == (status, Cause.REJECTED, False)
    assert made.alice.told() == ["Progress", "Refused", "Over", "Closed"]
    assert made.bob.told() == ["Incoming", "Over", "Closed"]
    assert made.alice.call.answer_status == made.bob.call.answer_status == status
    assert made.bob.commanded() == []
    made.assert_all_over()


def test_a_refused_port_refuses_the_callers_own_call_by_name() -> None:
    made = scene()
    made.alice.refuses = "no_port"
    made.invite()
    assert made.line.ladder == []
    assert made.alice.last(Refused)[:2] == (503, "no_port")
    assert made.alice.last(Over)[:2] == ("no_port", "local")
    made.assert_all_over()


def test_a_refused_port_of_the_called_side_is_503_with_retry_after() -> None:
    made = scene()
    made.bob.refuses = "no_port"
    made.invite()
    assert made.line.ladder == ["> INVITE", "< 100 INVITE", "< 503 INVITE", "> ACK"]
    assert made.line.messages[2].headers.get("Retry-After") == "5"
    assert made.bob.last(Over).cause == "no_port"
    assert made.alice.last(Refused).status == 503
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
    assert made.alice.told() == ["Over"]
    made.alice.holds_back = False
    made.alice.release()
    made.alice.settle()
    assert made.alice.told() == ["Over", "Closed"]
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
    assert made.alice.told() == ["Over", "Closed"]
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
    assert [notice.response.status for notice in made.alice.notices if isinstance(notice, Progress)] == [100, 180]
    made.alice.call.hang_up(3.0)
    made.line.carry()
    assert sorted(made.since(3)) == sorted(["> CANCEL", "< 200 CANCEL", "< 487 INVITE", "> ACK"])
    assert made.alice.last(Over)[:2] == ("cancelled", "local")
    assert made.bob.last(Over)[:2] == ("cancelled", "remote")
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
    assert made.alice.last(Refused).cause is Cause.NO_ANSWER
    made.assert_all_over()


def test_a_silent_peer_is_a_timeout_after_32_seconds() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.line.phones = (made.alice, made.alice)
    made.alice.settle()
    sent = []
    now = 1.0
    while made.alice.call.deadline is not None and "Refused" not in made.alice.told():
        now = made.alice.call.deadline
        made.alice.call.handle_timer(now)
        sent += made.alice.outbox.transmits
        made.alice.outbox.transmits = []
        made.alice.settle()
    refused = made.alice.last(Refused)
    assert (refused.status, refused.cause, refused.response) == (408, Cause.TIMEOUT, None)
    assert now == 33.0
    assert len(sent) == 7
    assert made.alice.told() == ["Refused", "Over", "Closed"]


def test_digits_go_out_through_the_stream_and_come_in_three_ways() -> None:
    made = established()
    made.alice.call.send_digits(5, "12#", 120, "rfc4733")
    made.line.carry()
    stream = made.alice.last(media.OpenStream).stream_id
    assert made.alice.last(media.SendDigits) == (stream, 5, "12#", 120, "rfc4733")
    assert made.alice.last(DigitsDone) == (5, "OK", "")
    for mode in ("rfc4733", "inband"):
        made.alice.call.media_event(media.DtmfReceived(stream, "7", 90, mode), 2.0)
        made.line.carry()
        assert made.alice.last(Digit) == ("7", 90, mode)
    made.bob.call.request("INFO", b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", (), 2.0)
    made.line.carry()
    assert made.alice.last(Digit) == ("5", 160, "info")
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
        (b"Signal=12\r\nDuration=1", None),
        (b"Signal=x\r\nDuration=1", None),
        (b"Signal=1\r\nDuration=-1", None),
        (b"Signal=1\r\nDuration=1.5", None),
        (b"\xff\xfe=\x00", None),
    ],
)
def test_an_info_is_a_digit_or_400(body: bytes, digit: tuple[str, int] | None) -> None:
    made = established()
    made.bob.call.request("INFO", body, "application/dtmf-relay", (), 2.0)
    made.line.carry()
    assert made.since(4) == ["< INFO", f"> {200 if digit else 400} INFO"]
    found = [(notice.event, notice.duration_ms) for notice in made.alice.notices if isinstance(notice, Digit)]
    assert found == ([digit] if digit else [])


@pytest.mark.parametrize("wanted", [True, False])
def test_digits_without_a_stream_fail_at_once(wanted: bool) -> None:
    made = scene(alice_wanted=wanted)
    made.alice.prepare(BOB).send_digits(9, "1", 100, "rfc4733")
    made.line.carry()
    assert made.alice.last(DigitsDone)[:2] == (9, "FAIL")


def origins(made: Scene) -> list[tuple[str, int, int]]:
    """Who sent which o= session id and version, in order."""
    found = []
    for step, message in zip(made.line.ladder, made.line.messages, strict=True):
        if message.body:
            origin = SessionDescription.parse(message.body).origin
            found.append((step[0], int(origin.session_id), int(origin.version)))
    return found


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_reinvite_keeps_the_session_id_and_counts_the_version_only_when_something_changes(who: str) -> None:
    made = established()
    asker, other = (made.alice, made.bob) if who == "alice" else (made.bob, made.alice)
    other.reacts = answers
    asker.call.invite((), 2.0)
    made.line.carry()
    asker.call.invite((), 3.0, hold=True)
    made.line.carry()
    assert [each[2:] for each in made.since(4)].count("200 INVITE") == 2
    assert asker.last(Answered).reinvite
    for sign in "<>":
        own = [(number, version) for side, number, version in origins(made) if side == sign]
        assert len({number for number, _ in own}) == 1
        assert own[1][1] - own[0][1] == 0
        assert own[2][1] - own[1][1] == 1
    assert made.alice.commanded().count("OpenStream") == made.bob.commanded().count("OpenStream") == 1
    made.alice.call.hang_up(5.0)
    made.assert_all_over()


# Alice                        Bob
#  |-- INVITE (hold) ---------->|  ConfigureStream: does not send any more
#  |<- 200 ---------------------|
#  |-- ACK -------------------->|
#  |-- INVITE ----------------->|  ConfigureStream: sends again, its source untouched
def test_hold_by_the_peer_stops_our_sending_and_a_plain_reinvite_starts_it_again() -> None:
    made = established()
    made.alice.call.invite((), 2.0, hold=True)
    made.line.carry()
    held = made.bob.last(media.ConfigureStream)
    assert held.direction in ("recvonly", "inactive")
    assert held.source == ()
    assert b"c=IN IP4 0.0.0.0" in made.line.messages[4].body
    made.alice.call.invite((), 3.0)
    made.line.carry()
    again = made.bob.last(media.ConfigureStream)
    assert (again.direction, again.remote_address, again.source) == ("sendrecv", ALICE.host, ())
    assert b"0.0.0.0" not in made.line.messages[7].body


def test_a_reinvite_that_does_not_fit_is_refused_and_the_call_goes_on() -> None:
    made = established()
    for body in (VIDEO_ONLY, b"no description", VIDEO_ONLY.partition(b"m=")[0]):
        before = len(made.line.ladder)
        made.alice.call.session.reinvite(made.line.now, body)
        made.alice.call.pump(made.line.now)
        made.line.carry()
        assert made.line.ladder[before + 2].startswith("< 4")
        made.line.run(made.line.now + 40)
    assert made.bob.call.state is State.UP
    before = len(made.line.ladder)
    made.alice.call.invite((), made.line.now)
    made.line.carry()
    assert made.line.ladder[before:] == SET_UP


def test_a_reinvite_of_ours_that_is_refused_leaves_the_call_up_and_may_be_repeated() -> None:
    made = established()
    made.bob.reacts = refuses
    made.alice.call.invite((), 2.0)
    made.line.carry()
    assert made.alice.last(Refused).reinvite
    assert made.alice.call.state is made.bob.call.state is State.UP
    made.bob.reacts = answers
    made.alice.call.invite((), 3.0)
    made.line.carry()
    assert made.alice.told()[-1] == "Answered"


def test_media_that_is_lost_ends_the_call_by_name() -> None:
    made = established()
    made.alice.call.media_lost("media_worker_lost", 2.0)
    made.line.carry()
    assert made.since(4) == ["> BYE", "< 200 BYE"]
    assert made.alice.last(Over)[:2] == ("media_worker_lost", "local")
    assert made.alice.told().count("Closed") == 1
    made.alice.call.media_lost("media_worker_lost", 3.0)
    made.line.carry()
    assert made.alice.told().count("Closed") == 1


def test_media_that_is_lost_while_it_rings_refuses_or_cancels() -> None:
    made = scene(rings).invite()
    made.alice.call.media_lost("media_worker_lost", 2.0)
    made.line.carry()
    assert "> CANCEL" in made.line.ladder
    assert made.alice.last(Over).cause == "media_worker_lost"
    made = scene()
    made.bob.holds_back = True
    made.invite()
    made.bob.call.media_lost("media_overload", 2.0)
    made.line.carry()
    assert made.since(2) == ["< 503 INVITE", "> ACK"]


def test_media_that_is_lost_after_the_end_closes_the_call() -> None:
    made = established()
    made.alice.holds_back = True
    made.alice.call.hang_up(2.0)
    made.line.carry()
    assert "Closed" not in made.alice.told()
    made.alice.call.media_lost("media_worker_lost", 3.0)
    made.line.carry()
    assert made.alice.told()[-1] == "Closed"
    assert made.alice.call.cause == "bye"


def test_a_stream_that_the_media_worker_gives_up_ends_the_call() -> None:
    made = established()
    stream = made.alice.last(media.OpenStream).stream_id
    closed = next(iter(made.alice._answers_to(media.CloseStream(stream))))
    made.alice.call.media_event(closed._replace(reason="failed: ENOMEM"), 2.0)
    made.line.carry()
    assert made.alice.last(Over).cause == "failed: ENOMEM"
    assert made.alice.call.media.statistics != ()


def test_silence_is_told_at_its_limit_only() -> None:
    made = established()
    stream = made.alice.last(media.OpenStream).stream_id
    for level in ("warning", "limit"):
        made.alice.call.media_event(media.StreamSilent(stream, level, 30.0), 2.0)
    made.alice.call.media_event(media.SourceFinished(stream, "end"), 2.0)
    made.alice.call.media_event(media.StreamStarted(stream, 1, 0, "192.0.2.2", 4000), 2.0)
    made.line.carry()
    assert made.alice.told()[2:] == ["MediaSilent", "SourceDone"]
    assert made.alice.last(MediaSilent) == (30.0,)


def test_an_answer_that_fits_nothing_is_acknowledged_and_hung_up() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    made.bob.reacts = rings
    made.bob.receive(transmits[0].data, ALICE)
    made.bob.call.session.accept(1.0, b"this is no description")
    made.bob.call.pump(1.0)
    made.line.carry()
    assert [each for each in made.line.ladder if each[0] == ">"] == ["> ACK", "> BYE"]
    assert made.alice.last(Over).cause == "bad_description"
    assert "Answered" not in made.alice.told()


def test_a_delayed_offer_is_offered_in_the_200_and_answered_in_the_ack() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0, delayed=True)
    made.line.carry()
    assert made.line.ladder == SET_UP
    invite, _, ok, ack = made.line.messages
    assert (bool(invite.body), bool(ok.body), bool(ack.body)) == (False, True, True)
    assert made.alice.last(media.ConfigureStream).remote_port == made.bob.last(media.ConfigureStream).remote_port
    assert made.alice.call.state is made.bob.call.state is State.UP
    made.alice.call.hang_up(2.0)
    made.assert_all_over()


def test_early_media_answers_in_the_183_and_repeats_itself_in_the_200() -> None:
    def early(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, Incoming):
            phone.call.ring(183, (), phone.now, early_media=True)

    made = scene(early).invite()
    progress = next(message for message in made.line.messages if name_of(message) == "183 INVITE")
    assert progress.body
    assert made.alice.last(media.ConfigureStream).remote_port == 4000
    made.line.run(2.0)
    made.bob.call.answer((), 2.0)
    made.line.carry()
    final = next(message for message in made.line.messages if name_of(message) == "200 INVITE")
    assert final.body in (b"", progress.body)
    assert made.alice.call.state is made.bob.call.state is State.UP


def test_requests_within_the_call_are_answered_and_told() -> None:
    made = established()
    number = made.alice.call.request("MESSAGE", b"hi", "text/plain", (), 2.0)
    made.line.carry()
    assert made.since(4) == ["> MESSAGE", "< 200 MESSAGE"]
    assert made.bob.notices[-1].request.body == b"hi"  # type: ignore[union-attr]  # a PeerRequest, or it fails
    assert made.alice.notices[-1][:2] == (number, "MESSAGE")


def test_what_the_state_forbids_is_our_own_error_and_changes_nothing() -> None:
    made = scene(rings).invite()
    with pytest.raises(LocalProtocolError):
        made.alice.call.answer((), 1.0)
    with pytest.raises(LocalProtocolError):
        made.alice.call.invite((), 1.0)
    made.bob.call.answer((), 2.0)
    made.line.carry()
    with pytest.raises(LocalProtocolError):
        made.alice.call.answer((), 3.0)
    assert made.alice.call.state is made.bob.call.state is State.UP
    made.alice.call.hang_up(3.0)
    made.line.carry()
    with pytest.raises(LocalProtocolError):
        made.alice.call.invite((), 4.0)
    made.alice.call.reject(486, "", (), 4.0)
    made.alice.call.ring(180, (), 4.0)
    made.assert_all_over()


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("after_the_end", [True, False])
def test_an_abandoned_call_says_nothing_more_and_is_closed_once(wanted: bool, after_the_end: bool) -> None:
    made = established(alice_wanted=wanted)
    if after_the_end:
        made.alice.call.hang_up(1.5)
        made.line.carry()
    before = len(made.line.ladder)
    made.alice.call.abandon(2.0)
    made.line.carry()
    assert made.since(before) == []
    assert made.alice.told().count("Closed") == 1
    assert made.alice.call.finished
    assert made.alice.call.deadline is None


def test_a_lost_ack_is_repeated_for_and_ends_the_call_after_32_seconds() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    made.bob.receive(transmits[0].data, ALICE)
    finals = 0
    now = 1.0
    while "Over" not in made.bob.told():
        deadline = made.bob.call.deadline
        assert deadline is not None
        now = deadline
        made.bob.call.handle_timer(now)
        finals += sum(transmit.data.startswith(b"SIP/2.0 200") for transmit in made.bob.outbox.transmits)
        made.bob.outbox.transmits = []
        made.bob.settle()
    assert made.bob.last(Over)[:2] == ("no_ack", "expired")
    assert now == 33.0
    assert finals >= 10
    assert "CloseStream" in made.bob.commanded()


def test_a_media_side_without_an_offer_has_nothing_to_answer() -> None:
    made = established()
    with pytest.raises(LocalProtocolError):
        CallMedia(made.alice.call.media.demand, [], lambda: 1, 1).answer()
    assert isinstance(made.line.messages[1], Response)
    assert Closed() == ()
