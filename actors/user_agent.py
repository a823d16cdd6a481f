"""The user agent: who calls and is called, in a script or in a call worker.

In a script it brings its own embedded node and is an async context manager; the call API is that of the man page's
`Net::SIP::Simple`, in Python's idiom.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sipcore.message import Request

from . import robots
from .call import Call
from .config import Listener, NodeConfig
from .node import EmbeddedNode
from .robots import Robot
from .targets import hop_of


class UserAgent:
    """A SIP user agent on its own sockets.

    from_: our SIP URI, such as "sip:alice@192.0.2.1" (man page `from`).
    legs: addresses to listen on, each "udp:ADDRESS:PORT"; port 0 = any free one (man page `legs`).
    rtp_ports: lowest and highest RTP port, even numbers.

    Raises:
        ConfigurationError: on entering, for an address that is busy or not ours.
    """

    def __init__(
        self,
        from_: str = "sip:sipswarm@127.0.0.1",
        *,
        legs: Sequence[str] = ("udp:127.0.0.1:0",),
        rtp_ports: tuple[int, int] = (20000, 32766),
    ) -> None:
        self.from_ = from_
        config = NodeConfig("", tuple(Listener.parse(leg) for leg in legs), 0, rtp_ports=rtp_ports)
        self._node = EmbeddedNode(config)

    async def __aenter__(self) -> Self:
        await self._node.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._node.close()

    @property
    def legs(self) -> tuple[Listener, ...]:
        """The addresses we listen on, with their real ports."""
        return self._node.config.listeners

    async def invite(
        self,
        to: str,
        *,
        media: str = "silence",
        sip_header: Sequence[tuple[str, str]] = (),
        ring_time: float = 0.0,
    ) -> Call:
        """Call somebody; the established call.

        to: SIP URI. media: what we send: silence, echo, tone:HZ, play:FILE or none. sip_header: further headers of
        the INVITE (C21). ring_time: seconds without a final answer before CANCEL (C30), 0 = 180.

        Raises:
            CallRejected: the peer answered 300 to 699.
            CallTimeout: no final answer came in time.
            ConfigurationError: `to` or `media` cannot be understood, or no leg leads there.
        """
        worker = self._node.worker
        hop = hop_of(to)
        wishes = robots.media_wishes(media, self._node.config.rtp_timeout)
        call = worker.place_call(
            to,
            hop,
            from_=self.from_,
            demand=worker.demand_for(worker.listener_for(hop), **wishes),
            headers=sip_header,
            ring_time=ring_time,
        )
        await call.established()
        return call

    def listen(self, robot: Robot, *, media: str = "silence") -> None:
        """Have every call that comes in run a robot, a coroutine function of the call (man page `listen`).

        media: what answered calls send, as for `invite`.
        """
        worker = self._node.worker
        worker.incoming = robots.media_wishes(media, self._node.config.rtp_timeout)

        def on_call(call: Call, request: Request) -> None:
            robots.run(worker, call, robot)

        worker.on_call = on_call

    def new_call_id(self) -> str:
        """A Call-ID that this user agent may use for a call of its own."""
        return self._node.worker.tokens.call_id()
