"""URIs: parts, escapes, comparison by RFC 3261 19.1.4, tel, IPv6, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.uri import Uri, escape, is_ipv6, parse_host_port, port_number, unescape

PARTS = [
    ("sip:alice@example.com", ("sip", "alice", None, "example.com", None, {}, ())),
    ("SIPS:alice:pw@Example.com:5061", ("sips", "alice", "pw", "Example.com", 5061, {}, ())),
    ("sip:b.com;transport=TCP;lr", ("sip", None, None, "b.com", None, {"transport": "TCP", "lr": None}, ())),
    ("sip:a%40b@h;n%61me=%41", ("sip", "a@b", None, "h", None, {"name": "A"}, ())),
    ("sip:a@h?Subject=x%20y&to=z", ("sip", "a", None, "h", None, {}, (("Subject", "x y"), ("to", "z")))),
    ("sip:[2001:db8::1]:5070;maddr=[::2]", ("sip", None, None, "2001:db8::1", 5070, {"maddr": "[::2]"}, ())),
    ("sip:a;b=c@h", ("sip", "a;b=c", None, "h", None, {}, ())),
    ("sip:+1-212-555:1234@gw;user=phone", ("sip", "+1-212-555", "1234", "gw", None, {"user": "phone"}, ())),
    ("sip:a@h;LR;lr=x", ("sip", "a", None, "h", None, {"lr": None}, ())),
    ("sip:under_score.example", ("sip", None, None, "under_score.example", None, {}, ())),
    ("tel:+1-201-555-0123;phone-context=+1", ("tel", "+1-201-555-0123", None, "", None, {"phone-context": "+1"}, ())),
    ("tel:5550123", ("tel", "5550123", None, "", None, {}, ())),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), PARTS, ids=[row[0] for row in PARTS])
def test_a_uri_is_taken_apart_and_written_back(text: str, parts: tuple[object, ...]) -> None:
    uri = Uri.parse(text)
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port, uri.params, uri.headers) == parts
    assert str(uri) == text
    assert repr(uri) == f"Uri({text!r})"
    assert Uri.parse(str(uri.replace())).equivalent(uri)


REFUSED = [
    "", "sip", "sip:", ":a", "1a:b", "sip:@h", "sip:a@", "sip:a@b@c", "sip:a b@c", "sip:a@b:", "sip:a@b:0",
    "sip:a@b:65536", "sip:a@b:99999999999", "sip:a@b:5o60", "sip:a@b:٣", "sip:a@[::1", "sip:a@[::1]x",
    "sip:a@[1]", "sip:a@[::g]", "sip:2001:db8::10", "sip:a@b;", "sip:a@b;;c", "sip:a@b;=c", "sip:a@b?", "sip:a@b?x",
    "sip:a@b?=x", "sip:a@<b>", 'sip:"a"@b', "sip:a@b\x00", "sip:a@b\x7f", "sip:a@hé", "tel:", "tel:abc-xyz", "isbn:",
    "sip:a@b;" + ";".join(f"p{n}" for n in range(65)), "sip:a@b?" + "&".join(f"p{n}=1" for n in range(65)),
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Uri.parse(text)


def test_a_long_uri_is_refused_with_414() -> None:
    assert Uri.parse("sip:" + "a" * 2044).host == "a" * 2044
    with pytest.raises(ParseError) as raised:
        Uri.parse("sip:" + "a" * 2045)
    assert raised.value.status_hint == 414


# The examples of RFC 3261 section 19.1.4, and a few more.
EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
     "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"),
    ("sip:alice@atl.com?subject=project%20x&priority=urgent", "sip:alice@atl.com?priority=urgent&subject=project%20x"),
    ("sip:%c3%a9%3b@b", "sip:é%3B@b"),
    ("sip:a@[2001:db8:::1]", "sip:a@[2001:DB8:::1]"),
    ("tel:+1-201-555-0123", "tel:+1(201)555.0123"),
    ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0::1]"),
    ("isbn:123", "ISBN:123"),
]  # fmt: skip
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@b", "sips:a@b"),
    ("sip:a@b", "sip:a@b;maddr=1.2.3.4"),
    ("sip:a@b", "sip:a:pw@b"),
    ("sip:a%3Bx@b", "sip:a;x@b"),
    ("tel:+1", "tel:+2"),
    ("tel:1;ext=2", "tel:1"),
    ("isbn:123", "isbn:124"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), EQUIVALENT)
def test_uris_that_are_equivalent(one: str, other: str) -> None:
    assert Uri.parse(one).equivalent(Uri.parse(other))
    assert Uri.parse(other).equivalent(Uri.parse(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_uris_that_are_not_equivalent(one: str, other: str) -> None:
    assert not Uri.parse(one).equivalent(Uri.parse(other))
    assert not Uri.parse(other).equivalent(Uri.parse(one))


def test_equality_is_by_text_and_hashable() -> None:
    assert Uri.parse("sip:a@b") == Uri("sip", "a", "b")
    assert Uri.parse("sip:a@b") != Uri.parse("sip:A@b")
    assert Uri.parse("sip:a@b") != "sip:a@b"
    assert len({Uri.parse("sip:a@b"), Uri("sip", "a", "b")}) == 1


def test_a_uri_of_ours_is_written_with_escapes() -> None:
    uri = Uri(
        "sip",
        "a b@c:\x00é",
        "2001:db8::1",
        5070,
        {"x;y": "1=2", "lr": None},
        [("Replaces", "a;b&c@d?")],
        password="p w",
    )
    text = str(uri)
    assert text == "sip:a%20b%40c%3A%00%C3%A9:p%20w@[2001:db8::1]:5070;x%3By=1%3D2;lr?Replaces=a%3Bb%26c%40d%3F"
    again = Uri.parse(text)
    assert again.equivalent(uri)
    assert again.params == uri.params
    assert again.headers == uri.headers
    assert str(Uri("tel", "+1", params={"ext": "5"})) == "tel:+1;ext=5"
    assert str(Uri("isbn", opaque="5")) == "isbn:5"


def test_shortcuts_name_what_routing_asks_for() -> None:
    uri = Uri.parse("sip:h:5062;transport=TLS;maddr=10.0.0.1;lr")
    assert (uri.transport, uri.maddr, uri.lr, uri.is_ipv6, uri.host_port) == ("tls", "10.0.0.1", True, False, "h:5062")
    plain = uri.replace(user="u", host="::1", port=1, params={}, headers=[("a", "b")])
    assert (plain.transport, plain.maddr, plain.lr, plain.is_ipv6) == ("", "", False, True)
    assert Uri.parse("sip:h;maddr=[::2]").maddr == "::2"  # RFC 3261 section 25.1: a host, so an IPv6reference
    assert str(plain) == "sip:u@[::1]:1?a=b"


def test_hosts_and_ports() -> None:
    assert parse_host_port("a.b:1") == ("a.b", 1)
    assert parse_host_port("[::1]") == ("::1", None)
    assert port_number("0005060") == 5060
    assert is_ipv6("::ffff:192.0.2.10")
    assert is_ipv6("2001:db8:::192.0.2.1")
    assert not is_ipv6("1:2")
    assert not is_ipv6(":" * 47)


@given(st.text(max_size=20))
def test_escaping_is_undone_once(text: str) -> None:
    assert unescape(escape(text, "abc")) == text
    assert unescape("%25%34%31") == "%41"
    assert unescape("%zz%4") == "%zz%4"


@given(
    st.text(st.characters(min_codepoint=1), min_size=1, max_size=12),
    st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,4})?", fullmatch=True),
)
def test_any_user_survives_a_uri(user: str, host: str) -> None:
    again = Uri.parse(str(Uri("sip", user, host)))
    assert (again.user, again.host) == (user, host)


@given(st.text(st.sampled_from("sipSIP:abz@.;=?&%40[]1 ,<>"), max_size=30))
def test_usual_and_long_way_agree(text: str) -> None:
    """Whatever parses gives a URI that is written back as it was and is equivalent to itself."""
    try:
        uri = Uri.parse(text)
    except ParseError:
        return
    assert str(uri) == text
    assert uri.equivalent(uri.replace())
