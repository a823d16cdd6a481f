"""Every typed header, with junk, in every message that may carry it: nothing is lost, nothing is raised.

A final response is told at once, whatever stands in a field that its transaction does not need. A request is refused
with 4xx, or served as if the field were absent. Both through the engines as a shell drives them, read leniently and
strictly. What a response is told from others by (Via, From, Call-ID, CSeq) may cost it: then reading raises ParseError
and the shell shows it in the ladder of its call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Message, Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.dialog import session_key
from sipswarm.sipcore.session.events import (
    Answered,
    Ended,
    Event,
    Failed,
    InviteReceived,
    OfferReceived,
    Provisional,
    Refreshed,
    ReinviteReceived,
    RequestFinished,
    RequestReceived,
    TransferProgress,
    TransferRequested,
)
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.session_state import SessionState
from sipswarm.sipcore.transaction import stateless
from sipswarm.sipcore.usage.registration import RegistrationEvent
from tests.sipcore.call_wire import (
    ALICE,
    ANSWER,
    BOB,
    OFFER,
    Side,
    Wire,
    established,
    in_dialog,
    pair,
    restart,
    ringing,
)
from tests.sipcore.message.test_rare_fields import EVERY_HEADER
from tests.sipcore.usage.test_registration import Line
from tests.sipcore.wire import read_everything

NAMES = (*(line.partition(":")[0] for line in EVERY_HEADER), "Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards",
         "Content-Length", "X-Unknown")  # fmt: skip
JUNK = ("", "x", "0.5", "a;;", '"open', "<sip:a", "*", "9" * 30)
IDENTITY = frozenset(("Via", "From", "Call-ID", "CSeq", "To"))
"""What a response is told from others by; a To that is empty has no value to find a tag in."""
CAPABILITIES = stateless.Capabilities(tag_key=b"test key")
FINAL = (Answered, Failed, RequestFinished, Ended, Refreshed)
SERVED = (InviteReceived, ReinviteReceived, OfferReceived, RequestReceived, TransferRequested, TransferProgress, Ended)


def with_junk(data: bytes, name: str, junk: str) -> bytes:
    """The message with that header's line replaced, or added where it has none."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    kept = [line for line in lines if not line.lower().startswith(f"{name.lower()}:")]
    return "\r\n".join((start, *kept, f"{name}: {junk}", "", "")).encode("utf-8", "surrogateescape") + body


TRIED: Counter[str] = Counter()
"""Messages by kind."""
pytestmark = pytest.mark.sweep(
    "rule 2, junk in typed fields of every message", requests=15000, responses=15000, headers=55, values=8
)


@pytest.fixture(autouse=True)
def count(walk: Callable[..., None], request: pytest.FixtureRequest) -> Iterator[None]:
    before = TRIED.copy()
    yield
    walk(**(TRIED - before))
    if request.node.name == "test_the_answer_to_a_prack_is_taken_whatever_stands_in_a_field":
        walk(headers=len(set(NAMES)), values=len(JUNK))


def rows(kind: str, strict: bool = False) -> Iterator[tuple[str, str]]:
    for name in NAMES:
        for junk in JUNK[1::3] if strict else JUNK:
            TRIED[kind] += 1
            yield name, junk


def read_all(message: Message) -> None:
    """What a user may ask of a message that it was given: nothing raises."""
    bad = {name: value for name, value in read_everything(message).items() if isinstance(value, ParseError)}
    assert set(bad) <= {"parts", "via", "vias"}, bad  # parts of a multipart body are no field


# Responses: what is asked of the peer, and its answer, caught on its way.


def answer_to(wire: Wire, alice: Side, bob: Side, command: Callable[[InviteSession], object]) -> bytes:
    """The final response of bob to a request of alice, not yet delivered."""
    command(alice.session)
    (request,) = [transmit.data for transmit in alice.session.drain()[0]][-1:]
    message = parse(request)
    bob.keys[session_key(message)].receive(message, ALICE, wire.now)
    events = bob.session.drain
    transmits, told = events()
    for event in told:
        if isinstance(event, RequestReceived | TransferRequested) and event.request_id:
            bob.session.respond(wire.now, event.request_id, 202 if isinstance(event, TransferRequested) else 200)
        elif isinstance(event, ReinviteReceived):
            bob.session.accept(wire.now, ANSWER)
        elif isinstance(event, OfferReceived):
            bob.session.respond(wire.now, event.request_id, 200, body=ANSWER, content_type="application/sdp")
    return ([transmit.data for transmit in transmits] + [transmit.data for transmit in events()[0]])[-1]


def first(status: int) -> Callable[[], tuple[Side, bytes]]:
    def make() -> tuple[Side, bytes]:
        alice, bob, wire = pair({"session_expires": 90})
        alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
        wire.flush()
        restart(wire)
        session = bob.session
        if status < 200:
            session.ring(0.0, status)
        elif status < 300:
            session.accept(0.0, ANSWER)
        else:
            session.reject(0.0, status, headers=[("Retry-After", "5")])
        return alice, session.drain()[0][-1].data

    return make


def within(command: Callable[[InviteSession], object], status: int = 0) -> Callable[[], tuple[Side, bytes]]:
    def make() -> tuple[Side, bytes]:
        alice, bob, wire = established({"session_expires": 90})
        data = answer_to(wire, alice, bob, command)
        if status:
            line, _, rest = data.partition(b"\r\n")
            data = line.replace(b" 200 ", b" %d " % status) + b"\r\n" + rest
        return alice, data

    return make


def prack() -> tuple[Side, bytes]:
    alice, bob, wire = pair({}, {})
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0, 183, description=ANSWER, reliable=True)
    ring = parse(bob.session.drain()[0][-1].data)
    restart(wire)
    return alice, answer_to(wire, alice, bob, lambda session: session.receive(ring, BOB, 0.0))


RESPONSES: dict[str, Callable[[], tuple[Side, bytes]]] = {
    "180 INVITE": first(180),
    "200 INVITE": first(200),
    "302 INVITE": first(302),
    "401 INVITE": first(401),
    "422 INVITE": first(422),
    "486 INVITE": first(486),
    "200 re-INVITE": within(lambda session: session.reinvite(0.0, OFFER)),
    "422 re-INVITE": within(lambda session: session.reinvite(0.0, OFFER), 422),
    "491 re-INVITE": within(lambda session: session.reinvite(0.0, OFFER), 491),
    "500 re-INVITE": within(lambda session: session.reinvite(0.0, OFFER), 500),
    "200 UPDATE": within(lambda session: session.update(0.0, OFFER)),
    "422 UPDATE": within(lambda session: session.update(0.0, OFFER), 422),
    "500 UPDATE": within(lambda session: session.update(0.0, OFFER), 500),
    "200 BYE": within(lambda session: session.bye(0.0)),
    "500 BYE": within(lambda session: session.bye(0.0), 500),
    "202 REFER": within(lambda session: session.refer(0.0, "sip:c@c")),
    "200 INFO": within(lambda session: session.request(0.0, "INFO")),
    "200 OPTIONS": within(lambda session: session.request(0.0, "OPTIONS")),
    "401 INFO": within(lambda session: session.request(0.0, "INFO"), 401),
}


def receive(side: Side, message: Message) -> tuple[list[Event], list[bytes]]:
    assert isinstance(message, Request | Response)
    side.session.drain()
    side.session.receive(message, BOB if side.name == "A" else ALICE, 0.5)
    transmits, events = side.session.drain()
    return events, [transmit.data for transmit in transmits]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("what", RESPONSES)
def test_a_response_is_told_at_once_whatever_stands_in_a_field(what: str, strict: bool) -> None:
    for name, junk in rows("responses", strict):
        side, data = RESPONSES[what]()
        bad = with_junk(data, name, junk)
        try:
            message = parse(bad, strict)
        except ParseError:
            assert name in IDENTITY or (strict and name in ("Max-Forwards", "Content-Length")), bad
            continue
        if session_key(message) != (side.session.call_id, side.session.local_tag) or name in ("Via", "CSeq"):
            assert name in IDENTITY
            continue
        events, sent = receive(side, message)
        read_all(message)
        if what == "180 INVITE":
            assert any(isinstance(event, Provisional) for event in events), bad
            continue
        delayed = side.session.deadline is not None and what in ("491 re-INVITE", "500 re-INVITE", "500 UPDATE")
        assert any(isinstance(event, FINAL) for event in events) or any(map(is_new_request, sent)) or delayed, bad
        if "re-INVITE" in what or "UPDATE" in what:
            assert side.session.state is SessionState.CONFIRMED or name in ("Content-Type", "Content-Disposition"), bad


def is_new_request(data: bytes) -> bool:
    return data[:4] not in (b"ACK ", b"SIP/")


def test_the_answer_to_a_prack_is_taken_whatever_stands_in_a_field() -> None:
    for name, junk in rows("responses"):
        side, data = prack()
        try:
            message = parse(with_junk(data, name, junk))
        except ParseError:
            assert name in IDENTITY
            continue
        if name in IDENTITY:
            continue
        repeated = side.session.retransmissions
        receive(side, message)
        read_all(message)
        assert side.session.state is SessionState.EARLY
        side.session.handle_timer(5.0)
        assert side.session.retransmissions == repeated, "the PRACK is answered"


# Requests

UPDATE_LINES = "Contact: <sip:a@192.0.2.1>\r\nContent-Type: application/sdp\r\n"
REQUESTS: dict[str, tuple[str, str, bytes]] = {
    "re-INVITE": ("INVITE", UPDATE_LINES, OFFER),
    "UPDATE": ("UPDATE", UPDATE_LINES, OFFER),
    "UPDATE without SDP": ("UPDATE", "Contact: <sip:a@192.0.2.1>\r\nSession-Expires: 900\r\n", b""),
    "BYE": ("BYE", "", b""),
    "INFO": ("INFO", "Content-Type: application/dtmf-relay\r\n", b"Signal=1\r\n"),
    "OPTIONS": ("OPTIONS", "", b""),
    "REFER": ("REFER", "Refer-To: <sip:c@c>\r\nContact: <sip:a@192.0.2.1>\r\n", b""),
    "NOTIFY": ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n",
               b"SIP/2.0 100 Trying\r\n"),
    "MESSAGE": ("MESSAGE", "Content-Type: text/plain\r\n", b"hello"),
    "ACK": ("ACK", "", b""),
}  # fmt: skip


def answers_of(sent: list[bytes]) -> list[int]:
    return [int(data[8:11]) for data in sent if data.startswith(b"SIP/2.0 ")]


def judge(data: bytes, strict: bool, deliver: Callable[[Request], tuple[list[Event], list[bytes]]]) -> None:
    """Hold the rule of the module for one request."""
    try:
        message = parse(data, strict)
    except ParseError as error:
        written = stateless.refuse_unreadable(data, error, CAPABILITIES)
        if written is not None:
            assert 400 <= int(written[8:11]) < 600
        return
    assert isinstance(message, Request)
    events, sent = deliver(message)
    served = [event for event in events if isinstance(event, SERVED)]
    statuses = answers_of(sent)
    refused = [status for status in statuses if status >= 400]
    assert served or statuses or message.method == "ACK", data
    lowered = message.cseq.number < 2  # a CSeq out of order is 500 (12.2.2)
    assert all(status < 500 or status == 501 or (status == 500 and lowered) for status in refused), data
    if served:
        read_all(message)


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("what", REQUESTS)
def test_a_request_within_a_call_is_refused_or_served(what: str, strict: bool) -> None:
    method, lines, body = REQUESTS[what]
    for name, junk in rows("requests", strict):
        _, bob, wire = established()
        bob.session.refer(0.0, "sip:c@c")
        bob.session.drain()
        data = with_junk(in_dialog(wire, bob, method, 2, lines, body), name, junk)
        judge(data, strict, lambda message, bob=bob: receive(bob, message))  # type: ignore[misc]  # bound at once


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_a_prack_is_refused_or_served(strict: bool) -> None:
    for name, junk in rows("requests", strict):
        _, bob, wire = ringing()
        data = with_junk(in_dialog(wire, bob, "PRACK", 2, "RAck: 1 1 INVITE\r\n"), name, junk)
        judge(data, strict, lambda message, bob=bob: receive(bob, message))  # type: ignore[misc]  # bound at once


OUTSIDE = (
    *("INVITE", "OPTIONS", "CANCEL", "REFER", "NOTIFY", "SUBSCRIBE", "REGISTER"),
    *("BYE", "PRACK", "UPDATE", "INFO", "MESSAGE", "PUBLISH"),
)


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("method", OUTSIDE)
def test_a_request_outside_of_a_call_is_refused_or_served(method: str, strict: bool) -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    usual = wire.raw[0]
    if method != "INVITE":
        usual = usual.replace(b"INVITE sip:", method.encode() + b" sip:", 1).replace(
            b"1 INVITE", b"1 " + method.encode()
        )

    def deliver(message: Request) -> tuple[list[Event], list[bytes]]:
        refused = stateless.inspect(message, CAPABILITIES)
        if refused is not None:
            return [], [refused.to_bytes()]
        if method != "INVITE":
            return [], [Response.to_request(message, 481).to_bytes()]
        session = InviteSession.incoming(bob.config, bob.tokens, message, ALICE, 0.0)
        transmits, events = session.drain()
        return events, [transmit.data for transmit in transmits]

    for name, junk in rows("requests", strict):
        judge(with_junk(usual, name, junk), strict, deliver)


# Registrations


@pytest.mark.parametrize("status", [200, 401, 423, 500, 503])
def test_the_answer_to_a_register_is_told_at_once(status: int) -> None:
    for name, junk in rows("responses"):
        line = Line()
        line.register(0.0)
        asked = line.sent[-1]
        extra = (("Contact", "<sip:x@y>"), ("Retry-After", "5"))
        data = with_junk(Response.to_request(asked, status, to_tag="r", extra=extra).to_bytes(), name, junk)
        try:
            message = parse(data)
        except ParseError:
            assert name in IDENTITY
            continue
        assert isinstance(message, Response)
        if name in IDENTITY:
            continue
        line.it.receive(message, 0.0)
        events: list[RegistrationEvent] = line.drain()
        read_all(message)
        assert events or line.sent[-1] is not asked, data
