"""Single requests over a wire of two lists, with literal times: places, targets of 3xx, challenges, silence."""

import random
from dataclasses import replace

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.transaction.client_exchange import Finished, Way
from sipswarm.sipcore.usage.standalone_request import RequestSettings, StandaloneRequest
from tests.sipcore.accounts import Account, Accounts

ME, ME_TCP = Hop("udp", "192.0.2.10", 5060), Hop("tcp", "192.0.2.10", 5061)
ONE, TWO, THREE = (Hop("udp", f"192.0.2.{number}", 5060) for number in (1, 2, 3))
CHALLENGE = ("WWW-Authenticate", 'Digest realm="example.org", nonce="1", qop="auth", algorithm=SHA-256')
STALE = ("WWW-Authenticate", 'Digest realm="example.org", nonce="2", qop="auth", algorithm=SHA-256, stale=true')


def way(hop: Hop) -> Way | None:
    """The way to a hop: UDP and TCP are there, TLS is not."""
    if hop.transport == "tls":
        return None
    local = ME if hop.transport == "udp" else ME_TCP
    return Way(hop, local, (f"<sip:alice@{local.host}:{local.port}>",))


def ways(*hops: Hop) -> tuple[Way, ...]:
    return tuple(each for each in map(way, hops) if each is not None)


SETTINGS = RequestSettings(
    "SUBSCRIBE",
    "sip:bob@example.org",
    "sip:alice@example.org",
    ways(ONE, TWO),
    headers=(("Event", "dialog"),),
    body=b"filter",
    content_type="text/plain",
    credentials=Accounts([Account("alice", "secret", "example.org", "example.org")]),
    reach=way,
    redirects=2,
)


class Line:
    """A request, what left it and where it went, and how it ended."""

    def __init__(self, **change: object) -> None:
        self.it = StandaloneRequest(replace(SETTINGS, **change), Tokens(random.Random(1).randbytes))  # type: ignore[arg-type]
        self.sent: list[Request] = []
        self.hops: list[Hop] = []
        self.ends: list[Finished] = []
        self.it.send(0.0)
        self.drain()

    def drain(self) -> None:
        transmits, ends = self.it.drain()
        for transmit in transmits:
            message = parse(transmit.data)
            assert isinstance(message, Request)
            self.sent.append(message)
            self.hops.append(transmit.hop)
        self.ends += ends

    def reply(self, now: float, status: int, *headers: tuple[str, str]) -> None:
        response = parse(Response.to_request(self.sent[-1], status, to_tag="n", extra=headers).to_bytes())
        assert isinstance(response, Response)
        self.it.receive(response, now)
        self.drain()

    def wait(self, until: float) -> None:
        while (at := self.it.deadline) is not None and at <= until:
            self.it.handle_timer(at)
            self.drain()

    @property
    def statuses(self) -> list[tuple[int, bool]]:
        return [(end.status, end.response is not None) for end in self.ends]


def test_a_request_has_the_headers_of_8_1_1_and_one_end() -> None:
    line = Line(route=("<sip:192.0.2.9;lr>",), user_agent="us")
    (request,) = line.sent
    assert (request.method, request.uri, request.body) == ("SUBSCRIBE", "sip:bob@example.org", b"filter")
    assert (request.call_id, request.from_tag) == line.it.key
    assert request.to_tag is None
    expected = {
        "Max-Forwards": "70",
        "Route": "<sip:192.0.2.9;lr>",
        "To": "<sip:bob@example.org>",
        "CSeq": "1 SUBSCRIBE",
    }
    expected |= {"Event": "dialog", "Content-Type": "text/plain", "User-Agent": "us"}
    assert {name: request.headers.get(name) for name in expected} == expected
    assert [str(each.uri) for each in request.contacts] == ["sip:alice@192.0.2.10:5060"]
    line.reply(0.1, 100)
    assert line.statuses == []
    line.reply(0.2, 200)
    line.reply(0.3, 200)
    assert line.statuses == [(200, True)]
    with pytest.raises(LocalProtocolError):
        Line().it.send(0.4)


def test_repetitions_of_the_response_are_absorbed_for_t4_over_udp() -> None:
    line = Line()
    line.reply(0.2, 200)
    assert [line.it.deadline] == [5.2]
    line.wait(5.2)
    assert [line.it.deadline] == [None]
    over_tcp = Line(ways=ways(Hop("tcp", "192.0.2.1", 5060)))
    over_tcp.reply(0.2, 200)
    assert over_tcp.it.deadline is None


@pytest.mark.parametrize("how", ["503", "silence", "transport"])
def test_the_next_place_follows_one_that_does_not_serve(how: str) -> None:
    line = Line()
    if how == "503":
        line.reply(1.0, 503)
    elif how == "silence":
        line.wait(32.0)
    else:
        line.it.transport_failed(line.sent[-1].branch, 1.0)
        line.drain()
    assert line.hops[-1] == TWO
    assert line.sent[-1].branch != line.sent[0].branch
    assert line.sent[-1].cseq.number == 2
    assert line.statuses == []
    line.reply(33.0, 503)
    assert line.statuses == [(503, True)]


def test_all_places_silent_end_it_as_408_without_a_response_and_a_timeout_bounds_all_of_them() -> None:
    line = Line()
    line.wait(70.0)
    assert line.statuses == [(408, False)]
    assert set(line.hops) == {ONE, TWO}
    short = Line(timeout=3.0)
    short.wait(3.0)
    assert short.statuses == [(408, False)]
    assert set(short.hops) == {ONE}
    failed = Line(ways=ways(ONE))
    failed.it.transport_failed(failed.sent[-1].branch, 1.0)
    failed.drain()
    assert failed.statuses == [(503, False)]


def test_a_challenge_is_answered_once_and_a_stale_nonce_again() -> None:
    line = Line()
    line.reply(0.1, 401, CHALLENGE)
    assert 'username="alice"' in (line.sent[-1].headers.get("Authorization") or "")
    line.reply(0.2, 401, STALE)
    assert 'nonce="2"' in (line.sent[-1].headers.get("Authorization") or "")
    line.reply(0.3, 401, CHALLENGE)
    assert line.statuses == [(401, True)]
    nobody = Line(credentials=None)
    nobody.reply(0.1, 401, CHALLENGE)
    assert nobody.statuses == [(401, True)]


def test_targets_of_a_3xx_follow_by_their_q_as_far_as_there_is_a_way() -> None:
    line = Line()
    contacts = "<sip:c@192.0.2.3>;q=0.1, <sip:b@192.0.2.2;transport=tcp?Subject=x&Via=y>;q=0.9, <sips:a@192.0.2.4>"
    line.reply(0.1, 302, ("Contact", contacts))
    assert (line.hops[-1], line.sent[-1].uri) == (Hop("tcp", "192.0.2.2", 5060), "sip:b@192.0.2.2;transport=tcp")
    assert line.sent[-1].headers.get("Subject") == "x"
    assert line.sent[-1].via.transport == "TCP"
    assert "192.0.2.10:5061" in (line.sent[-1].headers.get("Contact") or "")
    line.reply(0.2, 404)
    assert (line.hops[-1], line.sent[-1].uri) == (THREE, "sip:c@192.0.2.3")
    assert line.sent[-1].headers.get("Subject") is None
    line.reply(0.3, 302, ("Contact", "<sip:d@192.0.2.2>"))  # one more than `redirects`
    assert line.statuses == [(302, True)]


@pytest.mark.parametrize(
    ("change", "status", "contact"),
    [
        ({"redirects": 0}, 302, "<sip:b@192.0.2.2>"),
        ({"reach": None}, 302, "<sip:b@192.0.2.2>"),
        ({}, 302, "<sip:bob@example.org>"),
        ({}, 302, "<sips:b@192.0.2.2>"),
        ({}, 302, "<mailto:b@192.0.2.2>"),
        ({}, 603, "<sip:b@192.0.2.2>"),
    ],
)
def test_what_is_not_followed_is_the_end(change: dict[str, object], status: int, contact: str) -> None:
    line = Line(**change)
    line.reply(0.1, status, ("Contact", contact))
    assert (len(line.sent), line.statuses) == (1, [(status, True)])


def test_credentials_go_to_the_host_that_was_asked_and_to_no_target_of_a_3xx() -> None:
    line = Line()
    line.reply(0.1, 401, CHALLENGE)
    line.reply(0.2, 302, ("Contact", "<sip:b@192.0.2.2>"))
    assert line.sent[-1].headers.get("Authorization") is None
    line.reply(0.3, 401, CHALLENGE)
    assert line.statuses == [(401, True)]


def test_a_uri_with_headers_gives_them_to_the_request() -> None:
    line = Line(target="sip:bob@example.org?Subject=hi&Route=forged", headers=())
    (request,) = line.sent
    assert (request.uri, request.headers.get("To")) == ("sip:bob@example.org", "<sip:bob@example.org>")
    assert (request.headers.get("Subject"), request.headers.get("Route")) == ("hi", None)


def test_an_abandoned_request_has_no_end_and_waits_for_nothing() -> None:
    line = Line()
    line.it.abandon()
    line.reply(0.1, 200)
    assert (line.ends, line.it.deadline, line.it.is_open) == ([], None, False)


def test_over_a_connection_that_is_lost_it_is_sent_again_at_once() -> None:
    line = Line(ways=ways(Hop("tcp", "192.0.2.1", 5060)))
    line.it.connections_lost(1.0)
    line.wait(1.0)
    assert [each.branch for each in line.sent] == [line.sent[0].branch] * 2
    assert line.it.retransmissions == 1


@pytest.mark.parametrize("target", ["", "sip:", "<sip:bob@example.org"])
def test_a_target_that_is_no_address_is_refused(target: str) -> None:
    with pytest.raises(ParseError):
        Line(target=target)


def test_a_register_goes_to_the_domain_of_its_address() -> None:
    line = Line(method="REGISTER", target="sip:bob@example.org:5070;transport=tcp", body=b"", headers=())
    (request,) = line.sent
    assert (request.uri, request.to.uri.user) == ("sip:example.org:5070;transport=tcp", "bob")
