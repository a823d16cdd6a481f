"""The plug-in as pytest loads it: options, the mark `sip`, fixtures for all tests, and the report of failed tests.

The user agents of a test live in the event loop of the test. With pytest-asyncio that is the loop of pytest-asyncio,
else one that is made here (`asyncio_loop`, `own_loop`). A failed test that used them gets the ladder of each of its
calls into its report, and captures as files. In a traceback that ends in an error of sipswarm, the frames of sipswarm
are left out, so that the line of the test is the one that is shown; `--full-trace` shows them.

pytest imports this file in each of its runs. It must stay small, and must not import what a run without SIP does not
need.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final

import pytest

from .settings import PHONES, Phones, add_options, fail, settings_of

OURS: Final = "sipswarm"
BETWEEN: Final = frozenset((OURS, "asyncio"))
"""Packages whose frames stand between the line of a test and an error of ours."""
RUNNERS: Final = BETWEEN | {"_pytest", "pluggy", "pytest_asyncio", "contextlib"}
"""Packages whose frames are no line of a user."""
MARK: Final = (
    "sip(target, *, ring_time, allow_errors, **options): SIP URI to test, seconds until its calls are cancelled, "
    "whether errors of its robots, handlers and callbacks leave it passed, and arguments of each sipswarm.UserAgent "
    "of the test"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and choose whose event loop the user agents run in."""
    config.addinivalue_line("markers", MARK)
    if config.pluginmanager.hasplugin("asyncio"):
        from . import asyncio_loop

        config.pluginmanager.register(asyncio_loop, "sipswarm-asyncio-loop")
    else:
        from . import own_loop

        config.pluginmanager.register(own_loop, "sipswarm-own-loop")


@pytest.fixture
def phone(_sip_phones: Phones) -> Callable[..., Awaitable[object]]:
    """Start further user agents: `bob = await phone("bob", **options)`, with the arguments of `UserAgent`.

    The same name gets the same user agent. All of them are closed at the end of the test.
    """
    return _sip_phones.phone


@pytest.fixture
def sip_target(request: pytest.FixtureRequest) -> str:
    """Return the SIP URI to test: of the mark `sip`, else of --sip-target, else of the ini file."""
    target = settings_of(request.node).target
    if not target:
        fail('there is no target: give --sip-target URI, sip_target in the ini file, or @pytest.mark.sip("URI")')
    return target


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test whose function returned though code that ran in its user agents has failed."""
    __tracebackhide__ = True
    try:
        result = yield
    except BaseException:
        if (phones := item.stash.get(PHONES, None)) is not None:
            phones.excuse_errors()
        raise
    if (phones := item.stash.get(PHONES, None)) is not None:
        phones.raise_error()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the line of the test for an error of ours, and the SIP of a failed test."""
    hidden = [] if call.excinfo is None or item.config.getoption("fulltrace") else _between(call.excinfo)
    for names in hidden:
        names["__tracebackhide__"] = True  # a filtered ExceptionInfo.traceback does not survive pytest's own cut
    try:
        report = yield
    finally:
        for names in hidden:
            names.pop("__tracebackhide__", None)
    phones = item.stash.get(PHONES, None)
    if phones is not None and report.failed:
        del item.stash[PHONES]  # once: the teardown may fail too
        report.sections.extend(phones.evidence())
    return report


def _between(excinfo: pytest.ExceptionInfo[BaseException]) -> list[dict[str, Any]]:
    """Return the global names of the frames between a user's line and the error of ours that it got."""
    if type(excinfo.value).__module__.partition(".")[0] != OURS:
        return []
    frames = [entry.frame.f_globals for entry in excinfo.traceback]
    if all(_package(names) in RUNNERS for names in frames):
        return []
    return [names for names in frames if _package(names) in BETWEEN]


def _package(names: Mapping[str, object]) -> str:
    """Return the package of a frame by its global names."""
    return str(names.get("__name__", "")).partition(".")[0]
