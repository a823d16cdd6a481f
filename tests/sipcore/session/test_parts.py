"""The parts of a session: a call that is dropped is gone at once, and a request of ours ends where its rule says."""

import gc
from collections.abc import Callable, Iterator

import pytest

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import RequestFinished
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.redirection import Place
from sipswarm.sipcore.session.session_core import SessionCore
from tests.sipcore.accounts import Account, Accounts
from tests.sipcore.call_wire import (
    ALICE,
    BOB,
    OFFER,
    Side,
    Wire,
    config,
    established,
    request_of,
    response_of,
    ringing,
    tokens,
)

Deed = Callable[[Wire, Side, Side], object]
DEEDS: dict[str, Deed] = {
    "nothing": lambda wire, alice, bob: None,
    "re-INVITE": lambda wire, alice, bob: alice.session.reinvite(wire.now, OFFER),
    "UPDATE": lambda wire, alice, bob: bob.session.update(wire.now, OFFER),
    "REFER": lambda wire, alice, bob: alice.session.refer(wire.now, "sip:carol@192.0.2.3"),
    "BYE": lambda wire, alice, bob: bob.session.bye(wire.now),
}
"""What calls for parts that are made at their first use."""


@pytest.fixture
def found_by_collector() -> Iterator[list[object]]:
    """What only the garbage collector has found, once it is asked to keep that."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("deed", DEEDS.values(), ids=list(DEEDS))
def test_a_call_that_is_dropped_leaves_no_cycle(deed: Deed, found_by_collector: list[object]) -> None:
    alice, bob, wire = established()
    deed(wire, alice, bob)
    wire.flush()
    del wire, alice, bob
    gc.collect()
    assert not [each for each in found_by_collector if isinstance(each, SessionCore | InviteSession)]


def test_a_call_that_went_to_its_next_place_leaves_no_cycle(found_by_collector: list[object]) -> None:
    places = [Place(hop, config(ALICE)) for hop in (BOB, Hop("udp", "192.0.2.7", 5060))]
    session = InviteSession.toward(tokens(), "sip:bob@192.0.2.2", places, call_id="1@test")
    session.invite(0.0, OFFER)
    (sent,), _ = session.drain()
    session.transport_failed(0.0, branch=request_of(sent.data).branch)
    (again,), _ = session.drain()
    assert again.hop == places[1].hop
    del session
    gc.collect()
    assert not [each for each in found_by_collector if isinstance(each, SessionCore | InviteSession)]


@pytest.mark.parametrize("status", [401, 407])
def test_a_cancel_that_is_challenged_is_over(status: int) -> None:
    """RFC 3261 22.1: a CANCEL cannot be sent again, so its challenge has no answer."""
    alice, _, _ = ringing({"credentials": Accounts([Account("alice", "secret", "test", "192.0.2.2")])})
    session = alice.session
    session.cancel(0.2)
    (sent,), _ = session.drain()
    field = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    challenge = (field, 'Digest realm="test", nonce="1"')
    answer = Response.to_request(request_of(sent.data), status, to_tag="x", extra=[challenge])
    session.receive(response_of(answer.to_bytes()), BOB, 0.3)
    transmits, events = session.drain()
    assert not transmits
    (over,) = events
    assert isinstance(over, RequestFinished)
    assert (over.method, over.status) == ("CANCEL", status)
