"""A flood of INVITEs that come to nothing leaves the processes of a node as they were, and disturbs no other call."""

import asyncio
import re
import socket
import sys
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import AnswerConfig, Listener, NodeConfig
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import NO_SDP, SDP, follow_up, invite
from tests.e2e.test_leaks import resident
from tests.e2e.test_leaks import run as run_long
from tests.e2e.test_processes import node, target

EACH = 1500
"""INVITEs of a sort in a round"""
SORTS: dict[str, tuple[tuple[str, ...], bytes, set[int]]] = {
    "unreadable SDP": ((), NO_SDP, {488}),
    "no codec of ours": ((), SDP.replace(b"AVP 0", b"AVP 100") + b"a=rtpmap:100 nobody-has-it/8000\r\n", {488}),
    "session interval": (("Supported: timer", "Session-Expires: 30"), SDP, {422}),
    "unknown extension": (("Require: telepathy",), SDP, {420}),
    "Replaces": (("Replaces: abc",), SDP, {400}),
    "cancelled at once": ((), SDP, {487, 200}),
}
ROUNDS, WARM = 6, 4
"""rounds, and those after which what has a bound is full"""
AT_ONCE = 50
QUIET = 40.0
"""seconds after which all transactions are over (64*T1) and ports have rested"""
MOST_GROWTH = 1024
"""KiB"""


class Flood:
    """Sends INVITEs of every sort; each round has the same octets, so that the later ones are late repetitions."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._host, self._port = self._socket.getsockname()
        self.statuses: dict[str, dict[int, int]] = {name: {} for name in SORTS}

    def close(self) -> None:
        self._socket.close()

    async def round(self) -> None:
        """So many INVITEs of each sort, some at once, each acknowledged."""
        for sort, name in enumerate(SORTS):
            for start in range(0, EACH, AT_ONCE):
                await self._some(name, range(10_000 * sort + start, 10_000 * sort + start + AT_ONCE))

    async def _some(self, name: str, numbers: range) -> None:
        headers, body, _ = SORTS[name]
        open_calls = {n: invite(n, self._host, self._port, *headers, body=body) for n in numbers}
        again = 0
        while open_calls:
            for first in open_calls.values():
                self._socket.sendto(first, self._to)
                if name == "cancelled at once":
                    self._socket.sendto(follow_up("CANCEL", first), self._to)
            try:
                async with asyncio.timeout(2.0):
                    while open_calls:
                        self._take(name, parse(await self._loop.sock_recv(self._socket, 65536)), open_calls)
            except TimeoutError:
                again += 1
                assert again < 5, (name, len(open_calls))

    def _take(self, name: str, message: object, open_calls: dict[int, bytes]) -> None:
        if not isinstance(message, Response) or message.cseq.method != "INVITE" or message.status < 200:
            return
        found = re.match(r"call-(\d+)@", message.call_id)
        first = open_calls.pop(int(found[1]), None) if found else None
        if first is None:
            return
        counts = self.statuses[name]
        counts[message.status] = counts.get(message.status, 0) + 1
        if message.status == 200:
            for method, cseq in (("ACK", 1), ("BYE", 2)):
                later = follow_up(method, first, message, cseq=cseq, branch=f"z9hG4bK-{message.call_id}-{method}")
                self._socket.sendto(later, self._to)
        else:
            self._socket.sendto(follow_up("ACK", first, message), self._to)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_thousands_of_refused_calls_leave_memory_where_it_was_and_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = NodeConfig(
        "", (Listener("udp", "127.0.0.1", 0),), 0, call_workers=2, answer=AnswerConfig(), rtp_ports=(33000, 34998)
    )
    canaries = {"ok": 0}
    sizes: list[dict[str, int]] = []

    async def keep_calling(ua: UserAgent, to: str) -> None:
        while True:
            call = await ua.invite(to, media="silence")
            await asyncio.sleep(0.05)
            await call.bye()
            canaries["ok"] += call.cause == "bye"

    async def scenario() -> None:
        async with (
            node(tmp_path / "run", config) as supervisor,
            UserAgent("sip:canary@127.0.0.1", rtp_ports=(35000, 36998)) as canary,
        ):
            flood = Flood(supervisor.listeners[0].port)
            for _ in range(ROUNDS):
                calling = asyncio.create_task(keep_calling(canary, target(supervisor)))
                await flood.round()
                assert not calling.done(), calling
                calling.cancel()
                await asyncio.sleep(QUIET)
                sizes.append({name: resident(pid) for name, pid, _ in supervisor.processes})
            flood.close()
            for name, (_, _, expected) in SORTS.items():
                assert set(flood.statuses[name]) <= expected
                assert sum(flood.statuses[name].values()) == ROUNDS * EACH
            assert [restarts for _, _, restarts in supervisor.processes] == [0] * len(supervisor.processes)

    run_long(scenario, 580)
    text = capfd.readouterr()
    with capfd.disabled():
        sys.stdout.write(f"\nafter each of {ROUNDS} rounds, KiB: {sizes}\ncanary calls: {canaries}\n")
    assert "Traceback" not in text.err + text.out
    assert canaries["ok"] > 10 * ROUNDS
    for name, warm in sizes[WARM - 1].items():
        assert sizes[-1][name] - warm < MOST_GROWTH, (name, sizes)
