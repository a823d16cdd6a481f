"""Header lines: order, case, compact names, folding and commas; untouched ones stay as they came."""

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, ParseError
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message.headers import LISTS, Headers, key_of
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from tests.sipcore.wire import sample, sample_response

LINES = ["Via: a", "v : b ,\r\n c", "FROM:d", "subject:  e, f", "X-Other:", 'm:\t<sip:x,y@z>, "q," <sip:w>', "k: t,,u,"]


def headers() -> Headers:
    return Headers(LINES.copy(), [key_of(line.partition(":")[0]) for line in LINES])


def test_reading_is_case_blind_and_knows_compact_names() -> None:
    found = headers()
    for name in ("Via", "via", "VIA", "v", "V", "Via "):
        assert found.get(name) == "a"
        assert name in found
    assert found.get("f") == "d"
    assert found.get("x-OTHER") == ""
    assert found.get("Route") is None
    assert "Route" not in found
    assert len(found) == 7
    assert found.index("Route") == -1
    assert found.index("s") == 3
    assert list(found.items())[1:3] == [("v", "b , c"), ("FROM", "d")]


def test_a_list_header_is_cut_at_its_commas_and_no_other() -> None:
    found = headers()
    assert found.get_all("via") == ["a", "b , c"]
    assert found.values("via") == ["a", "b", "c"]
    assert found.values("subject") == ["e, f"]
    assert found.values("contact") == ["<sip:x,y@z>", '"q," <sip:w>']
    assert found.values("supported") == ["t", "u"]
    assert found.values("route") == []
    for name in ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization", "date", "subject"):
        assert name not in LISTS


def test_changes_touch_their_own_lines_only() -> None:
    found = headers()
    copy = found.copy()
    found.set("Subject", "new")
    found.set("v", "one")
    found.add("Route", "<sip:r;lr>")
    found.insert_first("Route", "<sip:q;lr>")
    found.insert_first("Date", "now")
    found.remove("from")
    found.set("Reason", "SIP")
    assert found.lines == [
        "Date: now", "v: one", "Subject: new", "X-Other:", LINES[5], LINES[6], "Route: <sip:q;lr>", "Route: <sip:r;lr>",
        "Reason: SIP",
    ]  # fmt: skip
    assert found.values("route") == ["<sip:q;lr>", "<sip:r;lr>"]
    assert copy.lines == LINES
    assert found.raw("route") == ["Route: <sip:q;lr>", "Route: <sip:r;lr>"]


def test_every_change_makes_typed_values_be_read_again() -> None:
    message = parse(sample())
    assert message.max_forwards == 70
    message.headers.set("Max-Forwards", "69")
    assert message.max_forwards == 69
    message.headers.add("Route", "<sip:a;lr>")
    assert [str(route.uri) for route in message.routes] == ["sip:a;lr"]
    message.headers.insert_first("Route", "<sip:b;lr>")
    assert [str(route.uri) for route in message.routes] == ["sip:b;lr", "sip:a;lr"]
    message.headers.remove("Route")
    assert message.routes == []
    message.headers.set("Call-ID", "other")
    message.headers.set("CSeq", "5 INVITE")
    message.headers.set("From", "<sip:a@b>")
    message.headers.set("To", "<sip:a@b>;tag=z")
    message.headers.set("Via", "SIP/2.0/TCP h;branch=x")
    assert (message.call_id, message.cseq.number, message.from_tag, message.to_tag) == ("other", 5, None, "z")
    assert (message.via.host, message.branch) == ("h", "x")


def test_a_wrong_name_is_the_callers_fault_when_writing() -> None:
    found = headers()
    for name in ("", "a b", "a:", "é", "a\r\n"):
        for change in (found.set, found.add, found.insert_first):
            with pytest.raises(LocalProtocolError):
                change(name, "x")
    with pytest.raises(LocalProtocolError):
        found.remove("a b")
    with pytest.raises(LocalProtocolError):
        Headers.of([("a b", "c")])
    with pytest.raises(ParseError):
        found.get("a b")


def test_a_kelvin_sign_is_no_k() -> None:
    with pytest.raises(ParseError):
        key_of("\N{KELVIN SIGN}")


def test_too_many_values_of_a_request_strictly_read_are_refused() -> None:
    def strictly(*lines: str) -> Request:
        message = parse(sample("INVITE", *lines), strict=True)
        assert isinstance(message, Request)
        return message

    with pytest.raises(ParseError, match="too many values"):
        _ = strictly("Contact: " + ",".join(["<sip:a@b>"] * 257)).contacts
    with pytest.raises(ParseError, match="too many values"):
        _ = strictly(*["Allow: " + ",".join(["A"] * 129)] * 2).allow
    with pytest.raises(ParseError):
        _ = strictly("Contact: " + '"a"<b>' * 600).contacts
    with pytest.raises(ParseError, match="does not close"):
        _ = strictly("Contact: <sip:a@b>, <sip:c@d").contacts
    with pytest.raises(ParseError, match="separators"):
        _ = strictly("Contact: <sip:a@b>," + '"a"<b>' * 600).contacts


def test_of_too_many_values_the_first_count() -> None:
    message = parse(sample_response(200, "Contact: " + ",".join(["<sip:a@b>"] * 257)))
    assert len(message.contacts) == 128
    message = parse(sample_response(200, *["Allow: " + ",".join(["A"] * 129)] * 2))
    assert len(message.allow) == 256
    assert message.leniencies == (Leniency.UNREADABLE_ELEMENT,)
    message = parse(sample_response(200, "Contact: <sip:a@b>, <sip:c@d"))
    assert [str(contact.uri) for contact in message.contacts] == ["sip:a@b"]
