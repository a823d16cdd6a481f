"""The sending half of a stream, sans-IO: RTP out of a source, digits instead of it (RFC 3550 5.1, RFC 4733).

It is called once per packet interval and decides in this order: digits that wait, the source, nothing. A packet that
differs from the one before only in number, time and payload is made in its place; every other one is built anew.
Packets leave by `send`, which the owner of the socket sets. The RTP clock must go on through silence, and the SSRC
through every change of format. Pacing, addresses and sockets do not belong here.
"""

from collections.abc import Callable, Iterable
from struct import Struct

from .captures import CaptureSource
from .context import StreamContext
from .digits import dtmf, inband
from .digits.digit_packet import DigitKind, DigitPacket, EventFormat, ToneSource
from .messages import (
    ConfigureStream,
    DigitsBegun,
    DigitsSent,
    Event,
    Frame,
    FramesWanted,
    ProvideFrames,
    SendDigits,
    SourceFinished,
)
from .refusal import Refusal, Refused
from .rtp.packet import HEADER, HEADER_SIZE, PLAIN, SEQUENCE_AND_TIMESTAMP
from .sources import CallbackSource, Format, Source
from .totals import codec_index

_M32 = 0xFFFFFFFF
_PACK = SEQUENCE_AND_TIMESTAMP.pack_into
_PACK_REST = Struct("!HII").pack_into  # sequence number, timestamp, SSRC
_NO_PAYLOAD = bytes(bytearray(b"none"))  # an object that is no source's payload
ECHO_SHARE = 40
"""Packets that a stream may send back more at each look of the engine at it, every 0.32 s. That is 125 a second: above
the need of any usual packet time, and below what two sides that echo each other make of one packet tick by tick."""
ECHO_BOUND = 200
"""How many it may save up, for a peer that was held up and sends all at once."""
LATE = 0.1
"""Seconds by which a packet of a capture may be late."""


class Sender:
    """What one stream sends."""

    __slots__ = (
        "_begun",
        "_constant",
        "_context",
        "_digits_on",
        "_event_format",
        "_first_number",
        "_marker",
        "_number",
        "_other_bytes",
        "_other_packets",
        "_owner",
        "_packet",
        "_payload",
        "_reports_digits",
        "_special",
        "_stream_id",
        "_tone_sounding",
        "can_send",
        "clock_rate",
        "codec",
        "codec_index",
        "digits",
        "digits_sent",
        "due",
        "echo_left",
        "ended",
        "frames_skipped",
        "group",
        "late_max",
        "numbers",
        "paced_interval",
        "packet_interval",
        "payload_size",
        "payload_type",
        "protect",
        "request_id",
        "send",
        "send_errors",
        "source",
        "ssrc",
        "step",
        "tap",
        "timestamp",
    )

    def __init__(self, stream_id: int, owner: int, context: StreamContext) -> None:
        """Begin with nothing to send, a random SSRC, and random start values (RFC 3550 5.1, 8.1)."""
        self._stream_id = stream_id
        self._owner = owner
        self._context = context
        random = context.random_bytes(10)
        self.ssrc = int.from_bytes(random[:4], "big")
        self._number = self._first_number = int.from_bytes(random[4:6], "big")
        self.timestamp = int.from_bytes(random[6:], "big")
        self.send: Callable[[bytes | bytearray | memoryview], object] = discard
        """Puts a packet on the wire; errors are its own matter."""
        self.protect: Callable[[bytes], bytes] | None = None
        """SRTP for what goes out; None = plain."""
        self.can_send = False
        self.codec = "PCMU"
        self.codec_index = 0
        self.payload_type = 0
        self.clock_rate = 8000
        self.payload_size = 160
        self.packet_interval = 0.02
        self.step = 160
        self.source = Source()
        self._begun = False  # whether the source has given anything
        self.request_id = 0
        """Of the source, for `SourceFinished`."""
        self.ended: Callable[[], None] = nothing
        """Called when the source has no more, to set another."""
        self.digits: dtmf.EventSender | None = None
        self._reports_digits = False  # whether each digit is reported as it begins
        self._other_packets = 0  # packets that were built one by one, and their octets
        self._other_bytes = 0
        self.send_errors = 0
        """Packets that the kernel did not take."""
        self.group: list[Sender] | None = None
        """Where the pacer holds the sender; None = nowhere."""
        self.due = 0.0
        """When the next interval begins that was not requested yet; 0 = unknown."""
        self.paced_interval = 0.0
        """The packet interval that the pacer has."""
        self.late_max = 0.0
        self.frames_skipped = 0
        self.digits_sent = 0
        self._packet = bytearray(HEADER_SIZE)
        self._payload = _NO_PAYLOAD  # what `_packet` carries now
        self._marker = True  # the next audio packet begins a talk spurt (RFC 3551 4.1)
        self.numbers: dict[int, int] = {}
        """Payload types that the peer numbers differently, by what they are in what we receive; -1 = it takes none."""
        self._event_format = EventFormat()
        self._tone_sounding = False
        self._special = True
        self._constant = False  # `_packet` carries the payload that the source will always give
        self._digits_on = False  # digits, and not the source, decide what goes out next
        self.tap: Callable[[bytes, int, int, int], None] | None = None
        """Takes what is sent: payload, payload type, sequence number, timestamp; see `set_tap`."""
        self.echo_left = ECHO_BOUND
        """Packets that may be sent back now; see `allow_echo`."""

    def configure(self, command: ConfigureStream, can_send: bool) -> None:
        """Take what signalling decided.

        Args:
            can_send: direction and remote address let us send.

        Raises:
            ValueError: a value that no stream can have.
        """
        if not (0.001 <= command.packet_interval <= 1.0 and 1 <= command.payload_size <= 1400):
            raise Refused(
                Refusal.BAD_VALUE, f"{command.payload_size} octets every {command.packet_interval} s cannot be sent"
            )
        if not 1 <= command.clock_rate <= 1_000_000 or not 0 <= command.payload_type <= 127:
            raise Refused(Refusal.BAD_VALUE, f"payload type {command.payload_type} at {command.clock_rate} Hz")
        if not 1 <= command.dtmf_clock_rate <= 1_000_000:
            raise Refused(Refusal.BAD_VALUE, f"telephone-event at {command.dtmf_clock_rate} Hz")
        event_format = EventFormat(command.dtmf_payload_type, command.dtmf_clock_rate, command.dtmf_events)
        if self.digits is not None and self.digits.active:
            self._reform_digits(self.digits, event_format, inband.tones_of(command.codec))
        self._other_bytes = self.bytes_sent
        self._other_packets = self.packets_sent
        changed = (command.codec, command.payload_type, command.payload_size) != (
            self.codec,
            self.payload_type,
            self.payload_size,
        )
        self.can_send = can_send
        self.codec = command.codec
        self.codec_index = codec_index(command.codec)
        self.payload_type = command.payload_type
        self.clock_rate = command.clock_rate
        self.payload_size = command.payload_size
        before, self.packet_interval = self.packet_interval, command.packet_interval
        self.step = round(command.clock_rate * command.packet_interval)
        self.numbers = dict(command.renumbered)
        self._event_format = event_format
        if self.digits is not None:
            self.digits.set_clock(command.clock_rate, self.timestamp, command.dtmf_clock_rate)
        # The next packet follows the last one, which was as long as packets were (RFC 3550 5.1).
        self.timestamp = (self.timestamp + round(before * self.clock_rate) - self.step) & _M32
        if changed or len(self._packet) == HEADER_SIZE:
            self._packet = bytearray(HEADER.pack(PLAIN, self.payload_type, 0, 0, self.ssrc))
            self._payload = _NO_PAYLOAD
            self._marker = True
        self._note_special()

    def _reform_digits(self, digits: dtmf.EventSender, to: EventFormat, tones: ToneSource | None) -> None:
        """Let the digits under way go on in the format to come, as events or tones; answer what cannot."""
        now = self._event_format
        reformed = digits.reform(
            to.events, tones, (self.timestamp + self.step) & _M32, choose_again=bool(to.events & ~now.events)
        )
        for packet in reformed.ends if self.can_send else ():
            try:
                self.send(self._build((packet.payload, now.payload_type, 0, packet.timestamp), packet.timestamp))
            except OSError:
                self.send_errors += 1
        self.answer_digits()
        for request_id, left in reformed.taken_back:
            self._emit(DigitsSent(self._stream_id, request_id, "FAIL", "format_changed", left=left))
        self._digits_on = digits.active

    def set_protection(self, protect: Callable[[bytes], bytes] | None) -> None:
        """Send SRTP; None = plain RTP."""
        self.protect = protect
        self._note_special()

    def set_tap(self, tap: Callable[[bytes, int, int, int], None] | None) -> None:
        """Show each sent packet to a second receiver; None = none."""
        self.tap = tap
        self._note_special()

    def set_source(self, source: Source, request_id: int = 0) -> None:
        """Send from another source from the next packet on.

        Args:
            request_id: for its `SourceFinished`.
        """
        self.source = source
        self.request_id = request_id
        self._marker = self._special = True
        self._constant = self._begun = False

    @property
    def format(self) -> Format:
        """What one packet is made of."""
        return Format(self.codec, self.clock_rate, self.payload_size, self.step)

    @property
    def paced(self) -> bool:
        """Whether the tick has to request packets."""
        return self.can_send and (self.source.paced or self._digits_on)

    def resume(self, idle: float) -> None:
        """Let the RTP clock run on after a time without requests.

        Args:
            idle: seconds.
        """
        self.timestamp = (self.timestamp + max(0, round(idle * self.clock_rate))) & _M32

    def skip(self, frames: int) -> None:
        """Pass over intervals that were too late to send: time goes on, sequence numbers do not."""
        self.timestamp = (self.timestamp + frames * self.step) & _M32
        self.frames_skipped += frames
        if self._begun:  # else they were due before it was set, and it is sent from its first frame on
            self.source.skip(frames)

    def next_packet(self) -> bytes | bytearray | None:
        """The RTP packet of the next interval, valid until the next call; None = nothing goes out."""
        timestamp = self.timestamp = (self.timestamp + self.step) & _M32
        if self._special:
            return self._next_special(timestamp)
        payload = self.source.next_payload()
        packet = self._packet
        if payload is not self._payload:
            if payload is None:
                return self._next_special(timestamp) if self._nothing() else None
            packet[HEADER_SIZE:] = payload
            self._payload = payload
            self._constant = self.source.constant
        number = self._number = self._number + 1
        _PACK(packet, 2, number & 0xFFFF, timestamp)
        return packet

    def _next_special(self, timestamp: int) -> bytes | None:
        """The packet of an interval that is not like the one before it."""
        if self._digits_on:
            replaced = self._next_digit(timestamp)
            if replaced is not None:
                return self._digit_packet(replaced, timestamp)
        source = self.source
        self._begun = True
        payload = source.next_payload()
        if payload is None:
            return self._next_special(timestamp) if self._nothing() else None
        if isinstance(source, CallbackSource):
            packet = self._build(self._renumbered(source.override) or source.override, timestamp)
            self.ask_for_frames()  # after it: the number of the first of them is the next one's
            return packet
        packet = self._build((payload, -1, 0, -1), timestamp)
        self._note_special()
        return packet

    def _nothing(self) -> bool:
        """The source gives nothing now: what it gives next begins a talk spurt. True = another gives something."""
        self._marker = self._special = True
        finished, detail, request_id = self.source.finished, self.source.detail, self.request_id
        if not finished:
            self.ask_for_frames()
            return False
        self.set_source(Source())
        self._emit(SourceFinished(self._stream_id, finished, request_id, detail))
        self.ended()
        return self.source.paced

    def _note_special(self) -> None:
        """Whether the next packet may differ from the one before in more than number, time and payload."""
        self._constant = False
        self._payload = _NO_PAYLOAD
        self._special = (
            self._digits_on
            or self._marker
            or self.protect is not None
            or self.tap is not None
            or self.source.uniform != self.payload_size
        )

    def _build(self, frame: Frame, timestamp: int) -> bytes:
        """A packet with a header of its own.

        Args:
            timestamp: for a frame that brings none.
        """
        payload, payload_type, marker, own_timestamp = frame
        if payload_type < 0:
            payload_type = self.payload_type
            marker = marker or self._marker
            self._marker = False
        if own_timestamp < 0:
            own_timestamp = timestamp
        self._number += 1
        self._other_packets += 1
        self._other_bytes += len(payload)
        if self.tap is not None:
            self.tap(payload, payload_type, self._number & 0xFFFF, own_timestamp & _M32)
        second = payload_type & 0x7F | (0x80 if marker else 0)
        packet = HEADER.pack(PLAIN, second, self._number & 0xFFFF, own_timestamp & _M32, self.ssrc) + payload
        return packet if self.protect is None else self.protect(packet)

    @property
    def packets_sent(self) -> int:
        """RTP packets so far."""
        return self._number - self._first_number

    @property
    def bytes_sent(self) -> int:
        """Their payload octets: those of plain packets follow from their number."""
        return self._other_bytes + (self.packets_sent - self._other_packets) * self.payload_size

    @property
    def next_sequence_number(self) -> int:
        """Of the next packet, whatever it is."""
        return (self._number + 1) & 0xFFFF

    def _digit_packet(self, digit: DigitPacket, timestamp: int) -> bytes | None:
        if digit.kind is DigitKind.EVENT:
            self._tone_sounding = False
            if digit.marker:
                self._count_digit(0)
            return self._build(
                (digit.payload, self._event_format.payload_type, int(digit.marker), digit.timestamp), timestamp
            )
        if digit.kind is DigitKind.TONE:
            if not self._tone_sounding:
                self._tone_sounding = True
                self._count_digit(1)
            return self._build((digit.payload, -1, 0, -1), timestamp)
        self._tone_sounding = False
        if not self.source.paced:
            return None
        return self._build((self.format.silence(), -1, 0, -1), timestamp)

    def _count_digit(self, mode: int) -> None:
        self.digits_sent += 1
        self._context.totals.digits_sent[mode] += 1

    def send_digits(self, command: SendDigits) -> None:
        """Queue digits; refuse them by event when they cannot be sent (C38)."""
        tones = None
        refusal = ""
        if command.mode == "inband":
            tones = inband.tones_of(self.codec)
            if tones is None:
                refusal = "no_tone_codec"
        elif command.mode != "rfc4733":
            refusal = "bad_value"
        elif self._event_format.payload_type < 0:
            refusal = "not_negotiated"
        elif not self._event_format.lists(command.digits):
            refusal = "not_listed"
        if not refusal:
            if self.digits is None:
                self.digits = dtmf.EventSender(self.clock_rate, event_clock_rate=self._event_format.clock_rate)
            try:
                self.digits.send(command.digits, command.duration_ms, command.request_id, tones)
            except dtmf.DigitQueueFull:
                refusal = "queue_full"
                self._context.totals.digits_not_queued += 1
            except ValueError:
                refusal = "bad_value"
            else:
                if command.progress:
                    self._reports_digits = True
                self._digits_on = self.digits.active
                self._special = True
        if refusal:
            self._context.totals.digits_refused += 1
            self._emit(DigitsSent(self._stream_id, command.request_id, "FAIL", refusal))

    def stop_digits(self, reason: str = "stopped") -> None:
        """Forget the digits that wait; each request is answered."""
        if self.digits is not None:
            for request_id in self.digits.stop() if reason == "stopped" else self.digits.close():
                self._emit(DigitsSent(self._stream_id, request_id, "FAIL", reason, self.digits.out_of(request_id)))

    def _next_digit(self, timestamp: int) -> DigitPacket | None:
        """What replaces the audio of this interval; None = the digits are over."""
        digits = self.digits
        assert digits is not None
        begun = digits.begun
        packet = digits.next_packet(timestamp, self.step)
        if digits.begun is not begun and self._reports_digits:
            self._emit(DigitsBegun(self._stream_id, *digits.begun))
        self.answer_digits()
        self._digits_on = digits.active
        return packet

    def answer_digits(self) -> None:
        """Report which requests are done."""
        if self.digits is not None:
            for request_id in self.digits.take_finished():
                self._emit(DigitsSent(self._stream_id, request_id, "OK"))

    def provide(self, command: ProvideFrames, source: Source | None = None) -> bool:
        """Frames for a callback source, the present one or another; False when it is of another kind."""
        source = source or self.source
        if not isinstance(source, CallbackSource):
            return False
        dropped = source.dropped
        source.provide(command.frames, command.end)
        self._context.totals.frames_dropped += source.dropped - dropped
        return True

    def ask_for_frames(self) -> None:
        """Report when a callback source will soon run out."""
        source = self.source
        if isinstance(source, CallbackSource):
            wanted = source.wanted()
            if wanted:
                first = (self._number + 1 + source.waiting) & 0xFFFF
                self._emit(FramesWanted(self._stream_id, first, wanted, self.payload_size))

    def _renumbered(self, frame: Frame) -> Frame | None:
        """A frame under the peer's number for its format; None = it takes no such format."""
        number = self.numbers.get(frame[1], frame[1])
        if number == frame[1]:
            return frame
        return None if number < 0 else (frame[0], number, *frame[2:])

    def rest(self, at: float) -> None:
        """Note when an echo sent last: what it sends has the peer's times.

        Args:
            at: seconds.
        """
        if not self.due and self.packets_sent and at >= 0:
            self.due = at + self.packet_interval

    def echo(self, received: Frame) -> None:
        """Send a received frame back with its own format, marker and timestamp; digits go before it."""
        frame = self._renumbered(received)
        if not self.echo_left or frame is None:
            self._context.totals.frames_dropped += 1
        elif self.can_send and not self._digits_on:
            self.echo_left -= 1
            self.timestamp = frame[3]
            self.due = 0.0
            packet = self._build(frame, frame[3])
            try:
                self.send(packet)
            except OSError:
                send_again(self, packet)

    def echo_in_place(self, buffer: bytearray, size: int, timestamp: int) -> None:
        """The same for a plain packet in a buffer, whose header is rewritten.

        Args:
            size: its octets.
        """
        if not self.can_send or self._digits_on:
            return
        left = self.echo_left
        if not left:
            self._context.totals.frames_dropped += 1
            return
        self.echo_left = left - 1
        self.timestamp = timestamp
        self.due = 0.0
        number = self._number = self._number + 1
        self._other_packets += 1
        self._other_bytes += size - HEADER_SIZE
        _PACK_REST(buffer, 2, number & 0xFFFF, timestamp, self.ssrc)
        packet = memoryview(buffer)[:size]
        try:
            self.send(packet)
        except OSError:
            send_again(self, packet)

    def allow_echo(self) -> None:
        """Let some more packets go back, twice as many as the packet interval makes at least.

        Without a bound two sides that echo would keep one packet going for ever.
        """
        if self.echo_left >= ECHO_BOUND:
            return
        share = max(ECHO_SHARE, int(0.64 / self.packet_interval))
        self.echo_left = min(self.echo_left + share, max(ECHO_BOUND, share))

    def close(self) -> None:
        """Send nothing more; digits that waited are answered."""
        self.can_send = False
        self.stop_digits("closed")
        self.answer_digits()
        self.digits = None
        self._digits_on = False
        self.send = discard
        self.ended = nothing  # it holds what holds us
        self.source = Source()

    def _emit(self, event: Event) -> None:
        self._context.events.append((self._owner, event))


def packets_of(group: Iterable[Sender], packets: list[bytes | bytearray | None]) -> None:
    """Append `Sender.next_packet` of each, without the call for those that send the same payload again.

    What one of them raises goes to the caller; those before it are in `packets`.
    """
    append = packets.append
    pack = _PACK
    for sender in group:
        if sender._constant and not sender._special:
            timestamp = sender.timestamp = (sender.timestamp + sender.step) & _M32
            number = sender._number = sender._number + 1
            packet = sender._packet
            pack(packet, 2, number & 0xFFFF, timestamp)
            append(packet)
        else:
            append(sender.next_packet())


def send_again(sender: Sender, packet: bytes | bytearray | memoryview) -> None:
    """Send a packet once more that the kernel refused, and count it if that fails too.

    The first error may be one that ICMP has brought of an earlier packet (RELIABILITY N8); this one is lost by none.
    """
    try:
        sender.send(packet)
    except OSError:
        sender.send_errors += 1


def replay(sender: Sender, now: float) -> None:
    """Send what is due of a capture, with its own payload types, markers and steps of time; nothing of another source.

    What is late by more than `LATE` is passed over and counted, never sent in a burst. While nothing may be sent, and
    while digits replace it, the capture goes on unheard.

    Args:
        now: seconds, monotonic.
    """
    source = sender.source
    if not isinstance(source, CaptureSource):
        return
    if not source.has_begun:
        idle = max(0.0, now - sender.due) if sender.due else 0.0
        source.begin(now, sender.timestamp + sender.step + round(idle * sender.clock_rate))
    for frame, at in source.take(now):
        late = now - at
        if late > LATE:
            sender.frames_skipped += 1
            sender._context.totals.frames_skipped += 1
            continue
        if not sender.can_send or sender._digits_on:
            continue
        packet = sender._build(frame, frame[3])
        sender.timestamp = frame[3]
        sender.due = at + sender.packet_interval
        try:
            sender.send(packet)
        except OSError:
            send_again(sender, packet)
        sender.late_max = max(sender.late_max, late)
    if source.finished:
        sender._nothing()


def end_failed(sender: Sender) -> None:
    """End what could not make a packet, digits or source: it would fail again with each of the next."""
    if sender._digits_on:
        sender.stop_digits(Refusal.FAILED.value)
        sender.answer_digits()
        sender.digits = None
        sender._digits_on = False
        return
    request_id = sender.request_id
    sender.set_source(Source())
    reason, detail = Refusal.FAILED.value, "an error of our own code"
    sender._emit(SourceFinished(sender._stream_id, reason, request_id, detail))
    sender.ended()


def nothing() -> None:
    """What follows a source that stands alone."""


def discard(data: bytes | bytearray | memoryview) -> object:
    """The wire that leads nowhere."""
    return None
