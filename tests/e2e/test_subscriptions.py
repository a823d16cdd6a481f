"""Subscriptions of a user agent to a notifier written by hand: NOTIFYs, refresh, refusals, forks, the end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.subscription import MOST_UNREAD
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, CallTimeout, ConfigurationError, Overloaded, RequestEnded
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.usage.subscription import Notified
from tests.actors.virtual_loop import run as in_virtual_time
from tests.actors.workers import worker_of
from tests.e2e import waiting
from tests.e2e.agents import Peer, agent, gate, reply
from tests.e2e.test_command_line import SECONDS, Running
from tests.e2e.test_lost_workers import kill


class Notifier(Peer):
    """Accepts each SUBSCRIBE and notifies at once; the statuses of the answers to its NOTIFYs are kept."""

    def __init__(self, *judge: Callable[[Request], Response | None], state: str = "active;expires=600") -> None:
        super().__init__(self._take)
        self._judges = judge
        self.state = state
        self.statuses: list[tuple[int, int]] = []
        self._cseq = 0

    def _take(self, request: Request) -> list[Response]:
        for judge in self._judges:
            refused = judge(request)
            if refused is not None:
                return [refused]
        expires = request.headers.get("Expires") or ""
        state = "terminated;reason=timeout" if expires == "0" else self.state
        if state:
            asyncio.get_running_loop().call_soon(self.notify, state)
        return [reply(request, 200, ("Expires", expires), ("Contact", f"<{self.uri()}>"))]

    def notify(self, state: str, *, tag: str = "peer", body: str = "", branch: str = "") -> None:
        """Send a NOTIFY of the newest subscription."""
        self._cseq += 1
        last = self.requests[-1]
        pairs = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{branch or self._cseq};rport"),
            *[("From", f"<{self.uri()}>;tag={tag}"), ("To", last.headers.get("From") or "")],
            *[("Call-ID", last.call_id), ("CSeq", f"{self._cseq} NOTIFY"), ("Contact", f"<{self.uri()}>")],
            *[("Event", last.headers.get("Event") or ""), ("Subscription-State", state), ("Max-Forwards", "70")],
            ("Content-Type", "text/plain"),
        ]
        target = str(last.contacts[0].uri)
        self.send_octets(Request.build("NOTIFY", target, pairs, body.encode()).to_bytes(), last)

    def has_answers(self, least: int) -> bool:
        """Whether at least this number of answers to its NOTIFYs came."""
        return len(self.statuses) >= least

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        message = parse(data)
        if isinstance(message, Response):
            self.statuses.append((message.cseq.number, message.status))
        else:
            super().datagram_received(data, addr)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await main()

    asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def gauge(ua: UserAgent, event: str = "dialog") -> float:
    return worker_of(ua).totals.cell("sipswarm_subscriptions_active", event).value


def test_a_subscription_yields_its_notifies_and_ends() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier(gate()) as bob:
            it = await alice.subscribe(
                bob.uri(), "dialog", expires=600, accept="text/plain", auth=("alice", "secret"), x_why="test"
            )
            assert (it.state, it.event, it.reason) == ("active", "dialog", "")
            assert 590 < it.expires <= 600
            assert gauge(alice) == 1
            bob.notify("pending", body="one")
            bob.notify("active", body="two")
            seen = [await anext(it) for _ in range(3)]
            assert [(each.state, each.body) for each in seen] == [
                ("active", b""),
                ("pending", b"one"),
                ("active", b"two"),
            ]
            await it.end()
            await it.end()
            assert (it.state, it.reason, gauge(alice)) == ("terminated", "timeout", 0)
            assert [each.state async for each in it] == ["terminated"]
            assert [each async for each in it] == []
            subscribes = [each for each in bob.requests if each.method == "SUBSCRIBE"]
            assert [each.headers.get("Expires") for each in subscribes] == ["600", "600", "0"]
            assert (subscribes[0].headers.get("Accept"), subscribes[0].headers.get("X-Why")) == ("text/plain", "test")
            assert subscribes[2].to_tag == "peer"
            assert worker_of(alice).actors.reserved == 0

    run(main)


def test_a_notify_that_comes_again_counts_once_and_that_of_another_fork_is_refused() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier() as bob:
            it = await alice.subscribe(bob.uri(), "dialog")
            await anext(it)
            bob.notify("active", tag="fork", body="other")
            bob.notify("active", body="again", branch="same")
            bob._cseq -= 1
            bob.notify("active", body="again", branch="same")
            await until(lambda: len(bob.statuses) == 4)
            assert [status for _, status in bob.statuses] == [200, 481, 200, 200]
            assert (await anext(it)).body == b"again"
            assert not it._unread
            await it.end()

    run(main)


@pytest.mark.parametrize("notifier", ["terminated;reason=rejected", "active"])
def test_a_fetch_has_one_notify(notifier: str) -> None:
    async def main() -> None:
        async with agent() as alice, Notifier(state=notifier) as bob:
            it = await alice.subscribe(bob.uri(), "presence", expires=0)
            assert [each.state async for each in it] == ["terminated"]
            assert (it.state, worker_of(alice).actors.reserved) == ("terminated", 0)

    run(main)


def test_a_refusal_and_silence_are_told_by_name() -> None:
    async def main() -> None:
        async with agent("sip:alice@127.0.0.1", "udp:127.0.0.1:0", "tcp:127.0.0.1:0") as alice:
            async with Notifier(lambda request: reply(request, 489)) as bob:
                with pytest.raises(CallRejected, match="489") as refused:
                    await alice.subscribe(bob.uri(), "dialog")
                assert refused.value.response is not None
                with pytest.raises(CallRejected, match="could not be sent"):
                    await alice.subscribe(f"{bob.uri()};transport=tcp", "dialog")
            with pytest.raises(ConfigurationError, match="event package"):
                await alice.subscribe(bob.uri(), "")
            with pytest.raises(ConfigurationError, match="expires"):
                await alice.subscribe(bob.uri(), "dialog", expires=-1)
            assert worker_of(alice).actors.reserved == 0

    run(main)


def test_without_a_notify_it_fails_after_timer_n_and_is_not_tried_again() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier(state="") as bob:
            loop = asyncio.get_running_loop()
            worker_of(alice).actor_loop.now = loop.time
            begun = loop.time()
            with pytest.raises(CallTimeout, match="no NOTIFY"):
                await alice.subscribe(bob.uri(), "dialog")
            assert 31 < loop.time() - begun < 34
            await asyncio.sleep(100)
            assert len(bob.methods()) == 1
            assert worker_of(alice).actors.reserved == 0

    in_virtual_time(main)


def test_it_is_refreshed_and_made_again_where_the_notifier_demands_it() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier(state="active;expires=60") as bob:
            worker_of(alice).actor_loop.now = asyncio.get_running_loop().time
            it = await alice.subscribe(bob.uri(), "dialog", expires=60)
            await asyncio.sleep(120)
            assert 3 <= len(bob.requests) <= 5
            assert {each.call_id for each in bob.requests} == {bob.requests[0].call_id}
            bob.notify("terminated;reason=deactivated")
            await asyncio.sleep(0.5)
            assert (it.state, it.reason) == ("waiting", "deactivated")
            await asyncio.sleep(2)
            assert it.state == "active"
            assert len({each.call_id for each in bob.requests}) == 2
            bob.notify("terminated;reason=probation;retry-after=500")
            await asyncio.sleep(1)
            assert it.state == "waiting"
            await it.end()
            assert (it.state, worker_of(alice).actors.reserved) == ("terminated", 0)
            await asyncio.sleep(600)
            assert len({each.call_id for each in bob.requests}) == 2
            assert not worker_of(alice).actors.everyone

    in_virtual_time(main)


def test_it_is_made_again_after_the_notifier_has_lost_it() -> None:
    async def main() -> None:
        lost: list[str] = []

        def forget(request: Request) -> Response | None:
            return reply(request, 481) if request.call_id in lost else None

        async with agent() as alice, Notifier(forget, state="active;expires=60") as bob:
            worker_of(alice).actor_loop.now = asyncio.get_running_loop().time
            it = await alice.subscribe(bob.uri(), "dialog", expires=60)
            lost.append(bob.requests[0].call_id)  # as a restart does
            await asyncio.sleep(58)
            assert (it.state, it.reason) == ("active", "refused")
            assert len({each.call_id for each in bob.requests}) == 2
            await it.end()

    in_virtual_time(main)


def test_notifies_that_nobody_reads_are_bounded_and_counted() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier() as bob:
            it = await alice.subscribe(bob.uri(), "dialog")
            for number in range(MOST_UNREAD + 5):
                bob.notify("active", body=str(number))
                await until(partial(bob.has_answers, number + 2))
            assert it.dropped == 6
            assert worker_of(alice).totals.cell("sipswarm_notifications_dropped_total", "dialog").value == 6
            assert (await anext(it)).body == b"5"

    run(main)


def test_a_callback_gets_the_notifies_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[bytes] = []

    def cb_notify(notified: Notified) -> None:
        heard.append(notified.body)
        if notified.body == b"bad":
            raise ValueError("a fault of the user's")

    async def main() -> None:
        async with agent() as alice, Notifier() as bob:
            it = await alice.subscribe(bob.uri(), "dialog", cb_notify=cb_notify)
            bob.notify("active", body="bad")
            bob.notify("active", body="good")
            await until(lambda: len(heard) == 3)
            await it.end()

    run(main)
    assert heard[:3] == [b"", b"bad", b"good"]
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.getMessage().startswith("the callback cb_notify of a subscription to dialog failed at ")


def test_the_end_of_the_node_ends_the_subscription_and_its_iteration() -> None:
    async def main() -> None:
        async with Notifier() as bob, Notifier(state="") as silent:
            async with agent() as alice:
                it = await alice.subscribe(bob.uri(), "dialog")
                await anext(it)
                reading = asyncio.create_task(anext(it, None))
                waiting = asyncio.create_task(alice.subscribe(silent.uri(), "dialog"))
                await until(lambda: silent.requests)
            await until(lambda: len(bob.requests) == 2)
            assert bob.requests[-1].headers.get("Expires") == "0"
            await asyncio.wait_for(reading, 5)
            with pytest.raises(RequestEnded):
                await asyncio.wait_for(waiting, 5)

    run(main)


def test_a_cancelled_subscribe_is_ended_and_a_full_worker_takes_none() -> None:
    async def main() -> None:
        async with agent() as alice, Notifier(state="") as silent:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(alice.subscribe(silent.uri(), "dialog"), 0.3)
            await until(lambda: len(silent.requests) == 2)
            assert silent.requests[-1].headers.get("Expires") == "0"
            worker_of(alice).actors.reserve(worker_of(alice).config.max_calls)
            with pytest.raises(Overloaded, match="--max-calls"):
                await alice.subscribe(silent.uri(), "dialog")
            with pytest.raises(Overloaded):
                await alice.request("OPTIONS", silent.uri())
            with pytest.raises(Overloaded):
                await alice.invite(silent.uri())

    run(main)


async def notify_over_tcp(seen: list[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection: accept each SUBSCRIBE, notify at once, and note the statuses of the answers."""
    port, sent = writer.get_extra_info("sockname")[1], 0
    contact = ("Contact", f"<sip:box@127.0.0.1:{port};transport=tcp>")
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            message = parse(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(message, Response):
                seen.append(message.status)
                continue
            expires = message.headers.get("Expires") or ""
            granted = Response.to_request(message, 200, to_tag="box", extra=[contact, ("Expires", expires)])
            sent += 1
            pairs = [
                *[("Via", f"SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bK{sent}"), ("Max-Forwards", "70")],
                *[("From", "<sip:box@127.0.0.1>;tag=box"), ("To", message.headers.get("From") or "")],
                *[("Call-ID", message.call_id), ("CSeq", f"{sent} NOTIFY"), contact, ("Event", "dialog")],
                ("Subscription-State", "active;expires=600" if expires != "0" else "terminated;reason=timeout"),
            ]
            notify = Request.build("NOTIFY", str(message.contacts[0].uri), pairs)
            writer.write(granted.to_bytes() + notify.to_bytes())
    writer.close()
    seen.append("closed")


def test_the_answer_to_the_last_notify_leaves_by_its_connection_before_the_node_ends() -> None:
    async def main() -> None:
        seen: list[Any] = []
        server = await asyncio.start_server(partial(notify_over_tcp, seen), "127.0.0.1", 0)
        to = f"sip:box@127.0.0.1:{server.sockets[0].getsockname()[1]};transport=tcp"
        async with server:
            async with agent("sip:alice@127.0.0.1", "tcp:127.0.0.1:0") as alice:
                it = await alice.subscribe(to, "dialog", expires=600)
                await it.end()
            await until(lambda: "closed" in seen)
        assert seen == [200, 200, "closed"]

    run(main)


WATCHES = """
import asyncio

def setup(ua):
    ua.watching = asyncio.ensure_future(watch(ua))

async def watch(ua):
    async for _ in await ua.subscribe("sip:bob@127.0.0.1:{port}", "dialog"):
        pass

async def robot(call):
    await call.answer()
"""


def test_the_next_call_worker_subscribes_anew_and_the_subscription_before_is_refused(tmp_path: Path) -> None:
    """A NOTIFY that gets 481 ends what the notifier keeps for the process that died (RFC 6665 section 4.2.2)."""

    async def until_by(condition: Callable[[], object]) -> None:
        await waiting.until(condition, within=SECONDS)

    async def main() -> None:
        async with Notifier() as bob:
            file = tmp_path / "robot.py"
            file.write_text(WATCHES.replace("{port}", str(bob.port)))
            arguments = ("--listen", "udp:127.0.0.1:0", "--metrics", "off", "--call-workers", "1")
            running = Running("robot", str(file), *arguments)
            try:
                await until_by(lambda: bob.has_answers(1))
                first = bob.requests[0]
                kill(running, "call-0")
                await until_by(
                    lambda: {each.call_id for each in bob.requests} != {first.call_id} and bob.has_answers(2)
                )
                bob.requests.append(first)
                bob.notify("active;expires=600")
                await until_by(lambda: bob.has_answers(3))
                assert [status for _, status in bob.statuses] == [200, 200, 481]
            finally:
                await asyncio.to_thread(running.close)

    asyncio.run(asyncio.wait_for(main(), 4 * SECONDS))
