"""Whatever a peer does, a call is over by the end of its ring time, its hold and 64·T1; in virtual time.

The peer is a function that answers each message of ours as it likes; nothing of ours is on its side.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

import pytest

from sipswarm.actors.call.notices import Answered, Failed
from sipswarm.actors.call.state import State
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Message, Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.events import Cause
from tests.actors.phones import ALICE, BOB, Phone

START: Final = 1.0
RING_TIME: Final = 10.0
HOLD: Final = 5.0
TIMEOUT: Final = 32.0
"""64·T1"""
SLACK: Final = 1.0
ANSWER: Final = (
    "v=0\r\no=- 7 7 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na={direction}\r\n"
)

Reply = tuple[float, bytes]
"""seconds from now, octets"""
Behaviour = Callable[[Request], Iterator[Reply]]


def response(request: Request, status: int, *extra: tuple[str, str], direction: str = "sendrecv") -> bytes:
    """A response as a usual peer writes it."""
    if request.method == "INVITE" and 200 <= status < 300:
        contact = ("Contact", f"<sip:bob@{BOB.host}>")
        body = ANSWER.format(direction=direction).encode()
        made = Response.to_request(
            request, status, to_tag="bob", extra=(contact, *extra), body=body, content_type="application/sdp"
        )
    else:
        made = Response.to_request(request, status, to_tag="" if status == 100 else "bob", extra=extra)
    return made.to_bytes()


def again_and_again(request: Request, status: int, every: float = 0.5, until: float = 100.0) -> Iterator[Reply]:
    """The same response for a long time."""
    for number in range(int(until / every)):
        yield number * every, response(request, status)


def other_request(invite: Request, method: str, number: int, body: str = "") -> bytes:
    """A request of the peer within the dialog."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} sip:user@{ALICE.host} SIP/2.0\r\nVia: SIP/2.0/UDP {BOB.host};branch=z9hG4bKstorm{method}{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: {invite.headers.get('To')};tag=bob\r\nTo: {invite.headers.get('From')}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: {number} {method}\r\nContact: <sip:bob@{BOB.host}>\r\n{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


# ---- before the answer


def says_nothing(request: Request) -> Iterator[Reply]:
    yield from ()


def tries_for_ever(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield from again_and_again(request, 100)


def rings_for_ever(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield from again_and_again(request, 180)


def rings_and_confirms_the_cancel_only(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield from again_and_again(request, 183, every=3.0)
    elif request.method == "CANCEL":
        yield 0.0, response(request, 200)


def refuses_always(status: int, *extra: tuple[str, str]) -> Behaviour:
    def refuses(request: Request) -> Iterator[Reply]:
        if request.method != "ACK":
            yield 0.0, response(request, status, *extra)

    refuses.__name__ = f"answers {status} to everything"
    return refuses


def challenges_for_ever(request: Request) -> Iterator[Reply]:
    if request.method != "ACK":
        nonce = f'Digest realm="x", nonce="{id(request)}", stale=true'
        yield 0.0, response(request, 401, ("WWW-Authenticate", nonce))


def redirects_to_itself(request: Request) -> Iterator[Reply]:
    if request.method != "ACK":
        yield 0.0, response(request, 302, ("Contact", f"<sip:bob@{BOB.host}>"))


def answers_when_nobody_wants_it_any_more(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield RING_TIME + 3.0, response(request, 200)
    elif request.method == "BYE":
        yield 0.0, response(request, 200)


# ---- after the answer


def answers_and_says_no_more(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield 0.0, response(request, 200)


def repeats_its_200_for_ever(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield from again_and_again(request, 200)


def answers_the_bye_with(status: int, *extra: tuple[str, str]) -> Behaviour:
    def answers(request: Request) -> Iterator[Reply]:
        if request.method != "ACK":
            yield 0.0, response(request, 200 if request.method == "INVITE" else status, *extra)

    answers.__name__ = f"answers the BYE with {status}"
    return answers


def tries_the_bye_for_ever(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield 0.0, response(request, 200)
    elif request.method == "BYE":
        yield from again_and_again(request, 100)


def storm(method: str, body: str = "") -> Behaviour:
    """Ten requests a second, whatever the answers are; the BYE gets none."""

    def storms(request: Request) -> Iterator[Reply]:
        if request.method == "INVITE":
            yield 0.0, response(request, 200)
            for number in range(1, 600):
                yield number / 10, other_request(request, method, number, body)

    storms.__name__ = f"storm of {method}"
    return storms


def holds_for_ever(request: Request) -> Iterator[Reply]:
    if request.method == "INVITE":
        yield 0.0, response(request, 200, direction="sendonly")
        yield 1.0, other_request(request, "INVITE", 1, ANSWER.format(direction="inactive"))
    elif request.method == "BYE":
        yield 0.0, response(request, 200)


BEFORE: Final = [
    says_nothing,
    tries_for_ever,
    rings_for_ever,
    rings_and_confirms_the_cancel_only,
    challenges_for_ever,
    redirects_to_itself,
    answers_when_nobody_wants_it_any_more,
    refuses_always(401),
    refuses_always(422, ("Min-SE", "4000000")),
    refuses_always(491),
    refuses_always(500, ("Retry-After", "999999")),
    refuses_always(503, ("Retry-After", "999999")),
]
AFTER: Final = [
    answers_and_says_no_more,
    repeats_its_200_for_ever,
    answers_the_bye_with(401, ("WWW-Authenticate", 'Digest realm="x", nonce="y"')),
    answers_the_bye_with(481),
    answers_the_bye_with(491),
    answers_the_bye_with(500, ("Retry-After", "999999")),
    answers_the_bye_with(503, ("Retry-After", "999999")),
    tries_the_bye_for_ever,
    storm("INVITE", ANSWER.format(direction="sendrecv")),
    storm("INVITE"),
    storm("UPDATE", ANSWER.format(direction="sendrecv")),
    storm("INFO"),
    storm("OPTIONS"),
    holds_for_ever,
]


class Call:
    """One call of ours to such a peer: what is on its way, and when the call was over for its user."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.phone = Phone(ALICE)
        self._behaviour = behaviour
        self._queue: list[tuple[float, int, bytes]] = []
        self._order = count()
        self.sent: list[str] = []
        self.closed_at = 0.0
        self._hung_up = False
        self.phone.prepare(BOB, RING_TIME).invite((), START)
        self._settle(START)

    def _settle(self, now: float) -> None:
        phone = self.phone
        phone.now = now
        phone.settle()
        while phone.outbox.transmits:
            transmits, phone.outbox.transmits = phone.outbox.transmits, []
            for transmit in transmits:
                message: Message = parse(transmit.data)
                if isinstance(message, Request):
                    self.sent.append(message.method)
                    for wait, data in self._behaviour(message):
                        heapq.heappush(self._queue, (now + wait, next(self._order), data))
            phone.settle()
        if not self.closed_at and "Closed" in phone.told():
            self.closed_at = now

    def run(self, until: float) -> None:
        """Let time pass; a call that is up is hung up after HOLD."""
        phone = self.phone
        while True:
            actor = phone.call
            hang_up = actor.times.answered + HOLD if actor.state is State.UP and not self._hung_up else until
            arrival = self._queue[0][0] if self._queue else until
            now = min(until, arrival, hang_up, actor.deadline if actor.deadline is not None else until)
            if now >= until:
                return
            phone.now = now
            if now == arrival:
                phone.receive(heapq.heappop(self._queue)[2], Hop("udp", BOB.host, 5060))
            elif now == hang_up:
                self._hung_up = True
                actor.hang_up(now)
            else:
                actor.handle_timer(now)
            self._settle(now)


@pytest.mark.parametrize("behaviour", BEFORE, ids=lambda each: each.__name__)
def test_a_call_that_is_never_answered_is_over_at_the_ring_time(behaviour: Behaviour) -> None:
    call = Call(behaviour)
    call.run(START + 300.0)
    assert call.closed_at, call.phone.told()
    assert call.closed_at <= START + RING_TIME + SLACK
    assert call.phone.told().count("Ended") == call.phone.told().count("Failed") == 1
    assert call.phone.call.finished
    assert call.phone.call.deadline is None


@pytest.mark.parametrize("behaviour", AFTER, ids=lambda each: each.__name__)
def test_a_call_that_was_answered_is_over_after_its_hold_and_64_t1(behaviour: Behaviour) -> None:
    call = Call(behaviour)
    call.run(START + 300.0)
    assert "BYE" in call.sent
    assert call.closed_at, call.phone.told()
    assert call.closed_at <= START + HOLD + TIMEOUT + SLACK
    answers = [each for each in call.phone.notices if isinstance(each, Answered) and not each.reinvite]
    assert call.phone.told().count("Ended") == len(answers) == 1
    assert call.phone.call.finished
    assert call.phone.call.deadline is None


def test_an_answer_after_the_ring_time_is_acknowledged_and_hung_up() -> None:
    call = Call(answers_when_nobody_wants_it_any_more)
    call.run(START + 300.0)
    assert call.sent.count("BYE") == 1
    assert "ACK" in call.sent[: call.sent.index("BYE")]
    assert call.closed_at == START + RING_TIME
    assert call.phone.last(Failed).cause is Cause.NO_ANSWER
