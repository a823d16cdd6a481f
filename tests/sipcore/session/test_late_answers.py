"""A 2xx that no transaction takes while its call is kept: RFC 3261 sections 13.2.2.4 and 13.3.1.4."""

import pytest

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.invite_session import InviteSession, SessionState
from sipswarm.sipcore.session.invite_uac import MOST_LATE
from sipswarm.sipcore.session.redirection import Place
from tests.sipcore.call_wire import ALICE, ANSWER, BOB, OFFER, config, name_of, tokens

LONG_AFTER = 40.0
"""Seconds after which no INVITE is open: timer B, or 64*T1 after the first 2xx."""


def begun(*places: Hop) -> InviteSession:
    """A call whose INVITE has left."""
    settings = config(ALICE)
    hops = [Place(hop, settings) for hop in places or (BOB,)]
    session = InviteSession.toward(tokens(), "sip:bob@192.0.2.2", hops, call_id="1@test")
    session.invite(0.0, OFFER)
    return session


def sent(session: InviteSession) -> list[Request]:
    """The requests that wait to be sent."""
    return [each for each in map(parse, (each.data for each in session.drain()[0])) if isinstance(each, Request)]


def pass_time(session: InviteSession, until: float) -> None:
    """Let the timers fire that are due."""
    while session.deadline is not None and session.deadline <= until:
        session.handle_timer(session.deadline)


def answer(session: InviteSession, invite: Request, tag: str, now: float, status: int = 200, host: str = "") -> None:
    """Let a callee answer."""
    contact = (("Contact", f"<sip:{tag}@{host or BOB.host}>"),)
    response = Response.to_request(
        invite, status, to_tag=tag, extra=contact, body=ANSWER, content_type="application/sdp"
    )
    session.receive(parse(response.to_bytes()), BOB, now)


def ended(requests: list[Request], tag: str) -> bool:
    """Whether requests are an ACK and a BYE to the dialog of a tag."""
    return [(each.method, each.to_tag) for each in requests] == [("ACK", tag), ("BYE", tag)]


def test_a_fork_that_answers_long_after_the_first_is_hung_up_and_the_call_goes_on() -> None:
    session = begun()
    (invite,) = sent(session)
    answer(session, invite, "first", 1.0)
    assert [each.method for each in sent(session)] == ["ACK"]
    pass_time(session, LONG_AFTER)
    for _ in range(2):
        answer(session, invite, "second", LONG_AFTER)
    requests = sent(session)
    assert ended(requests[:2], "second")
    assert [(each.method, each.to_tag) for each in requests[2:]] == [("ACK", "second")]
    assert requests[1].uri == "sip:second@192.0.2.2"
    assert session.state is SessionState.CONFIRMED
    pass_time(session, LONG_AFTER * 2)
    assert session.state is SessionState.CONFIRMED
    session.bye(LONG_AFTER * 2)
    assert sent(session)[-1].to_tag == "first"
    assert session.config.counts.late_answers == 1


def test_a_200_that_repeats_after_64_t1_is_no_fork() -> None:
    session = begun()
    (invite,) = sent(session)
    answer(session, invite, "first", 1.0)
    pass_time(session, LONG_AFTER)
    session.drain()
    answer(session, invite, "first", LONG_AFTER)
    assert sent(session) == []
    assert session.state is SessionState.CONFIRMED


def test_the_place_that_was_given_up_is_hung_up_and_the_next_one_goes_on() -> None:
    carol = Hop("udp", "192.0.2.3", 5060)
    session = begun(BOB, carol)
    (first,) = sent(session)
    pass_time(session, LONG_AFTER)
    second = next(each for each in sent(session) if each.branch != first.branch)
    answer(session, first, "bob", LONG_AFTER)
    assert ended(sent(session), "bob")
    answer(session, second, "carol", LONG_AFTER + 1.0)
    assert [(each.method, each.to_tag) for each in sent(session)] == [("ACK", "carol")]
    assert session.state is SessionState.CONFIRMED
    assert session.remote_tag == "carol"


@pytest.mark.parametrize("tag", ["same", "other"])
def test_a_200_after_a_refusal_is_hung_up(tag: str) -> None:
    session = begun()
    (invite,) = sent(session)
    answer(session, invite, "same", 0.5, 180)
    answer(session, invite, "same", 1.0, 486)
    session.drain()
    answer(session, invite, tag, 2.0)
    assert ended(sent(session), tag)
    pass_time(session, LONG_AFTER)
    assert session.finished


def test_a_200_by_another_branch_while_the_invite_waits_is_no_answer() -> None:
    session = begun()
    (invite,) = sent(session)
    forged = invite.to_bytes().replace((invite.branch or "").encode(), b"z9hG4bKother")
    other = parse(forged)
    assert isinstance(other, Request)
    answer(session, other, "a", 1.0)
    assert sent(session) == []
    assert session.state is SessionState.CALLING


def test_an_invite_that_was_never_sent_has_no_late_answer() -> None:
    session = begun()
    (invite,) = sent(session)
    answer(session, invite, "first", 1.0)
    pass_time(session, LONG_AFTER)
    session.drain()
    other = parse(invite.to_bytes().replace(b"CSeq: 1 ", b"CSeq: 7 "))
    assert isinstance(other, Request)
    answer(session, other, "second", LONG_AFTER)
    assert sent(session) == []


def test_a_call_hangs_up_no_more_late_dialogs_than_the_limit() -> None:
    session = begun()
    (invite,) = sent(session)
    answer(session, invite, "first", 1.0)
    pass_time(session, LONG_AFTER)
    session.drain()
    for number in range(MOST_LATE + 3):
        answer(session, invite, f"fork-{number}", LONG_AFTER)
    requests = sent(session)
    assert [each.method for each in requests] == ["ACK", "BYE"] * MOST_LATE
    assert session.config.counts.late_answers == MOST_LATE


def test_of_a_call_that_is_not_kept_the_rest_is_ended_by_a_session_of_its_own() -> None:
    first = begun()
    (invite,) = sent(first)
    reason = ("Reason", 'SIP;cause=500;text="worker restarted"')
    session = InviteSession.late(config(ALICE), tokens(2), first.call_id, first.local_tag, BOB, (reason,))
    answer(session, invite, "a", LONG_AFTER)
    answer(session, invite, "b", LONG_AFTER)
    requests = sent(session)
    assert ended(requests[:2], "a")
    assert ended(requests[2:], "b")
    assert [each.headers.get("Reason") for each in requests] == [None, reason[1], None, reason[1]]
    for bye in (requests[1], requests[3]):
        session.receive(parse(Response.to_request(bye, 200).to_bytes()), BOB, LONG_AFTER)
    pass_time(session, LONG_AFTER + 10.0)
    assert session.finished


def test_a_challenged_bye_of_such_a_session_is_over() -> None:
    first = begun()
    (invite,) = sent(first)
    session = InviteSession.late(config(ALICE), tokens(2), first.call_id, first.local_tag, BOB)
    answer(session, invite, "a", 0.0)
    bye = sent(session)[1]
    assert name_of(bye) == "BYE"
    challenge = (("WWW-Authenticate", 'Digest realm="x", nonce="n"'),)
    session.receive(parse(Response.to_request(bye, 401, extra=challenge).to_bytes()), BOB, 0.0)
    assert sent(session) == []
    pass_time(session, 10.0)
    assert session.finished
