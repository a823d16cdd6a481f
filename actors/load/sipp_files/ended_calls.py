"""The Call-IDs of calls that have ended a short while ago: what still comes for them begins no other call. Pure.

SIPp remembers them for as long (`-deadcall_wait`). A repeated BYE whose answer was lost would otherwise begin a call
that fails.
"""

from collections import OrderedDict
from typing import Final, final

KEPT: Final = 33.0
"""Seconds for which a Call-ID is remembered: longer than any transaction is repeated (RFC 3261 section 17.1.2.2)."""
MOST: Final = 65536
"""Call-IDs that are remembered; beyond, the oldest one is forgotten."""


@final
class EndedCalls:
    """The calls of one worker that have ended."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, call_id: bytes, now: float) -> None:
        """Remember a call.

        Args:
            call_id: what its messages are known by.
            now: monotonic seconds of its end.
        """
        self._forget(now)
        self._until.pop(call_id, None)
        if len(self._until) >= MOST:
            self._until.popitem(last=False)
        self._until[call_id] = now + KEPT

    def has(self, call_id: bytes, now: float) -> bool:
        """Return whether a call has ended within the last `KEPT` seconds.

        Args:
            call_id: what its messages are known by.
            now: monotonic seconds.
        """
        self._forget(now)
        return call_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def _forget(self, now: float) -> None:
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)
