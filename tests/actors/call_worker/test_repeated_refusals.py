"""The repetition of a refused INVITE gets what the first one got, though there is room by then (RFC 3261 8.2.7).

Its sender has a final response, and the call that a 200 would make has nobody at its other end.
"""

from typing import Any

import pytest

from sipswarm.actors.call_worker.call_factory import CallFactory
from tests.actors.stranger import Stranger, finals, follow_up
from tests.actors.virtual_loop import run
from tests.e2e.agents import agent


@pytest.mark.parametrize("seconds", [0.2, 20.0])
def test_after_503_for_want_of_room_a_repetition_makes_no_call(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    async def scenario() -> tuple[list[Any], list[Any]]:
        async with agent("sip:bob@127.0.0.1") as ua:
            ua.listen(media="none")
            monkeypatch.setattr(CallFactory, "is_full", True)
            with Stranger(ua) as stranger:
                invite = stranger.invite(1)
                first = finals(await stranger.exchange(invite))
                await stranger.exchange(follow_up("ACK", invite, first[0]))
                monkeypatch.setattr(CallFactory, "is_full", False)
                again = finals(await stranger.exchange(invite, seconds=seconds))
                anew = finals(await stranger.exchange(stranger.invite(1, cseq=2), seconds=0.1))
                return [first[0].status, again[0].status, anew[0].status], [first[0].to_tag, again[0].to_tag]

    statuses, tags = run(scenario)
    assert statuses == [503, 503, 200], "another try has another branch"
    assert tags[0] == tags[1]


def test_after_480_because_nobody_listened_a_repetition_makes_no_call() -> None:
    async def scenario() -> list[int]:
        async with agent("sip:bob@127.0.0.1") as ua:
            with Stranger(ua) as stranger:
                found = [each.status for each in finals(await stranger.exchange(stranger.invite(1)))]
                ua.listen(media="none")
                found += [each.status for each in finals(await stranger.exchange(stranger.invite(1)))]
                found += [each.status for each in finals(await stranger.exchange(stranger.invite(2), seconds=0.1))]
                return list(dict.fromkeys(found))

    assert run(scenario) == [480, 200]
