"""The folders of failed calls: the messages of each, as a ladder to read and as a capture.

The first twenty calls of a run that fail get one. A trace comes before the row of its call; the row makes the folder.
The names are digests of the Call-ID, never its text, because that may come from a peer (RELIABILITY.md S16). Only their
owner may read them; secrets must be masked, and a link is never followed.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from ..bus.messages import CallFinished, CallTraced
from ..diagnosis.foreign_text import octets_of, shown
from ..trace import pcap
from ..trace.ladder import Ladder, Rung

MOST: Final = 20
"""Folders of one run."""
FOLDER: Final = "failures"
FILES: Final = ("ladder.txt", "sip.pcap")
"""Files of a folder."""
NAME_LENGTH: Final = 16
"""Characters of a folder's name, of the digest in hex."""
_logger = logging.getLogger(__name__)


class FailedCall(NamedTuple):
    """One failed call that has a folder."""

    folder: str
    """Relative to the folder of the run."""
    call_id: str
    """As it came."""
    failure: str
    """The expectation that it missed."""
    outcome: str
    code: int
    """Final SIP status; 0 = none."""
    start: float
    """Seconds from the start of the run."""
    detail: str = ""
    """What the failure does not say, such as the line of a scenario file; empty = nothing."""


class Failures:
    """The folders of one run.

    Args:
        folder: of the run; exists.
        clock_offset: seconds from the monotonic clock to the Unix epoch.
    """

    def __init__(self, folder: Path, clock_offset: float) -> None:
        self._folder = folder
        self._offset = clock_offset
        self._traced: dict[str, CallTraced] = {}
        self._known = 0
        """Calls that have a folder, or get one."""
        self._waiting: list[tuple[str, FailedCall, Ladder]] = []
        self.calls: list[FailedCall] = []
        """Calls that have a folder, in the order of their end."""

    @property
    def waiting(self) -> int:
        """Calls whose folder `write` makes."""
        return len(self._waiting)

    def trace(self, traced: CallTraced) -> None:
        """Take the messages of a call whose row comes next."""
        if self._known + len(self._traced) < MOST:
            self._traced[traced.call_id] = traced

    def add(self, row: CallFinished, failure: str, run_started: float) -> None:
        """Have a failed call get its folder by `write`, if it is one of the first.

        Args:
            row: of the call.
            failure: the expectation that it missed.
            run_started: monotonic time of the start of the run.
        """
        traced = self._traced.pop(row.call_id, None)
        if traced is None:
            return
        octets = octets_of(row.call_id)
        name = hashlib.sha256(octets).hexdigest()[:NAME_LENGTH]
        start = row.started - run_started
        call = FailedCall(f"{FOLDER}/{name}", row.call_id, failure, row.outcome, row.code, start, row.detail)
        ladder = Ladder((Rung(*each) for each in traced.rungs), traced.left_out, self._offset)
        self._known += 1
        self._waiting.append((name, call, ladder))

    def write(self) -> str:
        """Make the folders of the calls that wait for theirs; in another thread, because it may wait for a disk.

        Returns:
            Nothing, as a job of `FileWriter` does that could write; the log has what could not be written.
        """
        while self._waiting:
            name, call, ladder = self._waiting[0]
            try:
                self._write(name, call, ladder)
            except OSError as error:
                _logger.warning("%s/%s is not complete: %s", self._folder, call.folder, error.strerror)
            else:
                self.calls.append(call)
            del self._waiting[0]
        return ""

    def clear(self) -> None:
        """Remove the folders that an earlier run in the same folder has left, and nothing else."""
        clear(self._folder / FOLDER)

    def _write(self, name: str, call: FailedCall, ladder: Ladder) -> None:
        text = f"{_head(call)}\n\n{ladder.full()}\n"
        with suppress(FileExistsError):
            (self._folder / FOLDER).mkdir(0o700)
        with _opened(self._folder / FOLDER) as parent:
            os.mkdir(name, 0o700, dir_fd=parent)
            with _opened(Path(name), parent) as inside:
                _put(inside, FILES[0], text.encode())
                _put(inside, FILES[1], b"".join((pcap.HEADER, *_packets(ladder))))


def clear(folder: Path) -> None:
    """Remove the folders of failed calls in a folder, and the folder when nothing else is in it."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for each in (*(each for each in folder.iterdir() if _is_name(each.name) and not each.is_symlink()), folder):
        with suppress(OSError):  # another file is in it
            for file in FILES if each is not folder else ():
                (each / file).unlink(missing_ok=True)
            each.rmdir()


def _head(call: FailedCall) -> str:
    status = f", final status {call.code}" if call.code else ""
    detail = f"{shown(call.detail)}\n" if call.detail else ""
    return (
        f"call {shown(call.call_id)}\n"
        f"missed: {shown(call.failure)}; outcome {call.outcome}{status}\n"
        f"{detail}"
        f"begun {call.start:.3f} s after the start of the run"
    )


def _packets(ladder: Ladder) -> Iterator[bytes]:
    for rung in ladder.rungs:
        ends = (rung.local, rung.remote) if rung.sent else (rung.remote, rung.local)
        yield pcap.packet(rung.at + ladder.clock_offset, *ends, rung.data)


def _is_name(name: str) -> bool:
    return len(name) == NAME_LENGTH and not name.strip("0123456789abcdef")


@contextmanager
def _opened(folder: Path, parent: int | None = None) -> Iterator[int]:
    """Open a folder that is no link; yield its descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _put(folder: int, name: str, octets: bytes) -> None:
    """Write a new file of a folder."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(octets)
