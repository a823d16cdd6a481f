"""Who we are on the wire: what all calls and registrations of one user agent have in common."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sipcore.grammar import end_of_quotes
from sipcore.hop import Hop

Auth = tuple[str, str] | Mapping[str, tuple[str, str]] | Callable[[str], tuple[str, str] | None]
"""(user, password) for any realm, or by realm, or a function of the realm (man page `auth`)"""
Lookup = Callable[[str, str], tuple[str, str] | None]


class Identity(NamedTuple):
    """One identity; the parts are those of `sipcore.session_config.SessionConfig`."""

    from_: str
    contact: str = ""
    route: tuple[str, ...] = ()
    outgoing_proxy: Hop | None = None
    credentials: Lookup | None = None
    session_expires: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    """further headers of each INVITE and REGISTER"""
    redirects: int = 0


def written_address(value: str) -> str:
    """Name and address of a From, To or Contact as they are written, without what follows (man page C26)."""
    start = end_of_quotes(value, 0) if value.startswith('"') else 0
    end = value.find(">", start)
    if end >= 0:
        return value[: end + 1]
    bare = value.partition(";")[0].strip()
    return f"<{bare}>" if bare else ""


class Keyring:
    """Credentials by realm, given out only to hosts that we turned to ourselves (RELIABILITY S8).

    auth: see `Auth`.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._hosts: set[str] = set()

    def trust(self, host: str) -> None:
        """We call or register with this host, so it may ask who we are."""
        self._hosts.add(host.lower())

    def __call__(self, realm: str, host: str) -> tuple[str, str] | None:
        """User and password for a challenge of `host` for `realm`; None = not for it."""
        if host.lower() not in self._hosts:
            return None
        auth = self._auth
        if isinstance(auth, tuple):
            return auth
        if isinstance(auth, Mapping):
            return auth.get(realm) or auth.get("")
        return auth(realm)
