"""The move of a call's media to another media worker: when the peer gets the new ports, and what ends the call."""

import marshal
from typing import Any

import pytest

from sipswarm.actors.call.actor import CallActor
from sipswarm.actors.call.joined_statistics import joined
from sipswarm.actors.call.kept import KeptCall, KeptMedia, KeptRecordings, KeptStream
from sipswarm.actors.call.media_move import Step
from sipswarm.actors.call.notices import Answered, DigitsSent, Ended, InviteReceived, MediaMoved, Notice
from sipswarm.actors.call.recordings import KEPT, Recordings
from sipswarm.actors.call.state import State
from sipswarm.media import messages as media
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.sdp.description import SessionDescription
from tests.actors.phones import BOB, FIGURES, Phone
from tests.actors.scenes import Scene, answers, established, rings, scene

MOVED = ["> INVITE", "< 100 INVITE", "< 200 INVITE", "> ACK"]


def lost(made: Scene, phone: Phone, now: float = 2.0) -> int:
    """Lose the media worker of a phone; return how many messages there were before."""
    before = len(made.line.ladder)
    phone.lose_media(now)
    made.line.carry()
    return before


def port_of(message: Any) -> int:
    return SessionDescription.parse(message.body).media[0].port


# Alice                        Bob
#  |-- INVITE (new port) ------>|
#  |<- 200 ---------------------|
#  |-- ACK -------------------->|
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_call_whose_media_worker_is_lost_goes_on_with_new_ports_and_one_reinvite(who: str) -> None:
    made = established()
    phone, other = (made.alice, made.bob) if who == "alice" else (made.bob, made.alice)
    other.reacts = answers
    phone.call.media.set_source(("tone", 440.0))
    made.line.carry()
    first = phone.last(media.OpenStream).stream_id
    before = lost(made, phone)
    ladder = made.since(before)
    assert [each[2:] for each in ladder] == [each[2:] for each in MOVED]
    offer = made.line.messages[before]
    configured = phone.last(media.ConfigureStream)
    assert configured.stream_id != first
    assert configured.source == ("tone", 440.0)
    assert other.last(media.ConfigureStream).remote_port == port_of(offer) == phone.call.media.lines[0].port
    assert phone.call.state is other.call.state is State.UP
    assert phone.told()[-1] == "MediaMoved"
    assert "Failed" not in phone.told()
    assert phone.told().count("Answered") == (1 if who == "alice" else 0)  # none of a re-INVITE of the user's
    assert phone.outbox.streams.keys() == {configured.stream_id}
    phone.call.hang_up(4.0)
    made.line.run(100.0)
    assert phone.call.finished
    assert phone.told().count("Ended") == phone.told().count("Closed") == 1


def test_a_call_on_hold_stays_there() -> None:
    made = established()
    made.alice.call.invite((), 1.5, hold=True)
    made.line.carry()
    before = lost(made, made.alice)
    assert b"a=inactive" in made.line.messages[before].body or b"a=sendonly" in made.line.messages[before].body
    assert made.bob.last(media.ConfigureStream).direction in ("recvonly", "inactive")
    assert made.alice.last(MediaMoved)


def test_the_gap_lasts_from_the_loss_to_the_answer_of_the_peer() -> None:
    made = established()
    made.alice.elsewhere = False
    lost(made, made.alice)
    made.line.run(2.5)
    made.alice.elsewhere = True
    made.line.carry()
    assert made.alice.last(MediaMoved).seconds == pytest.approx(0.5)
    assert made.alice.call.move.seconds == pytest.approx(0.5)


# Alice                        Bob
#  |-- INVITE (new port) ------>|  and no answer
#  |-- BYE -------------------->|  and no answer
def test_a_gap_that_the_end_of_the_call_ended_is_known_of_it() -> None:
    made = established()
    made.line.down = True
    lost(made, made.alice)
    move = made.alice.call.move
    made.line.run(4.5)
    made.alice.call.hang_up(4.5)
    made.line.run(100.0)
    assert made.alice.call.finished
    assert "MediaMoved" not in made.alice.told()
    ended = made.alice.call.times.ended
    assert ended == pytest.approx(4.5)
    assert move.seconds_until(ended) == pytest.approx(ended - 2.0)
    assert move.is_lost


def test_a_gap_that_is_over_does_not_grow() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.elsewhere = False
    lost(made, made.alice)
    made.line.run(2.5)
    made.alice.elsewhere = True
    made.line.carry()
    assert made.alice.call.move.seconds_until(60.0) == pytest.approx(0.5)
    assert not made.alice.call.move.is_lost


def test_streams_that_are_lost_after_the_end_leave_the_call_without_their_figures() -> None:
    made = established()
    made.alice.holds_back = True
    made.alice.call.hang_up(2.0)
    made.line.carry()
    before = made.alice.call.move.is_lost
    lost(made, made.alice, 2.1)
    assert made.alice.told()[-1] == "Closed"
    assert (before, made.alice.call.move.is_lost) == (False, True)
    assert made.alice.call.move.seconds_until(made.alice.call.times.ended) == 0.0


def test_a_call_without_another_media_worker_ends_with_a_bye_that_has_its_reason() -> None:
    made = established()
    made.alice.elsewhere = False
    before = lost(made, made.alice)
    assert made.since(before) == []
    made.alice.call.media_missing(5.0)
    made.line.carry()
    assert made.since(before) == ["> BYE", "< 200 BYE"]
    assert made.alice.last(Ended)[:2] == ("media_worker_lost", "local")
    bye = made.line.messages[before]
    assert bye.headers.get("Reason") == 'SIP;cause=500;text="media worker lost"'


@pytest.mark.parametrize("status", [480, 488, 410, 430, 500, 606])
def test_a_peer_that_refuses_the_new_ports_gets_bye_with_a_reason(status: int) -> None:
    def react(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, InviteReceived):
            phone.call.reject(status, "", (), phone.now)

    made = established()
    made.bob.reacts = react
    before = lost(made, made.alice)
    assert made.since(before) == [
        *("> INVITE", "< 100 INVITE", f"< {status} INVITE", "> ACK"),
        *("> BYE", "< 200 BYE"),
    ]
    assert made.alice.last(Ended).cause == "media_worker_lost"
    assert made.line.messages[before + 4].headers.get("Reason")


def test_a_peer_that_knows_the_dialog_no_longer_ends_the_call_by_that() -> None:
    made = established()
    before = len(made.line.ladder)
    made.alice.lose_media(2.0)
    made.alice.settle()
    invite = made.alice.outbox.transmits.pop()
    made.alice.receive(_reply(invite.data, b"481 Call/Transaction Does Not Exist"), BOB)
    made.line.carry()
    assert made.alice.last(Ended).cause == "dialog_gone"
    assert made.since(before)[0] == "> ACK"


def test_a_reinvite_that_meets_another_is_repeated_once() -> None:
    made = established()
    made.line._set(2.0)
    made.alice.lose_media(2.0)
    made.alice.settle()
    invite = made.alice.outbox.transmits.pop()
    made.alice.receive(_reply(invite.data, b"491 Request Pending"), BOB)
    made.bob.reacts = answers
    made.line.run(10.0)
    assert made.alice.told()[-1] == "MediaMoved"
    assert 2.1 <= made.alice.last(MediaMoved).seconds <= 4.1


@pytest.mark.parametrize("replies", [(), (b"100 Trying",), (b"100 Trying", b"180 Ringing")])
def test_a_peer_that_answers_nothing_or_only_provisionally_is_waited_for_64_t1(replies: tuple[bytes, ...]) -> None:
    made = established()
    made.line._set(2.0)
    made.alice.lose_media(2.0)
    made.alice.settle()
    invite = made.alice.outbox.transmits.pop()
    for reply in replies:
        made.alice.receive(_reply(invite.data, reply), BOB)
    made.line.down = True
    made.line.run(33.9)
    assert "Ended" not in made.alice.told()
    made.line.run(34.1)
    assert "Ended" in made.alice.told()
    made.line.run(200.0)
    assert made.alice.call.finished


def test_a_call_that_is_lost_twice_moves_twice() -> None:
    made = established()
    made.bob.reacts = answers
    lost(made, made.alice)
    made.alice.outbox.workers.linked(0)
    before = lost(made, made.alice, 3.0)
    assert made.since(before) == MOVED
    assert made.alice.told().count("MediaMoved") == 2


def test_a_loss_while_the_new_ports_are_offered_is_followed_by_another_offer() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.lose_media(2.0)
    made.alice.settle()
    made.alice.outbox.workers.linked(0)
    before = lost(made, made.alice, 2.1)
    assert [each for each in made.since(before) if each == "> INVITE"] == ["> INVITE"] * 2
    assert made.bob.last(media.ConfigureStream).remote_port == made.alice.call.media.lines[0].port
    assert made.alice.told()[-1] == "MediaMoved"


def test_a_users_reinvite_waits_for_that_of_the_move() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.lose_media(2.0)
    made.alice.settle()
    made.alice.call.invite((("X-Own", "1"),), 2.0, hold=True)
    made.line.carry()
    invites = [each for each in made.line.messages[4:] if isinstance(each, Request) and each.method == "INVITE"]
    assert [each.headers.get("X-Own") for each in invites] == [None, "1"]
    assert made.alice.last(Answered).reinvite
    assert made.alice.told().count("Answered") == 2


def test_a_users_reinvite_within_the_gap_carries_the_new_ports_itself() -> None:
    made = established()
    made.alice.elsewhere = False
    before = lost(made, made.alice)
    made.alice.call.invite((), 2.1)
    made.line.carry()
    assert made.since(before) == []
    made.alice.elsewhere = True
    made.line.carry()
    assert made.since(before) == MOVED
    assert made.alice.last(Answered).reinvite
    assert made.alice.told().count("MediaMoved") == 1


def test_an_offer_of_the_peer_within_the_gap_gets_the_new_ports_as_its_answer() -> None:
    made = established()
    made.bob.reacts = answers
    made.bob.elsewhere = False
    lost(made, made.bob)
    before = len(made.line.ladder)
    made.alice.call.invite((), 2.1)
    made.line.carry()
    assert made.since(before) == ["> INVITE", "< 100 INVITE"]
    made.bob.elsewhere = True
    made.line.carry()
    assert made.since(before) == MOVED
    assert made.alice.last(media.ConfigureStream).remote_port == made.bob.call.media.lines[0].port


# ---- before the answer


def test_a_call_that_waits_for_its_first_port_gets_one_elsewhere() -> None:
    for who in ("alice", "bob"):
        made = scene()
        phone = made.alice if who == "alice" else made.bob
        phone.holds_back = True
        made.alice.prepare(BOB).invite((), 1.0)
        made.line.carry()
        phone.waiting.clear()  # the one that is gone answers nothing
        phone.holds_back = False
        lost(made, phone)
        assert made.alice.call.state is made.bob.call.state is State.UP
        assert made.line.ladder[-1] == "> ACK"
        assert "MediaMoved" not in phone.told()  # nothing was agreed on, so that nothing was missed
        made.alice.call.hang_up(3.0)
        made.line.run(100.0)
        assert made.alice.call.finished
        assert made.bob.call.finished


def test_a_ringing_call_of_ours_offers_its_new_ports_after_the_answer() -> None:
    made = scene(rings).invite()
    made.bob.reacts = answers
    lost(made, made.alice)
    before = len(made.line.ladder)
    made.bob.call.answer((), 3.0)
    made.line.carry()
    assert made.since(before) == ["< 200 INVITE", "> ACK", *MOVED]
    assert made.bob.last(media.ConfigureStream).remote_port == made.alice.call.media.lines[0].port
    assert made.alice.told().count("Answered") == 1


def test_a_ringing_call_of_the_peer_is_answered_with_ports_elsewhere() -> None:
    made = scene(rings).invite()
    made.bob.outbox.workers.unlinked(0)
    made.bob.call.answer((), 2.0)
    made.line.carry()
    assert made.bob.call.media.demand.worker == 1
    assert made.bob.call.state is State.UP


# ---- what runs on the media


def test_a_recording_goes_on_in_a_further_file_named_in_order() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.call.media.set_sink(("file", "x/call.wav", "stereo"), request_id=1)
    made.line.carry()
    lost(made, made.alice)
    assert made.alice.last(media.SetSink).sink == ("file", "x/call-2.wav", "stereo")
    made.alice.call.media.set_sink(("file", "x/call.wav", "stereo"), request_id=2)  # the same recording again
    made.line.carry()
    assert made.alice.last(media.SetSink).sink == ("file", "x/call-2.wav", "stereo")
    assert made.alice.call.media.recordings.names == ["x/call.wav", "x/call-2.wav"]


def test_names_of_recordings_pass_over_those_that_the_call_uses() -> None:
    recordings = Recordings()
    assert recordings.sink(("none",)) == ("none",)
    names = ["a.wav", "a-2.wav", "b", "raw:c.raw"]
    assert [recordings.sink(("file", name)) for name in names] == [("file", name) for name in names]
    recordings.lost()
    assert [recordings.sink(("file", name))[1] for name in names] == ["a-3.wav", "a-2-2.wav", "b-2", "raw:c-2.raw"]


def test_recordings_go_on_in_the_next_process_under_the_names_that_they_have() -> None:
    recordings = Recordings()
    assert recordings.keep() == ()
    recordings.sink(("file", "a.wav"))
    recordings.sink(("file", "b.wav"))
    recordings.lost()
    recordings.sink(("file", "a.wav"))
    recordings.sink(("file", "c.wav"))
    successor = Recordings()
    successor.take_over(KeptRecordings(*_carried(recordings.keep())))
    names = ["a.wav", "b.wav", "a-2.wav", "c.wav"]
    assert successor.names == names
    assert successor.marks == recordings.marks
    assert successor.keep() == recordings.keep()
    wished = ["a.wav", "c.wav", "b.wav"]
    assert [successor.sink(("file", name))[1] for name in wished] == ["a-2.wav", "c.wav", "b-2.wav"]
    successor.lost()
    assert successor.sink(("file", "a.wav")) == ("file", "a-3.wav")


def test_each_change_of_the_recordings_has_its_marks() -> None:
    recordings = Recordings()
    seen = [recordings.marks]
    for change in (lambda: recordings.sink(("file", "a.wav")), recordings.lost, lambda: recordings.sink(("file", "a"))):
        change()
        seen.append(recordings.marks)
    assert len(set(seen)) == 4
    recordings.sink(("file", "a"))  # goes on
    assert recordings.marks == seen[-1]


@pytest.mark.parametrize("name", ["{}.wav", "\u00e4\u00e4{}.wav", "\udcff{}.wav"])
def test_of_very_many_recordings_the_newest_are_kept(name: str) -> None:
    recordings = Recordings()
    for number in range(300):
        recordings.sink(("file", name.format(f"{number:0100}")))
    recordings.lost()
    recordings.sink(("file", "last.wav"))
    assert KEPT / 2 < len(_packed(recordings.keep())) < 2 * KEPT
    successor = Recordings()
    successor.take_over(KeptRecordings(*_carried(recordings.keep())))
    assert 20 < len(successor.names) < 60
    assert successor.names == recordings.names[-len(successor.names) :]
    assert successor.sink(("file", "last.wav")) == ("file", "last.wav")
    assert successor.sink(("file", successor.names[0]))[1] not in recordings.names


def test_a_recording_goes_on_in_a_further_file_when_its_media_worker_dies_after_its_process() -> None:
    made = established()
    made.bob.reacts = answers
    alice = made.alice
    alice.call.media.set_sink(("file", "in.wav"), request_id=1)
    made.line.carry()
    assert alice.last(media.SetSink).sink == ("file", "in.wav")
    kept = KeptCall(*_carried(alice.call.keep(media=True)))
    demand = alice.call.media.demand._replace(sink=())
    alice.actor = CallActor(1, alice.call.session, demand, alice.outbox, is_uac=True, sdp_id=7)
    alice.call.take_over(kept)
    alice.call.media.claim()
    made.line.carry()
    assert alice.call.media.recordings.names == ["in.wav"]
    lost(made, alice)
    assert alice.last(media.ConfigureStream).sink == ("file", "in-2.wav")
    assert alice.call.media.recordings.names == ["in.wav", "in-2.wav"]


def test_what_the_next_process_gets_in_the_midst_of_a_move_is_the_stream_that_the_peer_knows() -> None:
    made = established()
    made.bob.reacts = answers

    def kept() -> int:
        call = KeptCall(*_carried(made.alice.call.keep(media=True)))
        return KeptStream._make(KeptMedia._make(call.media).streams[0]).stream_id

    first = kept()
    made.alice.elsewhere = False
    lost(made, made.alice)
    steps = [(made.alice.call.move.step, kept())]
    made.line.down, made.alice.elsewhere = True, True
    made.line.carry()
    steps.append((made.alice.call.move.step, kept()))
    assert steps == [(Step.LOST, first), (Step.OFFERED, first)]
    made.line.down = False
    made.line.run(10.0)
    assert made.alice.call.move.step is Step.DONE
    assert kept() == made.alice.last(media.ConfigureStream).stream_id != first


def test_a_sink_of_a_function_goes_with_its_process() -> None:
    made = established()
    made.alice.call.media.set_sink(("callback",))
    made.line.carry()
    kept = KeptCall(*_carried(made.alice.call.keep(media=True)))
    assert KeptMedia._make(kept.media).sink == ()


def test_digits_that_have_not_begun_go_on_after_the_move_and_no_other_is_sent_twice() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.holds_back = True
    made.alice.call.send_digits(1, "1p2345", 100, "rfc4733")
    made.alice.call.send_digits(2, "67", 100, "rfc4733")
    made.alice.call.send_digits(3, "89", 100, "rfc4733")
    made.line.carry()
    stream = made.alice.last(media.OpenStream).stream_id
    made.alice.waiting.clear()
    for event in (media.DigitsBegun(stream, 1, 3), media.DigitsBegun(stream, 2, 2)):
        made.alice.call.media_event(event, 1.9)
    made.alice.elsewhere = False
    made.alice.lose_media(2.0)
    made.alice.call.send_digits(4, "*", 100, "rfc4733")
    made.line.carry()
    assert made.alice.last(DigitsSent)[:2] == (2, "OK")  # all of it had begun
    made.alice.elsewhere = True
    made.alice.holds_back = False
    before = len(made.alice.commands)
    made.line.carry()
    sent = [each for each in made.alice.commands[before:] if isinstance(each, media.SendDigits)]
    assert [(each.request_id, each.digits) for each in sent] == [(1, "345"), (3, "89"), (4, "*")]
    assert len({each.stream_id for each in sent} | {stream}) == 2
    assert [each.request_id for each in made.alice.notices if isinstance(each, DigitsSent)] == [2, 1, 3, 4]


def test_a_failure_of_digits_after_the_move_counts_those_before_it() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.holds_back = True
    made.alice.call.send_digits(1, "1p2345", 100, "rfc4733")
    made.line.carry()
    made.alice.waiting.clear()
    made.alice.call.media_event(media.DigitsBegun(made.alice.last(media.OpenStream).stream_id, 1, 3), 1.9)
    made.alice.lose_media(2.0)
    made.line.carry()
    new = made.alice.last(media.OpenStream).stream_id
    made.alice.call.media_event(media.DigitsSent(new, 1, "FAIL", "closed", sent=1), 2.5)
    made.line.carry()
    assert made.alice.last(DigitsSent).sent == 3


def test_a_play_goes_on_after_the_move_and_ends_once() -> None:
    made = established()
    made.bob.reacts = answers
    made.alice.call.media.play(("file", "x.wav", 1), 7)
    made.line.carry()
    lost(made, made.alice)
    assert made.alice.last(media.SetSource)[1:] == (("file", "x.wav", 1), 7, "over")


def test_statistics_of_before_and_after_are_both_kept() -> None:
    made = established()
    made.bob.reacts = answers
    stream = made.alice.last(media.OpenStream).stream_id
    figures = _figures(stream, 100)
    made.alice.call.media_event(figures, 1.9)
    lost(made, made.alice)
    made.alice.call.hang_up(3.0)
    made.line.run(100.0)
    assert [each.packets_sent for each in made.alice.call.media.statistics] == [100, 0]
    joint = made.alice.call.media.lines[0].all_figures
    assert joint is not None
    assert joint.packets_sent == 100


def test_joint_figures_add_counts_and_take_what_is_of_now_from_the_successor() -> None:
    before = _figures(1, 100)._replace(
        seconds=2.0, packets_expected=100, packets_lost=10, mos=4.0, media_due=2.0, media_gap=0.5, received_first=0.1
    )
    after = _figures(2, 50)._replace(
        seconds=1.0, packets_expected=50, packets_lost=0, mos=1.0, media_due=1.0, media_gap=0.2, received_last=0.9
    )
    joint = joined(before, after)
    assert joint is not None
    assert (joint.stream_id, joint.packets_sent, joint.packets_lost, joint.media_due) == (2, 150, 10, 3.0)
    assert joint.loss_ratio == pytest.approx(10 / 150)
    assert (joint.mos, joint.media_gap) == (3.0, 0.5)
    assert (joint.received_first, joint.received_last) == (0.1, 2.9)
    assert joined(None, after) is after
    assert joined(before, None) is before


# ---- keys


def test_new_streams_have_new_keys() -> None:
    pytest.importorskip("pylibsrtp")
    made = scene()
    for phone in (made.alice, made.bob):
        phone.srtp = "required"
    made.invite()
    old = made.alice.last(media.ConfigureStream).srtp_send_key
    made.bob.reacts = answers
    before = lost(made, made.alice)
    new = made.alice.last(media.ConfigureStream).srtp_send_key
    assert old
    assert new
    assert old != new
    assert made.bob.last(media.ConfigureStream).srtp_receive_key == new
    assert port_of(made.line.messages[before]) == made.alice.call.media.lines[0].port


def _packed(kept: Any) -> bytes:
    """The octets that an entry of the ledger has of it."""
    return marshal.dumps(kept)


def _carried(kept: Any) -> Any:
    """What the next process reads of it."""
    return marshal.loads(_packed(kept))


def _figures(stream_id: int, sent: int) -> media.StreamStatistics:
    return media.StreamStatistics(*FIGURES)._replace(stream_id=stream_id, packets_sent=sent)


def _reply(request: bytes, status: bytes) -> bytes:
    """A response to a request within a dialog, with its headers."""
    head = request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    kept = [line for line in head if line.partition(b":")[0].lower() in (b"via", b"from", b"to", b"call-id", b"cseq")]
    return b"\r\n".join([b"SIP/2.0 " + status, *kept, b"Content-Length: 0", b"", b""])


def _rings_with_media(phone: Phone, notice: Notice) -> None:
    if isinstance(notice, InviteReceived):
        phone.call.ring(183, (), phone.now, early_media=True)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_early_media_that_is_lost_comes_back_with_the_answer(who: str) -> None:
    """By UPDATE where that is allowed, else by a re-INVITE after the ACK; the call is answered in any case."""
    made = scene(_rings_with_media).invite()
    phone, other = (made.alice, made.bob) if who == "alice" else (made.bob, made.alice)
    lost(made, phone)
    made.alice.reacts = made.bob.reacts = answers
    made.bob.call.answer((), 3.0)
    made.line.carry()
    assert made.alice.call.state is made.bob.call.state is State.UP
    assert other.last(media.ConfigureStream).remote_port == phone.call.media.lines[0].port
    assert phone.last(media.ConfigureStream).stream_id == phone.call.media.lines[0].stream_id
    assert phone.told().count("MediaMoved") == 1


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_reliable_early_media_that_is_lost_comes_back_by_update_before_the_answer(who: str) -> None:
    made = scene(_rings_with_media)
    made.alice.reliable = True
    made.invite()
    phone, other = (made.alice, made.bob) if who == "alice" else (made.bob, made.alice)
    before = lost(made, phone)
    assert [each[2:] for each in made.since(before)] == ["UPDATE", "200 UPDATE"]
    assert other.last(media.ConfigureStream).remote_port == phone.call.media.lines[0].port
    assert phone.told()[-1] == "MediaMoved"
    assert "RequestFinished" not in phone.told()
    before = len(made.line.ladder)
    made.bob.call.answer((), 3.0)
    made.line.carry()
    assert made.since(before) == ["< 200 INVITE", "> ACK"]
    assert made.alice.call.state is made.bob.call.state is State.UP
