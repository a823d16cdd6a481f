"""The targets of an INVITE: the callee, then the targets of a 3xx in their order (RFC 3261 8.1.2, 8.1.3.4, 16.5, 16.6).

The callee is read from its URI or name-addr; a 3xx adds targets to those that wait, sorted by their q. It must keep no
state and send nothing; the number of targets that a call tries is the session's policy.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..errors import ParseError
from ..message.embedded import carried_headers
from ..message.fields import NameAddr
from ..message.header_lines import lines_of
from ..message.hop import Hop
from ..message.messages import Response
from ..message.uri import Uri
from .dialog import domain_of, hop_of, uri_of
from .refer import plain_uri
from .session_config import SessionConfig

MOST_TARGETS: Final = 32
"""Targets that wait to be tried."""


class Place(NamedTuple):
    """One of the places where a callee may be found (RFC 3263 section 4.3)."""

    hop: Hop
    config: SessionConfig
    """For requests that leave by this way: its Via and Contact."""


def callee_of(to: str, config: SessionConfig, hop: Hop | None) -> tuple[str, str, Hop, str]:
    """Read the callee of a call, and the first hop of its INVITE.

    Args:
        to: URI or name-addr.
        config: for proxy and preloaded route.
        hop: of the INVITE, when that is known.

    Returns:
        The To value without tag, the URI with its headers, the hop, and the host under which the credentials of the
        call are looked up.

    Raises:
        ParseError: a `to` that cannot be called.
    """
    start = to.find("<")
    uri = to[start + 1 : to.find(">", start)] if start >= 0 else to
    if "?" in uri or ";method=" in uri:
        to = plain_uri(Uri.parse(uri))  # 19.1.1: To holds neither headers nor a method
        start = -1
    if hop is None:
        first = uri_of(config.route[0]) if config.route else uri
        hop = config.outgoing_proxy or hop_of(first, config.local.transport)
    domain = hop.host if config.outgoing_proxy or config.route else domain_of(uri)
    return to if start >= 0 else f"<{to}>", uri, hop, domain


def request_of(uri: str) -> tuple[str, str]:
    """Return Request-URI and header lines of the INVITE that a callee's URI asks for (RFC 3261 19.1.1, 19.1.5).

    Without headers and method it is the Request-URI itself.
    """
    if "?" not in uri and ";method=" not in uri:
        return uri, ""
    parsed = Uri.parse(uri)
    return plain_uri(parsed), lines_of(carried_headers(parsed))


class Target(NamedTuple):
    """A target to call instead, and its hop."""

    uri: str
    """The Request-URI."""
    hop: Hop
    lines: str
    """Header lines that the Contact's URI demands."""
    q: float
    named: str
    """The Contact's URI as a whole: none is tried twice."""
    response: Response
    """The 3xx that named it."""


def with_targets(
    waiting: tuple[Target, ...], response: Response, visited: tuple[str, ...], config: SessionConfig
) -> tuple[Target, ...]:
    """Return the targets that wait and those that a 3xx adds, the one to try next first.

    The highest q goes first; among equals those of this 3xx, in its order. A target is passed over when it cannot be
    read, or needs a look-up that a URI does not allow. So is one whose transport is not there, and one that was a
    target before (16.5).

    Args:
        waiting: those of 3xx before, in order.
        response: the 3xx.
        visited: the URIs tried so far.
        config: for proxy and transport.
    """
    try:
        contacts = response.contacts
    except ParseError:
        return waiting
    known = [Uri.parse(uri) for uri in (*visited, *(target.named for target in waiting))]
    added: list[Target] = []
    for contact in contacts:
        if contact.is_wildcard or any(contact.uri.equivalent(uri) for uri in known):
            continue
        target = _target(contact, response, config)
        if target is not None:
            known.append(contact.uri)
            added.append(target)
    return tuple(sorted((*added, *waiting), key=_preference)[:MOST_TARGETS])


def _target(contact: NameAddr, response: Response, config: SessionConfig) -> Target | None:
    uri = plain_uri(contact.uri)
    try:
        hop = config.outgoing_proxy or hop_of(uri, config.local.transport)
    except ParseError:
        return None
    if config.way_to is not None and hop.transport != config.local.transport and config.way_to(hop) is None:
        return None
    return Target(uri, hop, lines_of(carried_headers(contact.uri)), contact.q, str(contact.uri), response)


def _preference(target: Target) -> float:
    return -target.q
