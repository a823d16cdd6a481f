"""The way out for SIP messages of a call worker: the choice of a listener of the node, and the sending.

UDP goes out at once on the inherited listen sockets, so that it leaves from the port of the listener (RFC 3581).
Streams belong to the dispatcher: their messages go to it over the sip link, together once per flush. Requests that are
too long for UDP go over TCP where the node has it (`LargeRequests`); a hop that is a name waits for DNS (`LateNames`).
A message that cannot be sent is counted, and reported to its call unless it will be repeated. It must never stop the
messages after it.
"""

import re
import socket
from collections.abc import Callable, Sequence
from typing import Final

from sipswarm.sipcore.message.hop import Hop

from ..bus.messages import SendFailed, SendSip
from ..config import Listener, is_wildcard
from ..counting.totals import Totals
from ..diagnosis.request_loss import Loss, may_have_arrived
from ..runtime.outbox import Departure
from ..runtime.peer import MaySend, Peer
from ..trace.recorder import SipTrace
from . import packet_info
from .counters import SipCounters
from .local_addresses import LocalAddresses
from .names.addresses import is_address
from .names.pending_names import NOT_SENT_TO, LateNames, Waiting
from .socket_errors import AWAY, TRANSIENT, loss_of
from .tcp_switch import LONGEST_DATAGRAM, LargeRequests

BATCH: Final = 256
"""Records in one link message."""
NAMES: Final = 4096
"""Hops whose names are remembered, for the certificates that they must show."""
EARLIER_ERRORS: Final = 2
"""Errors of earlier datagrams that one `sendto` may meet."""
ROUTES: Final = 4096
"""Hops whose way is remembered."""

_VIA: Final = re.compile(rb"\r\nVia: SIP/2\.0/UDP \[?([0-9A-Fa-f.:]{1,45})\]?:\d{1,5};")
SIP: Final = "sip"
"""Names messages to `may_send`."""
_ENDS: Final = (b"BYE ", b"CANCEL ")
"""Requests without which a peer stays in its call. They are repeated also while the network is away, for 32 s."""
_NO_ROOM: Final = ("the dispatcher takes no more", Loss.LOCAL)
Route = tuple[int | None, tuple[str, int] | None]
Hook = Callable[[bytes, Hop], bytes]
"""Returns what is sent instead of a message to a hop; empty = nothing is sent."""


class SipOutput:
    """One per call worker.

    Args:
        listeners, sockets: of the node, in the same order; a stream listener's socket is not written to.
        lost: gets each request that the dispatcher did not take.
        advertise: as `NodeConfig.advertise`.
        hand_on: sends records to the dispatcher, False when it does not take them.
        may_send: judges the addresses that peers name; None = all may be sent to.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        sockets: Sequence[socket.socket],
        counters: SipCounters,
        totals: Totals,
        lost: Callable[[SendFailed], None],
        advertise: Sequence[str] = (),
        *,
        hand_on: Callable[[Sequence[SendSip]], bool] = lambda records: False,
        may_send: MaySend | None = None,
    ) -> None:
        self.may_send = may_send
        """Judges the addresses that peers name, for media too."""
        self.addresses = LocalAddresses(listeners, advertise)
        self.hops = self.addresses.hops
        """The addresses of the sockets, one per listener."""
        self._sockets = list(sockets)
        self._counters = counters
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "sip_from_slot")
        self._hand_on = hand_on
        self._lost = lost
        self.trace: SipTrace | None = None
        """Remembers what goes out."""
        self._hook: Hook | None = None
        self._for_streams: list[SendSip] = []
        self._names: dict[Hop, str] = {}
        self._routes: dict[tuple[Hop, Hop], Route] = {}
        self.large = LargeRequests(self.hops, seen=self.addresses.advertised)
        self.late = LateNames(self._send_late, self._lose, self.name, self._may_leave)

    def record_to(self, trace: SipTrace | None) -> None:
        """Have what goes out remembered from now on; None = no more."""
        self.trace = trace

    def pass_through(self, hook: Hook | None) -> None:
        """Have each message pass a function before it leaves; None = no more."""
        self._hook = hook

    def listener_for(self, hop: Hop) -> int | None:
        """Return the index of the listener from which a hop is reached; None when there is none."""
        return self.addresses.listener_for(hop)

    def name(self, hop: Hop, name: str) -> None:
        """Remember the name that a hop's address was found by: its certificate must show it (RFC 5922 section 4)."""
        if hop.transport == "tls" and hop.host != name:
            if len(self._names) >= NAMES:
                del self._names[next(iter(self._names))]
            self._names[hop] = name

    def send(self, departure: Departure) -> None:
        """Put a message of a call on the wire, from the call's own listener where that reaches the hop."""
        data, hop, flow, local, peer = departure
        if self._hook is not None:
            data = self._hook(data, hop)
            if not data:
                return
        if peer is not None:
            if hop.host in peer.chosen:
                peer = None
            elif not self._may_leave(data, hop.host, peer):
                where = self.addresses.index_of(local) or 0
                self._refuse(where, data, hop.host, hop.port, NOT_SENT_TO, Loss.FORBIDDEN)
                return
        listener, address = self._routes.get((hop, local)) or self._route(hop, local)
        if listener is None:
            reason = f"no listener of {hop.transport} and IPv{6 if ':' in hop.host else 4} is there"
            self._refuse(self.addresses.index_of(local) or 0, data, hop.host, hop.port, reason, Loss.NO_WAY)
        elif address is None or len(data) > LONGEST_DATAGRAM or self.large.switched:
            self._send_from(listener, data, hop.host, hop.port, flow, local.host, peer)
        else:
            self._send_datagram(listener, data, address)

    def _may_leave(self, data: bytes, host: str, peer: Peer | None) -> bool:
        """Whether a message may go to a host: a response may, for it goes where its request came from."""
        if peer is None or self.may_send is None or data.startswith(b"SIP/2.0 "):
            return True
        return self.may_send(host, peer, SIP)

    def toward(self, hop: Hop, local: Hop) -> int | None:
        """Return the listener that a message to a hop leaves from.

        It is `local` where that reaches the hop, else the first that does. A hop that is a name is reached by each
        listener of its transport, until DNS answers.
        """
        own = self.addresses.index_of(local)
        if own is not None and self.addresses.reaches(local, hop):
            return own
        return self.addresses.for_hop(hop)

    def _route(self, hop: Hop, local: Hop) -> Route:
        """Return the listener for a hop; remembered.

        Returns:
            Its index, and the address where a datagram of usual length needs nothing more.
        """
        listener = self.toward(hop, local)
        simple = listener is not None and self.hops[listener].transport == "udp" and is_address(hop.host)
        simple = simple and listener is not None and not self.addresses.wildcard[listener]
        route = (listener, (hop.host, hop.port) if simple else None)
        if len(self._routes) >= ROUTES:
            self._routes.clear()
        self._routes[hop, local] = route
        return route

    def send_from(
        self,
        listener: int,
        data: bytes,
        host: str,
        port: int,
        flow: int = 0,
        local: str = "",
    ) -> None:
        """Put a message of no call on the wire from one listener.

        Args:
            listener: its index.
            flow: of the connection to use, 0 = any.
            local: the address that a response leaves from.
        """
        if self._hook is not None:
            data = self._hook(data, Hop(self.hops[listener].transport, host, port))
            if not data:
                return
        self._send_from(listener, data, host, port, flow, local)

    def _send_from(
        self,
        listener: int,
        data: bytes,
        host: str,
        port: int,
        flow: int = 0,
        local: str = "",
        peer: Peer | None = None,
    ) -> None:
        """Send from one listener.

        Args:
            peer: judges the addresses of a host that is a name; None = all are sent to.
        """
        transport = self.hops[listener].transport
        if not is_address(host):
            self.late.send(listener, self.hops[listener], Waiting(data, flow, peer), host, port)
        elif transport == "udp":
            if len(data) > LONGEST_DATAGRAM or self.large.switched:
                switched = self.large.switch(listener, data, host, port)
                if switched is not None:
                    if switched[1]:
                        self._queue(switched[0], switched[1], host, port, 0)
                    return
            self._send_datagram(listener, data, (host, port), local)
        else:
            self._queue(listener, data, host, port, flow)

    def send_as_is(self, listener: int, data: bytes, hop: Hop, flow: int = 0, local: str = "") -> None:
        """Put a message on the wire without a change: also one that is too long for a datagram stays on UDP.

        Args:
            listener: the index of the one that it leaves from.
            data: the whole message.
            hop: where it goes, by its address.
            flow: of the connection to use, 0 = any.
            local: the address that a response leaves from.
        """
        if hop.transport == "udp":
            self._send_datagram(listener, data, (hop.host, hop.port), local)
        else:
            self._queue(listener, data, hop.host, hop.port, flow)

    def _send_datagram(self, listener: int, data: bytes, address: tuple[str, int], local: str = "") -> None:
        source = self._source(data, address[0], local) if self.addresses.wildcard[listener] else ""
        try:
            self._put(self._sockets[listener], data, address, source)
        except (ValueError, OverflowError):  # an address that cannot be: it must not stop the other messages
            self._refuse(listener, data, *address, "sending failed: no such address", Loss.NO_WAY)
        except OSError as error:
            if error.errno in TRANSIENT or (error.errno in AWAY and data.startswith(_ENDS)):
                self._dropped.value += 1  # its transaction repeats it, or times out
            else:  # RFC 3261 section 18.4: nothing is gained by repeating it
                self._refuse(listener, data, *address, f"sending failed: {error.strerror}", loss_of(error.errno))
        else:
            self._counters.sent(data, "udp")
            if self.trace is not None:
                self.trace.sent(listener, data, address, self._shown(listener, address[0], source))

    def _source(self, data: bytes, host: str, local: str) -> str:
        """The address of this host that a datagram leaves from; empty = as the kernel chooses.

        A response leaves from where its request came in (`local`), a request from the address in its Via; where that is
        advertised, and no address of the socket, the kernel chooses.
        """
        if data.startswith(b"SIP/2.0 "):
            return "" if is_wildcard(local) else local
        via = _VIA.search(data) if self.addresses.shows_own(host) else None
        return via[1].decode() if via is not None else ""

    def _shown(self, listener: int, host: str, source: str = "") -> str:
        """The local address of a message in the trace; empty = that of its listener."""
        if not self.addresses.wildcard[listener]:
            return ""
        return source or self.addresses.toward(listener, host).bound.host

    @staticmethod
    def _put(opened: socket.socket, data: bytes, address: tuple[str, int], source: str) -> None:
        """Send a datagram. The first errors may be those of earlier ones, which ICMP has brought meanwhile."""
        for _ in range(EARLIER_ERRORS):
            try:
                packet_info.send(opened, data, address, source)
            except BlockingIOError:
                raise
            except OSError:
                continue
            else:
                return
        packet_info.send(opened, data, address, source)

    def _queue(self, listener: int, data: bytes, host: str, port: int, flow: int) -> None:
        hop = self.hops[listener]
        name = self._names.get(Hop(hop.transport, host, port), "") if self._names else ""
        self._for_streams.append(SendSip(listener, flow, host, port, name, data))

    def flush(self) -> None:
        """Hand the messages for connections to the dispatcher."""
        waiting = self._for_streams
        if not waiting:
            return
        self._for_streams = []
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            if self._hand_on(batch):
                for record in batch:
                    self._counters.sent(record.data, self.hops[record.listener].transport)
                    if self.trace is not None:
                        shown = self._shown(record.listener, record.host)
                        self.trace.sent(record.listener, record.data, (record.host, record.port), shown)
            else:
                for record in batch:
                    self._lose(record.listener, record.data, record.host, record.port, *_NO_ROOM)

    def _send_late(self, listener: int, data: bytes, host: str, port: int, flow: int) -> None:
        """Send a message whose host was a name and is known now, outside of any flush."""
        self._send_from(listener, data, host, port, flow)
        self.flush()

    def _lose(self, listener: int, data: bytes, host: str, port: int, reason: str, loss: Loss) -> None:
        """Count a message that found no room, or whose name has no address.

        A response or ACK that found no room is sent again with the message that it answers; all others are reported to
        their call.
        """
        if loss is Loss.LOCAL and may_have_arrived(data):
            self._dropped.value += 1
        else:
            self._refuse(listener, data, host, port, reason, loss)

    def _refuse(self, listener: int, data: bytes, host: str, port: int, reason: str, loss: Loss) -> None:
        """Count a message that can never be sent, and report it to its call."""
        self._dropped.value += 1
        self._lost(SendFailed(listener, host, port, data, reason, loss.value))

    def fall_back(self, failed: SendFailed) -> bool:
        """Send a long request by UDP after all, when no connection came about.

        Once there was a connection the peer may have the request already, and would take a second one for a loop.

        Returns:
            False when it was no such request.
        """
        if failed.loss == Loss.LOST.value:
            return False
        datagram = self.large.restore(failed.data, failed.host, failed.port)
        if datagram is None:
            return False
        self._send_datagram(*datagram, (failed.host, failed.port))
        return True
