"""Who may come in, given in each form: `auth_user2pass`, `auth_user2a1`, `auth_user2aka`; what is none is refused."""

import asyncio
import re
from collections import UserDict, defaultdict
from collections.abc import Callable
from functools import partial
from hashlib import md5
from types import MappingProxyType
from typing import Any

import pytest

from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.runtime.callbacks import StopVariable
from tests.actors.workers import worker_of

from .agents import address_of, agent

REALM = "robots"
HASH = md5(b"alice:robots:secret", usedforsecurity=False).hexdigest()
KNOWN: dict[str, Any] = {"auth_user2pass": "secret", "auth_user2a1": HASH}
"""What lets alice in, by option."""


class Directory:
    """Users of a company, asked in every way in which Python can call."""

    def __init__(self, known: Any) -> None:
        self._known = {"alice": known}
        self.asked: list[tuple[Any, ...]] = []

    def find(self, *arguments: Any) -> Any:
        self.asked.append(arguments)
        return self._known.get(next(each for each in arguments if each != "own"))

    __call__ = find

    @staticmethod
    def of_alice(known: Any, user: str, *more: str) -> Any:
        return known if user == "alice" else None

    @classmethod
    def found(cls, known: Any, user: str, *more: str) -> Any:
        return cls.of_alice(known, user, *more)


class Runs:
    """The form of Perl's objects."""

    def __init__(self, known: Any) -> None:
        self.run = Directory(known).find


class Slotted:
    """Called, and with no attribute but its slots."""

    __slots__ = ("known",)

    def __init__(self, known: Any) -> None:
        self.known = known

    def __call__(self, user: str, *more: str) -> Any:
        return self.known if user == "alice" else None


FORMS: dict[str, Callable[[Any], Any]] = {
    "dict": lambda known: {"alice": known, "bob": known},
    "defaultdict": lambda known: defaultdict(lambda: known, alice=known),
    "UserDict": lambda known: UserDict(alice=known),
    "MappingProxyType": lambda known: MappingProxyType({"alice": known}),
    "lambda": lambda known: lambda user, *more: {"alice": known}.get(user),
    "method of a dict": lambda known: lambda user, *more, get={"alice": known}.get: get(user),
    "bound method": lambda known: Directory(known).find,
    "static method": lambda known: partial(Directory.of_alice, known),
    "class method": lambda known: partial(Directory.found, known),
    "partial": lambda known: partial(Directory(known).find),
    "partial of a partial": lambda known: partial(partial(Directory(known).find, "own")),
    "callable object": Directory,
    "slotted callable object": Slotted,
    "object with run": Runs,
    "tuple": lambda known: (Directory(known).find, "own"),
    "list": lambda known: [Directory(known).find, "own"],
    "list with an object": lambda known: [Directory(known)],
}


@pytest.mark.parametrize("option", KNOWN)
@pytest.mark.parametrize("form", FORMS)
def test_a_lookup_lets_in_who_it_knows_and_nobody_else(form: str, option: str) -> None:
    async def main() -> None:
        right = agent("sip:alice@127.0.0.1", auth=("alice", "secret"))
        wrong = agent("sip:alice@127.0.0.1", auth=("alice", "guessed"))
        unknown = agent("sip:eve@127.0.0.1", auth=("eve", "secret"))
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob, right, wrong, unknown:
            bob.listen(media="none", auth_realm=REALM, **{option: FORMS[form](KNOWN[option])})
            await (await right.invite(address_of(bob), media="none")).bye()
            for other in (wrong, unknown) if form != "defaultdict" else (wrong,):
                with pytest.raises(CallRejected, match="401"):
                    await other.invite(address_of(bob), media="none")

    asyncio.run(main())


class Later:
    async def find(self, user: str, *more: str) -> str:
        return "secret"

    async def __call__(self, user: str, *more: str) -> str:
        return "secret"


class RunsLater:
    async def run(self, user: str, *more: str) -> str:
        return "secret"


NONE: dict[str, Any] = {
    "text": "alice:secret",
    "octets": b"alice:secret",
    "a number": 7,
    "a float": 0.5,
    "True": True,
    "a set": {"alice"},
    "a pair of texts": ("alice", "secret"),
    "a list of pairs": [("alice", "secret")],
    "an object": object(),
    "a regular expression": re.compile("alice"),
    "a variable": StopVariable(),
    "a list with a variable": [StopVariable()],
    "an empty list": [],
    "a list of nothing": [None],
    "coroutine function": Later().find,
    "partial of a coroutine function": partial(Later().find),
    "callable object that answers later": Later(),
    "object that runs later": RunsLater(),
    "list of a coroutine function": [Later().find],
    "users that are no text": {7: "secret"},
    "users in octets": {b"alice": "secret"},
    "a value of octets": {"alice": b"secret"},
    "a value of nothing": {"alice": None},
    "a value that is a list": {"alice": ["secret"]},
    "a value that is True": {"alice": True},
}


@pytest.mark.parametrize("option", ["auth_user2pass", "auth_user2a1", "auth_user2aka"])
@pytest.mark.parametrize("kind", NONE)
def test_what_can_look_up_nobody_is_refused_when_it_is_given(kind: str, option: str) -> None:
    async def main() -> None:
        async with agent("sip:bob@127.0.0.1") as bob:
            with pytest.raises(ConfigurationError, match=option) as refused:
                bob.listen(media="none", **{option: NONE[kind]})
            assert "secret" not in str(refused.value)

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"hunter2", True, 0.5, ["hunter2"], {"a": 1}, object()])
@pytest.mark.parametrize("option", ["auth_user2pass", "auth_user2a1"])
def test_an_answer_that_is_none_is_a_fault_of_ours_and_lets_nobody_in(
    option: str, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        alice = agent("sip:alice@127.0.0.1", auth=("alice", "secret"))
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob, alice:
            options: dict[str, Any] = {option: lambda user, *more: answer}
            bob.listen(media="none", auth_realm=REALM, **options)
            with pytest.raises(CallRejected) as refused:
                await alice.invite(address_of(bob), media="none")
            assert refused.value.status in (401, 500)
            assert not worker_of(bob).actors.live
            await asyncio.sleep(0)

    asyncio.run(main())
    assert "hunter2" not in caplog.text


def test_a_password_that_is_a_number_is_what_it_is_written_as() -> None:
    async def main() -> None:
        alice = agent("sip:alice@127.0.0.1", auth=("alice", "1234"))
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob, alice:
            forms: list[Any] = [{"alice": 1234}, lambda user: 1234]
            for users in forms:
                bob.listen(media="none", auth_user2pass=users)
                await (await alice.invite(address_of(bob), media="none")).bye()

    asyncio.run(main())
