"""Session descriptions in bodies of several parts (RFC 3261 8.2.3 and 20.11, RFC 5621)."""

import pytest

from sipswarm.sipcore.session.events import Answered, AnswerReceived, Cause, Ended, InviteReceived, ReinviteReceived
from tests.sipcore.call_wire import ANSWER, OFFER, established, pair

SDP_PART = b"Content-Type: application/sdp\r\n\r\n" + OFFER
ISUP = b"Content-Type: application/isup;version=nxv3\r\nContent-Disposition: signal;handling=%s\r\n\r\n\x01\x00\x49"
PIDF = b"Content-Type: application/pidf+xml\r\nContent-ID: %s\r\n\r\n<presence/>"
TEXT = b"\r\nhello"


def body_of(*parts: bytes) -> bytes:
    """Parts between boundaries `b`."""
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


UNDERSTOOD = {
    "a description beside an optional part": ("mixed", body_of(SDP_PART, ISUP % b"optional")),
    "a description behind an optional part": ("mixed", body_of(ISUP % b"optional", SDP_PART)),
    "a description as one of two alternatives": ("alternative", body_of(TEXT, SDP_PART)),
    "a description within an inner body": (
        "mixed",
        body_of(b"Content-Type: multipart/mixed;boundary=i\r\n\r\n--i\r\n" + SDP_PART + b"\r\n--i--\r\n"),
    ),
}


@pytest.mark.parametrize(("subtype", "body"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_an_offer_in_a_part_is_the_offer(subtype: str, body: bytes) -> None:
    alice, bob, wire = pair()
    session = alice.call("sip:bob@192.0.2.2")
    session.invite(0.0, body, content_type=f"multipart/{subtype};boundary=b")
    wire.flush()
    assert [event.offer for event in bob.told(InviteReceived)] == [OFFER]
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert len(alice.told(Answered)) == 1


@pytest.mark.parametrize(
    "header", ["Geolocation: <cid:l@a>", "Geolocation: <sips:x@h>, <cid:l%40a>;x=1", "Info: CID:l@a"]
)
@pytest.mark.parametrize(("named", "taken"), [(b"<l@a>", True), (b"l@a", True), (b"<m@a>", False), (b"", False)])
def test_a_part_that_a_header_names_may_be_left_aside_with_its_header(header: str, named: bytes, taken: bool) -> None:
    alice, bob, wire = established()
    body = body_of(SDP_PART, PIDF % named)
    name, _, value = header.partition(": ")
    alice.session.reinvite(0.0, body, content_type="multipart/mixed;boundary=b", headers=((name, value),))
    wire.flush()
    assert [event.offer for event in bob.told(ReinviteReceived)] == ([OFFER] if taken else [])
    if not taken:
        assert wire.last_response("415 INVITE").status == 415


REFUSED = {
    "a part that must be understood and is not": ("mixed", body_of(SDP_PART, ISUP % b"required"), 415),
    "a part without a disposition, which must be understood": ("mixed", body_of(SDP_PART, TEXT), 415),
    "alternatives of which none is understood": ("alternative", body_of(TEXT, ISUP % b"required"), 415),
    "a body that does not end": ("mixed", b"--b\r\n" + SDP_PART, 400),
}


@pytest.mark.parametrize(("subtype", "body", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_in_a_reinvite_is_refused(subtype: str, body: bytes, status: int) -> None:
    alice, bob, wire = established()
    alice.session.reinvite(0.0, body, content_type=f"multipart/{subtype};boundary=b")
    wire.flush()
    assert wire.last_response(f"{status} INVITE").status == status
    assert bob.told(ReinviteReceived) == []


def test_an_answer_in_a_part_is_the_answer() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    answer = body_of(ISUP % b"optional", b"Content-Type: application/sdp\r\n\r\n" + ANSWER)
    bob.session.accept(0.0, answer, content_type="multipart/mixed;boundary=b")
    wire.flush()
    assert [event.description for event in alice.told(AnswerReceived)] == [ANSWER]


def test_an_answer_that_is_in_no_part_is_an_answer_that_is_missing() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, body_of(TEXT), content_type="multipart/mixed;boundary=b")
    wire.flush()
    assert [event.cause for event in alice.told(Ended)] == [Cause.BAD_DESCRIPTION]
    assert wire.times("A>B", "BYE") == [0.0]
