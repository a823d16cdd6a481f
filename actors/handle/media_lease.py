"""Media ports taken before a call exists, to be written into a description that the user makes (man page `sdp`).

A lease opens a stream and gets its events until a call takes it over by `give_to`, or `release` closes it. All leases
of a worker are in one media worker while that is there, so that a call can use any of them; `bring` moves a call there.
A lease must not outlive its media worker: one whose port is known to its user ends, another is taken elsewhere.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sipswarm.media import messages as media
from sipswarm.sipcore.sdp.relayed import MediaPlace

from ..call.actor import CallActor
from ..call.media_stream import MediaStream
from ..diagnosis.failure_reasons import reason_of
from ..errors import Overloaded
from ..runtime.actor import StreamOwner
from ..runtime.outbox import Outbox


class MediaPort(NamedTuple):
    """A port that a call has opened itself, as `media_lsocks` shows it from the start of its media on."""

    address: str
    port: int
    """Port of RTP."""
    rtcp_port: int


class MediaLease(StreamOwner):
    """One open stream that no call uses yet. Give it to a call as one of `media_lsocks` or `media_ssocks`.

    Args:
        preferred: index of the media worker, as long as it is there.
        address: the address that peers see.
        sockets: RTP and perhaps RTCP, bound by the user, instead of ports of the pool; only with the media worker in
            the same loop.
        flush_soon: flushes the outbox soon.
        bound: the address that ports of the pool are bound to, where it differs.
        gone: called with the cause when the stream is over, and with "silent" when a relay had no packet for its limit.

    Attributes:
        address, port, rtcp_port: the values for the SDP.
    """

    def __init__(
        self,
        outbox: Outbox[Any],
        preferred: int,
        address: str,
        sockets: Sequence[socket.socket] = (),
        *,
        flush_soon: Callable[[], None],
        bound: str = "",
        gone: Callable[[str], None] = lambda cause: None,
    ) -> None:
        self.address = address
        self.port = 0
        self.rtcp_port = 0
        self._bound = bound or address
        self._gone = gone
        self._outbox = outbox
        self._flush_soon = flush_soon
        self.sockets = tuple(sockets)
        """Kept, because the media worker takes their descriptors a moment later."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open(preferred)

    def _open(self, preferred: int) -> None:
        """Open the stream at a media worker that is there."""
        self.worker, self._commands = self._outbox.place(preferred)
        self.line = MediaStream(self._outbox.new_stream_id(), worker=self.worker)
        self._outbox.streams[self.line.stream_id] = self
        self._flush_soon()
        rtp, rtcp = (*self.sockets, None, None)[:2]
        if rtp is not None:
            self._is_bound(rtp.getsockname()[1], rtcp.getsockname()[1] if rtcp is not None else 0)
        self._commands.append(
            media.OpenStream(
                self.line.stream_id,
                self._bound,
                rtp_fd=rtp.fileno() if rtp is not None else -1,
                rtcp_fd=rtcp.fileno() if rtcp is not None else -1,
            )
        )

    def _is_bound(self, port: int, rtcp_port: int) -> None:
        self.port, self.rtcp_port = port, rtcp_port
        self.line.opened(port, rtcp_port)
        if not self.ready.done():
            self.ready.set_result(None)

    def media_event(self, event: Any, now: float) -> None:
        """Take an event of the stream, until a call takes it over."""
        if event.__class__ is media.StreamOpened:
            self._is_bound(event.rtp_port, event.rtcp_port)
        elif event.__class__ is media.StreamRefused:
            self._is_gone(f"no media port: {event.reason}; widen rtp_ports", event.reason)
        elif event.__class__ is media.StreamClosed:
            self._is_gone("the media port was closed", "closed")
        elif event.__class__ is media.StreamSilent and event.level == "limit":
            self._gone("silent")

    def _is_gone(self, text: str, cause: str) -> None:
        self.line.gone()
        self._outbox.streams.pop(self.line.stream_id, None)
        if not self.ready.done():
            self.ready.set_exception(Overloaded(text, reason_of(cause) or "media_failed"))
            self.ready.exception()  # not every user awaits it: then nothing is reported as forgotten
        self._gone(cause)

    def give_to(self, owner: StreamOwner) -> None:
        """Give the stream and its events to a call from now on."""
        self._outbox.streams[self.line.stream_id] = owner

    @property
    def name(self) -> str:
        """Name of the lease in logs."""
        return f"media port {self.port}"

    def crashed(self, now: float, error: BaseException) -> None:
        """End the lease: the program failed on it."""
        self._is_gone("our own code failed on this media port", "internal_error")

    def media_lost(self, worker: int, reason: str, now: float) -> None:
        """Take the port elsewhere, if its user does not know it yet; else end the lease."""
        if worker != self.worker or self.line.closed:
            return
        self._commands.append(media.CloseStream(self.line.stream_id))  # its media worker may only not answer
        if self.ready.done():
            self._is_gone(f"no media port: {reason}", reason)
        else:
            self.line.gone()
            self._outbox.streams.pop(self.line.stream_id, None)
            self._outbox.unplaced.append(self)

    def media_found(self, now: float) -> None:
        """Open the stream elsewhere."""
        self._open(self.worker)

    def media_missing(self, now: float) -> None:
        """End the lease: no media worker is there."""
        self._is_gone("no media port: media_worker_lost", "media_worker_lost")

    def relay(self, through: "MediaLease", peer: MediaPlace, latch: str, limit: float) -> None:
        """Send what comes to this port from another one on, and here what comes to that; it gets no call any more.

        Args:
            through: of the same media worker.
            peer: where the remote side of this port announces to receive.
            latch: IP address of its signalling: a packet from there shows its address too.
            limit: seconds without any packet that are reported; 0 = none are.
        """
        remote = peer.address, peer.port, peer.rtcp_address, peer.rtcp_port
        here, there = self.line.stream_id, through.line.stream_id
        self._commands.append(media.RelayStream(here, there, *remote, latch_address=latch, inactivity_limit=limit))
        self._flush_soon()

    def command(self, command: media.Command) -> None:
        """Give the stream a command, for an owner that is no call.

        Args:
            command: with the number of the stream, `line.stream_id`.
        """
        self._commands.append(command)
        self._flush_soon()

    def release(self) -> None:
        """Close the port unused."""
        self._commands.append(media.CloseStream(self.line.stream_id))
        self._flush_soon()


class MediaLeases:
    """Makes the leases of one call worker, and moves calls to their media worker.

    Args:
        worker: the media worker of all leases while it is there; one, so that a call can use any of them.
        at_listener: returns the address that peers see at a listener, and that of its socket.
        at_address: returns the address that peers see where a socket is bound.
        shares_process: the media worker runs in this process, so that it can use sockets of the user.
    """

    def __init__(
        self,
        outbox: Outbox[Any],
        worker: int,
        *,
        flush_soon: Callable[[], None],
        at_listener: Callable[[int], tuple[str, str]],
        at_address: Callable[[str], str],
        shares_process: bool,
    ) -> None:
        self._outbox = outbox
        self.worker = worker
        self._flush_soon = flush_soon
        self._at_listener = at_listener
        self._at_address = at_address
        self.shares_process = shares_process

    def lease(self, listener: int) -> MediaLease:
        """Take a media port before there is a call for it."""
        seen, bound = self._at_listener(listener)
        self.worker = self._outbox.workers.choose(self.worker)
        return MediaLease(self._outbox, self.worker, seen, flush_soon=self._flush_soon, bound=bound)

    def lease_at(self, seen: str, bound: str, gone: Callable[[str], None]) -> MediaLease:
        """Take a media port at an address.

        Args:
            seen: the address that peers see.
            bound: that of the socket.
            gone: as for `MediaLease`.
        """
        self.worker = self._outbox.workers.choose(self.worker)
        return MediaLease(self._outbox, self.worker, seen, flush_soon=self._flush_soon, bound=bound, gone=gone)

    def lease_of(self, sockets: Sequence[socket.socket]) -> MediaLease:
        """Take bound UDP sockets of the user, RTP and perhaps RTCP; only where `shares_process`."""
        seen = self._at_address(sockets[0].getsockname()[0])
        return MediaLease(self._outbox, self.worker, seen, sockets, flush_soon=self._flush_soon)

    def bring(self, actor: CallActor, leases: Sequence[MediaLease]) -> None:
        """Move the streams of a call to the media worker of leases; without any, of the next ones."""
        worker = leases[0].worker if leases else self.worker
        actor.media.move(worker, self._outbox.media[worker])
