"""What a call engine must do beyond INVITE: session timer, digest, transfer, and how calls end (CALL.md W12 to W16)."""

import gc

import pytest

from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.events import (
    Answered,
    By,
    CancelReceived,
    Cause,
    Ended,
    Failed,
    Refreshed,
    RequestFinished,
    RequestReceived,
    TransferProgress,
    TransferRequested,
)
from sipswarm.sipcore.session.invite_session import InviteSession, SessionState
from tests.sipcore.accounts import Account, Accounts
from tests.sipcore.call_wire import (
    ALICE,
    ANSWER,
    BOB,
    CAROL,
    OFFER,
    accept_reinvites,
    config,
    established,
    pair,
    request_of,
    response_of,
    ringing,
    tokens,
)

# W14: session timer


def test_the_session_is_refreshed_at_half_by_update() -> None:
    alice, _, wire = established({"session_expires": 90, "refresher": "uac"})
    wire.run(100.0)
    assert wire.times("A>B", "UPDATE") == [45.0, 90.0]
    assert alice.told(Refreshed) == [Refreshed(90), Refreshed(90)]


def test_the_called_side_refreshes_when_asked_to_by_reinvite_where_update_is_unknown() -> None:
    allow = ("INVITE", "ACK", "CANCEL", "BYE")
    alice, bob, wire = established({"session_expires": 90, "refresher": "uas", "allow": allow})
    alice.reacts = accept_reinvites
    wire.run(50.0)
    assert wire.times("B>A", "INVITE") == [45.0]
    assert bob.told(Refreshed) == [Refreshed(90)]
    assert bob.told(Answered) == []


def test_a_refresh_by_reinvite_offers_the_description_that_holds_and_not_one_that_was_refused() -> None:
    allow = ("INVITE", "ACK", "CANCEL", "BYE")
    alice, bob, wire = established({"session_expires": 90, "refresher": "uac"}, {"allow": allow})
    alice.session.reinvite(0.0, OFFER.replace(b"4000", b"4002"))
    wire.flush()
    bob.session.reject(0.0, 488)
    wire.flush()
    bob.reacts = accept_reinvites
    wire.run(50.0)
    numbers = [number for number, row in enumerate(wire.ladder) if row[2] == "INVITE"]
    assert wire.message(numbers[-1]).body == OFFER


def test_a_refresh_by_reinvite_after_a_reliable_answer_offers_that_answer() -> None:
    settings: dict[str, object] = {"session_expires": 90, "allow": ("INVITE", "ACK", "CANCEL", "BYE", "PRACK")}
    alice, bob, wire = ringing({**settings, "refresher": "uas"}, settings)
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    wire.flush()
    bob.session.accept(0.0)
    wire.flush()
    alice.reacts = accept_reinvites
    wire.run(50.0)
    numbers = [number for number, row in enumerate(wire.ladder) if row[2] == "INVITE"]
    assert wire.message(numbers[-1]).body == ANSWER


def test_a_session_that_nobody_refreshes_is_hung_up_before_it_expires() -> None:
    _alice, bob, wire = established({"session_expires": 90, "refresher": "uac"})
    wire.drop = frozenset(range(1000))
    wire.run(61.0)
    assert wire.times("B>A", "BYE")[0] == 60.0
    assert bob.told(Ended)[0][:2] == (Cause.SESSION_EXPIRED, By.EXPIRED)


def test_a_422_is_answered_with_the_longer_interval() -> None:
    alice, bob, wire = pair({"session_expires": 90}, {"min_se": 300})
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    assert wire.names()[:4] == ["A>B INVITE", "B>A 422 INVITE", "A>B ACK", "A>B INVITE"]
    again = wire.last_request("INVITE")
    assert again.session_expires is not None
    assert (again.session_expires.seconds, again.min_se) == (300, 300)
    bob.sessions[-1].accept(0.0, ANSWER)
    wire.flush()
    assert alice.told(Answered)


# W12: digest, by a server in between


def challenge(response_to: Request, status: int, nonce: str) -> bytes:
    header = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    value = f'Digest realm="example.org", nonce="{nonce}", qop="auth", algorithm=SHA-256'
    answer = Response.to_request(response_to, status, to_tag="guard", extra=[(header, value)])
    return answer.to_bytes()


def guarded(host: str = "192.0.2.2", status: int = 401) -> tuple[InviteSession, bytes]:
    """A session with credentials for a host, and its INVITE."""
    lookup = Accounts([Account("alice", "secret", "example.org", host)])
    session = InviteSession.outgoing(config(ALICE, credentials=lookup), tokens(), "sip:bob@192.0.2.2")
    session.invite(0.0, OFFER)
    (invite,), _ = session.drain()
    return session, invite.data


@pytest.mark.parametrize(("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_a_challenged_invite_is_repeated_with_credentials_unseen_by_the_user(status: int, header: str) -> None:
    session, invite = guarded()
    first = request_of(invite)
    session.receive(response_of(challenge(first, status, "n1")), BOB, 0.0)
    (ack, again), events = session.drain()
    assert request_of(ack.data).method == "ACK"
    second = request_of(again.data)
    assert 'nonce="n1"' in (second.headers.get(header) or "")
    assert (second.cseq.number, second.call_id, second.from_tag) == (2, first.call_id, first.from_tag)
    assert second.branch != first.branch
    assert events == []


def test_refused_credentials_fail_after_one_try() -> None:
    session, invite = guarded()
    session.receive(response_of(challenge(request_of(invite), 401, "n1")), BOB, 0.0)
    again = session.drain()[0][1].data
    session.receive(response_of(challenge(request_of(again), 401, "n2")), BOB, 0.0)
    transmits, events = session.drain()
    assert [request_of(transmit.data).method for transmit in transmits] == ["ACK"]
    assert [type(event) for event in events] == [Failed, Ended]
    assert isinstance(events[0], Failed)
    assert events[0].cause is Cause.UNAUTHORIZED
    assert events[0].authorized


def test_credentials_of_another_host_are_never_shown() -> None:
    session, invite = guarded(host="provider.example")
    session.receive(response_of(challenge(request_of(invite), 401, "n1")), BOB, 0.0)
    transmits, events = session.drain()
    assert len(transmits) == 1
    assert isinstance(events[0], Failed)
    assert not events[0].authorized


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE"])
def test_any_request_of_the_dialog_is_repeated_with_credentials(method: str) -> None:
    lookup = Accounts([Account("alice", "secret", "example.org", "192.0.2.2")])
    alice, bob, _wire = established({"credentials": lookup})
    session = alice.session
    if method == "BYE":
        session.bye(0.0)
    elif method == "INFO":
        session.request(0.0, "INFO", b"x", "text/plain")
    else:
        session.update(0.0, OFFER)
    (sent,), _ = session.drain()
    session.receive(response_of(challenge(request_of(sent.data), 401, "n1")), BOB, 0.0)
    (again,), events = session.drain()
    repeated = request_of(again.data)
    assert repeated.cseq.number == request_of(sent.data).cseq.number + 1
    assert repeated.body == request_of(sent.data).body
    assert "Authorization" in repeated.headers
    assert not [event for event in events if isinstance(event, RequestFinished)]
    assert bob.session.state is SessionState.CONFIRMED


def test_credentials_learned_once_are_used_beforehand_and_the_ack_carries_them() -> None:
    session, invite = guarded()
    session.receive(response_of(challenge(request_of(invite), 401, "n1")), BOB, 0.0)
    again = request_of(session.drain()[0][1].data)
    extra = [("Contact", "<sip:bob@192.0.2.2>"), ("Content-Type", "application/sdp")]
    ok = Response.to_request(again, 200, to_tag="b", extra=extra, body=ANSWER)
    session.receive(response_of(ok.to_bytes()), BOB, 0.0)
    (ack,), _ = session.drain()
    assert request_of(ack.data).headers.get("Authorization") == again.headers.get("Authorization")
    session.bye(0.0)
    (bye,), _ = session.drain()
    assert "nc=00000002" in (request_of(bye.data).headers.get("Authorization") or "")


# W15: transfer


def test_a_transfer_is_asked_for_accepted_and_reported_to_its_end() -> None:
    alice, bob, wire = established()
    number = alice.session.refer(0.0, "sip:carol@192.0.2.3", referred_by="<sip:alice@192.0.2.1>")
    wire.flush()
    (asked,) = bob.told(TransferRequested)
    bob.session.accept_transfer(0.0, asked.request_id)
    wire.flush()
    assert bob.session.notify_transfer(1.0, asked.request_id, 180)
    assert bob.session.notify_transfer(2.0, asked.request_id, 200)
    wire.flush()
    assert not bob.session.notify_transfer(3.0, asked.request_id, 200)
    assert [event[:2] + event[3:] for event in alice.told(TransferProgress)] == [
        (number, 100, False),
        (number, 180, False),
        (number, 200, True),
    ]
    assert wire.names()[:4] == ["A>B REFER", "B>A 202 REFER", "B>A NOTIFY", "A>B 200 NOTIFY"]
    assert alice.told(RequestFinished)[0].status == 202
    last = wire.last_request("NOTIFY")
    assert last.subscription_state is not None
    assert last.subscription_state.state == "terminated"
    assert last.body == b"SIP/2.0 200 OK\r\n"


def test_progress_still_comes_after_the_call_was_hung_up() -> None:
    alice, bob, wire = established()
    alice.session.refer(0.0, "sip:carol@192.0.2.3")
    wire.flush()
    bob.session.accept_transfer(0.0, bob.told(TransferRequested)[0].request_id)
    wire.flush()
    alice.session.bye(1.0)
    wire.run(2.0)
    bob.session.notify_transfer(3.0, bob.told(TransferRequested)[0].request_id, 200)
    wire.run(4.0)
    assert alice.told(TransferProgress)[-1].final
    wire.finish()
    assert alice.session.finished
    assert bob.session.finished


def test_a_transfer_may_go_without_reports() -> None:
    alice, bob, wire = established()
    alice.session.refer(0.0, "sip:carol@192.0.2.3", notify=False)
    wire.flush()
    asked = bob.told(TransferRequested)[0]
    bob.session.accept_transfer(0.0, asked.request_id)
    assert not bob.session.notify_transfer(0.0, asked.request_id, 200)
    wire.flush()
    assert wire.names() == ["A>B REFER", "B>A 200 REFER"]
    assert wire.last("200 REFER").headers.get("Refer-Sub") == "false"


def test_a_refused_transfer_leaves_no_subscription() -> None:
    alice, bob, wire = established()
    alice.session.refer(0.0, "sip:carol@192.0.2.3")
    wire.flush()
    bob.session.respond(0.0, bob.told(TransferRequested)[0].request_id, 603)
    wire.flush()
    assert alice.told(RequestFinished)[0].status == 603
    wire.run(400.0)
    assert alice.told(TransferProgress) == []


def test_a_transfer_that_reports_nothing_runs_out() -> None:
    alice, bob, wire = established()
    number = alice.session.refer(0.0, "sip:carol@192.0.2.3")
    wire.flush()
    bob.session.accept_transfer(0.0, bob.told(TransferRequested)[0].request_id)
    wire.run(400.0)
    assert alice.told(TransferProgress)[-1] == TransferProgress(number, 408, "Request Timeout", True)


def test_a_call_may_be_replaced_by_whoever_names_both_tags() -> None:
    alice, bob, _ = established()
    named = alice.session.replaces_of()
    assert named is not None
    assert bob.session.may_be_replaced(named) == 200
    assert bob.session.may_be_replaced(named._replace(early_only=True)) == 486
    assert bob.session.may_be_replaced(Replaces(named.call_id, "x", "y")) == 481
    bob.session.give_way(0.0)
    assert bob.session.drain()[1] == [Ended(Cause.REPLACED, By.LOCAL, None)]
    assert bob.session.may_be_replaced(named) == 603


def test_an_early_call_may_be_replaced_at_the_caller_only() -> None:
    alice, bob, wire = ringing()
    from_bob, from_alice = bob.session.replaces_of(), alice.session.replaces_of()
    assert from_bob is not None
    assert from_alice is not None
    assert alice.session.may_be_replaced(from_bob) == 200
    assert bob.session.may_be_replaced(from_alice) == 481
    alice.session.give_way(0.0)
    wire.flush()
    assert alice.told(Ended)[0].cause is Cause.REPLACED
    assert bob.told(CancelReceived)


# W16: ends


def test_a_bye_tells_the_end_at_once_and_a_second_one_is_harmless() -> None:
    alice, _, wire = established()
    number = alice.session.bye(0.0, [("Reason", "Q.850;cause=16")])
    assert [type(event) for event in alice.session.drain()[1]] == [Ended]
    assert alice.session.bye(0.0) == 0
    alice.session.hang_up(0.0)
    wire.finish()
    assert number > 0
    assert alice.session.finished


def test_a_peer_that_answers_481_to_a_request_has_lost_the_call() -> None:
    alice, bob, wire = established()
    alice.session.request(0.0, "INFO", b"x", "text/plain")
    wire.flush()
    bob.session.respond(0.0, bob.told(RequestReceived)[0].request_id, 481)
    wire.flush()
    assert alice.told(Ended)[0][:2] == (Cause.DIALOG_GONE, By.REMOTE)


def test_a_failed_transport_ends_only_what_went_that_way() -> None:
    alice, _, _wire = pair()
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    alice.session.transport_failed(0.1, hop=CAROL)
    assert alice.session.state is SessionState.CALLING
    alice.session.transport_failed(0.1, hop=BOB)
    _, events = alice.session.drain()
    assert [type(event) for event in events] == [Failed, Ended]
    assert isinstance(events[1], Ended)
    assert events[1][:2] == (Cause.TRANSPORT, By.TRANSPORT)
    assert alice.session.finished


def test_a_thousand_calls_leave_nothing_to_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        for seed in range(1000):
            alice, bob, wire = established({"session_expires": 90}, seed=seed)
            alice.session.reinvite(0.0, OFFER)
            wire.flush()
            bob.session.accept(0.0, ANSWER)
            wire.flush()
            bob.session.bye(1.0)
            wire.finish()
            for held in (alice.sessions, bob.sessions, alice.keys, bob.keys):
                held.clear()
        del alice, bob, wire
        assert gc.collect() == 0
    finally:
        gc.enable()
