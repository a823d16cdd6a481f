"""Typed header values: what each spelling says, what it is written back as, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import (
    CSeq,
    Event,
    NameAddr,
    RAck,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
    Via,
    tag_of,
)
from sipswarm.sipcore.message.uri import Uri

ADDRESSES = [
    ("<sip:a@b>", "", "sip:a@b", {}, "<sip:a@b>"),
    ("<sip:a@b>;tag=1", "", "sip:a@b", {"tag": "1"}, "<sip:a@b>;tag=1"),
    ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}, "<sip:a@b>;tag=1"),
    ("sip:a@b", "", "sip:a@b", {}, "<sip:a@b>"),
    ("Bob <sip:a@b>;tag=1", "Bob", "sip:a@b", {"tag": "1"}, "Bob <sip:a@b>;tag=1"),
    ("Bob<sip:a@b>", "Bob", "sip:a@b", {}, "Bob <sip:a@b>"),
    ("Big  Bob. <sip:a@b>", "Big Bob.", "sip:a@b", {}, "Big Bob. <sip:a@b>"),
    ('"Bob, \\"B\\"" <sip:a@b;x=1>;q=0.5', 'Bob, "B"', "sip:a@b;x=1", {"q": "0.5"},
     '"Bob, \\"B\\"" <sip:a@b;x=1>;q=0.5'),
    ('"" <sip:a@b>', "", "sip:a@b", {}, "<sip:a@b>"),
    ('"a"\t<sip:a@b> ; Expires = 60 ; p="x y"', "a", "sip:a@b", {"expires": "60", "p": "x y"},
     'a <sip:a@b>;expires=60;p="x y"'),
    ('"<sip:x@y>" <sip:a@b>', "<sip:x@y>", "sip:a@b", {}, '"<sip:x@y>" <sip:a@b>'),
    ("<tel:+1;ext=2>;a", "", "tel:+1;ext=2", {"a": None}, "<tel:+1;ext=2>;a"),
    ('<sip:a@b>;p=""', "", "sip:a@b", {"p": ""}, '<sip:a@b>;p=""'),
    ("<sip:a@b>;r=[::1]:5", "", "sip:a@b", {"r": "[::1]:5"}, "<sip:a@b>;r=[::1]:5"),
    ("Ünï <sip:a@b>", None, None, None, None),
    ("a,b <sip:a@b>", None, None, None, None),
    ("a <b> <sip:a@b>", None, None, None, None),
    ('"a <sip:a@b>', None, None, None, None),
    ('"a" sip:a@b', None, None, None, None),
    ('"a"', None, None, None, None),
    ("<sip:a@b", None, None, None, None),
    ("<>", None, None, None, None),
    ("", None, None, None, None),
    ("bob", None, None, None, None),
    ("sip:a@b?x=y", None, None, None, None),
    ("sip:a,b@c", None, None, None, None),
    ("< sip:a@b >", None, None, None, None),
    ("<sip:a@b>x", None, None, None, None),
    ("<sip:a@b>;", None, None, None, None),
    ("<sip:a@b>;;", None, None, None, None),
    ("<sip:a@b>;a=", None, None, None, None),
    ("<sip:a@b>;a=1;A=2", None, None, None, None),
    ('<sip:a@b>;a="x"y', None, None, None, None),
    ('<sip:a@b>;a="x', None, None, None, None),
    ("<sip:a@b>;a=x y", None, None, None, None),
    ("<sip:a@b>;a b=x", None, None, None, None),
    ("<sip:a@b>" + "".join(f";p{n}" for n in range(65)), None, None, None, None),
    ('<sip:a@b>;a="x"' + "".join(f";p{n}" for n in range(65)), None, None, None, None),
]  # fmt: skip


@pytest.mark.parametrize("row", ADDRESSES, ids=lambda row: ascii(row[0][:40]))
def test_an_address_is_read_or_refused(row: tuple[str, str | None, str, dict[str, str | None], str]) -> None:
    text, name, uri, params, written = row
    if name is None:
        with pytest.raises(ParseError):
            NameAddr.parse(text)
        return
    address = NameAddr.parse(text)
    assert (address.display_name, str(address.uri), address.params) == (name, uri, params)
    assert str(address) == written
    assert NameAddr.parse(written)[::2] == address[::2]
    assert address.tag == params.get("tag")


def test_address_is_the_part_without_parameters() -> None:
    assert NameAddr.parse('"A B." <sip:a@b;x>;tag=1').address() == "A B. <sip:a@b;x>"
    assert NameAddr("a,b", Uri("sip", "a", "b"), {}).address() == '"a,b" <sip:a@b>'
    wildcard = NameAddr.parse("*")
    assert wildcard.is_wildcard
    assert str(wildcard) == "*"
    assert not NameAddr.parse("<sip:a@b>").is_wildcard


def test_contact_parameters_are_lenient_as_the_rfc_asks() -> None:
    def contact(params: str) -> NameAddr:
        return NameAddr.parse("<sip:a@b>" + params)

    assert [contact(text).expires for text in ("", ";expires=60", ";expires=x", ";expires=99999999999")] == [
        None, 60, 3600, 3600,
    ]  # fmt: skip
    assert [contact(text).q for text in ("", ";q=0.7", ";q=.5", ";q=1.", ";q=2", ";q=x", ";q=0.12345", ";q=.")] == [
        1.0, 0.7, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0,
    ]  # fmt: skip


TAGS = st.text(st.sampled_from('ab<>;=" \t,\\:@tag1'), max_size=24)


@given(st.one_of(TAGS, st.builds("{}<sip:a@b>{};tag={}{}".format, TAGS, TAGS, TAGS, TAGS)))
def test_the_quick_tag_is_the_tag_of_the_whole_address(text: str) -> None:
    text = text.strip(" \t")
    try:
        address = NameAddr.parse(text)
    except ParseError:
        return
    assert tag_of(text) == address.tag


@pytest.mark.parametrize("text", ['"a <sip:a@b>', '"a" x <sip:a@b>', "<sip:a@b", "<sip:a@b>x", '"a"', "a,b <sip:a@b>"])
def test_the_quick_tag_refuses_too(text: str) -> None:
    with pytest.raises(ParseError):
        tag_of(text)


VIAS = [
    ("SIP/2.0/UDP h:5060;branch=z9hG4bK1", "UDP", "h", 5060, "z9hG4bK1", None, None),
    ("SIP/2.0/TCP h;branch=z9hG4bK1;rport", "TCP", "h", None, "z9hG4bK1", None, 0),
    ("SIP/2.0/TLS h;branch=b;rport=5;received=1.2.3.4", "TLS", "h", None, "b", "1.2.3.4", 5),
    ("SIP/2.0/UDP h;received=1.2.3.4;branch=b;rport=5", "UDP", "h", None, "b", "1.2.3.4", 5),
    ("sip / 2.0 / udp  h : 5060 ; branch = b", "UDP", "h", 5060, "b", None, None),
    ("SIP/2.0/UDP [2001:db8::1]:5060;branch=b", "UDP", "2001:db8::1", 5060, "b", None, None),
    ("SIP/2.0/UDP [2001:db8::1];branch=b", "UDP", "2001:db8::1", None, "b", None, None),
    ("SIP/2.0/UDP h", "UDP", "h", None, "", None, None),
    ("SIP/2.0/WSS h:65535;branch=b", "WSS", "h", 65535, "b", None, None),
    ("SIP/2.0/X-Y h;ttl=1;maddr=224.0.0.1", "X-Y", "h", None, "", None, None),
]
BAD_VIAS = [
    "", "SIP", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/3.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0/ h",
    "SIP/2.0/U(P h", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h:65536;branch=b", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h i",
    "SIP/2.0/UDP h;;", "SIP/2.0/UDP [::1;branch=b", "SIP/2.0/UDP ;branch=b", "SIP/2.0/UDP h;branch=",
    "SIP/2.0/UDP h;branch=a;branch=b", "SIP/2.0/UDP h\u2003:5060",
]  # fmt: skip


@pytest.mark.parametrize("row", VIAS, ids=lambda row: row[0])
def test_a_via_is_read(row: tuple[Any, ...]) -> None:
    text, *expected = row
    via = Via.parse(text)
    assert [via.transport, via.host, via.port, via.branch, via.received, via.rport] == expected
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize("text", BAD_VIAS, ids=ascii)
def test_a_malformed_via_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Via.parse(text)


def test_a_via_is_stamped_with_where_its_request_came_from() -> None:
    plain = Via.parse("SIP/2.0/UDP 10.0.0.1:5060;branch=b")
    assert plain.stamped("10.0.0.1", 5060) is plain
    assert str(plain.stamped("10.0.0.2", 99)) == "SIP/2.0/UDP 10.0.0.1:5060;branch=b;received=10.0.0.2"
    asking = Via.parse("SIP/2.0/UDP 10.0.0.1;branch=b;rport")
    assert str(asking.stamped("10.0.0.1", 99)) == "SIP/2.0/UDP 10.0.0.1;branch=b;rport=99;received=10.0.0.1"
    forged = Via.parse("SIP/2.0/UDP 10.0.0.1;branch=b;received=6.6.6.6")
    assert forged.stamped("10.0.0.1", 99).received == "10.0.0.1"
    assert Via.parse("SIP/2.0/UDP h;rport=5;branch=b").rport == 5
    assert Via.parse("SIP/2.0/UDP h;rport=70000;branch=b").rport == 0


SMALL: list[tuple[Callable[[str], Any], str, Any]] = [
    (CSeq.parse, "1 INVITE", (1, "INVITE")),
    (CSeq.parse, "0009 \t INVITE", (9, "INVITE")),
    (CSeq.parse, "2147483647 X", (2147483647, "X")),
    (RAck.parse, "776656 1 INVITE", (776656, 1, "INVITE")),
    (RAck.parse, "4294967295 2147483647 PRACK", (4294967295, 2147483647, "PRACK")),
    (SessionExpires.parse, "1800", (1800, "")),
    (SessionExpires.parse, "90;refresher=UAC", (90, "uac")),
    (SessionExpires.parse, "90 ; x ; refresher=uas", (90, "uas")),
    (Event.parse, "refer;id=93809824", ("refer", {"id": "93809824"})),
    (Event.parse, "presence.winfo", ("presence.winfo", {})),
    (SubscriptionState.parse, "Active;expires=60", ("active", {"expires": "60"})),
    (Replaces.parse, "98732@x;from-tag=r33;to-tag=ff8", ("98732@x", "ff8", "r33", False)),
    (Replaces.parse, "a;to-tag=b;from-tag=c;early-only", ("a", "b", "c", True)),
    (RetryAfter.parse, "18000;duration=3600", (18000, "", {"duration": "3600"})),
    (RetryAfter.parse, "120 (I'm (really) in a \\) meeting)", (120, "I'm (really) in a \\) meeting", {})),
    (RetryAfter.parse, "5", (5, "", {})),
]  # fmt: skip
BAD_SMALL: list[tuple[Callable[[str], Any], list[str]]] = [
    (CSeq.parse, ["", "1", "INVITE", "1 INVITE X", "-1 INVITE", "2147483648 X", "1 IN(VITE", "1\u2003INVITE",
                  "٣ INVITE", "² INVITE", "9" * 5000 + " INVITE", "1INVITE", "0x1 INVITE", "1_0 INVITE", "+1 INVITE"]),
    (RAck.parse, ["", "1 2", "1 2 3 4", "4294967296 1 X", "1 2147483648 X", "a 1 X", "1 1 (X"]),
    (SessionExpires.parse, ["", "x", "4294967296", "90;refresher=both", "90;refresher=uac;refresher=uac"]),
    (Event.parse, ["", "a b", ";id=1", "a;id="]),
    (SubscriptionState.parse, ["", "a b", "active;expires"[:0]]),
    (Replaces.parse, ["", "a", "a;to-tag=b", "a;from-tag=b", ";to-tag=a;from-tag=b", "a;to-tag;from-tag=b"]),
    (RetryAfter.parse, ["", "x", "-1", "1 (", "1 (((((((((x)))))))))", "1 x", "99999999999", "1 (a\\)"]),
]  # fmt: skip


@pytest.mark.parametrize(("read", "text", "expected"), SMALL, ids=[row[1] for row in SMALL])
def test_a_small_value_is_read_and_written_back(read: Callable[[str], Any], text: str, expected: Any) -> None:
    value = read(text)
    assert tuple(value) == expected
    assert read(str(value)) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [(read, text) for read, texts in BAD_SMALL for text in texts],
    ids=lambda value: ascii(value[:30]) if isinstance(value, str) else "",
)
def test_a_malformed_small_value_is_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


def test_parameters_of_small_values_have_names() -> None:
    assert Event.parse("refer;id=5").id == "5"
    assert Event.parse("refer").id is None
    state = SubscriptionState.parse("terminated;reason=noresource;retry-after=5;expires=9")
    assert (state.reason, state.retry_after, state.expires) == ("noresource", 5, 9)
    bare = SubscriptionState.parse("pending")
    assert (bare.reason, bare.retry_after, bare.expires) == (None, None, None)
    assert str(SessionExpires(90)) == "90"
    assert str(Replaces("a", "b", "c")) == "a;to-tag=b;from-tag=c"
