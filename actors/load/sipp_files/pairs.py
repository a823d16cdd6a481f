"""Which calls are the two sides of one arrival, where a load has two scenario files (3PCC). Pure."""

from typing import final

from .call import FileCall


@final
class Pairs:
    """The pairs of the live calls of one worker."""

    __slots__ = ("_firsts", "_seconds")

    def __init__(self) -> None:
        self._seconds: dict[FileCall, FileCall] = {}
        self._firsts: dict[FileCall, FileCall] = {}

    def join(self, first: FileCall, second: FileCall) -> None:
        """Make two calls the sides of one arrival."""
        self._seconds[first] = second
        self._firsts[second] = first

    def other(self, call: FileCall) -> FileCall | None:
        """Return the other side of a call; None = it has none."""
        return self._seconds.get(call) or self._firsts.get(call)

    def first(self, call: FileCall) -> FileCall:
        """Return the first side of the arrival that a call belongs to."""
        return self._firsts.get(call, call)

    def part(self, first: FileCall) -> FileCall | None:
        """Forget a pair by its first side; return the second one, None = it has none."""
        second = self._seconds.pop(first, None)
        if second is not None:
            del self._firsts[second]
        return second
