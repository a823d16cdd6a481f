"""What every test may ask for: the folder of test data that nobody in this project wrote; what `slow` and `sweep` mean.

A sweep is one or several tests that walk a table or what hypothesis draws. The run ends with a line for each sweep
that says what was walked, and fails when a whole sweep has walked less than it ought to: a table that lost its rows, or
a loop that ends early, would else pass as well as before.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of foreign test data; a test skips without it, and fails without it when CI=true."""
    folder = Path(os.environ.get("SIPSWARM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if folder.is_dir():
        return folder
    reason = f"test data not found at {folder}; set SIPSWARM_TEST_DATA to its folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: minutes long; runs only when asked for with -m slow")
    config.addinivalue_line("markers", "sweep(name, **least): part of a sweep, which walks at least this much in all")
    config.pluginmanager.register(Sweeps(), "sweeps")


@pytest.fixture
def walk(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Count what a sweep walks: `walk(messages=1, headers=3)`."""
    counts: Counter[str] = Counter()

    def walked(**more: int) -> None:
        counts.update(more)

    yield walked
    request.node.user_properties.append(("walked", dict(counts)))


class Sweeps:
    """What the sweeps of a run have walked, by name."""

    def __init__(self) -> None:
        self.least: dict[str, dict[str, int]] = {}
        self.walked: dict[str, Counter[str]] = {}
        self._of: dict[str, str] = {}
        self._left: Counter[str] = Counter()
        self._whole = True

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Part of a sweep is not run: nothing can be asked of it."""
        self._whole = self._whole and not any(item.get_closest_marker("sweep") for item in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find the tests of each sweep."""
        self._whole = self._whole and not any("::" in each for each in session.config.args)
        for item in session.items:
            marker = item.get_closest_marker("sweep")
            if marker is not None:
                self._of[item.nodeid] = marker.args[0]
                self._left[marker.args[0]] += 1
                self.least.setdefault(marker.args[0], {}).update(marker.kwargs)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over: add what it has walked."""
        name = self._of.get(report.nodeid)
        if name is None or report.when != "teardown":
            return
        self._left[name] -= 1
        counts = self.walked.setdefault(name, Counter(tests=0))
        counts["tests"] += 1
        for what, value in report.user_properties:
            if what == "walked" and isinstance(value, dict):
                counts.update(value)

    def missed(self) -> list[str]:
        """What whole sweeps have walked less than they ought to."""
        return [
            f"{name}: {counts[what]} {what}, at least {least} are due"
            for name, counts in sorted(self.walked.items())
            for what, least in self.least[name].items()
            if self._whole and not self._left[name] and counts[what] < least
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the run fail for a sweep that has shrunk."""
        if self.missed() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a line for each sweep."""
        if self.walked:
            terminalreporter.section("sweeps")
        for name, counts in sorted(self.walked.items()):
            words = ", ".join(f"{value:,} {what}" for what, value in counts.items() if value)
            terminalreporter.line(f"{name}: {words}")
        for line in self.missed():
            terminalreporter.line(f"FAILED sweep {line}", red=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow tests out of a run that says nothing about them."""
    if not config.option.markexpr:
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
