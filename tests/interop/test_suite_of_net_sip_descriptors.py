"""Net::SIP's own scenarios 09 and 10: what a call takes of the process is given back, peer or no peer.

There an agent is 1 descriptor and a call 2 more. An agent of ours has its links besides; a call is 2 as well, RTP and
RTCP, and its ports rest for at most 6 s after the last packet.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import send_recv
from tests.e2e.agents import note, rtp_ports
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import NetSip, Wire
from .processes import free_port

WIRE = Wire()
REST = 8.0
"""seconds: the 6 of a port's rest, and a busy machine"""
FRAME = b"\xfe" * 160


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


def agent() -> UserAgent:
    return UserAgent("sip:alice@127.0.0.1", legs=(WIRE.leg,), rtp_ports=rtp_ports())


def frames(got: list[int]) -> Any:
    return send_recv(lambda number, channel: FRAME, output=lambda *frame: note(got, frame[3]))


def called_perl(folder: Path, start: Start) -> tuple[NetSip, str]:
    port = free_port()
    perl = start(NetSip(folder, "talk.pl", 25, **WIRE.of_perl(port)))
    perl.ready()
    return perl, WIRE.uri("perl", port)


def test_09_a_call_takes_three_descriptors_and_cleanup_gives_them_back_without_a_bye(
    tmp_path: Path, start: Start
) -> None:
    _, to = called_perl(tmp_path, start)

    async def main() -> None:
        before = descriptors()
        async with asyncio.timeout(30):
            async with agent() as ua:
                idle = descriptors()
                got: list[int] = []
                call = await ua.invite(to, init_media=frames(got))
                await until(lambda: len(got) > 25)
                assert descriptors() == idle + 3
                call.cleanup()
                await until(lambda: descriptors() == idle, REST)
            assert descriptors() == before

    asyncio.run(main())


@pytest.mark.slow
def test_09_as_the_called_side_too(tmp_path: Path, start: Start) -> None:
    async def main() -> None:
        before = descriptors()
        async with asyncio.timeout(30):
            async with agent() as ua:
                idle = descriptors()
                got: list[int] = []
                calls: list[Call] = []
                ua.listen(cb_create=lambda call, request: note(calls, call), init_media=frames(got))
                words = {"to": WIRE.uri("alice", ua.legs[0].port), **WIRE.of_perl()}
                perl = start(NetSip(tmp_path, "talk.pl", 25, **words, frames=100000))
                await until(lambda: len(got) > 25)
                assert descriptors() == idle + 3
                calls[0].cleanup()
                perl.program.end()
                await until(lambda: descriptors() == idle, REST)
            assert descriptors() == before

    asyncio.run(main())


def test_10_with_a_peer_that_died_everything_is_closed_all_the_same(tmp_path: Path, start: Start) -> None:
    perl, to = called_perl(tmp_path, start)

    async def main() -> None:
        before = descriptors()
        async with asyncio.timeout(30):
            async with agent() as ua:
                idle = descriptors()
                got: list[int] = []
                call = await ua.invite(to, init_media=frames(got))
                await until(lambda: len(got) > 25)
                perl.program.end()
                async with asyncio.timeout(5):  # ICMP says that nobody is there (RFC 3261 section 18.4)
                    await call.bye()
                assert call.closed
                call.cleanup()
                await until(lambda: descriptors() == idle, REST)
            assert descriptors() == before

    asyncio.run(main())
