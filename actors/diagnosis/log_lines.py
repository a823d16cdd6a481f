"""The form of log lines of every process: one line an event, texts of peers and users in it as `foreign_text` shows."""

import logging
import sys
from types import TracebackType
from typing import Final

from .foreign_text import shown_line

MOST_LINES: Final = 200
"""Of a traceback; the middle of a longer one is left out."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LogLines(logging.Formatter):
    """Writes a record as one line, and each line of a traceback as one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name that logging calls
        """The line of a record."""
        return shown_line(super().formatMessage(record))

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802  # as above
        """The lines of a traceback; a text in it may look like further ones, and moves no terminal."""
        lines = super().formatException(ei).split("\n")
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            lines[half:-half] = [f"… ({len(lines) - MOST_LINES} more lines)"]
        return "\n".join(map(shown_line, lines))


def begin(name: str) -> None:
    """Log warnings and errors of this process to stderr.

    Args:
        name: what stands in front of each message.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogLines(f"%(asctime)s %(levelname)s {name} %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
