"""RFC 4475: every message gives what the RFC says, at the parser, at the stateless answers and on a stream."""

import json
from pathlib import Path
from typing import Any

import pytest

from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome
from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message.framing import FramingFault, StreamFramer
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.transaction import stateless

CAPABILITIES = stateless.Capabilities(tag_key=b"test key")

# What an endpoint that serves calls answers, by file: 0 where the request is served, -1 where nothing goes out.
# The words of expected.json ("endpoint_answer") stand behind each row.
ANSWERS = {
    "wsinv": 0,  # normal INVITE handling (never 400)
    "intmeth": 501,  # 501 with Allow
    "esc01": 0,  # normal INVITE handling
    "escnull": 405,  # 405 (not a registrar)
    "esc02": 501,  # 501 with Allow
    "lwsdisp": 0,  # 200 to OPTIONS
    "longreq": 0,  # normal INVITE handling
    "dblreq": 405,  # 405 (not a registrar); exactly ONE answer
    "semiuri": 0,  # 200/404 to OPTIONS
    "transports": 0,  # 200 to OPTIONS
    "mpart01": 405,  # 405/415/200 depending on MESSAGE support
    "unreason": -1,  # response: match by branch, else drop silently
    "noreason": -1,  # response: match by branch, else drop silently
    "badinv01": 400,  # 400
    "clerr": 400,  # UDP: 400
    "ncl": 400,  # UDP: error answer (400)
    "scalar02": 400,  # 400 (CSeq > 2**32-1)
    "scalarlg": -1,  # drop silently
    "quotbal": 400,  # 400
    "ltgtruri": 400,  # 400 (reasonable always)
    "lwsruri": 400,  # 400
    "lwsstart": 400,  # 400 acceptable
    "trws": 400,  # 400 acceptable, 200 acceptable
    "escruri": 400,  # 400 acceptable
    "baddate": 0,  # normal INVITE handling preferred (Date is not needed), 400 tolerated
    "regbadct": 405,  # 405 / 400
    "badaspec": 400,  # 400 or 200
    "baddn": 400,  # 400
    "badvers": 505,  # 505
    "mismatch01": 400,  # 400
    "mismatch02": 501,  # 501 preferred, 400 acceptable
    "bigcode": -1,  # drop silently
    "badbranch": 400,  # 400 statelessly, or RFC 2543 matching and 200
    "insuf": 400,  # 400
    "unkscm": 416,  # 416
    "novelsc": 416,  # 416 (or 404)
    "unksm2": 405,  # 405 (not a registrar)
    "bext01": 420,  # 420 with Unsupported: nothingSupportsThis, nothingSupportsThisEither
    "invut": 415,  # 415 with Accept
    "regaut01": 405,  # 405
    "multi01": 400,  # 400
    "mcl01": 400,  # UDP: error answer (400)
    "bcast": -1,  # discard silently (2 Vias at an endpoint)
    "zeromf": 0,  # 200 (endpoint); a proxy answers 483
    "cparam01": 405,  # 405
    "cparam02": 405,  # 405
    "regescrt": 405,  # 405
    "sdp01": 406,  # 406 (Warning 399) or 400
    "inv2543": 0,  # normal INVITE handling, or a clean 4xx if 2543 is refused by policy
    "test": -1,  # 400 or drop
}

# What a lenient reading, which is the default, takes where the strict one refuses (docs/sipcore.md).
LENIENT_ANSWERS = {
    **ANSWERS,
    "badaspec": 0,  # blanks between the angle brackets and the URI
}

# On a stream: how many messages come out of the file, and the fault that follows.
STREAM_FAULTS = {
    "clerr": (0, None),  # waits for more octets, closed by a timer
    "baddn": (0, None),  # the archive's copy has no blank line: waits for more
    "ncl": (0, 400),  # answer and close
    "mcl01": (0, 400),  # answer and close
    "inv2543": (0, 400),  # no Content-Length: framing error
    "dblreq": (2, 400),  # the second part is a second request; three octets of its body are beyond its length
}


def load(folder: Path) -> dict[str, tuple[dict[str, Any], bytes]]:
    rows = json.loads((folder / "rfc4475" / "expected.json").read_text())
    return {Path(row["file"]).stem: (row, (folder / "rfc4475" / row["file"]).read_bytes()) for row in rows}


@pytest.fixture(scope="module")
def messages(shared_data: Path) -> dict[str, tuple[dict[str, Any], bytes]]:
    return load(shared_data)


def octets(messages: dict[str, tuple[dict[str, Any], bytes]], name: str) -> bytes:
    return messages[name][1]


def request(messages: dict[str, tuple[dict[str, Any], bytes]], name: str) -> Request:
    message = parse(octets(messages, name), strict=True)
    assert isinstance(message, Request)
    return message


def answer(data: bytes, *, strict: bool = True) -> Response | None:
    """What goes out for one datagram, read back from its octets."""
    try:
        message = parse(data, strict)
    except ParseError as error:
        written = stateless.refuse_unreadable(data, error, CAPABILITIES)
        return None if written is None else Response.build(*status_of(written), [])
    if isinstance(message, Response):
        return None
    return stateless.inspect(message, CAPABILITIES)


def status_of(data: bytes) -> tuple[int, str]:
    version, status, reason = data.split(b"\r\n")[0].split(b" ", 2)
    assert version == b"SIP/2.0"
    assert data.endswith(b"\r\n\r\n")
    return int(status), reason.decode()


def test_the_whole_set_is_there(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    assert len(messages) == 50
    assert set(messages) == set(ANSWERS)
    assert sum(len(data) for _, data in messages.values()) == 24974


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("name", ANSWERS)
def test_the_parser_accepts_or_rejects(
    messages: dict[str, tuple[dict[str, Any], bytes]], name: str, strict: bool
) -> None:
    row, data = messages[name]
    assert len(data) == row["octets"]
    try:
        message = parse(data, strict)
    except ParseError:
        assert row["parse"] in ("reject", "either")
    else:
        assert row["parse"] in ("accept", "either")
        assert isinstance(message, Request if row["kind"] == "request" else Response)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("name", ANSWERS)
def test_the_endpoint_answers(messages: dict[str, tuple[dict[str, Any], bytes]], name: str, strict: bool) -> None:
    row, data = messages[name]
    expected = (ANSWERS if strict else LENIENT_ANSWERS)[name]
    found = answer(data, strict=strict)
    if row["kind"] == "response" or expected == -1:
        assert found is None
    elif expected == 0:
        assert found is None
        assert isinstance(parse(data, strict), Request)
    else:
        assert found is not None
        assert found.status == expected
    if expected > 0:
        assert str(expected) in row["endpoint_answer"] or row["endpoint_answer"] == "400"


@pytest.mark.parametrize("name", ANSWERS)
def test_untouched_messages_are_written_back(messages: dict[str, tuple[dict[str, Any], bytes]], name: str) -> None:
    data = octets(messages, name)
    try:
        message = parse(data)
    except ParseError:
        return
    written = message.to_bytes()
    if name == "dblreq":  # the octets behind Content-Length are not the message's
        assert data.startswith(written)
    elif name == "inv2543":  # Content-Length is added, the rest stays
        head, _, body = data.partition(b"\r\n\r\n")
        assert written == head + b"\r\nContent-Length: 105\r\n\r\n" + body
    else:
        assert written == data
    assert parse(written).to_bytes() == written


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_gives_the_same(messages: dict[str, tuple[dict[str, Any], bytes]], name: str) -> None:
    data = octets(messages, name)
    framer = StreamFramer(0.0)
    items = framer.feed(data, 0.0)
    count, fault = STREAM_FAULTS.get(name, (1, None))
    faults = [item for item in items if isinstance(item, FramingFault)]
    assert [item.status_hint for item in faults] == ([] if fault is None else [fault])
    framed = [item for item in items if isinstance(item, bytes)]
    assert len(framed) == count
    if count == 1:
        assert framed == [data]
    for item in faults:
        written = stateless.refuse(item.head, status=item.status_hint)
        if name == "dblreq":  # what is left shows no sender to answer
            assert written is None
        else:
            assert written is not None
            assert written.startswith(b"SIP/2.0 400 ")


# --- The checks of expected.json, message by message -------------------------------------------------------------


def test_wsinv_is_read_through_its_blanks_and_folds(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "wsinv")
    assert str(message.to.uri) == "sip:vivekg@chair-dnrc.example.com"
    assert message.to_tag == message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_tag == "98asjd8"
    assert message.cseq == (9, "INVITE")
    assert message.max_forwards == 68
    vias = message.vias
    assert [(via.transport, via.host, via.branch) for via in vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.branch == "390skdjuw"
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.get("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert message.headers.raw("UnknownHeaderWithUnusualValue") == ["UnknownHeaderWithUnusualValue: ;;,,;;,;"]
    (contact,) = message.contacts
    assert contact.display_name == 'Quoted string ""'
    assert contact.q == 0.33
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.headers.optional("Content-Length", int) == 150 == len(message.body)
    (route,) = message.routes
    assert route.uri.lr
    assert route.uri.params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    assert message.request_uri.params == {"unknownparam": None}


def test_intmeth_keeps_every_odd_octet(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "intmeth")
    method = "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.method == method == message.cseq.method
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.from_tag == "_token~1'+`*%!-."
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    header = message.headers.get("extensionHeader-!.%*+_`'~")
    assert header is not None
    assert header.encode() == b"\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb"
    uri = message.request_uri
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == "example.com"
    found = stateless.inspect(message, CAPABILITIES)
    assert found is not None
    assert found.headers.get("Allow") == ", ".join(CAPABILITIES.methods)


def test_esc01_decodes_escapes_once(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "esc01")
    assert message.request_uri.user == "sips:user@example.com"
    assert message.request_uri.host == "example.net"
    assert message.to.uri.user == "user"
    assert message.from_.uri.user == "I have spaces"
    (contact,) = message.contacts
    assert contact.uri.user == "caller"
    assert contact.uri.lr
    assert contact.uri.params == {"lr": None, "name": "value%41"}


def test_escnull_does_not_stop_at_nul(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "escnull")
    assert message.to.uri.user == "null-\x00-null"
    assert [contact.uri.user for contact in message.contacts] == ["\x00", "\x00\x00"]
    assert not message.contacts[0].uri.equivalent(message.contacts[1].uri)


def test_esc02_leaves_percent_alone_where_it_is_no_escape(
    messages: dict[str, tuple[dict[str, Any], bytes]],
) -> None:
    message = request(messages, "esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == message.from_.display_name == "%Z%45"
    assert [contact.uri.user for contact in message.contacts] == ["alias1", "alias3"]
    assert message.headers.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp_needs_no_blank_before_the_bracket(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "lwsdisp")
    assert message.from_.display_name == "caller"
    assert str(message.from_.uri) == "sip:caller@example.com"


def test_longreq_passes_the_limits(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "longreq")
    assert len(message.vias) == 34
    assert message.via.host == "sip33.example.com"
    assert message.vias[-1].host == "host.example.com"
    assert len(message.vias[-1].branch) > 200
    assert message.headers.raw("VIA")[11] == "V :  SIP/2.0/TCP sip22.example.com"
    assert max(map(len, message.headers.lines)) == 593
    assert message.to.uri.port == 6000


def test_dblreq_is_one_request_on_udp_and_two_on_tcp(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    data = octets(messages, "dblreq")
    message = request(messages, "dblreq")
    assert message.method == "REGISTER"
    assert message.body == b""
    first, second, fault = StreamFramer(0.0).feed(data, 0.0)
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert isinstance(fault, FramingFault)
    assert first + b"\r\n" + second + fault.head == data
    inner = parse(second)
    assert isinstance(inner, Request)
    assert inner.method == "INVITE"


def test_semiuri_and_transports(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    uri = request(messages, "semiuri").request_uri
    assert (uri.user, uri.host, uri.params) == ("user;par=u@example.net", "example.com", {})
    vias = request(messages, "transports").vias
    assert [via.transport for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01_is_split_by_its_boundary_alone(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "mpart01")
    assert len(message.body) == 553
    assert message.media_type is not None
    assert message.media_type.name == "multipart/mixed"
    assert message.media_type.params == {"boundary": "7a9cbec02ceef655"}
    text, signature = message.parts
    assert (text.content_type.name, text.body) == ("text/plain", b"Hello")
    assert signature.content_type.name == "application/octet-stream"
    for octet in (b"\0", b"\r", b"\n"):
        assert octet in signature.body


def test_responses_keep_their_reason_phrase(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    unusual = parse(octets(messages, "unreason"))
    assert isinstance(unusual, Response)
    assert unusual.reason.startswith("= 2**3 * 5**2 ")
    assert "но сто девяносто девять" in unusual.reason
    empty = parse(octets(messages, "noreason"))
    assert isinstance(empty, Response)
    assert (empty.status, empty.reason) == (100, "")
    assert empty.start_line == "SIP/2.0 100 "


def test_baddn_is_refused_for_its_display_name_once_it_has_its_blank_line(
    shared_data: Path, messages: dict[str, tuple[dict[str, Any], bytes]]
) -> None:
    with pytest.raises(ParseError, match="blank line"):
        parse(octets(messages, "baddn"))
    repaired = (shared_data / "rfc4475" / "variants" / "baddn_with_final_crlf.dat").read_bytes()
    assert len(repaired) == 333
    found = answer(repaired)
    assert found is not None
    assert found.status == 400
    assert answer(repaired, strict=False) is None
    lenient = parse(repaired)
    assert lenient.leniencies == (Leniency.UNQUOTED_NAME,)
    assert lenient.from_.display_name == "Bell, Alexander"


def test_the_fault_is_the_one_that_the_rfc_means(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    table = {
        "badinv01": "parameter",
        "clerr": "Content-Length is larger",
        "ncl": "Content-Length is not a number",
        "scalar02": "CSeq is out of range",
        "scalarlg": "CSeq is out of range",
        "quotbal": "quoted string",
        "badvers": "version",
        "mismatch01": "another method",
        "mismatch02": "another method",
        "bigcode": "three digits",
        "insuf": "no from header",
        "multi01": "twice",
        "mcl01": "content-length is there twice",
        "test": "colon",
        "ltgtruri": "scheme",
    }
    for name, reason in table.items():
        with pytest.raises(ParseError, match=reason):
            parse(octets(messages, name), strict=True)


def test_badinv01_contact_is_refused_by_itself(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    data = octets(messages, "badinv01").replace(b"192.0.2.15;;,;,,", b"192.0.2.15;branch=z9hG4bK1")
    message = parse(data, strict=True)
    with pytest.raises(ParseError, match="parameter"):
        _ = message.contacts
    found = answer(data)
    assert found is not None
    assert found.status == 400


def test_badaspec_and_regbadct_do_not_break(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    with pytest.raises(ParseError, match="character"):
        _ = request(messages, "badaspec").to
    with pytest.raises(ParseError, match="angle brackets"):
        _ = request(messages, "regbadct").contacts
    assert request(messages, "badaspec").to_tag is None


def test_embedded_headers_never_become_real_ones(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "escruri")
    assert message.request_uri.headers == (("Route", "<sip:example.com>"),)
    assert message.routes == []
    message = request(messages, "regescrt")
    (contact,) = message.contacts
    assert contact.uri.headers == (("Route", "<sip:sip.example.com>"),)
    assert "Route" not in message.headers


def test_baddate_costs_nothing_and_is_kept_as_it_came(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "baddate")
    assert message.headers.get("Date") == "Fri, 01 Jan 2010 16:00:00 EST"
    assert stateless.inspect(message, CAPABILITIES) is None


def test_badbranch_and_inv2543_show_the_old_rules(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    assert request(messages, "badbranch").branch == "z9hG4bK"
    message = request(messages, "inv2543")
    assert message.branch == ""
    assert message.from_tag is None
    assert message.max_forwards is None
    assert "Content-Length" not in message.headers
    assert len(message.body) == 105


def test_insuf_is_answered_with_what_is_there(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    written = stateless.refuse(octets(messages, "insuf"), status=400)
    assert written is not None
    assert b"Via: SIP/2.0/UDP" in written
    assert b"CSeq:" in written
    assert b"From:" not in written


def test_unknown_schemes_are_kept_as_text(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    assert request(messages, "unkscm").request_uri.scheme == "nobodyknowsthisscheme"
    assert request(messages, "novelsc").request_uri.scheme == "soap.beep"
    message = request(messages, "unksm2")
    assert [message.to.uri.scheme, message.from_.uri.scheme] == ["isbn", "http"]
    assert [contact.uri.scheme for contact in message.contacts] == ["name"]
    assert message.contacts[0].uri.opaque == "John_Smith"


def test_an_unknown_method_is_refused_as_such_even_when_cseq_differs(
    messages: dict[str, tuple[dict[str, Any], bytes]],
) -> None:
    data = octets(messages, "mismatch02")
    with pytest.raises(ParseError) as raised:
        parse(data)
    written = stateless.refuse_unreadable(data, raised.value, CAPABILITIES)
    assert written is not None
    assert b"\r\nAllow: INVITE, ACK" in written


def test_refusals_name_what_is_supported(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "bext01")
    assert message.headers.values("Proxy-Require") == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]
    found = stateless.inspect(message, CAPABILITIES)
    assert found is not None
    assert found.headers.values("Unsupported") == ["nothingSupportsThis", "nothingSupportsThisEither"]
    found = stateless.inspect(request(messages, "invut"), CAPABILITIES)
    assert found is not None
    assert found.headers.get("Accept") == ", ".join(CAPABILITIES.content_types)
    found = stateless.inspect(request(messages, "sdp01"), CAPABILITIES)
    assert found is not None
    assert (found.headers.get("Warning") or "").startswith("399 ")


def test_regaut01_is_an_authentication_nobody_knows(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = request(messages, "regaut01")
    assert message.headers.values("Authorization") == ["NoOneKnowsThisScheme opaque-data=here"]
    server = DigestServer(b"sixteen octets..", "example.com", Tokens(lambda size: bytes(size)))
    assert server.verify(message, lambda user: "secret", 0.0).outcome is Outcome.MISSING


def test_bcast_shows_two_vias_to_who_counts_them(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    message = parse(octets(messages, "bcast"))
    assert [via.host for via in message.vias] == ["192.0.2.198", "255.255.255.255"]


def test_zeromf_is_served_by_an_endpoint_and_refused_by_a_proxy(
    messages: dict[str, tuple[dict[str, Any], bytes]],
) -> None:
    message = request(messages, "zeromf")
    assert message.max_forwards == 0
    assert stateless.inspect(message, CAPABILITIES) is None
    found = stateless.inspect(message, stateless.Capabilities(forwards=True))
    assert found is not None
    assert found.status == 483


def test_contact_parameters_belong_where_they_stand(messages: dict[str, tuple[dict[str, Any], bytes]]) -> None:
    (contact,) = request(messages, "cparam01").contacts
    assert contact.params == {"unknownparam": None}
    assert contact.uri.params == {}
    (contact,) = request(messages, "cparam02").contacts
    assert contact.params == {}
    assert contact.uri.params == {"unknownparam": None}
