"""Records between processes: each arrives, is refused to its sender, or expires with a count; none vanishes."""

import asyncio
import os
import signal
import sys
import time
from array import array
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from sipswarm.actors.bus import kinds
from sipswarm.actors.bus.link import RouterLink, new_context
from sipswarm.actors.bus.link import Surroundings as LinkSurroundings
from sipswarm.actors.bus.messages import SipReceived
from sipswarm.actors.counting.totals import Totals
from sipswarm.media.messages import CloseStream

from ..bus_consumer import number_of
from ..figures import Figure, Surroundings, exactly, row, told
from ..node import ROOT, until

RECORDS = "sipswarm_bus_records_total"


class Consumers:
    """Far ends, one after the other, and what each of them took."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.taken = array("I")
        self.incarnation = 0
        self._readers: list[asyncio.Task[None]] = []
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, slow: float = 0.0) -> None:
        """Start the next one."""
        self.incarnation += 1
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.bus_consumer", self._endpoint, str(self.incarnation), str(slow),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._readers.append(asyncio.create_task(self._read(self.process)))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        left = b""
        while data := await process.stdout.read(1 << 16):
            left += data
            whole = len(left) // 4 * 4
            for place in range(0, whole, 4):
                self.taken.append(int.from_bytes(left[place : place + 4]))
            left = left[whole:]

    async def kill(self) -> None:
        """End it at once, and read what it had written."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self._readers)

    async def rest(self, seconds: float) -> None:
        """Let it stand still."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self.process.pid, signal.SIGCONT)


class Sender:
    """The near end, and what became of each record by its own account."""

    def __init__(self, folder: Path) -> None:
        self.endpoint = f"ipc://{folder}/l.sock"
        self.totals = Totals()
        self.context = new_context()
        self.refused = array("I")
        surroundings = LinkSurroundings(1, self.context, self.totals, asyncio.get_running_loop())
        self.router = RouterLink(
            surroundings,
            self.endpoint,
            role="dispatcher",
            name="sip",
            window=1024,
            on_records=lambda channel, records: None,
            on_lost=lambda channel, records: self._refuse(records),
        )
        self.number = 0
        self.by_number: list[str] = [""]

    def _refuse(self, records: list[Any]) -> None:
        self.refused.extend(int.from_bytes(number_of(record)) for record in records)

    def record(self, dice: Random) -> Any:
        """The next record: a datagram, a message of a connection, or a command to media."""
        self.number += 1
        which = dice.randrange(3)
        made: Any
        if which == 2:
            made = CloseStream(self.number)
        else:
            made = SipReceived(0, 7 * which, "127.0.0.1", 5060, self.number.to_bytes(4) + b"OPTIONS sip:a@b SIP/2.0")
        self.by_number.append(kinds.kind_of(made))
        return made

    def offer(self, records: list[Any]) -> bool:
        """Send them to the consumer that is there; False when it takes none now."""
        channel = self.router.channels.get(("call", 0))
        return channel is not None and self.router.send(channel, records)

    def fates(self) -> dict[str, Counter[str]]:
        """The link's own counts by kind."""
        found: dict[str, Counter[str]] = {}
        for name, labels, values in self.totals.snapshot():
            if name == RECORDS:
                found.setdefault(labels[0], Counter())[labels[1]] = int(values[0])
        return found

    def difference(self) -> int:
        """Records of all kinds whose fate the link does not name."""
        return sum(
            abs(each["offered"] - each["acknowledged"] - each["refused"] - each["expired"])
            for each in self.fates().values()
        )

    def close(self) -> None:
        self.router.close()
        self.context.term()


@row(
    "million-records",
    "1,000,000 records to a process that is killed, stopped and slow in turn",
    "the numbers that arrived, against those that were sent and those that were given back",
    seconds=60,
    cores=0.7,
    quick=True,
)
async def million(surroundings: Surroundings) -> list[Figure]:
    total, dice = surroundings.of(1_000_000, 60_000), surroundings.dice
    sender = Sender(surroundings.folder)
    consumers = Consumers(sender.endpoint)
    await consumers.start()
    await until(lambda: ("call", 0) in sender.router.channels, 20, "the consumer")
    kills = stops = at_once = 0
    next_fault = total // 12
    while sender.number < total:
        records = [sender.record(dice) for _ in range(dice.randrange(1, 200))]
        deadline = time.monotonic() + dice.uniform(0, 0.02)
        while not sender.offer(records):
            if time.monotonic() > deadline:
                at_once += len(records)
                sender.refused.extend(int.from_bytes(number_of(record)) for record in records)
                break
            await asyncio.sleep(0.001)
        if sender.number % 7 == 0:
            await asyncio.sleep(0)
        if sender.number >= next_fault:
            next_fault += total // 12
            if dice.random() < 0.5:
                stops += 1
                await consumers.rest(dice.choice((0.2, 1.0) if surroundings.quick else (0.5, 2.0, 4.6)))
            else:
                kills += 1
                old = consumers.incarnation
                await consumers.kill()
                sender.router.forget("call", 0, old)
                await consumers.start(dice.choice((0.0, 0.0, 0.002)))
                await until(lambda: ("call", 0) in sender.router.channels, 20, "the next consumer")
    with suppress(TimeoutError):
        await until(lambda: sender.difference() == 0, 40, "the fate of each record", every=0.1)
    difference = sender.difference()
    fates = sender.fates()
    expired = sum(each["expired"] for each in fates.values())
    not_datagrams = sum(each["expired"] for kind, each in fates.items() if kind != kinds.DATAGRAM)
    await consumers.kill()
    sender.close()
    taken = Counter(consumers.taken)
    known = set(taken) | set(sender.refused)
    silent = [number for number in range(1, sender.number + 1) if number not in known]
    doubled = sum(count - 1 for count in taken.values())
    return [
        exactly("sent - acknowledged - refused - expired, by kind", difference, 0),
        exactly("records that neither arrived nor came back, beyond the expired", max(len(silent) - expired, 0), 0),
        exactly("records other than datagrams that expired", not_datagrams, 0),
        exactly("records that arrived twice", doubled, 0),
        told("records", sender.number),
        told("refused", len(sender.refused)),
        told("expired", expired),
        told("kills", kills),
        told("stops", stops),
    ]
