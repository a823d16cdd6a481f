"""Every answer of a UAS has a To tag (RFC 3261 8.2.6.2), and its Allow names what is taken there: methods × stages.

A worker in memory; its peer writes SIP by hand on a real socket and reads the octets that come back.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.admission import Admission
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.transaction.stateless import overload_reply, refuse
from tests.actors.agent.test_answers_and_ends import with_stranger
from tests.actors.stranger import SDP, Stranger, finals, follow_up, invite, within
from tests.actors.virtual_loop import run
from tests.actors.workers import worker_of
from tests.e2e.agents import agent

ASKED = (
    *("INVITE", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO", "NOTIFY", "MESSAGE", "REFER", "SUBSCRIBE"),
    *("PUBLISH", "REGISTER", "FETCH", "invite"),
)
OUTSIDE = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE"
NOT_TAKEN = {**dict.fromkeys(("MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH", "REGISTER"), 405)}
UNKNOWN = {"FETCH": 501, "invite": 501}
OF_A_CALL = dict.fromkeys(("BYE", "PRACK", "UPDATE", "INFO", "NOTIFY", "CANCEL"), 481)
"""what without a call is refused by its own RFC"""
STATUS = {**NOT_TAKEN, **UNKNOWN, **OF_A_CALL}


def fails(call: Call, request: Request) -> None:
    raise RuntimeError("a user's own fault")


def drains(ua: UserAgent) -> None:
    ua.listen(media="none")
    worker_of(ua).drain(60)


AGENTS: dict[str, Callable[[UserAgent], object]] = {
    "listens": lambda ua: ua.listen(media="none"),
    "does not listen": lambda ua: None,
    "drains": drains,
    "refuses": lambda ua: ua.listen(cb_invite=lambda call, request: call.reject(603)),
    "filters": lambda ua: ua.listen(filter=lambda sender, request: False),
    "fails": lambda ua: ua.listen(cb_invite=fails),
    "asks who it is": lambda ua: ua.listen(media="none", auth_user2pass={"a": "b"}),
    "fails to ask": lambda ua: ua.listen(media="none", auth_user2pass=lambda user: 1 / 0),
}
TO = b"To: <sip:bob@127.0.0.1>"
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "text": lambda data: data.replace(b"application/sdp", b"text/plain"),
    "no body": lambda data: (
        data.partition(b"\r\n\r\n")[0].replace(b"Length: %d" % len(SDP), b"Length: 0") + b"\r\n\r\n"
    ),
    "body longer than said": lambda data: data.replace(b"Length: ", b"Length: 9"),
    "Content-Length no number": lambda data: data.replace(b"Length: ", b"Length: x"),
    "packed": lambda data: data.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length"),
    "unknown extension": lambda data: data.replace(b"Max-Forwards", b"Require: telepathy\r\nMax-Forwards"),
    "Contact *": lambda data: re.sub(rb"Contact: [^\r]*", b"Contact: *", data),
    "Contact unreadable": lambda data: re.sub(rb"Contact: [^\r]*", b"Contact: <sip:", data),
    "no Contact": lambda data: re.sub(rb"Contact: [^\r]*\r\n", b"", data),
    "scheme": lambda data: data.replace(b" sip:bob@127.0.0.1 ", b" http://x/ ", 1),
    "no scheme": lambda data: data.replace(b" sip:bob@127.0.0.1 ", b" bob ", 1),
    "URI in brackets": lambda data: data.replace(b" sip:bob@127.0.0.1 ", b" <sip:bob@127.0.0.1> ", 1),
    "version": lambda data: data.replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n", 1),
    "no version": lambda data: data.replace(b" SIP/2.0\r\n", b"\r\n", 1),
    "CSeq of another": lambda data: re.sub(rb"CSeq: (\d+) \w+", rb"CSeq: \1 SING", data),
    "no CSeq": lambda data: re.sub(rb"CSeq: [^\r]*\r\n", b"", data),
    "no From": lambda data: re.sub(rb"From: [^\r]*\r\n", b"", data),
    "no Call-ID": lambda data: re.sub(rb"Call-ID: [^\r]*\r\n", b"", data),
    "From unreadable": lambda data: re.sub(rb"From: [^\r]*", b"From: <sip:", data),
    "Max-Forwards no number": lambda data: data.replace(b"Max-Forwards: 70", b"Max-Forwards: many"),
    "line without colon": lambda data: data.replace(b"Max-Forwards: 70", b"Max-Forwards 70"),
    "too many headers": lambda data: data.replace(b"Max-Forwards", b"X: y\r\n" * 256 + b"Max-Forwards"),
    "no branch": lambda data: re.sub(rb"branch=[^;]*", b"branch=z9hG4bK", data),
    "nothing acceptable": lambda data: data.replace(b"Max-Forwards", b"Accept: text/html\r\nMax-Forwards"),
    "tag of a call that is none": lambda data: data.replace(TO, TO + b";tag=none"),
    "Replaces": lambda data: data.replace(b"Max-Forwards", b"Replaces: a;to-tag=b;from-tag=c\r\nMax-Forwards"),
    "Replaces unreadable": lambda data: data.replace(b"Max-Forwards", b"Replaces: a\r\nMax-Forwards"),
    "timer too small": lambda data: data.replace(
        b"Max-Forwards", b"Session-Expires: 30\r\nSupported: timer\r\nMax-Forwards"
    ),
    "description unreadable": lambda data: data.replace(b"v=0\r\n", b"").replace(
        b"Length: %d" % len(SDP), b"Length: %d" % (len(SDP) - 5)
    ),
    "no codec of ours": lambda data: data.replace(b"RTP/AVP 0", b"RTP/AVP 9999999"[:10] + b"1"),
}
TAGLESS = (
    *("", "   ", "*", "bob", "<sip:bob@127.0.0.1", "<sip:b@h>, <sip:c@h>", "sip:[::1", "<>", "<tel:1>"),
    *('"bob <sip:bob@127.0.0.1>', '<sip:b@h>;x="a', '"a;tag=1" <sip:b@h>', "\r\n <sip:b@h>"),
    *("<sip:bob@h>;tag", "<sip:bob@h>;tag=", "sip:bob@h;tag=", "<sip:bob@h>;tag;x=y"),
    *("<sip:b@h>;;", "<sip:b@h> ;", "sip:b@h;", "<sip:bob@h;tag=5>", "<sip:b@h?x=y>;x"),
)
"""To without a tag that could be read"""


def written_to(value: str) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(TO, b"To: " + value.encode())


TO_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"To: {value}": written_to(value) for value in TAGLESS},
    "no To": lambda data: data.replace(TO + b"\r\n", b""),
    "compact To": lambda data: data.replace(TO, b"t : <sip:bob@127.0.0.1>"),
    "two To": lambda data: data.replace(TO, TO + b"\r\nTo: <sip:eve@127.0.0.1>"),
}


def to_tags(answer: bytes) -> list[bytes]:
    """The tags in the To of a response, read from its octets."""
    head = answer.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    values = re.findall(rb"\r\n(?:To|t) *:([^\r]*)", head)
    return [tag for value in values for tag in re.findall(rb";\s*tag=([\w.~!%*+`'-]+)", value.rpartition(b">")[2])]


def refusals(data: list[bytes]) -> list[bytes]:
    """What needs a tag of ours: every response but 100."""
    return [each for each in data if each.startswith(b"SIP/2.0 ") and not each.startswith(b"SIP/2.0 100")]


def check(answers: list[bytes], what: str, *, one: bool = True) -> int:
    """Hold the rules for the answers to one request; how many there are."""
    found = refusals(answers)
    for each in found:
        tags = to_tags(each)
        assert len(tags) == 1 if one else tags, (what, each)
        allow = re.findall(rb"\r\nAllow: ([^\r]*)", each)
        if number_of(each) in (405, 501) or (number_of(each) == 200 and b" OPTIONS\r\n" in each):
            assert allow, (what, each)
    return len(found)


def number_of(data: bytes) -> int:
    return int(data[8:11])


@pytest.mark.parametrize("how", AGENTS)
def test_every_answer_outside_of_a_call_has_a_tag_and_allow_says_what_is_taken(how: str) -> None:
    async def scenario() -> int:
        answered = 0
        async with agent("sip:bob@127.0.0.1") as ua:
            AGENTS[how](ua)
            with Stranger(ua) as stranger:
                for number, (method, change) in enumerate((m, c) for m in ASKED for c in CHANGES):
                    asked = CHANGES[change](stranger.invite(number).replace(b"INVITE", method.encode()))
                    answers = await stranger.octets(asked)
                    answered += check(answers, f"{how}, {method}, {change}")
                    found = refusals(answers)
                    for each in found:
                        if number_of(each) in (405, 501):
                            assert f"\r\nAllow: {OUTSIDE}\r\n".encode() in each
                    if change in ("as it is", "text", "no body") and method in STATUS:
                        own = [each for each in found if f"branch=z9hG4bK-{number}-1;".encode() in each]
                        assert [number_of(each) for each in own] == [STATUS[method]], (method, change)
        return answered

    assert run(scenario) >= len(ASKED) * len(CHANGES) * 0.9, "nearly every one is answered"


def test_every_answer_has_a_tag_whatever_stands_in_to() -> None:
    counted: list[int] = []

    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(cb_invite=lambda call, request: call.reject(486))
            with Stranger(ua) as stranger:
                for number, (method, change) in enumerate((m, c) for m in ASKED for c in TO_CHANGES):
                    asked = TO_CHANGES[change](stranger.invite(number).replace(b"INVITE", method.encode()))
                    answers = await stranger.octets(asked)
                    readable = '"' not in change.rpartition(">")[2] and change != 'To: "bob <sip:bob@127.0.0.1>'
                    counted.append(check(answers, f"{method}, {change}", one=readable) if readable else len(answers))
                    assert counted[-1], f"{method}, {change} is answered"
                    assert all(b";tag=" in each for each in refusals(answers)), (method, change)

    run(scenario)
    assert len(counted) == len(ASKED) * len(TO_CHANGES)


def test_options_outside_of_a_call_tells_of_no_method_that_needs_one() -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(media="none")
            with Stranger(ua) as stranger:
                (answer,) = await stranger.exchange(follow_up("OPTIONS", stranger.invite(1)))
                assert answer.headers.get("Allow") == OUTSIDE
                for method in OUTSIDE.split(", "):
                    if method != "ACK":
                        got = await stranger.octets(stranger.invite(9).replace(b"INVITE", method.encode()))
                        assert not {405, 501, 415} & {number_of(each) for each in got}, method

    run(scenario)


def test_every_answer_within_a_call_has_the_tag_of_the_call() -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(media="none")
            with Stranger(ua) as stranger:
                first = stranger.invite(1)
                answer = finals(await stranger.exchange(first))[0]
                await stranger.exchange(within("ACK", first, answer, 1))
                allow = (answer.headers.get("Allow") or "").split(", ")
                methods = [each for each in ASKED if each not in ("BYE", "CANCEL")] + ["BYE"]
                for cseq, method in enumerate(methods, 2):
                    asked = within(method, first, answer, cseq)
                    found = refusals(await stranger.octets(asked))
                    assert found, method
                    for each in found:
                        assert to_tags(each) == [(answer.to_tag or "").encode()], method
                        assert (number_of(each) in (405, 501)) == (method not in allow), method
                        if number_of(each) in (405, 501):
                            assert f"\r\nAllow: {', '.join(allow)}\r\n".encode() in each

    run(scenario)


def from_octets(method: str) -> bytes:
    return invite(1, "127.0.0.1", 5060).replace(b"INVITE", method.encode())


@pytest.mark.parametrize("change", [*CHANGES, *TO_CHANGES])
def test_what_is_refused_from_its_octets_has_a_tag(change: str) -> None:
    for method in ASKED:
        data = {**CHANGES, **TO_CHANGES}[change](from_octets(method))
        for written in (overload_reply(data, 5), refuse(data, status=400), refuse(data, status=500, key=b"key")):
            assert written is not None
            assert b";tag=" in written
            if '"' not in change:
                assert len(to_tags(written)) == 1, written


def test_an_overloaded_loop_refuses_new_calls_alone_and_calls_come_back_at_different_times() -> None:
    loop = asyncio.new_event_loop()
    totals = Totals()
    admission = Admission(totals, b"key", loop=loop)
    assert admission._watch is not None
    for moment in (1.0, 2.0, 3.0):
        admission._watch.load.admits()
        admission._watch.load.turn(0.9, moment)
    waits = set()
    for method in (*ASKED, *["INVITE"] * 20):
        request = parse(from_octets(method))
        assert isinstance(request, Request)
        answer = admission.answer(request, takes_calls=True, draining=False, full=False)
        assert answer is not None
        assert answer.status == {**STATUS, "INVITE": 503, "OPTIONS": 503}[method]
        if answer.status == 503:
            waits.add(int(answer.headers.get("Retry-After") or 0))
    assert min(waits) >= 5
    assert max(waits) <= 30
    assert len(waits) > 5
    assert totals.cell("sipswarm_sip_refused_total", "overload").value >= 20
    admission.close()
    loop.close()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"given_up": True, "draining": False}, "quarantined"),
        ({"given_up": True, "draining": True}, "quarantined"),
        ({"starting": True, "draining": False}, "starting"),
    ],
)
def test_a_worker_that_takes_no_calls_now_refuses_them_for_a_while_and_answers_all_else(
    state: dict[str, Any], reason: str
) -> None:
    totals = Totals()
    admission = Admission(totals, b"key")
    for method in ASKED:
        request = parse(from_octets(method))
        assert isinstance(request, Request)
        answer = admission.answer(request, takes_calls=False, full=False, **state)
        assert answer is not None
        assert answer.status == {**STATUS, "INVITE": 503, "OPTIONS": 200 if reason == "starting" else 503}[method]
        assert (answer.headers.get("Retry-After") is not None) == (answer.status == 503)
    assert totals.cell("sipswarm_sip_refused_total", reason).value == 1


def test_a_full_worker_answers_with_a_tag() -> None:
    admission = Admission(Totals(), b"key")
    for method in ASKED:
        request = parse(from_octets(method))
        assert isinstance(request, Request)
        answer = admission.answer(request, takes_calls=True, draining=False, full=True)
        assert answer is not None
        assert answer.to_tag
        assert answer.status == {**STATUS, "INVITE": 503, "OPTIONS": 503}[method]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("name", [b"Via", b"From", b"Call-ID", b"CSeq"])
def test_a_request_is_answered_however_late_its_headers_come(transport: str, name: bytes) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1", f"{transport}:127.0.0.1:0") as ua:
            ua.listen(media="none")
            data = invite(1, "127.0.0.1", 9).replace(b"\r\n" + name, b"\r\nX: " + b"y" * 16384 + b"\r\n" + name, 1)
            if transport == "udp":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.setblocking(False)
                    sender.bind(("127.0.0.1", 0))
                    loop = asyncio.get_running_loop()
                    await loop.sock_sendto(sender, data, (ua.legs[0].host, ua.legs[0].port))
                    got = await loop.sock_recv(sender, 65536)
            else:
                reader, writer = await asyncio.open_connection(ua.legs[0].host, ua.legs[0].port)
                writer.write(data)
                got = await reader.readuntil(b"\r\n\r\n")
                writer.close()
                await writer.wait_closed()
            assert got.startswith(b"SIP/2.0 400 Bad Request (a header is too long)\r\n")
            assert parse(got).branch == "z9hG4bK-1-1"

    asyncio.run(scenario())


def test_a_request_without_via_is_counted_and_named_since_nobody_can_be_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="none")
        count = worker_of(ua).totals.cell("sipswarm_sip_parse_errors_total", "message")
        assert await stranger.octets(re.sub(rb"Via: [^\r]*\r\n", b"", stranger.invite(1))) == []
        assert count.value == 1
        (line,) = [each for each in caplog.messages if "gets no answer" in each]
        assert f"a request of 127.0.0.1:{stranger.port} gets no answer: no via header" in line

    with_stranger(scenario)
