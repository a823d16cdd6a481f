"""Rows of DNS, as far as RFC 3263 reads them, and the type of a lookup."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

FAILURE_TTL: Final = 5.0
"""Seconds for which "there is none" and "no server answers" are kept."""
LOOKUP_TIME: Final = 6.0
"""Seconds for one query."""


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
    """The answer of DNS; no rows = there is none."""

    rows: tuple[Naptr | Srv | str, ...]
    ttl: float
    """Seconds."""


Lookup = Callable[[str, str], Awaitable[Answer]]
"""A coroutine function of (NAPTR, SRV, A or AAAA; name) that answers a query by `Answer(rows, ttl)`: no rows = there is
none; the ttl is in seconds. A row is a text with an address for A and AAAA, `Srv(priority, weight, target, port)`, or
`Naptr(order, preference, service, replacement)`; all are of `sipswarm.actors.transport.names.dns_records`. Raises
OSError when no server answers."""
