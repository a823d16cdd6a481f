"""What a user gives is checked when it is given: nothing is opened, sent or left behind for what cannot be written.

And if our own code fails all the same between the ports and the INVITE, whoever waits hears of it (RELIABILITY P9).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.actor_table import Entries
from sipswarm.actors.call_worker.call_factory import CallOrder
from sipswarm.actors.errors import CallEnded, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.given_text import checked_pairs
from sipswarm.actors.identity import Identity
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.hop import Hop
from tests.actors.agent.test_answers_and_ends import tracebacks, with_stranger
from tests.actors.phones import BOB
from tests.actors.scenes import established, scene
from tests.actors.stranger import Stranger, finals, within
from tests.e2e.agents import agent, note

EMPTY = Entries(0, 0, 0, 0, 0, 0)
LINES = ("a\r\nb", "a\nb", "a\rb", "a\0b", "\n", "a\r\n b", "a\x1bb", "half of a character \ud83d")
NAMES = (*LINES, "", "X Y", "X:", "Ä", "X\t")
VALUES = (*LINES, 5, None, b"octets", 1.5, {"a": "b"}, ["ok", "a\r\nb"])
HEADERS: tuple[Any, ...] = (
    *({name: "1"} for name in NAMES),
    *({"X-A": "1", "X-Name": value} for value in VALUES),
    *([("X-Name", value)] for value in VALUES),
    "X-Name: 1",
    5,
    [("X-Name",)],
    [("X-Name", "1", "2")],
    {5: "1"},
)
NO_CALLBACKS: tuple[Any, ...] = (5, "name", object(), (5, 6))
NO_SECONDS: tuple[Any, ...] = ("1", -1, float("nan"), float("inf"), None, True)
Attempt = Callable[[UserAgent, str, Any], Awaitable[object]]
INVITES: dict[str, tuple[Attempt, tuple[Any, ...]]] = {
    "sip_header": (lambda ua, to, bad: ua.invite(to, sip_header=bad), HEADERS),
    "ack_header": (lambda ua, to, bad: ua.invite(to, ack_header=bad), HEADERS),
    "to": (lambda ua, to, bad: ua.invite(f'"{bad}" <{to}>'), LINES),
    "user": (lambda ua, to, bad: ua.invite(to.replace("stranger", f"x{bad}")), LINES),
    "from": (lambda ua, to, bad: ua.invite({"to": to, "from": f'"{bad}" <sip:a@127.0.0.1>'}), LINES),
    "contact": (lambda ua, to, bad: ua.invite({"to": to, "contact": f"<sip:a@127.0.0.1>;x={bad}"}), LINES),
    "route": (lambda ua, to, bad: ua.invite({"to": to, "route": [f"<sip:127.0.0.1;lr>;x={bad}"]}), LINES),
    "callid": (lambda ua, to, bad: ua.invite({"to": to, "callid": bad}), LINES),
    "call_id": (lambda ua, to, bad: ua.invite(to, call_id=bad), LINES),
    "ring_time": (lambda ua, to, bad: ua.invite(to, ring_time=bad), NO_SECONDS),
    "cb_final": (lambda ua, to, bad: ua.invite(to, cb_final=bad), NO_CALLBACKS),
    "cb_established": (lambda ua, to, bad: ua.invite(to, cb_established=bad), NO_CALLBACKS),
    "init_media": (lambda ua, to, bad: ua.invite(to, init_media=bad), NO_CALLBACKS),
    "media": (lambda ua, to, bad: ua.invite(to, media=bad), ("nothing that is", "tone:x", "play:")),
    "sdp": (lambda ua, to, bad: ua.invite(to, sdp=bad), (b"v=1\r\n", "junk", 5)),
    "leg": (lambda ua, to, bad: ua.invite(to, leg=bad), (7, "udp:192.0.2.1:5060", "x\r\ny")),
    "rtp_param": (lambda ua, to, bad: ua.invite(to, rtp_param=bad), ((1,), ("x", 160, 0.02))),
    "register header": (lambda ua, to, bad: ua.register(to, X_Name=bad), VALUES),
    "register contact": (lambda ua, to, bad: ua.register(to, contact=f"<sip:a@127.0.0.1>;x={bad}"), LINES),
    "register from_": (lambda ua, to, bad: ua.register(to, from_=f"sip:a{bad}@127.0.0.1"), LINES),
    "register registrar": (lambda ua, to, bad: ua.register(f"{to};x={bad}"), LINES),
    "register cb_final": (lambda ua, to, bad: ua.register(to, cb_final=bad), NO_CALLBACKS),
}


@pytest.mark.parametrize("name", INVITES)
def test_nothing_is_opened_for_arguments_that_cannot_be_written(name: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, values = INVITES[name]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        for bad in values:
            with pytest.raises((ConfigurationError, ValueError)):
                await attempt(ua, f"sip:stranger@{stranger.host}:{stranger.port}", bad)
            assert await stranger.exchange(seconds=0.1) == [], repr(bad)
            assert (stranger.worker.entries, stranger.worker.actors.live) == (EMPTY, {}), repr(bad)

    with_stranger(scenario)
    assert tracebacks(caplog) == []


async def finished(done: Any) -> None:
    if hasattr(done, "__await__"):
        await done


WITHIN: dict[str, tuple[Callable[[Call, Any], Any], tuple[Any, ...]]] = {
    "reinvite sip_header": (lambda call, bad: call.reinvite(sip_header=bad), HEADERS),
    "reinvite ack_header": (lambda call, bad: call.reinvite(ack_header=bad), HEADERS),
    "reinvite ring_time": (lambda call, bad: call.reinvite(ring_time=bad), NO_SECONDS),
    "reinvite cb_final": (lambda call, bad: call.reinvite(cb_final=bad), NO_CALLBACKS),
    "set_param": (lambda call, bad: call.set_param(sip_header=bad), HEADERS),
    "request method": (lambda call, bad: call.request(bad), NAMES),
    "request header": (lambda call, bad: call.request("INFO", X_Name=bad), VALUES),
    "request name": (lambda call, bad: call.request("INFO", **{bad: "1"}), tuple(set(NAMES) - {"Ä"})),
    "request content_type": (lambda call, bad: call.request("INFO", "x", content_type=bad), LINES),
    "request cb_final": (lambda call, bad: call.request("INFO", cb_final=bad), NO_CALLBACKS),
    "request body": (lambda call, bad: call.request("INFO", bad), (5, None, ["x"])),
    "bye cb_final": (lambda call, bad: call.bye(cb_final=bad), NO_CALLBACKS),
    "cancel cb_final": (lambda call, bad: call.cancel(cb_final=bad), NO_CALLBACKS),
    "transfer": (lambda call, bad: call.transfer(f"sip:carol@127.0.0.1;x={bad}"), LINES),
    "accept headers": (lambda call, bad: call.accept(bad), HEADERS),
    "reject headers": (lambda call, bad: call.reject(486, "", bad), HEADERS),
    "reject reason": (lambda call, bad: call.reject(486, bad), LINES),
    "ring headers": (lambda call, bad: call.ring(180, bad), HEADERS),
}


@pytest.mark.parametrize("name", WITHIN)
def test_a_call_goes_on_as_it_was_after_arguments_that_cannot_be_written(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempt, values = WITHIN[name]

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        ua.listen(media="none")
        first = stranger.invite(1)
        answer = finals(await stranger.exchange(first))[0]
        await stranger.exchange(within("ACK", first, answer, 1))
        (call,) = stranger.worker.actors.live.values()
        for bad in values:
            with pytest.raises((ConfigurationError, TypeError)):
                await finished(attempt(call, bad))
            assert await stranger.exchange(seconds=0.1) == [], repr(bad)
            assert call.is_up
        future = call.request("INFO", "x")
        (info,) = [each for each in await stranger.exchange() if each.cseq.method == "INFO"]
        future.cancel()
        assert info.headers.get("X-Name") is None
        assert "X-Name" not in dict(call.param.header_pairs())

    with_stranger(scenario)
    assert tracebacks(caplog) == []


def test_headers_that_can_be_written_are_taken() -> None:
    given = {"X-A": "1", "X-B": ["2", "3"], "X-C": "", "X-D": "ä\ttab", "X-E": "\udcff", "x!%'*+._`~": "4"}
    assert checked_pairs("headers", given)[1:3] == (("X-B", "2"), ("X-B", "3"))
    assert checked_pairs("headers", [("A", "1"), ("A", "2")]) == (("A", "1"), ("A", "2"))
    assert checked_pairs("headers", ()) == checked_pairs("headers", {}) == ()


@pytest.mark.parametrize(
    "options", [{"headers": (("X", "a\r\nb"),)}, {"from_": "sip:a\n@b"}, {"contact": "<sip:a\0@b>"}]
)
def test_a_user_agent_is_not_made_of_what_cannot_be_written(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        agent(**options)


@pytest.mark.parametrize("wanted", [True, False])
def test_our_own_failure_between_ports_and_invite_ends_the_await_with_the_error(
    wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []

    async def scenario(ua: UserAgent, stranger: Stranger) -> None:
        worker = stranger.worker
        demand = worker.factory.demand_for(worker.addresses.usual(0), wanted=wanted)
        hop = Hop("udp", stranger.host, stranger.port)

        def place() -> Call:
            identity = Identity("sip:a@127.0.0.1")
            order = CallOrder("sip:x@127.0.0.1", hop, identity, demand, headers=(("X", "a\r\nb"),))
            return worker.factory.outgoing(order)

        if not wanted:  # its ports are there at once
            with pytest.raises(LocalProtocolError):
                place()
        else:
            call = place()
            call.param.cb_final = lambda *arguments: note(told, arguments[0])
            with pytest.raises(CallEnded) as raised:
                await call.established()
            assert isinstance(raised.value.__cause__, LocalProtocolError)
            assert call.cause == "internal_error"
            await call.over()
            assert told == ["FAIL"]
        assert await stranger.exchange(seconds=1) == []
        assert (worker.entries, worker.actors.live) == (EMPTY, {})

    with_stranger(scenario)
    assert len(tracebacks(caplog)) == wanted


def test_a_call_that_crashes_at_any_point_is_over_on_both_sides() -> None:
    for side in ("alice", "bob"):
        made = established()
        getattr(made, side).call.crashed(made.line.now, RuntimeError("ours"))
        made.assert_all_over()
    made = scene(None).invite()
    made.alice.call.crashed(made.line.now, RuntimeError("ours"))
    made.assert_all_over()
    waiting = scene(None)
    waiting.alice.holds_back = True
    waiting.alice.prepare(BOB).invite((), 1.0)
    waiting.line.carry()
    waiting.alice.call.crashed(1.0, RuntimeError("ours"))
    waiting.alice.holds_back = False
    waiting.alice.release()
    waiting.assert_all_over()
    assert waiting.line.ladder == []


def test_a_call_that_comes_in_and_crashes_gets_500() -> None:
    made = scene(None).invite()
    made.bob.call.crashed(made.line.now, RuntimeError("ours"))
    made.assert_all_over()
    assert "< 500 INVITE" in made.line.ladder
