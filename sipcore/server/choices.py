"""What a stateless proxy has chosen among bindings, kept for the time of a transaction (RFC 3261 section 16.11).

A repetition, the CANCEL and the ACK of a refused INVITE go where their request went, whoever has registered or left
meanwhile. The table has a bound: what is beyond it is chosen anew. It keeps no clock.
"""

from __future__ import annotations

from typing import Final, final

from .location import Binding

MOST: Final = 65_536
"""Requests whose choice is kept: 200 calls a second that ring for five minutes each."""
RINGING: Final = 300.0
"""Seconds for which the choice of an INVITE is kept: longer than the least timer C (RFC 3261 section 16.6)."""
REPEATED: Final = 32.0
"""Seconds of another request: its repetitions (64*T1)."""
FOLLOWING: Final = frozenset(("ACK", "CANCEL"))
"""Methods that go where another request went, and choose nothing."""


@final
class Choices:
    """The choices of one proxy.

    Args:
        most: requests whose choice is kept; of more, the oldest is forgotten.
    """

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[str, tuple[float, Binding]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: str, now: float) -> Binding | None:
        """Return what was chosen for a request; None when that is not known any more.

        Args:
            key: what a request has in common with its repetitions, CANCEL and ACK.
            now: seconds.
        """
        known = self._kept.get(key)
        return known[1] if known is not None and known[0] > now else None

    def keep(self, key: str, method: str, binding: Binding, now: float) -> None:
        """Keep the choice for a request; that of an ACK or CANCEL is none."""
        if method in FOLLOWING:
            return
        kept = self._kept
        kept.pop(key, None)
        while kept:
            oldest = next(iter(kept))
            if len(kept) < self._most and kept[oldest][0] > now:
                break
            del kept[oldest]
        kept[key] = now + (RINGING if method == "INVITE" else REPEATED), binding
