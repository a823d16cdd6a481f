"""Nothing outlives its reason: 64*T1 after the last live call the tables of a call worker are empty, whatever came in.

A worker in memory, in virtual time; its peer writes SIP by hand on a real socket.
"""

import asyncio
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.actor_table import Entries
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.stranger import FOREIGN_SDP, NO_SDP, SDP, Stranger, finals, follow_up, statuses
from tests.actors.virtual_loop import run
from tests.e2e.agents import agent

EMPTY = Entries(0, 0, 0, 0, 0, 0)
SETTLED = 64 * 0.5 + 1
"""seconds after which nothing of a call without live dialog is left: 64*T1, and a moment"""
REFUSED: dict[str, tuple[tuple[str, ...], bytes, int]] = {
    "unreadable SDP": ((), NO_SDP, 488),
    "no codec of ours": ((), FOREIGN_SDP, 488),
    "session interval too small": (("Supported: timer", "Session-Expires: 30"), SDP, 422),
    "unknown extension": (("Require: telepathy",), SDP, 420),
    "unreadable Replaces": (("Replaces: abc",), SDP, 400),
    "Replaces of nobody": (("Replaces: abc;to-tag=1;from-tag=2",), SDP, 481),
    "two Replaces": (("Replaces: a;to-tag=1;from-tag=2", "Replaces: b;to-tag=1;from-tag=2"), SDP, 400),
    "unreadable Record-Route": (("Record-Route: <sip:",), SDP, 400),
    "packed body": (("Content-Encoding: gzip",), SDP, 415),
}


async def rings(call: Call) -> None:
    call.ring()
    await call.over()


async def answers(call: Call) -> None:
    await call.answer()
    await call.over()


async def fails(call: Call) -> None:
    raise RuntimeError("a robot's own fault")


def refuses_in_callback(ua: UserAgent) -> None:
    ua.listen(cb_invite=lambda call, request: call.reject(486))


def fails_in_callback(ua: UserAgent) -> None:
    def callback(*arguments: object) -> None:
        raise RuntimeError("a user's own fault")

    ua.listen(cb_invite=callback, cb_cleanup=callback, recv_bye=callback)


ROBOTS: dict[str, Callable[[UserAgent], None]] = {
    "answers at once": lambda ua: ua.listen(media="none"),
    "answers with media": lambda ua: ua.listen(media="echo"),
    "rings": lambda ua: ua.listen(rings, media="none"),
    "answers in a coroutine": lambda ua: ua.listen(answers, media="echo"),
    "refuses in cb_invite": refuses_in_callback,
    "refuses in filter": lambda ua: ua.listen(filter=lambda sender, request: False),
    "fails": lambda ua: ua.listen(fails),
    "fails in callbacks": fails_in_callback,
    "fails by exit()": lambda ua: ua.listen(cb_invite=lambda call, request: sys.exit(3)),
}


async def quiesce(stranger: Stranger) -> None:
    """Let what is live be hung up by the robot's side, and time pass until all transactions are over."""
    worker = stranger.worker
    for call in list(worker.actors.live.values()):
        call.hang_up()
    await asyncio.sleep(2 * SETTLED)  # a BYE of ours that nobody answers, behind a 2xx that nobody acknowledged
    assert not worker.actors.live
    worker.update_gauges()


EMPTIES = pytest.mark.sweep("rule 1, nothing outlives its reason", sequences=200, messages=1000, refused=9)


@EMPTIES
@pytest.mark.parametrize("how", REFUSED)
def test_a_refused_invite_leaves_nothing_and_is_refused_again_when_it_comes_late(
    how: str, caplog: pytest.LogCaptureFixture, walk: Callable[..., None]
) -> None:
    headers, body, status = REFUSED[how]
    walk(refused=1)

    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(media="none")
            with Stranger(ua) as stranger:
                old = stranger.invite(1, *headers, body=body)
                options = [follow_up("OPTIONS", stranger.invite(n), branch=f"z9hG4bK-o{n}") for n in range(50, 58)]
                for _ in range(2):
                    got = await stranger.exchange(old, *options)
                    assert statuses(got)[-1] == status
                    assert len(finals(got, "OPTIONS")) == 8, "what comes behind it is not lost"
                    await stranger.exchange(follow_up("ACK", old, finals(got)[0]))
                    await asyncio.sleep(SETTLED)
                    assert stranger.worker.entries == EMPTY
                    assert not stranger.worker.actors.live

    run(scenario)
    assert [each.getMessage() for each in caplog.records if each.exc_info] == []


STEPS = (
    "INVITE",
    "again",
    "CANCEL",
    "ACK",
    "BYE",
    "INFO",
    "UPDATE",
    "re-INVITE",
    "PRACK",
    "OPTIONS",
    "REFER",
    "wait",
    "late",
)
SENDING = st.tuples(st.integers(1, 3), st.sampled_from(STEPS), st.sampled_from(sorted(REFUSED) + [""] * 4))


class Conversation:
    """What a stranger sends of its three calls, and the answers that it goes by."""

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger
        self._first: dict[int, bytes] = {}
        self._answers: dict[int, Response] = {}
        self._cseq = 1

    def octets(self, call: int, step: str, how: str) -> list[bytes]:
        """What a step sends."""
        headers, body, _ = REFUSED.get(how, ((), SDP, 0))
        if step == "INVITE" or call not in self._first:
            self._first[call] = self._stranger.invite(call, *headers, body=body, cseq=self._cseq)
            self._answers.pop(call, None)
        first, answer = self._first[call], self._answers.get(call)
        self._cseq += 1
        if step in ("INVITE", "again", "late"):
            return [first]
        if step in ("CANCEL", "ACK"):
            return [follow_up(step, first, answer if step == "ACK" else None)]
        if step == "re-INVITE":
            within = follow_up("INVITE", first, answer, cseq=self._cseq, branch=f"z9hG4bK-{call}-{self._cseq}")
            return [
                within.replace(
                    b"Content-Length: 0", b"\r\n".join((*(h.encode() for h in headers), b"Content-Length: 0"))
                )
            ]
        return [follow_up(step, first, answer, cseq=self._cseq, branch=f"z9hG4bK-{call}-{self._cseq}")]

    def heard(self, messages: list[Request | Response]) -> list[bytes]:
        """Remember the final answers; what has to be sent now: an answer to each request."""
        for each in finals(messages):
            self._answers[int(each.call_id[5])] = each
        asked = [each for each in messages if isinstance(each, Request) and each.method != "ACK"]
        return [Response.to_request(each, 200).to_bytes() for each in asked]


@EMPTIES
@pytest.mark.parametrize("robot", ROBOTS)
@given(steps=st.lists(SENDING, min_size=1, max_size=14))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sequence_of_messages_leaves_anything_in_a_call_worker(
    robot: str, steps: list[tuple[int, str, str]], caplog: pytest.LogCaptureFixture, walk: Callable[..., None]
) -> None:
    caplog.clear()
    walk(sequences=1, messages=sum(step != "wait" for _, step, _ in steps))

    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ROBOTS[robot](ua)
            with Stranger(ua) as stranger:
                talk = Conversation(stranger)
                waiting: list[bytes] = []
                for call, step, how in steps:
                    if step in ("wait", "late"):
                        waiting += talk.heard(
                            await stranger.exchange(*waiting, seconds=SETTLED if step == "late" else 0.5)
                        )
                        waiting = []
                    waiting += talk.octets(call, step, how) if step != "wait" else []
                    if len(waiting) > 2:
                        waiting = talk.heard(await stranger.exchange(*waiting))
                await stranger.exchange(*waiting)
                await quiesce(stranger)
                assert stranger.worker.entries == EMPTY

    run(scenario)
    if not robot.startswith("fails"):
        assert [each.getMessage() for each in caplog.records if each.exc_info] == []
