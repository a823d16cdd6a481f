"""The notifier of a subscription over a wire of two lists, with literal times: NOTIFY, refresh, ends, silence."""

import random

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.usage.notifier import (
    MOST_WAITING,
    TRANSITIONS,
    Action,
    Delivered,
    Input,
    Notifier,
    NotifierEnded,
    NotifierEvent,
    NotifierSettings,
    State,
)

US, THEM, PROXY = Hop("udp", "192.0.2.30", 5062), Hop("udp", "192.0.2.10", 5060), Hop("udp", "192.0.2.1", 5060)
SETTINGS = NotifierSettings(US, "<sip:bob@192.0.2.30:5062>", most=600)


def subscribe(expires: int | None = 3600, number: int = 1, *extra: tuple[str, str], to: str = "") -> Request:
    """A SUBSCRIBE; `to` = the tag of its dialog."""
    pairs = [
        ("Via", f"SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{number};rport"),
        ("From", "<sip:alice@example.org>;tag=them"),
        ("To", "<sip:bob@example.org>" + (f";tag={to}" if to else "")),
        *[("Call-ID", "one"), ("CSeq", f"{number} SUBSCRIBE"), ("Contact", "<sip:alice@192.0.2.10>")],
    ]
    pairs += [("Expires", str(expires))] if expires is not None else []
    pairs += list(extra) if any(name == "Event" for name, _ in extra) else [("Event", "presence;id=7"), *extra]
    request = parse(Request.build("SUBSCRIBE", "sip:bob@192.0.2.30:5062", pairs).to_bytes())
    assert isinstance(request, Request)
    return request


class Line:
    """A notifier, the NOTIFYs that left it, and its answers."""

    def __init__(self, request: Request | None = None, settings: NotifierSettings = SETTINGS) -> None:
        self.it = Notifier(request or subscribe(), settings, Tokens(random.Random(1).randbytes), "us", 0.0)
        self.sent: list[Request] = []
        self.answers: list[Response] = []
        self.hops: list[Hop] = []

    def drain(self) -> list[NotifierEvent]:
        transmits, events = self.it.drain()
        for transmit in transmits:
            message = parse(transmit.data)
            if isinstance(message, Request):
                self.sent.append(message)
                self.hops.append(transmit.hop)
            else:
                self.answers.append(message)
        return events

    def notify(self, body: bytes, now: float = 1.0, *, pending: bool = False) -> int:
        number = self.it.notify(body, "text/plain", now, pending=pending)
        assert self.drain() == []
        return number

    def answer(self, status: int = 200, now: float = 2.0) -> list[NotifierEvent]:
        """The subscriber answers the newest NOTIFY."""
        self.it.receive(Response.to_request(self.sent[-1], status), THEM, now)
        return self.drain()

    def take(self, request: Request, now: float = 3.0) -> list[NotifierEvent]:
        self.it.receive(request, THEM, now)
        return self.drain()

    def wait(self, now: float) -> list[NotifierEvent]:
        self.it.handle_timer(now)
        return self.drain()

    def states(self) -> list[str]:
        return [each.headers.get("Subscription-State") or "" for each in self.sent]


def test_notifies_leave_one_after_another_in_the_dialog() -> None:
    line = Line()
    assert (line.it.granted, line.it.expires_at, line.it.key) == (600, 600.0, ("one", "us"))
    first, second = line.notify(b"one"), line.notify(b"two")
    assert [each.body for each in line.sent] == [b"one"]
    (delivered,) = line.answer(now=11.0)
    assert isinstance(delivered, Delivered)
    assert (delivered.number, delivered.status) == (first, 200)
    assert [(each.number, each.status) for each in line.answer() if isinstance(each, Delivered)] == [(second, 200)]
    one, two = line.sent
    assert (one.uri, line.hops) == ("sip:alice@192.0.2.10", [THEM, THEM])
    assert (one.from_tag, one.to_tag, one.call_id) == ("us", "them", "one")
    assert [str(each.cseq.number) for each in line.sent] == ["1", "2"]
    assert (one.headers.get("Event"), one.headers.get("Contact")) == ("presence;id=7", "<sip:bob@192.0.2.30:5062>")
    assert line.states() == ["active;expires=599", "active;expires=589"]
    assert (two.body, two.content_type, two.max_forwards) == (b"two", "text/plain", 70)


def test_requests_follow_the_record_route() -> None:
    loose = Line(subscribe(3600, 1, ("Record-Route", "<sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>")))
    loose.notify(b"")
    assert (loose.sent[0].uri, loose.hops) == ("sip:alice@192.0.2.10", [PROXY])
    assert loose.sent[0].headers.values("route") == ["<sip:192.0.2.1;lr>", "<sip:192.0.2.2;lr>"]
    strict = Line(subscribe(3600, 1, ("Record-Route", "<sip:192.0.2.1>")))
    strict.notify(b"")
    assert (strict.sent[0].uri, strict.hops) == ("sip:192.0.2.1", [PROXY])
    assert strict.sent[0].headers.values("route") == ["<sip:alice@192.0.2.10>"]


@pytest.mark.parametrize(("asked", "granted"), [(None, 600), (60, 60), (601, 600)])
def test_the_time_is_what_was_requested_within_the_bound(asked: int | None, granted: int) -> None:
    assert Line(subscribe(asked)).it.granted == granted


def test_a_pending_subscription_becomes_active_and_never_pending_again() -> None:
    line = Line(settings=NotifierSettings(US, "<sip:bob@192.0.2.30>", most=600, pending=True))
    line.notify(b"", pending=True)
    line.answer()
    line.notify(b"here", 5.0)
    line.answer()
    assert [each.partition(";")[0] for each in line.states()] == ["pending", "active"]
    with pytest.raises(LocalProtocolError):
        line.it.notify(b"", "", 6.0, pending=True)


def test_a_refresh_is_answered_and_followed_by_the_newest_state_and_a_repetition_by_the_same_answer() -> None:
    line = Line()
    line.notify(b"one")
    line.answer()
    again = subscribe(300, 2, to="us")
    again.headers.set("Contact", "<sip:alice@192.0.2.11>")
    for _ in range(2):
        assert line.take(again, 100.0) == []
    assert [(each.status, each.expires) for each in line.answers] == [(200, 300), (200, 300)]
    assert line.answers[0].headers.get("Contact") == "<sip:bob@192.0.2.30:5062>"
    assert (line.it.expires_at, len(line.sent)) == (400.0, 2)
    assert (line.sent[1].body, line.sent[1].uri, line.states()[1]) == (
        b"one",
        "sip:alice@192.0.2.11",
        "active;expires=300",
    )
    assert line.hops[1] == Hop("udp", "192.0.2.11", 5060)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (subscribe(300, 2, ("Event", "dialog"), to="us"), 489),
        (subscribe(300, 2, ("Event", "presence;id=8"), to="us"), 489),
        (subscribe(300, 2, to="other"), 481),
        (subscribe(300, 1, to="us"), 500),
        (subscribe(300, 2, ("Require", "foo"), to="us"), 420),
    ],
    ids=["another event", "another id", "another dialog", "out of order", "an extension"],
)
def test_what_is_no_refresh_changes_nothing(request_: Request, status: int) -> None:
    line = Line()
    assert line.take(request_) == []
    assert [each.status for each in line.answers] == [status]
    assert (line.it.expires_at, line.sent) == (600.0, [])


def test_the_subscriber_ends_it() -> None:
    line = Line()
    line.notify(b"one")
    line.answer()
    assert line.take(subscribe(0, 2, to="us")) == []
    assert (line.answers[0].status, line.answers[0].expires) == (200, 0)
    assert (line.sent[1].body, line.states()[1]) == (b"one", "terminated;reason=timeout")
    assert line.it.state is State.CLOSING
    assert line.answer()[1:] == [NotifierEnded("timeout")]
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)
    line.take(subscribe(300, 3, to="us"))
    assert line.answers[-1].status == 481


def test_it_runs_out() -> None:
    line = Line()
    assert line.it.deadline == 600.0
    assert line.wait(600.0) == []
    assert line.states() == ["terminated;reason=timeout"]
    assert line.answer()[1:] == [NotifierEnded("timeout")]


def test_its_owner_ends_it_once_after_what_waits() -> None:
    line = Line()
    line.notify(b"one")
    line.it.end("noresource", 2.0, b"gone", "text/plain")
    line.it.end("rejected", 2.0)
    assert line.drain() == []
    line.answer()
    assert [each.body for each in line.sent] == [b"one", b"gone"]
    assert line.states()[1] == "terminated;reason=noresource"
    assert line.answer(481)[1:] == [NotifierEnded("noresource")]
    line.it.end("noresource", 3.0)
    with pytest.raises(LocalProtocolError):
        line.it.notify(b"", "", 3.0)
    assert line.drain() == []


@pytest.mark.parametrize("status", [404, 481, 489, 503])
def test_a_subscriber_that_is_gone_ends_it_and_what_waits_is_told(status: int) -> None:
    line = Line()
    first, second = line.notify(b"one"), line.notify(b"two")
    told = line.answer(status)
    assert [(each.number, each.status) for each in told if isinstance(each, Delivered)] == [
        (first, status),
        (second, 0),
    ]
    assert told[-1] == NotifierEnded("gone")
    assert len(line.sent) == 1


def test_another_refusal_ends_nothing() -> None:
    line = Line()
    line.notify(b"one")
    line.notify(b"two")
    assert len(line.answer(500)) == 1
    assert (len(line.sent), line.it.state) == (2, State.ACTIVE)


def test_a_notify_is_repeated_and_silence_ends_the_subscription() -> None:
    line = Line()
    number = line.notify(b"one", 0.0)
    told: list[NotifierEvent] = []
    while line.it.deadline is not None:
        told += line.wait(line.it.deadline)
    assert told == [Delivered(number, 408, None), NotifierEnded("gone")]
    assert len(line.sent) == 11
    assert line.it.retransmissions == 10


def test_a_notify_that_cannot_be_sent_ends_the_subscription() -> None:
    line = Line()
    number = line.notify(b"one")
    line.it.transport_failed(line.sent[0].branch, 1.0)
    assert line.drain() == [Delivered(number, 503, None), NotifierEnded("gone")]


def test_notifies_that_wait_are_bounded() -> None:
    line = Line()
    for _ in range(MOST_WAITING + 1):
        line.notify(b"")
    with pytest.raises(LocalProtocolError, match="wait"):
        line.it.notify(b"", "", 1.0)
    line.take(subscribe(300, 2, to="us"))
    assert line.it.waiting == MOST_WAITING
    line.it.abandon()
    line.it.abandon()
    assert len(line.drain()) == MOST_WAITING + 2


def test_a_subscriber_without_an_address_is_refused() -> None:
    request = subscribe()
    request.headers.set("Contact", "<tel:+1>")
    with pytest.raises(ParseError):
        Line(request)


def test_every_row_of_the_table_leads_on_and_the_end_is_reached_from_each_state() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State)
    for state in (State.PENDING, State.ACTIVE, State.CLOSING):
        assert TRANSITIONS[state, Input.GONE] == (State.TERMINATED, Action.FINISH)


def test_a_refresh_may_require_what_the_first_request_did() -> None:
    line = Line(subscribe(3600, 1, ("Require", "eventlist")))
    line.take(subscribe(300, 2, ("Require", "EventList"), to="us"))
    line.take(subscribe(300, 3, ("Require", "eventlist, foo"), to="us"))
    assert [each.status for each in line.answers] == [200, 420]
    assert line.answers[1].headers.get("Unsupported") == "foo"
