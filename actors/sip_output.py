"""The way out for SIP messages of a call worker: which of the node's listeners, and how.

UDP goes out at once on the inherited listen sockets, so that it comes from the port we listen on (RFC 3581). Streams
belong to the dispatcher: their messages go to it over the sip link.
"""

import socket
from collections.abc import Callable, Sequence

from sipcore.hop import Hop

from .config import Listener
from .messages import SendSip
from .outbox import Departure
from .sip_counters import SipCounters
from .totals import Totals


class SipOutput:
    """One per call worker.

    listeners, sockets: of the node, in the same order; a stream listener's socket is not written to. hand_on: sends a
    record to the dispatcher, False when it does not take it.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        sockets: Sequence[socket.socket],
        counters: SipCounters,
        totals: Totals,
        hand_on: Callable[[SendSip], bool],
    ) -> None:
        self.hops = [Hop(each.transport, each.host, each.port) for each in listeners]
        """our own addresses, one per listener"""
        self._sockets = list(sockets)
        self._index = {(hop.transport, ":" in hop.host): index for index, hop in reversed(list(enumerate(self.hops)))}
        self._own = {hop: index for index, hop in enumerate(self.hops)}
        self._counters = counters
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_from_slot")
        self._hand_on = hand_on

    def listener_for(self, hop: Hop) -> int | None:
        """Index of the first listener of the hop's transport and address family; None when there is none."""
        return self._index.get((hop.transport, ":" in hop.host))

    def send(self, departure: Departure) -> None:
        """Put a message of a call on the wire, from the call's own listener where that reaches the hop."""
        data, hop, flow, local = departure
        family = ":" in hop.host
        if local.transport == hop.transport and (":" in local.host) == family and local in self._own:
            listener = self._own[local]
        else:
            listener = self._index.get((hop.transport, family), 0)
        self.send_from(listener, data, hop.host, hop.port, flow)

    def send_from(self, listener: int, data: bytes, host: str, port: int, flow: int = 0) -> None:
        """Put a message on the wire from one listener."""
        transport = self.hops[listener].transport
        if transport != "udp":
            if not self._hand_on(SendSip(listener, flow, host, port, data)):
                self._dropped.value += 1
                return
        else:
            try:
                self._sockets[listener].sendto(data, (host, port))
            except OSError:
                self._dropped.value += 1  # its transaction repeats it, or times out
                return
        self._counters.sent(data, transport)
