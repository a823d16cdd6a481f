"""The far end of a link in a process of its own: takes records, writes their numbers to stdout, and may be slow.

`python -m tests.faults.bus_consumer ENDPOINT INCARNATION SLOW`; SLOW are seconds for each batch. A number is written
before the batch counts as handled, so that what was acknowledged has always been written.
"""

import asyncio
import os
import sys
import time
from typing import Any

from sipswarm.actors.bus.link import Channel, DealerLink, Surroundings, new_context
from sipswarm.actors.counting.totals import Totals


def number_of(record: Any) -> bytes:
    """Four octets that tell a record from every other one."""
    data = getattr(record, "data", None)
    return bytes(data[:4]) if data is not None else int(record.stream_id).to_bytes(4)


async def serve(endpoint: str, incarnation: int, slow: float) -> None:
    """Take records for ever."""

    def take(channel: Channel, records: list[Any]) -> None:
        os.write(1, b"".join(map(number_of, records)))
        if slow:
            time.sleep(slow)

    surroundings = Surroundings(incarnation, new_context(), Totals(), asyncio.get_running_loop())
    DealerLink(surroundings, endpoint, role="call", slot=0, name="sip", window=1024, on_records=take)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
