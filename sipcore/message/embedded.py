"""Headers in a URI: which of them may go into the request that is made from it (RFC 3261 19.1.1, 19.1.5).

For the Contact of a 3xx and for Refer-To. The writer of the URI is a stranger: it must not forge what identifies,
routes, describes or vouches for a request. `body` is not taken, because our INVITE has its own.
"""

from __future__ import annotations

from typing import Final

from ..errors import ParseError
from .headers import key_of
from .uri import Uri

_OURS: Final = frozenset(
    (
        # 19.1.5: what would forge the dialog or the way of the request.
        *("from", "to", "call-id", "cseq", "via", "record-route", "route", "max-forwards", "path", "service-route"),
        *("proxy-require", "authorization", "proxy-authorization", "rack", "rseq", "contact", "history-info"),
        # 19.1.5: what would advertise a false location or false capabilities.
        *("accept", "accept-encoding", "accept-language", "allow", "allow-events", "organization", "supported"),
        *("user-agent", "server"),
        # 19.1.5: what describes the message; the local one is described already.
        *("content-disposition", "content-encoding", "content-language", "content-length", "content-type"),
        *("date", "mime-version", "timestamp", "body"),
        # RFC 3325, 3892, 8224: what names a person, or who referred us.
        *("p-asserted-identity", "p-preferred-identity", "remote-party-id", "identity", "identity-info"),
        *("referred-by", "refer-to", "refer-sub", "privacy"),
        # RFC 4028, 3515, 6665: what belongs to a local state.
        *("session-expires", "min-se", "expires", "event", "subscription-state"),
    )
)
_REQUIRABLE: Final = frozenset(("replaces", "join", "tdialog"))
"""Option tags that a URI may demand of the callee: those of headers that it may carry."""


def carried_headers(uri: Uri) -> tuple[tuple[str, str], ...]:
    """Return those headers embedded in a URI that may go into the request made from it, each name once."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in uri.headers:
        try:
            key = key_of(name)
        except ParseError:
            continue
        if name != name.strip() or key in _OURS or key in found or not _is_line(value):
            continue
        if key == "require" and not {tag.strip().lower() for tag in value.split(",")} <= _REQUIRABLE:
            continue
        found[key] = (name, value)
    return tuple(found.values())


def _is_line(value: str) -> bool:
    return all((character >= " " and character != "\x7f") or character == "\t" for character in value)
