"""Headers in the URI of a Contact or Refer-To: which of them a request takes (RFC 3261 19.1.5)."""

import pytest

from sipswarm.sipcore.message.embedded import carried_headers
from sipswarm.sipcore.message.uri import Uri

DANGEROUS = (
    *("From", "To", "Call-ID", "CSeq", "Via", "Record-Route", "Route", "Max-Forwards", "Contact", "RAck"),
    *("Accept", "Accept-Encoding", "Accept-Language", "Allow", "Organization", "Supported", "User-Agent"),
    *("Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Date"),
    *("MIME-Version", "Timestamp", "Authorization", "Proxy-Authorization", "Proxy-Require", "Session-Expires"),
    *("P-Asserted-Identity", "Identity", "Referred-By", "Refer-To", "Event", "body", "Body"),
    *("f", "t", "i", "v", "m", "k", "l", "c", "e", "x", "b", "r", "o", "u"),
)


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper, lambda name: f"%{ord(name[0]):02x}{name[1:]}"])
@pytest.mark.parametrize("name", DANGEROUS)
def test_what_would_forge_a_request_is_left_out(name: str, spelling: type[str]) -> None:
    assert carried_headers(Uri.parse(f"sip:a@b?{spelling(name)}=x&Subject=y")) == (("Subject", "y"),)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("Subject=a%20b&X-Foo=bar", (("Subject", "a b"), ("X-Foo", "bar"))),
        ("s=a&Subject=b", (("s", "a"),)),
        ("Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces", None),
        ("Require=100rel", ()),
        ("Require=replaces%2C%20foo", ()),
        ("Accept-Contact=*%3Baudio&Priority=urgent&Alert-Info=%3Chttp://x%3E", None),
        ("X-Y=a%0D%0AVia:%20evil", ()),
        ("X-Y=a%0Ab", ()),
        ("X-Y=a%00b", ()),
        ("X%0D%0AVia=a", ()),
        ("X%20=a", ()),
        ("X%3A=a", ()),
        ("X-Y=", (("X-Y", ""),)),
        ("X-Y=%C3%A9", (("X-Y", "é"),)),
        ("X-Y=a%09b", (("X-Y", "a\tb"),)),
    ],
)
def test_others_are_taken_when_they_are_one_line(text: str, taken: tuple[tuple[str, str], ...] | None) -> None:
    uri = Uri.parse(f"sip:a@b?{text}")
    assert carried_headers(uri) == (uri.headers if taken is None else taken)
