"""The files that one call records into, and the names under which a recording goes on after the loss of its writer.

A media worker that is gone leaves its files as they are, readable up to their last second. Its successor would empty a
file that it opens again, so the recording goes on in a further one: `name.wav`, `name-2.wav`, `name-3.wav`. A name that
the call already uses is passed over. The next call worker of a call gets its files by `keep` and `take_over`: it must
not empty one either. Pure: no file is opened here.
"""

from typing import Final

from sipswarm.media.messages import SinkSpec

from .kept import KeptRecordings

KEPT: Final = 4096
"""Octets of names that are kept for the next process at most, the newest first: the entry of a call has a bound."""


class Recordings:
    """The recordings of one call.

    Attributes:
        names: of the files, in order, as the media workers get them.
    """

    __slots__ = ("_lost", "_now", "_wanted", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self._wanted: list[str] = []
        """The name that the user gave, for each of them."""
        self._lost = 0
        """How many of them have lost their writer: the first ones."""
        self._now: dict[str, str] = {}
        """The file of each recording that is written now, by the name that the user gave; empty after a loss."""

    def sink(self, wished: SinkSpec) -> SinkSpec:
        """Return a wished sink with the name of the file that is written, which differs after the loss of a writer."""
        if wished[:1] != ("file",):
            return wished
        wanted = str(wished[1])
        name = self._now.get(wanted) or self._unused(wanted)
        self._now[wanted] = name
        if name not in self.names:
            self.names.append(name)
            self._wanted.append(wanted)
        return ("file", name, *wished[2:])

    def lost(self) -> None:
        """Note that the writer of all files is gone."""
        self._lost = len(self.names)
        self._now = dict.fromkeys(self._now, "")

    @property
    def marks(self) -> tuple[int, int]:
        """What differs after each change of what `keep` returns."""
        return len(self.names), self._lost

    def keep(self) -> tuple[object, ...]:
        """Return the files for the next process, as a plain `KeptRecordings`; empty without any."""
        if not self.names:
            return ()
        wanted = ["" if each == name else each for each, name in zip(self._wanted, self.names, strict=True)]
        first, octets = len(wanted), 0
        while first and (octets := octets + _octets(self.names[first - 1]) + _octets(wanted[first - 1])) <= KEPT:
            first -= 1
        return max(0, self._lost - first), tuple(self.names[first:]), tuple(wanted[first:])

    def take_over(self, kept: KeptRecordings) -> None:
        """Go on with the files of the process before."""
        self._lost = kept.lost
        self.names = list(kept.names)
        self._wanted = [each or name for each, name in zip(kept.wanted, kept.names, strict=True)]
        lost, now = self._wanted[: kept.lost], zip(self._wanted[kept.lost :], self.names[kept.lost :], strict=True)
        self._now = dict.fromkeys(lost, "") | dict(now)

    def _unused(self, wanted: str) -> str:
        """Return the wanted name, or the next of its order that this call has not used."""
        if wanted not in self.names:
            return wanted
        folder, slash, file = wanted.rpartition("/")
        stem, dot, suffix = file.rpartition(".")
        if not stem:
            stem, dot, suffix = file, "", ""
        number = 2
        while (name := f"{folder}{slash}{stem}-{number}{dot}{suffix}") in self.names:
            number += 1
        return name


def _octets(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))
