"""Messages to hosts that are still names, as a peer's Contact may have them: looked up beside the loop, then sent.

RFC 3263 for requests within a dialog; only addresses are looked up, because transport and port are chosen already. The
first message to a name starts its lookup, later ones wait for the same one. When it ends, all are sent, or reported as
lost. The messages that wait are bounded, and none may wait for ever.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Final, NamedTuple

from sipswarm.sipcore.errors import SipError
from sipswarm.sipcore.message.hop import Hop, bracketed
from sipswarm.sipcore.message.uri import Uri

from ...diagnosis.request_loss import Loss
from ...errors import ConfigurationError
from ...runtime.peer import Peer
from .addresses import ip_version
from .resolver import Resolver

NOT_SENT_TO: Final = "the peer has named an address in a network that is not sent to"
_logger = logging.getLogger(__name__)
MOST: Final = 256
"""Messages that wait for one name."""
MOST_NAMES: Final = 256
MOST_KNOWN: Final = 1024
"""Names whose addresses are remembered."""
MOST_ADDRESSES: Final = 64
"""Addresses remembered of a name."""


class Waiting(NamedTuple):
    """A message, the connection it may go by, and the peer that has named its host."""

    data: bytes
    flow: int
    peer: Peer | None = None


class LateNames:
    """One per call worker.

    Args:
        send: sends a message to an address: listener, octets, host, port, flow.
        lost: gets what cannot be sent: listener, octets, host, port, reason, loss.
        found: gets each hop and the name that led to it.
        may_leave: whether octets may go to an address that a peer has named.
    """

    def __init__(
        self,
        send: Callable[[int, bytes, str, int, int], None],
        lost: Callable[[int, bytes, str, int, str, Loss], None],
        found: Callable[[Hop, str], None],
        may_leave: Callable[[bytes, str, Peer | None], bool] = lambda data, host, peer: True,
    ) -> None:
        self._send = send
        self._lost = lost
        self._found = found
        self._may_leave = may_leave
        self._known: dict[str, frozenset[str]] = {}
        self._waiting: dict[tuple[int, str, int], list[Waiting]] = {}
        self._tasks: set[asyncio.Task[tuple[Hop, ...]]] = set()
        self.resolver: Resolver | None = None
        """Made when the first name comes."""

    def send(self, listener: int, local: Hop, message: Waiting, host: str, port: int) -> None:
        """Send a message as soon as its host is known.

        Args:
            listener: its index.
            local: the local address on that listener.
        """
        key = (listener, host, port)
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= MOST_NAMES:
                self._lost(listener, message.data, host, port, "too many names wait for DNS", Loss.LOCAL)
                return
            waiting = self._waiting[key] = []
            task = asyncio.get_running_loop().create_task(self._look_up(key, local))
            self._tasks.add(task)
            task.add_done_callback(partial(self._looked_up, key))
        if len(waiting) < MOST:
            waiting.append(message)
        else:
            self._lost(listener, message.data, host, port, "too many messages wait for DNS", Loss.LOCAL)

    def use(self, resolver: Resolver) -> None:
        """Use this resolver from now on."""
        self.resolver = resolver

    def names(self) -> Resolver:
        """Return the resolver; it is made when it is used for the first time."""
        if self.resolver is None:
            self.resolver = Resolver(random=Random())
        return self.resolver

    def learn(self, name: str, hops: Iterable[Hop]) -> None:
        """Remember which addresses a name led to."""
        if len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        known = self._known.pop(name.lower(), frozenset())
        if len(known) >= MOST_ADDRESSES:
            known = frozenset()  # a name whose addresses never stay the same
        self._known[name.lower()] = known.union(hop.host for hop in hops)

    def addresses_of(self, name: str) -> frozenset[str]:
        """Return the addresses that a name was found to have; none while it is not known."""
        return self._known.get(name, frozenset())

    @property
    def waiting(self) -> int:
        """Number of names that are being looked up."""
        return len(self._waiting)

    def close(self) -> None:
        """Stop waiting."""
        for each in self._tasks:
            each.cancel()

    async def _look_up(self, key: tuple[int, str, int], local: Hop) -> tuple[Hop, ...]:
        _, host, port = key
        uri = Uri.parse(f"sip:{bracketed(host)}:{port};transport={local.transport}")
        return await self.names().hops(uri, ((local.transport, ip_version(local.host)),))

    def _looked_up(self, key: tuple[int, str, int], task: "asyncio.Task[tuple[Hop, ...]]") -> None:
        """A lookup is over, in whichever way: the messages that wait for the name must not wait for ever."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        listener, host, port = key
        error = task.exception()
        if error is not None:
            if not isinstance(error, ConfigurationError | SipError):
                _logger.error("looking up a name failed", exc_info=error)
            for each in self._waiting.pop(key):
                self._lost(listener, each.data, host, port, str(error), Loss.UNREACHABLE)
            return
        hops = task.result()
        self.learn(host, hops)
        self._found(hops[0], host)
        for each in self._waiting.pop(key):
            hop = next((hop for hop in hops if self._may_leave(each.data, hop.host, each.peer)), None)
            if hop is not None:
                self._send(listener, each.data, hop.host, port, each.flow)
            else:
                self._lost(listener, each.data, host, port, NOT_SENT_TO, Loss.FORBIDDEN)
