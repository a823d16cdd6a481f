"""Waiting for what a node does, by what a caller sees of it."""

import asyncio
import time
from functools import partial

from .node import Node, holds, own_host
from .peer import Peer, PeerCall, State


def has_final(call: PeerCall) -> bool:
    """Whether a call's INVITE got a final response."""
    return call.status > 0


async def answers(node: Node, within: float = 15.0, in_a_row: int = 8) -> bool:
    """Whether so many calls in a row, which fall into every slot, are answered within a time."""
    peer = Peer(own_host(), seed=time.monotonic_ns(), media=False)  # no Call-ID of another peer
    deadline, good = time.monotonic() + within, 0
    while good < in_a_row and time.monotonic() < deadline:
        call = peer.call(node.place)
        await holds(partial(has_final, call), 2)
        good = good + 1 if call.status == 200 else 0
        peer.bye(call)
        await asyncio.sleep(0.05)
    await holds(lambda: not peer.at(State.CLOSING), 3)
    await peer.close()
    return good >= in_a_row
