"""Repeats: how often one request was sent again, by reason; each reason has a bound of its own.

A request may be challenged by a proxy and by the server behind it, be given a longer session interval, and meet a
glare, in any order: what one of them took leaves the others what they have. The same for INVITE, for requests within
a dialog and for those outside of calls.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Why(IntEnum):
    """Why a request is sent again."""

    CHALLENGE = 0
    """401 or 407 (RFC 3261 22.2, 22.3)."""
    STALE = 1
    """The same for a nonce that was right and is too old, which decides nothing about the credentials (RFC 7616
    3.3)."""
    INTERVAL = 2
    """422 (RFC 4028 section 6)."""
    GLARE = 3
    """491, or 500 with Retry-After (RFC 3261 14.1)."""


MOST: Final = (2, 2, 2, 6)
"""How often at most, by `Why`: a proxy and the server behind it may challenge, and each find its nonce stale once."""
NEVER: Final = (0, 0, 0, 0)
"""A request that was sent once."""

Repeats = tuple[int, int, int, int]
"""How often a request was sent again, by `Why`."""


def once_more(repeats: Repeats, why: Why) -> Repeats | None:
    """Count one more repetition; None when there were enough for that reason."""
    if repeats[why] >= MOST[why]:
        return None
    counted = list(repeats)
    counted[why] += 1
    challenges, stale, intervals, glares = counted
    return challenges, stale, intervals, glares
