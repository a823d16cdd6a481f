"""Media ports taken before a call exists, to be written into a description of the user's own (man page C6, C8, C9)."""

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sipswarm.media import messages as media

from ..call.media import MediaStream
from ..diagnosis.failure_reasons import reason_of
from ..errors import Overloaded
from ..runtime.actor import StreamOwner
from ..runtime.outbox import Outbox

if TYPE_CHECKING:
    from ..call_worker.worker import CallWorker


class MediaLease(StreamOwner):
    """One open stream that no call uses yet. Give it to a call as one of `media_lsocks` or `media_ssocks`.

    sockets: RTP and perhaps RTCP, bound by the caller, in place of ports of the pool; one loop with the media worker.

    address: what peers see. bound: what ports of the pool are bound to, where that differs.

    Attributes:
        address, port, rtcp_port: what to write into the SDP.
    """

    def __init__(
        self, outbox: Outbox[Any], worker: int, address: str, sockets: Sequence[socket.socket] = (), *, bound: str = ""
    ) -> None:
        self.line = MediaStream(outbox.new_stream_id())
        self.address = address
        self.port = 0
        self.rtcp_port = 0
        self.sockets = tuple(sockets)
        """kept, because the media worker takes their descriptors a moment later"""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outbox.streams[self.line.stream_id] = self
        self._streams = outbox.streams
        self._commands = outbox.media[worker]
        rtp, rtcp = (*sockets, None, None)[:2]
        if rtp is not None:
            self._is_bound(rtp.getsockname()[1], rtcp.getsockname()[1] if rtcp is not None else 0)
        self._commands.append(
            media.OpenStream(
                self.line.stream_id,
                bound or address,
                rtp_fd=rtp.fileno() if rtp is not None else -1,
                rtcp_fd=rtcp.fileno() if rtcp is not None else -1,
            )
        )

    def _is_bound(self, port: int, rtcp_port: int) -> None:
        self.port, self.rtcp_port = self.line.port, self.line.rtcp_port = port, rtcp_port
        if not self.ready.done():
            self.ready.set_result(None)

    def media_event(self, event: Any, now: float) -> None:
        """An event of the stream, until a call takes it over."""
        if event.__class__ is media.StreamOpened:
            self._is_bound(event.rtp_port, event.rtcp_port)
        elif event.__class__ is media.StreamRefused:
            self._is_gone(f"no media port: {event.reason}; widen rtp_ports", event.reason)
        elif event.__class__ is media.StreamClosed:
            self._is_gone("the media port was closed", "closed")

    def _is_gone(self, text: str, cause: str) -> None:
        self.line.closed = True
        self._streams.pop(self.line.stream_id, None)
        if not self.ready.done():
            self.ready.set_exception(Overloaded(text, reason_of(cause) or "media_failed"))
            self.ready.exception()  # nobody has to wait for it

    def give_to(self, owner: StreamOwner) -> None:
        """A call uses it from now on, and gets its events."""
        self._streams[self.line.stream_id] = owner

    @property
    def name(self) -> str:
        """What logs call it."""
        return f"media port {self.port}"

    def crashed(self, now: float, error: BaseException) -> None:
        """Our own code failed on it."""
        self._is_gone("our own code failed on this media port", "internal_error")

    def media_lost(self, reason: str, now: float) -> None:
        """The media worker is gone, or took no command."""
        self._is_gone(f"no media port: {reason}", reason)

    def release(self, worker: "CallWorker") -> None:
        """Give the port back unused."""
        self._commands.append(media.CloseStream(self.line.stream_id))
        worker.actor_loop.flush_soon()
