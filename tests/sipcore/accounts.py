"""A credentials lookup over a few accounts, as users of sipcore may write one."""

from collections.abc import Iterable
from typing import NamedTuple


class Account(NamedTuple):
    """A user's name and password, and to whom they may be shown."""

    username: str
    password: str
    realm: str
    """The realm of the challenge; "*" for any."""
    host: str
    """The host that the challenged request was sent to (registrar, proxy or domain); "*" for any, which gives a hash of
    the password to everybody who asks."""

    def __repr__(self) -> str:
        return f"Account(realm={self.realm!r}, host={self.host!r})"


class Accounts:
    """A credentials lookup over a few accounts: the first whose realm and host both match is used."""

    __slots__ = ("_accounts",)

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = tuple(accounts)

    def __call__(self, realm: str, host: str) -> tuple[str, str] | None:
        """User and password for a challenger, or None."""
        for account in self._accounts:
            if account.realm in ("*", realm) and account.host.lower() in ("*", host.lower()):
                return account.username, account.password
        return None
