"""Each callback that a method takes is called, and each that it would never call is refused at once by its name.

The names and the methods are read from the signatures: a new one of either is in these tests by itself.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, get_args

import pytest

from sipswarm import Call, ConfigurationError, Request, Response, StopVariable, UserAgent
from sipswarm.actors.call.notices import MediaMoved, SourceFinished
from sipswarm.actors.handle import notice_handlers
from sipswarm.actors.handle.call_options import CallOptions
from sipswarm.actors.handle.parameters import _OF_INVITES, CALLED_WITH

from .agents import address_of, note, run
from .waiting import until

OTHERS: Final = ("filter", "cb_create", "cb_placed", "consent", "handler", "function", "callback", "cb_finall")
NAMES: Final = (*CALLED_WITH, *OTHERS)
KEEP_ANY: Final = {"bye": {"send_bye"}, "cancel": {"send_cancel", "send_bye"}, "set_param": set(CALLED_WITH)}
"""Methods with keyword arguments of any name, and the callbacks among these that count there."""
OPEN: Final = set(OTHERS) - {"cb_finall"}
"""Names that are a user's own where any name is kept."""
NEEDED: Final[dict[str, tuple[Any, ...]]] = {
    "invite": ("sip:bob@127.0.0.1",),
    "request": ("OPTIONS", "sip:bob@127.0.0.1"),
    "subscribe": ("sip:bob@127.0.0.1", "presence"),
    "register": ("sip:127.0.0.1",),
    "rtp": ("echo",),
    "another": ("sip:carol@127.0.0.1",),
}
WITHIN: Final[dict[str, tuple[Any, ...]]] = {"request": ("INFO",)}
NOT_FOR_USERS: Final = ("belongs_to", "begin", "attend", "make", "place", "placing_as", "call_back", "decide", "spawn")


def methods_of(kind: type) -> list[str]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return [name for name, _ in found if not name.startswith("_") and name not in NOT_FOR_USERS]


def names_of(method: Callable[..., Any]) -> set[str]:
    """The keyword arguments of a method that its signature names."""
    names: set[str] = set()
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.add(parameter.name)
        elif get_args(parameter.annotation):  # Unpack[a TypedDict]
            names.update(get_args(parameter.annotation)[0].__annotations__)
    return names


async def told(action: Callable[[], Any]) -> str:
    """The error of a call that must not be taken."""
    try:
        result = action()
        if inspect.isasyncgen(result):
            await anext(result)
        if inspect.isawaitable(result):
            async with asyncio.timeout(1):
                await result
    except (ConfigurationError, TypeError) as error:
        return str(error)
    return "nothing was said"


def test_no_method_takes_a_callback_that_it_never_calls() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bob.listen(media="none", cb_create=lambda call, request: note(calls, call))
        call = await alice.invite(address_of(bob), media="none")
        taken: list[str] = []
        count = 0
        for owner, needed in ((alice, NEEDED), (call, WITHIN)):
            for method in methods_of(type(owner)):
                bound = getattr(owner, method)
                meant = names_of(bound) | KEEP_ANY.get(method, set())
                if method == "update":
                    meant -= _OF_INVITES
                refused = set(NAMES) - meant - (OPEN if method in (*KEEP_ANY, "reinvite") else set())
                for name in refused:
                    said = await told(lambda: bound(*needed.get(method, ()), **{name: print}))  # noqa: B023 - at once
                    count += 1
                    if name not in said:
                        taken.append(f"{method}({name}=…): {said}")
        assert taken == []
        assert count > 1000
        assert call.is_up
        await call.bye()

    run(scenario)


def test_a_callback_that_needs_another_argument_is_refused_without_it() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="none")
        to = address_of(bob)
        with pytest.raises(ConfigurationError, match=r"cb_ack .* give sdp_on_ack=True too"):
            await alice.invite(to, media="none", cb_ack=lambda call, offer: None)
        with pytest.raises(ConfigurationError, match=r"refuse_status .* filter or cb_create"):
            alice.listen(refuse_status=486)
        call = await alice.invite(to, media="none")
        with pytest.raises(ConfigurationError, match=r"cb_ack .* give sdp_on_ack=True too"):
            await call.reinvite(cb_ack=lambda call, offer: None)
        for name, value in {"media": "echo", "auth": ("a", "b"), "leg": 0, "cb_create": print}.items():
            with pytest.raises(ConfigurationError, match=f"no parameter {name}; "):
                call.set_param(**{name: value})
        with pytest.raises(ConfigurationError, match="cb_finall; did you mean cb_final"):
            Call(alice, to, cb_finall=print)
        await call.bye()

    run(scenario)


Way = Callable[[UserAgent, UserAgent, dict[str, Any]], Awaitable[tuple[Call, Call]]]


class Other:
    """The remote side of a call, which rings or answers as it is told."""

    def __init__(self) -> None:
        self.answers = True
        self.acks = 0

    def decide(self, call: Call, request: Request) -> Response | None:
        if call.is_up and not self.answers:
            return Response.to_request(request, 180)
        if call.is_up:
            call.ring()
            asyncio.get_running_loop().call_soon(call.accept)
        return None

    def options(self) -> dict[str, Any]:
        return {
            "init_media": lambda call, param: None,
            "cb_invite": self.decide,
            "cb_established": lambda status, call: self.acknowledged(),
        }

    def acknowledged(self) -> None:
        self.acks += 1


async def pair(caller: UserAgent, called: UserAgent, of_caller: dict[str, Any], of_called: dict[str, Any]) -> Any:
    """A call that is up, as both sides have it."""
    calls: list[Call] = []
    called.listen(**{"init_media": lambda call, param: None, **of_called}, cb_create=lambda call, _: note(calls, call))
    call = await caller.invite(address_of(called), **{"init_media": lambda call, param: None, **of_caller})
    await until(lambda: call.is_up and calls and calls[0].is_up)
    return call, calls[0]


async def by_invite(alice: UserAgent, bob: UserAgent, given: dict[str, Any], other: Other) -> Any:
    return await pair(alice, bob, given, other.options())


async def by_listen(alice: UserAgent, bob: UserAgent, given: dict[str, Any], other: Other) -> Any:
    placed, came = await pair(alice, bob, other.options(), given)
    return came, placed


async def by_set_param(alice: UserAgent, bob: UserAgent, given: dict[str, Any], other: Other) -> Any:
    call, came = await by_invite(alice, bob, {}, other)
    return call.set_param(**given), came


async def by_reinvite(alice: UserAgent, bob: UserAgent, given: dict[str, Any], other: Other) -> Any:
    call, came = await by_invite(alice, bob, {}, other)
    await call.reinvite(**given)
    await until(lambda: other.acks == 2)
    return call, came


async def by_update(alice: UserAgent, bob: UserAgent, given: dict[str, Any], other: Other) -> Any:
    call, came = await by_invite(alice, bob, {}, other)
    await call.update(**given)
    return call, came


WAYS: Final = {
    "invite": by_invite,
    "listen": by_listen,
    "set_param": by_set_param,
    "reinvite": by_reinvite,
    "update": by_update,
}
OF_WAY: Final = {name: set(CALLED_WITH) - (_OF_INVITES if name == "update" else set()) for name in WAYS}


@pytest.mark.parametrize("way", WAYS)
def test_each_callback_that_is_taken_is_called(way: str) -> None:
    assert set(CALLED_WITH) <= set(CallOptions.__annotations__)

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        called: set[str] = set()
        given: dict[str, Any] = {name: lambda *arguments, name=name: called.add(name) for name in OF_WAY[way]}
        if way != "update":
            given["sdp_on_ack"] = True
        other = Other()
        mine, theirs = await WAYS[way](alice, bob, given, other)
        await theirs.reinvite()  # cb_invite, cb_established
        await until(lambda: "cb_invite" in called)
        await mine.reinvite(**({"cb_final": None} if way == "update" else {}))
        if way != "update":
            await until(lambda: {"cb_preliminary", "cb_ack", "cb_final", "init_media"} <= called)
        await theirs.request("NOTIFY", Event="presence", Subscription_State="active")
        await theirs.dtmf("5", methods="info")
        for notice in (MediaMoved(0.1), SourceFinished()):
            notice_handlers.take(mine, notice)
        other.answers = False
        waits = asyncio.ensure_future(_ignored(mine.reinvite(**({} if way == "update" else {"ring_time": 0.2}))))
        if way != "update":
            await until(lambda: "cb_noanswer" in called)
            mine.reinvite(ring_time=30.0)
        await until(lambda: theirs.actor.awaits_answer)
        assert mine.cancel()
        await until(lambda: "send_cancel" in called)
        await waits
        await mine.bye()
        again, remote = await WAYS[way](alice, bob, given, Other())
        await remote.bye()
        await again.over()
        assert called == OF_WAY[way]

    run(scenario)


async def _ignored(awaitable: Awaitable[Any]) -> None:
    await asyncio.gather(awaitable, return_exceptions=True)


def test_the_callback_of_an_end_is_the_one_that_it_was_given() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[str] = []
        for name, end in (("send_bye", Call.bye), ("send_bye", Call.cancel), ("send_cancel", Call.cancel)):
            if end is Call.bye:
                bob.listen(media="none")
            else:
                bob.listen(media="none", cb_invite=lambda call, request: Response.to_request(request, 180))
            call = await alice.invite(
                address_of(bob),
                media="none",
                send_bye=lambda param: note(seen, "of the call"),
                cb_final=None if end is Call.bye else StopVariable(),
                cb_preliminary=(rang := asyncio.Event()),
            )
            if end is Call.cancel:
                await rang.wait()
            end(call, **{name: lambda param, name=name: note(seen, f"{name} {param['why']}")}, why="x")
            await call.over()
        assert seen == ["send_bye x", "send_bye x", "send_cancel x"]

    run(scenario)
