"""Each SIP message as text, at the moment at which it is sent or received, for a person who watches. Pure.

Secrets are masked and control characters escaped. A file that cannot be written to any more is left alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from ..diagnosis.foreign_text import shown
from .ladder import Row, place_of
from .masking import masked


class PrintedMessages:
    """Takes messages as a file does, and writes each as text.

    Args:
        write: takes a text.
        clock_offset: from monotonic seconds to those since 1970.
    """

    def __init__(self, write: Callable[[str], object], clock_offset: float) -> None:
        self._write = write
        self._offset = clock_offset
        self._ended = False

    def put(self, row: Row) -> None:
        """Write a message."""
        if self._ended:
            return
        at, sent, transport, local, remote, data, note = row
        moment = datetime.fromtimestamp(at + self._offset, UTC)
        clock = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
        ends = (place_of(local, transport), place_of(remote, transport))
        sender, receiver = ends if sent else ends[::-1]
        lines = [
            f"{clock} {'sent' if sent else 'received'} {sender} -> {receiver}{f' ({shown(note)})' if note else ''}"
        ]
        whole = masked(data).replace(b"\r\n", b"\n").rstrip(b"\n")
        lines += [f"    {shown(line, len(data) * 4 + 40)}".rstrip() for line in whole.split(b"\n")]
        try:
            self._write("\n".join((*lines, "", "")))
        except (OSError, ValueError):  # a closed file or pipe
            self._ended = True

    def close(self) -> None:
        """Do nothing: the file is the user's."""
