"""The two sides of each arrival of a load: From, To, credentials, headers and body, by the row of its data.

The data of a load without a scenario are CSV with a line of column names: `from`, `to`, `user`, `password`,
`header:NAME`, and `body` for a MESSAGE. An empty field leaves the load's own value. All rows are checked when the file
is read, before anything is sent. Where a request goes is decided by the load's target, never by a row.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sipswarm.sipcore.message.hop import bracketed
from sipswarm.sipcore.message.uri import Uri

from ...agent.own_identity import uri_in
from ...config import LoadConfig
from ...errors import ConfigurationError
from ...handle.given_text import checked_own, checked_pairs, checked_target, checked_text
from ...identity import Identity, Keyring
from ...scripts.data import Data, Row

COLUMNS: Final = ("from", "to", "user", "password")
"""Columns of every load without a scenario."""
HEADER: Final = "header:"
"""Begins the name of a column whose values are those of a header."""
_OF_A_URI: Final = frozenset(":@<")
"""Characters of which a bare user has none."""


class Party(NamedTuple):
    """The two sides of one arrival."""

    identity: Identity
    """The local side: From, credentials and further headers."""
    target: str
    """The remote side, as SIP URI: To and Request-URI."""
    body: str
    """Text of a MESSAGE."""
    line: int = 0
    """Of its row in the file of `--data`; 0 = it has none."""


class Parties:
    """The sides of all arrivals of a load.

    Args:
        identity: the local side where no row has another one.
        servers: hosts that may challenge for the credentials of a row; those of its own URIs may in any case.

    Raises:
        ConfigurationError: the data cannot be taken; with file and line.
    """

    def __init__(self, config: LoadConfig, identity: Identity, servers: Sequence[str] = ()) -> None:
        self._config = config
        self._identity = identity
        self._servers = tuple(servers)
        own = config.target if config.method == "register" else identity.from_
        self._domain = bracketed(uri_in(own).host)
        """Of users without a domain in the column `from`."""
        self._data = _checked(config, Data.read(config.data, config.seed)) if config.data else None
        for row in self._data.rows if self._data is not None else ():
            try:
                self._of_row(row)
            except ConfigurationError as error:
                raise ConfigurationError(f"{config.data}:{row.line}: {error}") from error

    def of(self, index: int) -> Party:
        """Return the sides of an arrival.

        Args:
            index: its number over all shards.
        """
        row = self._data.take(index) if self._data is not None else None
        return Party(self._identity, self._config.target, self._config.body) if row is None else self._of_row(row)

    def lacking(self, column: str) -> int:
        """Return the line of the first row without a value in a column; 0 = there is none."""
        rows = self._data.rows if self._data is not None else ()
        return next((row.line for row in rows if not row.get(column)), 0)

    def _of_row(self, row: Row) -> Party:
        identity, target = self._identity, self._config.target
        if row.get("from"):
            identity = identity._replace(from_=checked_own("from", row["from"], self._domain))
        if row.get("to"):
            target = _complete(target, row["to"])
        user, password = row.get("user", ""), row.get("password", "")
        if bool(user) != bool(password):
            raise ConfigurationError("user and password belong together; give both")
        if user:
            keyring = Keyring((user, password))
            for host in (*self._servers, uri_in(self._config.target).host, uri_in(target).host):
                keyring.trust(host)
            identity = identity._replace(credentials=keyring)
        pairs = [(name.removeprefix(HEADER), row[name]) for name in row if name.startswith(HEADER) and row[name]]
        if pairs:
            identity = identity._replace(headers=(*identity.headers, *checked_pairs("headers", pairs)))
        return Party(identity, target, row.get("body") or self._config.body, row.line)


def _checked(config: LoadConfig, data: Data) -> Data:
    """Return the data of a load without a scenario.

    Raises:
        ConfigurationError: its columns have no names, or others than the load reads.
    """
    first = data.rows[0]
    if "field0" in first:
        raise ConfigurationError(
            f"{config.data}: columns in SIPp's form have no names; without --scenario begin with a line of names"
        )
    known: tuple[str, ...] = (*COLUMNS, "body") if config.method == "message" else COLUMNS
    if config.method == "register":
        known = tuple(each for each in known if each != "to")
    for name in first:
        if name not in known and not (name.startswith(HEADER) and name != HEADER):
            raise ConfigurationError(
                f"{config.data}: there is no column {name!r} for --method {config.method}; there are "
                f"{', '.join(known)} and {HEADER}NAME"
            )
    return data


def _complete(target: str, given: str) -> str:
    """Return a SIP URI, or the target's with another user."""
    if set(given) & _OF_A_URI:
        return checked_target("to", given)
    return str(Uri.parse(target).replace(user=checked_text("to", given)))
