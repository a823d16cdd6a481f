"""CPU of session descriptions: parse, answer, offer and negotiation of a usual call with one audio line.

Run: python -m tests.bench.bench_sdp [rounds]. Times are µs of this process's CPU, the best of ten series. Because
machines differ, each is also given as a multiple of one md5 over 600 octets of the same run. Target: parse and answer,
octets to octets, at most 20 µs together.
"""

import hashlib
import itertools
import json
import sys
import time
from collections.abc import Callable

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import LocalMedia, make_answer, make_offer, negotiated

SERIES = 10
OFFER = (
    b"v=0\r\no=user1 53655765 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio %d RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
    b"a=ptime:20\r\na=sendrecv\r\n"
)
NEW_LINES = OFFER.replace(b"a=ptime", b"a=x-call:%d\r\na=ptime")


def best(work: Callable[[], object], rounds: int) -> float:
    """Least µs of CPU that one call of `work` took, over all series."""
    least = float("inf")
    for _ in range(SERIES):
        began = time.process_time()
        for _ in range(rounds):
            work()
        least = min(least, time.process_time() - began)
    return least / rounds * 1e6


def measure(rounds: int) -> dict[str, float]:
    """µs for each piece of work."""
    media = [LocalMedia(6000)]
    # Every call has its own o= line and port; `fresh` ones also an attribute of their own, so that nothing is shared.
    numbers = itertools.count(10_000)
    offers = [OFFER % (number, 2 * number % 60_000 + 2000) for number in itertools.islice(numbers, 5000)]
    fresh = [NEW_LINES % (number, 2 * number % 60_000 + 2000, number) for number in itertools.islice(numbers, 5000)]
    turn, fresh_turn = itertools.cycle(offers), itertools.cycle(fresh)
    offer = SessionDescription.parse(offers[0])
    answer = make_answer(offer, media, address="127.0.0.1", session_id=7)

    def parse_and_answer(source: "itertools.cycle[bytes]") -> bytes:
        read = SessionDescription.parse(next(source))
        return make_answer(read, media, address="127.0.0.1", session_id=7).to_bytes()

    return {
        "parse": best(lambda: SessionDescription.parse(next(turn)), rounds),
        "parse and answer": best(lambda: parse_and_answer(turn), rounds),
        "parse and answer, attributes never seen": best(lambda: parse_and_answer(fresh_turn), rounds),
        "offer": best(lambda: make_offer(media, address="127.0.0.1", session_id=7).to_bytes(), rounds),
        "negotiated": best(lambda: negotiated(answer, offer), rounds),
        "md5 of 600 octets": best(lambda: hashlib.md5(bytes(600), usedforsecurity=False).digest(), rounds),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    found = measure(rounds)
    unit = found["md5 of 600 octets"]
    for what, microseconds in found.items():
        print(f"{what:42} {microseconds:7.2f} µs {microseconds / unit:7.1f} x md5")
    print(json.dumps({"bench": "sdp", "microseconds": found}))


if __name__ == "__main__":
    main()
