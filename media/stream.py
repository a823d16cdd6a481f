"""One media line, sans-IO: RTP out of a source, RTP in to statistics, digits and a sink (RFC 3550, 3551, 4733).

Bytes in, bytes out, time as an argument. What is sent leaves by `send`, which the engine sets; events go to the
context's list. Sockets, source addresses, pacing and RTCP timing are not known here.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from . import dtmf, g711, inband, totals
from .messages import (
    ConfigureStream,
    DigitsSent,
    DtmfReceived,
    Event,
    Frame,
    FramesReceived,
    FramesWanted,
    ProvideFrames,
    SendDigits,
    SinkFailed,
    SourceFinished,
    StreamStarted,
)
from .reception import Reception
from .rtp import HEADER, HEADER_SIZE, PLAIN, SEQUENCE_AND_TIMESTAMP, RtpError, is_rtcp, payload_bounds
from .sequence import DUPLICATE, NEW, OUTSIDE
from .sinks import CallbackSink, Sink
from .sources import CallbackSource, EchoSource, Source, silence
from .totals import MediaTotals

_M32 = 0xFFFFFFFF
_UNPACK = HEADER.unpack_from
_PACK = SEQUENCE_AND_TIMESTAMP.pack_into
COMFORT_NOISE = 13
"""Static payload type of comfort noise (RFC 3389)."""
SSRC_QUIET = 0.2
"""Seconds that the present SSRC must be silent before another may follow it (RELIABILITY S5)."""
MAX_SSRCS = 4
"""SSRCs known per stream, those on probation included."""
SAME_DIGIT = 0.15
"""Seconds within which the same digit in the other mode is the same key press."""

_LAWS = {"PCMU": g711.PCMU, "PCMA": g711.PCMA}


@dataclass(slots=True)
class StreamContext:
    """What all streams of one engine share."""

    random_bytes: Callable[[int], bytes]
    """Gives so many random octets."""
    wall_offset: float = 0.0
    """Unix time minus monotonic time."""
    events: list[tuple[int, Event]] = field(default_factory=list)
    """What happened, with the owner of the stream."""
    totals: MediaTotals = field(default_factory=MediaTotals)
    """Counters of the process."""
    sounding: set["Stream"] = field(default_factory=set)
    """Streams on which an RFC 4733 digit has begun and not ended."""
    gathering: set["Stream"] = field(default_factory=set)
    """Streams whose callback sink holds frames."""
    detector: inband.Detector = field(default_factory=inband.Detector)
    """Listens for tones on all streams at once."""
    heard: dict[str, tuple[list[int], list[bytes], list[int]]] = field(
        default_factory=lambda: {name: ([], [], []) for name in _LAWS}
    )
    """Audio for the detector since the last tick, by law: slots, payloads, timestamps."""
    listening: dict[int, "Stream"] = field(default_factory=dict)
    """Stream of each slot of the detector."""


class _Candidate:
    """An SSRC on probation (RFC 3550 A.1): its last packet, kept so that nothing is lost when it is taken."""

    __slots__ = ("heard_at", "packet", "wanted")

    def __init__(self, packet: bytes, wanted: int, heard_at: float) -> None:
        self.packet = packet
        self.wanted = wanted
        self.heard_at = heard_at


class Stream:
    """One media line."""

    __slots__ = (
        "_candidates",
        "_clock_in",
        "_codecs_in",
        "_codecs_known",
        "_digit_codes",
        "_dtmf_in",
        "_dtmf_methods",
        "_dtmf_out",
        "_inband_slot",
        "_last_digit",
        "_marker",
        "_payload",
        "_plain_second",
        "_sampling",
        "_ssrc_in",
        "_tapped",
        "_tone_sounding",
        "bytes_received",
        "bytes_sent",
        "can_receive",
        "can_send",
        "clock_rate",
        "codec",
        "codec_in",
        "codec_index_in",
        "codec_index_out",
        "context",
        "digits",
        "digits_received",
        "digits_sent",
        "discards",
        "earlier",
        "event_receiver",
        "events_received",
        "first_at",
        "frames_skipped",
        "jitter_max",
        "last_at",
        "late",
        "level_samples",
        "opened_at",
        "owner",
        "packet",
        "packet_interval",
        "packets_sent",
        "payload_size",
        "payload_type",
        "reception",
        "rtcp_mux",
        "send",
        "sequence_number",
        "sink",
        "source",
        "source_address",
        "srtp",
        "ssrc",
        "ssrc_changes",
        "step",
        "stream_id",
        "timestamp",
    )

    def __init__(self, stream_id: int, owner: int, context: StreamContext, now: float) -> None:
        """A stream that neither sends nor receives until it is configured.

        stream_id, owner: see `messages`. context: what the engine's streams share. now: seconds, monotonic.
        """
        self.stream_id = stream_id
        self.owner = owner
        self.context = context
        self.opened_at = now
        random = context.random_bytes(10)
        self.ssrc = int.from_bytes(random[:4], "big")
        self.sequence_number = int.from_bytes(random[4:6], "big")
        self.timestamp = int.from_bytes(random[6:], "big")
        self.send: Callable[[bytes | bytearray], object] = _discard
        self.source_address: Callable[[], tuple[str, int]] = _nowhere
        self.srtp: object | None = None
        # sending
        self.can_send = False
        self.codec = "PCMU"
        self.codec_index_out = 0
        self.payload_type = 0
        self.clock_rate = 8000
        self.payload_size = 160
        self.packet_interval = 0.02
        self.step = 160
        self.packet = bytearray(HEADER_SIZE)
        self._payload: bytes | None = None
        self._marker = True
        self.source = Source()
        self.digits: dtmf.EventSender | None = None
        self._dtmf_out = -1
        self._digit_codes: dict[int, int] = {}
        self._tone_sounding = False
        self.packets_sent = 0
        self.bytes_sent = 0
        self.frames_skipped = 0
        self.digits_sent = 0
        # receiving
        self.can_receive = False
        self.rtcp_mux = False
        self.reception: Reception | None = None
        self.earlier = [0, 0, 0, 0, 0]
        """Of SSRCs that were replaced: received, expected, unique, reordered, loss runs."""
        self.jitter_max = 0.0
        self.codec_in = ""
        self.codec_index_in = 0
        self.sink = Sink()
        self.bytes_received = 0
        self.events_received = 0
        self.digits_received = 0
        self.discards = [0] * len(totals.DISCARD_REASONS)
        self.ssrc_changes = 0
        self.late = 0
        self.first_at = -1.0
        self.last_at = -1.0
        self.level_samples: list[float] = [0, 0.0, 0]
        """Packets sampled, sum of their mean squares, and how many were audible."""
        self.event_receiver = dtmf.EventReceiver()
        self._ssrc_in = -1
        self._plain_second = -1  # second octet of the packets that need nothing but counting; -1 = none
        self._clock_in = 8000
        self._codecs_in: dict[int, tuple[str, int]] = {}
        self._codecs_known: tuple[tuple[int, str, int], ...] = ()
        self._dtmf_in = -1
        self._dtmf_methods: tuple[str, ...] = ()
        self._candidates: dict[int, _Candidate] = {}
        self._tapped = False
        self._sampling = False
        self._inband_slot = -1
        self._last_digit = ("", "", -1.0)

    # what signalling decides

    def configure(self, command: ConfigureStream, can_send: bool) -> None:
        """Take what signalling decided. can_send: whether there is a remote address to send to."""
        if command.packet_interval <= 0 or command.payload_size < 0 or command.clock_rate <= 0:
            raise ValueError("packet interval, payload size and clock rate must be positive")
        changed = (command.codec, command.payload_type, command.payload_size) != (
            self.codec,
            self.payload_type,
            self.payload_size,
        )
        self.can_send = can_send and command.direction in ("sendrecv", "sendonly")
        self.can_receive = command.direction in ("sendrecv", "recvonly")
        self.codec = command.codec
        self.codec_index_out = totals.codec_index(command.codec)
        self.payload_type = command.payload_type & 0x7F
        self.clock_rate = command.clock_rate
        self.payload_size = command.payload_size
        self.packet_interval = command.packet_interval
        self.step = round(command.clock_rate * command.packet_interval)
        self.rtcp_mux = command.rtcp_mux
        if changed or self._payload is None:
            self.packet = bytearray(HEADER.pack(PLAIN, self.payload_type, 0, 0, self.ssrc))
            self._payload = None
            self._marker = True
        self._dtmf_out = command.dtmf_payload_type
        self._dtmf_in = command.dtmf_receive_payload_type
        self._dtmf_methods = command.dtmf_methods
        if command.dtmf_clock_rate != 8000 and not self.events_received:
            self.event_receiver = dtmf.EventReceiver(command.dtmf_clock_rate)
        if command.receive_codecs != self._codecs_known:
            self._codecs_known = command.receive_codecs
            self._codecs_in = {pt: (name, rate) for pt, name, rate in command.receive_codecs}
        self._listen("inband" in command.dtmf_methods)
        self._plain_second = -1

    def _listen(self, wanted: bool) -> None:
        """Take or give back a slot of the tone detector."""
        context = self.context
        if wanted and self._inband_slot < 0:
            self._inband_slot = context.detector.add()
            context.listening[self._inband_slot] = self
        elif not wanted and self._inband_slot >= 0:
            slot, self._inband_slot = self._inband_slot, -1
            found = context.detector.remove(slot)
            del context.listening[slot]
            for _, digit in found:
                self.heard(digit, "inband")

    def set_source(self, source: Source) -> None:
        """Send from another source from the next packet on."""
        self.source = source
        self._payload = None
        self._marker = True
        self._tap()

    def set_sink(self, sink: Sink) -> None:
        """Put what comes in elsewhere; the old sink is closed."""
        old, self.sink = self.sink, sink
        self._close_sink(old)
        self._tap()

    def _tap(self) -> None:
        """Whether payloads are needed, and not only counted."""
        self._tapped = (
            self._sampling
            or self._inband_slot >= 0
            or type(self.sink) is not Sink
            or isinstance(self.source, EchoSource)
        )

    @property
    def paced(self) -> bool:
        """Whether the tick has to ask for packets."""
        return self.can_send and (self.source.paced or (self.digits is not None and self.digits.active))

    # sending

    def skip(self, frames: int) -> None:
        """Pass over intervals that were too late to send: time goes on, sequence numbers do not."""
        self.timestamp = (self.timestamp + frames * self.step) & _M32
        self.frames_skipped += frames
        self.source.skip(frames)

    def next_packet(self) -> bytes | bytearray | None:
        """The RTP packet of the next interval, valid until the next call; None = nothing goes out."""
        timestamp = self.timestamp = (self.timestamp + self.step) & _M32
        if self.digits is not None:
            replaced = self.digits.next_packet(timestamp, self.step)
            if replaced is not None:
                return self._digit_packet(replaced, timestamp)
            self._digits_over()
        source = self.source
        payload = source.next_payload()
        if payload is None:
            self._marker = True
            if source.finished:
                self._source_over(source)
            return None
        if isinstance(source, CallbackSource):
            return self._packet(source.override, timestamp)
        if self._marker or self.srtp is not None:
            return self._packet((payload, -1, 0, -1), timestamp)
        packet = self.packet
        if payload is not self._payload:
            packet[HEADER_SIZE:] = payload
            self._payload = payload
        sequence_number = self.sequence_number = (self.sequence_number + 1) & 0xFFFF
        _PACK(packet, 2, sequence_number, timestamp)
        self.packets_sent += 1
        self.bytes_sent += len(payload)
        return packet

    def _packet(self, frame: Frame, timestamp: int) -> bytes:
        """A packet that is not like the one before it. timestamp: for a frame that brings none."""
        payload, payload_type, marker, own_timestamp = frame
        if payload_type < 0:
            payload_type = self.payload_type
            marker = marker or self._marker
            self._marker = False
        if own_timestamp < 0:
            own_timestamp = timestamp
        self.sequence_number = (self.sequence_number + 1) & 0xFFFF
        self.packets_sent += 1
        self.bytes_sent += len(payload)
        second = payload_type & 0x7F | (0x80 if marker else 0)
        return HEADER.pack(PLAIN, second, self.sequence_number, own_timestamp & _M32, self.ssrc) + payload

    def _digit_packet(self, digit: dtmf.DigitPacket, timestamp: int) -> bytes | None:
        if digit.kind is dtmf.DigitKind.EVENT:
            self._tone_sounding = False
            if digit.marker:
                self._count_digit(0)
            return self._packet((digit.payload, self._dtmf_out, int(digit.marker), digit.timestamp), timestamp)
        if digit.kind is dtmf.DigitKind.TONE:
            if not self._tone_sounding:
                self._tone_sounding = True
                self._count_digit(1)
            return self._packet((digit.payload, -1, 0, -1), timestamp)
        self._tone_sounding = False
        if not self.source.paced:
            return None
        return self._packet((silence(self.codec, self.payload_size), -1, 0, -1), timestamp)

    def _count_digit(self, mode: int) -> None:
        self.digits_sent += 1
        self.context.totals.digits_sent[mode] += 1

    def _source_over(self, source: Source) -> None:
        self.set_source(Source())
        self._emit(SourceFinished(self.stream_id, source.finished))

    # digits

    def send_digits(self, command: SendDigits) -> None:
        """Queue digits; refuse them by event when they cannot be sent (C38)."""
        tones = None
        refusal = ""
        if command.mode == "inband":
            law = _LAWS.get(self.codec.upper())
            if law is None:
                refusal = "no_tone_codec"
            else:
                tones = inband.ToneGenerator(law)
        elif command.mode != "rfc4733":
            refusal = "bad_value"
        elif self._dtmf_out < 0:
            refusal = "not_negotiated"
        if not refusal:
            if self.digits is None:
                self.digits = dtmf.EventSender(self.clock_rate)
            try:
                self.digits.send(command.digits, command.duration_ms, command.request_id, tones)
            except dtmf.DigitQueueFull:
                refusal = "queue_full"
            except ValueError:
                refusal = "bad_value"
        if refusal:
            self.context.totals.digits_refused += 1
            self._emit(DigitsSent(self.stream_id, command.request_id, "FAIL", refusal))

    def stop_digits(self, reason: str = "stopped") -> None:
        """Forget the digits that wait; each request is answered."""
        if self.digits is not None:
            for request_id in self.digits.stop():
                self._emit(DigitsSent(self.stream_id, request_id, "FAIL", reason))

    def _digits_over(self) -> None:
        """No digit replaces audio any more."""
        self.answer_digits()
        if self.digits is not None and not self.digits.active:
            self.digits = None
            self._tone_sounding = False

    def answer_digits(self) -> None:
        """Say which requests are done."""
        if self.digits is not None:
            for request_id in self.digits.take_finished():
                self._emit(DigitsSent(self.stream_id, request_id, "OK"))

    def heard(self, digit: dtmf.ReceivedDigit, mode: str) -> None:
        """Report a digit, unless it is the other mode's copy of the one before."""
        event, other, at = self._last_digit
        now = self.last_at
        if event == digit.event and other != mode and now - at < SAME_DIGIT:
            return
        self._last_digit = (digit.event, mode, now)
        self.digits_received += 1
        self.context.totals.digits_received[mode == "inband"] += 1
        self._emit(DtmfReceived(self.stream_id, digit.event, digit.duration_ms, mode))

    def expire_digit(self, now: float) -> None:
        """Report a digit whose end was lost."""
        for digit in self.event_receiver.expire(now):
            self.heard(digit, "rfc4733")
        if not self.event_receiver.active:
            self.context.sounding.discard(self)

    # receiving

    def receive(self, data: bytes | bytearray, size: int, now: float) -> bool:
        """Take a datagram from the accepted source.

        data: a buffer that begins with it. size: its octets. now: seconds, monotonic. Returns False for a datagram
        that is RTCP on the RTP port, which the caller handles (RFC 5761).
        """
        if size > HEADER_SIZE and data[0] == PLAIN:
            _, second, sequence_number, timestamp, ssrc = _UNPACK(data)
            if second == self._plain_second and ssrc == self._ssrc_in:
                reception = self.reception
                assert reception is not None
                verdict = reception.receive(sequence_number, timestamp, int(now * self._clock_in))
                if verdict is NEW:
                    self.bytes_received += size - HEADER_SIZE
                    self.last_at = now
                    if self._tapped:
                        frame = (bytes(data[HEADER_SIZE:size]), sequence_number, timestamp, second, 0)
                        self._deliver(frame, True, now)
                    return True
                self._judge(verdict, data, HEADER_SIZE, size, second, sequence_number, timestamp, now)
                return True
        return self._receive_irregular(data, size, now)

    def _receive_irregular(self, data: bytes | bytearray, size: int, now: float) -> bool:
        if size >= 2 and 192 <= data[1] <= 223 and is_rtcp(data):
            if self.rtcp_mux:
                return False
            self.discards[totals.MALFORMED] += 1
            return True
        try:
            start, end = payload_bounds(data, size)
        except RtpError:
            self.discards[totals.MALFORMED] += 1
            return True
        if not self.can_receive:
            self.discards[totals.DIRECTION] += 1
            return True
        _, second, sequence_number, timestamp, ssrc = _UNPACK(data)
        payload_type = second & 0x7F
        known = payload_type in self._codecs_in or payload_type in (self._dtmf_in, COMFORT_NOISE)
        if not known:
            self.discards[totals.BAD_PAYLOAD] += 1
            return True
        if ssrc != self._ssrc_in:
            self._probation(bytes(data[:size]), ssrc, sequence_number, now)
            return True
        self._accept(data, start, end, second, sequence_number, timestamp, now)
        return True

    def _probation(self, packet: bytes, ssrc: int, sequence_number: int, now: float) -> None:
        """A source is taken with its second packet in sequence, a new one only when the old is silent (S5, A.1)."""
        candidate = self._candidates.get(ssrc)
        wanted = (sequence_number + 1) & 0xFFFF
        if candidate is None or candidate.wanted != sequence_number:
            if candidate is None and len(self._candidates) >= MAX_SSRCS - 1:
                oldest = min(self._candidates, key=lambda each: self._candidates[each].heard_at)
                if now - self._candidates[oldest].heard_at < 2.0:
                    self.discards[totals.BAD_SSRC] += 1
                    return
                del self._candidates[oldest]
            if candidate is not None:
                self.discards[totals.BAD_SSRC] += 1
            self._candidates[ssrc] = _Candidate(packet, wanted, now)
            return
        if self.reception is not None and now - self.last_at < SSRC_QUIET:
            self.discards[totals.BAD_SSRC] += 1
            candidate.packet, candidate.wanted, candidate.heard_at = packet, wanted, now
            return
        first = candidate.packet
        self._candidates.clear()
        self._new_source(ssrc, first, candidate.heard_at)
        start, end = payload_bounds(packet, len(packet))
        _, second, sequence_number, timestamp, _ = _UNPACK(packet)
        self._accept(packet, start, end, second, sequence_number, timestamp, now)

    def _new_source(self, ssrc: int, first: bytes, heard_at: float) -> None:
        """Begin anew with a source whose first packet is `first`."""
        start, end = payload_bounds(first, len(first))
        _, second, sequence_number, timestamp, _ = _UNPACK(first)
        payload_type = second & 0x7F
        if self.reception is not None:
            self._retire(self.reception)
            self.ssrc_changes += 1
        self._ssrc_in = ssrc
        self._plain_second = -1
        _, clock = self._codecs_in.get(payload_type, ("", self.clock_rate))
        # The first packet is counted by `_accept` like any other: the count begins just before it.
        reception = Reception(ssrc, (sequence_number - 1) & 0xFFFF, clock)
        reception.received = 0
        reception.base += 1
        self.reception = reception
        if self.first_at < 0:
            self.first_at = heard_at
        self._accept(first, start, end, second, sequence_number, timestamp, heard_at)
        address, port = self.source_address()
        self._emit(StreamStarted(self.stream_id, ssrc, payload_type, address, port))

    def _retire(self, reception: Reception) -> None:
        """Add a source that is gone to the sums."""
        earlier = self.earlier
        earlier[0] += reception.received
        earlier[1] += reception.expected
        earlier[2] += reception.unique
        earlier[3] += reception.reordered
        earlier[4] += reception.loss_runs
        self.jitter_max = max(self.jitter_max, reception.jitter16_max / 16 / reception.clock_rate)

    def _accept(
        self,
        data: bytes | bytearray,
        start: int,
        end: int,
        second: int,
        sequence_number: int,
        timestamp: int,
        now: float,
    ) -> None:
        """A packet of the present source with a payload type that was negotiated."""
        reception = self.reception
        assert reception is not None
        codec = self._codecs_in.get(second & 0x7F)
        if codec is None or second & 0x7F == self._dtmf_in:
            verdict = reception.count(sequence_number)  # events keep their timestamp: no jitter from them
        else:
            name, clock = codec
            if name != self.codec_in:
                self.codec_in = name
                self.codec_index_in = totals.codec_index(name)
            if clock != self._clock_in:
                self._clock_in = reception.clock_rate = clock
            verdict = reception.receive(sequence_number, timestamp, int(now * clock))
            self._plain_second = second & 0x7F if self.srtp is None and self.can_receive else -1
        self._judge(verdict, data, start, end, second, sequence_number, timestamp, now)

    def _judge(
        self,
        verdict: int,
        data: bytes | bytearray,
        start: int,
        end: int,
        second: int,
        sequence_number: int,
        timestamp: int,
        now: float,
    ) -> None:
        """Hand on a packet that was counted, by its verdict."""
        if verdict == OUTSIDE:
            self.discards[totals.REORDERED] += 1
            return
        self.last_at = now
        self.bytes_received += end - start
        payload_type = second & 0x7F
        if payload_type == self._dtmf_in:
            # Even with a repeated sequence number: some phones do not count while a digit lasts.
            self.events_received += 1
            self._receive_event(bytes(data[start:end]), sequence_number, timestamp, now)
        if verdict == DUPLICATE:
            self.discards[totals.DUPLICATE] += 1
            return
        if self._tapped or payload_type == self._dtmf_in:
            audio = payload_type in self._codecs_in and payload_type != self._dtmf_in
            frame = (bytes(data[start:end]), sequence_number, timestamp, payload_type, second >> 7)
            self._deliver(frame, audio, now)

    def _receive_event(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        if "rfc4733" not in self._dtmf_methods:
            return
        receiver = self.event_receiver
        for digit in receiver.receive(self._ssrc_in, timestamp, payload, sequence_number, now):
            self.heard(digit, "rfc4733")
        if receiver.active:
            self.context.sounding.add(self)

    def _deliver(self, frame: tuple[bytes, int, int, int, int], audio: bool, now: float) -> None:
        """Everything that wants payloads."""
        payload, _, timestamp, payload_type, marker = frame
        source = self.source
        if isinstance(source, EchoSource):
            back = source.echo((payload, payload_type, marker, timestamp))
            if back is not None and self.can_send and (self.digits is None or not self.digits.active):
                self.timestamp = timestamp
                self.send(self._packet(back, timestamp))
        sink = self.sink
        if type(sink) is not Sink:
            try:
                sink.write(frame, audio, now)
            except OSError as error:
                self._sink_failed(error)
            if isinstance(sink, CallbackSink):
                self.context.gathering.add(self)
        if audio and self.codec_in in _LAWS:
            if self._inband_slot >= 0:
                slots, payloads, timestamps = self.context.heard[self.codec_in]
                slots.append(self._inband_slot)
                payloads.append(payload)
                timestamps.append(timestamp)
            if self._sampling:
                self._sample(payload)

    def _sample(self, payload: bytes) -> None:
        """Measure the level of one packet in so many."""
        self._sampling = False
        self._tap()
        squares = _SQUARES[self.codec_in]
        part = payload[::4]
        if part:
            mean = sum(map(squares.__getitem__, part)) / len(part)
            samples = self.level_samples
            samples[0] += 1
            samples[1] += mean
            samples[2] += mean > _AUDIBLE

    def sample_soon(self) -> None:
        """Measure the level of the next packet."""
        self._sampling = self._tapped = True

    # callbacks in another process

    def provide(self, command: ProvideFrames) -> bool:
        """Frames for a callback source; False when the source is another."""
        source = self.source
        if not isinstance(source, CallbackSource):
            return False
        dropped = source.dropped
        source.provide(command.frames, command.end)
        self.context.totals.frames_dropped += source.dropped - dropped
        return True

    def ask_for_frames(self) -> None:
        """Say when a callback source will soon run out."""
        source = self.source
        if isinstance(source, CallbackSource):
            wanted = source.wanted()
            if wanted:
                first = (self.sequence_number + 1 + source.waiting) & 0xFFFF
                self._emit(FramesWanted(self.stream_id, first, wanted))

    def take_frames(self) -> None:
        """Hand out what a callback sink holds."""
        sink = self.sink
        if isinstance(sink, CallbackSink):
            frames, dropped = sink.take()
            if frames or dropped:
                self.context.totals.frames_dropped += dropped
                self._emit(FramesReceived(self.stream_id, frames, dropped))

    # the end

    def close(self) -> None:
        """Stop everything; what waited is answered."""
        self.can_send = self.can_receive = False
        self.answer_digits()
        self.stop_digits("closed")
        self.digits = None
        self._listen(False)
        for digit in self.event_receiver.expire(float("inf")):
            self.heard(digit, "rfc4733")
        self.take_frames()
        self.set_sink(Sink())
        self.context.sounding.discard(self)
        self.context.gathering.discard(self)

    def forget_wire(self) -> None:
        """Let go of whatever sends, so that nothing refers to itself."""
        self.send = _discard
        self.source_address = _nowhere

    def _close_sink(self, sink: Sink) -> None:
        try:
            sink.close()
        except OSError as error:
            self._emit(SinkFailed(self.stream_id, error.strerror or "error"))

    def _sink_failed(self, error: OSError) -> None:
        self._emit(SinkFailed(self.stream_id, error.strerror or "error"))
        old, self.sink = self.sink, Sink()
        with contextlib.suppress(OSError):
            old.close()
        self._tap()

    def _emit(self, event: Event) -> None:
        self.context.events.append((self.owner, event))


def _discard(data: bytes | bytearray) -> object:
    return None


def _nowhere() -> tuple[str, int]:
    return "", 0


FULL_SCALE_DBM0 = 3.17
"""Level of a sine that just reaches the highest code of G.711 (ITU-T G.711 table 5)."""
_AUDIBLE = 32768.0**2 / 2 * 10 ** ((-50.0 - FULL_SCALE_DBM0) / 10)
_SQUARES = {name: tuple(float(value) ** 2 for value in law.to_linear.tolist()) for name, law in _LAWS.items()}
