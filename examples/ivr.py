"""An IVR: answer every call, ask for four digits, send them back, hang up. Ends after the given number of calls."""

import asyncio
import sys

from sipswarm import Call, UserAgent


async def main(address: str, calls: int) -> None:
    done: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)

    async def robot(call: Call) -> None:
        call.ring()
        await call.answer()
        digits = await call.digits(4, timeout=10)
        if digits:
            await call.dtmf(digits)
        done.put_nowait(digits)

    async with UserAgent(from_="sip:ivr@127.0.0.1", legs=[address]) as ua:
        ua.listen(robot, media="tone:440")
        print("listening on", *ua.legs, flush=True)
        for _ in range(calls):
            print("digits:", await done.get(), flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
