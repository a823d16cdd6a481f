"""Which phone gets the media of a call that rings at several, and what a later INVITE may change of it.

One call actor and a peer written by hand: every row says what the peer sends, and to which port the media then goes.
"""

from collections.abc import Callable
from itertools import product

import pytest

from sipswarm.actors.call.notices import Answered, Ended, Failed, InviteReceived, Notice
from sipswarm.actors.call.state import State
from sipswarm.media import messages as media
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.phones import ALICE, BOB, Phone, name_of
from tests.actors.scenes import answers, established

PORTS = {"a": 7000, "b": 7002}


def sdp(port: int, version: int = 1, codec: int = 0, host: str = BOB.host) -> bytes:
    lines = (
        "v=0",
        f"o=- 1 {version} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {codec}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()


class Stage:
    """A phone that calls, and the peers that one proxy has forked its INVITE to."""

    def __init__(self, *, delayed: bool = False) -> None:
        self.alice = Phone(ALICE)
        self.sent: list[Request | Response] = []
        self._cseq = {"a": 0, "b": 0}
        self._rseq = {"a": 100, "b": 500}
        self.alice.prepare(BOB).invite((), 1.0, delayed=delayed)
        self._settle()

    def _settle(self) -> None:
        self.alice.settle()
        transmits, self.alice.outbox.transmits = self.alice.outbox.transmits, []
        self.sent += [parse(transmit.data) for transmit in transmits]

    def last(self, name: str) -> Request:
        found = next(each for each in reversed(self.sent) if name_of(each) == name)
        assert isinstance(found, Request)
        return found

    def names(self) -> list[str]:
        return [name_of(each) for each in self.sent]

    def respond(self, request: Request, status: int, tag: str, body: bytes = b"", *extra: tuple[str, str]) -> None:
        kind = "application/sdp" if body else None
        contact = ("Contact", f"<sip:{tag or 'x'}@{BOB.host}>")
        response = Response.to_request(
            request, status, to_tag=tag or None, extra=(contact, *extra), body=body, content_type=kind
        )
        self.alice.receive(response.to_bytes(), BOB)
        self._settle()

    def ring(self, tag: str, body: bytes = b"", *, reliable: bool, status: int = 183) -> None:
        """A 1xx of one phone; its PRACK, when it gets one, is answered."""
        extra: tuple[tuple[str, str], ...] = ()
        if reliable:
            self._rseq[tag] = self._rseq.get(tag, 1) + 1
            extra = (("Require", "100rel"), ("RSeq", str(self._rseq[tag])))
        before = len(self.sent)
        self.respond(self.last("INVITE"), status, tag, body, *extra)
        if reliable:
            prack = self.last("PRACK")
            assert prack in self.sent[before:]
            assert (prack.to_tag or "") == tag
            assert prack.rack is not None
            assert prack.rack == (self._rseq[tag], self.last("INVITE").cseq.number, "INVITE")
            self.respond(prack, 200, tag)

    def ask(self, tag: str, method: str, body: bytes = b"") -> Response:
        """A request of one phone within its dialog; what it is answered."""
        invite = self.last("INVITE")
        self._cseq[tag] += 1
        kind = "Content-Type: application/sdp\r\n" if body else ""
        data = (
            f"{method} sip:user@{ALICE.host} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {BOB.host};branch=z9hG4bK{tag}{self._cseq[tag]}\r\n"
            f"From: {invite.headers.get('To')};tag={tag}\r\nTo: {invite.headers.get('From')}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: {self._cseq[tag]} {method}\r\nContact: <sip:{tag}@{BOB.host}>\r\n"
            f"{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.alice.receive(data, BOB)
        self._settle()
        answer = self.sent[-1]
        assert isinstance(answer, Response)
        return answer

    def answer(self, tag: str, body: bytes = b"") -> None:
        self.respond(self.last("INVITE"), 200, tag, body)
        assert self.last("ACK").to_tag == (tag or None)

    @property
    def port(self) -> int:
        """Where the media goes."""
        port = self.alice.last(media.ConfigureStream).remote_port
        assert isinstance(port, int)
        return port


Act = Callable[[Stage, bool], None]


def rings(tag: str) -> Act:
    return lambda stage, reliable: stage.ring(tag, sdp(PORTS[tag]), reliable=reliable)


def updates(tag: str, port: int) -> Act:
    def act(stage: Stage, reliable: bool) -> None:
        if reliable:  # before the answer is settled an offer is out of turn
            assert stage.ask(tag, "UPDATE", sdp(port, 2)).status == 200

    return act


ORDERS: list[tuple[str, list[Act]]] = [
    ("A183 B183", [rings("a"), rings("b")]),
    ("B183 A183", [rings("b"), rings("a")]),
    ("A183", [rings("a")]),
    ("B183", [rings("b")]),
    ("A183 A-UPDATE B183", [rings("a"), updates("a", 7100), rings("b")]),
    ("A183 B183 A-UPDATE", [rings("a"), rings("b"), updates("a", 7100)]),
    ("A183 B183 B-UPDATE", [rings("a"), rings("b"), updates("b", 7102)]),
    ("A183 B183 A-UPDATE B-UPDATE", [rings("a"), rings("b"), updates("a", 7100), updates("b", 7102)]),
    ("A183 A183 B183 A183", [rings("a"), rings("a"), rings("b"), rings("a")]),
]


def _id(name: str, with_body: bool, reliable: bool, winner: str) -> str:
    return f"{name} {winner.upper()}200{' with answer' * with_body}{' reliable' * reliable}"


# A 200 without the answer ends the call where no 1xx of its phone has brought one, so that those rows are left out.
ROWS = [
    pytest.param(name, acts, with_body, reliable, winner, id=_id(name, with_body, reliable, winner))
    for (name, acts), with_body, reliable, winner in product(ORDERS, (True, False), (True, False), "ab")
    if with_body or f"{winner.upper()}183" in name
]


@pytest.mark.parametrize(("name", "acts", "with_body", "reliable", "winner"), ROWS)
def test_media_goes_to_the_phone_that_answers(
    name: str, acts: list[Act], with_body: bool, reliable: bool, winner: str
) -> None:
    stage = Stage()
    for act in acts:
        act(stage, reliable)
    stage.answer(winner, sdp(PORTS[winner]) if with_body else b"")
    updated = reliable and f"{winner.upper()}-UPDATE" in name
    assert stage.port == PORTS[winner] + (100 if updated else 0)
    assert stage.alice.call.state is State.UP
    assert stage.alice.told().count("Answered") == 1
    assert not stage.alice.call.media.exchange.pending
    held = stage.port
    if len(acts) > 1 and reliable:  # the other phone is too late: it gets an answer to what it asks, but no media
        loser = "b" if winner == "a" else "a"
        if f"{loser.upper()}183" in name:
            assert stage.ask(loser, "UPDATE", sdp(7900, 3)).status == 200
            assert stage.port == held
    stage.alice.call.invite((), 2.0)  # and what is offered next goes on from what the winner knows
    stage._settle()
    assert stage.last("INVITE").to_tag == winner
    stage.respond(stage.last("INVITE"), 200, winner, sdp(7200, 4))
    assert stage.port == 7200


@pytest.mark.parametrize("winner", ["a", "b"])
def test_both_forks_of_a_delayed_offer_get_their_answers_and_the_winner_the_media(winner: str) -> None:
    stage = Stage(delayed=True)
    for tag in PORTS:
        stage.ring(tag, sdp(PORTS[tag]), reliable=True)
        assert stage.last("PRACK").description
        assert stage.port == PORTS[tag]
    stage.answer(winner)
    assert stage.port == PORTS[winner]
    assert not stage.last("ACK").description
    assert stage.alice.call.state is State.UP


def test_offers_of_forks_that_come_before_the_port_is_there_are_all_answered() -> None:
    stage = Stage(delayed=True)
    stage.alice.holds_back = True
    for tag, rseq in (("a", "7"), ("b", "9")):
        stage.respond(stage.last("INVITE"), 183, tag, sdp(PORTS[tag]), ("Require", "100rel"), ("RSeq", rseq))
    assert "PRACK" not in stage.names()
    stage.alice.release()
    stage._settle()
    pracks = [each for each in stage.sent if name_of(each) == "PRACK"]
    assert [(each.to_tag, bool(each.description)) for each in pracks] == [("a", True), ("b", True)]
    stage.answer("a")
    assert stage.port == PORTS["a"]


def test_a_reinvite_whose_offer_comes_in_a_reliable_1xx_is_acknowledged_with_the_answer() -> None:
    stage = Stage()
    stage.ring("a", reliable=True, status=180)
    stage.answer("a", sdp(7000))
    stage._rseq["a"] = 41  # each INVITE numbers anew
    stage.alice.call.invite((), 2.0, delayed=True)
    stage._settle()
    stage.ring("a", sdp(7300, 2), reliable=True)
    assert stage.last("PRACK").description
    assert stage.port == 7300
    stage.answer("a")
    assert stage.alice.last(Answered).reinvite
    stage.alice.call.invite((), 3.0, delayed=True)
    stage._settle()
    stage.answer("a", sdp(7400, 3))
    assert stage.last("ACK").description
    assert stage.port == 7400


@pytest.mark.parametrize("delayed", [True, False])
def test_a_reinvite_that_fails_after_its_reliable_1xx_leaves_the_media_where_it_was(delayed: bool) -> None:
    stage = Stage()
    stage.answer("a", sdp(7000))
    stage.alice.call.invite((), 2.0, delayed=delayed)
    stage._settle()
    stage.ring("a", sdp(7300, 2), reliable=True)
    assert stage.port == 7300
    stage.respond(stage.last("INVITE"), 488, "a")
    assert stage.alice.last(Failed).reinvite
    assert stage.port == 7000
    assert stage.alice.call.state is State.UP
    stage.alice.call.invite((), 3.0)
    stage._settle()
    stage.answer("a", sdp(7500, 3))
    assert stage.port == 7500


USELESS = {"missing": b"", "unreadable": b"nonsense", "no format": sdp(7300, codec=18)}


@pytest.mark.parametrize("body", USELESS.values(), ids=USELESS)
@pytest.mark.parametrize("delayed", [True, False])
def test_a_later_invite_whose_200_is_of_no_use_leaves_the_session_as_it_was(body: bytes, delayed: bool) -> None:
    stage = Stage()
    stage.answer("a", sdp(7000))
    stage.alice.call.invite((), 2.0, delayed=delayed)
    stage._settle()
    stage.answer("a", body)
    assert stage.names().count("ACK") == 2
    assert "BYE" not in stage.names()
    assert stage.port == 7000
    assert stage.alice.call.state is State.UP
    if body or not delayed:
        assert stage.alice.last(Failed).reinvite
    stage.alice.call.invite((), 3.0)
    stage._settle()
    stage.answer("a", sdp(7500, 3))
    assert stage.port == 7500


def test_a_183_without_a_tag_brings_early_media() -> None:
    stage = Stage()
    stage.ring("", sdp(7000), reliable=False)
    assert stage.port == 7000
    stage.answer("a", sdp(7002))
    assert stage.port == 7002
    assert stage.alice.call.state is State.UP


@pytest.mark.parametrize(("body", "port"), [(b"", 7000), (sdp(7000), 7000), (sdp(7002), 7002)])
def test_a_reliable_183_without_a_tag_is_of_the_phone_that_answers(body: bytes, port: int) -> None:
    stage = Stage()
    stage.ring("", sdp(7000), reliable=True)
    assert stage.port == 7000
    stage.answer("a", body)
    assert stage.port == port
    assert stage.alice.call.state is State.UP
    stage.alice.call.hang_up(2.0)
    stage._settle()
    assert stage.last("BYE").to_tag == "a"


def _from_peer(
    phone: Phone, method: str, number: int, branch: str, body: bytes = b"", extra: str = "", to_tag: str = ""
) -> list[Request | Response]:
    tag = f";tag={to_tag}" if to_tag else ""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    data = (
        f"{method} sip:bob@{BOB.host} SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE.host};branch={branch}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:hand@{ALICE.host}>;tag=hand\r\nTo: <sip:bob@{BOB.host}>{tag}\r\nCall-ID: by-hand\r\n"
        f"CSeq: {number} {method}\r\nContact: <sip:hand@{ALICE.host}>\r\n{extra}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    phone.receive(data, ALICE)
    phone.settle()
    transmits, phone.outbox.transmits = phone.outbox.transmits, []
    return [parse(transmit.data) for transmit in transmits]


def test_a_reinvite_without_an_offer_whose_ack_brings_no_answer_leaves_the_session_as_it_was() -> None:
    bob = Phone(BOB, reacts=answers)
    offer = sdp(7000, host=ALICE.host)
    ok = _from_peer(bob, "INVITE", 1, "z9hG4bK1", offer)[-1]
    tag = ok.to_tag or ""
    _from_peer(bob, "ACK", 1, "z9hG4bK1a", to_tag=tag)
    for number in (2, 3):
        ok = _from_peer(bob, "INVITE", number, f"z9hG4bK{number}", to_tag=tag)[-1]
        assert name_of(ok) == "200 INVITE"
        assert ok.description
        after = _from_peer(bob, "ACK", number, f"z9hG4bK{number}a", to_tag=tag)
        assert after == []
        assert bob.call.state is State.UP
    assert bob.last(media.ConfigureStream).remote_port == 7000
    _from_peer(bob, "INVITE", 4, "z9hG4bK4", to_tag=tag)
    _from_peer(bob, "ACK", 4, "z9hG4bK4a", sdp(7400, 2, host=ALICE.host), to_tag=tag)
    assert bob.last(media.ConfigureStream).remote_port == 7400
    assert bob.told().count("Ended") == 0


@pytest.mark.parametrize("status", [180, 181, 182, 183])
@pytest.mark.parametrize("early_media", [True, False])
@pytest.mark.parametrize("answered_in", ["PRACK", "ACK", ""])
def test_a_required_reliable_1xx_to_an_invite_without_offer_has_ours(
    status: int, early_media: bool, answered_in: str
) -> None:
    def rings_and_answers(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, InviteReceived):
            phone.call.ring(status, (), phone.now, early_media=early_media)

    bob = Phone(BOB, reacts=rings_and_answers)
    sent = _from_peer(bob, "INVITE", 1, "z9hG4bK1", extra="Require: 100rel\r\n")
    assert [name_of(each) for each in sent] == ["100 INVITE", f"{status} INVITE"]
    ringing = sent[-1]
    assert isinstance(ringing, Response)
    assert ringing.description
    tag = ringing.to_tag or ""
    bob.call.ring(180, (), 1.5, early_media=early_media)
    bob.call.answer((), 1.5)
    body = sdp(7000, host=ALICE.host)
    rack = f"RAck: {ringing.rseq} 1 INVITE\r\n"
    sent = _from_peer(bob, "PRACK", 2, "z9hG4bK2", body if answered_in == "PRACK" else b"", rack, tag)
    assert [name_of(each) for each in sent] == ["200 PRACK", "180 INVITE"]
    assert not sent[-1].description
    assert isinstance(sent[-1], Response)
    sent = _from_peer(bob, "PRACK", 3, "z9hG4bK3", extra=f"RAck: {sent[-1].rseq} 1 INVITE\r\n", to_tag=tag)
    assert [name_of(each) for each in sent] == ["200 PRACK", "200 INVITE"]
    assert bool(sent[-1].description) == (answered_in != "PRACK")
    sent = _from_peer(bob, "ACK", 1, "z9hG4bK1a", body if answered_in == "ACK" else b"", to_tag=tag)
    if answered_in:
        assert bob.last(media.ConfigureStream).remote_port == 7000
        assert bob.call.state is State.UP
    else:
        assert [name_of(each) for each in sent] == ["BYE"]
        assert bob.last(Ended).cause == "bad_description"


@pytest.mark.parametrize(
    "answer",
    [
        b"junk",
        sdp(7000, host=ALICE.host).replace(b"RTP/AVP 0", b"RTP/AVP 99"),
        sdp(7000, host=ALICE.host) + b"m=audio 7002 RTP/AVP 0\r\n",
    ],
)
def test_an_answer_in_prack_that_cannot_be_used_is_the_callers_fault(answer: bytes) -> None:
    def rings(phone: Phone, notice: Notice) -> None:
        if isinstance(notice, InviteReceived):
            phone.call.ring(180, (), phone.now)

    bob = Phone(BOB, reacts=rings)
    ringing = _from_peer(bob, "INVITE", 1, "z9hG4bK1", extra="Require: 100rel\r\n")[-1]
    assert isinstance(ringing, Response)
    rack = f"RAck: {ringing.rseq} 1 INVITE\r\n"
    sent = _from_peer(bob, "PRACK", 2, "z9hG4bK2", answer, rack, ringing.to_tag or "")
    assert [name_of(each) for each in sent] == ["200 PRACK", "488 INVITE"]
    assert isinstance(sent[-1], Response)
    assert (sent[-1].headers.get("Warning") or "").startswith("305 ")
    assert bob.last(Ended).cause == "bad_description"


def test_reinvites_that_cross_both_come_through() -> None:
    made = established()
    made.alice.reacts = made.bob.reacts = answers
    made.alice.call.invite((), 2.0, hold=True)
    made.bob.call.invite((), 2.0)
    made.line.carry()
    made.line.run(20.0)
    assert [phone.told().count("Failed") for phone in (made.alice, made.bob)] == [0, 0]
    assert made.alice.last(Answered).reinvite
    assert made.bob.last(Answered).reinvite
    assert made.line.ladder.count("> 491 INVITE") == made.line.ladder.count("< 491 INVITE") == 1
    assert made.bob.last(media.ConfigureStream).direction in ("inactive", "recvonly")


@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize("winner", ["a", "b"])
def test_media_of_the_phone_that_did_not_answer_is_a_strangers(winner: str, reliable: bool) -> None:
    stage = Stage()
    loser = "b" if winner == "a" else "a"
    stage.ring(loser, sdp(PORTS[loser]), reliable=reliable)
    assert stage.alice.last(media.ConfigureStream).strangers == ()
    stage.answer(winner, sdp(PORTS[winner]))
    assert stage.alice.last(media.ConfigureStream).strangers == ((BOB.host, PORTS[loser]),)
    stage.alice.call.invite((), 2.0)  # a media server that the loser had named may be the winner's too
    stage._settle()
    stage.respond(stage.last("INVITE"), 200, winner, sdp(PORTS[loser], 2))
    assert (stage.port, stage.alice.last(media.ConfigureStream).strangers) == (PORTS[loser], ())


def test_an_sbc_that_answers_for_several_phones_from_one_port_is_no_stranger() -> None:
    stage = Stage()
    stage.ring("a", sdp(7000), reliable=False)
    stage.answer("b", sdp(7000))
    assert (stage.port, stage.alice.last(media.ConfigureStream).strangers) == (7000, ())


def test_a_line_that_the_peer_removes_in_the_call_is_told_apart_from_a_hold() -> None:
    stage = Stage()
    stage.answer("a", sdp(7000))
    assert not stage.alice.last(media.ConfigureStream).removed
    hold = sdp(7000, 2) + b"a=inactive\r\n"
    for number, (body, port, removed) in enumerate(
        [(hold, 7000, False), (sdp(0, 3), 0, True), (sdp(7000, 4), 7000, False)]
    ):
        stage.alice.call.invite((), 2.0 + number)
        stage._settle()
        stage.respond(stage.last("INVITE"), 200, "a", body)
        assert (stage.port, stage.alice.last(media.ConfigureStream).removed) == (port, removed)
