"""What the interop tests share: peers and our own product started by a test end with it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.certificates import Authority

from .net_sip import Wire
from .peers import inventory
from .processes import Program
from .wire_totals import Comparison

HERE = Path(__file__).parent


class HasProgram(Protocol):
    """A peer, or our own product, with the process that it is."""

    @property
    def program(self) -> Program: ...


T = TypeVar("T", bound=HasProgram)


class Start:
    """Keeps hold of what a test has started: `uas = start(Sipp(…))`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, run: T) -> T:
        self._stack.enter_context(run.program)
        return run


@pytest.fixture
def start() -> Iterator[Start]:
    """Hand it what you start; after the test everything is ended, the newest first."""
    with ExitStack() as stack:
        yield Start(stack)


@pytest.fixture
def captured(tmp_path: Path) -> Iterator[Comparison]:
    """What is on the wire from here on, to be compared with our totals at the end of the test."""
    comparison = Comparison(tmp_path)
    if comparison.wire is None:
        yield comparison
        return
    with comparison.wire.program:
        yield comparison


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA for this run."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Wire:
    """The wire of a test that is parametrised by `net_sip.over_every_wire`, certified where it has to be."""
    chosen: Wire = request.param
    return chosen._replace(authority=request.getfixturevalue("authority")) if chosen.transport == "tls" else chosen


def pytest_report_collectionfinish(items: list[pytest.Item]) -> str | list[str]:
    """The versions of the peers, when a test of this folder runs."""
    return inventory() if any(HERE in item.path.parents for item in items) else []
