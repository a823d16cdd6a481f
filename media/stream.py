"""One RTP stream, sans-IO: its sending and its receiving half under one configuration (RFC 3264, 3550).

A configuration goes to both halves. A source is set on one of two layers: what lies over another one ends first, and
then the one below goes on. An echo ties the halves together, SRTP secures both. Bytes in, bytes out, time as an
argument. Sockets, source addresses, pacing and RTCP do not belong here.
"""

from typing import NamedTuple

from .context import StreamContext
from .messages import ConfigureStream, ProvideFrames, SinkSpec, SourceSpec
from .receiver import Receiver
from .refusal import Refusal, Refused
from .rtp.srtp import SrtpSession
from .sender import Sender
from .sinks import Sink, WavSink
from .sources import CallbackSource, EchoSource, Source


class Layer(NamedTuple):
    """A source, and what it was made from."""

    wanted: SourceSpec
    """As plain values, to make it again when the format changes; () = none was requested."""
    source: Source
    request_id: int = 0
    """For `SourceFinished`."""


class Stream:
    """One RTP stream, whatever it is sent through."""

    __slots__ = ("below", "opened_at", "owner", "present", "receiver", "sender", "stream_id", "wanted_sink")

    def __init__(self, stream_id: int, owner: int, context: StreamContext, now: float) -> None:
        """A stream that neither sends nor receives until it is configured.

        Args:
            stream_id, owner: see `messages`.
            context: what the engine's streams share.
            now: seconds, monotonic.
        """
        self.stream_id = stream_id
        self.owner = owner
        self.opened_at = now
        self.sender = Sender(stream_id, owner, context)
        self.receiver = Receiver(stream_id, owner, context, self.sender)
        self.present = Layer((), self.sender.source)
        """What is sent now."""
        self.below: Layer | None = None
        """What goes on when that ends; None = nothing lies over anything."""
        self.sender.ended = self.source_ended
        self.wanted_sink: SinkSpec = ()
        """The sink as plain values; () = none was requested."""

    def configure(self, command: ConfigureStream, reachable: bool) -> None:
        """Take what signalling decided.

        Args:
            reachable: there is a remote address to send to.

        Raises:
            ValueError: a value that no stream can have.
        """
        if command.direction not in ("sendrecv", "sendonly", "recvonly", "inactive"):
            raise Refused(Refusal.BAD_VALUE, f"no such direction: {command.direction}")
        self.sender.configure(command, reachable and command.direction in ("sendrecv", "sendonly"))
        self.receiver.configure(command, command.direction in ("sendrecv", "recvonly"))

    def secure(self, session: SrtpSession | None) -> None:
        """Send and receive SRTP with this session; None = plain RTP."""
        self.sender.set_protection(session.protect if session is not None else None)
        self.receiver.srtp = session

    def set_source(self, source: Source, wanted: SourceSpec = (), layer: str = "all", request_id: int = 0) -> None:
        """Send from another source from the next packet on.

        Args:
            wanted, layer, request_id: as in `SetSource`.
        """
        if layer == "over":
            self.below = self.below or self.present
            self.send_from(Layer(wanted, source, request_id))
        elif layer == "under" and self.below is not None:
            self.below = Layer(wanted, source)
        else:
            self.below = None
            self.send_from(Layer(wanted, source))

    def source_ended(self) -> None:
        """What is sent now has no more: what lay below goes on, else nothing is sent."""
        self.send_from(self.below or Layer((), Source()))
        self.below = None

    def stop_source(self) -> None:
        """End what lies over something else."""
        if self.below is not None:
            self.source_ended()

    def send_from(self, layer: Layer) -> None:
        """Send a layer now; the one below stays."""
        source = layer.source
        self.present = layer
        self.sender.set_source(source, layer.request_id)
        if isinstance(source, EchoSource):
            source.forget()
        self.receiver.set_echo(source if isinstance(source, EchoSource) else None)

    def provide(self, command: ProvideFrames) -> bool:
        """Frames for a callback source, which may lie below another; False when there is none."""
        below = self.below.source if self.below is not None else None
        return self.sender.provide(command, below if isinstance(below, CallbackSource) else self.sender.source)

    def set_sink(self, sink: Sink, wanted: SinkSpec = ()) -> None:
        """Put what comes in elsewhere; the old sink is closed.

        Args:
            wanted: as plain values.
        """
        self.sender.set_tap(self._record_sent if isinstance(sink, WavSink) and sink.takes_sent else None)
        self.receiver.set_sink(sink)
        self.wanted_sink = wanted

    def _record_sent(self, payload: bytes, payload_type: int, sequence_number: int, timestamp: int) -> None:
        """Give what is sent to the recording."""
        sink, sender = self.receiver.sink, self.sender
        if not isinstance(sink, WavSink):
            sender.set_tap(None)  # the disk is full
            return
        codec, clock_rate = sender.codec, sender.clock_rate
        if payload_type != sender.payload_type:
            codec, clock_rate = self.receiver.format_sent(payload_type)
        try:
            sink.write_sent((payload, sequence_number, timestamp, payload_type, 0), codec, clock_rate)
        except OSError as error:
            self.receiver.sink_failed(error)

    def records_to(self, wanted: SinkSpec) -> bool:
        """Whether that file is being written: then a re-INVITE that starts the media again does not empty it."""
        return wanted[:1] == ("file",) and wanted == self.wanted_sink and self.receiver.is_recording

    def close(self) -> None:
        """Stop everything; what waited is answered or handed out."""
        self.sender.close()
        self.receiver.close()
