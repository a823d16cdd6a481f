"""`answer --register` with real processes: bound while it takes calls, taken back only when the last one is over."""

import asyncio
import signal

from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, agent, reply
from .test_command_line import WORKERS, Running
from .waiting import until


def granted(request: Request) -> list[Response]:
    """What a registrar without passwords says."""
    return [reply(request, 200, ("Contact", request.headers.get("Contact") or ""), ("Expires", "600"))]


def removals(registrar: Peer) -> int:
    return sum(request.headers.get("Expires") == "0" for request in registrar.requests)


def test_a_live_call_may_end_before_the_registration_is_taken_back() -> None:
    async def main() -> tuple[int, str]:
        async with asyncio.timeout(60), Peer(granted) as registrar, agent() as caller:
            address = f"sip:bob@127.0.0.1:{registrar.port}"
            arguments = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--register", address, *WORKERS]
            running = Running("answer", *arguments, "--drain", "30s", "--header", "X-Site: 7", "--media", "none")
            try:
                place = (await asyncio.to_thread(running.line)).removeprefix("listening on udp:")
                await until(lambda: registrar.requests)
                request = registrar.requests[0]
                assert (request.method, str(request.uri)) == ("REGISTER", f"sip:127.0.0.1:{registrar.port}")
                assert request.headers.get("Contact") == f"<sip:bob@{place}>"
                assert request.headers.get("X-Site") == "7"
                call = await caller.invite(f"sip:bob@{place}", media="none")
                running.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(1.0)  # nothing may happen now
                assert (call.closed, removals(registrar)) == (False, 0)
                await call.bye()
                await until(lambda: removals(registrar))
                return await asyncio.to_thread(running.end)
            finally:
                running.close()

    code, errors = asyncio.run(main())
    assert code == 0, errors
