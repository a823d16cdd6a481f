"""Subscriptions over a wire of two lists, with literal times: NOTIFY, refresh, ends, coming back, removal."""

import itertools
import random
from dataclasses import replace

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.subscription import (
    TRANSITIONS,
    Input,
    Notified,
    State,
    Subscription,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionSettings,
)
from tests.sipcore.accounts import Account, Accounts

ME, SERVER, NOTIFIER = Hop("udp", "192.0.2.10", 5060), Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.30", 5062)
SETTINGS = SubscriptionSettings(
    "sip:bob@example.org",
    "<sip:bob@example.org>",
    "<sip:alice@example.org>",
    "<sip:alice@192.0.2.10>",
    "message-summary",
    ME,
    SERVER,
    accept=("application/simple-message-summary",),
    expires=600,
    refresh_earliest=0.75,
    refresh_latest=0.75,
    credentials=Accounts([Account("alice", "secret", "example.org", "example.org")]),
)
WAITING_MAIL = b"Messages-Waiting: yes\r\n"


class Line:
    """A subscription, the requests that left it, its answers to NOTIFY, and a notifier with a CSeq of its own."""

    def __init__(self, settings: SubscriptionSettings = SETTINGS) -> None:
        self.it = Subscription(settings, Tokens(random.Random(1).randbytes))
        self.sent: list[Request] = []
        self.answers: list[Response] = []
        self.hops: list[Hop] = []
        self.cseq = 100

    def drain(self) -> list[SubscriptionEvent]:
        transmits, events = self.it.drain()
        for transmit in transmits:
            message = parse(transmit.data)
            if isinstance(message, Request):
                self.sent.append(message)
                self.hops.append(transmit.hop)
            else:
                self.answers.append(message)
                assert transmit.hop == NOTIFIER
        return events

    def subscribe(self, now: float) -> list[SubscriptionEvent]:
        self.it.subscribe(now)
        return self.drain()

    def unsubscribe(self, now: float) -> list[SubscriptionEvent]:
        self.it.unsubscribe(now)
        return self.drain()

    def reply(self, now: float, status: int, *headers: tuple[str, str]) -> list[SubscriptionEvent]:
        """The notifier answers the last SUBSCRIBE."""
        response = parse(Response.to_request(self.sent[-1], status, to_tag="n", extra=headers).to_bytes())
        self.it.receive(response, NOTIFIER, now)
        return self.drain()

    def notification(self, state: str | None, **change: str) -> Request:
        """A NOTIFY in the dialog of the last SUBSCRIBE; `change` replaces or, when empty, drops headers."""
        self.cseq += 1
        last = self.sent[-1]
        headers = {
            "Via": f"SIP/2.0/UDP 192.0.2.30:5062;branch=z9hG4bKn{self.cseq};rport",
            "From": "<sip:bob@example.org>;tag=n",
            "To": last.headers.get("From") or "",
            "Call-ID": last.call_id,
            "CSeq": f"{self.cseq} NOTIFY",
            "Contact": "<sip:bob@192.0.2.30:5062>",
            "Event": "message-summary",
            "Subscription-State": state or "",
        }
        headers.update((name.replace("_", "-"), value) for name, value in change.items())
        pairs = [(name, value) for name, value in headers.items() if value]
        body = WAITING_MAIL if state is not None else b""
        request = parse(Request.build("NOTIFY", "sip:alice@192.0.2.10", pairs, body).to_bytes())
        assert isinstance(request, Request)
        return request

    def notify(self, now: float, state: str | None, **change: str) -> list[SubscriptionEvent]:
        self.it.receive(self.notification(state, **change), NOTIFIER, now)
        return self.drain()

    def wait(self, until: float) -> list[SubscriptionEvent]:
        """Let time pass up to and including `until`, as a shell would."""
        events = []
        while (at := self.it.deadline) is not None and at <= until:
            self.it.handle_timer(at)
            events += self.drain()
        return events


def active(settings: SubscriptionSettings = SETTINGS) -> Line:
    line = Line(settings)
    line.subscribe(0.0)
    line.reply(0.1, 200, ("Expires", "600"))
    line.notify(0.2, "active;expires=600")
    return line


def test_the_first_request_is_as_rfc_6665_asks() -> None:
    line = Line(replace(SETTINGS, route=("<sip:edge;lr>",), headers=(("X-Foo", "bar"),)))
    line.subscribe(0.0)
    (request,) = line.sent
    assert (request.method, request.uri, line.hops) == ("SUBSCRIBE", "sip:bob@example.org", [SERVER])
    names = ("Contact", "Event", "Expires", "Accept", "Route", "X-Foo", "To", "CSeq")
    assert [request.headers.get(name) for name in names] == [
        "<sip:alice@192.0.2.10>", "message-summary", "600", "application/simple-message-summary", "<sip:edge;lr>",
        "bar", "<sip:bob@example.org>", "1 SUBSCRIBE",
    ]  # fmt: skip
    assert line.it.key == (request.call_id, request.from_tag)


@pytest.mark.parametrize("notify_first", [False, True])
def test_a_subscription_becomes_active_with_its_notify_in_either_order(notify_first: bool) -> None:
    line = Line()
    line.subscribe(0.0)
    if not notify_first:
        line.reply(0.1, 200, ("Expires", "600"))
        assert line.it.state is State.NOTIFY_WAIT
    (event,) = line.notify(0.2, "active;expires=400")
    if notify_first:
        line.reply(0.3, 202, ("Expires", "600"))
    assert isinstance(event, Notified)
    assert (event.state, event.body, event.content_type) == ("active", WAITING_MAIL, "")
    assert (line.it.state, [answer.status for answer in line.answers]) == (State.ACTIVE, [200])


def test_the_refresh_goes_to_the_notifier_in_the_dialog() -> None:
    line = Line()
    line.subscribe(0.0)
    line.reply(0.1, 200)
    line.notify(1.0, "active;expires=400", Record_Route="<sip:p1;lr>,<sip:p2;lr>")
    assert line.it.deadline == 301.0
    line.wait(301.0)
    request = line.sent[-1]
    assert (request.uri, request.to_tag, request.cseq.number) == ("sip:bob@192.0.2.30:5062", "n", 2)
    assert request.headers.values("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert line.hops[-1] == Hop("udp", "p1", 5060)
    # The 2xx tells how long; a NOTIFY has the last word.
    line.reply(301.1, 200, ("Expires", "200"))
    line.notify(301.2, "active;expires=100")
    assert line.it.deadline == pytest.approx(376.2)


def test_a_strict_router_gets_what_it_wants() -> None:
    line = Line()
    line.subscribe(0.0)
    line.reply(0.1, 200)
    line.notify(1.0, "active;expires=400", Record_Route="<sip:strict>,<sip:p2;lr>")
    line.wait(301.0)
    assert line.sent[-1].uri == "sip:strict"
    assert line.sent[-1].headers.values("Route") == ["<sip:p2;lr>", "<sip:bob@192.0.2.30:5062>"]


def test_pending_and_active_alternate_and_times_come_from_what_was_asked_for() -> None:
    line = active()
    line.notify(1.0, "pending;expires=100")
    assert (line.it.state, line.it.deadline) == (State.PENDING, 76.0)
    line.notify(2.0, "active")
    assert (line.it.state, line.it.deadline) == (State.ACTIVE, 452.0)
    # A state that RFC 6665 does not know counts as active.
    (event,) = line.notify(3.0, "waiting;expires=100")
    assert isinstance(event, Notified)
    assert (event.state, line.it.state) == ("waiting", State.ACTIVE)


def test_a_repeated_notify_is_answered_the_same_and_told_once() -> None:
    line = active()
    again = line.notification("active;expires=100")
    events = []
    for _ in range(3):
        line.it.receive(again, NOTIFIER, 5.0)
        events += line.drain()
    assert len(events) == 1
    assert [answer.status for answer in line.answers] == [200] * 4
    for _ in range(20):
        line.notify(6.0, "active;expires=100")
    assert line.it.state is State.ACTIVE


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"From": "<sip:bob@example.org>;tag=other"}, 481),
        ({"To": "<sip:alice@example.org>;tag=other"}, 481),
        ({"Call_ID": "other"}, 481),
        ({"Event": "presence"}, 489),
        ({"Event": "message-summary;id=1"}, 489),
        ({"Event": ""}, 489),
        ({"Subscription_State": ""}, 400),
        ({"Subscription_State": "active;expires=x"}, 400),
        ({"Subscription_State": "terminated;retry-after=x"}, 400),
        ({"CSeq": "1 NOTIFY"}, 500),
    ],
)
def test_a_notify_that_is_not_ours_or_broken_is_refused(change: dict[str, str], status: int) -> None:
    line = active()
    assert line.notify(5.0, "active;expires=100", **change) == []
    assert (line.answers[-1].status, line.it.state) == (status, State.ACTIVE)


def test_a_first_notify_from_where_we_cannot_answer_makes_no_dialog() -> None:
    line = Line()
    line.subscribe(0.0)
    assert line.notify(0.1, "active;expires=100", Contact="<tel:+15550100>") == []
    assert (line.answers[-1].status, line.it.state) == (416, State.NOTIFY_WAIT)
    # Another one may do better; without Contact the notifier is found by its From.
    assert len(line.notify(0.2, "active;expires=100", Contact="")) == 1
    line.wait(75.2)
    assert line.sent[-1].uri == "sip:bob@example.org"


def test_a_notify_after_the_end_is_unknown() -> None:
    line = active()
    line.notify(1.0, "terminated;reason=rejected")
    line.notify(2.0, "active")
    assert line.answers[-1].status == 481


@pytest.mark.parametrize(
    ("state", "reason", "wait"),
    [
        ("terminated;reason=deactivated", "deactivated", 1.0),
        ("terminated;reason=timeout;retry-after=99", "timeout", 1.0),
        ("terminated;reason=probation;retry-after=90", "probation", 90.0),
        ("terminated;reason=giveup", "giveup", 60.0),
        ("terminated;retry-after=7", "", 7.0),
        ("terminated;reason=rejected;retry-after=9", "rejected", None),
        ("terminated;reason=noresource", "noresource", None),
        ("terminated;reason=invariant", "invariant", None),
    ],
)
def test_the_reason_of_the_end_decides_when_we_come_back(state: str, reason: str, wait: float | None) -> None:
    line = active()
    told, ended = line.notify(10.0, state)
    assert isinstance(told, Notified)
    assert ended == SubscriptionEnded(reason, 0, None if wait is None else 10.0 + wait)
    if wait is None:
        assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)
        return
    line.wait(10.0 + wait)
    first, last = line.sent[0], line.sent[-1]
    # A new subscription is a new dialog, and starts at the server again.
    assert (last.uri, last.to_tag, line.hops[-1], last.expires) == (first.uri, None, SERVER, 600)
    assert last.call_id != first.call_id
    assert line.it.key == (last.call_id, last.from_tag)
    line.notify(200.0, "active;expires=100", From="<sip:bob@example.org>;tag=new")
    assert line.it.state is State.ACTIVE


def test_no_notify_within_timer_n_ends_the_subscription() -> None:
    line = Line()
    line.subscribe(0.0)
    line.reply(0.1, 200, ("Expires", "600"))
    assert line.wait(31.9) == []
    assert line.wait(32.0) == [SubscriptionEnded("silence", 0, 92.0)]


def test_silence_about_the_first_request_ends_it() -> None:
    line = Line()
    line.subscribe(0.0)
    assert line.wait(32.0) == [SubscriptionEnded("refused", 408, None)]
    assert len(line.sent) == 11


@pytest.mark.parametrize("status", [403, 404, 489, 500])
def test_a_refused_first_request_is_the_end(status: int) -> None:
    line = Line()
    line.subscribe(0.0)
    assert line.reply(0.1, status) == [SubscriptionEnded("refused", status, None)]
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)
    line.subscribe(1.0)
    assert (line.it.state, line.sent[0].call_id != line.sent[1].call_id) == (State.NOTIFY_WAIT, True)


@pytest.mark.parametrize(("status", "ends"), [(404, True), (408, True), (500, False), (503, False)])
def test_a_refused_refresh_ends_it_or_is_tried_again_half_way_to_the_end(status: int, ends: bool) -> None:
    line = active()
    line.wait(450.2)
    assert len(line.sent) == 2
    events = line.reply(450.2, status)
    if ends:
        assert events == [SubscriptionEnded("refused", status, None)]
        return
    assert (events, line.it.state) == ([], State.ACTIVE)
    # It ends at 600.2 s; half of what is left is 75 s.
    assert line.it.deadline == pytest.approx(525.2)
    line.wait(525.3)
    line.reply(525.3, 500)
    # The tries come closer and closer, and stop a second before the end; then it is over, and begins anew.
    now = 525.3
    while line.it.state is State.ACTIVE and (at := line.it.deadline) is not None:
        now = at
        events = line.wait(now)
        if line.it.state is State.ACTIVE:
            line.reply(now, 500)
    assert now == pytest.approx(600.2)
    (event,) = events
    assert isinstance(event, SubscriptionEnded)
    assert event.reason == "expired"
    assert event.retry_at == pytest.approx(601.2)


def test_a_refresh_of_a_subscription_that_the_notifier_has_lost_makes_a_new_one() -> None:
    line = active()
    line.wait(450.2)
    assert line.reply(450.2, 481) == [SubscriptionEnded("refused", 481, 451.2)]
    assert line.it.state is State.WAITING
    line.wait(451.2)
    first, last = line.sent[0], line.sent[-1]
    assert (last.uri, last.to_tag, line.hops[-1], last.expires) == (first.uri, None, SERVER, 600)
    assert (last.call_id != first.call_id, last.from_tag != first.from_tag) == (True, True)
    assert line.reply(451.3, 481) == [SubscriptionEnded("refused", 481, None)], "the resource itself is not known"
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)


def test_423_asks_for_longer_once() -> None:
    line = Line()
    line.subscribe(0.0)
    assert line.reply(0.1, 423, ("Min-Expires", "900")) == []
    assert line.sent[-1].expires == 900
    for headers in ((), (("Min-Expires", "x"),), (("Min-Expires", "9"),)):
        other = Line()
        other.subscribe(0.0)
        assert other.reply(0.1, 423, *headers) == [SubscriptionEnded("refused", 423, None)]


def test_a_challenge_is_answered() -> None:
    line = Line()
    line.subscribe(0.0)
    challenge = ("WWW-Authenticate", 'Digest realm="example.org", nonce="1", qop="auth"')
    assert line.reply(0.1, 401, challenge) == []
    assert line.sent[1].headers.get("Authorization")
    assert line.reply(0.2, 401, challenge) == [SubscriptionEnded("refused", 401, None)]
    stranger = Line(replace(SETTINGS, credentials=None))
    stranger.subscribe(0.0)
    assert stranger.reply(0.1, 401, challenge) == [SubscriptionEnded("refused", 401, None)]


def test_unsubscribing_ends_with_the_last_notify() -> None:
    line = active()
    line.unsubscribe(10.0)
    assert (line.sent[-1].expires, line.sent[-1].to_tag, line.it.state) == (0, "n", State.CLOSING)
    assert line.unsubscribe(10.1) == []
    assert line.reply(10.2, 200, ("Expires", "0")) == []
    (crossing,) = line.notify(10.3, "active;expires=590")
    assert isinstance(crossing, Notified)
    told, ended = line.notify(10.4, "terminated;reason=timeout")
    assert isinstance(told, Notified)
    # We wanted the end, so nothing brings us back.
    assert (ended, line.it.state, line.it.deadline) == (SubscriptionEnded("timeout", 0, None), State.TERMINATED, None)
    assert line.unsubscribe(11.0) == []


def test_unsubscribing_from_one_who_is_gone_ends_by_itself() -> None:
    line = active()
    line.unsubscribe(10.0)
    line.reply(10.1, 200)
    assert line.wait(42.0) == [SubscriptionEnded("silence", 0, None)]
    other = active()
    other.unsubscribe(10.0)
    assert other.reply(10.1, 481) == [SubscriptionEnded("refused", 481, None)]


def test_unsubscribing_waits_for_the_request_that_is_out() -> None:
    line = Line()
    line.subscribe(0.0)
    line.unsubscribe(0.1)
    assert (len(line.sent), line.it.state) == (1, State.STOPPING)
    assert line.unsubscribe(0.2) == []
    line.notify(0.3, "active;expires=600")
    line.notify(0.3, "pending;expires=600")
    line.reply(0.4, 200)
    assert (len(line.sent), line.sent[-1].expires, line.it.state) == (2, 0, State.CLOSING)
    refused = Line()
    refused.subscribe(0.0)
    refused.unsubscribe(0.1)
    assert refused.reply(0.2, 423, ("Min-Expires", "900")) == [SubscriptionEnded("refused", 423, None)]


def test_a_planned_return_can_be_called_off() -> None:
    line = active()
    line.notify(1.0, "terminated;reason=giveup")
    assert line.it.state is State.WAITING
    line.unsubscribe(2.0)
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)
    other = active()
    other.notify(1.0, "terminated;reason=giveup")
    other.subscribe(2.0)
    assert other.it.state is State.NOTIFY_WAIT


def test_a_refresh_that_is_due_waits_for_the_request_that_is_out() -> None:
    line = Line()
    line.subscribe(0.0)
    line.notify(0.1, "active;expires=10")
    # No answer to SUBSCRIBE yet: at 7.6 s only its repetitions are on the wire.
    line.wait(9.0)
    assert {request.cseq.number for request in line.sent} == {1}
    line.reply(9.1, 200, ("Expires", "10"))
    line.wait(16.7)
    assert line.sent[-1].cseq.number == 2


def test_a_transport_that_fails_is_a_503() -> None:
    line = Line()
    line.subscribe(0.0)
    line.it.transport_failed(line.sent[-1].via.branch or "", 0.1)
    assert line.drain() == [SubscriptionEnded("refused", 503, None)]


def test_strange_and_late_responses_are_counted() -> None:
    line = active()
    late = Response.to_request(line.sent[0], 200)
    line.it.receive(late, NOTIFIER, 5.0)
    assert (line.it.ignored, line.drain()) == (1, [])
    line.wait(450.2)
    line.reply(450.3, 200, ("Expires", "x"))
    assert line.it.state is State.ACTIVE


def test_an_answer_that_comes_after_the_end_changes_nothing() -> None:
    line = Line()
    line.subscribe(0.0)
    line.notify(0.1, "terminated;reason=rejected")
    assert line.reply(0.2, 200) == []
    assert line.it.state is State.TERMINATED


def test_every_state_and_command_does_what_the_table_says() -> None:
    def in_state(state: State) -> Line:
        line = Line()
        if state is not State.IDLE:
            line.subscribe(0.0)
        if state in (State.PENDING, State.ACTIVE, State.CLOSING, State.WAITING, State.TERMINATED):
            line.reply(0.1, 200)
            line.notify(0.2, "pending;expires=60" if state is State.PENDING else "active;expires=60")
        if state in (State.STOPPING, State.CLOSING):
            line.unsubscribe(0.3)
        if state in (State.WAITING, State.TERMINATED):
            line.notify(0.3, f"terminated;reason={'giveup' if state is State.WAITING else 'rejected'}")
        assert line.it.state is state
        return line

    for state, command in itertools.product(State, (Input.SUBSCRIBE, Input.UNSUBSCRIBE)):
        line = in_state(state)
        row = TRANSITIONS.get((state, command))
        act = line.subscribe if command is Input.SUBSCRIBE else line.unsubscribe
        if row is None:
            with pytest.raises(LocalProtocolError):
                act(1.0)
            assert line.it.state is state
        else:
            act(1.0)
            # With nothing out, STOPPING is left as soon as it is entered.
            following = State.CLOSING if row[0] is State.STOPPING and state in (State.PENDING, State.ACTIVE) else row[0]
            assert line.it.state is following
    for state, kind in itertools.product(State, (Input.PENDING, Input.ACTIVE, Input.TERMINATED)):
        line = in_state(state)
        if not line.sent:
            continue
        line.notify(1.0, {Input.TERMINATED: "terminated;reason=rejected"}.get(kind, kind.name.lower()))
        row = TRANSITIONS.get((state, kind))
        assert line.it.state is (row[0] if row is not None else state)
        assert line.answers[-1].status == (200 if row is not None else 481)


@pytest.mark.parametrize(
    "change", [{"target": "x"}, {"address": "<sip:a"}, {"from_": ""}, {"contact": "?"}, {"event": ""}]
)
def test_settings_that_are_none_are_refused_at_once(change: dict[str, str]) -> None:
    with pytest.raises(ParseError):
        Subscription(replace(SETTINGS, **change), Tokens(bytes))  # type: ignore[arg-type] # the row's own mixture


SECOND = Way(Hop("udp", "192.0.2.2", 5060), ME, ("<sip:alice@192.0.2.10>",))


@pytest.mark.parametrize("how", ["503", "silence"])
def test_the_next_place_gets_the_first_subscribe_and_its_own_time_for_a_notify(how: str) -> None:
    line = Line(replace(SETTINGS, spare=(SECOND,), body=b"filter", content_type="text/plain"))
    assert line.subscribe(0.0) == []
    assert (line.reply(20.0, 503) if how == "503" else line.wait(32.0)) == []
    moved = 20.0 if how == "503" else 32.0
    assert line.hops[-1] == SECOND.hop
    assert (line.sent[-1].body, line.sent[-1].content_type) == (b"filter", "text/plain")
    assert line.reply(moved + 0.1, 200) == []
    assert line.wait(moved + 31.9) == []
    assert line.wait(moved + 32.0) == [SubscriptionEnded("silence", 0, moved + 32.0 + 60.0)]


def test_a_refresh_has_no_body_and_goes_within_the_dialog_by_the_way_that_reaches_its_target() -> None:
    over_tcp = Hop("tcp", "192.0.2.10", 5061)

    def reach(hop: Hop) -> Way | None:
        return Way(hop, over_tcp, ("<sip:alice@192.0.2.10:5061;transport=tcp>",)) if hop.transport == "tcp" else None

    line = Line(replace(SETTINGS, spare=(SECOND,), body=b"filter", content_type="text/plain", reach=reach))
    line.subscribe(0.0)
    line.reply(0.1, 200)
    line.notify(0.2, "active;expires=100", Contact="<sip:bob@192.0.2.30:5062;transport=tcp>")
    line.wait(76.0)
    refresh = line.sent[-1]
    assert (refresh.body, refresh.to_tag, refresh.uri) == (b"", "n", "sip:bob@192.0.2.30:5062;transport=tcp")
    assert (line.hops[-1], refresh.via.transport) == (Hop("tcp", "192.0.2.30", 5062), "TCP")
    assert line.reply(76.1, 503) == [], "a refresh has one place"
    assert line.hops[-1].transport == "tcp"


@pytest.mark.parametrize("reason", ["timeout", "deactivated", "giveup"])
def test_a_fetch_ends_with_its_notify_and_is_not_tried_again(reason: str) -> None:
    line = Line(replace(SETTINGS, expires=0))
    line.subscribe(0.0)
    assert line.sent[-1].headers.get("Expires") == "0"
    line.reply(0.1, 200)
    notified, ended = line.notify(0.2, f"terminated;reason={reason}")
    assert isinstance(notified, Notified)
    assert ended == SubscriptionEnded(reason, 0, None)
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)


def test_the_next_subscription_has_a_call_id_of_the_same_source() -> None:
    made = [f"id-{number}" for number in range(3)]
    it = Subscription(SETTINGS, Tokens(random.Random(1).randbytes), new_call_id=lambda: made.pop(0))
    line = Line()
    line.it = it
    line.subscribe(0.0)
    line.notify(0.1, "terminated;reason=deactivated")
    line.wait(1.2)
    assert [each.call_id for each in line.sent] == ["id-0", "id-1"]
    assert it.key[0] == "id-1"


def test_the_response_that_refused_is_kept_until_the_next_try() -> None:
    line = Line()
    line.subscribe(0.0)
    line.reply(0.1, 403)
    assert line.it.refusal is not None
    assert line.it.refusal.status == 403
    line.subscribe(1.0)
    assert line.it.refusal is None


def test_an_abandoned_subscription_sends_nothing_and_refuses_notifies() -> None:
    line = Line()
    line.subscribe(0.0)
    line.notify(0.1, "active;expires=100")
    line.it.abandon()
    assert (line.it.state, line.it.deadline) == (State.TERMINATED, None)
    line.notify(0.2, "active")
    assert line.answers[-1].status == 481


def test_a_notify_that_requires_what_is_not_supported_is_420_and_changes_nothing() -> None:
    line = active()
    assert line.notify(1.0, "terminated;reason=noresource", Require="foo, eventlist") == []
    assert (line.answers[-1].status, line.answers[-1].headers.get("Unsupported")) == (420, "foo, eventlist")
    assert line.it.state is State.ACTIVE
    able = active(replace(SETTINGS, headers=(("k", "eventlist, 100rel"),)))
    assert [type(each) for each in able.notify(1.0, "active;expires=600", Require="EventList")] == [Notified]
    assert able.answers[-1].status == 200
    assert able.notify(2.0, "active;expires=600", Require="eventlist, foo") == []
    assert able.answers[-1].headers.get("Unsupported") == "foo"
