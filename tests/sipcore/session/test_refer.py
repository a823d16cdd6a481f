"""Refer-To, sipfrag and Replaces as values (RFC 3515, 3891, 5589)."""

import pytest

from sipswarm.sipcore.errors import ParseError, RemoteProtocolError
from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.refer import TransferTarget, read_sipfrag, refer_to, sipfrag, target_of

NAMED = Replaces("1@a", "to", "from")
ESCAPED = "Replaces=1%40a%3Bto-tag%3Dto%3Bfrom-tag%3Dfrom"


@pytest.mark.parametrize(
    ("target", "replaces", "written"),
    [
        ("sip:carol@c", None, "<sip:carol@c>"),
        ('"Carol" <sip:carol@c>', None, "<sip:carol@c>"),
        ("sip:carol@c", NAMED, f"<sip:carol@c?{ESCAPED}>"),
        ("sip:carol@c?Subject=x", NAMED, f"<sip:carol@c?Subject=x&{ESCAPED}>"),
    ],
)
def test_refer_to_names_target_and_replaced_dialog(target: str, replaces: Replaces | None, written: str) -> None:
    assert refer_to(target, replaces) == written


def refer(*headers: tuple[str, str]) -> Request:
    return Request.build("REFER", "sip:b@b", list(headers))


def test_a_refer_says_whom_to_call_with_what() -> None:
    found = target_of(refer(("Refer-To", f"<sip:c@c;method=INVITE?{ESCAPED}&From=x>"), ("Referred-By", "<sip:a@a>")))
    # A From in the URI would forge the new call's, so it is left out (RFC 3261 19.1.5).
    expected = (("Replaces", str(NAMED)), ("Referred-By", "<sip:a@a>"))
    assert found == TransferTarget("sip:c@c", expected)
    assert target_of(refer(("Refer-To", "<sip:c@c>"))) == TransferTarget("sip:c@c", ())


@pytest.mark.parametrize("headers", [[], [("Refer-To", "<sip:a@a>"), ("Refer-To", "<sip:b@b>")]])
def test_a_refer_has_exactly_one_refer_to(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ParseError):
        target_of(refer(*headers))


@pytest.mark.parametrize("method", ["BYE", "bye", "SUBSCRIBE", "MESSAGE", "%42YE", "NEWTHING", ""])
def test_a_refer_for_another_method_than_invite_is_declined(method: str) -> None:
    with pytest.raises(RemoteProtocolError) as declined:
        target_of(refer(("Refer-To", f"<sip:c@c;method={method}>")))
    assert declined.value.status_hint == 603


@pytest.mark.parametrize("method", ["INVITE", "invite", "%49NVITE"])
def test_a_refer_may_name_the_method_invite(method: str) -> None:
    assert target_of(refer(("Refer-To", f"<sip:c@c;Method={method};transport=tcp>"))).uri == "sip:c@c;transport=tcp"


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (sipfrag(180), (180, "Ringing")),
        (sipfrag(299), (299, "Unknown")),
        (sipfrag(503, "Later"), (503, "Later")),
        (b"SIP/2.0 200 OK\r\nContact: <sip:a@a>\r\n", (200, "OK")),
        (b"\r\nsip/2.0 100\n", (100, "")),
    ],
)
def test_a_sipfrag_tells_status_and_reason(body: bytes, read: tuple[int, str]) -> None:
    assert read_sipfrag(body) == read


@pytest.mark.parametrize(
    "body", [b"", b"INVITE sip:a@a SIP/2.0", b"SIP/2.0 20 OK", b"SIP/2.0 099 X", b"SIP/2.0 2x0 OK"]
)
def test_a_sipfrag_without_status_line_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        read_sipfrag(body)
