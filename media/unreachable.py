"""How much of what a stream sends ICMP reports as undelivered, sans-IO: spans of time, in packets.

A host limits its ICMP errors, Linux to about one a second for each address that it sends them to. So errors are not
counted: those that follow each other within some seconds make a span, and every packet sent in a span counts. A short
span is a peer whose socket opens or moves late, and counts nothing. An error is reported by the address that it is
about, whatever socket it came from, and counts for the streams that send there at that time: one that comes late, of an
address before, counts nowhere.
"""

from collections.abc import Callable

from .lock import Address

PAUSE = 5.0
"""Seconds between two errors of one span at most: errors are lost, and a host divides its limit among our streams."""
BURST = 0.5
"""Seconds that a span must last to count."""


class Destination:
    """Where one stream sends to, and what it sent while that could not be reached."""

    __slots__ = ("_before", "_first", "_first_at", "_last", "_last_at", "_sent", "address")

    def __init__(self, sent: Callable[[], int]) -> None:
        """Begin without an address.

        Args:
            sent: returns the packets that the stream has sent so far.
        """
        self.address: Address | None = None
        """None = nothing can be sent."""
        self._sent = sent
        self._before = 0  # packets of the spans that are over
        self._first = self._last = 0  # packets sent before the first and up to the last error of the present span
        self._first_at = self._last_at = -1.0

    def report(self, now: float) -> None:
        """Take an ICMP error about a packet to the present destination.

        Args:
            now: seconds, monotonic.
        """
        if self._last_at < 0 or now - self._last_at > PAUSE:
            self._end_span()
            self._first, self._first_at = max(self._last, self._sent() - 1), now
        self._last, self._last_at = self._sent(), now

    def move(self, address: Address | None) -> None:
        """Send to another address from now on: the present span is over."""
        self.address = address
        self._end_span()

    def _end_span(self) -> None:
        self._before = self.packets
        self._first_at = self._last_at = -1.0

    @property
    def packets(self) -> int:
        """Packets sent in spans so far."""
        if self._last_at - self._first_at < BURST:
            return self._before
        return self._before + self._last - self._first


class Destinations:
    """The destinations of the streams of one engine, by address."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        """Begin without streams."""
        self._found: dict[Address, list[Destination]] = {}

    def move(self, destination: Destination, address: Address | None) -> None:
        """Have a stream send to an address from now on; None = to none."""
        before = destination.address
        if before == address:
            return
        if before is not None:
            others = self._found[before]
            others.remove(destination)
            if not others:
                del self._found[before]
        if address is not None:
            self._found.setdefault(address, []).append(destination)
        destination.move(address)

    def report(self, address: Address, now: float) -> None:
        """Take an ICMP error about a packet to an address.

        Args:
            now: seconds, monotonic.
        """
        for destination in self._found.get(address, ()):
            destination.report(now)
