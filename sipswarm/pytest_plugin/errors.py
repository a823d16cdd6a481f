"""Errors of a user's code that ran in the user agents of one test: the test fails by them.

A robot, handler or callback runs beside the test. Its error ends its call or request, and the test may not see that.
So the first error is raised once more when the function of the test has returned, or when the user agents are closed.
A test that has failed already keeps its own failure; then the report has the errors.
"""

import traceback
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Final

import pytest

_BETWEEN: Final = ("sipswarm", "asyncio")
"""Packages that call the user's code."""
MOST_ERRORS: Final = 20
"""Errors of one test that are kept; further ones are counted."""
_RAISED_AGAIN: Final = (Exception, pytest.fail.Exception, pytest.skip.Exception)
"""What may be raised in place of the end of a test: no SystemExit, which would end the run."""


class ErrorsOfTest:
    """The errors of one test.

    Args:
        allowed: they do not fail the test.
    """

    def __init__(self, *, allowed: bool) -> None:
        self._allowed = allowed
        self._found: list[tuple[str, BaseException]] = []
        self._more = 0
        self._raised: BaseException | None = None
        self._excused = False

    def of(self, name: str) -> Callable[[str, BaseException], None]:
        """Return the function that takes the text and the error of each line that a user agent logs.

        Args:
            name: of the user agent.
        """
        return partial(self._take, name)

    def _take(self, name: str, text: str, error: BaseException) -> None:
        if len(self._found) < MOST_ERRORS:
            self._found.append((f"{name}: {text}", error))
        else:
            self._more += 1

    def excuse(self) -> None:
        """Raise none any more: the test has failed by itself."""
        self._excused = True

    def raise_first(self) -> None:
        """Raise the first error, once for the whole test.

        Raises:
            BaseException: it, with the text of its log line as a note.
        """
        __tracebackhide__ = True
        if self._allowed or self._excused or not self._found:
            return
        self._excused = True
        text, error = self._found[0]
        if not isinstance(error, _RAISED_AGAIN):
            pytest.fail(f"{text}\n{_shown(error)}", pytrace=False)
        self._raised = error
        error.add_note(text)
        raise error.with_traceback(_of_user(error.__traceback__))

    def shown(self) -> Iterator[tuple[str, str]]:
        """Yield title and text of a section of the report, with the errors that were not raised."""
        texts = [f"{text}\n{_shown(error)}" for text, error in self._found if error is not self._raised]
        if self._more:
            texts.append(f"{self._more} further errors")
        if texts:
            yield "errors in user agents", "\n".join(texts)


def _shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def _of_user(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback from its first line of the user on."""
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in _BETWEEN:
        trace = trace.tb_next
    return trace
