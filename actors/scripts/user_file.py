"""A user's Python file: read into a module of its own, its coroutine function found, every mistake named in one line.

`python -P -m sipswarm.actors.scripts.user_file FILE NAME ARGUMENTS` only tries it, in a process of its own; the status
is 2 when it cannot be used. The supervisor must only try a file in this way, and never run it itself.
"""

import ast
import inspect
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from types import ModuleType
from typing import Any, Final, NamedTuple

from ..diagnosis.failure_reasons import MEDIA_REFUSED, Blame, blame_of, free_text, reason_of
from ..diagnosis.foreign_text import cut, one_line, shown_line
from ..errors import (
    CallEnded,
    CallError,
    CallRejected,
    CallTimeout,
    ConfigurationError,
    MediaError,
    MediaHeld,
    Overloaded,
)
from ..host.named_files import read_octets, refuse_pipe

LONGEST_EXPECTATION: Final = 200
"""Characters of the name of an expectation."""
TRIAL_SECONDS: Final = 20.0
"""Seconds that loading a file on trial may take."""
ROBOT: Final = ("call",)
"""What a robot is called with."""
SCENARIO: Final = ("ua", "row")
"""What a scenario is called with."""
_NO_ROBOTS: Final = ("setup", "resume")
"""Functions with a meaning of their own."""
_numbers = count(1)


async def left_to_setup(call: object) -> None:
    """Stand for the robot of a file that has a `setup` only: its `listen` takes the calls, others get 480."""


class UserFile(NamedTuple):
    """The functions of a file."""

    name: str
    function: Callable[..., Coroutine[Any, Any, Any]]
    setup: Callable[[Any], Any] | None
    """Its `setup(ua)`, when there is one."""
    resume: Callable[..., Coroutine[Any, Any, Any]] | None = None
    """Its `resume(call)`, when there is one."""


def split(text: str, default: str) -> tuple[str, str]:
    """Split `FILE[:NAME]` into path and name."""
    path, colon, name = text.rpartition(":")
    return (path, name) if colon and name.isidentifier() and path else (text, default)


def load(path: str, name: str, arguments: Sequence[str]) -> UserFile:
    """Run a file as a fresh module, find `async def NAME` in it, and `setup(ua)` and `resume(call)` if it has them.

    A file of robots may have a `setup` only.

    Args:
        arguments: names of what the function is called with: "call", or "ua" and "row".

    Raises:
        ConfigurationError: with file and line: it cannot be read, fails when it runs, has no such function, or one of
            the three cannot be called as it will be.
    """
    try:
        tree = ast.parse(read_octets(path, "a Python file", again=True), path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigurationError(f"{path}:{line}: {getattr(error, 'msg', error)}") from error
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.append(folder)  # last: a `random.py` beside the file takes the place of no module that others import
    module = ModuleType(f"sipswarm_user_{next(_numbers)}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look for the module of their annotations
    try:
        exec(compile(tree, path, "exec"), module.__dict__)  # not the loader: its cache misses two edits in one second
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"{path}:{line_of(error, path)}: {type(error).__name__}: {one_line(str(error))}"
        ) from error
    finally:
        del sys.modules[module.__name__]
    setup, resume = getattr(module, "setup", None), getattr(module, "resume", None)
    function = getattr(module, name, None)
    if function is None and callable(setup) and (name, *arguments) == ("robot", *ROBOT):
        function = left_to_setup
    if not inspect.iscoroutinefunction(function):
        names = [each.name for each in tree.body if isinstance(each, ast.AsyncFunctionDef)]
        names = [each for each in names if each not in _NO_ROBOTS]
        found = f"it has {', '.join(names)}; name one as {path}:{names[0]}" if names else "it has none at all"
        raise ConfigurationError(f"{path}:{_line(tree, name)}: there is no 'async def {name}' in it; {found}")
    _check_arguments(path, tree, name, function, arguments)
    if callable(setup):
        _check_arguments(path, tree, "setup", setup, ("ua",))
    if resume is not None:
        if not inspect.iscoroutinefunction(resume):
            raise ConfigurationError(
                f"{path}:{_line(tree, 'resume')}: resume is no coroutine; write async def resume(call):"
            )
        _check_arguments(path, tree, "resume", resume, ("call",))
    return UserFile(name, function, setup if callable(setup) else None, resume)


def _line(tree: ast.Module, name: str) -> int:
    """Return the line of a function of a file, 1 when it is defined elsewhere."""
    return next((each.lineno for each in tree.body if getattr(each, "name", "") == name), 1)


def _check_arguments(
    path: str, tree: ast.Module, name: str, function: Callable[..., Any], arguments: Sequence[str]
) -> None:
    """See that a function takes the arguments that it will be called with.

    Raises:
        ConfigurationError: it does not.
    """
    try:
        inspect.signature(function).bind(*arguments)
    except (TypeError, ValueError) as error:
        kind = "async def" if inspect.iscoroutinefunction(function) else "def"
        called = f"{name}({', '.join(arguments)})"
        raise ConfigurationError(
            f"{path}:{_line(tree, name)}: it is called as {called}: {error}; write {kind} {called}:"
        ) from error


def line_of(error: BaseException, path: str) -> int:
    """Return the innermost line of a file that an error came through; 1 when it did not."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return (lines or [1])[-1] or 1


def expectation(error: AssertionError, path: str) -> str:
    """Return the name of the expectation of a scenario's assertion: its text, else its line and source."""
    text = _line_of_text(error.args[0]) if error.args else ""
    if text:
        return free_text(text)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if not frames:
        return "assertion"
    line = f"line {frames[-1].lineno}: {' '.join((frames[-1].line or 'assert').split())}"
    return cut(line, LONGEST_EXPECTATION)


def failure_of(error: AssertionError | CallError | Overloaded, path: str) -> str:
    """Return the failure of a run that this error has left: an outcome of a call, or an expectation of its own."""
    if isinstance(error, Overloaded):  # a user may raise one too, with any reason
        return error.reason if blame_of(error.reason) is not Blame.SUT else "overload"
    if isinstance(error, AssertionError):
        return expectation(error, path)
    if isinstance(error, MediaError) and not isinstance(error, MediaHeld):
        return MEDIA_REFUSED
    if isinstance(error, CallTimeout):
        return "timeout"
    if isinstance(error, CallRejected):
        return "code"
    if isinstance(error, CallEnded):
        return reason_of(error.cause, answered=True) or "ended_early"
    return free_text(_line_of_text(error) or type(error).__name__)


def _line_of_text(value: object) -> str:
    """What a value says, in one line; a value whose `__str__` fails says so, because it may be anything."""
    text = value if isinstance(value, str) else str(traceback.TracebackException(Exception, Exception(value), None))
    return cut(one_line(text), LONGEST_EXPECTATION)


def try_out(path: str, name: str, arguments: Sequence[str]) -> None:
    """Load a file in a process of its own, so that the supervisor never runs a user's code.

    Args:
        arguments: as for `load`.

    Raises:
        ConfigurationError: it has a mistake, or does not come to an end.
    """
    refuse_pipe(path, "a Python file")  # here, where `<(…)` has its meaning
    command = [sys.executable, "-P", "-m", "sipswarm.actors.scripts.user_file", path, name, *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"{path}:1: importing it takes longer than {TRIAL_SECONDS:.0f} s; start nothing outside of functions"
        ) from error
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise ConfigurationError(words[-1] if words else f"{path}:1: importing it ended with {done.returncode}")


def main(path: str, name: str, *arguments: str) -> int:
    """Try a file; return 0, or 2 with the mistake on standard error."""
    try:
        load(path, name, arguments)
    except ConfigurationError as error:
        sys.stderr.write(f"{shown_line(str(error))}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
