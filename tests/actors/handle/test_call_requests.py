"""Requests of one call's user: who is told of their outcome, and what a BYE or CANCEL was given for its end."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.call.notices import RequestFinished, TransferProgress
from sipswarm.actors.errors import CallRejected, CallTimeout
from sipswarm.actors.handle.requests import CallRequests
from sipswarm.actors.handle.waiters import Waiters
from sipswarm.actors.runtime.actor_loop import ActorLoop
from sipswarm.sipcore.message.messages import Response


def response(status: int, *headers: tuple[str, str]) -> Response:
    return Response.build(status, "Said", headers)


def nobody(callback: Any, good: bool, info: Any) -> None:
    raise AssertionError("there is no callback")


def played(play: Callable[[CallRequests], Awaitable[None]]) -> None:
    async def main() -> None:
        actor_loop = ActorLoop(asyncio.get_running_loop(), empty=lambda: None, forget=lambda actor: None)
        actor: Any = None  # nothing ends here
        await play(CallRequests(Waiters(actor, actor_loop)))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("notice", "error"),
    [
        (RequestFinished(1, "INFO", response(415), 415), (CallRejected, "415 Said")),
        (RequestFinished(1, "INFO", None, 408), (CallTimeout, "no answer to INFO")),
        (RequestFinished(1, "INFO", None, 503), (CallRejected, "503 INFO could not be sent")),
        (RequestFinished(1, "UPDATE", response(200), 488), (CallRejected, "488 bad_description")),
    ],
)
def test_who_awaits_a_request_gets_what_became_of_it(
    notice: RequestFinished, error: tuple[type[Exception], str]
) -> None:
    async def play(requests: CallRequests) -> None:
        done = requests.sent(1)
        requests.done(notice, nobody)
        with pytest.raises(error[0], match=error[1]):
            await done

    played(play)


def test_a_callback_is_told_instead_of_the_future() -> None:
    async def play(requests: CallRequests) -> None:
        told: list[Any] = []
        for number, (answer, status) in enumerate([(response(200), 200), (None, 408), (None, 503)]):
            assert requests.sent(number, "callback").cancelled()
            requests.over()  # the end of the call takes no callback away
            requests.done(
                RequestFinished(number, "INFO", answer, status), lambda callback, good, info: told.append((good, info))
            )
        assert [good for good, _ in told] == [True, False, False]
        assert [info.get("errno") for _, info in told] == [None, errno.ETIMEDOUT, errno.EHOSTUNREACH]

    played(play)


@pytest.mark.parametrize(("headers", "waits"), [((), True), ((("Refer-Sub", "false"),), False)])
def test_a_transfer_waits_for_what_the_peer_reports(headers: tuple[tuple[str, str], ...], waits: bool) -> None:
    async def play(requests: CallRequests) -> None:
        done = requests.sent_transfer(7)
        requests.done(RequestFinished(7, "REFER", response(202, *headers), 202), nobody)
        assert done.done() is not waits
        requests.transfer_progress(TransferProgress(7, 180, "Ringing", False))
        assert done.done() is not waits
        requests.transfer_progress(TransferProgress(7, 200, "OK", True))
        assert (await done).status == (200 if waits else 202)

    played(play)


def test_each_bye_and_cancel_is_told_of_the_end_by_its_own_arguments() -> None:
    async def play(requests: CallRequests) -> None:
        assert list(requests.end_of("BYE")) == [{}]
        requests.end_asked("BYE", {"a": 1})
        requests.end_asked_again("BYE", {"b": 2})
        assert list(requests.end_of("BYE")) == [{"a": 1}, {"b": 2}]
        requests.end_asked_again("BYE", {"b": 2})  # after a `hang_up`, which is told by default
        assert list(requests.end_of("BYE")) == [{}, {"b": 2}]
        requests.end_asked_again("CANCEL", {"c": 3})
        assert list(requests.end_of("CANCEL")) == [{"c": 3}]
        assert list(requests.end_of("CANCEL")) == [{}]

    played(play)
