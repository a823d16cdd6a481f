"""What a registrar and a proxy of one node serve: their domains, their own addresses, and their users."""

from collections.abc import Callable, Collection, Mapping

from ..diagnosis.server_options import ServerConfig
from ..errors import ConfigurationError
from ..scripts.data import Data

COLUMNS = ("user", "password")


def users_of(path: str) -> dict[str, str]:
    """Return the password of each user of a CSV file.

    Raises:
        ConfigurationError: with file and line: it cannot be read, lacks a column, or has a user twice or without name.
    """
    rows = Data.read(path).rows
    if missing := [each for each in COLUMNS if each not in rows[0]]:
        raise ConfigurationError(f"{path}:1: there is no column {missing[0]}; write user,password in the first line")
    users: dict[str, str] = {}
    for row in rows:
        user = row["user"].strip()
        if not user or user in users:
            problem = f"the user {user} stands twice" if user else "a user has no name"
            raise ConfigurationError(f"{path}:{row.line}: {problem}; write each user once")
        users[user] = row["password"]
    return users


class Domains:
    """The domains of one node.

    Args:
        is_ours: whether a host is the address of a local listener.
        ports: of the listeners.
    """

    def __init__(self, config: ServerConfig, is_ours: Callable[[str], bool], ports: Collection[int]) -> None:
        named = config.domains or (config.realm,)
        self._names = tuple(each.lower() for each in named)
        self._is_ours = is_ours
        self._ports = frozenset(ports)
        self._path = config.users
        self.users: Mapping[str, str] | None = users_of(config.users) if config.users else None
        """The password of each user; None = there is no list, and everybody is one."""

    def reload(self) -> None:
        """Read the list of users again; without one nothing is done.

        Raises:
            ConfigurationError: as for `users_of`; the users before stay.
        """
        if self._path:
            self.users = users_of(self._path)

    def password_of(self, user: str) -> str | None:
        """Return the password that a user has now; None when there is no such user."""
        return None if self.users is None else self.users.get(user)

    def domain_of(self, host: str) -> str | None:
        """Return the domain that a host stands for; None for one that is not served."""
        name = host.lower()
        if name in self._names:
            return name
        return self._names[0] if self._is_ours(host) else None

    def is_own(self, host: str, port: int) -> bool:
        """Whether a host and port are of this node."""
        return port in self._ports and (self._is_ours(host) or host.lower() in self._names)

    @property
    def knows(self) -> Callable[[str], bool] | None:
        """Whether there is a user of a name, also after `reload`; None = everybody is one."""
        return None if self.users is None else self._has

    def _has(self, user: str) -> bool:
        return self.users is not None and user in self.users
