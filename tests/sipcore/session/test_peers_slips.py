"""Fields of a peer's message that a call does not need, or that are written in a rare way, cost the call nothing.

RFC 3261 sections 8.2.3 (codings), 20.22 and 25.1 (SLASH), RFC 3262 section 7.1, RFC 3515 section 2.4.5.
"""

import pytest

from sipswarm.sipcore.session.events import AnswerReceived, Provisional, TransferProgress
from tests.sipcore.call_wire import (
    ANSWER,
    OFFER,
    Side,
    Wire,
    edited,
    established,
    in_dialog,
    request_of,
    response_of,
    ringing,
)
from tests.sipcore.session.test_junk_sweep import answers_of, receive

SDP = "Contact: <sip:a@192.0.2.1>\r\nContent-Type: application/sdp\r\n"
MULTIPART = "Content-Type: multipart/mixed;boundary=x\r\n"


def deliver(
    bob: Side, wire: Wire, method: str, extra: str = "", body: bytes = b"", number: int = 2
) -> tuple[list[object], list[bytes]]:
    events, sent = receive(bob, request_of(in_dialog(wire, bob, method, number, extra, body)))
    return list(events), sent


@pytest.mark.parametrize("coding", ["gzip", "deflate, identity", "e: GZIP", "x"])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_coded_offer_within_a_call_is_refused_with_the_codings_that_are_understood(method: str, coding: str) -> None:
    _, bob, wire = established()
    line = coding if ":" in coding else f"Content-Encoding: {coding}"
    _, sent = deliver(bob, wire, method, f"{SDP}{line}\r\n", b"\x1f\x8b\x08")
    answer = response_of(sent[-1])
    assert (answer.status, answer.headers.get("Accept-Encoding")) == (415, "identity")
    for field in ("Content-Encoding: identity\r\n", "Content-Encoding:\r\n"):
        _, bob, wire = established()
        _, sent = deliver(bob, wire, "UPDATE", SDP + field, OFFER)
        assert 415 not in answers_of(sent)


def test_a_coded_body_of_a_prack_is_refused() -> None:
    _, bob, wire = ringing()
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    rseq = response_of(bob_sent(bob)[-1]).rseq
    _, sent = deliver(bob, wire, "PRACK", f"RAck: {rseq} 1 INVITE\r\n{SDP}Content-Encoding: gzip\r\n", b"\x1f\x8b")
    assert answers_of(sent) == [415]


def bob_sent(side: Side) -> list[bytes]:
    transmits, _ = side.session.drain()
    return [each.data for each in transmits]


KINDS = ("application / sdp", "Application/ SDP;x=y", "application\t/sdp", "application\r\n /\r\n\tsdp")


@pytest.mark.parametrize("kind", KINDS)
def test_a_content_type_may_have_blanks_around_its_slash(kind: str) -> None:
    for method in ("INVITE", "UPDATE"):
        _, bob, wire = established()
        events, sent = deliver(bob, wire, method, SDP.replace("application/sdp", kind), OFFER)
        assert 415 not in answers_of(sent)
        assert any(type(each).__name__ in ("ReinviteReceived", "OfferReceived") for each in events)
    message = response_of(
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
        f"Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: {kind}\r\nContent-Length: 3\r\n\r\nv=0".encode()
    )
    assert (message.content_type, message.description) == ("application/sdp", b"v=0")


@pytest.mark.parametrize("value", ["", "x", "@@", "-1", "9" * 30])
@pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS", "UPDATE"])
def test_an_unreadable_max_forwards_costs_no_request_of_the_call(method: str, value: str) -> None:
    _, bob, wire = established()
    extra = f"Max-Forwards: {value}\r\nRoute: @@\r\nRecord-Route: <\r\n"
    events, sent = deliver(bob, wire, method, extra + ("Contact: <sip:a@192.0.2.1>\r\n" if method == "UPDATE" else ""))
    assert answers_of(sent) == [200] or (method == "INFO" and events)


def without_rseq(data: bytes, value: str) -> bytes:
    rseq = response_of(data).headers.get("RSeq")
    return edited(data, (f"RSeq: {rseq}".encode(), f"RSeq: {value}".encode()))


@pytest.mark.parametrize("value", ["0", "00", "x", "", "4294967296", "1, 2"])
def test_a_1xx_whose_rseq_is_no_number_of_rfc_3262_is_told_as_an_unreliable_one(value: str) -> None:
    alice, bob, _ = ringing()
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    early = without_rseq(bob_sent(bob)[-1], value)
    alice.session.receive(response_of(early), bob.hop, 0.0)
    transmits, events = alice.session.drain()
    assert not transmits
    told = [each for each in events if isinstance(each, Provisional)]
    assert [(each.response.status, each.reliable) for each in told] == [(183, False)]
    assert [each.final for each in events if isinstance(each, AnswerReceived)] == [False]


FRAG = b"--x\r\n\r\nhello\r\n--x\r\nContent-Type: message / sipfrag\r\n\r\nSIP/2.0 %s\r\n--x--\r\n"
NOTIFIES = {
    "no body": ("Subscription-State: active\r\n", b"", []),
    "pending, no body": ("Subscription-State: pending;expires=60\r\n", b"", []),
    "unreadable": ("Subscription-State: active\r\nContent-Type: message/sipfrag\r\n", b"Trying", []),
    "another type": ("Subscription-State: active\r\nContent-Type: text/plain\r\n", b"it rings", []),
    "broken parts": (f"Subscription-State: active\r\n{MULTIPART}", b"--x\r\n", []),
    "no sipfrag": (f"Subscription-State: active\r\n{MULTIPART}", b"--x\r\n\r\nhello\r\n--x--\r\n", []),
    "a part rings": (f"Subscription-State: active\r\n{MULTIPART}", FRAG % b"180 Ringing", [(180, False)]),
    "a part is final": (f"Subscription-State: terminated\r\n{MULTIPART}", FRAG % b"200 OK", [(200, True)]),
    "nothing final": (f"Subscription-State: terminated\r\n{MULTIPART}", b"--x\r\n", [(408, True)]),
}


@pytest.mark.parametrize("what", NOTIFIES)
def test_a_report_on_a_transfer_without_a_status_is_no_progress_and_the_outcome_still_comes(what: str) -> None:
    lines, body, progress = NOTIFIES[what]
    _, bob, wire = established()
    number = bob.session.refer(0.0, "sip:c@c")
    bob.session.drain()
    events, sent = deliver(bob, wire, "NOTIFY", f"Event: refer\r\n{lines}", body)
    assert answers_of(sent) == [200]
    assert [(each.status, each.final) for each in events if isinstance(each, TransferProgress)] == progress
    if not progress or not progress[-1][1]:
        last = "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n"
        events, _ = deliver(bob, wire, "NOTIFY", last, b"SIP/2.0 200 OK\r\n", number=3)
        assert events == [TransferProgress(number, 200, "OK", True)]
