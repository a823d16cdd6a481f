"""Output that cannot be written: it costs the text, never a run.

`sipswarm load … | head -1` closes standard output, and the end of an ssh session its terminal, while calls go on and
results are still to be written: the reader is gone, and nothing is wrong. A full disk is an error: a person expects
that text. The first write that fails turns the descriptor to /dev/null, so that neither later writes nor Python's last
flush fail.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, cast

UNREAD: Final = (errno.EPIPE, errno.EIO)
"""Errors of output whose reader is gone: of a closed pipe, and of a terminal that is gone."""


class LastingStream:
    """A text stream whose writes never raise OSError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.problem = ""
        """Why text is lost that a person expects; empty = none is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it when its reader is gone."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or drop what waits when its reader is gone."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if error.errno not in UNREAD:
            self.problem = self.problem or error.strerror or str(error)
        with suppress(OSError, ValueError):  # a stream of a test has no descriptor
            descriptor = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[LastingStream]:
    """Have standard output and standard error outlive their readers.

    Yields:
        Standard output, complete with its problem after the end.
    """
    before = sys.stdout, sys.stderr
    # Python has None for a descriptor that was closed when the process began: `>&-`.
    output, errors = (LastingStream(each or open(os.devnull, "w")) for each in before)  # noqa: SIM115
    sys.stdout, sys.stderr = cast(TextIO, output), cast(TextIO, errors)
    try:
        yield output
    finally:
        output.flush()
        errors.flush()
        sys.stdout, sys.stderr = before
