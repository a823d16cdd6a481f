"""Who may send requests within a dialog (RELIABILITY S3), and an INVITE once more after a challenge (RFC 3261 22.2)."""

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import AnswerReceived, Ended, Established, Failed
from tests.sipcore.call_wire import (
    ALICE,
    ANSWER,
    CAROL,
    OFFER,
    Side,
    Wire,
    edited,
    established,
    in_dialog,
    pair,
    request_of,
    response_of,
    ringing,
)

REBOUND = Hop("udp", ALICE.host, 61000)
"""A's host behind another port"""


def statuses(side: Side) -> list[bytes]:
    """The first lines of what the side's session sends now."""
    transmits, _ = side.session.drain()
    return [data.partition(b"\r\n")[0] for data, _, _ in transmits]


@pytest.mark.parametrize(
    ("source", "strict", "answer"),
    [
        (ALICE, True, b"SIP/2.0 200 OK"),
        (REBOUND, True, b"SIP/2.0 200 OK"),
        (CAROL, True, b"SIP/2.0 481 Call/Transaction Does Not Exist"),
        (CAROL, False, b"SIP/2.0 200 OK"),
    ],
)
def test_a_bye_is_taken_from_the_host_that_called_whatever_its_port(source: Hop, strict: bool, answer: bytes) -> None:
    _alice, bob, wire = established(called={"strict_source": strict})
    bob.session.receive(request_of(in_dialog(wire, bob, "BYE", 2)), source, 0.0)
    assert statuses(bob) == [answer]
    refused = answer.startswith(b"SIP/2.0 481")
    assert bob.session.ended is not refused
    assert bob.config.counts.strangers == refused


def test_a_stranger_leaves_no_trace_not_even_a_cseq() -> None:
    alice, bob, wire = established()
    before = bob.session.deadline
    for number in (2, 900):
        bob.session.receive(request_of(in_dialog(wire, bob, "INFO", number)), CAROL, 0.0)
    assert len(statuses(bob)) == 2
    bob.session.handle_timer(0.0)
    assert bob.session.deadline == before  # answered without state
    alice.session.bye(0.0)
    wire.flush()
    assert [event.cause.value for event in bob.told(Ended)] == ["bye"]


def test_an_ack_and_a_cancel_of_a_stranger_are_not_taken() -> None:
    alice, bob, wire = ringing()
    alice.session.cancel(0.0)
    transmits, _ = alice.session.drain()
    cancel = request_of(transmits[-1].data)
    assert cancel.method == "CANCEL"
    bob.session.receive(cancel, CAROL, 0.0)
    assert statuses(bob) == [b"SIP/2.0 481 Call/Transaction Does Not Exist"]
    bob.session.receive(cancel, ALICE, 0.0)
    assert b"SIP/2.0 200 OK" in statuses(bob)

    alice, bob, wire = ringing()
    bob.session.accept(0.0, ANSWER)
    bob.session.receive(request_of(in_dialog(wire, bob, "ACK", 1)), CAROL, 0.0)
    assert bob.told(Established) == []
    bob.session.receive(request_of(in_dialog(wire, bob, "ACK", 1)), ALICE, 0.0)
    wire.flush()
    assert len(bob.told(Established)) == 1


def test_who_has_answered_us_may_ask_us() -> None:
    """A called side that answers from another address than it was called at, and has no other Contact."""
    alice, bob, wire = pair()
    session = alice.call("sip:bob@192.0.2.2")
    session.invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    transmits, _ = bob.session.drain()
    for data, _, _ in transmits:
        session.receive(elsewhere(data), CAROL, 0.0)
    wire.flush()
    assert len(alice.told(AnswerReceived)) == 1
    bob.session.request(0.0, "INFO")
    (info, _, _), *_ = bob.session.drain()[0]
    session.receive(request_of(info), CAROL, 0.0)
    assert alice.config.counts.strangers == 0


def elsewhere(data: bytes) -> Response:
    """Octets of a response whose Contact leads nowhere in particular."""
    return response_of(edited(data, (b"Contact: <sip:user@192.0.2.2:5060>", b"Contact: <sip:user@198.51.100.1>")))


def challenged() -> tuple[Side, Side, Wire]:
    """A call that was refused with 401, and acknowledged."""
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    challenge = (("WWW-Authenticate", 'Digest realm="here", nonce="abc", qop="auth"'),)
    bob.session.reject(0.0, 401, headers=challenge)
    wire.flush()
    return alice, bob, wire


def test_a_challenged_invite_is_sent_once_more_with_the_digest_for_its_nonce() -> None:
    alice, bob, wire = challenged()
    session = alice.session
    (failed,) = alice.told(Failed)
    challenged_once = [session.was_challenged]
    assert failed.response is not None
    assert session.challenger == "192.0.2.2"
    assert not session.authorize(failed.response, lambda realm, host: None)
    assert session.authorize(failed.response, lambda realm, host: ("alice", "secret"))
    session.invite(1.0, OFFER, headers=(("X-Mark", "again"),))
    assert [*challenged_once, session.was_challenged] == [True, False]
    wire.flush()
    invite = wire.last_request("INVITE")
    assert invite.cseq.number == 2
    assert 'nonce="abc"' in (invite.headers.get("Authorization") or "")
    assert invite.headers.get("X-Mark") == "again"
    bob.sessions[-1].accept(1.0, ANSWER)
    wire.flush()
    assert not session.ended
    session.bye(2.0)
    wire.finish()
    assert session.finished
    assert [event.cause.value for event in alice.told(Ended)] == ["unauthorized", "bye"]


def test_an_invite_that_failed_otherwise_is_not_sent_again() -> None:
    alice, bob, wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.reject(0.0, 486)
    wire.flush()
    assert not alice.session.was_challenged
    with pytest.raises(LocalProtocolError):
        alice.session.invite(1.0, OFFER)


def test_headers_of_the_ack_are_in_the_ack_alone() -> None:
    alice, bob, wire = pair()
    session = alice.call("sip:bob@192.0.2.2")
    session.arrange_invites(ack_lines="X-Ack: yes\r\n")
    session.invite(0.0, OFFER)
    wire.flush()
    bob.session.accept(0.0, ANSWER)
    wire.flush()
    assert [b"X-Ack: yes" in data for data in wire.raw if data.startswith((b"INVITE", b"ACK"))] == [False, True]
