"""What peers write wrong, over sockets: calls come about, no code of ours fails, and what was dropped is shown."""

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sipswarm.actors.errors import CallEnded, CallError, CallRejected, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.stranger import Stranger, finals, statuses, within
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, address_of, agent, reply
from tests.e2e.waiting import until
from tests.sipcore.session.test_junk_sweep import IDENTITY, NAMES, with_junk

JUNK = ("x", '"open', "")
"""A sweep over sockets is a sample of the one in memory (tests/sipcore/session/test_junk_sweep.py)."""


class Wrong(Peer):
    """A peer whose responses are changed on their way out."""

    def __init__(self, change: Callable[[bytes, Request], bytes], status: int = 200) -> None:
        super().__init__(lambda request: [] if request.method == "ACK" else [reply(request, status, peer=self)])
        self.change = change

    def octets(self, response: Response, request: Request) -> bytes:
        return self.change(response.to_bytes(), request)


def no_fault_of_ours(caplog: pytest.LogCaptureFixture, *agents: Any) -> None:
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    for each in agents:
        rows = {(name, labels): values for name, labels, values in each._node.totals.snapshot()}
        failed = [labels for (name, labels), values in rows.items() if "internal_error" in labels and any(values)]
        assert failed == [], "internal_error"


def test_every_junk_in_a_200_leaves_the_call_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        row = ["", ""]

        def change(data: bytes, request: Request) -> bytes:
            return with_junk(data, *row) if request.method == "INVITE" else data

        async with asyncio.timeout(100), agent() as ua, Wrong(change) as peer:
            for name in NAMES:
                if name in IDENTITY or name == "Content-Type":
                    continue
                for junk in JUNK:
                    row[:] = name, junk
                    async with asyncio.timeout(5):
                        call = await ua.invite(peer.uri())
                        await call.bye()
            no_fault_of_ours(caplog, ua)

    asyncio.run(main())


SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


class Caller(asyncio.DatagramProtocol):
    """A caller of plain text: the final responses to what it sends, as octets."""

    def __init__(self, port: int) -> None:
        self._finals: asyncio.Queue[bytes] = asyncio.Queue()
        self._to = ("127.0.0.1", port)
        self._branch = ""

    def connection_made(self, transport: Any) -> None:
        """Part of asyncio's protocol."""
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        if data.startswith(b"SIP/2.0 ") and data[8:9] != b"1":
            self._finals.put_nowait(data)

    def send(self, method: str, number: int, to: str, *lines: str, body: bytes = b"", junk: Sequence[str] = ()) -> None:
        """Send a request of call `number`; junk: name and value of a header."""
        self._branch = f"z9hG4bK{number}{method.replace('ACK', 'INVITE')}"
        head = [
            f"{method} sip:bob@127.0.0.1:{self._to[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={self._branch};rport",
            f"From: <sip:x@127.0.0.1>;tag=f{number}",
            f"To: {to}",
            f"Call-ID: junk{number}",
            f"CSeq: {2 if method == 'BYE' else 1} {method}",
            *lines,
            f"Content-Length: {len(body)}",
        ]
        data = "\r\n".join([*head, "", ""]).encode() + body
        self.transport.sendto(with_junk(data, *junk) if junk else data, self._to)

    async def final(self) -> bytes:
        """The final response to the last request; answers to others, sent again by now, are passed over."""
        async with asyncio.timeout(10):
            while f";branch={self._branch};".encode() not in (answer := await self._finals.get()):
                pass
        return answer


def test_every_junk_in_an_invite_is_refused_or_the_call_comes_about(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        seen: list[str] = []

        def look(call: Call, request: Request) -> None:
            for name in dir(type(request)):  # what a user asks for does not raise
                if not name.startswith("_") and name not in ("parts", "via", "vias"):
                    getattr(request, name)
            seen.append(call.call_id)

        async with asyncio.timeout(100), agent("sip:bob@127.0.0.1") as bob:
            bob.listen(cb_invite=look)
            port = int(address_of(bob).rpartition(":")[2])
            _, caller = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Caller(port), local_addr=("127.0.0.1", 0)
            )
            lines = (f"Contact: <sip:x@127.0.0.1:{caller.port}>", "Content-Type: application/sdp")
            for number, (name, junk) in enumerate((name, junk) for name in NAMES for junk in JUNK):
                if name in ("Via", "Call-ID"):
                    continue  # whom an answer goes to, and which call it is of
                caller.send("INVITE", number, "<sip:bob@127.0.0.1>", *lines, body=SDP, junk=(name, junk))
                answer = await caller.final()
                status = int(answer[8:11])
                assert status == 200 or (400 <= status < 500 and status != 480), (name, junk, answer)
                to = answer.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0].decode("utf-8", "replace")
                if name not in IDENTITY:
                    caller.send("ACK", number, to)
                if status == 200:
                    caller.send("BYE", number, to)
                    assert (await caller.final()).startswith(b"SIP/2.0 200 ")
            assert seen
            caller.transport.close()
            no_fault_of_ours(caplog, bob)

    asyncio.run(main())


@pytest.mark.parametrize("strict", [False, True])
def test_a_doubled_tag_costs_a_call_in_a_refusednode_alone(strict: bool) -> None:
    async def main() -> None:
        def change(data: bytes, request: Request) -> bytes:
            return data.replace(b";tag=peer", b";tag=peer;tag=peer") if request.method == "INVITE" else data

        async with asyncio.timeout(20), agent(trace=True, strict=strict) as ua, Wrong(change) as peer:
            if not strict:
                call = await ua.invite(peer.uri())
                assert "doubled parameter" in str(call.ladder)
                counted = [values for name, labels, values in ua._node.totals.snapshot()
                           if (name, labels) == ("sipswarm_sip_leniencies_total", ("doubled_parameter",))]  # fmt: skip
                assert counted == [(1,)]
                await call.bye()
                return
            calling = asyncio.ensure_future(ua.invite(peer.uri()))
            await until(lambda: any(each.actor.unread for each in worker_of(ua).actors.live.values()))
            (call,) = worker_of(ua).actors.live.values()
            assert "there twice" in call.actor.unread
            assert "200 OK" in str(call.ladder)
            assert "dropped: parameter" in str(call.ladder)
            calling.cancel()
            with contextlib.suppress(asyncio.CancelledError, CallError):
                await calling

    asyncio.run(main())


@pytest.mark.parametrize("line", [b"Retry-After: 0.5", b"Retry-After: "])
def test_a_refused_reinvite_with_junk_is_told_and_the_call_goes_on(line: bytes) -> None:
    async def main() -> None:
        def change(data: bytes, request: Request) -> bytes:
            if request.method != "INVITE" or request.to_tag is None:
                return data
            head, _, _ = data.partition(b"\r\n\r\n")
            kept = [each for each in head.split(b"\r\n")[1:] if not each.startswith(b"Content-")]
            return b"\r\n".join((b"SIP/2.0 500 No", *kept, line, b"Content-Length: 0", b"", b""))

        async with asyncio.timeout(20), agent() as ua, Wrong(change) as peer:
            call = await ua.invite(peer.uri())
            async with asyncio.timeout(10):  # and not when the transaction gives up, 32 s later
                with pytest.raises(CallRejected) as refused:
                    await call.reinvite()
            assert refused.value.status == 500
            await call.bye()
            assert peer.methods() == ["INVITE", "INVITE", "BYE"]

    asyncio.run(main())


def test_a_call_that_ends_without_an_answer_says_what_could_not_be_read() -> None:
    async def main() -> None:
        def answers(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [reply(request, 180), reply(request, 200, peer=peer)]
            if request.method != "CANCEL":
                return []
            invite = next(each for each in peer.requests if each.method == "INVITE")
            return [reply(request, 200), reply(invite, 487)]

        def change(data: bytes, request: Request) -> bytes:
            return data.replace(b" 1 INVITE", b" one INVITE") if b"SIP/2.0 200" in data and b"INVITE" in data else data

        async with asyncio.timeout(20), agent(trace=True) as ua, Wrong(change) as peer:
            peer._answer = answers
            with pytest.raises(CallTimeout, match="could not be read: CSeq"):
                await ua.invite(peer.uri(), ring_time=1)

    asyncio.run(main())


LOST: dict[str, Callable[[bytes], bytes]] = {
    "a bare line end": lambda data: data.replace(b"\r\nContact", b"\nContact"),
    "a bare line end behind From": lambda data: data.replace(b"\r\nTo:", b"\nTo:"),
    "a bare line end before Call-ID": lambda data: data.replace(b"\r\nCall-ID:", b"\nCall-ID:"),
    "LF here, CRLF there": lambda data: data.replace(b"\r\n", b"\n").replace(b"\nTo:", b"\r\nTo:"),
    "two blanks": lambda data: data.replace(b"SIP/2.0 200", b"SIP/2.0  200"),
    "another version": lambda data: data.replace(b"SIP/2.0 200", b"SIP/3.0 200"),
    "no blank line": lambda data: data.partition(b"\r\n\r\n")[0],
    "two Via lines": lambda data: data.replace(b"\r\nTo:", b"\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nTo:"),
    "two Via values": lambda data: re.sub(
        rb"(\r\nVia: [^\r]*)", rb"\1 , SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", data, count=1
    ),
    "no To": lambda data: re.sub(rb"\r\nTo: [^\r]*", b"", data),
    "no From": lambda data: re.sub(rb"\r\nFrom: [^\r]*", b"", data),
    "no CSeq": lambda data: re.sub(rb"\r\nCSeq: [^\r]*", b"", data),
    "no Via": lambda data: re.sub(rb"\r\nVia: [^\r]*", b"", data),
}
"""Responses that are past reading, and whose Call-ID is there."""


@pytest.mark.parametrize("name", LOST)
def test_a_response_past_reading_stands_in_the_ladder_and_the_failure_of_its_call(name: str) -> None:
    async def main() -> None:
        def answers(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [reply(request, 180), reply(request, 200, peer=peer)]
            if request.method != "CANCEL":
                return []
            return [reply(request, 200), reply(peer.requests[0], 487)]

        def change(data: bytes, request: Request) -> bytes:
            return LOST[name](data) if b"SIP/2.0 200" in data and b"INVITE" in data else data

        async with asyncio.timeout(20), agent(trace=True) as ua, Wrong(change) as peer:
            peer._answer = answers
            call = await ua.invite(peer.uri(), ring_time=1, cb_final=())
            await call.over()
            assert isinstance(call.error, CallTimeout)
            assert "could not be read: " in str(call.error)
            assert "dropped: " in str(call.ladder)

    asyncio.run(main())


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_a_peer_that_ends_its_lines_with_lf(strict: bool) -> None:
    """Its responses and requests are read, and named; `strict` drops and refuses them."""

    def bare(data: bytes, request: Request) -> bytes:
        head, blank, body = data.partition(b"\r\n\r\n")
        return (head + blank).replace(b"\r\n", b"\n") + body

    async def main() -> None:
        async with asyncio.timeout(20), agent(trace=True, strict=strict) as ua, Wrong(bare) as peer:
            if strict:
                call = await ua.invite(peer.uri(), ring_time=1, cb_final=())
                await call.over()
                assert "could not be read: bare line ends" in str(call.error)
                assert "dropped: bare line ends" in str(call.ladder)
            else:
                call = await ua.invite(peer.uri(), media="none")
                await call.bye()
                assert str(call.ladder).count("bare line ends") == 2
                assert "200 OK" in str(call.ladder)
            ua.listen(media="none")
            with Stranger(ua) as stranger:
                first = stranger.invite(1)
                answers = await stranger.exchange(bare(first, peer.requests[0]), seconds=0.3)
                assert statuses(answers)[-1] == (400 if strict else 200)
                if not strict:
                    answer = finals(answers)[0]
                    stranger.send(bare(within("ACK", first, answer, 1), peer.requests[0]))
                    answers = await stranger.exchange(
                        bare(within("BYE", first, answer, 2), peer.requests[0]), seconds=0.3
                    )
                    assert statuses(answers, "BYE") == [200]

    asyncio.run(main())


HEAD = "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
ANSWERS = {
    "a usable line": ("m=audio 9 RTP/AVP 0\r\n", True, True),
    "a foreign codec": ("m=audio 9 RTP/AVP 96\r\na=rtpmap:96 nobody-has-it/8000\r\n", False, True),
    "events only": ("m=audio 9 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", False, True),
    "a group address": ("m=audio 9 RTP/AVP 0\r\nc=IN IP4 224.1.2.3\r\n", False, True),
    "the other IP version": ("m=audio 9 RTP/AVP 0\r\nc=IN IP6 ::1\r\n", False, True),
    "the line refused": ("m=audio 0 RTP/AVP 0\r\n", False, True),
    "another line": ("m=video 9 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", False, False),
    "no line": ("", False, False),
}
"""What a 2xx has as an answer: its lines, and whether a call comes about, with media of ours and without."""


@pytest.mark.parametrize("media", ["silence", "none"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_with_no_usable_line_is_a_failure_that_is_told(kind: str, media: str) -> None:
    lines, with_media, without = ANSWERS[kind]

    async def main() -> None:
        def answers(request: Request) -> list[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            contact = ("Contact", f"<{peer.uri()}>")
            body = (HEAD + lines).encode()
            made = Response.to_request(
                request, 200, to_tag="p", extra=(contact,), body=body, content_type="application/sdp"
            )
            return [made]

        async with asyncio.timeout(10), agent() as ua, Peer(answers) as peer:
            if with_media if media != "none" else without:
                call = await ua.invite(peer.uri(), media=media)
                await call.bye()
            else:
                with pytest.raises(CallEnded) as ended:
                    await ua.invite(peer.uri(), media=media)
                assert ended.value.cause == "bad_description"
                await until(lambda: "BYE" in peer.methods())
            assert [each.method for each in peer.requests] == ["INVITE", "ACK", "BYE"]

    asyncio.run(main())


def test_a_description_in_an_unreliable_183_is_the_answer_and_media_goes_there() -> None:
    async def main() -> None:
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        heard: list[bytes] = []

        def answers(request: Request) -> list[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            body = SDP.replace(b"audio 9", b"audio %d" % ear.getsockname()[1])
            contact = ("Contact", f"<{peer.uri()}>")
            early = Response.to_request(
                request, 183, to_tag="p", extra=(contact,), body=body, content_type="application/sdp"
            )
            return [early, Response.to_request(request, 200, to_tag="p", extra=(("Contact", "*"),))]

        def hear() -> None:
            with contextlib.suppress(BlockingIOError):
                heard.append(ear.recv(2048))

        async with asyncio.timeout(10), agent(trace=True) as ua, Peer(answers) as peer:
            asyncio.get_running_loop().add_reader(ear, hear)
            call = await ua.invite(peer.uri(), media="silence")
            before = len(heard)
            await until(lambda: len(heard) > before + 10)
            ladder = str(call.ladder)
            assert "early answer" in ladder
            assert "no contact" in ladder
            await call.bye()
            assert [(each.method, each.uri) for each in peer.requests][1:] == [("ACK", peer.uri()), ("BYE", peer.uri())]
            asyncio.get_running_loop().remove_reader(ear)
        ear.close()

    asyncio.run(main())


ODD: dict[str, tuple[bytes, bytes]] = {
    "sdp_line": (b"s=-\r\n", b"s=-\r\n\r\nnonsense\r\n"),
    "sdp_origin": (b"o=- 1 1 ", b"o=My PBX 1 x "),
    "sdp_media_line": (b"RTP/AVP 0\r\n", b"RTP/AVP 0\r\nm=video 0 RTP/AVP\r\n"),
    "sdp_blanks": (b"RTP/AVP 0\r\n", b"RTP/AVP 0\r\na=sendrecv \r\n"),
    "sdp_end": (b"RTP/AVP 0\r\n", b"RTP/AVP 0\r\n\0junk"),
}
"""What is odd in a description, by the leniency that takes it."""


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", [each for each in ODD if each != "sdp_media_line"])
def test_what_is_odd_in_an_answer_is_marked_in_the_ladder(name: str, strict: bool) -> None:
    async def main() -> None:
        def answers(request: Request) -> list[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            contact = ("Contact", f"<{peer.uri()}>")
            body = SDP.replace(*ODD[name])
            return [
                Response.to_request(
                    request, 200, to_tag="p", extra=(contact,), body=body, content_type="application/sdp"
                )
            ]

        async with asyncio.timeout(10), agent(trace=True, strict=strict) as ua, Peer(answers) as peer:
            told: list[tuple[str, Call]] = []
            await ua.invite(peer.uri(), media="silence", cb_final=lambda how, call, info: told.append((how, call)))
            await until(lambda: bool(told))
            ((how, call),) = told
            refused = strict and name != "sdp_blanks"  # with its blank it is an attribute that nobody knows
            assert (how == "FAIL") == refused
            if refused:
                assert ["dropped: description" in each for each in notes(call)] == [True]
            elif not strict:
                assert notes(call) == [name.replace("_", " ")]
                assert counted(ua, name) == 1
                await call.reinvite(cb_final=None)
                assert notes(call) == [name.replace("_", " ")] * 2
                await call.bye()

    asyncio.run(main())


def notes(call: Call) -> list[str]:
    """What stands beside messages in the ladder of a call."""
    return [rung.note for rung in call.ladder.rungs if rung.note]


def counted(ua: Any, name: str) -> int:
    """How often a leniency was used."""
    rows = ua._node.totals.snapshot()
    return sum(values[0] for row, labels, values in rows if (row, labels) == ("sipswarm_sip_leniencies_total", (name,)))


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_in_an_offer_is_marked_in_the_ladder(name: str) -> None:
    async def main() -> None:
        calls: list[Call] = []

        async def robot(call: Call) -> None:
            calls.append(call)
            await call.answer()
            await call.over()

        async with asyncio.timeout(10), agent("sip:bob@127.0.0.1", trace=True) as bob:
            bob.listen(robot, media="none")
            port = int(address_of(bob).rpartition(":")[2])
            _, caller = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Caller(port), local_addr=("127.0.0.1", 0)
            )
            lines = (f"Contact: <sip:x@127.0.0.1:{caller.port}>", "Content-Type: application/sdp")
            caller.send("INVITE", 1, "<sip:bob@127.0.0.1>", *lines, body=SDP.replace(*ODD[name]))
            answer = await caller.final()
            assert answer.startswith(b"SIP/2.0 200 ")
            to = answer.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0].decode()
            caller.send("ACK", 1, to)
            await until(lambda: bool(calls))
            assert notes(calls[0]) == [name.replace("_", " ")]
            assert counted(bob, name) == 1
            caller.send("BYE", 1, to)
            assert (await caller.final()).startswith(b"SIP/2.0 200 ")
            caller.transport.close()

    asyncio.run(main())


@pytest.mark.parametrize("body", [b"nonsense", b"v=0\r\n", b"\0"])
def test_a_description_that_is_dropped_is_named_in_the_ladder(body: bytes) -> None:
    async def main() -> None:
        def answers(request: Request) -> list[Response]:
            if request.method != "INVITE":
                return [] if request.method == "ACK" else [reply(request, 200)]
            contact = ("Contact", f"<{peer.uri()}>")
            early = Response.to_request(request, 183, to_tag="p", body=body, content_type="application/sdp")
            ok = Response.to_request(
                request, 200, to_tag="p", extra=(contact,), body=SDP, content_type="application/sdp"
            )
            return [early, ok]

        async with asyncio.timeout(10), agent(trace=True) as ua, Peer(answers) as peer:
            call = await ua.invite(peer.uri(), media="none")
            (note,) = notes(call)
            assert note.startswith("dropped: description, ")
            assert note in call.ladder.full()
            await call.bye()

    asyncio.run(main())
