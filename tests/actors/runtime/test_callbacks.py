"""Callbacks: what a pattern is searched in, how many arguments a form takes, and whose fault a failure is."""

import re
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from sipswarm.actors.diagnosis.user_failure import UserCodeFailed
from sipswarm.actors.runtime.callbacks import StopVariable, ask, invoke, takes


class Shown:
    """An object whose text holds a name, as a message with its headers."""

    def __repr__(self) -> str:
        return "INVITE sip:alice@127.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "matches"),
    [
        (("sip:alice@127.0.0.1",), True),
        (("sip:mallory@127.0.0.1",), False),
        (("sip:mallory@127.0.0.1", Shown()), False),
        (("sip:mallory@127.0.0.1", b"alice", ["alice"], {"alice": "alice"}), False),
        ((Shown(),), False),
        ((), False),
    ],
)
def test_a_pattern_is_searched_in_text_only(arguments: tuple[Any, ...], matches: bool) -> None:
    assert ask(re.compile("alice"), *arguments) is matches


class Runs:
    def run(self, first: str, second: str) -> None:
        raise AssertionError("it is never called")


def two(first: str, second: str) -> None:
    raise AssertionError("it is never called")


def at_least_one(first: str, *more: str) -> None:
    raise AssertionError("it is never called")


def with_default(first: str, second: str = "") -> None:
    raise AssertionError("it is never called")


async def later(first: str, second: str) -> None:
    raise AssertionError("it is never called")


@pytest.mark.parametrize(
    ("callback", "counts"),
    [
        (two, {2}),
        (later, {2}),
        (at_least_one, {1, 2, 3}),
        (with_default, {1, 2}),
        ((two, "own"), {1}),
        (((two, "own"), "own"), {0}),
        (partial(two, "own"), {1}),
        (Runs(), {2}),
        (Runs().run, {2}),
        (dict, {0, 1, 2, 3}),  # a built-in function that does not show its parameters
        (StopVariable(), {0, 1, 2, 3}),
        (re.compile(""), {0, 1, 2, 3}),
        (None, {0, 1, 2, 3}),
        ((), {0, 1, 2, 3}),
    ],
)
def test_a_callback_takes_certain_numbers_of_arguments(callback: Any, counts: set[int]) -> None:
    assert {count for count in range(4) if takes(callback, count)} == counts


def test_a_failure_is_that_of_the_user_and_a_coroutine_is_spawned() -> None:
    spawned: list[Awaitable[Any]] = []

    def fails(argument: str) -> None:
        raise OSError(argument)

    async def fails_later(argument: str) -> None:
        raise AssertionError("it is never run")

    with pytest.raises(UserCodeFailed, match=r"the callback cb_final failed at .*test_callbacks.py:\d+") as failed:
        invoke(fails, "gone", spawn=spawned.append, what="the callback cb_final")
    assert isinstance(failed.value.__cause__, OSError)
    assert spawned == []
    assert invoke(fails_later, "gone", spawn=spawned.append) is None
    (coroutine,) = spawned
    coroutine.close()  # type: ignore[attr-defined]  # it is a coroutine
