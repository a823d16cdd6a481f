"""Registrations over a wire of two lists, with literal times: refresh, 423, challenges, back-off, removal."""

import itertools
import random
from dataclasses import replace

import pytest

from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome
from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import (
    REGISTRATION_TABLE,
    Registered,
    Registration,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationInput,
    RegistrationLapsed,
    RegistrationSettings,
    RegistrationState,
    Unregistered,
)
from tests.sipcore.accounts import Account, Accounts

ME, REGISTRAR = Hop("udp", "192.0.2.10", 5060), Hop("udp", "192.0.2.1", 5060)
CONTACT = "<sip:bob@192.0.2.10:5060>"
SETTINGS = RegistrationSettings(
    "sip:example.org",
    "Bob <sip:bob@example.org>",
    (CONTACT,),
    ME,
    REGISTRAR,
    expires=600,
    refresh_earliest=0.75,
    refresh_latest=0.75,
    credentials=Accounts([Account("bob", "zanzibar", "example.org", "example.org")]),
)
S, I = RegistrationState, RegistrationInput  # noqa: E741 - short names for the table, as in the module


class Line:
    """A registration and the requests that left it, oldest first; `now` is the time of the last input."""

    def __init__(self, settings: RegistrationSettings = SETTINGS, *, seed: int | None = 1) -> None:
        draw = random.Random(seed).randbytes if seed is not None else bytes
        self.it = Registration(settings, Tokens(draw))
        self.sent: list[Request] = []
        self.hops: list[Hop] = []
        self.events: list[RegistrationEvent] = []

    def drain(self) -> list[RegistrationEvent]:
        """Take over what was produced; returns the new events."""
        transmits, events = self.it.drain()
        for transmit in transmits:
            request = parse(transmit.data)
            assert isinstance(request, Request)
            self.sent.append(request)
            self.hops.append(transmit.hop)
        self.events += events
        return events

    def register(self, now: float) -> list[RegistrationEvent]:
        self.it.register(now)
        return self.drain()

    def unregister(self, now: float, *, everything: bool = False) -> list[RegistrationEvent]:
        self.it.unregister(now, everything=everything)
        return self.drain()

    def reply(self, now: float, status: int, *headers: tuple[str, str]) -> list[RegistrationEvent]:
        """The registrar answers the last request."""
        response = parse(Response.to_request(self.sent[-1], status, to_tag="r", extra=headers).to_bytes())
        assert isinstance(response, Response)
        self.it.receive(response, now)
        return self.drain()

    def wait(self, until: float) -> list[RegistrationEvent]:
        """Let time pass up to and including `until`, as a shell would."""
        events = []
        while (at := self.it.deadline) is not None and at <= until:
            self.it.handle_timer(at)
            events += self.drain()
        return events


def registered(settings: RegistrationSettings = SETTINGS) -> Line:
    line = Line(settings)
    line.register(0.0)
    line.reply(1.0, 200, ("Contact", f"{CONTACT};expires=600"))
    return line


def test_the_first_request_is_as_rfc_3261_asks() -> None:
    line = Line(replace(SETTINGS, route=("<sip:edge;lr>",), headers=(("X-Foo", "bar"),), user_agent="tester"))
    line.register(0.0)
    (request,) = line.sent
    assert (request.method, request.uri, line.hops) == ("REGISTER", "sip:example.org", [REGISTRAR])
    headers = request.headers
    assert headers.get("Via") == f"SIP/2.0/UDP 192.0.2.10:5060;rport;branch={request.via.branch}"
    assert (request.from_.address(), request.to.address()) == ("Bob <sip:bob@example.org>",) * 2
    assert (line.it.key, request.to_tag) == ((request.call_id, request.from_tag), None)
    found = [headers.get(name) for name in ("Contact", "Expires", "Route", "X-Foo", "User-Agent", "Supported", "CSeq")]
    assert found == [CONTACT, "600", "<sip:edge;lr>", "bar", "tester", "path", "1 REGISTER"]
    bare = Line(replace(SETTINGS, supported=""))
    bare.register(0.0)
    assert "Supported" not in bare.sent[0].headers


def test_a_success_tells_all_that_was_granted() -> None:
    line = Line()
    line.register(0.0)
    (event,) = line.reply(
        1.0,
        200,
        ("Contact", f'{CONTACT};expires=300;pub-gruu="sip:bob@example.org;gr=1", <sip:bob@desk>;expires=20'),
        ("Service-Route", "<sip:p1;lr>, <sip:p2;lr>"),
        ("Path", "<sip:edge;lr>"),
        ("P-Associated-URI", "<tel:+15550100>"),
    )
    assert isinstance(event, Registered)
    assert (event.expires, event.service_route, event.path) == (300, ("<sip:p1;lr>", "<sip:p2;lr>"), ("<sip:edge;lr>",))
    assert event.associated_uris == ("<tel:+15550100>",)
    assert event.bindings[0].params["pub-gruu"] == "sip:bob@example.org;gr=1"
    assert (line.it.state, line.it.bound_until, line.it.service_route) == (S.REGISTERED, 300.0, event.service_route)
    # RFC 3608: each 2xx replaces what the one before it granted.
    line.wait(225.0)
    line.reply(225.5, 200, ("Contact", f"{CONTACT};expires=300"))
    assert line.it.service_route == ()


@pytest.mark.parametrize("junk", ["junk", "@@", "<foo:bar>", "<tel:+1>", "<sip:[::bad>", "*", "<sip:>", "<sip:a", ""])
def test_a_service_route_keeps_what_can_be_a_route(junk: str) -> None:
    for values in ((junk, "<sip:p1;lr>", '"Edge" <sip:p2;lr>;x=y'), ("<sip:p1;lr>", '"Edge" <sip:p2;lr>;x=y', junk)):
        for fields in ((("Service-Route", ", ".join(values)),), tuple(("Service-Route", each) for each in values)):
            line = Line()
            line.register(0.0)
            line.reply(1.0, 200, ("Contact", CONTACT), *fields)
            assert line.it.service_route == ("<sip:p1;lr>", "Edge <sip:p2;lr>;x=y")
    line = Line()
    line.register(0.0)
    line.reply(1.0, 200, ("Contact", CONTACT), ("Service-Route", junk))
    assert line.it.service_route == ()


def test_the_refresh_comes_at_its_part_of_the_granted_time_again_and_again() -> None:
    line = registered()
    assert line.it.deadline == 450.0
    line.it.handle_timer(449.9)
    assert line.drain() == []
    line.wait(450.0)
    assert [request.cseq.number for request in line.sent] == [1, 2]
    assert line.sent[0].call_id == line.sent[1].call_id
    assert line.sent[0].from_tag == line.sent[1].from_tag
    line.reply(451.0, 200, ("Contact", f"{CONTACT};expires=100"))
    assert line.it.deadline == 525.0


def test_refreshes_spread_over_their_window() -> None:
    settings = replace(SETTINGS, refresh_earliest=0.5, refresh_latest=0.9)
    times = []
    for seed in range(200):
        line = Line(settings, seed=seed)
        line.register(0.0)
        line.reply(0.0, 200, ("Expires", "600"))
        assert line.it.deadline is not None
        times.append(line.it.deadline)
    assert 300.0 <= min(times) < 320.0
    assert 520.0 < max(times) < 540.0


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ((("Contact", f"{CONTACT};expires=60"), ("Expires", "500")), 60),
        ((("Contact", CONTACT), ("Expires", "500")), 500),
        ((("Contact", CONTACT),), 600),
        ((), 600),
        ((("Expires", "50"),), 50),
        ((("Contact", "<sip:bob@rewritten:9>;expires=77"), ("Expires", "50")), 50),
        # Not ours as it is written: to come back after the shortest time named is safe.
        ((("Contact", "<sip:BOB@192.0.2.10>;expires=5"),), 5),
        ((("Contact", "<sip:bob@192.0.2.10:5060;x=y>;expires=7"),), 7),
        ((("Contact", "<broken"),), 600),
        # A time that is no whole number: never longer than what was requested.
        ((("Contact", f"{CONTACT};expires=33.5"), ("Expires", "500")), 33),
        ((("Contact", f"{CONTACT};expires=060"),), 60),
        ((("Contact", f"{CONTACT};expires=-3"),), 600),
        ((("Contact", f"{CONTACT};expires=x"), ("Expires", "50")), 50),
        ((("Contact", f"{CONTACT};expires=99999999999"),), 600),
        ((("Contact", f"{CONTACT};expires="),), 600),
        ((("Contact", f'{CONTACT};expires="44"'),), 44),
        ((("Contact", f"{CONTACT};expires=9.9, <sip:bob@desk>;expires=5"),), 9),
        ((("Contact", f"{CONTACT};expires=0"),), None),
        ((("Expires", "0"),), None),
        # No whole number, or more than can be: the shorter of what it may mean and what was asked.
        ((("Contact", f"{CONTACT};expires=33.5"),), 33),
        ((("Contact", f"{CONTACT};expires=0.5"),), 1),
        ((("Contact", f'{CONTACT};expires="33"'),), 33),
        ((("Contact", f"{CONTACT};expires=soon"),), 600),
        ((("Contact", f"{CONTACT};expires"),), 600),
        ((("Contact", f"{CONTACT};expires=4294967295"),), 600),
        ((("Contact", f"{CONTACT};expires={'9' * 400}"),), 600),
        ((("Contact", f"{CONTACT};expires=3600"),), 3600),
        ((("Expires", "33.5"),), 33),
        ((("Expires", "-3"),), 600),
        ((("Expires", "99999999999"),), 600),
        ((("Contact", CONTACT), ("Expires", "44.9")), 44),
        ((("Contact", "<sip:else@rewritten>;expires=12.7"),), 12),
        ((("Contact", "<sip:else@rewritten>;expires=-12"),), 600),
        ((("Contact", "<sip:else@rewritten>;expires=0, <sip:b@rewritten>;expires=9"),), 9),
    ],
)
def test_how_long_was_granted(headers: tuple[tuple[str, str], ...], granted: int | None) -> None:
    line = Line()
    line.register(0.0)
    (event,) = line.reply(2.0, 200, *headers)
    if granted is None:
        assert isinstance(event, RegistrationFailed)
        assert (event.status, line.it.state, event.bound) == (200, S.WAITING, False)
    else:
        assert isinstance(event, Registered)
        assert (event.expires, line.it.bound_until) == (granted, float(granted))


def test_several_contacts_are_bound_together_and_refreshed_before_the_first_ends() -> None:
    second = "<sip:bob@192.0.2.11>;expires=120;q=0.5"
    line = Line(replace(SETTINGS, contacts=(CONTACT, second)))
    line.register(0.0)
    assert line.sent[0].headers.get_all("Contact") == [CONTACT, second]
    line.reply(1.0, 200, ("Contact", f"{CONTACT};expires=600, <sip:bob@192.0.2.11>;expires=120"))
    assert line.it.deadline == 90.0
    line.unregister(50.0)
    # The parameter would win over the header, so it must say 0 too.
    assert line.sent[-1].headers.get_all("Contact") == [CONTACT, "<sip:bob@192.0.2.11>;expires=0;q=0.5"]
    assert line.sent[-1].expires == 0


def test_423_asks_for_what_the_registrar_wants_at_once_and_keeps_to_it() -> None:
    line = Line(replace(SETTINGS, contacts=(CONTACT, "<sip:b@192.0.2.11>;expires=30")))
    line.register(0.0)
    assert line.reply(0.1, 423, ("Min-Expires", "1800")) == []
    assert [request.expires for request in line.sent] == [600, 1800]
    assert line.sent[1].headers.get_all("Contact")[1] == "<sip:b@192.0.2.11>;expires=1800"
    line.reply(0.2, 200, ("Expires", "1800"))
    line.wait(1350.1)
    assert [request.expires for request in line.sent] == [600, 1800, 1800]


@pytest.mark.parametrize(
    ("headers", "second"),
    [
        ((), 3600),
        ((("Min-Expires", "x"),), 3600),
        ((("Min-Expires", "60"),), None),
        ((("Min-Expires", "4000000"),), None),
    ],
)
def test_423_without_a_useful_minimum(headers: tuple[tuple[str, str], ...], second: int | None) -> None:
    line = Line()
    line.register(0.0)
    events = line.reply(0.1, 423, *headers)
    if second is None:
        assert [event.status for event in events if isinstance(event, RegistrationFailed)] == [423]
    else:
        assert (events, line.sent[-1].expires) == ([], second)
        (event,) = line.reply(0.2, 423)
        assert isinstance(event, RegistrationFailed)


@pytest.mark.parametrize("proxy", [False, True])
def test_a_challenge_is_answered_and_later_requests_are_authorized_beforehand(proxy: bool) -> None:
    judge = DigestServer(b"s" * 16, "example.org", Tokens(random.Random(3).randbytes), proxy=proxy)
    users = {"bob": "zanzibar"}
    line = Line()
    line.register(0.0)

    def judged(now: float) -> Outcome:
        verdict = judge.verify(line.sent[-1], users.get, now)
        if verdict.ok:
            line.reply(now, 200, ("Contact", f"{CONTACT};expires=60"))
        else:
            line.reply(now, *_refusal(judge, line.sent[-1], users, now))
        return verdict.outcome

    assert judged(0.1) is Outcome.MISSING
    assert judged(0.2) is Outcome.OK
    # The refresh after 45 s needs no round trip; the one after 90 s finds a stale nonce and gets a new one.
    line.wait(45.1)
    assert judged(45.2) is Outcome.OK
    line.wait(90.1)
    assert judged(90.3) is Outcome.STALE
    assert judged(90.4) is Outcome.OK
    assert [request.cseq.number for request in line.sent] == [1, 2, 3, 4, 5]
    assert len({request.via.branch for request in line.sent}) == 5
    assert len({request.call_id for request in line.sent}) == 1


def _refusal(
    judge: DigestServer, request: Request, users: dict[str, str], now: float
) -> tuple[int, *tuple[tuple[str, str], ...]]:
    status, pairs = judge.refusal(judge.verify(request, users.get, now), now)
    return (status, *pairs)


@pytest.mark.parametrize("realm", ["example.org", "elsewhere"])
def test_a_wrong_password_and_a_foreign_realm_back_off(realm: str) -> None:
    line = Line()
    line.register(0.0)
    events = line.reply(0.1, 401, ("WWW-Authenticate", f'Digest realm="{realm}", nonce="1", qop="auth"'))
    if realm == "example.org":
        assert events == []
        events = line.reply(0.2, 401, ("WWW-Authenticate", f'Digest realm="{realm}", nonce="2", qop="auth"'))
    (event,) = events
    assert isinstance(event, RegistrationFailed)
    assert (event.status, line.it.state) == (401, S.WAITING)


def test_without_credentials_every_challenge_is_a_failure() -> None:
    line = Line(replace(SETTINGS, credentials=None))
    line.register(0.0)
    (event,) = line.reply(0.1, 407, ("Proxy-Authenticate", 'Digest realm="example.org", nonce="1"'))
    assert isinstance(event, RegistrationFailed)


def test_failures_back_off_as_rfc_5626_says() -> None:
    # With random bytes of zero each wait is the half of its upper bound: 30, 60, 120 … up to 900 seconds.
    line = Line(seed=None)
    line.register(0.0)
    now, waits = 0.0, []
    for _ in range(8):
        (event,) = line.reply(now, 503)
        assert isinstance(event, RegistrationFailed)
        assert event.retry_at is not None
        waits.append(event.retry_at - now)
        now = event.retry_at
        line.wait(now)
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    # One success, and the next failure starts from the beginning.
    line.reply(now, 200, ("Expires", "600"))
    line.wait(now + 450.0)
    (event,) = line.reply(now + 450.0, 500)
    assert isinstance(event, RegistrationFailed)
    assert event.retry_at == now + 480.0


def test_back_off_is_spread_between_half_and_all() -> None:
    waits = []
    for seed in range(100):
        line = Line(seed=seed)
        line.register(0.0)
        (event,) = line.reply(0.0, 500)
        assert isinstance(event, RegistrationFailed)
        waits.append(event.retry_at or 0.0)
    assert 30.0 <= min(waits) < 33.0
    assert 57.0 < max(waits) < 60.0


@pytest.mark.parametrize(
    ("value", "wait"), [("10", 30.0), ("300 (busy);duration=5", 300.0), ("999999", 1800.0), ("x", 30.0)]
)
def test_retry_after_only_makes_the_wait_longer(value: str, wait: float) -> None:
    line = Line(seed=None)
    line.register(0.0)
    (event,) = line.reply(1.0, 503, ("Retry-After", value))
    assert isinstance(event, RegistrationFailed)
    assert event.retry_at == 1.0 + wait


def test_silence_is_repeated_by_timer_e_and_ends_by_timer_f() -> None:
    line = Line()
    line.register(0.0)
    (event,) = line.wait(32.0)
    assert (len(line.sent), line.it.retransmissions) == (11, 10)
    assert len({request.via.branch for request in line.sent}) == 1
    assert isinstance(event, RegistrationFailed)
    assert (event.status, event.response, event.bound) == (408, None, False)


def test_the_next_request_goes_where_the_registration_was_moved_to() -> None:
    line = Line()
    line.register(0.0)
    assert line.it.asked_at == 0.0
    elsewhere = Hop("udp", "192.0.2.99", 5060)
    line.it.move(Way(elsewhere, ME, (CONTACT,)))
    assert line.it.drain() == ([], [])
    line.wait(32.0)
    line.it.register(40.0)
    ((transmit,), _) = line.it.drain()
    assert transmit.hop == elsewhere
    assert line.it.asked_at == 40.0


def test_a_failed_transport_counts_as_503_for_its_own_request_only() -> None:
    line = Line()
    line.register(0.0)
    line.it.transport_failed("z9hG4bKother", 0.1)
    assert line.drain() == []
    line.it.transport_failed(line.sent[-1].via.branch or "", 0.1)
    (event,) = line.drain()
    assert isinstance(event, RegistrationFailed)
    assert event.status == 503
    line.it.transport_failed(line.sent[-1].via.branch or "", 0.2)
    assert line.drain() == []


def test_a_binding_that_cannot_be_refreshed_lapses_when_its_time_is_over() -> None:
    line = registered()
    line.wait(450.0)
    (failed,) = line.reply(450.5, 500)
    assert isinstance(failed, RegistrationFailed)
    assert failed.bound
    # The tries go on; at 600 s, counted from the request that was answered, the binding is gone.
    events = line.wait(600.0)
    assert RegistrationLapsed(600.0) in events
    assert line.it.bound_until is None
    assert line.it.state in (S.WAITING, S.REGISTERING)


@pytest.mark.parametrize(("late", "lapses"), [(100.0, False), (151.0, True), (86400.0, True)])
def test_a_refresh_that_comes_late_is_sent_once_and_binds_again(late: float, lapses: bool) -> None:
    line = registered()
    now = 450.0 + late
    events: list[RegistrationEvent] = []
    while line.it.deadline is not None and line.it.deadline <= now:
        line.it.handle_timer(now)
        events += line.drain()
    assert [each.cseq.number for each in line.sent] == [1, 2]
    assert events == ([RegistrationLapsed(600.0)] if lapses else [])
    assert (line.it.bound_until is None) is lapses
    (again,) = line.reply(now + 1.0, 200, ("Contact", f"{CONTACT};expires=600"))
    assert isinstance(again, Registered)
    assert line.it.bound_until == now + 600.0
    assert line.it.deadline == pytest.approx(now + 450.0)


def test_one_try_is_all_when_asked_so() -> None:
    line = Line(replace(SETTINGS, retry=False))
    line.register(0.0)
    (event,) = line.reply(0.5, 403)
    assert isinstance(event, RegistrationFailed)
    assert (event.status, event.retry_at, line.it.state, line.it.deadline) == (403, None, S.ENDED, None)


def test_unregister_removes_our_contacts_or_all() -> None:
    for everything, contact in ((False, CONTACT), (True, "*")):
        line = registered()
        line.unregister(10.0, everything=everything)
        request = line.sent[-1]
        assert (request.headers.get("Contact"), request.expires, request.cseq.number) == (contact, 0, 2)
        (event,) = line.reply(10.1, 200)
        assert isinstance(event, Unregistered)
        assert (event.status, line.it.state, line.it.deadline, line.it.bound_until) == (200, S.ENDED, None, None)
        assert line.unregister(11.0) == []
        # And back again, with what was asked for in the beginning.
        line.register(12.0)
        assert (line.sent[-1].expires, line.sent[-1].headers.get("Contact")) == (600, CONTACT)


def test_a_removal_waits_for_the_request_that_is_out() -> None:
    for status in (200, 500):
        line = Line()
        line.register(0.0)
        line.unregister(0.1)
        line.unregister(0.2)
        assert (len(line.sent), line.it.state) == (1, S.CLOSING)
        line.reply(0.3, status)
        assert (len(line.sent), line.it.state, line.sent[-1].expires) == (2, S.UNREGISTERING, 0)
        assert line.unregister(0.4) == []
        (event,) = line.wait(33.0)
        assert isinstance(event, Unregistered)
        assert event.status == 408


def test_our_command_comes_before_the_plan_and_may_name_another_hop() -> None:
    line = registered()
    line.it.register(10.0, way=Way(Hop("tcp", "192.0.2.2", 5060), ME, (CONTACT,)))
    line.drain()
    assert line.hops[-1] == Hop("tcp", "192.0.2.2", 5060)
    with pytest.raises(LocalProtocolError):
        line.it.register(10.1)
    line.reply(10.2, 500)
    line.register(10.3)
    assert line.it.state is S.REGISTERING


def test_strange_and_late_responses_change_nothing() -> None:
    line = Line()
    line.register(0.0)
    for status in (100, 180):
        assert line.reply(0.1, status) == []
    final = Response.to_request(line.sent[-1], 200, extra=[("Expires", "60")])
    line.it.receive(final, 0.2)
    line.drain()
    line.it.receive(final, 0.3)
    assert line.drain() == []
    assert line.it.deadline == 45.0


def test_every_state_and_command_does_what_the_table_says() -> None:
    def in_state(state: RegistrationState) -> Line:
        line = Line()
        if state is not S.IDLE:
            line.register(0.0)
        if state is S.REGISTERED:
            line.reply(1.0, 200)
        elif state is S.WAITING:
            line.reply(1.0, 500)
        elif state in (S.CLOSING, S.UNREGISTERING, S.ENDED):
            line.unregister(1.0)
            if state is not S.CLOSING:
                line.reply(2.0, 200)
            if state is S.ENDED:
                line.reply(3.0, 200)
        assert line.it.state is state
        return line

    for state, command in itertools.product(S, (I.REGISTER, I.UNREGISTER)):
        line = in_state(state)
        row = REGISTRATION_TABLE.get((state, command))
        act = line.register if command is I.REGISTER else line.unregister
        if row is None:
            with pytest.raises(LocalProtocolError):
                act(5.0)
            assert line.it.state is state
        else:
            act(5.0)
            assert line.it.state is row[0]
    for state, status in itertools.product(S, (200, 500)):
        line = in_state(state)
        row = REGISTRATION_TABLE.get((state, I.SUCCESS if status == 200 else I.FAILURE))
        if line.sent:
            line.reply(5.0, status)
        # Where no request is out, an answer is a late one and ignored.
        assert line.it.state is (row[0] if row is not None else state)


@pytest.mark.parametrize(
    "change", [{"registrar": "x"}, {"address": "x y"}, {"contacts": ("<sip:a",)}, {"registrar": "sip:"}]
)
def test_addresses_that_are_none_are_refused_at_once(change: dict[str, str]) -> None:
    with pytest.raises(ParseError):
        Registration(replace(SETTINGS, **change), Tokens(bytes))  # type: ignore[arg-type] # the row's own mixture


def test_ipv6_and_tcp_are_written_as_they_should_be() -> None:
    line = Line(replace(SETTINGS, local=Hop("tcp", "2001:db8::1", 5070), hop=Hop("tcp", "2001:db8::2", 5060)))
    line.register(0.0)
    assert (line.sent[0].headers.get("Via") or "").startswith("SIP/2.0/TCP [2001:db8::1]:5070;rport;branch=")
    # A reliable transport repeats nothing; timer F still ends it.
    (event,) = line.wait(32.0)
    assert (len(line.sent), isinstance(event, RegistrationFailed)) == (1, True)


def test_a_place_of_the_other_ip_version_sees_another_local_address_and_contact() -> None:
    line = Line()
    line.register(0.0)
    line.wait(32.0)
    six = Hop("udp", "2001:db8::9", 5060)
    line.it.register(32.0, way=Way(Hop("udp", "2001:db8::1", 5060), six, ("<sip:bob@[2001:db8::9]:5060>",)))
    line.drain()
    request = line.sent[-1]
    assert line.hops[-1].host == "2001:db8::1"
    assert (request.via.host, request.headers.get("Contact")) == ("2001:db8::9", "<sip:bob@[2001:db8::9]:5060>")
    assert request.cseq.number == 2
    (event,) = line.reply(33.0, 200, ("Contact", "<sip:bob@[2001:db8::9]:5060>;expires=77, <sip:b@desk>;expires=5"))
    assert isinstance(event, Registered)
    assert event.expires == 77
    line.unregister(40.0)
    assert (line.sent[-1].headers.get("Contact"), line.hops[-1].host) == (request.headers.get("Contact"), "2001:db8::1")


# ---- 3xx (RFC 3261 section 8.1.3.4)

REDIRECTED = replace(SETTINGS, redirects=3)
OTHER = Hop("udp", "192.0.2.77", 5080)


@pytest.mark.parametrize("status", [300, 301, 302, 380])
@pytest.mark.parametrize("target", ["<sip:192.0.2.77:5080>", "sip:alice@192.0.2.77:5080;transport=udp?Subject=x"])
def test_a_register_goes_to_the_target_of_a_3xx_and_stays_there(status: int, target: str) -> None:
    line = Line(REDIRECTED)
    line.register(0.0)
    assert line.reply(0.5, status, ("Contact", target)) == []
    first, second = line.sent
    assert line.hops[1] == OTHER
    assert second.uri in ("sip:192.0.2.77:5080", "sip:192.0.2.77:5080;transport=udp")  # 10.2: without a user
    assert (second.call_id, second.from_tag, second.cseq.number) == (first.call_id, first.from_tag, 2)
    assert second.branch != first.branch
    (event,) = line.reply(1.0, 200, ("Contact", f"{CONTACT};expires=60"))
    assert isinstance(event, Registered)
    line.wait(45.6)
    assert line.hops[2] == OTHER, "the binding is refreshed where it is"
    line.reply(45.7, 200, ("Contact", f"{CONTACT};expires=60"))
    line.unregister(51.0)
    assert (line.hops[3], line.sent[3].expires) == (OTHER, 0)


def test_a_305_names_the_proxy_of_the_same_request() -> None:
    line = Line(REDIRECTED)
    line.register(0.0)
    line.reply(0.5, 305, ("Contact", "<sip:192.0.2.77:5080>"))
    assert (line.hops[1], line.sent[1].uri) == (OTHER, SETTINGS.registrar)


def test_targets_are_tried_by_their_preference_while_they_fail() -> None:
    line = Line(REDIRECTED)
    line.register(0.0)
    contacts = "<sip:192.0.2.71>;q=0.1, <sip:192.0.2.72>;q=0.9, <sip:192.0.2.73>;q=0.5, <sip:192.0.2.74>;q=0.05"
    assert line.reply(0.5, 302, ("Contact", contacts)) == []
    assert line.reply(0.6, 404) == []
    line.it.transport_failed(line.sent[-1].branch, 0.7)
    assert line.drain() == []
    (event,) = line.reply(0.8, 503)  # three were allowed
    assert isinstance(event, RegistrationFailed)
    assert [hop.host for hop in line.hops] == ["192.0.2.1", "192.0.2.72", "192.0.2.73", "192.0.2.71"]
    assert event.retry_at is not None
    line.wait(event.retry_at)
    assert (line.hops[-1], line.sent[-1].uri) == (REGISTRAR, SETTINGS.registrar), "the next try begins at home"


@pytest.mark.parametrize(
    ("redirects", "status", "contact"),
    [
        (0, 302, "<sip:192.0.2.77>"),
        (3, 302, ""),
        (3, 302, "junk"),
        (3, 302, "*"),
        (3, 302, "<tel:+1>"),
        (3, 302, "<sip:example.org>"),  # where it was
        (3, 302, "<sip:192.0.2.77;transport=tcp>"),  # what this leg does not reach
        (3, 302, "<sips:192.0.2.77>"),
        (3, 302, "<sip:[2001:db8::1]>"),
    ],
)
def test_a_3xx_without_a_target_that_may_be_tried_is_a_failure(redirects: int, status: int, contact: str) -> None:
    line = Line(replace(SETTINGS, redirects=redirects))
    line.register(0.0)
    (event,) = line.reply(0.5, status, *[("Contact", contact)] if contact else [])
    assert isinstance(event, RegistrationFailed)
    assert (event.status, len(line.sent)) == (status, 1)


def test_registrars_that_send_to_each_other_end_the_try() -> None:
    line = Line(replace(SETTINGS, redirects=9))
    line.register(0.0)
    line.reply(0.1, 302, ("Contact", "<sip:192.0.2.71>"))
    line.reply(0.2, 302, ("Contact", "<sip:192.0.2.72>"))
    (event,) = line.reply(0.3, 302, ("Contact", "<sip:192.0.2.71>, <sip:example.org>"))
    assert isinstance(event, RegistrationFailed)
    assert len(line.sent) == 3


def test_a_target_gets_its_requests_through_the_proxy() -> None:
    line = Line(replace(REDIRECTED, proxied=True))
    line.register(0.0)
    line.reply(0.1, 302, ("Contact", "<sip:192.0.2.71>"))
    assert (line.hops[1], line.sent[1].uri) == (REGISTRAR, "sip:192.0.2.71")


def test_credentials_are_not_shown_to_the_target_of_a_3xx_which_they_are_not_for() -> None:
    challenge = ("WWW-Authenticate", 'Digest realm="example.org", nonce="n", qop="auth"')
    line = Line(REDIRECTED)
    line.register(0.0)
    line.reply(0.1, 302, ("Contact", "<sip:192.0.2.71>"))
    (event,) = line.reply(0.2, 401, challenge)
    assert isinstance(event, RegistrationFailed)
    assert event.status == 401
    assert not [request for request in line.sent if "Authorization" in request.headers]
    at_home = Line(REDIRECTED)
    at_home.register(0.0)
    at_home.reply(0.1, 401, challenge)
    at_home.reply(0.2, 302, ("Contact", "<sip:192.0.2.71>"))
    assert ["Authorization" in request.headers for request in at_home.sent] == [False, True, False]


def test_a_removal_follows_a_3xx_too() -> None:
    line = registered(REDIRECTED)
    line.unregister(5.0)
    line.reply(5.1, 302, ("Contact", "<sip:192.0.2.77:5080>"))
    assert (line.hops[-1], line.sent[-1].expires) == (OTHER, 0)
    (event,) = line.reply(5.2, 200)
    assert isinstance(event, Unregistered)
    assert event.status == 200


def test_a_request_that_is_out_stays_where_its_via_is_right() -> None:
    line = Line()
    line.register(0.0)
    line.it.move(Way(Hop("udp", "2001:db8::1", 5060), Hop("udp", "2001:db8::9", 5060), ("<sip:b@[2001:db8::9]>",)))
    (event,) = line.wait(32.0)
    assert {hop.host for hop in line.hops} == {REGISTRAR.host}
    assert isinstance(event, RegistrationFailed)
    assert event.retry_at is not None
    line.wait(event.retry_at)
    request = line.sent[-1]
    assert (line.hops[-1].host, request.via.host) == ("2001:db8::1", "2001:db8::9")
    assert request.headers.get("Contact") == "<sip:b@[2001:db8::9]>"
