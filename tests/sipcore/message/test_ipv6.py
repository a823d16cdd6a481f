"""RFC 5118: the torture messages of IPv6, written after their description; eleven are served, one gets 400."""

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.transaction.stateless import Capabilities, inspect
from tests.sipcore.wire import read_everything

CAPABILITIES = Capabilities(methods=("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"))


def message(method: str, uri: str, via: str, *extra: str, to: str = "<sip:user@example.com>", body: str = "") -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"To: {to}",
        "From: sip:user@example.com;tag=81x2",
        *([via] if via.startswith("Via") else [f"Via: SIP/2.0/UDP {via}"]),
        "Call-ID: SSG9559905523997077@hlau_4100",
        f"CSeq: 98176 {method}",
        "Max-Forwards: 70",
        *extra,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


USUAL_VIA = "[2001:db8::9:1];branch=z9hG4bKas3-111"
CONTACT = 'Contact: "Caller" <sip:caller@[2001:db8::1]>'
SDP_TYPE = "Content-Type: application/sdp"
SDP = "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live\r\n{}t=3338481189 3370017201\r\n{}"

SERVED = {
    "4.1 valid reference": message("REGISTER", "sip:[2001:db8::10]", USUAL_VIA, CONTACT),
    "4.3 port ambiguous": message("REGISTER", "sip:[2001:db8::10:5070]", USUAL_VIA, CONTACT),
    "4.4 port unambiguous": message("REGISTER", "sip:[2001:db8::10]:5070", USUAL_VIA, CONTACT),
    "4.5 received with brackets": message(
        "BYE", "sip:[2001:db8::10]", "[2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111"
    ),
    "4.5 received without brackets": message(
        "OPTIONS", "sip:[2001:db8::10]", "[2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3"
    ),
    "4.6 addresses in the body": message(
        "INVITE", "sip:user@[2001:db8::10]", "[2001:db8::20];branch=z9hG4bKas3-111", CONTACT, SDP_TYPE,
        body=SDP.format("c=IN IP6 2001:db8::20\r\n", "m=audio 6000 RTP/AVP 2\r\na=rtpmap:2 G726-32/8000\r\n"),
    ),
    "4.7 both families in headers": message(
        "BYE", "sip:user@host.example.net",
        "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\n"
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\n"
        "Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
    ),
    "4.8 both families in the body": message(
        "INVITE", "sip:user@[2001:db8::10]", "[2001:db8::9:1];branch=z9hG4bKas3-111", CONTACT, SDP_TYPE,
        body=SDP.format("", "m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\n"
                            "c=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n"),
    ),
    "4.9 IPv4-mapped": message(
        "INVITE", "sip:user@example.com", "[::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
        "Contact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>", SDP_TYPE,
        body=SDP.format("", "m=audio 22334 RTP/AVP 0\r\nc=IN IP6 ::ffff:192.0.2.2\r\n"),
    ),
    "4.10 three colons": message("OPTIONS", "sip:user@[2001:db8:::192.0.2.1]", USUAL_VIA),
    "4.10 two colons": message("OPTIONS", "sip:user@[2001:db8::192.0.2.1]", USUAL_VIA),
}  # fmt: skip
REFUSED = message("REGISTER", "sip:2001:db8::10", USUAL_VIA, CONTACT)


def request(data: bytes) -> Request:
    found = parse(data)
    assert isinstance(found, Request)
    return found


def test_there_are_twelve() -> None:
    assert len(SERVED) + 1 == 12


@pytest.mark.parametrize("name", SERVED)
def test_a_valid_message_is_served(name: str) -> None:
    found = request(SERVED[name])
    assert inspect(found, CAPABILITIES) is None
    assert not [value for value in read_everything(found).values() if isinstance(value, ParseError)]
    assert found.to_bytes() == SERVED[name]


def test_4_2_a_reference_without_brackets_gets_400() -> None:
    answer = inspect(request(REFUSED), CAPABILITIES)
    assert answer is not None
    assert answer.status == 400


def test_4_3_and_4_4_tell_the_port_from_the_address() -> None:
    ambiguous = request(SERVED["4.3 port ambiguous"]).request_uri
    assert (ambiguous.host, ambiguous.port, ambiguous.is_ipv6) == ("2001:db8::10:5070", None, True)
    clear = request(SERVED["4.4 port unambiguous"]).request_uri
    assert (clear.host, clear.port, clear.host_port) == ("2001:db8::10", 5070, "[2001:db8::10]:5070")
    assert request(SERVED["4.1 valid reference"]).contacts[0].uri.host == "2001:db8::1"


@pytest.mark.parametrize("name", ["4.5 received with brackets", "4.5 received without brackets"])
def test_4_5_received_is_an_address_in_both_spellings(name: str) -> None:
    via = request(SERVED[name]).via
    assert (via.host, via.port, via.received) == ("2001:db8::9:1", None, "2001:db8::9:255")


def test_4_7_both_families_stand_side_by_side() -> None:
    vias = request(SERVED["4.7 both families in headers"]).vias
    assert [(via.host, via.port) for via in vias] == [
        ("2001:db8::9:1", 6050),
        ("192.0.2.1", None),
        ("2001:db8::9:255", None),
    ]
    assert vias[2].received == "192.0.2.200"


def test_4_10_three_colons_are_let_through_and_written_back() -> None:
    uri = request(SERVED["4.10 three colons"]).request_uri
    assert uri.host == "2001:db8:::192.0.2.1"
    assert str(uri) == "sip:user@[2001:db8:::192.0.2.1]"
    assert uri.equivalent(Uri.parse("sip:user@[2001:DB8:::192.0.2.1]"))
