"""What the guards of messages cost: the black box, the digests of poison, the fair queue.

The messages are those of one call, seen from both sides. Each figure is CPU time of its 7 messages, and its share of
the whole call in memory (`bench_sip_call`), measured in the same run. A dispatcher and a call worker note each message
and look for digests; a digest is computed only while one is published. A message comes to the fair queue only while its
slot has no room. Best of several rounds.

    python -m tests.bench.bench_message_guards [--calls 3000] [--rounds 5]
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from sipswarm.actors.bus.messages import SipReceived
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.diagnosis.black_box import BlackBox, BlackBoxes, octets_for
from sipswarm.actors.transport.fair_queue import FairQueue
from sipswarm.actors.transport.poison_gate import PoisonGate
from tests.bench.bench_sip_call import Caller, measure
from tests.bench.bench_sip_hop import MESSAGE

TARGET = 0.02
"""of a call, for each guard"""
MESSAGES = 7
WAITING = 16
"""messages in the queue"""
HOST, PORT = "192.0.2.7", 5061
Guard = Callable[[bytes], object]


def guards(box: BlackBox) -> dict[str, Guard]:
    """What is done for each message, by name."""
    gate, queue = PoisonGate(box, Totals()), FairQueue()
    waiting = SipReceived(0, 0, HOST, PORT, MESSAGE % (0, 0), "")
    for _ in range(WAITING):
        queue.add(waiting, 0.0)

    def in_dispatcher(data: bytes) -> None:
        box.holds(len(data))
        gate.stops(data, HOST, PORT)
        box.holds(0)

    def in_call_worker(data: bytes) -> None:
        box.begin(data)
        gate.stops(data, HOST, PORT)
        box.end()

    def in_queue(data: bytes) -> None:
        queue.add(waiting, 0.0)  # the dispatcher has made the record in any case
        queue.take(1)

    return {"black box, dispatcher": in_dispatcher, "black box, call worker": in_call_worker, "fair queue": in_queue}


def cost(guard: Guard, calls: int, rounds: int) -> float:
    """CPU microseconds for the messages of one call, best round."""
    messages = [MESSAGE % (number, number) for number in range(MESSAGES)]
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        for _ in range(calls):
            for data in messages:
                guard(data)
        best = min(best, time.process_time() - start)
    return best / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    memory = os.memfd_create("boxes")
    os.ftruncate(memory, octets_for(2))
    boxes = BlackBoxes(memory, 2)
    measured = guards(BlackBox(memory, 1))
    call = measure(Caller(with_sdp=True), options.calls, options.rounds)
    figures = {name: cost(guard, options.calls, options.rounds) for name, guard in measured.items()}
    boxes.publish([1])
    for name in ("black box, dispatcher", "black box, call worker"):
        figures[f"{name}, a digest published"] = cost(measured[name], options.calls, options.rounds)
    print(f"a call in memory, both sides: {call:.0f} us; target {TARGET:.0%} of it for each guard")
    for name, spent in figures.items():
        print(f"{name:45} {spent:6.2f} us a call  {spent / call:6.2%}")
    out = Path(__file__).parent / "out"
    out.mkdir(exist_ok=True)
    shares = {name: round(spent / call, 5) for name, spent in figures.items()}
    (out / "message_guards.json").write_text(json.dumps({"call_us": call, "share_of_call": shares}, indent=1))


if __name__ == "__main__":
    main()
