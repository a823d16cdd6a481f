"""Subscriptions that a dead call worker served, and the one of its REFER: what those get who ask for them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e import waiting
from tests.e2e.agents import SDP, Peer, reply
from tests.e2e.test_command_line import SECONDS, Running
from tests.e2e.test_lost_workers import kill

SERVES = """
def setup(ua):
    ua.on_request("SUBSCRIBE", lambda request: ua.accept_subscription(request, expires=600, body="quiet"))

async def robot(call):
    await call.answer()
"""
TRANSFERS = """
async def robot(call):
    await call.answer()
    await call.transfer("sip:carol@127.0.0.1:9")

async def resume(call):
    await call.over()
"""


class Subscriber(Peer):
    """Answers each request with 200, a REFER with 202, and keeps the responses to its own ones."""

    def __init__(self) -> None:
        super().__init__(lambda request: [reply(request, 202 if request.method == "REFER" else 200, peer=self)])
        self.responses: list[Response] = []
        self._came = asyncio.Event()
        self._newest = b"", ("", 0)
        self._cseq = 0

    def ask(self, method: str, port: int, *more: tuple[str, str], to: str = "", body: str = "") -> None:
        """Send a request of its one dialog; `to` is the To of the response before."""
        self._cseq += method != "ACK"
        pairs = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{method}{self._cseq};rport"),
            *[("From", f"<{self.uri()}>;tag=peer"), ("To", to or f"<sip:robot@127.0.0.1:{port}>")],
            *[("Call-ID", "one@peer"), ("CSeq", f"{self._cseq} {method}"), ("Contact", f"<{self.uri()}>")],
            *[("Max-Forwards", "70"), *more],
        ]
        data = Request.build(method, f"sip:robot@127.0.0.1:{port}", pairs, body.encode()).to_bytes()
        self._newest = data, ("127.0.0.1", port)
        self._transport.sendto(*self._newest)

    async def final(self) -> Response:
        """The final response to the newest request, which is repeated meanwhile (RFC 3261 section 17.1)."""
        async with asyncio.timeout(SECONDS):
            while True:
                for each in self.responses:
                    if each.cseq.number == self._cseq and each.status >= 200:
                        return each
                self._came.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), 0.5)
                    continue
                self._transport.sendto(*self._newest)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        message = parse(data)
        if isinstance(message, Response):
            self.responses.append(message)
            self._came.set()
        else:
            super().datagram_received(data, addr)


async def until(condition: Callable[[], object]) -> None:
    await waiting.until(condition, within=SECONDS)


@contextmanager
def robot(tmp_path: Path, text: str) -> Iterator[tuple[Running, int]]:
    """A robot of one call worker, and its port."""
    file = tmp_path / "robot.py"
    file.write_text(text)
    options = ("--listen", "udp:127.0.0.1:0", "--metrics", "off", "--call-workers", "1", "--media", "none")
    running = Running("robot", str(file), *options)
    try:
        yield running, int(running.line().rpartition(":")[2])
    finally:
        running.close()


def test_a_refresh_of_a_subscription_of_a_dead_call_worker_gets_481_and_a_new_one_is_served(tmp_path: Path) -> None:
    async def main(running: Running, port: int) -> None:
        async with Subscriber() as peer:
            asked = (("Event", "doorbell"), ("Expires", "600"))
            peer.ask("SUBSCRIBE", port, *asked)
            accepted = await peer.final()
            assert accepted.status == 200
            await until(lambda: peer.methods() == ["NOTIFY"])
            await asyncio.to_thread(kill, running, "call-0")
            peer.ask("SUBSCRIBE", port, *asked, to=accepted.headers.get("To") or "")
            assert (await peer.final()).status == 481
            peer.ask("SUBSCRIBE", port, *asked)
            assert (await peer.final()).status == 200
            await until(lambda: len(peer.methods()) == 2)
            assert [each.body for each in peer.requests] == [b"quiet"] * 2

    with robot(tmp_path, SERVES) as (running, port):
        asyncio.run(main(running, port))


def test_a_notify_of_the_transfer_of_a_dead_call_worker_disturbs_nothing(tmp_path: Path) -> None:
    """In a call that goes on it is an event of nobody's, as any NOTIFY there."""

    async def main(running: Running, port: int) -> None:
        async with Subscriber() as peer:
            peer.ask("INVITE", port, ("Content-Type", "application/sdp"), body=SDP.format(port=9))
            to = (await peer.final()).headers.get("To") or ""
            peer.ask("ACK", port, to=to)
            await until(lambda: "REFER" in peer.methods())
            await asyncio.to_thread(kill, running, "call-0")
            report = (
                ("Event", "refer"),
                ("Subscription-State", "active;expires=60"),
                ("Content-Type", "message/sipfrag"),
            )
            peer.ask("NOTIFY", port, *report, to=to, body="SIP/2.0 200 OK")
            assert (await peer.final()).status == 200
            peer.ask("BYE", port, to=to)
            assert (await peer.final()).status == 200
            assert peer.methods() == ["REFER"]

    with robot(tmp_path, TRANSFERS) as (running, port):
        asyncio.run(main(running, port))
