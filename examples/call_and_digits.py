"""Call somebody, send digits, print what comes back and how the audio was."""

import asyncio
import sys

from sipswarm import UserAgent


async def main(to: str) -> None:
    async with UserAgent(from_="sip:alice@127.0.0.1") as ua:
        call = await ua.invite(to, media="tone:440")
        await call.dtmf("1234#")
        print("digits back:", await call.digits(5, timeout=3))
        await call.bye()
        audio = call.statistics
        assert audio is not None
        print(f"{audio.packets_received} packets received, {audio.packets_lost} lost, MOS {audio.mos:.2f}")


asyncio.run(main(sys.argv[1]))
