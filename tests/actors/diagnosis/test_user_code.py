"""The place of a failure in the user's code: file and line, whatever was between it and the caller."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from sipswarm.actors.diagnosis.user_code import called, place_of, where_failed
from sipswarm.actors.diagnosis.user_failure import UserCodeFailed, user_error
from sipswarm.actors.runtime.callbacks import ask


def divides(*arguments: Any) -> float:
    return 1 / 0


def line_of(function: Callable[..., Any], below: int = 0) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno + below}"


class Runs:
    def run(self, *arguments: Any) -> float:
        return divides(*arguments)


class Called:
    def __call__(self, *arguments: Any) -> float:
        return divides(*arguments)


@pytest.mark.parametrize(
    "callback", [divides, (divides, "own"), [divides], partial(divides, "own"), Runs(), Called(), lambda *_: divides()]
)
def test_a_failure_has_the_innermost_line_of_the_user(callback: Any) -> None:
    with pytest.raises(UserCodeFailed) as failed:
        called("the callback", ask, callback, "argument", given=callback)
    assert failed.value.where == line_of(divides, 1)
    assert isinstance(user_error(failed.value), ZeroDivisionError)
    assert failed.value.within("call 7") == f"the callback of call 7 failed at {line_of(divides, 1)}"


def test_a_cancellation_that_leaves_a_plain_function_is_its_failure() -> None:
    def reads() -> None:
        raise asyncio.CancelledError

    with pytest.raises(UserCodeFailed) as failed:
        called("it", reads)
    assert failed.value.where == line_of(reads, 1)
    assert isinstance(user_error(failed.value), asyncio.CancelledError)


def test_a_failure_within_a_library_has_the_line_that_called_it() -> None:
    def reads() -> None:
        json.loads("no JSON")

    with pytest.raises(UserCodeFailed) as failed:
        called("it", reads)
    assert failed.value.where == line_of(reads, 1)


@pytest.mark.parametrize("form", [lambda function: function, lambda function: (function, "own"), partial])
def test_a_call_with_a_wrong_number_of_arguments_has_the_place_of_the_function(form: Callable[[Any], Any]) -> None:
    def one(argument: str) -> None:
        raise AssertionError("it is never called")

    callback = form(one)
    with pytest.raises(UserCodeFailed) as failed:
        called("it", ask, callback, 1, 2, 3, given=callback)
    assert failed.value.where == line_of(one) == place_of(callback)


def test_a_failure_of_a_coroutine_has_its_line() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        divides()

    with pytest.raises(ZeroDivisionError) as failed:
        asyncio.run(fails())
    assert where_failed(failed.value) == line_of(divides, 1)


@pytest.mark.parametrize("given", [None, print, 5, "text", asyncio.Event])
def test_what_has_no_line_has_no_place(given: object) -> None:
    assert place_of(given) == ""
    assert str(UserCodeFailed("it", place_of(given))) == "it failed"
