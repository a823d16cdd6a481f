"""What the fixtures of a test get: options of the command line, of the ini file, and the arguments of the mark `sip`.

Marks of a class or module are completed by those of the test: the closest one wins. Nothing of sipswarm but this
package is imported until a test asks for a user agent.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, Protocol

import pytest

RING_TIME: Final = "10"
"""Seconds without a final answer before CANCEL; a test of a number that never answers must end."""


FIXTURES: Final = ("_sip_phones", "ua", "phone", "registrar", "sip_target")
"""Names of the fixtures for which a test gets an event loop."""
_PACKAGE: Final = __name__.rpartition(".")[0]


class Phones(Protocol):
    """The user agents of one test."""

    async def ua(self) -> object:
        """Return the user agent of the fixture `ua`."""

    async def phone(self, name: str, **options: Any) -> object:
        """Return the user agent of a name."""

    async def registrar(self) -> object:
        """Return the registrar of the test."""

    async def close(self) -> None:
        """End all of them."""

    def raise_error(self) -> None:
        """Raise the first error of the user's code that ran in them, once for the whole test."""

    def excuse_errors(self) -> None:
        """Raise none any more: the test has failed by itself."""

    def evidence(self) -> Iterator[tuple[str, str]]:
        """Write captures, and return the title and the text of each section of the report."""


PHONES: Final = pytest.StashKey[Phones]()
"""Where a test's item has its user agents, until they have been reported."""


class Settings(NamedTuple):
    """Of one test."""

    target: str
    """The SIP URI to test; empty = none was given."""
    ring_time: float
    """Seconds without a final answer before CANCEL, for calls without `ring_time` of their own."""
    record: bool
    """Record the calls that the test places."""
    allow_errors: bool
    """Errors of the user's code that runs in the user agents do not fail the test."""
    options: dict[str, Any]
    """Arguments of each `UserAgent`."""


def add_options(parser: pytest.Parser) -> None:
    """Declare the options of the command line and of the ini file."""
    group = parser.getgroup("sip", "SIP tests with sipswarm")
    group.addoption(
        "--sip-target",
        metavar="URI",
        help="SIP URI that the fixture sip_target returns, for tests whose mark names none",
    )
    group.addoption(
        "--sip-dir",
        metavar="DIR",
        help="folder for the ladders and captures of failed tests (default: a temporary one, named in the report)",
    )
    group.addoption(
        "--sip-record",
        action="store_true",
        help="record the audio of the calls that a test places; the report of a failed test names the files",
    )
    parser.addini("sip_target", "SIP URI that the fixture sip_target returns without --sip-target", default="")
    parser.addini("sip_ring_time", "seconds without a final answer until a test's call is cancelled", default=RING_TIME)
    parser.addini("sip_record", "record the calls of each test, as --sip-record does", type="bool", default=False)
    parser.addini(
        "sip_allow_errors",
        "errors of robots, handlers and callbacks of a test's user agents do not fail it",
        type="bool",
        default=False,
    )


def settings_of(item: pytest.Item) -> Settings:
    """Return the settings of a test, and fail it when they are not valid."""
    target, given = "", dict[str, Any]()
    for mark in item.iter_markers("sip"):
        if len(mark.args) > 1 or not all(isinstance(each, str) for each in mark.args):
            fail(f"mark.sip takes one SIP URI and arguments by name, not {mark.args}")
        target = target or "".join(mark.args)
        given = {**mark.kwargs, **given}
    config = item.config
    seconds = given.pop("ring_time", None)
    if seconds is None:
        seconds = config.getini("sip_ring_time")
    return Settings(
        target or config.getoption("sip_target") or str(config.getini("sip_target")),
        _seconds(seconds),
        bool(config.getoption("sip_record") or config.getini("sip_record")),
        _flag(given.pop("allow_errors", config.getini("sip_allow_errors"))),
        given,
    )


def is_ours(item: pytest.Function) -> bool:
    """Whether a test is a coroutine function with the mark `sip` or one of our fixtures, not a user's of that name."""
    if not inspect.iscoroutinefunction(item.obj):
        return False
    if item.get_closest_marker("sip") is not None:
        return True
    found = item._fixtureinfo.name2fixturedefs
    modules = (found[name][-1].func.__module__ for name in FIXTURES if name in found)
    return any(module.startswith(_PACKAGE) for module in modules)


def phones_of(request: pytest.FixtureRequest, temporary: pytest.TempPathFactory) -> Phones:
    """Return the user agents of a test, none of which runs yet, and have them reported when the test fails."""
    from .phones import PhonesOfTest

    settings = settings_of(request.node)
    given = request.config.getoption("sip_dir")
    phones = PhonesOfTest(
        settings.options,
        settings.ring_time,
        stem=request.node.nodeid,
        folder=lambda: Path(given) if given else temporary.mktemp("sip"),
        recordings=temporary.mktemp("sip-record") if settings.record else None,
        allow_errors=settings.allow_errors,
    )
    request.node.stash[PHONES] = phones
    return phones


def fail(text: str) -> NoReturn:
    """Fail the test by a message alone: no traceback says more."""
    pytest.fail(text, pytrace=False)


def _seconds(given: object) -> float:
    try:
        seconds = float(str(given))
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 86400:
        fail(f"ring_time is {given!r}; give seconds above 0, such as {RING_TIME}")
    return seconds


def _flag(given: object) -> bool:
    if not isinstance(given, bool):
        fail(f"allow_errors is {given!r}; give True or False")
    return given
