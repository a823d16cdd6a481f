"""Two user agents in one event loop: real sockets, real audio and digits, all roles of a node on both sides."""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call.actor import CallActor
from sipswarm.actors.call.state import State
from sipswarm.actors.errors import CallEnded, CallRejected, CallTimeout, ConfigurationError
from sipswarm.actors.handle.call import Call
from tests.e2e.waiting import pass_time, until

PORTS = count(20000, 1000)
"""a range of RTP ports for each user agent, because ports rest after use"""


def agent(*legs: str) -> UserAgent:
    low = 20000 + (next(PORTS) - 20000) % 12000
    return UserAgent(legs=legs or ("udp:127.0.0.1:0",), rtp_ports=(low, low + 998))


def address(ua: UserAgent, leg: int = 0) -> str:
    listener = ua.legs[leg]
    return f"sip:bob@{str(listener).partition(':')[2]}"


@asynccontextmanager
async def pair(
    robot: Callable[[Call], Awaitable[None]], media: str = "silence"
) -> AsyncIterator[tuple[UserAgent, str]]:
    """A user agent that calls, and the address of one that runs a robot."""
    async with agent() as alice, agent() as bob:
        bob.listen(robot, media=media)
        yield alice, address(bob)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


async def answers(call: Call) -> None:
    """A robot that answers and stays until the end."""
    await call.answer()
    await call.over()


def test_a_tone_comes_back_from_an_echo_and_both_sides_count_it() -> None:
    async def main() -> None:
        async with pair(answers, media="echo") as (alice, bob):
            call = await alice.invite(bob, media="tone:440")
            assert call.is_up
            await asyncio.sleep(2.0)  # the level is taken from a sample of the packets
            await call.bye()
            assert (call.cause, call.by) == ("bye", "local")
            statistics = call.statistics
            assert statistics is not None
            assert statistics.packets_sent >= 40
            assert statistics.packets_received >= 20
            assert statistics.packets_lost == 0
            assert statistics.level_dbm0 > -30

    run(main)


def test_digits_go_both_ways() -> None:
    async def main() -> None:
        heard: list[str] = []

        async def robot(call: Call) -> None:
            await call.answer()
            heard.append(await call.digits(4, 10))
            await call.dtmf("9#", duration=60)
            await call.over()

        async with pair(robot) as (alice, bob):
            call = await alice.invite(bob)
            await call.dtmf("12*D", duration=60)
            assert await call.digits(2, 10) == "9#"
            assert heard == ["12*D"]
            assert call.digits_sent == "12*D"
            assert call.digits_received == "9#"
            await call.bye()

    run(main)


def test_digits_by_info_arrive_too() -> None:
    async def main() -> None:
        heard: list[str] = []

        async def robot(call: Call) -> None:
            await call.answer()
            heard.append(await call.digits(3, 10))
            await call.over()

        async with pair(robot, media="none") as (alice, bob):
            call = await alice.invite(bob, media="none")
            await call.dtmf("5*1", duration=20, methods="info")
            await until(lambda: heard == ["5*1"])
            await call.bye()

    run(main)


def test_digits_that_do_not_come_in_time_are_fewer() -> None:
    async def main() -> None:
        async with pair(answers) as (alice, bob):
            call = await alice.invite(bob)
            assert await call.digits(1, 0.05) == ""
            await call.bye()
            with pytest.raises(CallEnded):
                await call.digits(1, 0.05)

    run(main)


def test_a_refusal_is_call_rejected_with_its_status() -> None:
    async def main() -> None:
        async def robot(call: Call) -> None:
            call.reject(486, "Busy Here")

        async with pair(robot) as (alice, bob):
            with pytest.raises(CallRejected) as caught:
                await alice.invite(bob)
            assert (caught.value.status, caught.value.reason) == (486, "Busy Here")

    run(main)


def test_nobody_answering_within_the_ring_time_is_call_timeout() -> None:
    async def main() -> None:
        ended: list[str] = []

        async def robot(call: Call) -> None:
            call.ring()
            await call.over()
            ended.append(call.cause)

        async with pair(robot) as (alice, bob):
            with pytest.raises(CallTimeout):
                await alice.invite(bob, ring_time=0.3)
            await until(lambda: ended == ["cancelled"])

    run(main)


def test_the_peer_hanging_up_ends_what_waits_on_the_call() -> None:
    async def main() -> None:
        enough = asyncio.Event()

        async def robot(call: Call) -> None:
            await call.answer()
            await enough.wait()

        async with pair(robot) as (alice, bob):
            call = await alice.invite(bob)
            waiting = [asyncio.ensure_future(each) for each in (call.digits(1), call.dtmf("1" * 50))]
            await pass_time(0.1)
            enough.set()
            for each in waiting:
                with pytest.raises(CallEnded):
                    await each
            with pytest.raises(CallEnded):
                await call.dtmf("1")
            assert (call.cause, call.by) == ("bye", "remote")
            await call.over()

    run(main)


def test_a_robot_that_returns_hangs_up_and_one_that_never_answered_refuses() -> None:
    async def main() -> None:
        async def returns(call: Call) -> None:
            await call.answer()

        async def ignores(call: Call) -> None:
            pass

        async with pair(returns) as (alice, bob):
            call = await alice.invite(bob)
            await call.over()
            assert (call.cause, call.by) == ("bye", "remote")
        async with pair(ignores) as (alice, bob):
            with pytest.raises(CallRejected) as caught:
                await alice.invite(bob)
            assert caught.value.status == 480

    run(main)


def failures_of(ua: UserAgent, name: str) -> float:
    rows = ua._node.totals.snapshot()
    return sum(row[2][0] for row in rows if row[0] == "sipswarm_call_failures_total" and row[1][-1] == name)


def test_a_robot_that_fails_ends_its_own_call_only_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        robots = 0

        async def robot(call: Call) -> None:
            nonlocal robots
            robots += 1
            own = robots
            if own == 1:
                raise RuntimeError("before the answer")
            await call.answer()
            if own == 2:
                raise RuntimeError("after the answer")
            await call.over()

        async with agent() as alice, agent() as bob:
            bob.listen(robot)
            with pytest.raises(CallRejected) as caught:
                await alice.invite(address(bob))
            assert caught.value.status == 500
            second = await alice.invite(address(bob))
            await second.over()
            assert second.by == "remote"
            third = await alice.invite(address(bob))
            await asyncio.sleep(0.1)
            assert third.is_up
            await third.bye()
            await until(lambda: failures_of(bob, "scenario_error") == 2)

    with caplog.at_level(logging.ERROR):
        run(main)
    assert caplog.text.count("RuntimeError: before the answer") == 1
    assert caplog.text.count("RuntimeError: after the answer") == 1


def test_an_invite_that_its_caller_gives_up_is_cancelled() -> None:
    async def main() -> None:
        ended: list[str] = []

        async def robot(call: Call) -> None:
            call.ring()
            await call.over()
            ended.append(call.cause)

        async with pair(robot) as (alice, bob):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await alice.invite(bob)
            await until(lambda: ended == ["cancelled"])

    run(main)


def test_calls_go_over_ipv6() -> None:
    async def main() -> None:
        async with agent("udp:[::1]:0") as alice, agent("udp:[::1]:0") as bob:
            bob.listen(answers, media="echo")
            call = await alice.invite(address(bob), media="tone:440")
            await pass_time(0.3)
            await call.bye()
            assert call.statistics is not None
            assert call.statistics.packets_received > 0

    run(main)


def test_a_call_to_another_family_than_the_legs_is_a_configuration_error() -> None:
    async def main() -> None:
        async with agent() as alice:
            with pytest.raises(ConfigurationError, match="IPv6"):
                await alice.invite("sip:bob@[::1]:5060")
            for target in ("sip:bob@127.0.0.1;transport=sctp", "bob"):
                with pytest.raises(ConfigurationError):
                    await alice.invite(target)

    run(main)


def test_a_call_to_itself_has_both_ends_in_one_worker() -> None:
    async def main() -> None:
        async with agent() as ua:
            ua.listen(answers, media="echo")
            call = await ua.invite(address(ua), media="tone:440")
            await pass_time(0.2)
            await call.bye()
            assert call.statistics is not None
            assert call.statistics.packets_received > 0

    run(main)


INVITE = (
    "INVITE {to} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n"
    "From: <sip:raw@127.0.0.1>;tag=raw{number}\r\nTo: <{to}>\r\nCall-ID: raw-{number}\r\nCSeq: 1 INVITE\r\n"
    "Contact: {contact}\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
)
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


class RawPeer:
    """A plain UDP socket that speaks SIP by hand."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.number = 0

    def invite(self, to: str, *, contact: str = "", body: str = SDP) -> bytes:
        self.number += 1
        contact = contact or f"<sip:raw@127.0.0.1:{self.port}>"
        length = len(body.encode())
        return INVITE.format(
            to=to, port=self.port, number=self.number, contact=contact, length=length, body=body
        ).encode()

    def ack(self, invite: bytes, response: bytes) -> bytes:
        """The ACK of a final response: that of a 2xx is a transaction of its own (RFC 3261 13.2.2.4, 17.1.1.3)."""
        if response.startswith(b"SIP/2.0 2"):
            invite = invite.replace(b"branch=z9hG4bK", b"branch=z9hG4bKack")
        to = next(line for line in response.decode().split("\r\n") if line.startswith("To:"))
        head = invite.decode().partition("\r\n\r\n")[0].split("\r\n")
        kept = [to if line.startswith("To:") else line for line in head if not line.startswith(("Content", "Contact"))]
        return ("\r\n".join(kept) + "\r\nContent-Length: 0\r\n\r\n").replace("INVITE", "ACK").encode()

    def send(self, data: bytes, ua: UserAgent, leg: int = 0) -> None:
        self.socket.sendto(data, (ua.legs[leg].host, ua.legs[leg].port))

    async def final(self) -> tuple[bytes, int]:
        """The final response to the newest INVITE, and the port it came from; those before may be answered again."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while True:
                data, source = await loop.sock_recvfrom(self.socket, 65535)
                if data.startswith(b"SIP/2.0 ") and data[8:9] != b"1" and b";branch=z9hG4bK%d;" % self.number in data:
                    return data, source[1]


def test_an_answer_leaves_from_the_leg_that_the_request_came_to() -> None:
    async def main() -> None:
        async with agent("udp:127.0.0.1:0", "udp:127.0.0.1:0") as bob:
            bob.listen(answers)
            peer = RawPeer()
            with peer.socket:
                for leg in (0, 1):
                    peer.send(peer.invite(address(bob, leg)), bob, leg)
                    answer, port = await peer.final()
                    assert answer.startswith(b"SIP/2.0 200")
                    assert port == bob.legs[leg].port
                    assert f":{bob.legs[leg].port}".encode() in answer.partition(b"Contact:")[2].partition(b"\r")[0]

    run(main)


HOSTILE = {
    "a contact whose name is too long for the resolver": {"contact": f"<sip:x@{'a' * 70}.invalid>"},
    "a contact with an empty label": {"contact": "<sip:x@a..invalid>"},
    "a contact with the highest port": {"contact": "<sip:x@127.0.0.1:65535>"},
    "a contact with port zero": {"contact": "<sip:x@127.0.0.1:0>"},
    "a contact of another family": {"contact": "<sip:x@[2001:db8::1]:5060>"},
    "a contact over a transport that we do not have": {"contact": "<sip:x@127.0.0.1:5060;transport=sctp>"},
    "a contact that is a star": {"contact": "*"},
    "media at an address that is none": {"body": SDP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 nowhere.invalid")},
    "media of another family": {"body": SDP.replace("c=IN IP4 127.0.0.1", "c=IN IP6 2001:db8::1")},
    "media at the broadcast address": {"body": SDP.replace("c=IN IP4 127.0.0.1", "c=IN IP4 255.255.255.255")},
    "media without an address": {"body": SDP.replace("c=IN IP4 127.0.0.1\r\n", "")},
    "a packet time of zero": {"body": SDP + "a=ptime:0\r\n"},
    "a packet time of a year": {"body": SDP + "a=ptime:31536000000\r\n"},
    "a packet time that is none": {"body": SDP + "a=ptime:nan\r\n"},
    "two hundred lines": {"body": SDP + "m=audio 9 RTP/AVP 0\r\n" * 200},
    "octets instead of a description": {"body": "\x00\x01\x02"},
}


def test_hostile_invites_harm_no_other_call(caplog: pytest.LogCaptureFixture) -> None:
    async def robot(call: Call) -> None:
        await call.answer()

    async def main() -> None:
        loop_errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: loop_errors.append(context))
        async with agent() as alice, agent() as bob:
            bob.listen(answers)
            call = await alice.invite(address(bob), media="none")
            bob.listen(robot)
            peer = RawPeer()
            with peer.socket:
                for name, wishes in HOSTILE.items():
                    invite = peer.invite(address(bob), **wishes)
                    peer.send(invite, bob)
                    answer, _ = await peer.final()
                    assert answer.startswith((b"SIP/2.0 200", b"SIP/2.0 4")), name
                    peer.send(peer.ack(invite, answer), bob)
                    again = await alice.invite(address(bob), media="none")
                    await again.over()
                    assert (call.is_up, loop_errors, caplog.text) == (True, [], ""), name
            await call.bye()

    with caplog.at_level(logging.ERROR):
        run(main)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def live_actors() -> int:
    gc.collect()
    return sum(isinstance(each, CallActor) for each in gc.get_objects())


def test_calls_refused_before_they_reach_a_robot_leave_nothing() -> None:
    async def main() -> None:
        async with agent() as bob:
            bob.listen(answers)
            peer = RawPeer()
            with peer.socket:
                for _ in range(5):
                    invite = peer.invite(address(bob), body=SDP.replace("AVP 0", "AVP 18"))
                    peer.send(invite, bob)
                    refusal, _ = await peer.final()
                    assert refusal.startswith(b"SIP/2.0 488")
                    peer.send(peer.ack(invite, refusal), bob)
            await until(lambda: live_actors() == 0, 10, 0.5)  # timer I is T4, 5 s

    run(main)


def test_two_hundred_calls_at_once_and_everything_is_given_back() -> None:
    async def main() -> None:
        async with agent() as alice, agent() as bob:
            bob.listen(answers, media="echo")
            first = await alice.invite(address(bob))
            await first.bye()
            del first
            before = descriptors(), len(asyncio.all_tasks())
            calls = await asyncio.gather(*(alice.invite(address(bob), media="tone:440") for _ in range(200)))
            assert all(call.state is State.UP for call in calls)
            await pass_time(0.5)
            await asyncio.gather(*(call.bye() for call in calls))
            for call in calls:
                assert call.statistics is not None
                assert call.statistics.packets_received > 0
            del calls, call
            # Ports rest for at most 6 s after the last packet.
            await until(lambda: descriptors() <= before[0], 10, 0.2)
            await until(lambda: len(asyncio.all_tasks()) <= before[1], 10, 0.2)

    descriptors_before = descriptors()
    run(main)
    assert descriptors() <= descriptors_before
    assert live_actors() == 0
