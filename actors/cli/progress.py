"""The progress of a run on stderr: a live table on a terminal, else a line a second, or nothing."""

import sys
import time
from collections.abc import Mapping
from typing import IO, Protocol

from ..diagnosis.log_lines import FORM, LogEvent

Figures = Mapping[str, object]
"""Name -> figure, in the order in which they are shown."""


class Progress(Protocol):
    """A place to show figures."""

    def show(self, figures: Figures) -> None:
        """Show the figures of now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class NoProgress:
    """For --quiet."""

    def show(self, figures: Figures) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class PlainProgress:
    """One line each time a figure changed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._last = ""

    def show(self, figures: Figures) -> None:
        """Write a line unless it equals the last one."""
        line = "  ".join(f"{name} {figure}" for name, figure in figures.items())
        if line != self._last:
            self._last = line
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Do nothing."""


class JsonProgress:
    """An object a line, each time a figure changed."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._last: Figures = {}

    def show(self, figures: Figures) -> None:
        """Write a line unless it equals the last one."""
        shown = {name: figure if isinstance(figure, int | float) else str(figure) for name, figure in figures.items()}
        if shown != self._last:
            self._last = shown
            event = LogEvent(time.time(), "INFO", FORM.name, "progress", fields=shown)
            self._stream.write(FORM.of(event))

    def close(self) -> None:
        """Do nothing."""


class TerminalProgress:
    """A table that is drawn again in its place."""

    def __init__(self, title: str, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._title = title
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)
        self._live.start()

    def show(self, figures: Figures) -> None:
        """Draw the figures."""
        from rich.console import Group
        from rich.table import Table

        table = Table(show_header=False)
        for name, figure in figures.items():
            table.add_row(name, str(figure))
        self._live.update(Group(self._title, table), refresh=True)

    def close(self) -> None:
        """Remove the table."""
        self._live.stop()


def choose_progress(title: str, *, quiet: bool, stream: IO[str] | None = None) -> Progress:
    """Return the progress that fits.

    Args:
        title: above the figures.
        quiet: show nothing.
        stream: where it goes; stderr when not given.
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        return NoProgress()
    if FORM.json:
        return JsonProgress(stream)
    return TerminalProgress(title, stream) if stream.isatty() else PlainProgress(stream)
