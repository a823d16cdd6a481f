"""The topmost Via of every response: where its request came from (RFC 3261 18.2.1, RFC 3581 section 4)."""

import pytest

from sipswarm.sipcore.message.fields import Via
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.transaction.reply import Reply

REQUEST = (
    "OPTIONS sip:b@h SIP/2.0\r\nVia: {via}\r\n{more}To: <sip:b@h>\r\nFrom: <sip:a@h>;tag=1\r\nCall-ID: c\r\n"
    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
TOPS = [
    "SIP/2.0/UDP host:5090;branch=z9hG4bKx",
    "SIP/2.0/UDP host:5090;rport;branch=z9hG4bKx",
    "SIP/2.0/UDP host:5090;branch=z9hG4bKx;rport",
    "SIP/2.0/UDP host:5090;branch=z9hG4bKx;rport;other=1",
    "SIP/2.0/UDP host:5090;branch=z9hG4bKx;RPORT",
    "SIP/2.0/UDP host:5090 ; branch=z9hG4bKx ; rport",
    "SIP/2.0/UDP host:5090;rport=9;branch=z9hG4bKx",
    'SIP/2.0/UDP host:5090;x=";rport";rport;branch=z9hG4bKx',
    'SIP/2.0/UDP host:5090;x=",;rport";branch=z9hG4bKx',
    "SIP/2.0/UDP host:5090;received=9.9.9.9;branch=z9hG4bKx;rport",
    "SIP/2.0/UDP host:5090;branch=z9hG4bKx;rport ; received = 9.9.9.9",
    "SIP/2.0/UDP host:5090;Received=9.9.9.9;branch=z9hG4bKx",
    "SIP/2.0/UDP host:5090;rports=1;branch=z9hG4bKx",
    "SIP / 2.0 / UDP host:5090;branch=z9hG4bKx;rport",
    "SIP/2.0/UDP 192.0.2.1:5090;branch=z9hG4bKx;rport",
    "SIP/2.0/UDP 192.0.2.1:5090;branch=z9hG4bKx;received=9.9.9.9",
    "SIP/2.0/UDP [2001:db8::9]:5090;branch=z9hG4bKx;rport",
]
BELOW = 'SIP/2.0/UDP below;branch=z9hG4bKb;received=7.7.7.7;x=","'


def answered(via: str, source: Hop, more: str = "") -> tuple[list[Via], str]:
    """The Via values of our response, and its text."""
    request = parse(REQUEST.format(via=via, more=more).encode())
    assert isinstance(request, Request)
    response = parse(Reply(request, source, 0, "t").to_bytes(200, "OK"))
    return [Via.parse(value) for value in response.headers.values("Via")], str(response.headers.lines)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::9"])
@pytest.mark.parametrize("below", ["", ",", "line"])
@pytest.mark.parametrize("top", TOPS)
def test_a_response_says_where_its_request_came_from(top: str, below: str, address: str) -> None:
    more = f"Via: {BELOW}\r\n" if below == "line" else ""
    via = f"{top}, {BELOW}" if below == "," else top
    vias, text = answered(via, Hop("udp", address, 6060), more)
    asked = Via.parse(top)
    first, *others = vias
    assert [str(each) for each in others] == ([BELOW] if below else [])
    assert (first.host, first.port, first.branch) == (asked.host, asked.port, "z9hG4bKx")
    wants_port = "rport" in asked.params
    assert first.params.get("rport") == ("6060" if wants_port else None)
    if wants_port or "received" in asked.params or asked.host != address:
        assert first.params["received"] == address, "without brackets (RFC 3261 section 25.1)"
    assert text.lower().count("received") == ("received" in first.params) + len(others)
    others_of = {name: value for name, value in asked.params.items() if name not in ("rport", "received")}
    assert {name: value for name, value in first.params.items() if name not in ("rport", "received")} == others_of


@pytest.mark.parametrize("spelled", ["rport=", "rport= ", "RPORT =", "received=;rport=", "maddr=;rport=;"])
@pytest.mark.parametrize("top", ["SIP/2.0/UDP host:5090;branch=z9hG4bKx;{}", "SIP/2.0/UDP host;{};branch=z9hG4bKx"])
def test_an_equals_sign_without_a_port_asks_for_the_port_too(top: str, spelled: str) -> None:
    vias, _ = answered(top.format(spelled), Hop("udp", "192.0.2.1", 6060))
    (first,) = vias
    assert (first.branch, first.rport, first.received) == ("z9hG4bKx", 6060, "192.0.2.1")


def test_a_call_worker_and_the_dispatcher_write_the_same() -> None:
    for top in TOPS:
        for address in ("192.0.2.1", "2001:db8::9"):
            request = parse(REQUEST.format(via=top, more="").encode())
            assert isinstance(request, Request)
            written = Reply(request, Hop("udp", address, 6060), 0, "t").head
            request.note_source(address, 6060)
            assert str(Via.parse(written.partition("Via: ")[2].partition("\r\n")[0])) == str(request.via), top
