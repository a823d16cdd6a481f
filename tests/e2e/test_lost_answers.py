"""A 2xx that cannot be sent ends its call at once, not after the 32 s of its repetitions (RFC 3261 13.3.1.4, 18.4)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.bus.messages import SendFailed
from sipswarm.actors.diagnosis.request_loss import Loss
from sipswarm.actors.handle.call import Call
from sipswarm.actors.transport.lost_requests import identity
from tests.actors.stranger import SDP
from tests.actors.workers import worker_of

from .agents import address_of, agent

SPELLINGS = {
    "usual": ("Via", "From", "To", "Call-ID", "CSeq"),
    "compact": ("v", "f", "t", "i", "cseq"),
    "other case": ("VIA", "FROM", "TO", "CALL-ID", "CSEQ"),
    "with blanks": ("Via ", "From ", "To ", "Call-ID ", "CSeq "),
}


def invite(transport: str, port: int, spelling: str = "usual", rport: str = ";rport") -> bytes:
    via, from_, to, call_id, cseq = SPELLINGS[spelling]
    lines = (
        "INVITE sip:bob@127.0.0.1 SIP/2.0",
        f"{via}: SIP/2.0/{transport} 127.0.0.1:{port};branch=z9hG4bKlost{port}{rport}",
        f"{from_}: <sip:gone@127.0.0.1>;tag=gone",
        f"{to}: <sip:bob@127.0.0.1>",
        f"{call_id}: lost-{port}",
        f"{cseq}: 1 INVITE",
        f"Contact: <sip:gone@127.0.0.1:{port};transport={transport.lower()}>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(SDP)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + SDP


class Robot:
    """Answers its call when it is let, and notes how that ended."""

    def __init__(self) -> None:
        self.arrived, self.go = asyncio.Event(), asyncio.Event()
        self.calls: list[Call] = []
        self.causes: list[Any] = []

    async def __call__(self, call: Call) -> None:
        self.calls.append(call)
        self.arrived.set()
        await self.go.wait()
        try:
            await call.answer()
        except Exception as error:
            self.causes.append(error)
            raise


def closed_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


async def by_refused_port(ua: UserAgent, robot: Robot, spelling: str) -> None:
    """The caller's UDP socket is closed when its call is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.sendto(
            invite("UDP", caller.getsockname()[1], spelling), ("127.0.0.1", int(address_of(ua).rpartition(":")[2]))
        )
        await robot.arrived.wait()


async def by_sendto(ua: UserAgent, robot: Robot, spelling: str) -> None:
    """The kernel does not take the datagram, and says so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.setblocking(False)
        to = ("127.0.0.1", int(address_of(ua).rpartition(":")[2]))
        caller.sendto(invite("UDP", caller.getsockname()[1], spelling), to)
        await robot.arrived.wait()
        robot.go.set()
        loop = asyncio.get_running_loop()
        while not (answer := await loop.sock_recv(caller, 65536)).startswith(b"SIP/2.0 200 "):
            pass
        host, port = caller.getsockname()
        worker_of(ua)._on_lost(
            SendFailed(0, host, port, answer, "sending failed: No buffer space available", Loss.LOCAL.value)
        )


async def by_closed_connection(ua: UserAgent, robot: Robot, spelling: str) -> None:
    """The caller's connection is gone, and nobody listens at the port of its Via."""
    port = int(address_of(ua, leg=1).rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(invite("TCP", closed_port(socket.SOCK_STREAM), spelling))
    await robot.arrived.wait()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)  # the other end reads of it


WAYS: dict[str, Callable[[UserAgent, Robot, str], Awaitable[None]]] = {
    "refused port": by_refused_port,
    "refused by the kernel": by_sendto,
    "connection gone": by_closed_connection,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("way", WAYS)
def test_a_2xx_that_cannot_be_sent_ends_its_call_at_once(way: str, spelling: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            asyncio.timeout(5),
            agent("sip:bob@127.0.0.1", "udp:127.0.0.1:0", "tcp:127.0.0.1:0") as bob,
        ):
            robot = Robot()
            bob.listen(robot, media="none")
            await WAYS[way](bob, robot, spelling)
            started = loop.time()
            robot.go.set()
            (call,) = robot.calls
            await call.over()
            assert loop.time() - started < 3
            assert len(robot.causes) == 1
            while worker_of(bob).actors.live:
                await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_2xx_is_known_by_its_call_however_its_headers_are_spelled(spelling: str) -> None:
    head = invite("UDP", 5070, spelling).partition(b"\r\n")[2].partition(b"Contact")[0]
    ok = b"SIP/2.0 200 OK\r\n" + head.replace(b"<sip:bob@127.0.0.1>", b"<sip:bob@127.0.0.1>;tag=ours")
    sent = identity(ok + b"Content-Length: 0\r\n\r\n")
    assert sent is not None
    assert (sent.call_id, sent.from_tag) == ("lost-5070", "ours")
    for other in (ok.replace(b"200 OK", b"180 Ringing"), ok.replace(b"1 INVITE", b"1 BYE"), ok.replace(b"200", b"486")):
        assert identity(other) is None
