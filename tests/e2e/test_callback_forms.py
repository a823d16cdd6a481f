"""Callbacks whose result decides, in each documented form: what a coroutine function returns counts too."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sipswarm.actors.errors import CallEnded, CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo, send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.actors.transport.names.dns_records import Answer
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.workers import worker_of

from .agents import address_of, agent, note
from .waiting import until


def forms(answer: Any) -> dict[str, Any]:
    """A callback that gives this result, in every form; the coroutines take a turn of the loop first."""

    def plain(*arguments: Any) -> Any:
        return answer

    async def coroutine(*arguments: Any) -> Any:
        await asyncio.sleep(0.01)
        return answer

    class Runs:
        def run(self, *arguments: Any) -> Any:
            return answer

    class RunsLater:
        async def run(self, *arguments: Any) -> Any:
            await asyncio.sleep(0.01)
            return answer

    class Called:
        async def __call__(self, *arguments: Any) -> Any:
            await asyncio.sleep(0.01)
            return answer

    return {
        "function": plain,
        "coroutine function": coroutine,
        "list": [plain, "own"],
        "list of a coroutine function": (coroutine, "own"),
        "partial": partial(coroutine, "own"),
        "object": Runs(),
        "object with a coroutine": RunsLater(),
        "callable object": Called(),
    }


FORMS = sorted(forms(True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("decider", ["filter", "cb_create"])
@pytest.mark.parametrize("answer", [True, False])
def test_the_result_of_a_filter_decides_in_every_form(form: str, decider: str, answer: bool) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence", **{decider: forms(answer)[form]})
            if answer:
                await (await alice.invite(address_of(bob), media="none")).bye()
            else:
                with pytest.raises(CallRejected, match="403"):
                    await alice.invite(address_of(bob), media="none")

    asyncio.run(main())


def test_a_regular_expression_filters() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence", filter=re.compile("^sip:alice@"))
            await (await alice.invite(address_of(bob), media="none")).bye()
            bob.listen(media="silence", filter=re.compile("^sip:carol@"))
            with pytest.raises(CallRejected, match="403"):
                await alice.invite(address_of(bob), media="none")

    asyncio.run(main())


@pytest.mark.parametrize("decider", ["filter", "cb_create"])
def test_a_pattern_lets_nobody_in_for_the_name_that_he_calls_or_shows(decider: str) -> None:
    async def main() -> None:
        bob = agent("sip:bob@127.0.0.1")
        async with asyncio.timeout(20), agent("sip:mallory@127.0.0.1") as mallory, bob:
            options: dict[str, Any] = {decider: re.compile("alice")}
            bob.listen(media="silence", **options)
            called = address_of(bob, "alice")
            for context in (called, {"to": called, "from": '"alice" <sip:mallory@127.0.0.1>'}):
                with pytest.raises(CallRejected, match="403"):
                    await mallory.invite(context, media="none", sip_header={"X-For": "alice"})

    asyncio.run(main())


@pytest.mark.parametrize("form", ["function", "coroutine function"])
@pytest.mark.parametrize("status", [486, 200, 183])
def test_a_response_of_cb_invite_decides_in_every_form(form: str, status: int) -> None:
    def plain(call: Call, request: Request) -> Response:
        return Response.to_request(request, status)

    async def coroutine(call: Call, request: Request) -> Response:
        await asyncio.sleep(0.01)
        return plain(call, request)

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            codes: list[int] = []
            bob.listen(media="silence", cb_invite=plain if form == "function" else coroutine)
            if status == 486:
                with pytest.raises(CallRejected, match="486"):
                    await alice.invite(address_of(bob), media="none")
            elif status == 200:
                await (await alice.invite(address_of(bob), media="none")).bye()
            else:
                call = await alice.invite(
                    address_of(bob),
                    media="none",
                    cb_final=StopVariable(),
                    cb_preliminary=lambda call, code, response: note(codes, code),
                )
                await until(lambda: 183 in codes)
                assert not call.is_up
                call.hang_up()

    asyncio.run(main())


def test_a_filter_that_decides_after_the_call_is_over_harms_nobody() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            goes_on = asyncio.Event()

            async def waits(*_: Any) -> bool:
                return await goes_on.wait()

            bob.listen(media="silence", filter=waits)
            call = await alice.invite(address_of(bob), media="none", cb_final=StopVariable())
            await until(lambda: bool(worker_of(bob).actors.live))
            call.hang_up()
            await call.over()
            goes_on.set()
            await until(lambda: not worker_of(bob).actors.live)

    asyncio.run(main())


@pytest.mark.parametrize("form", FORMS)
def test_a_lookup_that_is_a_coroutine_function_is_refused_at_once(form: str) -> None:
    async def main() -> None:
        async with agent() as alice:
            options = {"auth_user2pass": forms("secret")[form]}
            if "coroutine" in form or form in ("partial", "callable object"):
                with pytest.raises(ConfigurationError, match="a plain function"):
                    alice.listen(**options)
            else:
                alice.listen(**options)

    asyncio.run(main())


@pytest.mark.parametrize("reference", [StopVariable, asyncio.Event])
@pytest.mark.parametrize("decider", ["filter", "cb_create", "cb_invite"])
def test_what_is_set_lets_the_call_in_as_in_perl(reference: Callable[[], Any], decider: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            variable = reference()
            bob.listen(media="silence", **{decider: variable})
            await (await alice.invite(address_of(bob), media="none")).bye()
            assert variable.is_set() if isinstance(variable, asyncio.Event) else variable

    asyncio.run(main())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("agrees", [True, False])
def test_the_consent_to_a_transfer_decides_in_every_form(form: str, agrees: bool) -> None:
    async def main() -> None:
        carol = agent("sip:carol@127.0.0.1")
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob, carol:
            bob.listen(media="silence")
            bob.take_transfers(forms(agrees)[form])
            carol.listen(media="silence")
            call = await alice.invite(address_of(bob), media="none")
            if agrees:
                await call.transfer(address_of(carol, "carol"))
            else:
                with pytest.raises(CallRejected, match="603"):
                    await call.transfer(address_of(carol, "carol"))
            await call.bye()

    asyncio.run(main())


def test_who_is_transferred_gets_the_handle_of_the_new_call() -> None:
    async def main() -> None:
        carol = agent("sip:carol@127.0.0.1")
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob, carol:
            placed: list[tuple[Call, Call]] = []
            bob.listen(media="silence")
            bob.take_transfers(cb_placed=lambda call, new: placed.append((call, new)))
            carol.listen(media="silence")
            call = await alice.invite(address_of(bob), media="none")
            await call.transfer(address_of(carol, "carol"))
            ((before, new),) = placed
            assert (before.call_id, new.is_up, new.called_user) == (call.call_id, True, "carol")
            await new.bye()
            await call.bye()

    asyncio.run(main())


@pytest.mark.parametrize("kind", [OSError, CallRejected])
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("decider", ["filter", "cb_create", "cb_invite"])
def test_a_decision_that_fails_is_500_in_every_form(
    decider: str, later: bool, kind: type[OSError | CallRejected]
) -> None:
    def fails(*arguments: Any) -> bool:
        raise kind(486, "no number")

    async def fails_later(*arguments: Any) -> bool:
        await asyncio.sleep(0)
        raise kind(486, "no number")

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            options: dict[str, Any] = {decider: fails_later if later else fails}
            bob.listen(media="silence", **options)
            with pytest.raises(CallRejected, match="500"):
                await alice.invite(address_of(bob), media="none")
            await until(lambda: not worker_of(bob).actors.live)

    asyncio.run(main())


FAILURES: dict[str, Callable[[], BaseException]] = {
    "OSError": lambda: OSError("gone"),
    "CallRejected": lambda: CallRejected(486, "Busy Here"),
    "CallEnded": lambda: CallEnded("bye"),
    "SystemExit": lambda: SystemExit(1),
}
"""Made anew by each test: an exception that stays holds its call by its traceback."""


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("later", [False, True])
def test_a_decision_about_a_later_invite_that_fails_is_500_and_the_call_stays(later: bool, kind: str) -> None:
    """RFC 3261 section 14.2: a refused re-INVITE leaves the session as it was."""

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            invites: list[Request] = []

            def fails(call: Call, request: Request) -> None:
                if note(invites, request) and len(invites) == 2:
                    raise FAILURES[kind]()

            async def fails_later(call: Call, request: Request) -> None:
                await asyncio.sleep(0)
                fails(call, request)

            bob.listen(media="silence", cb_invite=fails_later if later else fails)
            call = await alice.invite(address_of(bob), media="silence")
            with pytest.raises(CallRejected, match="500"):
                await call.reinvite()
            await call.reinvite()
            (theirs,) = worker_of(bob).actors.live.values()
            assert (call.cause, theirs.cause, theirs.failure) == ("", "", "scenario_error")
            await call.bye()

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [("Via", "x"), ("X", "a\r\nb")])
def test_an_answer_to_a_later_invite_that_cannot_be_sent_is_500(wrong: tuple[str, str]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            invites: list[Request] = []

            def decide(call: Call, request: Request) -> None:
                if note(invites, request) and len(invites) == 2:
                    call.accept([wrong])

            bob.listen(media="silence", cb_invite=decide)
            call = await alice.invite(address_of(bob), media="silence")
            with pytest.raises(CallRejected, match="500"):
                await call.reinvite()
            await call.bye()

    asyncio.run(main())


@pytest.mark.parametrize("kind", [name for name in FAILURES if name != "CallEnded"])
@pytest.mark.parametrize("later", [False, True])
def test_a_consent_to_a_transfer_that_fails_is_500_and_the_call_stays(later: bool, kind: str) -> None:
    def fails(*arguments: Any) -> bool:
        raise FAILURES[kind]()

    async def fails_later(*arguments: Any) -> bool:
        await asyncio.sleep(0)
        raise FAILURES[kind]()

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence")
            bob.take_transfers(fails_later if later else fails)
            call = await alice.invite(address_of(bob), media="none")
            with pytest.raises(CallRejected, match="500"):
                await call.transfer("sip:carol@127.0.0.1:9")
            assert call.cause == ""
            assert (await call.request("INFO", b"x", content_type="text/plain")).status == 200
            await call.bye()

    asyncio.run(main())


def test_a_receiver_may_be_a_coroutine_function() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            seen: list[str] = []

            def create(call: Call, request: Request) -> Any:
                async def receiver(message: Request | Response, source: Any) -> None:
                    await asyncio.sleep(0)
                    seen.append(message.method if isinstance(message, Request) else str(message.status))
                    call.receive(message, source)

                call.accept()
                return receiver

            bob.listen(media="silence", cb_create=create)
            await (await alice.invite(address_of(bob), media="none")).bye()
            assert seen == ["ACK", "BYE"]

    asyncio.run(main())


@pytest.mark.parametrize("later", [False, True])
def test_names_are_looked_up_by_a_plain_or_a_coroutine_function(later: bool) -> None:
    asked: list[tuple[str, str]] = []

    def lookup(kind: str, name: str) -> Answer:
        asked.append((kind, name))
        return Answer(("127.0.0.1",) if kind == "A" else (), 60.0)

    async def lookup_later(kind: str, name: str) -> Answer:
        await asyncio.sleep(0)
        return lookup(kind, name)

    async def main() -> None:
        caller = agent(dnsresolv=lookup_later if later else lookup)
        async with asyncio.timeout(20), caller, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="silence")
            await (await caller.invite(f"sip:bob@phones.test:{bob.legs[0].port}", media="none")).bye()

    asyncio.run(main())
    assert ("A", "phones.test") in asked


def test_frames_are_not_asked_of_a_coroutine_function() -> None:
    async def frames(*arguments: Any) -> bytes:
        return b""

    for options in ({"source": frames}, {"source": "x.wav", "output": frames}):
        with pytest.raises(ConfigurationError, match="plain functions"):
            send_recv(**options)
    with pytest.raises(ConfigurationError, match="plain functions"):
        echo(frames)
