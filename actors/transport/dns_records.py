"""What DNS says, as far as RFC 3263 reads it, and who is asked."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

FAILURE_TTL: Final = 5.0
"""seconds for which "there is none" and "nobody answers" are kept"""
LOOKUP_TIME: Final = 6.0
"""seconds for one question"""


class Naptr(NamedTuple):
    """A NAPTR row (RFC 3403 section 4.1), as far as RFC 3263 reads it."""

    order: int
    preference: int
    service: str
    replacement: str


class Srv(NamedTuple):
    """An SRV row (RFC 2782)."""

    priority: int
    weight: int
    target: str
    port: int


class Answer(NamedTuple):
    """What DNS says; no rows = there is none."""

    rows: tuple[Naptr | Srv | str, ...]
    ttl: float
    """seconds"""


Lookup = Callable[[str, str], Awaitable[Answer]]
"""Answers a question: (NAPTR, SRV, A or AAAA; name). Raises OSError when nobody answers."""
