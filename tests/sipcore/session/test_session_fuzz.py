"""What a peer sends never raises: messages of real calls, changed, repeated and out of order, in every state."""

import random

import pytest

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.invite_session import InviteSession
from tests.sipcore.call_wire import ALICE, ANSWER, BOB, OFFER, config, pair, tokens

WORDS = [
    b"INVITE", b"ACK", b"BYE", b"CANCEL", b"PRACK", b"UPDATE", b"REFER", b"NOTIFY", b"INFO", b"OPTIONS", b"FOO",
    b"100", b"180", b"183", b"200", b"302", b"401", b"422", b"481", b"487", b"491", b"500", b"600",
    b";tag=", b"Contact: <sip:x@y>\r\n", b"Contact: *\r\n", b"Require: 100rel\r\nRSeq: 1\r\n", b"RAck: 1 1 INVITE\r\n",
    b"Record-Route: <sip:r;lr>\r\n", b"Record-Route: <\r\n", b"Session-Expires: 90;refresher=uas\r\n",
    b"Session-Expires: x\r\n", b"Refer-To: <sip:c@c>\r\n", b"Event: refer\r\n", b"Retry-After: 2\r\n",
    b"Replaces: 1;to-tag=a;from-tag=b\r\n", b"Min-SE: 900\r\n", b"Content-Length: 0\r\n", b"\r\n", b"\"", b"<", b",",
    b"1 ", b"2 ", b"4294967295",
]  # fmt: skip


def corpus() -> list[bytes]:
    """Messages of a call with everything in it."""
    settings: dict[str, object] = {"session_expires": 90, "redirects": 2}
    alice, bob, wire = pair(settings)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    wire.flush()
    bob.session.ring(0.0, 183, ANSWER, reliable=True)
    bob.session.accept(0.0)
    wire.flush()
    alice.session.update(1.0, OFFER)
    alice.session.refer(1.0, "sip:c@c")
    alice.session.request(1.0, "INFO", b"x", "text/plain")
    wire.run(60.0)
    bob.session.reinvite(60.0, OFFER)
    wire.run(61.0)
    alice.session.bye(61.0)
    wire.run(62.0)
    return wire.raw


def mutant(data: bytes, source: random.Random) -> bytes:
    """A message with one to three changes."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(changed))
        kind = source.randrange(4)
        if kind == 0:
            changed[at] = source.randrange(256)
        elif kind == 1:
            del changed[at : at + source.randint(1, 8)]
        else:
            lines = bytes(changed).split(b"\r\n")
            number = source.randrange(len(lines))
            if kind == 2:
                lines[number] = lines[number].replace(source.choice(WORDS[:23]), source.choice(WORDS[:23]))
            else:
                lines.insert(max(1, number), source.choice(WORDS).rstrip(b"\r\n"))
            changed = bytearray(b"\r\n".join(lines))
        if not changed:
            return data
    return bytes(changed)


def sessions(seed: int) -> list[tuple[InviteSession, str]]:
    """A caller and a called side that share the identity of the corpus, in a state chosen by the seed."""
    settings: dict[str, object] = {"session_expires": 90, "redirects": 2}
    alice, bob, wire = pair(settings)
    alice.call("sip:bob@192.0.2.2").invite(0.0, OFFER)
    step = seed % 6
    wire.drop = frozenset() if step else frozenset(range(100))
    wire.flush()
    if step > 1 and bob.sessions:
        bob.session.ring(0.0, 183, ANSWER, reliable=True)
        wire.flush()
    if step > 2:
        bob.session.accept(0.0)
        wire.flush()
    if step == 4:
        alice.session.reinvite(1.0, OFFER)
        alice.session.refer(1.0, "sip:c@c")
        wire.flush()
    if step == 5:
        bob.session.bye(1.0)
    return [(alice.session, "A"), *[(session, "B") for session in bob.sessions]]


@pytest.mark.parametrize("seed", range(120))
def test_no_message_of_a_peer_raises_and_every_timer_ends(seed: int) -> None:
    source = random.Random(seed)
    originals = corpus()
    for session, side in sessions(seed):
        now = 2.0
        for _ in range(60):
            data = source.choice(originals)
            try:
                message = parse(mutant(data, source) if source.random() < 0.8 else data)
            except ParseError:
                continue
            session.receive(message, BOB if side == "A" else ALICE, now, source.randrange(3))
            session.drain()
            now += source.choice((0.0, 0.1, 5.0))
            deadline = session.deadline
            if deadline is not None and deadline <= now:
                session.handle_timer(now)
        session.hang_up(now)
        for _ in range(2000):
            deadline = session.deadline
            if deadline is None:
                break
            now = max(now, deadline)
            session.handle_timer(now)
            session.drain()
            session.hang_up(now)
        assert session.deadline is None
        assert session.finished


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_invite_starts_a_call_or_raises_a_parse_error(seed: int) -> None:
    source = random.Random(seed)
    invite = corpus()[0]
    for _ in range(25):
        try:
            message = parse(mutant(invite, source))
            if isinstance(message, Request) and message.method == "INVITE":
                InviteSession.incoming(config(BOB), tokens(), message, ALICE, 0.0)
        except ParseError:
            continue
