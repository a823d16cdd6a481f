"""Redirection: which target of a 3xx to call next (RFC 3261 8.1.3.4).

Keeps no state and sends nothing; how many redirections a call follows is the session's policy.
"""

from __future__ import annotations

from typing import NamedTuple

from .dialog import hop_of
from .errors import ParseError
from .fields import NameAddr
from .hop import Hop
from .message import Response
from .session_config import SessionConfig
from .transfer import plain_uri
from .uri import Uri


class Target(NamedTuple):
    """Whom to call instead, and where that is."""

    uri: str
    hop: Hop


def next_target(response: Response, visited: tuple[str, ...], config: SessionConfig) -> Target | None:
    """Return the Contact with the highest q that was not called before, None when there is none.

    Arguments: the 3xx; `visited` the Request-URIs called so far; `config` for proxy and transport. Targets that
    cannot be read, need a look-up that a URI does not allow, or a transport that we do not have, are passed over.
    """
    try:
        contacts = sorted(response.contacts, key=_preference)
    except ParseError:
        return None
    seen = [Uri.parse(uri) for uri in visited]
    for contact in contacts:
        if contact.is_wildcard or any(contact.uri.equivalent(uri) for uri in seen):
            continue
        uri = plain_uri(contact.uri)
        try:
            hop = config.outgoing_proxy or hop_of(uri, config.local.transport)
        except ParseError:
            continue
        if config.way_to is None or hop.transport == config.local.transport or config.way_to(hop) is not None:
            return Target(uri, hop)
    return None


def _preference(contact: NameAddr) -> float:
    return -contact.q
