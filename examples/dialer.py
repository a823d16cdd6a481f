"""A dialer: call each row of a CSV file (columns `to`, `digits`), some at a time, send the digits, print the result."""

import asyncio
import csv
import sys
from pathlib import Path

from sipswarm import CallEnded, CallRejected, CallTimeout, UserAgent

AT_ONCE = 10


async def dial(ua: UserAgent, to: str, digits: str) -> str:
    try:
        call = await ua.invite(to, media="silence", ring_time=20)
        if digits:
            await call.dtmf(digits)
        await call.bye()
    except CallRejected as refused:
        return str(refused.status)
    except (CallTimeout, CallEnded) as reason:
        return str(reason)
    return f"answered, {len(call.digits_sent)} digits sent"


async def main(file: Path) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    async with UserAgent(from_="sip:dialer@127.0.0.1") as ua:

        async def row(to: str, digits: str) -> None:
            async with places:
                print(f"{to}: {await dial(ua, to, digits)}", flush=True)

        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        await asyncio.gather(*(row(each["to"], each["digits"]) for each in rows))


asyncio.run(main(Path(sys.argv[1])))
