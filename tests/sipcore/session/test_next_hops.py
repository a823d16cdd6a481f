"""The way of requests within a dialog over TCP, by what the peer names (RFC 3261 8.1.2, RFC 3263 4.1)."""

from collections.abc import Callable

import pytest

from sipswarm.sipcore.message.hop import Hop, Transmit
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.session_config import SessionConfig
from tests.sipcore.call_wire import ANSWER, OFFER, config, request_of, response_of, tokens

OWN = Hop("tcp", "192.0.2.1", 5060)
PEER = Hop("tcp", "192.0.2.2", 5060)
OVER_UDP = config(Hop("udp", "192.0.2.1", 5060))


def with_udp(hop: Hop) -> SessionConfig | None:
    """The ways out of a side that has a listener of UDP too."""
    return OVER_UDP if hop.transport == "udp" and ":" not in hop.host else None


def without_udp(hop: Hop) -> SessionConfig | None:
    return None


def answered(session: InviteSession, contact: str, *routes: str) -> list[Transmit]:
    """ACK and BYE of a call that is answered with this Contact."""
    session.invite(0.0, OFFER)
    (invite,), _ = session.drain()
    extra = [("Contact", contact), *(("Record-Route", each) for each in routes)]
    response = Response.to_request(
        request_of(invite.data), 200, to_tag="b", extra=extra, body=ANSWER, content_type="application/sdp"
    )
    session.receive(response_of(response.to_bytes()), invite.hop, 0.1)
    session.bye(1.0)
    transmits, _ = session.drain()
    assert [request_of(each.data).method for each in transmits] == ["ACK", "BYE"]
    return transmits


def called(way_to: Callable[[Hop], SessionConfig | None]) -> InviteSession:
    return InviteSession.outgoing(config(OWN, way_to=way_to), tokens(), "sip:bob@192.0.2.2;transport=tcp")


@pytest.mark.parametrize(
    ("contact", "hop"),
    [
        ("<sip:bob@192.0.2.9:5062>", Hop("udp", "192.0.2.9", 5062)),
        ("<sip:bob@192.0.2.9>", Hop("udp", "192.0.2.9", 5060)),
        ("<sip:bob@192.0.2.2:5062>", Hop("udp", "192.0.2.2", 5062)),
        ("<sip:bob@192.0.2.2>", PEER),  # where it was called: many leave the transport out
        ("<sip:bob@192.0.2.9:5062;transport=tcp>", Hop("tcp", "192.0.2.9", 5062)),
        ("<sip:bob@192.0.2.9:5062;transport=udp>", Hop("udp", "192.0.2.9", 5062)),
        ("<sips:bob@192.0.2.9>", Hop("tls", "192.0.2.9", 5061)),
        ("<sip:bob@host.example>", Hop("tcp", "host.example", 5060)),  # its records would say, and are not asked
        ("<sip:bob@[2001:db8::1]>", Hop("tcp", "2001:db8::1", 5060)),  # no listener of UDP has IPv6
    ],
)
def test_an_address_without_a_transport_is_one_of_udp(contact: str, hop: Hop) -> None:
    assert [each.hop for each in answered(called(with_udp), contact)] == [hop, hop]


def test_its_via_and_its_contact_are_those_of_udp() -> None:
    ack, bye = map(request_of, (each.data for each in answered(called(with_udp), "<sip:bob@192.0.2.9:5062>")))
    assert (ack.via.transport, bye.via.transport) == ("UDP", "UDP")
    assert "transport=tcp" not in (bye.headers.get("Contact") or "")


def test_without_a_listener_of_udp_it_is_tried_over_tcp() -> None:
    hop = Hop("tcp", "192.0.2.9", 5062)
    assert [each.hop for each in answered(called(without_udp), "<sip:bob@192.0.2.9:5062>")] == [hop, hop]


@pytest.mark.parametrize(
    ("route", "hop"),
    [
        ("<sip:192.0.2.7;lr>", Hop("udp", "192.0.2.7", 5060)),
        ("<sip:192.0.2.7;transport=tcp;lr>", Hop("tcp", "192.0.2.7", 5060)),
        ("<sip:192.0.2.2;lr>", PEER),
    ],
)
def test_a_route_is_followed_in_the_same_way(route: str, hop: Hop) -> None:
    transmits = answered(called(with_udp), "<sip:bob@192.0.2.9:5062>", route)
    assert [each.hop for each in transmits] == [hop, hop]


def test_a_call_over_udp_or_tls_stays_there() -> None:
    udp = InviteSession.outgoing(config(Hop("udp", "192.0.2.1", 5060)), tokens(), "sip:bob@192.0.2.2")
    assert {each.hop.transport for each in answered(udp, "<sip:bob@192.0.2.9:5062>")} == {"udp"}
    own = config(Hop("tls", "192.0.2.1", 5061), way_to=with_udp)
    tls = InviteSession.outgoing(own, tokens(), "sip:bob@192.0.2.2;transport=tls")
    assert {each.hop.transport for each in answered(tls, "<sip:bob@192.0.2.9:5062>")} == {"tls"}


@pytest.mark.parametrize(("flow", "transport"), [(7, "tcp"), (0, "udp")])
def test_a_peer_whose_own_connection_is_there_gets_its_requests_by_it(flow: int, transport: str) -> None:
    """Behind a NAT its Contact is an address that nobody else reaches (RFC 5923, RFC 5626)."""
    caller = InviteSession.outgoing(
        config(Hop("tcp", "10.0.0.9", 5060), contact="<sip:alice@10.0.0.9>"),
        tokens(),
        "sip:bob@192.0.2.1;transport=tcp",
    )
    caller.invite(0.0, OFFER)
    (invite,), _ = caller.drain()
    source = Hop("tcp", "192.0.2.2", 41000)
    session = InviteSession.incoming(
        config(OWN, way_to=with_udp), tokens(2), request_of(invite.data), source, 0.0, flow=flow
    )
    session.accept(0.0, ANSWER)
    (*_, accepted), _ = session.drain()
    caller.receive(response_of(accepted.data), Hop("tcp", "192.0.2.1", 5060), 0.0)
    (ack,), _ = caller.drain()
    session.receive(request_of(ack.data), source, 0.1, flow)
    session.bye(1.0)
    (*_, bye), _ = session.drain()
    assert (bye.hop, bye.flow) == (Hop(transport, "10.0.0.9", 5060), flow)
