"""The pool of RTP ports: even/odd pairs from a range, drawn at random (RELIABILITY S4).

A port is free, taken or resting; what rests comes back by `give_back`. It uses no sockets: the code that binds a port
finds out whether it can be bound.
"""

from collections.abc import Callable


class PortPool:
    """Even ports of a range, each standing for itself and the odd one above it (RFC 3550 11)."""

    __slots__ = ("_free", "_random_bytes", "size")

    def __init__(self, first: int, last: int, random_bytes: Callable[[int], bytes]) -> None:
        """Make all pairs that lie in `first` to `last`, both included, free.

        Args:
            first, last: ports, 1024 to 65535.
            random_bytes: returns that many random octets.
        """
        if not 1024 <= first < last <= 65535:
            raise ValueError(f"RTP ports {first} to {last}: need a range within 1024 to 65535")
        self._free = list(range(first + first % 2, last, 2))
        self._random_bytes = random_bytes
        self.size = len(self._free)
        """Pairs in the range."""

    @property
    def free(self) -> int:
        """Pairs that can be taken."""
        return len(self._free)

    def take(self) -> int | None:
        """A random free even port, or None when all are taken."""
        free = self._free
        if not free:
            return None
        index = int.from_bytes(self._random_bytes(4), "big") % len(free)
        port = free[index]
        free[index] = free[-1]
        free.pop()
        return port

    def give_back(self, port: int) -> None:
        """Make a port free again."""
        self._free.append(port)
