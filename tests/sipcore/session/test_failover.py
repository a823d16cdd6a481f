"""An INVITE that goes to the next place when the one before fails (RFC 3263 section 4.3)."""

import random

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.events import Ended, Failed, NextPlace, Provisional, RequestFinished
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.redirection import Place
from sipswarm.sipcore.session.session_config import SessionConfig

HOPS = (Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5062), Hop("tcp", "192.0.2.3", 5060))


def prepared() -> InviteSession:
    udp = SessionConfig(local=Hop("udp", "192.0.2.9", 5060), from_="sip:a@192.0.2.9")
    tcp = SessionConfig(local=Hop("tcp", "192.0.2.9", 5070), from_="sip:a@192.0.2.9")
    places = [Place(hop, tcp if hop.transport == "tcp" else udp) for hop in HOPS]
    session = InviteSession.toward(Tokens(random.Random(1).randbytes), "sip:b@example.org", places, call_id="1@test")
    session.invite(0.0, b"v=0\r\n")
    return session


def invites(session: InviteSession) -> list[tuple[Request, Hop]]:
    """The INVITEs that wait to be sent, and any failure as None."""
    transmits, _ = session.drain()
    found = []
    for each in transmits:
        request = parse(each.data)
        if isinstance(request, Request) and request.method == "INVITE":
            found.append((request, each.hop))
    return found


def fail(session: InviteSession, invite: Request, hop: Hop, how: str, now: float) -> float:
    """Let the place fail; the time after it."""
    if how == "timeout":
        while not session.core.invite or session.core.invite.transaction.branch == invite.branch:
            assert session.deadline is not None
            now = session.deadline
            session.handle_timer(now)
            if session.state.name == "TERMINATED" or session.parts.failover.waits:
                break
    elif how == "transport":
        session.transport_failed(now, branch=invite.branch)
    else:
        response = parse(Response.to_request(invite, int(how), to_tag="x").to_bytes())
        session.receive(response, hop, now)
    return now


@pytest.mark.parametrize("how", ["timeout", "transport", "503"])
def test_each_place_is_tried_once_with_a_new_branch_and_then_the_call_fails(how: str) -> None:
    session = prepared()
    now = 0.0
    seen: list[Request] = []
    for hop in HOPS:
        ((invite, to),) = [each for each in invites(session) if each[0].branch not in {one.branch for one in seen}]
        assert to == hop
        assert invite.via.transport.lower() == hop.transport
        seen.append(invite)
        now = fail(session, invite, hop, how, now)
    assert len({each.branch for each in seen}) == len({each.cseq.number for each in seen}) == len(HOPS)
    assert len({(each.call_id, each.from_tag, each.body) for each in seen}) == 1
    _, events = session.drain()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.status == (408 if how == "timeout" else 503)


def test_another_refusal_and_a_cancelled_call_go_nowhere_else() -> None:
    session = prepared()
    ((invite, hop),) = invites(session)
    fail(session, invite, hop, "486", 1.0)
    assert not invites(session)
    cancelled = prepared()
    ((invite, hop),) = invites(cancelled)
    cancelled.cancel(0.1)
    fail(cancelled, invite, hop, "transport", 1.0)
    assert not invites(cancelled)


def test_once_a_dialog_has_begun_the_call_stays_where_it_is() -> None:
    session = prepared()
    ((invite, hop),) = invites(session)
    fail(session, invite, hop, "180", 1.0)
    fail(session, invite, hop, "503", 2.0)
    assert not invites(session)


# ---- places of both IP versions

LOCAL = ("192.0.2.9", "2001:db8::9")
DUAL = (Hop("udp", "192.0.2.1", 5060), Hop("udp", "2001:db8::1", 5060), Hop("udp", "192.0.2.3", 5060))
OFFERS = {False: b"v=0\r\nc=IN IP4 192.0.2.9\r\n", True: b"v=0\r\nc=IN IP6 2001:db8::9\r\n"}


def dual(*, delayed: bool = False) -> InviteSession:
    own = {":" in host: SessionConfig(local=Hop("udp", host, 5060), from_="sip:a@x") for host in LOCAL}
    places = [Place(hop, own[":" in hop.host]) for hop in DUAL]
    session = InviteSession.toward(Tokens(random.Random(1).randbytes), "sip:b@example.org", places, call_id="1@test")
    session.invite(0.0, None if delayed else OFFERS[False])
    return session


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("how", ["timeout", "transport", "503"])
def test_a_place_of_the_other_ip_version_gets_its_own_via_contact_and_offer(how: str, delayed: bool) -> None:
    session = dual(delayed=delayed)
    now = 0.0
    ((invite, hop),) = invites(session)
    sent = [invite]
    for place in DUAL[1:]:
        now = fail(session, invite, hop, how, now)
        transmits, events = session.drain()
        assert [type(event) for event in events if not isinstance(event, Provisional)] == [NextPlace]
        assert not [each for each in transmits if each.data.startswith(b"INVITE") and each.hop == place]
        session.invite(now, None if delayed else OFFERS[":" in place.host])
        ((invite, hop),) = invites(session)
        assert hop == place
        local = LOCAL[":" in place.host]
        assert invite.via.host == local
        assert invite.contacts[0].uri.host == local
        assert invite.body == (b"" if delayed else OFFERS[":" in place.host])
        sent.append(invite)
    assert len({each.branch for each in sent}) == len({each.cseq.number for each in sent}) == len(DUAL)
    fail(session, invite, hop, how, now)
    assert [type(event) for event in session.drain()[1]] == [Failed, Ended]


@pytest.mark.parametrize("how", ["timeout", "503"])
@pytest.mark.parametrize("end", ["cancel", "hang_up", "give_way"])
def test_a_call_that_waits_for_an_offer_to_the_next_place_can_be_given_up(how: str, end: str) -> None:
    session = dual()
    ((invite, hop),) = invites(session)
    now = fail(session, invite, hop, how, 0.0)
    session.drain()
    getattr(session, end)(now)
    transmits, events = session.drain()
    assert not transmits
    assert [type(event) for event in events] == [RequestFinished, Failed, Ended]
    with pytest.raises(LocalProtocolError):
        session.invite(now, OFFERS[True])
    while session.deadline is not None:
        session.handle_timer(session.deadline)
    assert session.finished


def test_a_call_that_gets_no_offer_to_the_next_place_ends_by_its_ring_time() -> None:
    session = dual()
    ((invite, hop),) = invites(session)
    fail(session, invite, hop, "503", 1.0)
    session.drain()
    while session.deadline is not None:
        session.handle_timer(session.deadline)
    assert [type(event) for event in session.drain()[1]] == [Failed, Ended, RequestFinished]
    assert session.finished
