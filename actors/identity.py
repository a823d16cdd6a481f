"""The identity of a user agent on the wire, which all its calls and registrations have in common.

A `Keyring` holds the credentials. It must give them to no host but those that a request was addressed to (RELIABILITY
S8).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sipswarm.sipcore.message.grammar import end_of_quotes
from sipswarm.sipcore.message.hop import Hop, bracketed

from .diagnosis.foreign_text import shown, unwritable
from .diagnosis.user_code import called
from .errors import ConfigurationError
from .runtime.callbacks import answers_later

_logger = logging.getLogger(__name__)

Auth = Sequence[str] | Mapping[str, tuple[str, str]] | Callable[[str], tuple[str, str] | None]
"""(user, password) for any realm, or by realm, or a function of the realm (man page `auth`)."""
Lookup = Callable[[str, str], tuple[str, str] | None]
"""Takes realm and host; returns user and password, None = not for it."""


class Identity(NamedTuple):
    """One identity; the parts are those of `sipcore.session.session_config.SessionConfig`."""

    from_: str
    contact: str = ""
    route: tuple[str, ...] = ()
    outgoing_proxy: Hop | None = None
    credentials: Lookup | None = None
    session_expires: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers of each INVITE and REGISTER."""
    redirects: int = 0


def written_address(value: str) -> str:
    """Return name and address of a From, To or Contact as they are written, without what follows (man page C26)."""
    start = end_of_quotes(value, 0) if value.startswith('"') else 0
    end = value.find(">", start)
    if end >= 0:
        return value[: end + 1]
    bare = value.partition(";")[0].strip()
    return f"<{bare}>" if bare else ""


def contact_at(user: str, local: Hop) -> str:
    """Return the Contact under which a user is reached at a local address."""
    transport = "" if local.transport == "udp" else f";transport={local.transport}"
    return f"<sip:{user}@{bracketed(local.host)}:{local.port}{transport}>"


class Keyring:
    """Credentials by realm, given only to hosts that a request was addressed to (RELIABILITY S8).

    Args:
        auth: see `Auth`.

    Raises:
        ConfigurationError: it is none of the forms.
    """

    def __init__(self, auth: Auth) -> None:
        if isinstance(auth, Mapping):
            if not all(isinstance(realm, str) for realm in auth):
                raise ConfigurationError("auth: a realm is no text; give a mapping of (user, password) by realm")
            self._auth: tuple[str, str] | Mapping[str, tuple[str, str]] | Callable[[str], object] = {
                realm: _pair(each) for realm, each in auth.items()
            }
        elif callable(auth) and not answers_later(auth):
            self._auth = auth
        else:
            self._auth = _pair(auth)
        self._hosts: set[str] = set()

    def trust(self, host: str) -> None:
        """Let a host challenge for credentials, because a call or registration goes to it."""
        self._hosts.add(host.lower())

    def __call__(self, realm: str, host: str) -> tuple[str, str] | None:
        """Return user and password for a challenge of `host` for `realm`; None = not for it."""
        if host.lower() not in self._hosts:
            return None
        auth = self._auth
        if isinstance(auth, Mapping):
            return auth.get(realm) or auth.get("")
        if isinstance(auth, tuple):
            return auth
        found: Any = called("the function auth", auth, realm)
        try:
            return _pair(found) if found else None
        except ConfigurationError as error:
            _logger.error("realm %s: %s", shown(realm), error)
            return None


def _pair(given: object) -> tuple[str, str]:
    """Return user and password, also from a list as in Perl.

    Raises:
        ConfigurationError: it is something else; the message does not show it.
    """
    if isinstance(given, tuple | list) and len(given) == 2 and all(isinstance(each, str) for each in given):
        if unwritable(given[0]) or unwritable(given[1]):
            raise ConfigurationError("auth: user or password has a line end or another control character; remove it")
        return given[0], given[1]
    raise ConfigurationError(
        f"auth: {type(given).__name__} cannot be used; give (user, password), a mapping of these by realm, "
        "or a plain function of the realm that returns one"
    )
