"""The remote side of a call or registration, as far as it decides where messages and media may go. Pure data."""

from collections.abc import Callable
from typing import NamedTuple


class Peer(NamedTuple):
    """The hosts that stand behind the addresses which a call learns from messages."""

    hosts: tuple[str, ...] = ()
    """Those whose messages name further addresses: where the INVITE came from, or went to. All of them are asked: an
    address is refused where one of them may not name it."""
    chosen: tuple[str, ...] = ()
    """Those that the user chose, and the source of an incoming call: they are never refused."""

    def joined_by(self, host: str) -> "Peer":
        """Return the peer after its INVITE went to another host, which a 3xx named."""
        return self if host in self.hosts else self._replace(hosts=(*self.hosts, host))


MaySend = Callable[[str, Peer, str], bool]
"""Whether something may be sent to a host that a peer has named; with a text, which names what is sent, a refusal is
counted."""
