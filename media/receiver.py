"""The receiving half of a stream, sans-IO: RTP in, to statistics, digits and a sink (RFC 3550 A, RFC 4733).

Datagrams come whose source address was accepted already. The order of work: a packet in sequence of the present source
is counted at once; any other one is separated from RTCP, unprotected (SRTP), and judged by its payload type; another
SSRC goes on probation; the rest is counted, and its payload goes to digits, echo, sink and tone detector. No packet may
be dropped without a counter of its reason, and no clock is used: time is an argument. Sockets, addresses and sent
packets do not belong here.
"""

import contextlib
from collections import deque
from collections.abc import Callable

from . import totals
from .audio.g711 import LAWS
from .context import FrameHolder, StreamContext
from .digits import dtmf
from .digits.listening import DigitListener
from .messages import ConfigureStream, DtmfReceived, Event, FramesReceived, SinkFailed, StreamStarted
from .refusal import Refusal, Refused
from .rtp.packet import HEADER, HEADER_IN_WORDS, HEADER_SIZE, PLAIN, RtpError, is_rtcp, payload_bounds
from .rtp.reception import Reception
from .rtp.sequence import DUPLICATE, MAX_DROPOUT, MAX_MISORDER, NEW, OUTSIDE, RESTARTED
from .rtp.srtp import SrtpSession
from .sender import Sender
from .sinks import CallbackSink, Sink
from .sources import EchoSource

_UNPACK = HEADER.unpack_from
_UNPACK_WORDS = HEADER_IN_WORDS.unpack_from
COMFORT_NOISE = 13
"""Static payload type of comfort noise (RFC 3389)."""
SSRC_QUIET = 0.2
"""Seconds that the present SSRC must be silent before another may follow it (RELIABILITY S5)."""
MAX_SSRCS = 4
"""SSRCs known per stream, those on probation included."""
STALE = 2.0
"""Seconds after which an SSRC on probation gives its place away."""
DOOR = 5.0
"""Seconds after an offer and answer within which another SSRC is taken with its first packet (RFC 3264 8.3): time for
the answer to reach the peer, a lost response and its repetitions included."""
KEPT = 64
"""Packets of an SSRC on probation that are kept, the newest."""
KEPT_FOR = 0.5
"""Seconds for which they are kept while the present SSRC goes on."""
DIGITS_WAITING = 32
"""Digits of one stream that may wait to be handed out; beyond, the oldest is dropped."""
SAME_DIGIT = 0.15
"""Seconds between the report of a digit in one mode and the start of the same digit in the other, or between both
reports, within which they are one key press."""
FULL_SCALE_DBM0 = 3.17
"""Level of a sine that just reaches the highest code of G.711 (ITU-T G.711 table 5)."""
AUDIBLE_DBM0 = -50.0
"""Audio below this level counts as silence."""

_AUDIBLE = 32768.0**2 / 2 * 10 ** ((AUDIBLE_DBM0 - FULL_SCALE_DBM0) / 10)
_LINEAR: dict[str, tuple[int, ...]] = {name: tuple(law.to_linear.tolist()) for name, law in LAWS.items()}
_SQUARES = {name: tuple(value**2 for value in values) for name, values in _LINEAR.items()}
_MEASURED = 80
"""Samples of a packet that are measured: 10 ms, three periods of 300 Hz. They follow one another, because of each n-th
sample some tones of the band would look constant."""


class _Candidate:
    """An SSRC on probation (RFC 3550 A.1): its packets, kept so that nothing is lost when it is taken."""

    __slots__ = ("confirmed", "heard_at", "packets", "sequence_number")

    def __init__(self) -> None:
        self.packets: deque[tuple[bytes, int, float]] = deque()
        """Packet, sequence number, when it came."""
        self.confirmed = False
        """A second packet near the first has come."""
        self.sequence_number = -1
        self.heard_at = 0.0

    def keep(self, packet: bytes, sequence_number: int, now: float) -> int:
        """Take one more packet; returns how many earlier ones it throws away."""
        thrown = 0
        if self.packets and sequence_number != self.sequence_number:
            self.confirmed = self.is_near(sequence_number)
            if not self.confirmed:
                thrown = len(self.packets)
                self.packets.clear()
        while self.packets and (len(self.packets) >= KEPT or now - self.packets[0][2] > KEPT_FOR):
            self.packets.popleft()
            thrown += 1
        self.packets.append((packet, sequence_number, now))
        self.sequence_number, self.heard_at = sequence_number, now
        return thrown

    def in_order(self) -> list[tuple[bytes, int, float]]:
        """The packets by their sequence numbers: some may have changed places on the way."""
        middle = self.sequence_number
        return sorted(self.packets, key=lambda each: (each[1] - middle + 0x8000) & 0xFFFF)

    def is_near(self, sequence_number: int) -> bool:
        """Whether another packet continues the same count: the next one, or a neighbour of it.

        The network may have lost or moved what lies between. Payload type and address were negotiated, so that the SSRC
        and the neighbourhood are proof enough.
        """
        ahead = (sequence_number - self.sequence_number) & 0xFFFF
        return 0 < ahead < MAX_MISORDER or ahead > 0x10000 - MAX_MISORDER


class Receiver(DigitListener, FrameHolder):
    """What one stream receives."""

    __slots__ = (
        "_audio_until",
        "_candidates",
        "_clock",
        "_codecs",
        "_codecs_known",
        "_context",
        "_digits_drain",
        "_digits_waiting",
        "_door_until",
        "_dtmf_methods",
        "_earlier_octets",
        "_echo_in_place",
        "_echo_source",
        "_events",
        "_inband_slot",
        "_last_digit",
        "_late",
        "_left",
        "_noise_octets",
        "_noise_types",
        "_other_at",
        "_owner",
        "_plain_head",
        "_sampling",
        "_sender",
        "_ssrc",
        "_stream_id",
        "_tapped",
        "_thrown",
        "_thrown_after",
        "_thrown_ahead",
        "can_receive",
        "codec",
        "codec_index",
        "comfort_noise",
        "digits_received",
        "discards",
        "earlier",
        "event_octets",
        "event_packets",
        "event_receiver",
        "first_at",
        "jitter_max",
        "level_samples",
        "noise_packets",
        "reception",
        "remote",
        "restarts",
        "rtcp_mux",
        "sink",
        "srtp",
        "ssrc_changes",
        "suppressed_at",
    )

    def __init__(self, stream_id: int, owner: int, context: StreamContext, sender: Sender) -> None:
        """Begin with nothing received.

        Args:
            sender: the other half, which sends back what is echoed.
        """
        self._stream_id = stream_id
        self._owner = owner
        self._context = context
        self._sender = sender
        self._echo_source: EchoSource | None = None
        self.remote: Callable[[], tuple[str, int]] = nowhere
        """Identifies the source of received packets."""
        self.srtp: SrtpSession | None = None
        """SRTP for what comes in; None = plain."""
        self.can_receive = False
        self.rtcp_mux = False
        self.reception: Reception | None = None
        """The present SSRC; None = none yet."""
        self.earlier = [0, 0, 0, 0, 0]
        """Of SSRCs that were replaced: received, expected, unique, reordered, loss runs."""
        self.restarts = 0
        """How often numbers started anew within an SSRC: the packet before each was discarded (RFC 3550 A.1)."""
        self._earlier_octets = 0
        self.jitter_max = 0.0
        """Seconds, of SSRCs that were replaced."""
        self.codec = ""
        """Encoding name received last."""
        self.codec_index = 0
        self.sink = Sink()
        self.event_packets = 0
        """Packets of telephone-event among those received, and their octets: they are of no audio codec."""
        self.event_octets = self._noise_octets = 0
        self.digits_received = 0
        self._digits_waiting = 0  # events of digits since the events were handed out for the `_digits_drain`th time
        self._digits_drain = 0
        self.discards = [0] * len(totals.DISCARD_REASONS)
        self._thrown = 0  # packets of the present source that were discarded, up to its highest sequence number
        self._thrown_ahead = 0  # and those discarded since the packet with this highest number
        self._thrown_after = -1
        self._late = 0
        self.ssrc_changes = 0
        self.comfort_noise = False
        """Comfort noise was negotiated (RFC 3389)."""
        self._other_at = self._audio_until = -1.0
        self.noise_packets = 0
        """Packets of comfort noise where it was not, and packets of a codec without payload."""
        self.suppressed_at = -1.0
        """When the peer last showed that it is silent on purpose; -1 = never."""
        self._noise_types = {COMFORT_NOISE}
        self.first_at = -1.0
        self.level_samples: list[float] = [0, 0.0, 0]
        """Packets sampled, sum of their mean squares, and how many were audible."""
        self.event_receiver = dtmf.EventReceiver()
        self._ssrc = -1
        self._plain_head = -1  # first two octets of packets without surprises; -1 = none are
        self._clock = 8000
        self._codecs: dict[int, tuple[str, int]] = {}
        self._codecs_known: tuple[tuple[int, str, int], ...] = ()
        self._events: dict[int, int] = {}  # clock of each payload type of telephone-event
        self._dtmf_methods: tuple[str, ...] = ()
        self._candidates: dict[int, _Candidate] = {}
        self._door_until = -1.0
        self._left = (-1, -1.0)  # the source before the present one, and when it was left
        self._tapped = False  # whether payloads are wanted, and not only counted
        self._echo_in_place = False  # payloads go straight back and nowhere else
        self._sampling = False
        self._inband_slot = -1
        self._last_digit = ("", "", -1.0)

    def configure(self, command: ConfigureStream, can_receive: bool) -> None:
        """Take what signalling decided.

        Args:
            can_receive: the direction lets us.

        Raises:
            ValueError: a value that no stream can have.
        """
        unknown = set(command.dtmf_methods) - {"rfc4733", "inband"}
        if unknown:
            raise Refused(Refusal.BAD_VALUE, f"no such DTMF method: {', '.join(sorted(unknown))}")
        for payload_type, name, rate in command.receive_codecs:
            if rate < 1:
                raise Refused(Refusal.BAD_VALUE, f"payload type {payload_type} is {name} at {rate} Hz")
        self.can_receive = can_receive
        self.rtcp_mux = command.rtcp_mux
        self._events = {pt: rate for pt, name, rate in command.receive_codecs if name.lower() == "telephone-event"}
        if command.dtmf_receive_payload_type >= 0:
            self._events.setdefault(command.dtmf_receive_payload_type, command.dtmf_clock_rate)
        if command.receive_codecs != self._codecs_known:
            self._codecs_known = command.receive_codecs
            noise = {pt for pt, name, _ in command.receive_codecs if name.upper() == "CN"}
            self.comfort_noise |= bool(noise)
            self._noise_types = {COMFORT_NOISE, *noise}
            other = noise | self._events.keys()
            self._codecs = {pt: (_known(name), rate) for pt, name, rate in command.receive_codecs if pt not in other}
            if not self.codec and command.receive_codecs:
                self.codec_index = totals.codec_index(command.receive_codecs[0][1])
        self._dtmf_methods = command.dtmf_methods
        self._listen("inband" in command.dtmf_methods)
        self._plain_head = -1
        self._tap()

    def set_echo(self, source: EchoSource | None) -> None:
        """Send back what comes in, or no longer."""
        self._echo_source = source
        self._tap()

    def set_sink(self, sink: Sink) -> None:
        """Put what comes in elsewhere; the old sink is closed."""
        old, self.sink = self.sink, sink
        self._late += old.late
        self._close_sink(old)
        self._tap()

    def format_sent(self, payload_type: int) -> tuple[str, int]:
        """Codec, as in `Sink.write`, and clock rate of what passes through under a payload type of the peer."""
        for number, form in self._codecs.items():
            if self._sender.numbers.get(number, number) == payload_type:
                return form
        return ("CN" if payload_type == COMFORT_NOISE else ""), self._clock

    @property
    def is_recording(self) -> bool:
        """Whether what comes in is written or handed on."""
        return type(self.sink) is not Sink

    @property
    def late(self) -> int:
        """Packets too late for the playout buffer."""
        return self._late + self.sink.late

    @property
    def received(self) -> int:
        """RTP packets that belonged, duplicates included."""
        return self.earlier[0] + (self.reception.received if self.reception is not None else 0)

    def counts(self) -> tuple[int, int, int, int]:
        """Over all SSRCs: RTP packets received, those expected by their sequence numbers (RFC 3550 A.3), those received
        each counted once, and payload octets. Read at once, because property by property costs three times as much.
        """
        received, expected, unique, *_ = self.earlier
        octets = self._earlier_octets
        reception = self.reception
        if reception is not None:
            new = reception.received
            received += new
            expected += reception.expected
            unique += new - reception.duplicates
            octets += reception.octets
        return received, expected, unique, octets

    def audio(self) -> tuple[int, int]:
        """Payload octets of audio, and the packets that they came in, duplicates included."""
        received, _, _, octets = self.counts()
        return octets - self.other_octets, received - self.not_audio

    @property
    def other_octets(self) -> int:
        """Payload octets of events and of comfort noise."""
        return self.event_octets + self._noise_octets

    @property
    def not_audio(self) -> int:
        """Packets that belonged and carried no audio: events, unagreed comfort noise, and those without payload."""
        return self.event_packets + self.noise_packets

    @property
    def audio_at(self) -> float:
        """When the newest packet came that was neither an event nor comfort noise; -1 = none did."""
        return self._audio_until if self._other_at == self.last_at else self.last_at

    @property
    def thrown(self) -> int:
        """Packets that were discarded here and leave a gap in the sequence numbers: the network did not lose them."""
        reception = self.reception
        passed = reception is not None and reception.highest != self._thrown_after
        return self._thrown + (self._thrown_ahead if passed else 0)

    @property
    def suppressed(self) -> bool:
        """The peer is silent on purpose: since its last packet of comfort noise it sent no audio."""
        return self.suppressed_at >= 0 and self.suppressed_at == self.last_at

    @property
    def bytes_received(self) -> int:
        """Their payload octets."""
        return self._earlier_octets + (self.reception.octets if self.reception is not None else 0)

    @property
    def last_at(self) -> float:
        """When the newest packet came; -1 = none did."""
        return self.reception.last_at if self.reception is not None else -1.0

    def _listen(self, wanted: bool) -> None:
        """Take or give back a slot of the tone detector."""
        listening = self._context.listening
        if wanted and self._inband_slot < 0:
            self._inband_slot = listening.add(self)
        elif not wanted and self._inband_slot >= 0:
            slot, self._inband_slot = self._inband_slot, -1
            listening.remove(slot, self.last_at)

    def report(self, digit: dtmf.ReceivedDigit, mode: str, now: float) -> None:
        """Report a digit, unless it is the other mode's copy of the one before."""
        event, other, at = self._last_digit
        if event == digit.event and other != mode and now - at < SAME_DIGIT + digit.duration_ms / 1000:
            return
        if mode == "inband" and self.event_receiver.sounds(digit.event):
            return  # a gateway lets the start of the tone through: the event has its length
        self._last_digit = (digit.event, mode, now)
        self.digits_received += 1
        context = self._context
        context.totals.digits_received[mode == "inband"] += 1
        if self._digits_drain != context.drained:
            self._digits_drain = context.drained
            self._digits_waiting = 0
        if self._digits_waiting < DIGITS_WAITING:
            self._digits_waiting += 1
        else:
            self._drop_oldest_digit()
        self._emit(DtmfReceived(self._stream_id, digit.event, digit.duration_ms, mode))

    def _drop_oldest_digit(self) -> None:
        """Make room for a newer one: the events were not taken for long."""
        events = self._context.events
        for place, (owner, event) in enumerate(events):
            if isinstance(event, DtmfReceived) and event.stream_id == self._stream_id and owner == self._owner:
                del events[place]
                self._context.totals.digits_dropped += 1
                return

    def expire_digit(self, now: float) -> None:
        """Report a digit whose end was lost."""
        for digit in self.event_receiver.expire(now):
            self.report(digit, "rfc4733", now)
        if not self.event_receiver.active:
            self._context.listening.sounding.discard(self)

    def receive(self, data: bytes | bytearray, size: int, now: float) -> bool:
        """Take a datagram from the accepted source.

        Args:
            data: a buffer that begins with it.
            size: its octets.
            now: seconds, monotonic.

        Returns:
            False for a datagram that is RTCP on the RTP port, which the caller handles (RFC 5761).
        """
        if size > HEADER_SIZE:
            head, sequence_number, timestamp, ssrc = _UNPACK_WORDS(data)
            if head == self._plain_head and ssrc == self._ssrc:
                reception = self.reception
                assert reception is not None
                verdict = reception.receive(sequence_number, timestamp, int(now * self._clock))
                if verdict is NEW:
                    if size != reception.usual_size:
                        reception.count_octets(size - HEADER_SIZE)
                    reception.last_at = now
                    if self._echo_in_place and data.__class__ is bytearray:
                        self._sender.echo_in_place(data, size, timestamp)
                    elif self._tapped:
                        frame = (bytes(data[HEADER_SIZE:size]), sequence_number, timestamp, head & 0x7F, 0)
                        self._deliver(frame, self.codec, now)
                    return True
                self._judge(verdict, data, HEADER_SIZE, size, head & 0x7F, sequence_number, timestamp, now)
                return True
        return self._receive_irregular(data, size, now)

    def _receive_irregular(self, data: bytes | bytearray, size: int, now: float) -> bool:
        if size >= 2 and is_rtcp(data, shared=self.rtcp_mux):
            if self.rtcp_mux:
                return False
            self._context.totals.rtcp_discards[totals.RTCP_NOT_NEGOTIATED] += 1
            return True
        if not self.can_receive:
            self._throw(totals.DIRECTION, data, size)
            return True
        try:
            start, end = payload_bounds(data, size)
            if self.srtp is not None:
                replayed = self.srtp.replayed
                plain = self.srtp.unprotect(bytes(data[:size]))
                if plain is None:
                    replay = self.srtp.replayed != replayed
                    self.discards[totals.SRTP_REPLAY if replay else totals.SRTP_AUTH] += 1
                    return True
                data, size = plain, len(plain)
                start, end = payload_bounds(data, size)
        except RtpError:
            self.discards[totals.MALFORMED] += 1
            return True
        _, second, sequence_number, timestamp, ssrc = _UNPACK(data)
        payload_type = second & 0x7F
        known = payload_type in self._codecs or payload_type in self._events or payload_type in self._noise_types
        if not known:
            self._throw(totals.BAD_PAYLOAD, data, size)
            return True
        if ssrc != self._ssrc:
            self._probation(bytes(data[:size]), ssrc, sequence_number, now)
            return True
        self._accept(data, start, end, second, sequence_number, timestamp, now)
        return True

    def renegotiated(self, now: float) -> None:
        """An offer was answered: another SSRC of the peer may follow the present one at once, for a while."""
        self._door_until = now + DOOR if self.reception is not None else now

    def _throw(self, reason: int, data: bytes | bytearray, size: int) -> None:
        """Discard a packet; the gap that one of the present source leaves is no loss of the network."""
        self.discards[reason] += 1
        reception = self.reception
        if reception is None or size < HEADER_SIZE:
            return
        _, _, sequence_number, _, ssrc = _UNPACK(data)
        if ssrc != self._ssrc or not 0 < (sequence_number - reception.highest) & 0xFFFF < MAX_DROPOUT:
            return
        if reception.highest != self._thrown_after:
            self._thrown += self._thrown_ahead
            self._thrown_ahead = 0
            self._thrown_after = reception.highest
        self._thrown_ahead += 1

    def _probation(self, packet: bytes, ssrc: int, sequence_number: int, now: float) -> None:
        """A source is taken with its second packet near the first, a new one only when the old is silent (A.1)."""
        candidate = self._candidates.get(ssrc)
        if candidate is None:
            if len(self._candidates) >= MAX_SSRCS - 1:
                oldest = min(self._candidates, key=lambda each: self._candidates[each].heard_at)
                if now - self._candidates[oldest].heard_at < STALE:
                    self.discards[totals.BAD_SSRC] += 1
                    return
                self.discards[totals.BAD_SSRC] += len(self._candidates.pop(oldest).packets)
            candidate = self._candidates[ssrc] = _Candidate()
        self.discards[totals.BAD_SSRC] += candidate.keep(packet, sequence_number, now)
        if self._may_follow(ssrc, candidate, now):
            self._follow(ssrc)

    def _may_follow(self, ssrc: int, candidate: _Candidate, now: float) -> bool:
        """Whether an SSRC on probation is the source from now on."""
        if self.reception is None:
            return candidate.confirmed
        if now < self._door_until and (ssrc != self._left[0] or now - self._left[1] >= SSRC_QUIET):
            return True  # but what the network delayed of the SSRC before is no return to it
        return candidate.confirmed and now - self.last_at >= SSRC_QUIET

    def settle(self, now: float) -> None:
        """Take an SSRC that has passed its probation and sent nothing more since."""
        for ssrc, candidate in self._candidates.items():
            if candidate.confirmed and self._may_follow(ssrc, candidate, now):
                self._follow(ssrc)
                return

    def _follow(self, ssrc: int) -> None:
        """Begin anew with a source on probation, its first packet included."""
        packets = self._candidates.pop(ssrc).in_order()
        self._drop_candidates()
        self._door_until = -1.0
        _, sequence_number, heard_at = packets[0]
        payload_type = packets[0][0][1] & 0x7F
        if self.reception is not None:
            self._left = (self._ssrc, self.last_at)
            self._retire(self.reception)
            self.ssrc_changes += 1
            self.sink.restart()
        self._ssrc = ssrc
        self._plain_head = -1
        usual = next(iter(self._codecs.values()), ("", 8000))  # a digit may come before any audio
        _, self._clock = self._codecs.get(payload_type, usual)
        self.reception = Reception(ssrc, sequence_number, self._clock)
        if self.first_at < 0:
            self.first_at = heard_at
        for number, (packet, sequence_number, at) in enumerate(packets):
            start, end = payload_bounds(packet, len(packet))
            _, second, _, timestamp, _ = _UNPACK(packet)
            self._accept(packet, start, end, second, sequence_number, timestamp, at)
            if not number:
                self._emit(StreamStarted(self._stream_id, ssrc, payload_type, *self.remote()))

    def _drop_candidates(self) -> None:
        """End every probation; what was kept is thrown away, and counted."""
        for candidate in self._candidates.values():
            self.discards[totals.BAD_SSRC] += len(candidate.packets)
        self._candidates.clear()

    def _retire(self, reception: Reception) -> None:
        """Add a source that is gone to the sums."""
        earlier = self.earlier
        earlier[0] += reception.received
        earlier[1] += reception.expected
        earlier[2] += reception.unique
        earlier[3] += reception.reordered
        earlier[4] += reception.loss_runs
        self._earlier_octets += reception.octets
        reception.count_nothing_in_loop()
        self._thrown = self.thrown
        self._thrown_ahead, self._thrown_after = 0, -1
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
        codec = self._codecs.get(second & 0x7F)
        if codec is None or start == end or second & 0x7F in self._events:
            if second & 0x7F not in self._events:
                if codec is None and self.comfort_noise:
                    self.suppressed_at = now
                else:
                    self.noise_packets += 1
            elif self.suppressed:
                self.suppressed_at = now  # a digit within the silence
            if reception.last_at != self._other_at:
                self._audio_until = reception.last_at
                self.event_receiver.time.follow(reception.last_at)
            self._other_at = now
            verdict = reception.count(sequence_number)  # events keep their timestamp: no jitter from them
        else:
            name, clock = codec
            if name != self.codec:
                self.codec = name
                self.codec_index = totals.codec_index(name)
            if clock != self._clock:
                self._clock = reception.clock_rate = clock
            reception.expect(HEADER_SIZE + end - start)
            verdict = reception.receive(sequence_number, timestamp, int(now * clock))
            self._plain_head = PLAIN << 8 | second & 0x7F if self.srtp is None and self.can_receive else -1
            self._tap()
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
        if verdict == RESTARTED:
            self._thrown_ahead = 0  # what lies before a restart is no gap
            self.restarts += 1
        reception = self.reception
        assert reception is not None
        reception.last_at = now
        reception.count_octets(end - start)
        payload_type = second & 0x7F
        event_clock = self._events.get(payload_type)
        if event_clock is not None:
            self.event_packets += 1
            self.event_octets += end - start
            self.event_receiver.set_clock(event_clock, self._clock)
            self.event_receiver.time.take(bytes(data[start:end]), timestamp, event_clock, now)
            # Even with a repeated sequence number: some phones do not count while a digit lasts.
            self._receive_event(bytes(data[start:end]), sequence_number, timestamp, now)
        elif payload_type not in self._codecs:
            self._noise_octets += end - start
        if verdict == DUPLICATE:
            self.discards[totals.DUPLICATE] += 1
            if event_clock is not None:
                self.event_receiver.count_copy()
            return
        if self._tapped or event_clock is not None:
            codec = ""
            if event_clock is None:
                codec = self.codec if payload_type in self._codecs else "CN"
            frame = (bytes(data[start:end]), sequence_number, timestamp, payload_type, second >> 7)
            self._deliver(frame, codec, now)

    def _receive_event(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        if "rfc4733" not in self._dtmf_methods:
            return
        receiver = self.event_receiver
        for digit in receiver.receive(self._ssrc, timestamp, payload, sequence_number, now):
            self.report(digit, "rfc4733", now)
        if receiver.active:
            self._context.listening.sounding.add(self)

    def _deliver(self, frame: tuple[bytes, int, int, int, int], codec: str, now: float) -> None:
        """Everything that takes payloads.

        Args:
            codec: as in `Sink.write`.
        """
        payload, _, timestamp, payload_type, marker = frame
        if self._echo_source is not None:
            back = self._echo_source.echo((payload, payload_type, marker, timestamp))
            if back is not None:
                self._sender.echo(back)
        sink = self.sink
        if type(sink) is not Sink:
            try:
                sink.write(frame, codec, self._clock, now)
            except OSError as error:
                self.sink_failed(error)
            if isinstance(sink, CallbackSink):
                self._context.gathering.add(self)
        if codec in LAWS:
            if self._inband_slot >= 0:
                self._context.listening.heard[codec].append((self._inband_slot, payload, timestamp))
            if self._sampling:
                self._sample(payload)

    def _sample(self, payload: bytes) -> None:
        """Measure the level of one packet in several: what is constant in it (0 Hz) is nothing to be heard."""
        self._sampling = False
        self._tap()
        part = payload[:_MEASURED]
        if part:
            constant = sum(map(_LINEAR[self.codec].__getitem__, part)) / len(part)
            mean = max(0.0, sum(map(_SQUARES[self.codec].__getitem__, part)) / len(part) - constant**2)
            samples = self.level_samples
            samples[0] += 1
            samples[1] += mean
            samples[2] += mean > _AUDIBLE

    def sample_soon(self) -> bool:
        """Measure the level of the next packet; False where its codec has no level that can be measured."""
        if self.codec not in LAWS:
            return False
        self._sampling = True
        self._tap()
        return True

    def take_frames(self) -> None:
        """Hand out what a callback sink holds."""
        sink = self.sink
        if isinstance(sink, CallbackSink):
            frames, dropped = sink.take()
            if frames or dropped:
                self._context.totals.frames_dropped += dropped
                self._emit(FramesReceived(self._stream_id, frames, dropped))

    def _tap(self) -> None:
        """Whether payloads are needed, and not only counted."""
        listening = self._inband_slot >= 0
        others = self._sampling or type(self.sink) is not Sink
        echo = self._echo_source
        self._tapped = others or listening or echo is not None
        plain = not others and not listening and not self._sender.numbers and self._sender.tap is None
        self._echo_in_place = plain and echo is not None and echo.immediate
        self._note_plain(others or (echo is not None and not self._echo_in_place))

    def _note_plain(self, wanted: bool) -> None:
        """Set which packets the engine's loop may count by itself.

        Args:
            wanted: another part needs their payloads.
        """
        reception = self.reception
        if reception is not None:
            reception.count_in_loop(
                -1 if wanted else self._plain_head,
                self._sender.echo_in_place if self._echo_in_place else None,
                self._context.listening.heard.get(self.codec) if self._inband_slot >= 0 else None,
                self._inband_slot,
            )

    def _close_sink(self, sink: Sink) -> None:
        try:
            sink.close()
        except OSError as error:
            self._emit(SinkFailed(self._stream_id, error.strerror or "error"))

    def sink_failed(self, error: OSError) -> None:
        """End a recording that cannot go on."""
        self._emit(SinkFailed(self._stream_id, error.strerror or "error"))
        old, self.sink = self.sink, Sink()
        with contextlib.suppress(OSError):
            old.close()
        self._tap()

    def close(self) -> None:
        """Take nothing more; what sounded and what was held is handed out."""
        self.can_receive = False
        self._drop_candidates()
        self._plain_head = -1
        self._tap()
        self._listen(False)
        for digit in self.event_receiver.expire(float("inf")):
            self.report(digit, "rfc4733", self.last_at)
        self.take_frames()
        self.set_sink(Sink())
        self.remote = nowhere
        self._context.listening.sounding.discard(self)
        self._context.gathering.discard(self)

    def _emit(self, event: Event) -> None:
        self._context.events.append((self._owner, event))


def nowhere() -> tuple[str, int]:
    """The address of no host."""
    return "", 0


def _known(name: str) -> str:
    """Encoding names are compared without regard to case (RFC 4855 3); those that we decode are upper case here."""
    return name.upper() if name.upper() in LAWS else name
