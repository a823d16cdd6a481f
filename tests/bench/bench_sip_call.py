"""CPU of a complete call in memory: caller's and called side's engine, 7 messages, bytes parsed on each side.

Offer and answer are made and read as SDP on both sides. Run ``python -m tests.bench.bench_sip_call``; it prints a
table, and JSON with ``--json``; ``--profile`` prints where the time goes. CPU time of this process, best of several
rounds, because other work on the machine only ever adds.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import time

from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.media_attributes import Codec
from sipswarm.sipcore.sdp.negotiation import LocalMedia, make_answer, make_offer, negotiated
from sipswarm.sipcore.session.events import AnswerReceived, InviteReceived
from sipswarm.sipcore.session.invite_session import Hop, InviteSession, SessionConfig

BUDGET_US = 150.0
A = Hop("udp", "127.0.0.1", 5060)
B = Hop("udp", "127.0.0.2", 5060)
CODECS = (Codec("PCMU", 0), Codec("PCMA", 8), Codec("telephone-event", 101, fmtp="0-16"))


def local_media(port: int) -> LocalMedia:
    """What one side has to offer."""
    return LocalMedia(port, CODECS)


class Caller:
    """Everything that two joined engines need for one call after another."""

    def __init__(self, *, with_sdp: bool) -> None:
        self.with_sdp = with_sdp
        self.tokens = Tokens(os.urandom)
        self.config_a = SessionConfig(local=A, from_="Alice <sip:alice@127.0.0.1>", user_agent="bench")
        self.config_b = SessionConfig(local=B, from_="Bob <sip:bob@127.0.0.2>", user_agent="bench")
        self.media_a = [local_media(4000)]
        self.media_b = [local_media(5000)]
        self.body = make_offer(self.media_a, address=A.host, session_id=1).to_bytes()

    def offer(self) -> tuple[SessionDescription | None, bytes]:
        """The caller's description, as object and bytes."""
        if not self.with_sdp:
            return None, self.body
        offer = make_offer(self.media_a, address=A.host, session_id=1)
        return offer, offer.to_bytes()

    def answer(self, body: bytes) -> bytes:
        """The called side's description for an offer."""
        if not self.with_sdp:
            return self.body
        offer = SessionDescription.parse(body)
        answer = make_answer(offer, self.media_b, address=B.host, session_id=2)
        negotiated(answer, offer)
        return answer.to_bytes()

    def one_call(self, now: float) -> None:
        """INVITE, 100, 180, 200, ACK, BYE, 200."""
        offer, body = self.offer()
        caller = InviteSession.outgoing(self.config_a, self.tokens, "sip:bob@127.0.0.2:5060")
        caller.invite(now, body)
        (invite,), _ = caller.drain()
        request = parse(invite.data)
        assert isinstance(request, Request)
        called = InviteSession.incoming(self.config_b, self.tokens, request, A, now)
        transmits, events = called.drain()
        (received,) = events
        assert isinstance(received, InviteReceived)
        called.ring(now)
        transmits += called.drain()[0]
        called.accept(now, self.answer(received.offer or b""))
        transmits += called.drain()[0]
        for transmit in transmits:
            caller.receive(parse(transmit.data), B, now)
        (ack,), events = caller.drain()
        answer = events[-1]
        assert isinstance(answer, AnswerReceived)
        if offer is not None:
            negotiated(offer, SessionDescription.parse(answer.description))
        called.receive(parse(ack.data), A, now)
        called.drain()
        caller.bye(now)
        (bye,), _ = caller.drain()
        called.receive(parse(bye.data), A, now)
        (ok,), _ = called.drain()
        caller.receive(parse(ok.data), B, now)
        caller.drain()
        assert caller.deadline is not None
        assert called.deadline is not None


def measure(caller: Caller, calls: int, rounds: int) -> float:
    """CPU microseconds of one call, best round."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        for number in range(calls):
            caller.one_call(float(number))
        best = min(best, time.process_time() - start)
    return best / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with_sdp = Caller(with_sdp=True)
    if options.profile:
        profile = cProfile.Profile()
        profile.enable()
        for number in range(options.calls):
            with_sdp.one_call(float(number))
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    figures = {
        "call_us": measure(with_sdp, options.calls, options.rounds),
        "call_without_sdp_us": measure(Caller(with_sdp=False), options.calls, options.rounds),
        "budget_us": BUDGET_US,
    }
    if options.json:
        print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
        return
    print("complete call in memory, both sides, 7 messages, CPU")
    print(f"  with SDP, offer and answer  {figures['call_us']:7.1f} us")
    print(f"  without SDP work            {figures['call_without_sdp_us']:7.1f} us")
    print(f"  budget                      {BUDGET_US:7.1f} us")


if __name__ == "__main__":
    main()
