"""Memory of an established call's engine, one side at a time: right after the ACK, and when its timers have ended.

Run ``python -m tests.bench.bench_sip_memory``; it prints a table, and JSON with ``--json``. Octets that tracemalloc
counts for each of 500 sessions; what all sessions share (configuration, caches) is not in it.
"""

from __future__ import annotations

import argparse
import gc
import json
import tracemalloc

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.session.events import InviteReceived
from sipswarm.sipcore.session.invite_session import InviteSession

from .bench_sip_call import A, B, Caller

SESSIONS = 500
TIMERS_OVER = 64.0
"""Seconds after which no transaction of the INVITE is left: more than 64*T1."""


def established(caller: Caller) -> tuple[InviteSession, InviteSession]:
    """Both sides of a call that is up: INVITE, 100, 180, 200, ACK."""
    calling = InviteSession.outgoing(caller.config_a, caller.tokens, "sip:bob@127.0.0.2:5060")
    calling.invite(0.0, caller.offer()[1])
    (invite,), _ = calling.drain()
    request = parse(invite.data)
    assert isinstance(request, Request)
    called = InviteSession.incoming(caller.config_b, caller.tokens, request, A, 0.0)
    transmits, (received,) = called.drain()
    assert isinstance(received, InviteReceived)
    called.ring(0.0)
    called.accept(0.0, caller.answer(received.offer or b""))
    for transmit in transmits + called.drain()[0]:
        calling.receive(parse(transmit.data), B, 0.0)
    (ack,), _ = calling.drain()
    called.receive(parse(ack.data), A, 0.0)
    called.drain()
    return calling, called


def octets(side: int, *, timers_over: bool) -> float:
    """Octets of one session; `side` 0 is the caller's, 1 the called one's."""
    caller = Caller(with_sdp=True)
    for _ in range(50):
        established(caller)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [established(caller)[side] for _ in range(SESSIONS)]
    if timers_over:
        for session in kept:
            session.handle_timer(TIMERS_OVER)
            session.drain()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {
        f"{name}_{when}": round(octets(side, timers_over=over))
        for side, name in enumerate(("caller", "called"))
        for over, when in ((False, "after_ack"), (True, "after_timers"))
    }
    if options.json:
        print(json.dumps(figures))
        return
    print("octets of one established session")
    for name, value in figures.items():
        print(f"  {name:22} {value:6d}")


if __name__ == "__main__":
    main()
