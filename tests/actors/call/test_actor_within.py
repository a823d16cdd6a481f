"""What happens within a call and after it: re-INVITE, hold, lost media, requests, the end nobody confirms."""

import pytest

from sipswarm.actors.call.media import CallMedia
from sipswarm.actors.call.notices import Answered, Closed, Ended, Failed, InviteReceived, Notice, StreamSilent
from sipswarm.actors.call.state import State
from sipswarm.media import messages as media
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import DEFAULT_CODECS, codec_for
from tests.actors.phones import ALICE, BOB, Phone, name_of
from tests.actors.scenes import Scene, answers, established, refuses, rings, scene

SET_UP = ["> INVITE", "< 100 INVITE", "< 200 INVITE", "> ACK"]
VIDEO_ONLY = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"


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
    assert made.alice.last(Failed).reinvite
    assert made.alice.call.state is made.bob.call.state is State.UP
    made.bob.reacts = answers
    made.alice.call.invite((), 3.0)
    made.line.carry()
    assert made.alice.told()[-1] == "Answered"


def test_media_that_is_lost_for_good_ends_the_call_by_name() -> None:
    made = established()
    made.alice.elsewhere = False
    made.alice.lose_media(2.0)
    made.alice.call.media_missing(2.0)
    made.line.carry()
    assert made.since(4) == ["> BYE", "< 200 BYE"]
    assert made.alice.last(Ended)[:2] == ("media_worker_lost", "local")
    assert made.alice.told().count("Closed") == 1
    made.alice.lose_media(3.0)
    made.line.carry()
    assert made.alice.told().count("Closed") == 1


def test_media_that_is_lost_for_good_while_it_rings_refuses_or_cancels() -> None:
    made = scene(rings).invite()
    made.alice.elsewhere = False
    made.alice.lose_media(2.0)
    made.alice.call.media_missing(2.0)
    made.line.carry()
    assert "> CANCEL" in made.line.ladder
    assert made.alice.last(Ended).cause == "media_worker_lost"
    made = scene()
    made.bob.holds_back = True
    made.bob.elsewhere = False
    made.invite()
    made.bob.lose_media(2.0, "media_overload")
    made.bob.call.media_missing(2.0)
    made.line.carry()
    assert made.since(2) == ["< 503 INVITE", "> ACK"]


def test_media_that_is_lost_after_the_end_closes_the_call() -> None:
    made = established()
    made.alice.holds_back = True
    made.alice.call.hang_up(2.0)
    made.line.carry()
    assert "Closed" not in made.alice.told()
    made.alice.lose_media(3.0)
    made.line.carry()
    assert made.alice.told()[-1] == "Closed"
    assert made.alice.call.ending.cause == "bye"


def test_a_stream_that_the_media_worker_gives_up_ends_the_call() -> None:
    made = established()
    stream = made.alice.last(media.OpenStream).stream_id
    closed = next(iter(made.alice._answers_to(media.CloseStream(stream))))
    made.alice.call.media_event(closed._replace(reason="failed: ENOMEM"), 2.0)
    made.line.carry()
    assert made.alice.last(Ended).cause == "failed: ENOMEM"
    assert made.alice.call.media.statistics != ()


def test_silence_is_told_at_each_of_its_levels() -> None:
    made = established()
    stream = made.alice.last(media.OpenStream).stream_id
    for level in ("warning", "limit"):
        made.alice.call.media_event(media.StreamSilent(stream, level, 30.0), 2.0)
    made.alice.call.media_event(media.SourceFinished(stream, "end"), 2.0)
    made.alice.call.media_event(media.StreamStarted(stream, 1, 0, "192.0.2.2", 4000), 2.0)
    made.line.carry()
    assert made.alice.told()[2:] == ["StreamSilent", "StreamSilent", "SourceFinished"]
    assert made.alice.last(StreamSilent) == (30.0, "limit")


def description(
    connection: str = "IN IP4 192.0.2.2", media_line: str = "audio 4000 RTP/AVP 0", more: str = ""
) -> bytes:
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", f"c={connection}", "t=0 0", f"m={media_line}", *more.split())
    return "".join(f"{line}\r\n" for line in lines).encode()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (description(), ""),
        (description(media_line="audio 0 RTP/AVP 0"), ""),  # the line is refused, which is a right of the peer
        (description(connection="IN IP4 0.0.0.0"), ""),  # on hold
        (description(more="a=inactive"), ""),
        (description(media_line="audio 4000 RTP/AVP 18"), "bad_description"),  # RFC 3264 6.1: never offered
        (description(media_line="audio 4000 RTP/AVP 101", more="a=rtpmap:101 telephone-event/8000"), "bad_description"),
        (description(connection="IN IP6 2001:db8::1"), "bad_description"),
        (description(connection="IN IP4 224.2.1.1/127"), "bad_description"),
        (description(media_line="audio 4000 RTP/SAVP 0"), "bad_description"),
        (description(media_line="audio 4000 UDP/TLS/RTP/SAVPF 0"), "bad_description"),  # RFC 3264 6
        (description(media_line="audio 4000 TCP/RTP/AVP 0"), "bad_description"),
        (description(media_line="audio 4000 RTP/AVPF 0"), ""),
        (b"this is no description", "bad_description"),
    ],
    ids=[
        "fits",
        "refused",
        "held",
        "inactive",
        "codec",
        "events only",
        "IPv6",
        "group",
        "SRTP",
        "DTLS",
        "TCP",
        "AVPF",
        "unreadable",
    ],
)
def test_an_answer_with_which_no_media_can_flow_is_acknowledged_and_hung_up(answer: bytes, cause: str) -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    made.bob.reacts = rings
    made.bob.receive(transmits[0].data, ALICE)
    made.bob.call.session.accept(1.0, answer)
    made.bob.call.pump(1.0)
    made.line.carry()
    assert made.alice.call.ending.cause == cause
    assert [each for each in made.line.ladder if each[0] == ">"] == (["> ACK", "> BYE"] if cause else ["> ACK"])
    assert ("Answered" in made.alice.told()) == (not cause)


@pytest.mark.parametrize(
    ("wish", "interval"),
    [("", 0.02), ("a=ptime:30", 0.03), ("a=ptime:5000", 0.12), ("a=ptime:0.5", 0.01), ("a=maxptime:200", 0.02)],
)
def test_the_packet_time_is_the_peers_wish_as_far_as_it_can_be_met(wish: str, interval: float) -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    made.bob.reacts = rings
    made.bob.receive(transmits[0].data, ALICE)
    made.bob.call.session.accept(1.0, description(more=wish))
    made.bob.call.pump(1.0)
    made.line.carry()
    command = made.alice.last(media.ConfigureStream)
    assert (command.packet_interval, command.payload_size) == (interval, round(8000 * interval))


def test_a_delayed_offer_is_offered_in_the_200_and_answered_in_the_ack() -> None:
    made = scene()
    made.alice.prepare(BOB).invite((), 1.0, delayed=True)
    made.line.carry()
    assert made.line.ladder == SET_UP
    invite, _, ok, ack = made.line.messages
    assert (bool(invite.body), bool(ok.body), bool(ack.body)) == (False, True, True)
    assert made.alice.last(media.ConfigureStream).remote_port == made.bob.last(media.ConfigureStream).remote_port
    assert [phone.commanded() for phone in (made.alice, made.bob)] == [["OpenStream", "ConfigureStream"]] * 2
    assert not made.alice.last(media.ConfigureStream).early
    assert not made.bob.last(media.ConfigureStream).early
    assert made.alice.call.state is made.bob.call.state is State.UP
    made.alice.call.hang_up(2.0)
    made.assert_all_over()


def test_early_media_answers_in_the_183_and_repeats_itself_in_the_200() -> None:
    def early(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, InviteReceived):
            phone.call.ring(183, (), phone.now, early_media=True)

    made = scene(early).invite()
    progress = next(message for message in made.line.messages if name_of(message) == "183 INVITE")
    assert progress.body
    assert made.alice.last(media.ConfigureStream).remote_port == 4000
    for phone in (made.alice, made.bob):
        assert phone.last(media.ConfigureStream).early, "nothing is due before the answer"
        assert "ExpectMedia" not in phone.commanded()
    made.line.run(2.0)
    made.bob.call.answer((), 2.0)
    made.line.carry()
    for phone in (made.alice, made.bob):
        assert phone.commanded().count("ExpectMedia") == 1
        newest = phone.commands[-1]
        assert isinstance(newest, media.ExpectMedia) or not newest.early
    final = next(message for message in made.line.messages if name_of(message) == "200 INVITE")
    assert final.body in (b"", progress.body)
    assert made.alice.call.state is made.bob.call.state is State.UP


def test_requests_within_the_call_are_answered_and_told() -> None:
    made = established()
    number = made.alice.call.request("MESSAGE", b"hi", "text/plain", (), 2.0)
    made.line.carry()
    assert made.since(4) == ["> MESSAGE", "< 200 MESSAGE"]
    assert made.bob.notices[-1].request.body == b"hi"  # type: ignore[union-attr]  # a RequestReceived, or it fails
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
    while "Ended" not in made.bob.told():
        deadline = made.bob.call.deadline
        assert deadline is not None
        now = deadline
        made.bob.call.handle_timer(now)
        finals += sum(transmit.data.startswith(b"SIP/2.0 200") for transmit in made.bob.outbox.transmits)
        made.bob.outbox.transmits = []
        made.bob.settle()
    assert made.bob.last(Ended)[:2] == ("no_ack", "expired")
    assert now == 33.0
    assert finals >= 10
    assert "CloseStream" in made.bob.commanded()


def test_a_media_side_without_an_offer_has_nothing_to_answer() -> None:
    made = established()
    with pytest.raises(LocalProtocolError):
        CallMedia(made.alice.call.media.demand, [], lambda: 1, 1, bytes).answer()
    assert isinstance(made.line.messages[1], Response)
    assert Closed() == ()


@pytest.mark.parametrize(
    ("rtpmap", "ptime", "interval", "octets"),
    [
        ("96 L16/8000", 20, 0.02, 320),
        ("96 L16/8000", 5000, 0.08, 1280),
        ("96 opus/48000/2", 5000, 0.06, 1275),
        ("96 opus/48000/2", 50, 0.04, 1275),
        ("96 opus/48000/2", 40, 0.04, 1275),
        ("96 opus/48000/2", 30, 0.02, 960),
        ("96 opus/48000/2", 15, 0.01, 480),
        ("96 opus/48000/2", 1, 0.01, 480),
    ],
)
def test_packet_times_and_sizes_are_those_that_the_codec_can_have(
    rtpmap: str, ptime: int, interval: float, octets: int
) -> None:
    made = scene()
    call = made.alice.prepare(BOB)
    number, name = rtpmap.split()
    call.media.demand = call.media.demand._replace(codecs=(*DEFAULT_CODECS, codec_for(int(number), name)))
    call.invite((), 1.0)
    made.alice.settle()
    transmits, made.alice.outbox.transmits = made.alice.outbox.transmits, []
    made.bob.reacts = rings
    made.bob.receive(transmits[0].data, ALICE)
    answer = description(media_line="audio 4000 RTP/AVP 96") + f"a=rtpmap:{rtpmap}\r\na=ptime:{ptime}\r\n".encode()
    made.bob.call.session.accept(1.0, answer)
    made.bob.call.pump(1.0)
    made.line.carry()
    command = made.alice.last(media.ConfigureStream)
    assert (command.packet_interval, command.payload_size) == (interval, octets)
