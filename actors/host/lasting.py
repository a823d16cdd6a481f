"""Standard output and standard error that hold nobody up: text costs nothing but itself when it cannot be written.

`sipswarm load … | head -1` closes standard output, the end of an ssh session its terminal, and a pager stops reading,
while calls go on and results are still to be written. A reader that is gone is no fault; a full disk, or a reader that
stands still to the end, is one: a person expects that text.
"""

import io
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

from ..diagnosis import log_lines
from .lossy_output import Output, PipeOutput, ThreadedOutput

LAST_FLUSH: Final = 3.0
"""Seconds that the end of a program waits for the readers of its output, all together."""
LAST_WORDS: Final = 0.2
"""Seconds for what is said after that."""
LONGEST: Final = 1 << 16
"""Characters without a line end that wait for one."""
_outputs: Final[set[Output]] = set()
"""Those of the standard streams of this process, whatever takes the place of the streams for a while."""
_logger = logging.getLogger(__name__)


class LineStream(io.TextIOBase):
    """A text stream that hands whole lines to an output, and never raises OSError.

    Args:
        output: takes the lines.
        stream: the one that it takes the place of; it says whether it is a terminal, and in which encoding.
    """

    def __init__(self, output: Output, stream: TextIO | None) -> None:
        self.output = output
        self._stream = stream
        self._text = ""
        self._lock = threading.RLock()
        self.buffer = _Octets(self)
        """For octets, as standard output has one."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property, as of every text stream
        """Name of the encoding."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # likewise
        """A character that the encoding lacks is written as an escape."""
        return "backslashreplace"

    def write(self, text: str) -> int:
        """Take text; what has no line end yet waits for it, or for `flush`."""
        with self._lock:
            whole, end, self._text = (self._text + text).rpartition("\n")
            if len(self._text) > LONGEST:
                whole, end, self._text = whole + end + self._text, "", ""
            if whole or end:
                self.output.put((whole + end).encode(self.encoding, self.errors))
        return len(text)

    def flush(self) -> None:
        """Hand on what has no line end; waits for no reader."""
        with self._lock:
            text, self._text = self._text, ""
            if text:
                self.output.put(text.encode(self.encoding, self.errors))
        self.output.flush(0.0)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self.output.descriptor)

    def fileno(self) -> int:
        """The descriptor. What writes to it by itself may have to wait."""
        return self.output.descriptor


class _Octets(io.RawIOBase):
    """The octets of a stream."""

    def __init__(self, stream: LineStream) -> None:
        self._of = stream

    def write(self, octets: Any) -> int:
        self._of.flush()
        taken = bytes(octets)
        self._of.output.put(taken)
        return len(taken)

    def writable(self) -> bool:
        return True


class StandardStreams:
    """Both streams of a program, for as long as they hold nobody up."""

    def __init__(self, output: Output | None, errors: Output | None) -> None:
        self._outputs = [each for each in (output, errors) if each is not None]
        self._output = output
        self._errors = errors

    def log_to_supervisor(self, name: str) -> None:
        """Log what happens in this process to its supervisor, through standard error.

        Args:
            name: of the process.
        """
        if self._errors is not None:
            log_lines.begin_process(name, self._errors.put)

    def finish(self, within: float = LAST_FLUSH) -> str:
        """Wait for the readers.

        Args:
            within: seconds, for both together.

        Returns:
            Why text of standard output is lost that a person expects; empty = none is.
        """
        deadline = time.monotonic() + within
        log_lines.tick(last=True)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        late = [each for each in self._outputs if not each.flush(max(0.0, deadline - time.monotonic()))]
        if self._output is None:
            return ""
        if self._output.lost or self._output in late:
            return self._output.problem or "its reader does not read"
        return ""


@contextmanager
def lasting_output() -> Iterator[StandardStreams]:
    """Have standard output and standard error hold nobody up."""
    before = sys.stdout, sys.stderr
    # Python has None for a descriptor that was closed when the process began: `>&-`.
    streams = [each or open(os.devnull, "w") for each in before]  # noqa: SIM115
    outputs = _outputs_of(streams)
    sys.stdout, sys.stderr = (
        cast(TextIO, LineStream(output, stream)) if output is not None else stream
        for output, stream in zip(outputs, streams, strict=True)
    )
    both = StandardStreams(*outputs)
    _outputs.update(each for each in outputs if each is not None)
    try:
        yield both
    finally:
        both.finish(LAST_WORDS)
        for each in outputs:
            if each is not None:
                each.close()  # twice does no harm
                _outputs.discard(each)
        sys.stdout, sys.stderr = before


def _outputs_of(streams: list[TextIO]) -> list[Output | None]:
    """The outputs of both streams: one, when they are one file, so that lines keep their order; None = in memory."""
    outputs: list[Output | None] = []
    places: list[tuple[int, int]] = []
    for stream, says in zip(streams, (_say_nothing, log_lines.lost), strict=True):
        try:
            descriptor = stream.fileno()
            stream.flush()
            status = os.fstat(descriptor)
        except (OSError, ValueError):  # a stream of a test has no descriptor
            outputs.append(None)
            continue
        place = status.st_dev, status.st_ino
        outputs.append(outputs[-1] if place in places else ThreadedOutput(descriptor, says))
        places.append(place)
    return outputs


def pipe_streams() -> StandardStreams:
    """Replace the streams of a process whose output goes to its supervisor, for good."""
    outputs: list[Output] = []
    for descriptor in (1, 2):
        kind = ThreadedOutput if os.get_blocking(descriptor) else PipeOutput
        outputs.append(kind(descriptor, log_lines.lost_of_process if descriptor == 2 else _say_lost))
    _outputs.update(outputs)
    sys.stdout, sys.stderr = (cast(TextIO, LineStream(each, None)) for each in outputs)
    return StandardStreams(*outputs)


def lost_rows() -> tuple[tuple[str, tuple[str, ...], tuple[float, ...]], ...]:
    """The lines of the standard streams of this process that no reader will see, as a series of its totals."""
    return (("sipswarm_queue_dropped_total", ("log",), (sum(each.lost for each in _outputs),)),)


def tick() -> None:
    """Called now and then: say what the log held back, and hand on what waits for a reader."""
    log_lines.tick()
    sys.stderr.flush()


def _say_nothing(lines: int) -> bytes:
    """Standard output gets no line about itself; `StandardStreams.finish` says what it lacks."""
    return b""


def _say_lost(lines: int) -> bytes:
    """Log that lines of standard output are lost: what reads that may be a program."""
    _logger.warning("standard output: %d lines were lost, because nobody read them", lines)
    return b""
