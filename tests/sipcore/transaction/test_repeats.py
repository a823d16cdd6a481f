"""How often a request is sent again after a challenge, alike for every method: twice, and twice for stale nonces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest

from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.transaction.repeats import MOST, NEVER, Repeats, Why, once_more
from tests.sipcore.call_wire import ALICE, ANSWER, OFFER, config, tokens
from tests.sipcore.stranger import Stranger
from tests.sipcore.usage import test_registration, test_subscription

Step = tuple[int, str, bool]
"""Status, realm, stale."""
CHALLENGES: dict[str, tuple[tuple[Step, ...], int]] = {
    "none": ((), 1),
    "one": (((401, "a", False),), 2),
    "a proxy, then the server": (((407, "p", False), (401, "a", False)), 3),
    "two proxies": (((407, "p", False), (407, "q", False)), 3),
    "another realm each time": (((401, "a", False), (401, "b", False), (401, "c", False)), 3),
    "a third one by a proxy": (((407, "p", False), (407, "q", False), (401, "a", False)), 3),
    "credentials refused": (((401, "a", False), (401, "a", False)), 2),
    "stale once": (((401, "a", False), (401, "a", True)), 3),
    "stale twice in a row": (((401, "a", False), (401, "a", True), (401, "a", True)), 3),
    "each stale once": (((407, "p", False), (401, "a", False), (407, "p", True), (401, "a", True)), 5),
    "stale for ever": (
        ((407, "p", False), (401, "a", False), (407, "p", True), (401, "a", True), (407, "p", True), (401, "a", True)),
        5,
    ),
    "stale between": (((407, "p", False), (407, "p", True), (401, "a", False), (401, "a", True)), 5),
}
"""What a peer answers, and how often the request is sent in all."""


def known_everywhere(realm: str, host: str) -> tuple[str, str]:
    return "alice", "secret"


def challenge(step: Step, number: int) -> tuple[str, str]:
    status, realm, stale = step
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    word = ", stale=true" if stale else ""
    return name, f'Digest realm="{realm}", nonce="n{number}", qop="auth", algorithm=MD5{word}'


def caller() -> Stranger:
    made = config(ALICE, credentials=known_everywhere, session_expires=90)
    return Stranger(InviteSession.outgoing(made, tokens(), "sip:bob@192.0.2.2"))


def in_call() -> Stranger:
    peer = caller()
    peer.session.invite(0.0, OFFER)
    peer.collect()
    peer.respond(peer.last("INVITE"), 200, "callee", body=ANSWER)
    return peer


def session_that(method: str) -> Stranger:
    """A session that has sent this request once."""
    peer = caller() if method in ("INVITE", "PRACK") else in_call()
    session = peer.session
    if method in ("INVITE", "PRACK"):
        session.invite(0.0, OFFER)
        if method == "PRACK":
            peer.collect()
            peer.respond(peer.last("INVITE"), 183, "callee", ("Require", "100rel"), ("RSeq", "1"))
    elif method == "re-INVITE":
        session.reinvite(0.0, OFFER)
    elif method == "BYE":
        session.bye(0.0)
    elif method == "UPDATE":
        session.update(0.0, OFFER)
    elif method == "REFER":
        session.refer(0.0, "sip:carol@192.0.2.3")
    else:
        session.request(0.0, method)
    peer.collect()
    return peer


def sent_by_session(method: str, steps: tuple[Step, ...]) -> int:
    peer = session_that(method)
    name = method.removeprefix("re-")
    before = peer.names().count(name) - 1
    for number, step in enumerate(steps):
        was = peer.names().count(name)
        peer.respond(peer.last(name), step[0], "callee", challenge(step, number))
        if peer.names().count(name) == was:
            break
    return peer.names().count(name) - before


def sent_by_registration(steps: tuple[Step, ...]) -> int:
    line = test_registration.Line(replace(test_registration.SETTINGS, credentials=known_everywhere))
    line.register(0.0)
    for number, step in enumerate(steps):
        line.reply(0.1, step[0], challenge(step, number))
    return len(line.sent)


def sent_by_subscription(steps: tuple[Step, ...]) -> int:
    line = test_subscription.Line(replace(test_subscription.SETTINGS, credentials=known_everywhere))
    line.subscribe(0.0)
    for number, step in enumerate(steps):
        was = len(line.sent)
        line.reply(0.1, step[0], challenge(step, number))
        if len(line.sent) == was:
            break
    return len(line.sent)


def by_session(method: str) -> Callable[[tuple[Step, ...]], int]:
    return lambda steps: sent_by_session(method, steps)


METHODS = ("INVITE", "re-INVITE", "PRACK", "UPDATE", "BYE", "INFO", "OPTIONS", "MESSAGE", "NOTIFY", "REFER")
SENDERS: dict[str, Callable[[tuple[Step, ...]], int]] = {
    **{method: by_session(method) for method in METHODS},
    "REGISTER": sent_by_registration,
    "SUBSCRIBE": sent_by_subscription,
}


SENT_AGAIN = pytest.mark.sweep("rule 4, what remembers a request that is sent again", repeats=250)


@SENT_AGAIN
@pytest.mark.parametrize("method", SENDERS)
@pytest.mark.parametrize("how", CHALLENGES)
def test_a_challenge_is_answered_as_often_whatever_the_method(method: str, how: str, walk: Callable[..., None]) -> None:
    steps, times = CHALLENGES[how]
    walk(repeats=times - 1)
    assert SENDERS[method](steps) == times


@pytest.mark.parametrize("order", list(permutations(("401", "407", "422", "491"))), ids=" ".join)
def test_one_reason_takes_nothing_of_what_another_has(order: tuple[str, ...]) -> None:
    peer = session_that("re-INVITE")
    extra = {
        "401": challenge((401, "a", False), 1),
        "407": challenge((407, "p", False), 2),
        "422": ("Min-SE", "200"),
        "491": ("X", "y"),
    }
    for status in order:
        asked = peer.last("INVITE")
        peer.respond(asked, int(status), "callee", extra[status])
        if status == "491":
            assert peer.last("INVITE") is asked, "it waits for its turn (RFC 3261 14.1)"
            peer.wait(4.0)
        assert peer.last("INVITE").cseq.number == asked.cseq.number + 1, status
    peer.respond(peer.last("INVITE"), 200, "callee", body=ANSWER)
    assert peer.names()[-1] == "ACK"


@pytest.mark.parametrize("order", list(permutations(("401", "407", "422"))), ids=" ".join)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_longer_interval_is_no_try_of_a_challenge(method: str, order: tuple[str, ...]) -> None:
    peer = session_that(method)
    extra = {
        "401": challenge((401, "a", False), 1),
        "407": challenge((407, "p", False), 2),
        "422": ("Min-SE", "200"),
    }
    for status in order:
        before = peer.names().count(method)
        peer.respond(peer.last(method), int(status), "callee", extra[status])
        assert peer.names().count(method) == before + 1, status


@pytest.mark.parametrize("why", Why)
def test_each_reason_has_its_own_bound(why: Why) -> None:
    repeats: Repeats | None = NEVER
    for _ in range(MOST[why]):
        assert repeats is not None
        repeats = once_more(repeats, why)
    assert repeats is not None
    assert [each for other, each in zip(Why, repeats, strict=True) if other is not why] == [0, 0, 0]
    assert once_more(repeats, why) is None
