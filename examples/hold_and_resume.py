"""Call somebody, hold the call, resume it, and say how many packets came in each part."""

import asyncio
import sys

from sipswarm import UserAgent


async def main(to: str, seconds: float) -> None:
    parts = {"talking": 0, "held": 0, "talking again": 0}
    part = ""

    def count(payload: bytes, number: int, timestamp: int, channel: int, kind: int) -> None:
        if part:
            parts[part] += 1

    async with UserAgent(from_="sip:alice@127.0.0.1") as ua:
        speaking = ua.rtp("send_recv", lambda number, channel: b"\xff" * 160, output=count)
        call = await ua.invite(to, init_media=speaking)
        for name in parts:
            if name == "held":
                await call.hold()
            elif name == "talking again":
                await call.resume()
            await asyncio.sleep(0.2)  # what was on its way
            part = name
            await asyncio.sleep(seconds)
            part = ""
            print(f"{name}: {parts[name]} packets", flush=True)
        await call.bye()


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
