"""Telephone events of RFC 4733: the queue of digits to send, and the receiver that reports each digit once.

The sender decides what replaces the audio of one packet interval: an event packet, a tone in the voice codec, or a gap.
The receiver identifies an event by SSRC, timestamp and event code, never by marker or sequence alone, because real
phones set the marker on every packet and repeat sequence numbers. For phones whose timestamp stands still,
`EventReceiver._is_other` decides when a known event is nevertheless another key press. Sockets, SSRC locking, payload
type numbers and the wall clock do not belong here. Digits are secrets (they may be PINs): every repr masks them.
"""

from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from .digit_packet import CODE_OF, EVENTS, DigitKind, DigitPacket, Reformed, ToneSource
from .event_time import EventTime

QUEUE_BOUND = 1000
"""Digits and pauses that may wait in one sender: some 100 KB, and minutes of digits."""
GAP_MS = 50
"""Silence between two different digits (man page `dtmf`, C35)."""
SAME_DIGIT_GAP_MS = 100
"""Silence between two equal digits, so that a receiver cannot take them for one (C35)."""
END_PACKETS = 3
"""The final packet of an event or segment is sent this often (RFC 4733 2.5.1.4)."""
MAX_DURATION = 0xFFFF
"""Largest value of the duration field; longer events go in segments (RFC 4733 2.5.1.3)."""
HEARD_MS = 40
"""A tone of that length is heard (ITU-T Q.24 table A-1)."""
MAX_DIGIT_MS = 600_000
"""Longest digit or pause that a sender takes."""

_WRAP = 0xFFFFFFFF


class DigitQueueFull(Exception):
    """More digits and pauses would wait than the queue may hold; nothing of the request was queued."""


class _Item(NamedTuple):
    """One digit or pause that waits."""

    digit: str
    """A character of EVENTS, or "" for a pause."""
    duration: int
    """Clock units."""
    request_id: int
    last: bool
    """Whether the request is complete when this item is."""
    tones: ToneSource | None
    """None: send events."""


class _Sending(Enum):
    """What the sender does in the present interval."""

    IDLE = auto()
    WAIT = auto()
    """A pause, or the gap before the next digit."""
    DIGIT = auto()
    REPEAT_SEGMENT = auto()
    """The final packet of a segment goes out again (RFC 4733 2.5.1.3)."""
    REPEAT_END = auto()
    """The final packet of the event goes out again (RFC 4733 2.5.1.4)."""


class EventSender:
    """Sends queued digits one after the other, instead of the audio of one stream.

    Call `next_packet` once per packet interval. Durations count in the RTP clock that the caller passes in as
    timestamps, so a skipped interval makes an event's duration jump, never its end late.
    """

    __slots__ = (
        "_clock_rate",
        "_digit",
        "_digit_end",
        "_earlier",
        "_event_clock_rate",
        "_finished",
        "_item",
        "_out",
        "_queue",
        "_repeat",
        "_repeats",
        "_segment",
        "_start",
        "_state",
        "_volume",
        "_wait_from",
        "begun",
    )

    def __init__(self, clock_rate: int = 8000, volume: int = 10, event_clock_rate: int = 0) -> None:
        """Begin with nothing to send.

        Args:
            clock_rate: RTP clock of the stream in Hz, in which timestamps count.
            volume: power in -dBm0, 0-63, of the event field (RFC 4733 2.3.3).
            event_clock_rate: clock of the telephone-event payload type, in which the duration field counts (2.3.1);
                0 = the same.
        """
        if not 0 <= volume <= 63:
            raise ValueError(f"volume is 0 to 63 (-dBm0), not {volume}")
        self._clock_rate = clock_rate
        self._event_clock_rate = event_clock_rate or clock_rate
        self._volume = volume
        self._queue: deque[_Item] = deque()
        self._finished: list[int] = []
        self.begun = (0, 0)
        """The newest request of which a digit or pause has begun, and how many of it have."""
        self._out = (0, 0)  # the newest request of which a digit is out, and how many are
        self._state = _Sending.IDLE
        self._item = _Item("", 0, 0, False, None)
        self._start = 0  # timestamp where the present digit began
        self._segment = 0  # timestamp where its present segment began
        self._earlier = 0  # clock units to add to the length by timestamps, since the clock has changed
        self._digit = ""  # the last digit that ended, for the gap after it
        self._digit_end = 0  # timestamp where it ended
        self._wait_from: int | None = None  # timestamp from which the pause at the head of the queue counts
        self._repeat = DigitPacket(DigitKind.GAP, b"", False, 0)
        self._repeats = 0

    def __repr__(self) -> str:
        return f"EventSender({self._state.name}, {len(self._queue)} waiting)"

    @property
    def active(self) -> bool:
        """Whether the next interval belongs to a digit, a pause or a final packet."""
        return self._state is not _Sending.IDLE or bool(self._queue)

    @property
    def pending(self) -> int:
        """Digits and pauses that wait, without the digit being sent."""
        return len(self._queue)

    def send(self, digits: str, duration_ms: int = 100, request_id: int = 0, tones: ToneSource | None = None) -> None:
        """Queue digits after those that wait already (man page `dtmf`, C35, C36).

        Args:
            digits: characters of `0-9 A-D * #`; any other character is a pause of `duration_ms`.
            duration_ms: milliseconds per digit or pause.
            request_id: handed back by `take_finished`.
            tones: renders the digits as audio; None sends telephone events.

        Raises:
            DigitQueueFull: the bound is reached.
            ValueError: a duration outside 1 to MAX_DIGIT_MS.
        """
        if not 1 <= duration_ms <= MAX_DIGIT_MS:
            raise ValueError(f"a digit lasts 1 to {MAX_DIGIT_MS} ms, not {duration_ms}")
        if len(self._queue) + len(digits) > QUEUE_BOUND:
            raise DigitQueueFull(f"{len(digits)} more digits do not fit: at most {QUEUE_BOUND} wait")
        if not digits:
            self._finished.append(request_id)
            return
        duration = max(1, duration_ms * self._clock_rate // 1000)
        final = len(digits) - 1
        for index, character in enumerate(digits):
            digit = character if character in CODE_OF else ""
            self._queue.append(_Item(digit, duration, request_id, index == final, tones))

    def set_clock(self, clock_rate: int, timestamp: int, event_clock_rate: int = 0) -> None:
        """Count in other clocks from now on; what is under way keeps its length in time and its identity.

        Args:
            clock_rate: RTP clock in Hz.
            timestamp: the newest one of the stream.
            event_clock_rate: as for a new sender.
        """
        old, self._event_clock_rate = self._event_clock_rate, event_clock_rate or clock_rate
        if self._repeat.payload and old != self._event_clock_rate:
            duration = min(int.from_bytes(self._repeat.payload[2:4]) * self._event_clock_rate // old, MAX_DURATION)
            self._repeat = self._repeat._replace(payload=self._repeat.payload[:2] + duration.to_bytes(2))
        old, self._clock_rate = self._clock_rate, clock_rate
        if old == clock_rate:
            return
        self._queue = deque(each._replace(duration=max(1, each.duration * clock_rate // old)) for each in self._queue)
        self._item = self._item._replace(duration=self._item.duration * clock_rate // old)
        self._digit_end = _rescaled(self._digit_end, timestamp, old, clock_rate)
        if self._wait_from is not None:
            self._wait_from = _rescaled(self._wait_from, timestamp, old, clock_rate)
        elapsed = (timestamp - self._segment + self._earlier) & _WRAP
        self._earlier = elapsed * clock_rate // old - ((timestamp - self._segment) & _WRAP)

    def reform(self, events: int, tones: ToneSource | None, timestamp: int, choose_again: bool) -> Reformed:
        """Go on in another format; call it before `set_clock`. Tones are of the new codec from the next packet on.

        A digit that cannot go on ends now. An event gets its end packets, with its whole length if one segment holds
        that: the peer has heard it begin, and the same digit once more would be two. A tone is out if it was long
        enough to be heard. Later digits are taken back from the first that cannot go on, so that their order is kept
        whatever their owner makes of them.

        Args:
            events: bit n = the peer takes event code n.
            tones: renders digits in the new codec; None = it has no tones.
            timestamp: where the next packet of the old format would begin.
            choose_again: take back tones too, because their owner may prefer the events that there are now.
        """
        ends: tuple[DigitPacket, ...] = ()
        dropped: list[_Item] = []
        if self._state in (_Sending.DIGIT, _Sending.REPEAT_SEGMENT, _Sending.REPEAT_END):
            if self._item.tones is not None and tones is not None:
                self._item = self._item._replace(tones=tones)
            elif self._item.tones is not None:
                dropped += self._cut_tone(timestamp)
            elif not _fits(self._item, events, tones):
                ends = self._end_event(timestamp)
        kept: deque[_Item] = deque()
        for each in self._queue:
            if dropped or not _fits(each, events, tones) or (choose_again and each.tones is not None):
                dropped.append(each)
            else:
                kept.append(each if each.tones is None else each._replace(tones=tones))
        self._queue = kept
        if self._state is _Sending.WAIT and not kept:
            self._idle()
        left: dict[int, int] = {}
        for each in dropped:
            left[each.request_id] = left.get(each.request_id, 0) + 1
        return Reformed(ends, tuple(left.items()))

    def _end_event(self, timestamp: int) -> tuple[DigitPacket, ...]:
        """End the present event before `timestamp`; returns the packets that are missing for it."""
        if self._state is _Sending.REPEAT_END:
            ends = (self._repeat,) * self._repeats
        else:
            longest = MAX_DURATION * self._clock_rate // self._event_clock_rate
            duration = self._item.duration - ((self._segment - self._start) & _WRAP)
            if not 0 < duration <= longest:
                duration = max(1, min((timestamp - self._segment + self._earlier) & _WRAP, longest))
            ends = (self._event_packet(duration, end=True, marker=False),) * END_PACKETS
            if self._state is _Sending.REPEAT_SEGMENT:
                ends = (self._repeat,) * self._repeats + ends
            self._digit_over(self._segment - self._earlier + duration)
        self._digit_out()
        return ends

    def _cut_tone(self, timestamp: int) -> tuple[_Item, ...]:
        """End the present tone before `timestamp`; returns its digit if it was too short to be heard."""
        present = self._item
        if (timestamp - self._start + self._earlier) & _WRAP >= HEARD_MS * self._clock_rate // 1000:
            self._digit_over(timestamp)
            self._digit_out()
            return ()
        self._digit, self._digit_end = present.digit, timestamp
        self._state = _Sending.WAIT
        return (present,)

    def stop(self) -> tuple[int, ...]:
        """Drop what waits and end the present digit at the next interval; returns the requests cut short."""
        dropped = [item.request_id for item in self._queue if item.last]
        self._queue.clear()
        if self._state in (_Sending.DIGIT, _Sending.REPEAT_SEGMENT):
            if self._item.last:
                dropped.insert(0, self._item.request_id)
            self._item = self._item._replace(duration=0, last=False)
        return tuple(dropped)

    def out_of(self, request_id: int) -> int:
        """Digits of a request that is not finished whose first end packet, or whole tone, was handed out."""
        return self._out[1] if self._out[0] == request_id else 0

    def close(self) -> tuple[int, ...]:
        """No interval comes any more; returns the requests cut short, without one whose last digit has ended.

        The first end packet is the digit (RFC 4733 2.5.1.4): a peer may act on it, and the others only repeat it.
        """
        if self._state is _Sending.REPEAT_END:
            self._digit_out()
        return self.stop()

    def take_finished(self) -> tuple[int, ...]:
        """Request ids whose last digit is out, with its final packets, since the last call."""
        if not self._finished:
            return ()
        finished = tuple(self._finished)
        self._finished.clear()
        return finished

    def next_packet(self, timestamp: int, samples: int) -> DigitPacket | None:
        """What goes out in the interval that begins at `timestamp` and lasts `samples` clock units.

        Args:
            timestamp: RTP timestamp (0 to 2**32 - 1) that audio would carry now; it moves on with every interval.

        Returns:
            None when no digits are sent and the source's audio goes out.
        """
        if self._state is _Sending.IDLE and not self._queue:
            return None
        if self._state in (_Sending.REPEAT_SEGMENT, _Sending.REPEAT_END):
            return self._repeated()
        if self._state is not _Sending.DIGIT and not self._begin_digit(timestamp):
            if self._state is _Sending.IDLE:
                return None
            return DigitPacket(DigitKind.GAP, b"", False, timestamp)
        if self._item.tones is not None:
            return self._tone(self._item.tones, timestamp, samples)
        return self._event(timestamp, samples)

    def _begin_digit(self, timestamp: int) -> bool:
        """Begin the next digit if its time has come; otherwise wait, or be idle when nothing is left."""
        while self._queue:
            item = self._queue[0]
            if item.digit:
                if (timestamp - self._digit_end) & _WRAP < self._gap(item.digit):
                    self._state = _Sending.WAIT
                    return False
                self._queue.popleft()
                self._note_begun(item)
                self._item = item
                self._start = self._segment = timestamp
                self._earlier = 0
                self._state = _Sending.DIGIT
                return True
            if self._wait_from is None:
                self._wait_from = timestamp
            if (timestamp - self._wait_from) & _WRAP < item.duration:
                self._state = _Sending.WAIT
                return False
            self._wait_from = (self._wait_from + item.duration) & _WRAP
            self._queue.popleft()
            self._note_begun(item)
            if item.last:
                self._finished.append(item.request_id)
        self._idle()
        return False

    def _note_begun(self, item: _Item) -> None:
        request_id, count = self.begun
        self.begun = item.request_id, count + 1 if request_id == item.request_id else 1

    def _gap(self, digit: str) -> int:
        """Clock units of silence that must lie between the last digit and `digit`."""
        if not self._digit:
            return 0
        return (SAME_DIGIT_GAP_MS if digit == self._digit else GAP_MS) * self._clock_rate // 1000

    def _idle(self) -> None:
        self._state = _Sending.IDLE
        self._wait_from = None

    def _digit_over(self, end: int) -> None:
        """The present digit ended at timestamp `end`: what follows counts from there."""
        self._out = (self._item.request_id, self.out_of(self._item.request_id) + 1)
        self._digit = self._item.digit
        self._digit_end = self._wait_from = end & _WRAP

    def _digit_out(self) -> None:
        """The last packet of the present digit has been handed out."""
        if self._item.last:
            self._finished.append(self._item.request_id)
        self._state = _Sending.WAIT
        if not self._queue:
            self._idle()

    def _tone(self, tones: ToneSource, timestamp: int, samples: int) -> DigitPacket:
        played = (timestamp - self._start + self._earlier) & _WRAP
        total = self._item.duration
        payload = tones.frame(self._item.digit, played, samples, total)
        if played + samples >= total:
            self._digit_over(self._start - self._earlier + total if total else timestamp)
            self._digit_out()
        return DigitPacket(DigitKind.TONE, payload, False, timestamp)

    def _event(self, timestamp: int, samples: int) -> DigitPacket:
        before = (self._segment - self._start) & _WRAP  # duration of the segments already sent
        elapsed = ((timestamp - self._segment + self._earlier) & _WRAP) + samples
        rest = self._item.duration - before
        if rest <= 0:  # stopped: ends here
            rest = elapsed
        longest = MAX_DURATION * self._clock_rate // self._event_clock_rate
        duration = min(elapsed, rest, longest)
        end = duration == rest
        packet = self._event_packet(duration, end, timestamp == self._start)
        if end:
            self._digit_over(self._segment - self._earlier + duration)
            self._repeat_later(packet, _Sending.REPEAT_END)
        elif min(duration + samples, rest) > longest:  # the next report would not fit the field
            self._segment = (self._segment + duration) & _WRAP
            self._repeat_later(packet, _Sending.REPEAT_SEGMENT)
        return packet

    def _event_packet(self, duration: int, end: bool, marker: bool) -> DigitPacket:
        """A report on the present segment.

        Args:
            duration: clock units.
        """
        field = duration * self._event_clock_rate // self._clock_rate
        payload = bytes((CODE_OF[self._item.digit], (0x80 if end else 0) | self._volume)) + field.to_bytes(2)
        return DigitPacket(DigitKind.EVENT, payload, marker, self._segment)

    def _repeat_later(self, packet: DigitPacket, state: _Sending) -> None:
        self._repeat = packet._replace(marker=False)
        self._repeats = END_PACKETS - 1
        self._state = state

    def _repeated(self) -> DigitPacket:
        self._repeats -= 1
        if not self._repeats:
            if self._state is _Sending.REPEAT_END:
                self._digit_out()
            else:
                self._state = _Sending.DIGIT
        return self._repeat


def _fits(item: _Item, events: int, tones: ToneSource | None) -> bool:
    """Whether a digit or pause can be sent in a format; arguments as for `EventSender.reform`."""
    if not item.digit:
        return True
    return bool(events >> CODE_OF[item.digit] & 1) if item.tones is None else tones is not None


def _rescaled(place: int, now: int, old: int, new: int) -> int:
    """A timestamp before `now` as the new clock would have it."""
    return (now - ((now - place) & _WRAP) * new // old) & _WRAP


class ReceivedDigit(NamedTuple):
    """One digit that a peer sent, reported when it has ended."""

    event: str
    """A character of EVENTS."""
    duration_ms: int
    """Milliseconds by the peer's duration field, segments added."""

    def __repr__(self) -> str:
        return f"ReceivedDigit(<masked>, duration_ms={self.duration_ms})"


class _Hearing(Enum):
    """How far one event of the peer has come."""

    SOUNDING = auto()
    ENDED = auto()
    """Reported because of an end packet: nothing that comes can change it."""
    EXPIRED = auto()
    """Reported because nothing more came, or the next event did: a further segment may still follow."""


class _Event:
    """One event of the peer, by its present segment."""

    __slots__ = ("before", "code", "duration", "first", "heard_at", "sequence_number", "ssrc", "state", "timestamp")

    def __init__(self, ssrc: int, timestamp: int, code: int, sequence_number: int, now: float) -> None:
        self.ssrc = ssrc
        self.timestamp = timestamp
        self.code = code
        self.before = 0  # clock units of earlier segments
        self.duration = 0  # clock units of this segment, the largest seen
        self.first = sequence_number  # of the first packet that came
        self.sequence_number = sequence_number  # the newest
        self.heard_at = now
        self.state = _Hearing.SOUNDING


_Identity = tuple[int, int, int]
"""SSRC, timestamp, event code (RFC 4733 2.3.5 and 2.5.1.4)."""

EXPIRE_INTERVALS = 3
"""An event ends when this many update intervals bring nothing (RELIABILITY B8)."""
SHORTEST_EXPIRY = 0.1
"""Seconds that an event survives without a packet at the least; peers report every 5 to 50 ms, and packets jitter."""
MEMORY = 32
"""Events whose late packets are still known as theirs."""
FORGET_AFTER = 10.0
"""Seconds after which an identity may mean a new event, for peers whose timestamps restart."""
LATE_WINDOW = 1.0
"""Seconds of RTP time by which an unknown event may lie behind the newest one and still be taken."""
SEGMENT_SLACK = 0.5
"""Seconds of RTP time that may be missing before a further segment when the end of the segment before it was lost."""
RESTART = 0.03
"""Seconds after an end packet from which a report under the same identity begins another press of the key."""
END_AGAIN = 0.15
"""Seconds for which an end packet under the same identity repeats the one before: three of them at 50 ms each."""
NEAR = 3
"""Sequence numbers within which packets of one event follow each other: end packets, and audio between them."""
WRAPPED = 0x1000
"""Clock units from one report to the next at most, where the duration field has wrapped between them."""
MAX_BLOCKS = 8
"""Events that one packet may pack (RFC 4733 2.5.1.5); a longer payload is refused."""


class EventReceiver:
    """Turns telephone-event packets of one stream into digits, each once, whatever is lost, repeated or reordered.

    Hand it only packets of the negotiated payload type from the accepted source. Counters are plain integers.

    Two presses of one key by a phone whose timestamp stands still cannot be distinguished from one press where the
    packets that
    would show it are lost: when only end packets of the second arrive, of a phone that has not shown yet that it stands
    still, or within END_AGAIN, or next to those of the first, and when a press of which no end arrived is followed by
    one whose reports go on from a longer duration. Then they count as one, as RFC 4733 2.5.1.4 says: a digit that is
    missing shows, one that was never pressed misleads.
    """

    __slots__ = (
        "_clock_rate",
        "_current",
        "_interval",
        "_known",
        "_stands_still",
        "_timestamp_rate",
        "copies",
        "late",
        "malformed",
        "refused",
        "repeated",
        "time",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        """Begin with no event known.

        Args:
            clock_rate: Hz of the telephone-event payload type.
        """
        self._clock_rate = self._timestamp_rate = clock_rate
        self._known: dict[_Identity, _Event] = {}
        self._current: _Event | None = None  # the newest event, sounding or not
        self._interval = 0.0  # seconds of RTP time between the reports of the current event, 0 = not seen yet
        self._stands_still = False  # the peer has shown that it does not move the timestamp from press to press
        self.time = EventTime()
        """The time of events, known as digits or not."""
        self.copies = 0
        """Packets whose sequence number had come before."""
        self.malformed = 0
        """Payloads of a wrong length."""
        self.refused = 0
        """Events that are no digit (code over 15), or that end without ever lasting."""
        self.repeated = 0
        """Packets of events that were reported already."""
        self.late = 0
        """Packets of unknown events too far behind the newest one."""

    def __repr__(self) -> str:
        return f"EventReceiver({'sounding' if self.active else 'quiet'})"

    def count_copy(self) -> None:
        """Note that the packet was a copy: what is no audio is counted once in the time of the stream."""
        self.copies += 1

    def set_clock(self, clock_rate: int, timestamp_rate: int = 0) -> None:
        """Read durations in another clock from now on; events already known stay known.

        Args:
            clock_rate: of the payload type, Hz.
            timestamp_rate: of the audio beside it, which most peers' timestamps of events follow; 0 = the same.
        """
        self._timestamp_rate = timestamp_rate or clock_rate
        old, self._clock_rate = self._clock_rate, clock_rate
        if old != clock_rate:
            for event in self._known.values():
                event.before = event.before * clock_rate // old
                event.duration = event.duration * clock_rate // old

    @property
    def active(self) -> bool:
        """Whether a digit has begun and is not reported yet, so that `expire` matters."""
        return self._current is not None and self._current.state is _Hearing.SOUNDING

    def sounds(self, digit: str) -> bool:
        """Whether this digit has begun and is not reported yet."""
        return self.active and self._current is not None and EVENTS[self._current.code] == digit

    def deadline(self) -> float | None:
        """When the sounding digit ends if nothing more comes; None when none sounds."""
        if self._current is None or self._current.state is not _Hearing.SOUNDING:
            return None
        return self._current.heard_at + max(SHORTEST_EXPIRY, EXPIRE_INTERVALS * self._interval)

    def expire(self, now: float) -> tuple[ReceivedDigit, ...]:
        """The digit whose end was lost, once its deadline has passed.

        Args:
            now: seconds, monotonic.
        """
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return ()
        return self._end_current(_Hearing.EXPIRED)

    def receive(
        self, ssrc: int, timestamp: int, payload: bytes, sequence_number: int, now: float
    ) -> tuple[ReceivedDigit, ...]:
        """Digits that ended with this packet, mostly none; oldest first.

        A payload of a wrong length is counted and ignored (RFC 4733 2.3).

        Args:
            ssrc, timestamp, sequence_number: of the RTP header.
            payload: 4 octets for each event.
            now: seconds, monotonic.
        """
        size = len(payload)
        if size == 4:
            return self._hear(
                ssrc,
                timestamp,
                payload[0],
                payload[1] >= 0x80,
                payload[2] << 8 | payload[3],
                sequence_number,
                now,
            )
        if size == 0 or size % 4 or size > 4 * MAX_BLOCKS:
            self.malformed += 1
            return ()
        digits: tuple[ReceivedDigit, ...] = ()
        for offset in range(0, size, 4):
            duration = payload[offset + 2] << 8 | payload[offset + 3]
            end = offset + 4 < size or payload[offset + 1] >= 0x80  # all but the last block are complete
            digits += self._hear(ssrc, timestamp, payload[offset], end, duration, sequence_number, now)
            timestamp = (timestamp + duration) & _WRAP
        return digits

    def _hear(
        self, ssrc: int, timestamp: int, code: int, end: bool, duration: int, sequence_number: int, now: float
    ) -> tuple[ReceivedDigit, ...]:
        if code >= len(EVENTS):
            self.refused += 1
            return ()
        current = self._current
        if current is not None and (current.timestamp, current.ssrc, current.code) == (timestamp, ssrc, code):
            event: _Event | None = current
        else:
            event = self._known.get((ssrc, timestamp, code))
        if event is not None and self._is_other(event, end, duration, sequence_number, now):
            self._stands_still |= event.state is _Hearing.ENDED and not end  # other evidence may be an outage
            event = None
        if event is not None:
            return self._hear_again(event, timestamp, end, duration, sequence_number, now)
        if current is not None and self._continues(current, ssrc, timestamp, code):
            self._next_segment(current, timestamp, self._ahead(current, timestamp))
            return self._hear_again(current, timestamp, end, duration, sequence_number, now)
        if end and duration == 0:
            self.refused += 1
            return ()
        digits: tuple[ReceivedDigit, ...] = ()
        event = _Event(ssrc, timestamp, code, sequence_number, now)
        event.duration = duration
        if current is not None and current.ssrc == ssrc and self._is_behind(current, timestamp, sequence_number):
            if (current.timestamp - timestamp) & _WRAP > LATE_WINDOW * self._timestamp_rate:
                self.late += 1
                return ()
            # Its other packets are lost or about to come: report it now, ahead of the newer one.
            event.state = _Hearing.ENDED
            self._remember(event)
            return (self._digit(event),)
        if self.active:
            digits = self._end_current(_Hearing.EXPIRED)
        self._current = event
        self._interval = 0.0
        self._remember(event)
        if end:
            digits += self._end_current(_Hearing.ENDED)
        return digits

    def _hear_again(
        self, event: _Event, timestamp: int, end: bool, duration: int, sequence_number: int, now: float
    ) -> tuple[ReceivedDigit, ...]:
        """A further packet of a known event."""
        newer = (sequence_number - event.sequence_number) & 0xFFFF < 0x8000
        if event.state is _Hearing.ENDED and not end:
            pass  # it may be the start of the next press, which the next report will show
        elif newer:
            event.heard_at, event.sequence_number = now, sequence_number
        elif event.state is _Hearing.SOUNDING:
            event.heard_at = now
        if 0 < (event.first - sequence_number) & 0xFFFF < 0x8000:
            self.repeated += 1  # of this press, or of an earlier one under the same identity
            return ()
        if timestamp == event.timestamp:  # else it is a late packet of an earlier segment
            self._lengthen(event, duration, newer)
        if event.state is not _Hearing.SOUNDING:
            self.repeated += 1
            return ()
        if timestamp != event.timestamp:
            return ()
        return self._end_current(_Hearing.ENDED) if end else ()

    def _lengthen(self, event: _Event, duration: int, newer: bool) -> None:
        """Note how long the present segment of an event is, and how often the peer reports."""
        if duration > event.duration:
            interval = (duration - event.duration) / self._clock_rate
            if not self._interval or interval < self._interval:
                self._interval = interval
            event.duration = duration
        elif newer and (duration - event.duration) & MAX_DURATION < WRAPPED and duration < event.duration:
            event.before += MAX_DURATION + 1  # the peer lets the field wrap, where RFC 4733 2.5.1.3 asks for segments
            event.duration = duration

    def _is_other(self, event: _Event, end: bool, duration: int, sequence_number: int, now: float) -> bool:
        """Whether a packet with a known identity is nevertheless of a new event.

        RFC 4733 2.5.1.4 says that it is not; but timestamps may have restarted, and some phones do not move them from
        press to press. The duration alone decides nothing: that of other phones shrinks within one press.
        """
        ahead = (sequence_number - event.sequence_number) & 0xFFFF
        newer = 0 < ahead < 0x8000
        if event.state is _Hearing.SOUNDING:  # unless all of its ends are lost, where that is known of the phone
            return self._stands_still and newer and ahead > 1 and not end and duration < event.duration
        quiet = now - event.heard_at
        if quiet > FORGET_AFTER:
            return True
        if not newer:
            return False
        if event.state is _Hearing.EXPIRED:
            # Its end is due, or further reports, which have grown meanwhile; a new press begins from nothing.
            return (not end and duration <= event.duration) or (
                (not end or self._stands_still) and ahead > NEAR and duration < quiet * self._clock_rate / 2
            )
        if end:
            # However late it is repeated, an end alone shows no press: only of a phone that is known to stand still.
            return self._stands_still and (quiet > END_AGAIN or (quiet > END_AGAIN / 2 and ahead > 2 * NEAR))
        # Nothing but its end follows an end; a report next to it was put behind it by a relay that numbers anew.
        return ahead >= NEAR or quiet > RESTART

    def _continues(self, current: _Event, ssrc: int, timestamp: int, code: int) -> bool:
        """Whether an unknown identity is the next segment of the current event (RFC 4733 2.5.1.3)."""
        if (current.ssrc, current.code) != (ssrc, code):
            return False
        missing = self._ahead(current, timestamp) - current.duration
        slack = SEGMENT_SLACK * self._clock_rate
        if current.state is _Hearing.ENDED:  # some set the E bit at the end of each segment
            return missing == 0 and current.duration >= MAX_DURATION - slack
        if missing == 0:
            return current.duration > 0
        # Only a segment near the largest duration can have been cut; a shorter one is the same digit pressed again.
        return 0 < missing <= slack and current.duration + missing >= MAX_DURATION - slack

    def _ahead(self, current: _Event, timestamp: int) -> int:
        """How far a timestamp lies after the start of the segment, in units of durations.

        Where their clock is not that of the audio, some peers let timestamps of events count in it too.
        """
        ahead = (timestamp - current.timestamp) & _WRAP
        if self._timestamp_rate == self._clock_rate or ahead == current.duration:
            return ahead
        scaled = ahead * self._clock_rate / self._timestamp_rate
        return current.duration if abs(scaled - current.duration) <= 1 else round(scaled)  # durations are rounded

    def _next_segment(self, event: _Event, timestamp: int, ahead: int) -> None:
        event.before += ahead
        event.timestamp = timestamp
        event.duration = 0
        if event.state is _Hearing.ENDED:
            event.state = _Hearing.EXPIRED  # its E bit was wrong: reports go on
        self._remember(event)

    @staticmethod
    def _is_behind(current: _Event, timestamp: int, sequence_number: int) -> bool:
        """Whether a packet was sent before the newest event: both numbers say so (RFC 1982 arithmetic).

        A later sequence number with an earlier timestamp is a peer whose timestamps jumped: a new event.
        """
        return (current.timestamp - timestamp) & _WRAP < 0x80000000 and 0 < (
            current.sequence_number - sequence_number
        ) & 0xFFFF < 0x8000

    def _remember(self, event: _Event) -> None:
        identity = (event.ssrc, event.timestamp, event.code)
        self._known.pop(identity, None)
        self._known[identity] = event
        if len(self._known) > MEMORY:
            del self._known[next(iter(self._known))]

    def _end_current(self, state: _Hearing) -> tuple[ReceivedDigit, ...]:
        event = self._current
        if event is None:
            raise AssertionError("no event to end")
        event.state = state
        return (self._digit(event),)

    def _digit(self, event: _Event) -> ReceivedDigit:
        return ReceivedDigit(EVENTS[event.code], (event.before + event.duration) * 1000 // self._clock_rate)
