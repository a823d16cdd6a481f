"""The next hops of a proxy that are names: looked up beside the loop, as those of a call (RFC 3263).

Among equal SRV records the choice follows from the request (`Lookup.lot`), so that a repetition, CANCEL and ACK go the
same way (RFC 3261 section 16.11). How many requests wait is bounded.
"""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.server.proxy import Lookup

from ..errors import ConfigurationError
from ..transport.names.addresses import ip_version
from ..transport.output import SipOutput

MOST: Final = 256
"""Requests that wait for DNS; their senders repeat further ones."""


class NextHops:
    """The look-ups of one proxy.

    Args:
        spawn: runs a look-up.
    """

    def __init__(self, output: SipOutput, spawn: Callable[[Awaitable[None]], None]) -> None:
        self._output = output
        self._spawn = spawn
        self._looking = 0

    def find(self, lookup: Lookup, then: Callable[[tuple[Hop, ...]], None]) -> bool:
        """Look a next hop up; False = too many requests wait already.

        Args:
            then: called with what was found, the preferred one first; nothing for a name without address.
        """
        if self._looking >= MOST:
            return False
        self._looking += 1
        self._spawn(self._look_up(lookup, then))
        return True

    async def _look_up(self, lookup: Lookup, then: Callable[[tuple[Hop, ...]], None]) -> None:
        output = self._output
        host = lookup.uri.maddr or lookup.uri.host
        reachable = tuple((hop.transport, ip_version(hop.host)) for hop in output.hops)
        hops: tuple[Hop, ...] = ()
        try:
            hops = await output.late.names().hops(lookup.uri, reachable, Random(lookup.lot))
            output.late.learn(host, hops)
        except ConfigurationError:
            pass  # the name has no address
        finally:
            self._looking -= 1
        for hop in hops:
            output.name(hop, host)
        then(hops)
        output.flush()
