"""The files that one call records into, and the names under which a recording goes on after the loss of its writer.

A media worker that is gone leaves its files as they are, readable up to their last second. Its successor would empty a
file that it opens again, so the recording goes on in a further one: `name.wav`, `name-2.wav`, `name-3.wav`. A name that
the call already uses is passed over. Pure: no file is opened here.
"""

from sipswarm.media.messages import SinkSpec


class Recordings:
    """The recordings of one call.

    Attributes:
        names: of the files, in order, as the media workers get them.
    """

    __slots__ = ("_now", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
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
        return ("file", name, *wished[2:])

    def lost(self) -> None:
        """Note that the writer of all files is gone."""
        self._now = dict.fromkeys(self._now, "")

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
