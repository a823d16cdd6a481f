"""Register with a password, wait for one call, echo what it says, and take the registration back."""

import asyncio
import sys

from sipswarm import Call, UserAgent


async def main(registrar: str, user: str, password: str) -> None:
    called = asyncio.Event()

    async def echo(call: Call) -> None:
        print("called by", call.get_peer(), flush=True)
        await call.answer()
        await call.over()
        called.set()

    host = registrar.removeprefix("sip:").partition(":")[0]
    async with UserAgent(from_=f"sip:{user}@{host}", registrar=registrar, auth=(user, password)) as ua:
        ua.listen(echo, media="echo")
        granted = await ua.register(expires=300)
        print(f"registered for {granted} s at {registrar}", flush=True)
        await called.wait()
        await ua.register(expires=0)
        print("registration taken back", flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
