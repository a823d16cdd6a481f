"""An answering machine: answer each call, play a tone, record what is said to FOLDER/<number>.wav until the caller
hangs up or SECONDS are over. Ends after the given number of calls."""

import asyncio
import sys
from pathlib import Path

from sipswarm import Call, UserAgent


async def main(address: str, folder: Path, calls: int, seconds: float) -> None:
    done: asyncio.Queue[Path] = asyncio.Queue(maxsize=1000)
    taken = 0

    async def machine(call: Call) -> None:
        nonlocal taken
        taken += 1
        file = folder / f"{taken}.wav"
        await call.answer()
        call.record(str(file))
        try:
            async with asyncio.timeout(seconds):
                await call.over()
        except TimeoutError:
            await call.bye()
        done.put_nowait(file)

    async with UserAgent(from_="sip:machine@127.0.0.1", legs=[address]) as ua:
        ua.listen(machine, media="tone:440")
        print("listening on", *ua.legs, flush=True)
        for _ in range(calls):
            file = await done.get()
            print(f"recorded {file.name}: {file.stat().st_size} octets", flush=True)


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
