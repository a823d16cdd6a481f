"""What sessions count together is what the wire carried more than once."""

from collections import Counter

import pytest

from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.invite_session import SessionState
from sipswarm.sipcore.transaction.transaction_counts import FURTHER, MAX_METHODS, TransactionCounts
from tests.sipcore.call_wire import ALICE, BOB, OFFER, edited, pair
from tests.sipcore.session.test_flows import call
from tests.sipcore.session.test_lossy_wire import called_side


def test_every_octet_string_that_goes_out_again_is_counted_by_method_at_once() -> None:
    """100 calls over a wire that loses a fifth each way: the wire's own ladder is the judge."""
    sent: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for seed in range(100):
        alice, bob, wire = pair(seed=seed, loss=0.2, delay=0.01)
        bob.reacts = called_side
        session = alice.call("sip:bob@192.0.2.2")
        session.invite(0.0, OFFER)
        wire.run(40.0)
        if session.state is SessionState.CONFIRMED:
            session.bye(wire.now)
        wire.finish()
        for each in (alice, bob):
            sent.update(each.config.counts.sent_again)
        for data, times in Counter(wire.raw).items():
            if times > 1:
                message = parse(data)
                # An ACK is a request of its own, whose CSeq names it.
                seen[message.cseq.method] += times - 1
    assert sent == seen
    assert min(sent[method] for method in ("INVITE", "ACK", "BYE")) > 0


def test_what_comes_again_is_counted_by_method() -> None:
    """0.3 s each way: timer A fires before the answer is back, and so does timer E of the BYE."""
    alice, bob, wire = pair(delay=0.3)
    bob.reacts = called_side
    call(alice, wire)
    wire.run(5.0)
    assert bob.config.counts.received_again == {"INVITE": 1, "ACK": 1}, "of each 200 one"
    alice.session.bye(wire.now)
    wire.finish()
    assert bob.config.counts.received_again == {"INVITE": 1, "ACK": 1, "BYE": 1}
    assert {method: alice.config.counts.sent_again[method] for method in ("INVITE", "BYE")} == {"INVITE": 1, "BYE": 1}


@pytest.mark.parametrize(("lost", "timer"), [(range(100), "B"), ((), "")])
def test_a_transaction_that_nobody_answers_is_counted_by_its_timer(lost: range, timer: str) -> None:
    alice, _, wire = pair(drop=lost)
    call(alice, wire)
    wire.finish()
    assert {name: count for name, count in alice.config.counts.timeouts.items() if count} == (
        {timer: 1} if timer else {}
    )


def test_methods_that_a_peer_makes_up_are_counted_together() -> None:
    counts = TransactionCounts()
    for number in range(1000):
        counts.received(f"M{number}")
    assert len(counts.received_again) == MAX_METHODS + 1
    assert counts.received_again[FURTHER] == 1000 - MAX_METHODS


def test_an_ack_that_comes_again_is_counted_and_one_of_another_dialog_is_not() -> None:
    """A network may double it (RFC 3261 13.2.2.4 has each ACK of a 2xx begin and end by itself)."""
    alice, bob, wire = pair()
    bob.reacts = called_side
    call(alice, wire)
    ack = next(data for data in wire.raw if data.startswith(b"ACK "))
    assert bob.config.counts.received_again == {}
    for _ in range(2):
        wire.inject(ack, ALICE, BOB)
    assert bob.config.counts.received_again == {"ACK": 2}
    wire.inject(edited(ack, (b";tag=", b";tag=x")), ALICE, BOB)
    assert bob.config.counts.received_again == {"ACK": 2}
