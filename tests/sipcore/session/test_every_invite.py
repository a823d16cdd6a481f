"""Each INVITE of a call, first and later, is tried with everything that may happen to one; both roles.

State lives with what owns it (one INVITE transaction, one fork, one dialog), and what remembers a request by its number
follows it when it is sent again. The peer is written by hand; the sweeps are tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.session.dialog import OfferState
from sipswarm.sipcore.session.events import (
    Answered,
    AnswerReceived,
    Ended,
    Established,
    Failed,
    ForkEnded,
    OfferReceived,
    RequestFinished,
    TransferProgress,
)
from sipswarm.sipcore.session.invite_session import SessionState
from tests.sipcore.call_wire import ANSWER, OFFER
from tests.sipcore.stranger import WALKED, Stranger, challenge

EVERY_INVITE = pytest.mark.sweep(
    "rule 3, each INVITE of a call with all that may happen to one", tests=2900, messages=60000
)
SENT_AGAIN = pytest.mark.sweep("rule 4, what remembers a request that is sent again", tests=190, messages=850)


@pytest.fixture(autouse=True)
def count(walk: Callable[..., None]) -> Iterator[None]:
    before = WALKED.copy()
    yield
    walk(**(WALKED - before))


TAG = "callee"
NUMBERS = ("first", "second", "third")
"""Which INVITE of the dialog is looked at; those before it were answered after reliable 1xx of high RSeq."""
FAILURES = {
    "": (),
    "401": ((401, challenge(401, "n1")),),
    "407": ((407, challenge(407, "n1")),),
    "stale": ((401, challenge(401, "n1")), (401, challenge(401, "n2", stale=True))),
    "422": ((422, (("Min-SE", "200"),)),),
    "491": ((491, ()),),
    "500": ((500, (("Retry-After", "3"),)),),
    "401 and 422": ((401, challenge(401, "n1")), (422, (("Min-SE", "200"),))),
    "3xx": ((302, (("Contact", "<sip:carol@192.0.2.2>"),)),),
}
LATER_ONLY = ("491", "500")
"""A first INVITE is not sent again for these (RFC 3261 14.1)."""
RINGS = ("", "180", "tagless 180", "183", "reliable 180", "reliable 183", "two reliable", "out of order")
FORKS = ("", "loser rings", "loser answers reliably")


def description(number: int, owner: str = "ours") -> bytes:
    """A description that tells whose it is, and to which INVITE it belongs."""
    return (OFFER if owner == "ours" else ANSWER).replace(b"s=-", f"s={owner}{number}".encode())


def send(peer: Stranger, number: int, *, delayed: bool) -> None:
    offer = None if delayed else description(number)
    if number == 0:
        peer.session.invite(peer.now, offer)
    else:
        peer.session.reinvite(peer.now, offer)
    peer.collect()


def ring(peer: Stranger, what: str, number: int, tag: str, rseq: int, *, delayed: bool) -> bool:
    """Ring as a row says; each PRACK is checked. True when the description was settled reliably."""
    invite = peer.last("INVITE")
    body = description(number, tag)
    if not what:
        return False
    if "reliable" not in what and what != "out of order":
        rang = "" if what == "tagless 180" else tag
        peer.respond(invite, int(what[-3:]), rang, body=body if what == "183" and not delayed else b"")
        return False
    times = 2 if what == "two reliable" else 1
    settled = False
    for step in range(times):
        carries = body if what != "reliable 180" else b""
        before = len(peer.sent)
        extra = (("Require", "100rel"), ("RSeq", str(rseq + step)))
        peer.respond(invite, 183, tag, *extra, body=carries)
        asked = bool(carries) and delayed and not settled
        if asked:
            assert peer.names(before) == []
            peer.session.prack(peer.now, description(number), fork=peer.told(OfferReceived)[-1].fork)  # type: ignore[union-attr]
            peer.collect()
        assert peer.names(before) == ["PRACK"]
        prack = peer.last("PRACK")
        assert prack.rack == (rseq + step, invite.cseq.number, "INVITE")
        assert prack.to_tag == tag
        assert prack.description == (description(number) if asked else b"")
        peer.respond(invite, 183, tag, *extra, body=carries)  # repeated
        if what == "out of order":
            peer.respond(invite, 183, tag, ("Require", "100rel"), ("RSeq", str(rseq + 2)))
        assert peer.names(before) == ["PRACK"]
        peer.respond(prack, 200, tag)
        settled = settled or bool(carries)
    return settled


def answer(peer: Stranger, number: int, tag: str, *, delayed: bool, settled: bool, bare: bool = False) -> None:
    """Answer with 2xx, bare without a description; its ACK is checked."""
    invite = peer.last("INVITE")
    before = len(peer.sent)
    body = b"" if bare else description(number, tag)
    peer.respond(invite, 200, tag, body=body)
    if delayed and not settled:
        assert peer.names(before) == []
        peer.session.ack(peer.now, description(number))
        peer.collect()
    assert peer.names(before) == ["ACK"]
    ack = peer.last("ACK")
    assert (ack.cseq.number, ack.to_tag) == (invite.cseq.number, tag)
    assert ack.description == (description(number) if delayed and not settled else b"")
    peer.respond(invite, 200, tag, body=body)  # repeated
    assert peer.names(before) == ["ACK", "ACK"]
    assert peer.sent[-1] == ack or peer.last("ACK").cseq == ack.cseq


def call_with(which: str) -> tuple[Stranger, int]:
    """A call in which this INVITE is the next."""
    peer = Stranger.of_caller(session_expires=90, redirects=2)
    number = NUMBERS.index(which)
    for earlier in range(number):
        send(peer, earlier, delayed=bool(earlier % 2))
        settled = ring(peer, "reliable 183", earlier, TAG, 7000 - earlier, delayed=bool(earlier % 2))
        answer(peer, earlier, TAG, delayed=bool(earlier % 2), settled=settled)
    return peer, number


def sweep() -> list[tuple[str, bool, str, str, bool]]:
    rows = []
    for which, delayed, failure, ringing, bare in product(NUMBERS, (False, True), FAILURES, RINGS, (False, True)):
        described = "183" in ringing or ringing in ("two reliable", "out of order")
        if bare and (not described or (ringing == "183" and delayed)):
            continue  # nothing but the 2xx has a description
        if which == "first" and failure in LATER_ONLY:
            continue
        if which != "first" and (failure == "3xx" or ringing == "tagless 180"):
            continue
        rows.append((which, delayed, failure, ringing, bare))
    return rows


SWEEP = sweep()


@EVERY_INVITE
@pytest.mark.parametrize("rang_before", [False, True])
@pytest.mark.parametrize(("which", "delayed", "failure", "ringing", "bare"), SWEEP)
def test_an_invite_of_ours_comes_through(
    which: str, delayed: bool, failure: str, ringing: str, bare: bool, rang_before: bool
) -> None:
    peer, number = call_with(which)
    send(peer, number, delayed=delayed)
    later = TAG if number else "other"
    for status, extra in FAILURES[failure]:
        invite = peer.last("INVITE")
        if rang_before:
            ring(peer, "reliable 183", number, later, 500, delayed=delayed)
        peer.respond(invite, status, later, *extra)
        assert peer.last("ACK").cseq.number == invite.cseq.number
        peer.wait(5.0)
        assert peer.last("INVITE").cseq.number > invite.cseq.number
        assert peer.last("INVITE").description == invite.description
    settled = ring(peer, ringing, number, TAG, 42, delayed=delayed)
    answer(peer, number, TAG, delayed=delayed, settled=settled, bare=bare)
    dialog = peer.session.dialog
    assert dialog is not None
    assert (dialog.remote_tag, dialog.offer) == (TAG, OfferState.IDLE)
    assert dialog.description == description(number)
    assert peer.session.state is SessionState.CONFIRMED
    assert len(peer.told(Answered)) == number + 1
    assert peer.told(Failed) == peer.told(Ended) == []
    if not delayed:
        finals = [each for each in peer.told(AnswerReceived) if each.final]  # type: ignore[union-attr]
        assert finals[-1].description == description(number, TAG)  # type: ignore[union-attr]
    peer.session.bye(peer.now)
    peer.collect()
    peer.respond(peer.last("BYE"), 200, TAG)
    peer.wait(100.0)
    assert peer.session.finished


@EVERY_INVITE
@pytest.mark.parametrize("which", NUMBERS)
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("failure", ["", "401", "422", "491", "500"])
@pytest.mark.parametrize("ringing", ["180", "reliable 180", "reliable 183"])
def test_a_cancel_names_the_invite_that_is_open(which: str, delayed: bool, failure: str, ringing: str) -> None:
    peer, number = call_with(which)
    send(peer, number, delayed=delayed)
    for status, extra in FAILURES[failure] if number or failure not in LATER_ONLY else ():
        peer.respond(peer.last("INVITE"), status, TAG, *extra)
        peer.wait(5.0)
    invite = peer.last("INVITE")
    ring(peer, ringing, number, TAG, 42, delayed=delayed)
    assert peer.session.cancel(peer.now)
    peer.collect()
    cancel = peer.last("CANCEL")
    assert (cancel.cseq.number, cancel.branch) == (invite.cseq.number, invite.branch)
    peer.respond(cancel, 200, TAG)
    peer.respond(invite, 487, TAG)
    assert peer.last("ACK").cseq.number == invite.cseq.number
    assert [each.reinvite for each in peer.told(Failed)] == [number > 0]  # type: ignore[union-attr]
    if number:
        dialog = peer.session.dialog
        assert dialog is not None
        assert (dialog.offer, dialog.description) == (OfferState.IDLE, description(number - 1))
        send(peer, number, delayed=delayed)
        answer(peer, number, TAG, delayed=delayed, settled=False)
    else:
        assert peer.session.state is SessionState.TERMINATED


@EVERY_INVITE
@pytest.mark.parametrize("failure", ["491", "500"])
@pytest.mark.parametrize("delayed", [False, True])
def test_a_reinvite_that_waits_to_be_sent_again_may_be_cancelled(failure: str, delayed: bool) -> None:
    peer, number = call_with("second")
    send(peer, number, delayed=delayed)
    ((status, extra),) = FAILURES[failure]
    peer.respond(peer.last("INVITE"), status, TAG, *extra)
    before = len(peer.sent)
    assert peer.session.cancel(peer.now)
    peer.collect()
    peer.wait(10.0)
    assert peer.names(before) == []
    assert [each.status for each in peer.told(Failed)] == [487]  # type: ignore[union-attr]
    assert [each.method for each in peer.told(RequestFinished) if each.method == "CANCEL"] == ["CANCEL"]  # type: ignore[union-attr]
    assert not peer.session.cancel(peer.now)
    send(peer, number, delayed=delayed)
    answer(peer, number, TAG, delayed=delayed, settled=False)


@EVERY_INVITE
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("failure", ["", "401", "422"])
@pytest.mark.parametrize(("winner", "loser"), list(product(RINGS, RINGS)))
def test_forks_do_not_touch_each_other(winner: str, loser: str, failure: str, delayed: bool) -> None:
    peer, _ = call_with("first")
    send(peer, 0, delayed=delayed)
    for status, extra in FAILURES[failure]:
        ring(peer, loser, 0, "early", 3, delayed=delayed)
        peer.respond(peer.last("INVITE"), status, "early", *extra)
    settled = ring(peer, winner, 0, TAG, 42, delayed=delayed)
    lost = ring(peer, loser, 0, "loser", 9000, delayed=delayed)
    answer(peer, 0, TAG, delayed=delayed, settled=settled)
    number = peer.told(Answered)[0].fork  # type: ignore[union-attr]
    dialog = peer.session.dialog
    assert dialog is not None
    assert (dialog.remote_tag, dialog.number, dialog.offer) == (TAG, number, OfferState.IDLE)
    told = [each for each in peer.events if isinstance(each, AnswerReceived | OfferReceived) and each.fork == number]
    assert told[-1].description == description(0, TAG)
    before = len(peer.sent)
    peer.respond(peer.last("INVITE"), 200, "loser", body=b"" if lost else description(0, "loser"))
    assert peer.names(before) == ["ACK", "BYE"]
    assert len(peer.told(ForkEnded)) == 1
    assert peer.session.state is SessionState.CONFIRMED
    assert dialog.description == description(0)


@EVERY_INVITE
def test_an_update_of_ours_that_is_open_at_the_2xx_has_nothing_to_do_with_its_description() -> None:
    peer, _ = call_with("first")
    send(peer, 0, delayed=False)
    assert ring(peer, "reliable 183", 0, TAG, 42, delayed=False)
    peer.session.update(0.0, description(5))
    peer.collect()
    answer(peer, 0, TAG, delayed=False, settled=True)
    peer.respond(peer.last("UPDATE"), 200, TAG, body=description(5, TAG))
    assert peer.told(Failed) == peer.told(Ended) == []
    assert peer.session.dialog is not None
    assert peer.session.dialog.description == description(5)


@EVERY_INVITE
@pytest.mark.parametrize("ours", [False, True])
def test_what_an_update_settles_within_a_reinvite_outlives_its_failure(ours: bool) -> None:
    peer, number = call_with("second")
    send(peer, number, delayed=False)
    assert ring(peer, "reliable 183", number, TAG, 42, delayed=False)
    if ours:
        peer.session.update(0.0, description(5))
        peer.collect()
        peer.respond(peer.last("UPDATE"), 200, TAG, body=description(5, TAG))
    else:
        peer.ask("UPDATE", 10, "", description(6, TAG))
        offer = peer.told(OfferReceived)[-1]
        peer.session.respond(0.0, offer.request_id, 200, body=description(5))  # type: ignore[union-attr]
        peer.collect()
    peer.respond(peer.last("INVITE"), 488, TAG)
    assert peer.session.dialog is not None
    assert (peer.session.dialog.description, peer.session.dialog.offer) == (description(5), OfferState.IDLE)


@EVERY_INVITE
@pytest.mark.parametrize("status", [200, 491, 481])
def test_what_a_losing_fork_says_after_the_answer_touches_nothing(status: int) -> None:
    peer, _ = call_with("first")
    send(peer, 0, delayed=False)
    assert ring(peer, "reliable 183", 0, "loser", 9, delayed=False)
    peer.session.update(0.0)
    peer.collect()
    assert peer.last("UPDATE").to_tag == "loser"
    answer(peer, 0, TAG, delayed=False, settled=False)
    peer.respond(peer.last("UPDATE"), status, "loser", ("Session-Expires", "90;refresher=uac"))
    peer.wait(100.0)
    assert peer.names().count("UPDATE") == 1  # neither sent again, nor a refresh
    assert peer.told(Ended) == []
    assert peer.session.state is SessionState.CONFIRMED


@EVERY_INVITE
@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize("status", [180, 183, 199])
def test_a_1xx_without_a_tag_may_carry_all_that_others_carry(status: int, reliable: bool) -> None:
    peer, _ = call_with("first")
    send(peer, 0, delayed=False)
    extra = (("Require", "100rel"), ("RSeq", "9")) if reliable else ()
    peer.respond(peer.last("INVITE"), status, "", *extra, body=description(0, "x"))
    assert [each.final for each in peer.told(AnswerReceived)] == [reliable]  # type: ignore[union-attr]
    if reliable:
        assert peer.last("PRACK").to_tag is None
        peer.respond(peer.last("PRACK"), 200)
    peer.respond(peer.last("INVITE"), 200, TAG)
    assert peer.names()[-1] == "ACK"
    assert peer.last("ACK").to_tag == peer.session.remote_tag == TAG
    assert peer.told(Failed) == []
    assert len({each.fork for each in peer.events if isinstance(each, AnswerReceived | Answered)}) == 1


UPDATE_FAILURES = ("", "401", "407", "stale", "422", "491")


def update(peer: Stranger, by: str, failure: str, tag: str, cseq: int) -> bytes:
    """An UPDATE with an offer within an INVITE, by us or by the peer, failed as a row says; what of ours holds then."""
    session = peer.session
    if by == "peer":
        peer.ask("UPDATE", cseq, "", description(6, tag))
        offer = peer.told(OfferReceived)[-1]
        session.respond(peer.now, offer.request_id, 200, body=description(5))  # type: ignore[union-attr]
        peer.collect()
        assert peer.names()[-1] == "200 UPDATE"
        return description(5)
    number = session.update(peer.now, description(5))
    peer.collect()
    for status, extra in FAILURES[failure]:
        asked = peer.last("UPDATE")
        peer.respond(asked, status, tag, *((("Min-SE", "300"),) if status == 422 else extra))
        if status == 491 and session.state is SessionState.CONFIRMED:
            return b""  # it is sent again when the INVITE is done
        if status == 491:
            finished = peer.told(RequestFinished)[-1]
            assert (finished.request_id, finished.status) == (number, 491)  # type: ignore[union-attr]
            return b""
        again = peer.last("UPDATE")
        assert again.cseq.number > asked.cseq.number
        assert again.description == description(5)
    peer.respond(peer.last("UPDATE"), 200, tag, body=description(5, tag))
    finished = peer.told(RequestFinished)[-1]
    assert (finished.request_id, finished.status) == (number, 200)  # type: ignore[union-attr]
    return description(5)


def sent_later(peer: Stranger) -> bytes:
    """An UPDATE that met a glare within a re-INVITE is sent again; what of ours holds then."""
    asked = peer.last("UPDATE")
    peer.wait(5.0)
    again = peer.last("UPDATE")
    assert (again.cseq.number > asked.cseq.number, again.description) == (True, description(5))
    peer.respond(again, 200, TAG, body=description(5, "any"))
    return description(5)


@EVERY_INVITE
@pytest.mark.parametrize("which", NUMBERS)
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("ringing", ["reliable 183", "two reliable", "out of order"])
@pytest.mark.parametrize(("by", "failure"), [("peer", ""), *(("us", each) for each in UPDATE_FAILURES)])
@pytest.mark.parametrize("before", ["", "407", "422"])
@pytest.mark.parametrize("outcome", ["2xx", "failure", "cancel"])
def test_an_early_update_belongs_to_its_dialog_in_each_invite_of_ours(
    which: str, delayed: bool, ringing: str, by: str, failure: str, before: str, outcome: str
) -> None:
    if before == failure == "407":
        return  # the same nonce once more is a refusal
    peer, number = call_with(which)
    send(peer, number, delayed=delayed)
    for status, extra in FAILURES[before]:
        peer.respond(peer.last("INVITE"), status, TAG if number else "other", *extra)
    assert ring(peer, ringing, number, TAG, 42, delayed=delayed)
    holds = update(peer, by, failure, TAG, 20) or description(number)
    dialog = peer.session.dialog
    assert dialog is not None
    if outcome == "2xx":
        answer(peer, number, TAG, delayed=delayed, settled=True)
        if failure == "491" and number:
            holds = sent_later(peer)
        assert (dialog.description, dialog.offer) == (holds, OfferState.IDLE)
        assert len(peer.told(Answered)) == number + 1
        assert peer.session.state is SessionState.CONFIRMED
        return
    if outcome == "cancel":
        assert peer.session.cancel(peer.now)
        peer.collect()
        peer.respond(peer.last("CANCEL"), 200, TAG)
    peer.respond(peer.last("INVITE"), 487 if outcome == "cancel" else 488, TAG)
    if not number:
        assert peer.session.state is SessionState.TERMINATED
        return
    # RFC 6141 section 3.4: what an UPDATE has settled meanwhile outlives the re-INVITE.
    settled = by == "peer" or holds != description(number)
    assert (dialog.description, dialog.offer) == (holds if settled else description(number - 1), OfferState.IDLE)
    send(peer, number, delayed=delayed)
    answer(peer, number, TAG, delayed=delayed, settled=False)


@EVERY_INVITE
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("failure", UPDATE_FAILURES)
@pytest.mark.parametrize("winner", RINGS)
def test_an_early_update_of_the_fork_that_loses_touches_the_other_nowhere(
    winner: str, failure: str, delayed: bool
) -> None:
    peer, _ = call_with("first")
    send(peer, 0, delayed=delayed)
    ring(peer, "reliable 183", 0, "loser", 9000, delayed=delayed)
    update(peer, "us", failure, "loser", 20)
    settled = ring(peer, winner, 0, TAG, 42, delayed=delayed)
    answer(peer, 0, TAG, delayed=delayed, settled=settled)
    dialog = peer.session.dialog
    assert dialog is not None
    assert (dialog.remote_tag, dialog.description, dialog.offer) == (TAG, description(0), OfferState.IDLE)
    before = len(peer.sent)
    peer.respond(peer.last("INVITE"), 200, "loser")
    assert peer.names(before) == ["ACK", "BYE"]
    assert peer.session.state is SessionState.CONFIRMED


@EVERY_INVITE
@pytest.mark.parametrize("which", NUMBERS)
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize(("by", "failure"), [("peer", ""), *(("us", each) for each in UPDATE_FAILURES)])
@pytest.mark.parametrize("outcome", ["2xx", "reject", "cancel"])
def test_an_early_update_belongs_to_its_dialog_in_each_invite_of_the_peer(
    which: str, delayed: bool, by: str, failure: str, outcome: str
) -> None:
    if which == "first" and failure == "422":
        return  # before the first 2xx the called side asks for no interval
    peer = Stranger.of_called()
    number = NUMBERS.index(which)
    at = 0
    for earlier in range(number):
        late = bool(earlier % 2)
        at = called(peer, at, earlier, "reliable 183", delayed=late, updated=False, required=False)
    invited = at + 1
    peer.ask("INVITE", invited, "Supported: 100rel\r\n", b"" if delayed else description(number, "peer"))
    session = peer.session
    session.ring(peer.now, 183, description(number), reliable=True)
    peer.collect()
    rack = f"RAck: {peer.last_response().rseq} {invited} INVITE\r\n"
    peer.ask("PRACK", invited + 1, rack, description(number, "peer") if delayed else b"")
    assert peer.names()[-1] == "200 PRACK"
    holds = update(peer, by, failure, "peer", invited + 2) or description(number)
    dialog = session.dialog
    assert dialog is not None
    if outcome == "2xx":
        session.accept(peer.now, description(number))
        peer.collect()
        assert peer.names()[-1] == "200 INVITE"
        assert not peer.last_response().description
        peer.ask("ACK", invited)
        if failure == "491" and number:
            holds = sent_later(peer)
        assert (dialog.description, dialog.offer) == (holds, OfferState.IDLE)
        assert len(peer.told(Established)) == number + 1
        return
    if outcome == "reject":
        session.reject(peer.now, 488)
        peer.collect()
        assert peer.names()[-1] == "488 INVITE"
    else:
        peer.ask("CANCEL", invited, branch=peer.branch_of_invite)
        assert peer.names()[-2:] == ["200 CANCEL", "487 INVITE"]
    if number:
        assert dialog.offer is OfferState.IDLE
        assert session.state is SessionState.CONFIRMED
        called(peer, invited + 10, number, "reliable 183", delayed=delayed, updated=False, required=False)


# What remembers a request by its number


@SENT_AGAIN
@pytest.mark.parametrize("failure", ["", "401", "407", "stale"])
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_the_id_of_a_transfer_is_the_number_of_the_refer_that_was_accepted(failure: str, earlier: int) -> None:
    peer, _ = call_with("second")
    numbers = []
    for at in range(earlier + 1):
        number = peer.session.refer(peer.now, "sip:carol@192.0.2.3")
        peer.collect()
        later = ((401, challenge(401, f"later{at}", stale=True)),) if failure else ()
        for status, extra in later if at else FAILURES[failure]:
            refer = peer.last("REFER")
            peer.respond(refer, status, TAG, *extra)
            assert peer.last("REFER").cseq.number == refer.cseq.number + 1
        peer.respond(peer.last("REFER"), 202, TAG)
        numbers.append((number, peer.last("REFER").cseq.number))
    for at, (number, cseq) in enumerate(reversed(numbers)):
        state = "Subscription-State: terminated;reason=noresource\r\n"
        event = f"Event: refer;id={cseq}\r\n{state}Content-Type: message/sipfrag\r\n"
        peer.ask("NOTIFY", 10 + at, event, b"SIP/2.0 200 OK\r\n")
        assert peer.names()[-1] == "200 NOTIFY"
        assert peer.told(TransferProgress)[-1] == TransferProgress(number, 200, "OK", True)
    peer.wait(400.0)
    assert len(peer.told(TransferProgress)) == earlier + 1


@SENT_AGAIN
def test_a_refer_whose_challenge_cannot_be_answered_leaves_no_subscription() -> None:
    peer, _ = call_with("second")
    peer.session.refer(0.0, "sip:carol@192.0.2.3")
    peer.collect()
    for nonce in ("n1", "n2"):
        peer.respond(peer.last("REFER"), 401, TAG, *challenge(401, nonce))
    assert [each.status for each in peer.told(RequestFinished) if each.method == "REFER"] == [401]  # type: ignore[union-attr]
    peer.wait(400.0)
    assert peer.told(TransferProgress) == []


@SENT_AGAIN
@pytest.mark.parametrize("which", NUMBERS)
@pytest.mark.parametrize("failure", ["401", "407", "stale"])
@pytest.mark.parametrize("delayed", [False, True])
def test_a_prack_that_is_sent_again_names_the_same_1xx(which: str, failure: str, delayed: bool) -> None:
    peer, number = call_with(which)
    send(peer, number, delayed=delayed)
    invite = peer.last("INVITE")
    peer.respond(invite, 183, TAG, ("Require", "100rel"), ("RSeq", "42"), body=description(number, TAG))
    if delayed:
        peer.session.prack(0.0, description(number))
        peer.collect()
    for status, extra in FAILURES[failure]:
        prack = peer.last("PRACK")
        peer.respond(prack, status, TAG, *extra)
        again = peer.last("PRACK")
        assert again.cseq.number == prack.cseq.number + 1
        assert again.rack == prack.rack == (42, invite.cseq.number, "INVITE")
        assert again.description == prack.description
    peer.respond(peer.last("PRACK"), 200, TAG)
    answer(peer, number, TAG, delayed=delayed, settled=True)


@SENT_AGAIN
@pytest.mark.parametrize("method", ["INFO", "UPDATE", "BYE", "NOTIFY", "MESSAGE", "OPTIONS"])
@pytest.mark.parametrize("failure", ["401", "407", "stale"])
def test_any_request_that_is_sent_again_is_finished_once_under_its_first_name(method: str, failure: str) -> None:
    peer, _ = call_with("second")
    if method == "BYE":
        number = peer.session.bye(0.0)
    elif method == "UPDATE":
        number = peer.session.update(0.0, description(4))
    else:
        number = peer.session.request(0.0, method)
    peer.collect()
    for status, extra in FAILURES[failure]:
        peer.respond(peer.last(method), status, TAG, *extra)
    peer.respond(peer.last(method), 200, TAG, body=description(4, TAG) if method == "UPDATE" else b"")
    finished = [each for each in peer.told(RequestFinished) if each.method == method]  # type: ignore[union-attr]
    assert [(each.request_id, each.status) for each in finished] == [(number, 200)]  # type: ignore[union-attr]


@SENT_AGAIN
def test_an_update_answered_422_keeps_what_its_user_gave() -> None:
    peer, _ = call_with("second")
    peer.session.update(0.0, description(4), headers=[("X-Mine", "1")])
    peer.collect()
    peer.respond(peer.last("UPDATE"), 422, TAG, ("Min-SE", "200"))
    again = peer.last("UPDATE")
    assert again.headers.get_all("X-Mine") == ["1"]
    assert again.headers.get_all("Session-Expires") == ["200"]
    assert again.description == description(4)


# The called side


CALLED_RINGS = ("", "180", "183", "reliable 180", "reliable 183", "both")


@EVERY_INVITE
@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("updated", [False, True])
@pytest.mark.parametrize(("which", "delayed", "ringing"), list(product(NUMBERS, (False, True), CALLED_RINGS)))
def test_an_invite_of_the_peer_comes_through(
    which: str, delayed: bool, ringing: str, updated: bool, required: bool
) -> None:
    peer = Stranger()
    number = NUMBERS.index(which)
    at = 0
    for earlier in range(number + 1):
        last = earlier == number
        at = called(
            peer,
            at,
            earlier,
            ringing if last else "reliable 183",
            delayed=delayed if last else bool(earlier % 2),
            updated=updated and last,
            required=required and last,
        )
    assert len(peer.told(Established)) == number + 1
    assert peer.told(Ended) == []
    dialog = peer.session.dialog
    assert dialog is not None
    assert dialog.offer is OfferState.IDLE
    assert dialog.description in (description(number), description(50 + number))


def called(peer: Stranger, at: int, number: int, ringing: str, *, delayed: bool, updated: bool, required: bool) -> int:
    """One INVITE of the peer, rung and answered as a row says; returns the last CSeq number used."""
    at = invited = at + 1
    words = f"{'Require' if required else 'Supported'}: 100rel, timer\r\n".replace(
        ", timer", "" if required else ", timer"
    )
    peer.ask("INVITE", invited, words, b"" if delayed else description(number, "peer"))
    session = peer.session
    answered = False
    for what in ["reliable 180", "reliable 183"] if ringing == "both" else [ringing] * bool(ringing):
        reliable = required or "reliable" in what
        body = description(number) if "183" in what and not (delayed and not reliable) else None
        if reliable and delayed and not answered and body is None:
            with pytest.raises(LocalProtocolError, match="RFC 3262"):
                session.ring(peer.now, int(what[-3:]), reliable=reliable)
            body = description(number)
        before = len(peer.sent)
        session.ring(peer.now, int(what[-3:]), None if answered else body, reliable=reliable)
        peer.collect()
        ringing_response = peer.last_response()
        assert peer.names(before) == [f"{what[-3:]} INVITE"]
        assert ("rseq" in ringing_response.headers.keys) == reliable
        if not reliable:
            continue
        at += 1
        carries = description(number, "peer") if delayed and not answered else b""
        rack = f"RAck: {ringing_response.rseq} {invited} INVITE\r\n"
        peer.ask("PRACK", at, f"RAck: {ringing_response.rseq} {invited + 1} INVITE\r\n")
        assert peer.names()[-1] == "481 PRACK"
        at += 1
        peer.ask("PRACK", at, rack, carries)
        assert peer.names()[-1] == "200 PRACK"
        answered = answered or body is not None
    if updated and answered:
        at += 1
        peer.ask("UPDATE", at, "", description(60 + number, "peer"))
        offer = peer.told(OfferReceived)[-1]
        session.respond(peer.now, offer.request_id, 200, body=description(50 + number))  # type: ignore[union-attr]
        peer.collect()
        assert peer.names()[-1] == "200 UPDATE"
    before = len(peer.sent)
    session.accept(peer.now, description(number))
    peer.collect()
    assert peer.names(before) == ["200 INVITE"]
    assert bool(peer.last_response().description) == (not answered)
    peer.ask("ACK", invited, "", description(number, "peer") if delayed and not answered else b"")
    if delayed:
        assert [each.description for each in peer.told(AnswerReceived)][-1] == description(number, "peer")  # type: ignore[union-attr]
    return at


@EVERY_INVITE
def test_a_prack_for_a_1xx_that_a_2xx_has_overtaken_is_taken() -> None:
    peer = Stranger()
    peer.ask("INVITE", 1, "Supported: 100rel\r\n", description(0, "peer"))
    peer.session.ring(0.0, 180, reliable=True)
    peer.collect()
    rack = f"RAck: {peer.last_response().rseq} 1 INVITE\r\n"
    peer.session.accept(0.0, description(0))
    peer.collect()
    peer.ask("ACK", 1)
    for number, status in ((2, 200), (3, 481)):
        peer.ask("PRACK", number, rack)
        assert peer.names()[-1] == f"{status} PRACK"
