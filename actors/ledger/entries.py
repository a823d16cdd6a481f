"""One entry of the ledger: a call as plain values, packed into octets and read back.

The octets are read by the same program, in another process of the same node, and are checked before (`memory`). Values
are tuples of numbers, texts, octets and None. Text of a peer stays what it was, undecodable octets included.
"""

import marshal
from typing import Any, Final, NamedTuple

WAITS: Final = 0x100
"""In the state of an entry: the INVITE of the peer waits for its final response, or for the ACK of its 2xx."""
_FORM: Final = 1
"""Number of this form of an entry."""


class CallEntry(NamedTuple):
    """One call."""

    session: tuple[Any, ...]
    """A `sipcore.session.session_record.SessionRecord`."""
    actor: tuple[Any, ...]
    """A `call.kept.KeptCall`."""
    bound: tuple[str, str, int]
    """The local address that its messages leave from."""
    proxy: tuple[Any, ...]
    """The hop of its requests without a route; empty = that of their URI."""
    scenario: str
    to: str
    """The target of an outgoing call."""
    kept: str
    """Text that the call's user keeps."""
    digits: str
    """Received digits that the call's user has not read."""


def state_of(session_state: int, *, waits: bool) -> int:
    """Return the state of an entry, which is never that of a free place.

    Args:
        session_state: a `SessionState`.
        waits: see `WAITS`.
    """
    return session_state + 1 + (WAITS if waits else 0)


def read_state(state: int) -> tuple[int, bool]:
    """Return the state of the session, and whether the INVITE of the peer waits."""
    return (state & (WAITS - 1)) - 1, bool(state & WAITS)


def pack(entry: CallEntry) -> bytes:
    """Return the octets of an entry."""
    return marshal.dumps((_FORM, *entry))


def unpack(data: bytes) -> CallEntry:
    """Return the entry of octets that `pack` made.

    Raises:
        ValueError: they have another form.
    """
    try:
        form, *values = marshal.loads(data)
        if form == _FORM:
            return CallEntry(*values)
    except (EOFError, TypeError, ValueError) as error:
        raise ValueError(f"an entry of the ledger cannot be read: {error}") from error
    raise ValueError(f"an entry of the ledger has the form {form}")
