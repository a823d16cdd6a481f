"""Media ports taken before a call exists, to be written into a description of the user's own (man page C6, C8)."""

import asyncio
from typing import TYPE_CHECKING, Any

from media import messages as media

from .call_media import Line
from .errors import Overloaded
from .outbox import Outbox

if TYPE_CHECKING:
    from .call_actor import CallActor
    from .call_worker import CallWorker


class MediaLease:
    """One open stream that no call uses yet. Give it to a call as one of `media_lsocks`.

    Attributes:
        address, port, rtcp_port: what to write into the SDP.
    """

    def __init__(self, outbox: Outbox, worker: int, address: str) -> None:
        self.line = Line(outbox.new_stream_id())
        self.address = address
        self.port = 0
        self.rtcp_port = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        outbox.streams[self.line.stream_id] = self
        self._streams = outbox.streams
        self._commands = outbox.media[worker]
        self._commands.append(media.OpenStream(self.line.stream_id, address))

    def media_event(self, event: Any, now: float) -> None:
        """An event of the stream, until a call takes it over."""
        if event.__class__ is media.StreamOpened:
            self.port, self.rtcp_port = self.line.port, self.line.rtcp_port = event.rtp_port, event.rtcp_port
            if not self.ready.done():
                self.ready.set_result(None)
        elif event.__class__ is media.StreamRefused and not self.ready.done():
            self.ready.set_exception(Overloaded(f"no media port: {event.reason}; widen rtp_ports"))

    def give_to(self, actor: "CallActor") -> None:
        """A call uses it from now on, and gets its events."""
        self._streams[self.line.stream_id] = actor

    @property
    def name(self) -> str:
        """What logs call it."""
        return f"media port {self.port}"

    def crashed(self, now: float) -> None:
        """Our own code failed on it."""
        self.line.closed = True

    def media_lost(self, reason: str, now: float) -> None:
        """The media worker is gone."""
        self.line.closed = True

    def release(self, worker: "CallWorker") -> None:
        """Give the port back unused."""
        self._commands.append(media.CloseStream(self.line.stream_id))
        worker.flush_soon()
