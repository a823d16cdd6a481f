"""The file of a registrar's bindings: a line of JSON for each change, so that the death of a process loses none.

The last line of an address holds. The file is read and written anew at the start, and again when most of its lines hold
no more. Times in it are of the wall clock, because the other one begins anew with the machine. A line that cannot be
read is left out, and logged; a file that is of another kind is never touched. A disk that takes nothing costs the
keeping, and no registration.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.server.location import Binding, LocationStore

from ..errors import ConfigurationError
from ..host.named_files import MOST_ROWS, open_to_write, read_octets, why

HEAD: Final = '{"sipswarm":"bindings","version":1}'
"""First line of each such file."""
SPARE: Final = 1000
"""Lines that may hold no more before the file is written anew, besides one for each address."""
_logger = logging.getLogger(__name__)


class BindingFile:
    """The file of one registrar.

    Args:
        path: of the file, which need not be there.
        now: seconds of the clock by which bindings end.
        wall: Unix time.

    Raises:
        ConfigurationError: it is a file of another kind, or cannot be read.
    """

    def __init__(self, path: str, now: Callable[[], float], wall: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._wall = wall
        self._lines = 0
        self._descriptor = -1
        self._kept = read(path)

    def restore(self, store: LocationStore, longest: float = inf) -> None:
        """Give a store the bindings of the file that have not ended, and write the file anew.

        Args:
            longest: seconds that a binding lasts at most: the wall clock may have gone back, or less is granted now.
        """
        shift, now = self._now() - self._wall(), self._now()
        for address, rows in self._kept.items():
            found = [each for row in rows if (each := _binding(row, shift)) is not None and each.expires_at > now]
            bindings = [each._replace(expires_at=min(each.expires_at, now + longest)) for each in found]
            if bindings:
                store.restore(address, bindings)
        self._kept = {}
        self.write_anew(store)

    def note(self, address: str, bindings: Sequence[Binding]) -> None:
        """Append the bindings that an address has now."""
        try:
            if self._descriptor < 0:
                self._descriptor = open_to_write(self._path, os.O_APPEND | os.O_CREAT, 0o600)
            os.write(self._descriptor, self._line(address, bindings))
            self._lines += 1
        except OSError as error:
            _logger.warning("%s: the bindings of a user are not kept: %s", self._path, why(error))

    def tidy(self, store: LocationStore) -> None:
        """Write the file anew when most of its lines hold no more."""
        if self._lines > 2 * len(store) + SPARE:
            self.write_anew(store)

    def write_anew(self, store: LocationStore) -> None:
        """Write a line for each address that has bindings; the file before stays until the new one is whole."""
        now = self._now()
        fresh = f"{self._path}.new"
        try:
            descriptor = open_to_write(fresh, os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(f"{HEAD}\n".encode())
                for address in store.addresses:
                    if bindings := store.in_order(address, now):
                        file.write(self._line(address, bindings))
            os.replace(fresh, self._path)
        except OSError as error:
            _logger.warning("%s: the file of bindings cannot be written: %s", self._path, why(error))
            return
        self.close()
        self._lines = len(store)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _line(self, address: str, bindings: Sequence[Binding]) -> bytes:
        shift = self._wall() - self._now()
        rows = [
            {
                "contact": str(each.contact),
                "until": round(each.expires_at + shift, 3),
                "call_id": each.call_id,
                "cseq": each.cseq,
                "path": each.path,
                **({} if each.source is None else {"source": each.source}),
            }
            for each in bindings
        ]
        return json.dumps({"address": address, "bindings": rows}, separators=(",", ":")).encode() + b"\n"


def read(path: str) -> dict[str, list[Any]]:
    """Return the rows of each address of a file; none when it is not there.

    Raises:
        ConfigurationError: it is a file of another kind, or cannot be read.
    """
    if not os.path.lexists(path):
        return {}
    lines = read_octets(path, "a file of bindings", MOST_ROWS, again=True).split(b"\n")
    if lines[0] != HEAD.encode():
        if lines == [b""]:
            return {}
        raise ConfigurationError(f"{path}: it is no file of bindings, and is not written over; give another file")
    found: dict[str, list[Any]] = {}
    unread = 0
    for line in lines[1:]:
        if not line:
            continue
        try:
            record = json.loads(line)
            address, rows = str(record["address"]), list(record["bindings"])
        except (ValueError, TypeError, KeyError):
            unread += 1  # the end of a file whose writer died
            continue
        found.pop(address, None)
        found[address] = rows
    if unread:
        _logger.warning("%s: %d lines cannot be read, and are left out", path, unread)
    return found


def need_writable(path: str) -> None:
    """See that a file of bindings can be written, and replaced by a fresh one.

    Raises:
        ConfigurationError: its folder is not there or takes no file, or it is no file, or none that may be written.
    """
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        problem = "its folder is not there"
    elif os.path.exists(path) and not os.path.isfile(path):
        problem = "it is no file"
    elif not os.access(folder, os.W_OK | os.X_OK) or (os.path.exists(path) and not os.access(path, os.W_OK)):
        problem = "it cannot be written"
    else:
        return
    raise ConfigurationError(f"{path}: {problem}, and no binding would be kept; give a file that can be written")


def _binding(row: Any, shift: float) -> Binding | None:
    """Return a binding of the file; None for one that cannot be read.

    Args:
        shift: from Unix time to the clock by which bindings end.
    """
    try:
        contact = NameAddr.parse(str(row["contact"]))
        path = tuple(str(each) for each in row["path"])
        ends = float(row["until"]) + shift
        binding = Binding(contact, ends, str(row["call_id"]), int(row["cseq"]), path)
        if "source" not in row:
            return binding
        transport, host, port = row["source"]  # without the connection: another one may have its number by now
        return binding._replace(source=Hop(str(transport), str(host), int(port)))
    except (ParseError, ValueError, TypeError, KeyError):
        return None
