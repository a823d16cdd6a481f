"""What a worker keeps of calls that are over: little, for 32 s, and of a bounded number of them."""

import asyncio
import gc
import tracemalloc

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call.ended_call import EndedCall
from sipswarm.actors.call_worker.actor_table import Entries
from sipswarm.actors.call_worker.worker import CallWorker
from sipswarm.actors.handle.call import Call
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import SDP, Stranger, finals, follow_up, statuses, within
from tests.actors.virtual_loop import run
from tests.e2e.agents import agent

EMPTY = Entries(0, 0, 0, 0, 0, 0)
AFTER = 33.0
"""Seconds after which no transaction is left: 64*T1, and a moment."""


async def talk(stranger: Stranger, *numbers: int, bye: bool = True) -> list[bytes]:
    """Have calls answered and end them; returns the last request of each: its BYE, or the ACK of its refusal."""
    last = []
    for number in numbers:
        first = stranger.invite(number)
        (answer,) = finals(await stranger.exchange(first))
        if answer.status < 300:
            await stranger.exchange(within("ACK", first, answer, 1))
            last.append(within("BYE", first, answer, 2).replace(b"branch=z9hG4bK-", b"branch=z9hG4bK-%d-" % number))
            assert statuses(await stranger.exchange(last[-1]), "BYE") == [200]
        else:
            last.append(follow_up("ACK", first, answer))
            await stranger.exchange(last[-1])
    return last


def ended_calls(worker: CallWorker) -> list[EndedCall]:
    return [each for each in worker.actors.everyone if isinstance(each, EndedCall)]


def methods(messages: list[Request | Response]) -> list[str]:
    return [each.method for each in messages if isinstance(each, Request)]


def dropped(worker: CallWorker) -> float:
    return worker.totals.cell("sipswarm_queue_dropped_total", "ended_calls").value


def listens(ua: UserAgent, media: str = "none") -> None:
    ua.listen(media=media)


@pytest.mark.parametrize("media", ["none", "echo"])
def test_a_call_that_is_over_becomes_small_and_repeats_its_last_response(media: str) -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            listens(ua, media)
            with Stranger(ua) as stranger:
                worker = stranger.worker
                (bye,) = await talk(stranger, 1)
                await asyncio.sleep(0.5)  # the stream is closed
                assert list(worker.actors.calls) == []
                (ended,) = ended_calls(worker)
                assert (len(worker.actors), len(worker.actors.ended), worker.entries.transactions) == (1, 1, 2)
                (first,) = await stranger.octets(bye)
                assert (await stranger.octets(bye)) == [first]
                assert first.startswith(b"SIP/2.0 200 ")
                (again,) = await stranger.exchange(bye.replace(b"branch=z9", b"branch=z9hG4bKother-z9"))
                assert isinstance(again, Response)
                assert again.status == 200
                # A second INVITE of the same Call-ID that took another way (RFC 3261 8.2.2.2).
                other = stranger.invite(1).replace(b"branch=z9", b"branch=z9hG4bKother-z9")
                assert statuses(await stranger.exchange(other)) == [482]
                assert ended.name.startswith("ended call ")
                await asyncio.sleep(AFTER)
                assert worker.entries == EMPTY
                assert (len(worker.actors), len(worker.actors.ended)) == (0, 0)
                assert statuses(await stranger.exchange(bye), "BYE") == [481]
                assert dropped(worker) == 0

    run(scenario)


def test_beyond_the_bound_the_oldest_calls_go_and_are_unknown_afterwards() -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            listens(ua)
            with Stranger(ua) as stranger:
                worker = stranger.worker
                worker.actors.most_ended = 3
                byes = await talk(stranger, *range(1, 9))
                assert (len(worker.actors.ended), len(worker.actors), dropped(worker)) == (3, 3, 5)
                answers = [statuses(await stranger.exchange(bye), "BYE") for bye in byes]
                assert answers == [[481]] * 5 + [[200]] * 3
                assert len(worker.actors.ended) == 3
                await asyncio.sleep(AFTER)
                assert (worker.entries, len(worker.actors.ended), dropped(worker)) == (EMPTY, 0, 5)

    run(scenario)


def test_a_call_whose_refusal_has_no_ack_counts_and_goes_too() -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(cb_invite=lambda call, request: call.reject(486))
            with Stranger(ua) as stranger:
                worker = stranger.worker
                worker.actors.most_ended = 2
                for number in range(1, 6):
                    assert statuses(await stranger.exchange(stranger.invite(number)))[-1] == 486
                assert (len(worker.actors.ended), dropped(worker)) == (2, 3)
                again = await stranger.octets(seconds=0.6)
                repeated = {each.call_id for each in map(parse, again)}
                assert repeated == {f"call-{number}@{stranger.host}" for number in (4, 5)}, (
                    "timer G of those that are kept"
                )
                await asyncio.sleep(AFTER)
                assert (worker.entries, len(worker.actors.ended)) == (EMPTY, 0)

    run(scenario)


def test_a_handle_that_is_used_after_the_end_brings_nothing_back() -> None:
    async def scenario() -> None:
        calls: list[Call] = []
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(cb_invite=lambda call, request: calls.append(call), media="none")
            with Stranger(ua) as stranger:
                worker = stranger.worker
                (bye,) = await talk(stranger, 1)
                assert len(ended_calls(worker)) == 1
                (call,) = calls
                call.hang_up()
                worker.actor_loop.touch(call.actor)
                assert statuses(await stranger.exchange(bye), "BYE") == [200]
                assert (len(worker.actors), len(worker.actors.ended), worker.entries.transactions) == (1, 1, 2)
                worker.actor_loop.touch(call.actor)
                await asyncio.sleep(AFTER)
                worker.actor_loop.touch(call.actor)
                await asyncio.sleep(AFTER)
                assert (worker.entries, len(worker.actors), len(worker.actors.ended)) == (EMPTY, 0, 0)

    run(scenario)


def test_an_ended_call_of_ours_acknowledges_again_and_hangs_up_a_further_fork() -> None:
    async def scenario() -> None:
        async with agent("sip:alice@127.0.0.1") as ua:
            with Stranger(ua) as stranger:
                worker = stranger.worker
                placing = asyncio.ensure_future(ua.invite(f"sip:bob@{stranger.host}:{stranger.port}", media="none"))
                (first,) = await stranger.exchange(seconds=0.1)
                assert isinstance(first, Request)

                def success(tag: str) -> bytes:
                    contact = ("Contact", f"<sip:bob@{stranger.host}:{stranger.port}>")
                    kind = "application/sdp"
                    return Response.to_request(
                        first, 200, to_tag=tag, extra=(contact,), body=SDP, content_type=kind
                    ).to_bytes()

                assert methods(await stranger.exchange(success("one"))) == ["ACK"]
                call = await placing
                ending = asyncio.ensure_future(call.bye())
                (bye,) = await stranger.exchange(seconds=0.1)
                assert isinstance(bye, Request)
                assert await stranger.exchange(Response.to_request(bye, 200).to_bytes()) == []
                await ending
                await asyncio.sleep(0.1)
                assert len(ended_calls(worker)) == 1
                assert methods(await stranger.exchange(success("one"))) == ["ACK"]
                got = await stranger.exchange(success("fork"))
                assert methods(got) == ["ACK", "BYE"]
                assert {each.to_tag for each in got} == {"fork"}
                assert await stranger.exchange(Response.to_request(got[1], 200).to_bytes()) == []  # type: ignore[arg-type]
                await asyncio.sleep(AFTER)
                assert (worker.entries, len(worker.actors), len(worker.actors.ended)) == (EMPTY, 0, 0)

    run(scenario)


def test_live_calls_are_not_bounded_by_what_is_kept_of_ended_ones() -> None:
    async def scenario() -> None:
        async with agent("sip:bob@127.0.0.1") as ua:
            listens(ua)
            with Stranger(ua) as stranger:
                worker = stranger.worker
                worker.actors.most_ended = 1
                live = []
                for number in range(1, 4):
                    first = stranger.invite(number)
                    (answer,) = finals(await stranger.exchange(first))
                    await stranger.exchange(within("ACK", first, answer, 1))
                    live.append((first, answer))
                await talk(stranger, 11, 12, 13)
                assert (worker.live_calls, len(worker.actors.ended), dropped(worker)) == (3, 1, 2)
                for first, answer in live:
                    assert statuses(await stranger.exchange(within("BYE", first, answer, 2)), "BYE") == [200]
                assert worker.live_calls == 0

    run(scenario)


def test_an_ended_call_takes_a_few_kilobytes() -> None:
    """It was 15,000 octets and more; a list of 50,000 of them would be 750 MB."""

    async def scenario() -> float:
        async with agent("sip:bob@127.0.0.1") as ua:
            listens(ua)
            with Stranger(ua) as stranger:
                await talk(stranger, *range(1, 20))
                gc.collect()
                tracemalloc.start()
                try:
                    await talk(stranger, *range(100, 200))
                    gc.collect()
                    assert len(ended_calls(stranger.worker)) >= 100
                    return tracemalloc.get_traced_memory()[0] / 100
                finally:
                    tracemalloc.stop()

    assert run(scenario) < 5000
