"""SIP messages are counted by method and code, and nothing a peer writes makes a new time series."""

import pytest

from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.transport.counters import SipCounters
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse

HEADERS = "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: x\r\n"
REQUESTS = "sipswarm_sip_requests_total"
RESPONSES = "sipswarm_sip_responses_total"


def request(method: str) -> bytes:
    return f"{method} sip:b@b SIP/2.0\r\n{HEADERS}CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n".encode()


def response(status: int, method: str, name: str = "CSeq") -> bytes:
    return f"SIP/2.0 {status} Whatever\r\n{HEADERS}{name}: 1 {method}\r\nContent-Length: 0\r\n\r\n".encode()


def message(data: bytes) -> Request | Response:
    return parse(data)


ROWS = [
    (request("INVITE"), (REQUESTS, ("INVITE", "udp"))),
    (request("ACK"), (REQUESTS, ("ACK", "udp"))),
    (request("FROBNICATE"), (REQUESTS, ("OTHER", "udp"))),
    (response(200, "INVITE"), (RESPONSES, ("INVITE", "200"))),
    (response(180, "INVITE"), (RESPONSES, ("INVITE", "180"))),
    (response(486, "INVITE"), (RESPONSES, ("INVITE", "486"))),
    (response(299, "BYE"), (RESPONSES, ("BYE", "other"))),
    (response(200, "FROBNICATE"), (RESPONSES, ("OTHER", "200"))),
]


@pytest.mark.parametrize(("data", "series"), ROWS)
def test_each_message_counts_once_in_its_direction(data: bytes, series: tuple[str, tuple[str, ...]]) -> None:
    name, labels = series
    totals = Totals()
    counters = SipCounters(totals)
    for _ in range(3):
        counters.received(message(data), "udp")
        counters.sent(data, "udp")
    assert totals.snapshot() == (
        (name, ("received", *labels), (3,)),
        (name, ("sent", *labels), (3,)),
    )


@pytest.mark.parametrize(("data", "series"), ROWS)
def test_a_message_that_is_not_parsed_counts_the_same(data: bytes, series: tuple[str, tuple[str, ...]]) -> None:
    name, labels = series
    totals = Totals()
    counters = SipCounters(totals)
    for _ in range(3):
        counters.received_octets(data, "udp")
    assert totals.snapshot() == ((name, ("received", *labels), (3,)),)


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"\xff\xfe", b"SIP/2.0 ", b"SIP/2.0 abc x\r\n\r\n", b"SIP/2.0 2", b"INVITE"]
)
def test_octets_of_any_form_are_counted(data: bytes) -> None:
    totals = Totals()
    SipCounters(totals).received_octets(data, "udp")
    assert [value for _, _, (value,) in totals.snapshot()] == [1]


def test_a_thousand_methods_and_codes_make_one_series() -> None:
    totals = Totals()
    counters = SipCounters(totals)
    for number in range(1000):
        counters.received(message(request(f"M{number}")), "udp")
        counters.received(message(response(310 + number % 60, f"M{number}")), "udp")
    assert totals.snapshot() == (
        (REQUESTS, ("received", "OTHER", "udp"), (1000,)),
        (RESPONSES, ("received", "OTHER", "other"), (1000,)),
    )


@pytest.mark.parametrize("name", ["CSEQ", "cseq", "CSeq "])
def test_a_reply_that_copies_a_header_as_the_peer_wrote_it_is_counted_by_its_method(name: str) -> None:
    asked = parse(request("INVITE").replace(b"CSeq:", f"{name}:".encode()))
    assert isinstance(asked, Request)
    totals = Totals()
    SipCounters(totals).sent(Response.to_request(asked, 486, to_tag="x").to_bytes(), "udp")
    assert totals.snapshot() == ((RESPONSES, ("sent", "INVITE", "486"), (1,)),)
