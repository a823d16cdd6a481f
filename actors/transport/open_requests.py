"""The requests of a peer on one connection that have no final response yet, and what follows when it ends its side.

A peer that ends its side of a connection (RFC 9293 section 3.6) may still read, or may have closed its socket. That is
not known before it gets something. The final responses that go to it then are kept, so that those that a closed socket
refuses can go where their Via says (RFC 3261 section 18.2.2). Sans-IO; requests beyond the bound are forgotten.
"""

from typing import Final

from sipswarm.sipcore.message import peek

MOST: Final = 512
"""Requests that are remembered; the oldest go first."""


class OpenRequests:
    """See the module's text."""

    __slots__ = ("_ended_at", "_open", "refused")

    def __init__(self) -> None:
        self._open: dict[bytes, None] = {}
        self._ended_at = 0.0
        self.refused: list[tuple[int, bytes]] = []
        """(slot, final response) of each that went after the peer had ended its side; none before."""

    def __bool__(self) -> bool:
        return bool(self._open)

    def came(self, data: bytes) -> None:
        """Remember a message if it is a request that gets a response."""
        if data.startswith((b"SIP/2.0 ", b"ACK ")):
            return
        if len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[peek.transaction(data)] = None

    def went(self, slot: int, data: bytes) -> None:
        """Forget the request that a message is the final response of."""
        if self._open and data.startswith(b"SIP/2.0 ") and data[8:9] != b"1":
            key = peek.transaction(data)
            if key in self._open:
                del self._open[key]
                if self._ended_at:
                    self.refused.append((slot, data))

    def peer_ended(self, now: float) -> None:
        """The peer has ended its side."""
        self._ended_at = now

    def waits_until(self, sent_at: float, answer_time: float) -> float:
        """Return when a peer that has ended its side gets nothing more.

        Args:
            sent_at: monotonic seconds of the last message to the peer.
            answer_time: seconds that a response may take.
        """
        return max(self._ended_at, sent_at) + answer_time
