"""A call whose peers send anything in any order: nothing is raised, and nothing is left once it is over."""

import random

import pytest

from sipswarm.actors.call.state import State
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.dialog import OfferState
from sipswarm.sipcore.session.invite_session import SessionState
from tests.actors.phones import ALICE, BOB, Phone, name_of
from tests.actors.scenes import answers, refuses, rings

TAGS = ("", "a", "b")
STATUSES = (100, 180, 183, 183, 183, 199, 200, 200, 202, 302, 401, 407, 408, 422, 481, 486, 487, 488, 491, 500, 503)
METHODS = ("UPDATE", "UPDATE", "INVITE", "PRACK", "NOTIFY", "INFO", "OPTIONS", "REFER", "BYE", "CANCEL", "ACK")
MORE = (
    ("Require", "100rel"),
    ("RSeq", "1"),
    ("RSeq", "2"),
    ("Session-Expires", "90"),
    ("Min-SE", "200"),
    ("Retry-After", "2"),
    ("Contact", "<sip:carol@192.0.2.2>"),
)


def body_of(pick: random.Random) -> bytes:
    port, codec = pick.choice((0, 7000, 7002)), pick.choice((0, 0, 0, 8, 18))
    lines = ("v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0", f"m=audio {port} RTP/AVP {codec}")
    return pick.choice((b"", "".join(f"{line}\r\n" for line in lines).encode(), b"nonsense"))


class Crowd:
    """Peers without any sense of order."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.phone = Phone(ALICE, reacts=self.pick.choice((answers, answers, rings, refuses)))
        self.sent: list[Request] = []
        self.received: list[bytes] = []
        self._number = 0
        if self.pick.random() < 0.7:
            self.phone.prepare(BOB).invite((), 1.0, delayed=self.pick.random() < 0.4)
        else:
            self.ask("INVITE")
        self._settle()

    def _settle(self) -> None:
        self.phone.settle()
        transmits, self.phone.outbox.transmits = self.phone.outbox.transmits, []
        self.sent += [each for each in (parse(transmit.data) for transmit in transmits) if isinstance(each, Request)]

    def _arrive(self, data: bytes) -> None:
        self.received.append(data)
        self.phone.receive(data, BOB)
        self._settle()

    def respond(self) -> None:
        pick = self.pick
        extra = [("Contact", "<sip:peer@192.0.2.2>")] + [each for each in MORE if pick.random() < 0.4]
        names = [name for name, _ in extra]
        extra = [each for at, each in enumerate(extra) if each[0] not in names[:at]]
        body = body_of(pick)
        request = pick.choice([each for each in self.sent if each.method != "ACK"][-3:])
        response = Response.to_request(
            request,
            pick.choice(STATUSES),
            to_tag=pick.choice(TAGS) or None,
            extra=extra,
            body=body,
            content_type="application/sdp" if body else None,
        )
        self._arrive(response.to_bytes())

    def ask(self, method: str = "") -> None:
        pick = self.pick
        method = method or pick.choice(METHODS)
        actor = self.phone.actor
        self._number += pick.choice((0, 1, 1, 1))
        local, remote, call_id = "<sip:alice@192.0.2.1>", "<sip:bob@192.0.2.2>;tag=a", "by-hand"
        if actor is not None:
            local += f";tag={actor.session.local_tag}"
            call_id = actor.session.call_id
            tag = pick.choice(TAGS)
            remote = f"<sip:bob@192.0.2.2>{';tag=' * bool(tag)}{tag}"
        body = body_of(pick) if method in ("INVITE", "UPDATE", "PRACK", "ACK") else b""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        extra = pick.choice(("", "Require: 100rel\r\n", "Supported: 100rel\r\n")) if method == "INVITE" else ""
        if method == "PRACK":
            extra = f"RAck: {pick.randrange(3)} {pick.randrange(3)} INVITE\r\n"
        self._arrive(
            f"{method} sip:alice@192.0.2.1 SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{self._number}{pick.choice(('', 'x'))}\r\nFrom: {remote}\r\n"
            f"To: {local}\r\nCall-ID: {call_id}\r\nCSeq: {self._number} {method}\r\nContact: <sip:peer@192.0.2.2>\r\n"
            f"{extra}{kind}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def command(self) -> None:
        pick, call, now = self.pick, self.phone.call, self.phone.now
        what = pick.randrange(8)
        try:
            if what == 0:
                call.invite((), now, delayed=pick.random() < 0.5, hold=pick.random() < 0.5)
            elif what == 1:
                call.cancel(now)
            elif what == 2:
                call.refer("sip:carol@192.0.2.3", None, "", now)
            elif what == 3:
                call.ring(pick.choice((180, 183)), (), now, early_media=pick.random() < 0.5)
            elif what == 4:
                call.answer((), now)
            elif what in (5, 6):
                call.update((), now, hold=pick.random() < 0.5)
            elif pick.random() < 0.3:
                call.hang_up(now)
        except LocalProtocolError:
            pass  # the state forbids it, which is for the user to know
        self._settle()

    def wait(self, seconds: float) -> None:
        call, until = self.phone.call, self.phone.now + seconds
        while (due := call.deadline) is not None and due <= until:
            self.phone.now = due
            call.handle_timer(due)
            self._settle()
        self.phone.now = until

    def step(self) -> None:
        what = self.pick.random()
        if what < 0.55 and any(each.method != "ACK" for each in self.sent):
            self.respond()
        elif what < 0.8:
            self.ask()
        elif what < 0.95:
            self.command()
        else:
            self.wait(self.pick.choice((0.4, 3.0, 40.0)))


@pytest.mark.parametrize("first", range(0, 2000, 100))
def test_peers_without_order_raise_nothing_and_leave_nothing(first: int) -> None:
    for seed in range(first, first + 100):
        crowd = Crowd(seed)
        for _ in range(20):
            crowd.step()
            session = crowd.phone.call.session
            quiet = session.dialog is not None and session.dialog.offer is OfferState.IDLE
            if quiet and crowd.phone.call.state is State.UP and session.state is SessionState.CONFIRMED:
                assert not crowd.phone.call.media.forks.owes_answer, (seed, crowd.received)
        crowd.phone.call.hang_up(crowd.phone.now)
        crowd._settle()
        crowd.wait(1000.0)
        call = crowd.phone.call
        assert call.finished, (seed, call.state, call.session.state, [name_of(each) for each in crowd.sent])
        assert call.deadline is None
        assert crowd.phone.outbox.streams == {}


def test_the_crowd_reaches_the_states_that_matter() -> None:
    reached: dict[State, int] = dict.fromkeys(State, 0)
    moved = updated = 0
    for seed in range(300):
        crowd = Crowd(seed)
        for _ in range(20):
            crowd.step()
            reached[crowd.phone.call.state] += 1
        moved += "ConfigureStream" in crowd.phone.commanded()
        updated += any(each.method == "UPDATE" and each.description for each in crowd.sent)
    assert updated > 5
    assert min(reached[state] for state in (State.CALLING, State.INCOMING, State.ANSWERING, State.UP, State.OVER)) > 20
    assert moved > 20
