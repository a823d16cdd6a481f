"""Media judged against time: how long packets of the peer were due on one stream, and for how long they came.

Sequence numbers show what was lost before the newest packet; a peer that stops, or never begins, leaves no trace in
them. So the engine looks at each stream about three times a second (`look`), compares what has come since with the
time that passed, and adds up three things: time in which media was due, time in gaps, packets that never came. No work
is done per packet.

Due is the time from the answer to the close in which the peer may send to us: not before the answer, not while either
side holds, not without a remote address, and not in silence suppression that is agreed and shown: after a packet of
comfort noise (RFC 3389), or, where comfort noise or a codec with silence suppression is in use, as long as the peer's
sender reports (RFC 3550 6.4.1) say that it sent less than time asks for. A report that says more than was counted
raises what was due.

A gap begins with the newest packet, which is exact, and ends where the packets of a look must have begun if they came
regularly. Several pauses within one look (0.32 s) count as one gap. Up to SETTLED seconds are jitter or loss, and up to
SETTLED_START the start of a stream: they show in the longest gap, and are not missing by themselves. In the end the
packets are held against the time: a peer that sends less audio than time asks for, in bursts or too slowly, has missed
the rest. Events (RFC 4733), comfort noise that nobody agreed on and packets without payload are no audio; a
digit may take a second of it.
Sans-IO: time is an argument.
"""

from typing import Final, NamedTuple

from .messages import ConfigureStream
from .receiver import Receiver
from .reception import Reception

SETTLED: Final = 0.3
"""Seconds without a packet that are no missing media yet."""
SETTLED_START: Final = 0.5
"""The same before the first packet: a peer may begin so long after its answer."""
SETTLED_DTX: Final = 1.0
"""The same with a codec that has silence suppression: Opus then sends a packet every 400 ms (RFC 6716 2.1.9)."""
DTX_CODECS: Final = frozenset(("OPUS", "G729", "G723", "AMR", "AMR-WB", "EVS", "SPEEX", "GSM-EFR", "GSM-HR-08"))
"""Encoding names, in capitals, of codecs that stop by themselves in silence."""
INTERVALS: Final = (0.002, 0.25)
"""Seconds: what is taken for a packet time, at least and at most; octets may tell a longer one."""
OCTETS_PER_TICK: Final = {"PCMU": 1, "PCMA": 1, "G722": 1, "L16": 2, "L16/2": 4}
"""Payload of codecs of constant rate for one unit of the RTP clock (RFC 3551 section 4.5): it tells exactly how long
packets are, 200 ms and more included, also when a peer sends several lengths."""
_PACE: Final = 0.05
"""Share of the time that may lack packets without any gap: clocks that differ, and the ends of a call."""
_FEW: Final = 3
"""Packets whose time is no missing media yet, however long they are."""
SHORTEST: Final = 0.005
"""Seconds: no sender has a shorter packet time; packets that hold less lack audio."""
_PROMPT: Final = 0.4
_SLACK: Final = 10
_ENOUGH: Final = 8
_ROUGH: Final = 0.35
_M32: Final = 0xFFFFFFFF


class MediaTime(NamedTuple):
    """What was due on a stream and what of it came."""

    due: float
    """Seconds in which media was due."""
    present: float
    """Seconds of those in no gap of more than SETTLED."""
    gap: float
    """Seconds of the longest time without a packet while media was due."""
    packets_due: int
    """Packets that were due: by their sequence numbers, in gaps by the peer's packet time."""
    packets_missed: int
    """Packets of those that never came."""


class Presence:
    """The time of one stream. receiver: whose packets are counted; it is only read."""

    __slots__ = (
        "_active",
        "_candidate",
        "_codec",
        "_confirmed",
        "_excused",
        "_expected",
        "_floor",
        "_fresh",
        "_gap",
        "_gap_from",
        "_had_events",
        "_heard_noise",
        "_heard_octets",
        "_heard_packets",
        "_highest",
        "_interval",
        "_looked",
        "_measured",
        "_missing",
        "_noise",
        "_not_audio",
        "_numbered",
        "_octets",
        "_octets_from",
        "_owed",
        "_packets",
        "_packets_from",
        "_packets_of_octets",
        "_quiet_from",
        "_received",
        "_receiver",
        "_said",
        "_said_ssrc",
        "_since",
        "_started_late",
        "_suppressed",
        "_timestamp",
        "_unique",
        "_unmeasured",
        "_was_both_ways",
        "_window",
        "_window_at",
        "held",
    )

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._codec = ""
        self._interval = 0.02
        self._candidate = -1.0
        self._confirmed = False
        """two looks agreed on the packet time"""
        self._measured: Reception | None = None
        self._timestamp = self._highest = 0
        self._was_both_ways = False
        self.held = False
        """the peer has put us on hold: it may send music, and need not"""
        self._since = -1.0
        """since when media is due; -1 = it is not"""
        self._active = self._excused = self._missing = self._gap = self._started_late = 0.0
        self._packets = self._received = self._numbered = 0
        self._unmeasured = 0.0
        """seconds of gaps whose packets wait for the peer's packet time"""
        self._unique = self._expected = self._owed = self._not_audio = self._noise = 0
        self._octets = self._octets_from = 0
        self._packets_of_octets = self._packets_from = 0
        """of audio, copies included, which those octets were in"""
        self._heard_octets = self._heard_packets = self._heard_noise = 0
        """of audio, when the packet time was looked at last; packets that came twice are counted twice"""
        self._had_events = False
        """events came since the last look that saw audio"""
        self._quiet_from = self._gap_from = self._looked = self._floor = 0.0
        self._suppressed = self._fresh = False
        self._said = self._said_ssrc = -1
        self._window = (0, 0.0, 0.0, 0.0)
        self._window_at = 0.0

    def expect(self, command: ConfigureStream, reachable: bool, now: float) -> None:
        """Take what signalling decided. reachable: the peer named an address. now: seconds, monotonic."""
        both_ways = command.direction == "sendrecv"
        # Who sends only after having done both has put us on hold (RFC 3264 8.4), with or without music.
        held = command.direction == "recvonly" and self._was_both_ways
        self.held = held or (command.direction == "recvonly" and not reachable)
        self._was_both_ways |= both_ways
        due = not command.early and reachable and (both_ways or (command.direction == "recvonly" and not held))
        if command.receive_codecs:
            self._codec = command.receive_codecs[0][1]
        if self._candidate < 0 and command.packet_interval > 0:
            self._interval = command.packet_interval
        if due and self._since < 0:
            self._start(now)
        elif not due and self._since >= 0:
            self._stop(now)

    def _start(self, now: float) -> None:
        receiver = self._receiver
        self._since = self._quiet_from = self._gap_from = self._looked = self._floor = self._window_at = now
        self._unique, self._expected = receiver.unique, receiver.expected
        self._not_audio, self._noise = receiver.not_audio, receiver.noise_packets
        self._octets_from = receiver.audio_octets
        self._packets_from = receiver.received - receiver.not_audio
        self._measure(receiver)
        self._suppressed = self._had_events = False
        self._fresh = True
        self._owed = 0
        self._said_ssrc = -1
        self._said = -1 if self._unique else 0  # nothing came yet: the first report counts from here
        self._window = (self._packets, self._missing, self._excused, self._gap)

    def _stop(self, now: float) -> None:
        self.look(now)
        self._take_quiet(now - self._quiet_from, self._suppressed)
        self._active += now - self._since
        receiver = self._receiver
        self._octets += receiver.audio_octets - self._octets_from
        self._packets_of_octets += receiver.received - receiver.not_audio - self._packets_from
        self._since = -1.0

    def look(self, now: float) -> None:
        """Compare what came since the last look with the time that passed. now: seconds, monotonic."""
        if self._since < 0:
            return
        receiver = self._receiver
        prompt = now - self._looked <= _PROMPT
        self._looked = now
        unique = receiver.unique
        new = unique - self._unique
        others = max(0, receiver.not_audio - self._not_audio)
        empty = max(0, receiver.noise_packets - self._noise)
        audio = new - others
        self._had_events |= others > empty
        if audio <= 0 and not receiver.suppressed:
            if prompt:  # else what came may still wait in the kernel, because we were late
                self._floor = now
            return
        last = receiver.audio_at if audio > 0 else receiver.last_at
        expected = receiver.expected
        sent = max(0, expected - self._expected - self._owed - empty)
        known = self._measure(receiver)
        begun = last - (max(1, audio) - 1) * self._interval
        if not self._unique and not receiver.ssrc_changes:
            begun = receiver.first_at
            interval = (last - begun) / max(1, new - 1)
            if not known and new >= _ENOUGH and INTERVALS[0] <= interval <= INTERVALS[1]:
                if abs(interval - self._interval) > _ROUGH * self._interval:  # arrivals are rough, ours is negotiated
                    self._interval = interval
                self._candidate = self._interval  # until timestamps show it
        elif self._fresh:  # numbers that were used before media was due are no loss in it
            sent = min(sent, max(new, round((last - self._quiet_from) / self._interval)))
        begun = min(max(begun, self._floor, self._quiet_from), last)
        suppressed = self._suppressed or receiver.suppressed_at > self._quiet_from
        by_time = self._take_quiet(begun - self._quiet_from, suppressed)
        self._fresh = False
        # What sequence numbers show as lost in a gap was counted by its time.
        self._packets += max(sent - by_time, min(new, sent)) if by_time else sent
        self._numbered += sent
        self._received += max(0, new - empty)
        self._unique, self._expected, self._owed = unique, expected, 0
        self._not_audio, self._noise, self._had_events = receiver.not_audio, receiver.noise_packets, False
        self._quiet_from = self._gap_from = last
        self._suppressed = receiver.suppressed

    def _take_quiet(self, quiet: float, suppressed: bool) -> int:
        """Count a time without packets that ends now; returns the packets that were due in it."""
        if suppressed:
            self._excused += quiet
            return 0
        begun = self._quiet_from + quiet
        self._gap = max(self._gap, begun - self._gap_from)
        if self._is_settled(quiet):
            self._started_late += quiet if self._fresh else 0.0
            return 0
        self._missing += quiet
        packets = round(quiet / self._interval)
        if self._confirmed:
            self._packets += packets
        else:
            self._unmeasured += quiet
        return packets

    @property
    def _dtx(self) -> bool:
        return (self._receiver.codec or self._codec).upper() in DTX_CODECS

    def _is_settled(self, quiet: float) -> bool:
        """Too short to be missing media, and no rest of a gap of which a report has had a part counted."""
        settled = SETTLED_DTX if self._dtx or self._had_events else SETTLED_START if self._fresh else SETTLED
        return quiet <= max(settled, _FEW * self._interval) and self._quiet_from == self._gap_from

    def _measure(self, receiver: Receiver) -> bool:
        """The peer's packet time: by octets, else from its timestamps the least one, until two looks agree.

        Returns whether it is known for sure.
        """
        reception = receiver.reception
        if self._measure_octets(receiver):
            self._measured = None
            return True
        if reception is None or reception.timestamp < 0:
            self._measured = None
            return False
        timestamp, highest = reception.timestamp, reception.highest
        packets = highest - self._highest
        if self._measured is reception and packets > 0:
            interval = ((timestamp - self._timestamp) & _M32) / reception.clock_rate / packets
            if INTERVALS[0] <= interval <= INTERVALS[1]:
                if abs(interval - self._candidate) <= 0.05 * interval:
                    self._interval = interval
                    self._confirmed = True
                    self._count_unmeasured()
                elif not self._confirmed:  # a pause in which the RTP clock ran on only makes it longer
                    rough = self._candidate < 0 or interval < (1 + _ROUGH) * self._candidate
                    self._interval = interval if rough else self._candidate
                self._candidate = interval
        self._measured, self._timestamp, self._highest = reception, timestamp, highest
        return False

    def _measure_octets(self, receiver: Receiver) -> bool:
        """The mean length of the packets since the last look, where octets tell it: not where they are too few."""
        octets, packets = receiver.audio_octets, receiver.received - receiver.not_audio
        new_octets, new_packets = octets - self._heard_octets, packets - self._heard_packets
        # A packet of comfort noise has no length, whether it was agreed on or not.
        noise = receiver.noise_packets != self._heard_noise or receiver.suppressed_at >= self._quiet_from
        self._heard_octets, self._heard_packets, self._heard_noise = octets, packets, receiver.noise_packets
        rate = self._octets_per_second()
        if not rate or noise or new_octets < SHORTEST * rate * new_packets or new_packets <= 0:
            return False
        self._interval = self._candidate = new_octets / rate / new_packets
        self._confirmed = True
        self._count_unmeasured()
        return True

    def _octets_per_second(self) -> int:
        """Payload octets of a second of audio; 0 = the codec's rate is not constant."""
        reception = self._receiver.reception
        clock_rate = reception.clock_rate if reception is not None else 8000
        return OCTETS_PER_TICK.get((self._receiver.codec or self._codec).upper(), 0) * clock_rate

    def _count_unmeasured(self) -> None:
        self._packets += round(self._unmeasured / self._interval)
        self._unmeasured = 0.0

    def report(self, ssrc: int, packets_sent: int, now: float) -> None:
        """Hold a sender report of the peer against what was counted since the one before.

        ssrc: its source. packets_sent: its packet count, 32 bit. now: seconds, monotonic.
        """
        if self._since < 0:
            return
        self.look(now)
        quiet = now - self._quiet_from
        if self._suppressed or not self._is_settled(quiet):
            self._owed += self._take_quiet(quiet, self._suppressed)
            self._quiet_from = now
            if self._suppressed:
                self._gap_from = now
        self._count_unmeasured()
        if self._said >= 0 and self._said_ssrc in (ssrc, -1):
            said = (packets_sent - self._said) & _M32
            if said <= _M32 >> 1:
                self._settle(said, self._said_ssrc == ssrc, now)
        self._said, self._said_ssrc = packets_sent, ssrc
        self._window = (self._packets, self._missing, self._excused, self._gap)
        self._window_at = now

    def _settle(self, said: int, whole: bool, now: float) -> None:
        """Correct the time since the last report by what the peer says it sent in it.

        whole: the count began with the time, so that more than was counted is no earlier packet.
        """
        packets, missing, excused, gap = self._window
        counted = self._packets - packets
        by_time = self._missing - missing
        agreed = self._dtx or self._receiver.comfort_noise
        if whole and said > counted + _SLACK:
            longest = round((now - self._window_at) / self._interval) + _SLACK
            more = min(said, longest) - counted
            if more > _SLACK:
                back = min(self._excused - excused, more * self._interval)
                self._packets += more
                self._owed += more
                self._excused -= back
                self._missing += back
                self._gap = max(self._gap, back)
        elif agreed and counted > said + _SLACK and by_time > 0:
            fewer = min(counted - said, round(by_time / self._interval))
            silent = min(by_time, fewer * self._interval)
            self._packets -= fewer
            self._owed = max(0, self._owed - fewer)
            self._missing -= silent
            self._excused += silent
            self._gap = gap
            self._gap_from = now

    def figures(self, now: float) -> MediaTime:
        """Everything until now. now: seconds, monotonic."""
        self.look(now)
        active, excused, missing, gap = self._active, self._excused, self._missing, self._gap
        packets = self._packets + round(self._unmeasured / self._interval)
        if self._since >= 0:
            active += now - self._since
            quiet = now - self._quiet_from
            if self._suppressed:
                excused += quiet
            else:
                gap = max(gap, now - self._gap_from)
                if not self._is_settled(quiet):
                    missing += quiet
                    packets += round(quiet / self._interval)
        due = max(0.0, active - excused)
        missed = max(0, packets - self._received)
        interval = self._packet_time()
        if interval and not excused and not self._dtx:
            short = self._short(due, missed, interval)
            missing += short * interval
            missed += short
            # What came in bursts made up for no gap, and is not due a second time.
            most = max(self._numbered, round(due / interval))
            packets = min(packets + short, most)
        present = max(0.0, due - missing) if self._received else 0.0
        return MediaTime(due, present, min(gap, active), packets, min(missed, packets))

    def _short(self, due: float, missed: int, interval: float) -> int:
        """Packets that the time asks for and nothing else shows: a peer that sends too slowly, or too little in each.

        due: seconds. missed: packets that numbers and gaps show as missing. interval: seconds of audio in one.
        """
        lacking = due - self._started_late - self._audio_time(interval) - missed * interval
        return round(lacking / interval) if lacking > max(SETTLED, _PACE * due) else 0

    def _audio_time(self, interval: float) -> float:
        """Seconds of audio that came: by octets where the codec has a constant rate, else by packets."""
        held = self._held_time()
        events = self._receiver.event_packets  # a digit stands in place of audio
        return max(0, self._received - events) * min(held or interval, interval) + events * interval

    def _held_time(self) -> float:
        """Seconds of audio in one packet by its octets; 0.0 = they do not tell."""
        octets, packets = self._octets, self._packets_of_octets
        receiver = self._receiver
        if self._since >= 0:
            octets += receiver.audio_octets - self._octets_from
            packets += receiver.received - receiver.not_audio - self._packets_from
        rate = self._octets_per_second()
        return octets / rate / packets if rate and octets > 0 and packets > 0 else 0.0

    def _packet_time(self) -> float:
        """Seconds from one packet to the next: by octets where the codec has a constant rate; 0.0 = nobody knows.

        Where they hold too little for any packet time, timestamps count.
        """
        held = self._held_time()
        if held:
            return held if held >= SHORTEST else self._interval
        return self._interval if self._confirmed else 0.0
