"""The media engine of one process: every stream's sockets in one epoll, every stream's packets on one tick.

Use it inside an event loop (its descriptor is readable when a packet waits, `deadline` is the time of the next tick)
or in a plain loop. The schedule is absolute; streams are spread over the packet interval; a frame that is late by a
whole interval is skipped and counted, never sent in a burst. While packets are few they are read as they come; above
a rate they are read on the tick, many to one wake-up. It must not depend on links, event loops or calls.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .context import Attempt, StreamContext, unguarded
from .disk import Disk
from .endpoint import BUFFER, Shared, StreamEndpoint
from .messages import (
    CloseStream,
    Command,
    CommandDone,
    CommandRefused,
    ConfigureStream,
    DigitsSent,
    Event,
    ExpectMedia,
    OpenStream,
    ProvideFrames,
    RelayStream,
    SendDigits,
    SetSink,
    SetSource,
    SinkSpec,
    SourceFinished,
    SourceSpec,
    StopDigits,
    StopSource,
    StreamClosed,
    StreamRefused,
)
from .pacing import Pacer
from .ports import PortPool
from .refusal import Refusal, Refused
from .relay import Relays, RelaySide
from .replays import Replays
from .rtp.reception import Reception, take_ready
from .rtp.reports import RtcpSession
from .sinks import CallbackSink, RawFileSink, Sink, SinkError, WavSink
from .sockets import NoDescriptor, NoPort, Quarantine, adopt, bind, bind_pair, canonical, waits
from .sources import (
    AHEAD,
    CallbackSource,
    ConstantSource,
    EchoSource,
    FileFrames,
    Format,
    FramesSource,
    Source,
    SourceError,
    tone,
)
from .statistics import statistics_of
from .stream import Layer, Stream
from .totals import NO_STREAM, MediaTotals

_PACKET = "a received packet could not be handled and is passed over"
_CHORE = "what is due from time to time failed for a stream"
_COMMAND = "a media command failed"
_CHORES = 64
"""Every stream is looked after once in this many ticks."""
_WAITING = 64
"""Datagrams that are still read when a stream is closed: what a busy worker had not come to."""
_SAMPLE_VISITS = 3
"""The level of one packet is measured every this many looks."""
_JITTER_VISITS = 15
"""And the jitter goes into the histogram every this many: about 5 s, an RTCP report interval."""
_EVENTS = 4096
_Reading = tuple[socket.socket, Callable[[int, float], None], int]
"""A socket, who takes what comes there, and the events of epoll that are waited for."""
_LISTEN_TICKS = 4
"""The tone detector is called once in this many ticks: it is cheapest with one packet of every stream."""
_LISTEN_AT = 512
"""And as soon as this many packets wait for it."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Settings of one media engine."""

    port_first: int = 10000
    """First port of the range that RTP and RTCP ports are drawn from."""
    port_last: int = 32767
    """Last port of the range; below the kernel's own ephemeral ports."""
    tick: float = 0.005
    """Seconds between two ticks."""
    coalesce_above: float = 1000.0
    """Datagrams per second above which sockets are read on the tick, not as they become readable."""
    quarantine: float = 5.0
    """Seconds that a closed port must be silent before its reuse."""
    quarantine_longest: float = 600.0
    """Seconds after which a port is free again even if its peer still sends."""
    max_streams: int = 8192
    """Streams open at a time; more are refused."""
    rtcp_minimum: float = 5.0
    """Seconds between two RTCP reports at least, before randomisation (RFC 3550 6.2)."""


class MediaEngine:
    """All streams of one media process."""

    __slots__ = (
        "_buffer",
        "_chores",
        "_clock",
        "_coalescing",
        "_context",
        "_disk",
        "_done",
        "_endpoints",
        "_files",
        "_next",
        "_outer",
        "_pacer",
        "_poll",
        "_pool",
        "_quarantine",
        "_rate_count",
        "_rate_from",
        "_relays",
        "_replays",
        "_settings",
        "_shared",
        "_sources",
        "_takers",
    )

    def __init__(
        self,
        settings: MediaSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        random_bytes: Callable[[int], bytes] = os.urandom,
        attempt: Attempt = unguarded,
    ) -> None:
        """Begin without streams.

        Args:
            clock: monotonic seconds.
            random_bytes: returns that many random octets.
            attempt: runs the code of one stream, so that its failure costs that packet, source or command only.
        """
        self._settings = settings or MediaSettings()
        self._clock = clock
        self._context = StreamContext(random_bytes, attempt, time.time() - time.monotonic())
        self._endpoints: dict[tuple[int, int], StreamEndpoint] = {}
        self._pool = PortPool(self._settings.port_first, self._settings.port_last, random_bytes)
        self._quarantine = Quarantine(self._pool, self._settings.quarantine, self._settings.quarantine_longest)
        self._files = FileFrames()
        self._disk = Disk()
        self._buffer = bytearray(BUFFER)
        self._poll = select.epoll()
        self._outer = select.epoll()
        self._outer.register(self._poll.fileno(), select.EPOLLIN)
        self._takers: list[Callable[[int, float], None] | None] = []  # by descriptor
        self._sources: list[Reception | None] = []  # by descriptor, see `take_ready`
        epoch = clock()
        self._pacer = Pacer(self._settings.tick, epoch, clock, self._context.totals, attempt)
        self._shared = Shared(
            self._context.totals, self._buffer, self._sources, self._pacer.due, self._register, self._unregister
        )
        self._relays = Relays(self._context.totals.relayed, self._buffer)
        self._replays = Replays(attempt)
        self._chores: list[list[StreamEndpoint]] = [[] for _ in range(_CHORES)]
        self._done = 0  # number of the newest tick whose chores were done; the pacer may be ahead of it
        self._next: float | None = None
        self._coalescing = False
        self._rate_from = epoch
        self._rate_count = 0

    # what the shell calls

    def fileno(self) -> int:
        """A descriptor that is readable when `on_readable` has something to do."""
        return self._outer.fileno()

    @property
    def totals(self) -> MediaTotals:
        """Cumulative counters of this process, with its gauges brought up to date."""
        counted = self._context.totals
        gauges = active, sending, receiving = counted.streams_active, counted.streams_sending, counted.streams_receiving
        for gauge in gauges:
            gauge[:] = [0] * len(gauge)
        for endpoint in self._endpoints.values():
            endpoint.fold()
            sender, receiver = endpoint.sender, endpoint.stream.receiver
            active[sender.codec_index] += 1
            sending[sender.codec_index] += sender.can_send
            receiving[receiver.codec_index] += receiver.can_receive
        counted.parts_not_written = self._disk.lost
        counted.quarantined = self._quarantine.sockets
        counted.discards[NO_STREAM] = self._quarantine.rtp_packets
        counted.ports_in_use = 2 * (self._pool.size - self._pool.free)
        return counted

    def deadline(self) -> float | None:
        """When to call `on_tick` next (the engine's clock); None when nothing is to be done by time."""
        return self._next

    def drain(self) -> list[tuple[int, Event]]:
        """Everything that happened since the last call, as (owner, event), in order."""
        context = self._context
        if context.gathering:
            for holder in context.gathering:
                holder.take_frames()
            context.gathering.clear()
        events = context.events
        if not events:
            return []
        drained = events[:]
        events.clear()
        context.drained += 1
        return drained

    def handle(self, owner: int, command: Command, now: float) -> None:
        """Do a command; what comes of it is in `drain`.

        Args:
            owner: who sent it; events carry it back.
            now: seconds of the engine's clock.
        """
        attempt = self._context.attempt
        if isinstance(command, OpenStream):
            if not attempt(_COMMAND, self._open, owner, command, now):
                self._emit(owner, StreamRefused(command.stream_id, Refusal.FAILED.value))
            return
        endpoint = self._endpoints.get((owner, command.stream_id))
        if endpoint is None:
            self._unknown(owner, command)
            return
        if not attempt(_COMMAND, self._try, endpoint, command, now):
            self._failed(owner, command)
        self._arm(now)

    def streams_of(self, owner: int) -> set[int]:
        """Return the ids of an owner's streams."""
        return {stream_id for each, stream_id in self._endpoints if each == owner}

    def close_owner(self, owner: int, now: float) -> None:
        """Close every stream of an owner that is gone."""
        for endpoint in [endpoint for endpoint in self._endpoints.values() if endpoint.owner == owner]:
            self._context.attempt(_COMMAND, self._close, endpoint, now)
        self._arm(now)

    def settle(self, now: float) -> None:
        """Read what waits at all ports, and emit the figures of each open stream: the end of the engine is near.

        Args:
            now: seconds of the engine's clock.
        """
        self._quarantine.count()
        self._read(now)
        for endpoint in self._endpoints.values():
            self._emit(endpoint.owner, statistics_of(endpoint, now))

    def close(self) -> None:
        """Close every stream and descriptor."""
        now = self._clock()
        for endpoint in list(self._endpoints.values()):
            self._close(endpoint, now)
        self._files.rest()
        self._disk.close()
        self._quarantine.close()
        self._outer.close()
        self._poll.close()
        self._next = None

    def on_readable(self, now: float) -> None:
        """Read what has come; call it when the descriptor is readable."""
        self._read(now)
        self._measure_rate(now)
        if self._context.listening.is_due:
            self._arm(now)  # a digit may end by time

    def on_tick(self, now: float) -> None:
        """Send what is due and do what is due by time; call it at `deadline` or later."""
        pacer = self._pacer
        tick = pacer.number_at(now)
        if tick > self._done:
            before, self._done = self._done, tick
            # After a standstill the streams have their turns as always, so that their reports leave over a whole round.
            first = before + 1 if tick - before <= _CHORES else tick
            if tick > pacer.done:
                pacer.run(tick, now)
            if self._replays.active:
                self._replays.run(now, self._pace)
            self._context.totals.ticks += 1
            if self._coalescing:
                self._read(now)
            for number in range(first, tick + 1):
                waiting = iter(self._chores[number % _CHORES])
                while not self._context.attempt(_CHORE, self._look_after, waiting, now):
                    pass
            self._hear(tick // _LISTEN_TICKS > before // _LISTEN_TICKS, now)
            if now < pacer.time_of(tick + 1):  # a late engine has no time to read ahead: streams read what they send
                self._context.attempt(_CHORE, self._files.read_on)
        if self._coalescing:
            self._measure_rate(now)
        self._quarantine.expire(now)
        self._arm(now)

    # commands

    def _open(self, owner: int, command: OpenStream, now: float) -> None:
        key = (owner, command.stream_id)
        opened: list[socket.socket] = []
        taken: list[int] = []
        try:
            if key in self._endpoints:
                raise Refused(Refusal.DUPLICATE)
            if len(self._endpoints) >= self._settings.max_streams:
                raise Refused(Refusal.LIMIT)
            endpoint = self._bound_again(owner, command, opened, taken, now)
            event = endpoint.opened()
            self._read_from((endpoint.rtp_socket, endpoint.take_rtp, select.EPOLLIN))
        except (ValueError, OSError, NoPort, NoDescriptor) as error:
            for each in opened:
                each.close()
            for port in taken:
                self._pool.give_back(port)
            self._context.totals.streams_refused += 1
            self._emit(owner, StreamRefused(command.stream_id, *_why(error)))
            self._arm(now)
            return
        self._endpoints[key] = endpoint
        endpoint.chore = min(range(_CHORES), key=lambda each: len(self._chores[each]))
        self._chores[endpoint.chore].append(endpoint)
        self._emit(owner, event)
        self._arm(now)

    def _bound_again(
        self, owner: int, command: OpenStream, opened: list[socket.socket], taken: list[int], now: float
    ) -> StreamEndpoint:
        """The endpoint, for which the other streams give away what they have beside their sockets."""
        try:
            return self._bound(owner, command, opened, taken, now)
        except NoDescriptor:
            if not self._shared.beside:
                raise
            for each in tuple(self._shared.beside):
                self._context.attempt(_PACKET, each.stand_alone, now)
            return self._bound(owner, command, opened, taken, now)

    def _bound(
        self, owner: int, command: OpenStream, opened: list[socket.socket], taken: list[int], now: float
    ) -> StreamEndpoint:
        """The endpoint with its sockets.

        Args:
            opened: its sockets are added here as they come.
            taken: its port of the pool is added here.
        """
        context = self._context
        address = canonical(command.local_address)
        stream = Stream(command.stream_id, owner, context, now)
        if command.source[:1] == ("file",):
            self._source(command.source, stream)  # kept: the next one finds its frames
        pool_port = 0
        rtcp: socket.socket | None = None
        if command.rtp_fd >= 0:
            rtp = adopt(command.rtp_fd)
            opened.append(rtp)
            if command.rtcp_fd >= 0:
                rtcp = adopt(command.rtcp_fd)
                opened.append(rtcp)
        else:
            rtp, rtcp, pool_port = bind_pair(address, self._pool)
            opened += (rtp, rtcp)
            taken.append(pool_port)
        sender: socket.socket | None = None
        if command.asymmetric:
            own = canonical(command.send_address or command.local_address)
            if (":" in own) != (":" in address):
                raise ValueError(f"{own} is of another IP version than {address}")
            sender = bind(own, 0)
            opened.append(sender)
        session = RtcpSession(
            stream.sender.ssrc,
            context.random_bytes(12).hex().encode(),
            context.random_bytes,
            context.wall_offset,
            self._settings.rtcp_minimum,
            lambda: (stream.sender.packets_sent, stream.sender.next_sequence_number),
        )
        return StreamEndpoint(
            stream,
            rtp,
            rtcp,
            sender,
            pool_port,
            session,
            self._shared,
        )

    def _hear_of(self, endpoint: StreamEndpoint, side: RelaySide | None = None) -> None:
        """Read all sockets of an endpoint from now on, for its side of a relay where it has one.

        Raises:
            Refused: as `_read_from`; only RTP is read then.
        """
        reader = side or endpoint
        sockets: list[_Reading] = []
        if endpoint.rtcp_socket is not None:
            sockets.append((endpoint.rtcp_socket, reader.take_rtcp, select.EPOLLIN))
        if endpoint.send_socket is not None:
            sockets.append((endpoint.send_socket, endpoint.take_send_error, 0))  # errors are always reported
        self._read_from(*sockets)
        self._takers[endpoint.rtp_socket.fileno()] = reader.take_rtp
        endpoint.heard = True

    def _read_from(self, *sockets: _Reading) -> None:
        """Read sockets from now on.

        Raises:
            Refused: the kernel watches no further descriptor (epoll_ctl(2): ENOSPC, ENOMEM); none of them is read then.
        """
        for number, (sock, taker, wanted) in enumerate(sockets):
            try:
                self._register(sock, taker, wanted)
            except OSError as error:
                for registered, *_ in sockets[:number]:
                    self._unregister(registered)
                raise Refused(Refusal.NO_DESCRIPTOR, error.strerror or "") from error

    def _register(self, sock: socket.socket, taker: Callable[[int, float], None], wanted: int) -> None:
        descriptor = sock.fileno()
        missing = descriptor + 1 - len(self._takers)
        if missing > 0:
            self._takers += [None] * missing
            self._sources += [None] * missing
        self._poll.register(descriptor, wanted)
        self._takers[descriptor] = taker

    def _unregister(self, sock: socket.socket) -> None:
        descriptor = sock.fileno()
        self._poll.unregister(descriptor)
        self._takers[descriptor] = self._sources[descriptor] = None

    def _failed(self, owner: int, command: Command) -> None:
        if isinstance(command, SendDigits):
            self._emit(owner, DigitsSent(command.stream_id, command.request_id, "FAIL", Refusal.FAILED.value))
            return
        name, request_id = type(command).__name__, getattr(command, "request_id", 0)
        self._emit(owner, CommandRefused(command.stream_id, name, Refusal.FAILED.value, request_id))

    def _unknown(self, owner: int, command: Command) -> None:
        if isinstance(command, SendDigits):
            self._emit(owner, DigitsSent(command.stream_id, command.request_id, "FAIL", "unknown_stream"))
        else:
            name = type(command).__name__
            self._emit(owner, CommandRefused(command.stream_id, name, Refusal.UNKNOWN_STREAM.value))

    def _try(self, endpoint: StreamEndpoint, command: Command, now: float) -> None:
        """Do a command, or return why it cannot be done."""
        request_id: int = getattr(command, "request_id", 0)
        try:
            self._do(endpoint, command, now)
        except (ValueError, OSError) as error:
            refused = error if isinstance(error, Refused) else Refused(Refusal.BAD_VALUE, str(error))
            name = type(command).__name__
            self._emit(
                endpoint.owner, CommandRefused(command.stream_id, name, refused.cause.value, request_id, refused.detail)
            )
        else:
            if request_id and isinstance(command, SetSource | SetSink):
                self._emit(endpoint.owner, CommandDone(command.stream_id, request_id))

    def _do(self, endpoint: StreamEndpoint, command: Command, now: float) -> None:
        stream = endpoint.stream
        if endpoint in self._relays and not isinstance(command, RelayStream | CloseStream):
            raise Refused(Refusal.BAD_VALUE, "the stream is relayed")
        if isinstance(command, RelayStream):
            other = self._endpoints.get((endpoint.owner, command.through))
            if other is None:
                raise Refused(Refusal.UNKNOWN_STREAM, "through")
            side = self._relays.join(endpoint, other, command, now)
            if not endpoint.heard:
                side.take_kept(endpoint.take_kept())
                self._hear_of(endpoint, side)
        elif isinstance(command, ConfigureStream):
            sender = None
            if command.send_through >= 0:
                other = self._endpoints.get((endpoint.owner, command.send_through))
                if other is None:
                    raise Refused(Refusal.UNKNOWN_STREAM, "send_through")
                sender = other.rtp_socket
            before = stream.sender.format
            is_first = endpoint.configure(command, sender, now)
            if not endpoint.heard:
                self._hear_of(endpoint)
            if stream.sender.format != before:
                self._remake(stream, before)
            self._pace(endpoint)
            if command.source:
                self._try(endpoint, SetSource(stream.stream_id, command.source), now)
            if command.sink:
                self._try(endpoint, SetSink(stream.stream_id, command.sink), now)
            endpoint.expect(is_first, now)
        elif isinstance(command, SetSource):
            source = self._source(command.source, stream)
            endpoint.rest()
            stream.set_source(source, command.source, command.layer, command.request_id)
            self._pace(endpoint)
        elif isinstance(command, StopSource):
            endpoint.rest()
            stream.stop_source()
            self._pace(endpoint)
        elif isinstance(command, SetSink):
            self._set_sink(stream, command.sink)
        elif isinstance(command, SendDigits):
            stream.sender.send_digits(command)
            stream.sender.answer_digits()
            self._pace(endpoint)
        elif isinstance(command, StopDigits):
            stream.sender.stop_digits()
        elif isinstance(command, ProvideFrames):
            if not stream.provide(command):
                raise Refused(Refusal.BAD_VALUE, "the source is no callback")
        elif isinstance(command, ExpectMedia):
            endpoint.answered(now)
        elif isinstance(command, CloseStream):
            self._close(endpoint, now)

    def _set_sink(self, stream: Stream, wanted: SinkSpec) -> None:
        """Put what comes in elsewhere; a file that is being written goes on.

        Raises:
            SinkError: the file cannot be written.
        """
        if not stream.records_to(wanted):
            stream.set_sink(self._sink(wanted), wanted)

    def _remake(self, stream: Stream, before: Format) -> None:
        """Make the sources of a format again for the new one, where they were (RFC 3264 8.3).

        One that cannot be made again ends with "error": its frames must not leave under another format.
        """
        if stream.below is not None:
            stream.below = self._remade(stream, stream.below, before) or Layer((), Source())
        present = self._remade(stream, stream.present, before)
        if present is None:
            stream.source_ended()
        elif present is not stream.present:
            stream.send_from(present)

    def _remade(self, stream: Stream, layer: Layer, before: Format) -> Layer | None:
        sender, old = stream.sender, layer.source
        if isinstance(old, CallbackSource):
            old.set_packet_interval(sender.packet_interval)
        if not isinstance(old, FramesSource | ConstantSource):
            return layer
        try:
            source = self._source(layer.wanted, stream)
            if isinstance(old, FramesSource) and isinstance(source, FramesSource):
                new = sender.format
                ticks = old.position * before.step * new.clock_rate
                source.go_on(round(ticks / (before.clock_rate * new.step)), old.left)
        except SourceError as error:
            self._emit(
                stream.owner, SourceFinished(stream.stream_id, error.cause.value, layer.request_id, error.detail)
            )
            return None
        return layer._replace(source=source)

    def _source(self, wanted: SourceSpec, stream: Stream) -> Source:
        """The source that these plain values mean, in the stream's codec.

        Raises:
            SourceError: the source cannot be used.
        """
        sender = stream.sender
        match wanted:
            case ("none",):
                return Source()
            case ("silence",):
                return ConstantSource(sender.format.silence())
            case ("tone", int() | float() as hz):
                return tone(hz, sender.format)
            case ("file", str() as path, int() as repeat):
                return self._files.source(path, sender.format, repeat)
            case ("capture", str() as path):
                return self._replays.source(path)
            case ("echo", int() as delay):
                return EchoSource(delay)
            case ("callback",):
                return CallbackSource(sender.packet_interval)
            case ("callback", float() as ahead) if 0 <= ahead <= AHEAD:
                return CallbackSource(sender.packet_interval, ahead)
        raise SourceError(Refusal.BAD_VALUE, f"no such source: {wanted!r}")

    def _sink(self, wanted: SinkSpec) -> Sink:
        """The sink that these plain values mean.

        Raises:
            SinkError: the file cannot be written.
        """
        match wanted:
            case ("none",):
                return Sink()
            case ("file", str() as path):
                opens = self._disk.open
                return WavSink(path, opens=opens) if path.lower().endswith(".wav") else RawFileSink(path, opens)
            case ("file", str() as path, "heard" | "stereo" | "mixed" as sides):
                if not path.lower().endswith(".wav"):
                    raise SinkError(Refusal.BAD_VALUE, f"{path}: both directions are recorded in a .wav file only")
                return WavSink(path, sides, self._clock, self._disk.open)
            case ("callback",):
                return CallbackSink()
        raise SinkError(Refusal.BAD_VALUE, f"no such sink: {wanted!r}")

    def _close(self, endpoint: StreamEndpoint, now: float, reason: str = "closed") -> None:
        """Take an endpoint out of everything and let its ports rest."""
        stream = endpoint.stream
        del self._endpoints[(endpoint.owner, stream.stream_id)]
        self._take_what_waits(endpoint, now)
        self._unregister(endpoint.rtp_socket)
        for each in (endpoint.rtcp_socket, endpoint.send_socket):
            if each is not None and endpoint.heard:
                self._unregister(each)
        self._chores[endpoint.chore].remove(endpoint)
        self._pacer.remove(endpoint.sender)
        self._relays.leave(endpoint)
        self._replays.leave(endpoint)
        sockets = endpoint.close(now)
        endpoint.fold()
        final = statistics_of(endpoint, now)
        counted = self._context.totals
        index = stream.receiver.codec_index
        counted.packets_lost[index] += final.packets_lost
        counted.packets_due[index] += final.packets_due
        counted.packets_missed[index] += final.packets_missed
        if final.media_due > 0:
            counted.gap.add(final.media_gap)
        if final.packets_received or final.packets_missed:
            counted.loss_ratio[index].add(max(final.loss_ratio, final.missed_ratio))
            if final.mos:
                counted.mos[index].add(final.mos)
        if final.one_way:
            counted.streams_one_way[final.one_way == "local"] += 1
        self._emit(endpoint.owner, StreamClosed(stream.stream_id, reason, tuple(final)))
        self._quarantine.add(sockets, endpoint.pool_port, now)

    def _take_what_waits(self, endpoint: StreamEndpoint, now: float) -> None:
        """Count what came before the end and was not read yet; nothing of it is sent back any more."""
        endpoint.stream.receiver.set_echo(None)
        self._context.attempt(_PACKET, endpoint.stand_alone, now)
        for _ in range(_WAITING):
            if not waits(endpoint.rtp_socket):
                return
            ready = ((endpoint.rtp_socket.fileno(), select.EPOLLIN),)
            self._context.attempt(_PACKET, take_ready, ready, self._sources, self._takers, self._buffer, now)

    # ticks

    def _pace(self, endpoint: StreamEndpoint) -> None:
        """Put a stream on the schedule that has something to send by time, and take one off that has not."""
        sender = endpoint.sender
        self._replays.follow(endpoint)
        if sender.group is not None and (not sender.paced or sender.packet_interval != sender.paced_interval):
            self._pacer.remove(sender)
        if sender.group is None and sender.paced:
            sender.ask_for_frames()
            sender.paced_interval = sender.packet_interval
            self._pacer.add(sender)

    def _arm(self, now: float) -> None:
        """Find the time of the next tick on which anything is to be done."""
        rest = self._quarantine.deadline()
        if not self._endpoints:
            self._files.rest()
            self._next = rest
            return
        following = self._done + 1
        busy = self._coalescing or self._context.listening.is_due or self._files.unfinished or self._replays.active
        if not busy:
            chores = self._chores
            while not chores[following % _CHORES]:
                following += 1
            sending = self._pacer.next_number()
            if sending is not None and sending < following:
                following = sending
        due = self._pacer.time_of(following)
        self._next = due if rest is None else min(due, max(rest, now))

    # reading

    def _read(self, now: float) -> None:
        ready = self._poll.poll(0, _EVENTS)
        self._rate_count += len(ready)
        waiting = iter(ready)  # one that fails is passed over, those after it are read
        while not self._context.attempt(_PACKET, take_ready, waiting, self._sources, self._takers, self._buffer, now):
            pass

    def _measure_rate(self, now: float) -> None:
        """Read on the tick while packets are many, at once while they are few."""
        elapsed = now - self._rate_from
        if elapsed < 0.05:
            return
        rate = self._rate_count / elapsed
        self._rate_from = now
        self._rate_count = 0
        if self._coalescing:
            if rate < self._settings.coalesce_above / 2 or not self._endpoints:
                with contextlib.suppress(OSError):  # ENOSPC, ENOMEM: reading goes on by the tick
                    self._outer.register(self._poll.fileno(), select.EPOLLIN)
                    self._coalescing = False
        elif rate > self._settings.coalesce_above and self._endpoints:
            self._coalescing = True
            self._outer.unregister(self._poll.fileno())
            self._arm(now)

    def _hear(self, regular: bool, now: float) -> None:
        """Digits whose end was lost, and tones in what came.

        Args:
            regular: it is the detector's turn anyway.
        """
        listening = self._context.listening
        if listening.sounding:
            listening.expire(now)
        if listening.streams and (regular or listening.waiting >= _LISTEN_AT):
            listening.detect(now)

    # what is due from time to time

    def _look_after(self, endpoints: Iterable[StreamEndpoint], now: float) -> None:
        for endpoint in endpoints:
            self._look_after_one(endpoint, now)

    def _look_after_one(self, endpoint: StreamEndpoint, now: float) -> None:
        endpoint.report(now)
        endpoint.presence.look(now)
        silent = endpoint.watch(now) or self._relays.silent(endpoint, now)
        if silent is not None:
            self._emit(endpoint.owner, silent)
        self._pace(endpoint)
        endpoint.sender.allow_echo()
        receiver = endpoint.stream.receiver
        endpoint.visits += 1
        sampled = endpoint.visits % _SAMPLE_VISITS == 0 and receiver.sample_soon()
        if sampled and receiver.reception is not None and endpoint.visits % _JITTER_VISITS == 0:
            jitter = receiver.reception.jitter16 / 16 / receiver.reception.clock_rate
            self._context.totals.jitter[receiver.codec_index].add(jitter)
        interval = endpoint.settings.statistics_interval
        if interval and now >= endpoint.report_due:
            endpoint.report_due = now + interval
            self._emit(endpoint.owner, statistics_of(endpoint, now))
        endpoint.fold()

    def _emit(self, owner: int, event: Event) -> None:
        self._context.events.append((owner, event))


def _why(error: Exception) -> tuple[str, str]:
    """Reason and detail of a `StreamRefused`."""
    if isinstance(error, NoPort):
        return Refusal.NO_PORT.value, ""
    if isinstance(error, NoDescriptor):
        return Refusal.NO_DESCRIPTOR.value, ""
    if isinstance(error, Refused):
        return error.cause.value, error.detail
    return Refusal.BAD_ADDRESS.value, ""
