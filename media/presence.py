"""Media judged against time: how long packets of the peer were due on one stream, and for how long they came.

Sequence numbers show what was lost before the newest packet; a peer that stops, or never begins, leaves no trace in
them. So the engine looks at each stream about three times a second (`look`), compares what has come since with the
time that passed, and adds up three things: time in which media was due, time in gaps, packets that never came. No work
is done per packet.

Due is the time from the answer to the close in which the peer may send to us: not before the answer, not while either
side holds, not without a remote address, and not in silence suppression that is agreed and shown: after a packet of
comfort noise (RFC 3389), or, where comfort noise or a codec with silence suppression is in use, as long as the peer's
sender reports (RFC 3550 6.4.1) count less than the time demands. A report of more than was counted raises what was due.

A gap begins with the newest packet, which is exact, and ends where the packets of a look must have begun if they came
regularly. Several pauses within one look (0.32 s) count as one gap. Up to SETTLED seconds are jitter or loss, and up to
SETTLED_START the start of a stream: they show in the longest gap, and are not missing by themselves. In the end the
packets are compared with the time (`audio/pace`). Where the packet time is known, what was due is the time in packets,
whatever came. A peer that sends less audio than is due, in bursts or too slowly, has missed the rest; one that sends
more than the time can play has a surplus, which a listener never hears. Events (RFC 4733), comfort noise that was not
agreed and packets without payload are no audio. A digit may stand instead of audio, a second of it for each; beside
audio it changes nothing. Sans-IO: time is an argument.
"""

from typing import Final, NamedTuple

from .audio.pace import FEW, SETTLED, SETTLED_START, Pace
from .messages import ConfigureStream
from .receiver import Receiver
from .rtp.reception import Reception

SETTLED_DTX: Final = 1.0
"""The same with a codec that has silence suppression: Opus then sends a packet every 400 ms (RFC 6716 2.1.9)."""
DTX_CODECS: Final = frozenset(("OPUS", "G729", "G723", "AMR", "AMR-WB", "EVS", "SPEEX", "GSM-EFR", "GSM-HR-08"))
"""Encoding names, in capitals, of codecs that stop by themselves in silence."""
INTERVALS: Final = (0.002, 0.25)
"""Seconds: what is taken for a packet time, at least and at most; octets may show a longer one."""
OCTETS_PER_TICK: Final = {"PCMU": 1, "PCMA": 1, "G722": 1, "L16": 2, "L16/2": 4}
"""Payload of codecs of constant rate for one unit of the RTP clock (RFC 3551 section 4.5): it shows exactly how long
packets are, 200 ms and more included, also when a peer sends several lengths."""
_SHORTEST: Final = 0.005
"""Seconds: no sender has a shorter packet time; packets that hold less lack audio."""
_PROMPT: Final = 0.4
_SLACK: Final = 10
_ENOUGH: Final = 8
_ROUGH: Final = 0.35
_M32: Final = 0xFFFFFFFF


def _without_audio(receiver: Receiver) -> int:
    """Packets that carry no audio, each counted once."""
    return receiver.not_audio - receiver.event_receiver.copies


class MediaTime(NamedTuple):
    """What was due on a stream and what of it came."""

    due: float
    """Seconds in which media was due."""
    present: float
    """Seconds of those in no gap of more than SETTLED."""
    gap: float
    """Seconds of the longest time without a packet while media was due."""
    packets_due: int
    """Packets that were due: the time in packets of the peer's packet time; where that is not known, and with silence
    suppression, by sequence numbers and in gaps by the packet time."""
    packets_missed: int
    """Packets of those that did not come in their time."""
    packets_surplus: int = 0
    """Packets of audio beyond the time, which cannot be played in it."""
    held: float = 0.0
    """Seconds from the answer on in which a hold or a direction left no media due."""
    removed: float = 0.0
    """Seconds from the answer on in which the peer had removed the line."""


class _Rests:
    """The time from the answer on in which no media is due, by its reason."""

    __slots__ = ("_is_removed", "_since", "_times", "_was_both_ways")

    def __init__(self) -> None:
        self._times = {False: 0.0, True: 0.0}
        self._is_removed = self._was_both_ways = False
        self._since = -1.0
        """Since when media rests; -1 = it does not."""

    def is_hold(self, direction: str) -> bool:
        """Whether the peer holds by this new direction, with or without music.

        Who sends only after having done both has put us on hold (RFC 3264 8.4).
        """
        held = direction == "recvonly" and self._was_both_ways
        self._was_both_ways |= direction == "sendrecv"
        return held

    def begin(self, now: float, *, is_removed: bool) -> None:
        """Media rests from now on; is_removed: because the peer has removed the line, else by a hold."""
        self.end(now)
        self._since, self._is_removed = now, is_removed

    def end(self, now: float) -> None:
        """Media is due from now on, or nothing is known of it."""
        self._times = dict(zip((False, True), self.until(now), strict=True))
        self._since = -1.0

    def until(self, now: float) -> tuple[float, float]:
        """Seconds held, and seconds without the line."""
        resting = now - self._since if self._since >= 0 else 0.0
        return (
            self._times[False] + (0.0 if self._is_removed else resting),
            self._times[True] + (resting if self._is_removed else 0.0),
        )


class PacketTime:
    """The seconds from one packet of the peer to the next.

    By octets, the mean length of the packets since the last look, where the codec has a constant rate and they are not
    too few; else from the peer's timestamps the least one, until two looks agree.
    """

    __slots__ = (
        "_agreed",
        "_candidate",
        "_codec",
        "_highest",
        "_noise",
        "_octets",
        "_octets_per_tick",
        "_packets",
        "_reception",
        "_timestamp",
        "dtx",
        "interval",
        "is_sure",
    )

    def __init__(self) -> None:
        self.interval = 0.02
        """Seconds."""
        self.is_sure = False
        """Two looks agreed on it, or octets showed it."""
        self.dtx = False
        """The codec has silence suppression."""
        self._agreed = self._codec = ""
        self._octets_per_tick = 0
        self._candidate = -1.0
        self._reception: Reception | None = None
        self._timestamp = self._highest = 0
        self._octets = self._packets = self._noise = 0

    def agree(self, command: ConfigureStream, receiver: Receiver) -> None:
        """Take what signalling decided, until packets show more."""
        if command.receive_codecs:
            self._agreed = command.receive_codecs[0][1]
            self._follow(receiver)
        if self._candidate < 0 and command.packet_interval > 0:
            self.interval = command.packet_interval

    def take_arrivals(self, interval: float) -> None:
        """Take the mean time between arrivals, until timestamps show it.

        Args:
            interval: seconds.
        """
        if INTERVALS[0] <= interval <= INTERVALS[1]:
            if abs(interval - self.interval) > _ROUGH * self.interval:  # arrivals are rough, ours is negotiated
                self.interval = interval
            self._candidate = self.interval

    def _follow(self, receiver: Receiver) -> None:
        self._codec = receiver.codec or self._agreed
        self._octets_per_tick = OCTETS_PER_TICK.get(self._codec.upper(), 0)
        self.dtx = self._codec.upper() in DTX_CODECS

    def octets_per_second(self, receiver: Receiver) -> int:
        """Payload octets of a second of audio; 0 = the codec's rate is not constant."""
        if receiver.codec != self._codec:
            self._follow(receiver)
        reception = receiver.reception
        return self._octets_per_tick * (reception.clock_rate if reception is not None else 8000)

    def look(self, receiver: Receiver, octets: int, packets: int, since: float) -> bool:
        """Measure what came since the last look.

        Args:
            octets, packets: of audio until now; packets that came twice count twice.
            since: when the newest packet of the last look came.

        Returns:
            whether the packet time is known for sure.
        """
        new_octets, new_packets = octets - self._octets, packets - self._packets
        # A packet of comfort noise has no length, whether it was agreed on or not.
        noise = receiver.noise_packets != self._noise or receiver.suppressed_at >= since
        self._octets, self._packets, self._noise = octets, packets, receiver.noise_packets
        rate = self.octets_per_second(receiver)
        if rate and not noise and new_packets > 0 and new_octets >= _SHORTEST * rate * new_packets:
            self.interval = self._candidate = new_octets / rate / new_packets
            self.is_sure = True
            self._reception = None
            return True
        self._look_at_timestamps(receiver.reception)
        return False

    def _look_at_timestamps(self, reception: Reception | None) -> None:
        if reception is None or reception.timestamp < 0:
            self._reception = None
            return
        timestamp, highest = reception.timestamp, reception.highest
        packets = highest - self._highest
        if self._reception is reception and packets > 0:
            interval = ((timestamp - self._timestamp) & _M32) / reception.clock_rate / packets
            if INTERVALS[0] <= interval <= INTERVALS[1]:
                if abs(interval - self._candidate) <= 0.05 * interval:
                    self.interval = interval
                    self.is_sure = True
                elif not self.is_sure:  # a pause in which the RTP clock ran on only makes it longer
                    rough = self._candidate < 0 or interval < (1 + _ROUGH) * self._candidate
                    self.interval = interval if rough else self._candidate
                self._candidate = interval
        self._reception, self._timestamp, self._highest = reception, timestamp, highest


class Presence:
    """The time of one stream.

    Args:
        receiver: whose packets are counted; it is only read.
    """

    __slots__ = (
        "_active",
        "_excused",
        "_expected",
        "_floor",
        "_fresh",
        "_gap",
        "_gap_from",
        "_looked",
        "_missing",
        "_noise",
        "_not_audio",
        "_numbered",
        "_octets",
        "_octets_from",
        "_owed",
        "_pace",
        "_packet_time",
        "_packets",
        "_packets_from",
        "_packets_of_octets",
        "_pressed",
        "_quiet_from",
        "_received",
        "_receiver",
        "_rests",
        "_said",
        "_said_ssrc",
        "_since",
        "_suppressed",
        "_unique",
        "_unmeasured",
        "_window",
        "_window_at",
        "held",
    )

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._packet_time = PacketTime()
        self._rests = _Rests()
        self.held = False
        """The peer has put us on hold: it may send music, and need not."""
        self._since = -1.0
        """Since when media is due; -1 = it is not."""
        self._active = self._excused = self._missing = self._gap = 0.0
        self._pace = Pace()
        self._packets = self._received = self._numbered = 0
        self._unmeasured = 0.0
        """Seconds of gaps whose packets wait for the peer's packet time."""
        self._unique = self._expected = self._owed = self._not_audio = self._noise = 0
        self._octets = self._octets_from = 0
        self._packets_of_octets = self._packets_from = 0
        """Of audio, copies included, which those octets were in."""
        self._pressed = 0.0
        """Seconds of digits before the newest packet of audio at the last look that saw one."""
        self._quiet_from = self._gap_from = self._looked = self._floor = 0.0
        self._suppressed = self._fresh = False
        self._said = self._said_ssrc = -1
        self._window = (0, 0.0, 0.0, 0.0)
        self._window_at = 0.0

    def expect(self, command: ConfigureStream, reachable: bool, now: float) -> None:
        """Take what signalling decided.

        Args:
            reachable: the peer named an address.
            now: seconds, monotonic.
        """
        both_ways = command.direction == "sendrecv"
        held = self._rests.is_hold(command.direction)
        self.held = held or (command.direction == "recvonly" and not reachable)
        due = not command.early and reachable and (both_ways or (command.direction == "recvonly" and not held))
        self._packet_time.agree(command, self._receiver)
        if due or command.early:
            self._rests.end(now)
        else:
            self._rests.begin(now, is_removed=command.removed)
        if due and self._since < 0:
            self._start(now)
        elif not due and self._since >= 0:
            self._stop(now)

    def _start(self, now: float) -> None:
        receiver = self._receiver
        self._since = self._quiet_from = self._gap_from = self._looked = self._floor = self._window_at = now
        _, self._expected, self._unique, _ = receiver.counts()
        self._not_audio, self._noise = _without_audio(receiver), receiver.noise_packets
        self._octets_from, self._packets_from = receiver.audio()
        self._measure(self._octets_from, self._packets_from)
        self._suppressed = False
        self._pressed = receiver.event_receiver.time.seconds
        self._pace.count(restarts=-receiver.restarts)
        self._fresh = True
        self._owed = 0
        self._said_ssrc = -1
        self._said = -1 if self._unique else 0  # nothing came yet: the first report counts from here
        self._window = (self._packets, self._missing, self._excused, self._gap)

    def _stop(self, now: float) -> None:
        self.look(now)
        self._take_quiet(now - self._quiet_from, self._suppressed)
        self._active += now - self._since
        self._pace.count(restarts=self._receiver.restarts)
        octets, packets = self._receiver.audio()
        self._octets += octets - self._octets_from
        self._packets_of_octets += packets - self._packets_from
        self._since = -1.0

    def look(self, now: float) -> None:
        """Compare what came since the last look with the time that passed.

        Args:
            now: seconds, monotonic.
        """
        if self._since < 0:
            return
        receiver = self._receiver
        prompt = now - self._looked <= _PROMPT
        self._looked = now
        received, expected, unique, octets = receiver.counts()
        noise = receiver.noise_packets
        not_audio = _without_audio(receiver)
        new, empty = unique - self._unique, noise - self._noise
        audio = new - not_audio + self._not_audio
        last, suppressed_at = receiver.last_at, receiver.suppressed_at
        suppressed = suppressed_at >= 0 and suppressed_at == last
        if audio <= 0 and not suppressed:
            if prompt:  # else what came may still wait in the kernel, because we were late
                self._floor = now
            return
        if audio > 0:
            last = receiver.audio_at
        sent = max(0, expected - self._expected - self._owed - empty)
        quiet_from = self._quiet_from
        known = self._measure(octets - receiver.other_octets, received - receiver.not_audio)
        begun = last - (audio - 1) * self._packet_time.interval if audio > 1 else last
        if self._fresh:
            if not self._unique and not receiver.ssrc_changes:
                sounded = receiver.event_receiver.time.seconds - self._pressed
                self._pace.press(max(0.0, min(sounded, begun - receiver.first_at)))  # before any audio
                begun = receiver.first_at
                if not known and new >= _ENOUGH:
                    self._packet_time.take_arrivals((last - begun) / (new - 1))
            else:  # numbers that were used before media was due are no loss in it
                sent = min(sent, max(new, round((last - quiet_from) / self._packet_time.interval)))
        if begun < self._floor:
            begun = self._floor
        if begun < quiet_from:
            begun = quiet_from
        if begun > last:
            begun = last
        by_time = self._take_quiet(begun - quiet_from, self._suppressed or suppressed_at > quiet_from)
        self._fresh = False
        # What sequence numbers show as lost in a gap was counted by its time.
        self._packets += max(sent - by_time, min(new, sent)) if by_time else sent
        self._numbered += sent
        self._received += max(0, new - empty)
        self._unique, self._expected, self._owed = unique, expected, 0
        self._not_audio, self._noise = not_audio, noise
        self._pace.count(audio=max(0, audio))
        pressed = receiver.event_receiver.time
        self._pressed = pressed.seconds if last == receiver.last_at else pressed.before
        self._quiet_from = self._gap_from = last
        self._suppressed = suppressed

    def _measure(self, octets: int, packets: int) -> bool:
        """Measure the packet time, and count the gaps that waited for it.

        Args:
            octets, packets: see `PacketTime.look`.
        """
        known = self._packet_time.look(self._receiver, octets, packets, self._quiet_from)
        if self._unmeasured and self._packet_time.is_sure:
            self._count_unmeasured()
        return known

    def _take_quiet(self, quiet: float, suppressed: bool) -> int:
        """Count a time without packets that ends now; returns the packets that were due in it."""
        if suppressed:
            self._excused += quiet
            return 0
        digits = self._digits(quiet)
        begun = self._quiet_from + quiet
        self._gap = max(self._gap, begun - self._gap_from - digits)
        self._pace.press(digits)
        without = max(0.0, self._without_packets(quiet) - digits)
        if self._is_settled(quiet):
            if self._fresh:
                self._pace.start_late(quiet - digits)
            else:
                self._pace.pause(without, self._packet_time.interval)
            return 0
        self._missing += quiet - digits
        packets = round(without / self._packet_time.interval)
        if self._packet_time.is_sure:
            self._packets += packets
        else:
            self._unmeasured += without
        return packets

    def _digits(self, quiet: float) -> float:
        """Seconds of a time without audio, as yet not counted, in which digits stood instead of it."""
        return max(0.0, min(self._without_packets(quiet), self._receiver.event_receiver.time.seconds - self._pressed))

    def _without_packets(self, quiet: float) -> float:
        """Seconds of a time without packets whose own are missing: it begins with a packet, unless none came yet."""
        begins_with_packet = not self._fresh and self._quiet_from == self._gap_from
        return max(0.0, quiet - self._packet_time.interval) if begins_with_packet else quiet

    def _is_settled(self, quiet: float) -> bool:
        """Too short to be missing media, and no rest of a gap of which a report has had a part counted."""
        digits = self._digits(quiet)
        if quiet - digits <= SETTLED or self._quiet_from != self._gap_from:
            return self._quiet_from == self._gap_from
        late = self._packet_time.dtx or digits > 0
        settled = SETTLED_DTX if late else SETTLED_START if self._fresh else SETTLED
        return quiet <= max(settled, FEW * self._packet_time.interval)

    def _count_unmeasured(self) -> None:
        self._packets += round(self._unmeasured / self._packet_time.interval)
        self._unmeasured = 0.0

    def report(self, ssrc: int, packets_sent: int, now: float) -> None:
        """Hold a sender report of the peer against what was counted since the one before.

        Args:
            ssrc: its source.
            packets_sent: its packet count, 32 bit.
            now: seconds, monotonic.
        """
        if self._since < 0:
            return
        self.look(now)
        quiet = now - self._quiet_from
        if self._suppressed or not self._is_settled(quiet):
            self._owed += self._take_quiet(quiet, self._suppressed)
            self._quiet_from = now
            self._pressed = self._receiver.event_receiver.time.seconds
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
        """Correct the time since the last report by the number of packets that the peer reports for it.

        Args:
            whole: the count began with the time, so that more than was counted is no earlier packet.
        """
        packets, missing, excused, gap = self._window
        counted = self._packets - packets
        by_time = self._missing - missing
        agreed = self._packet_time.dtx or self._receiver.comfort_noise
        if whole and said > counted + _SLACK:
            longest = round((now - self._window_at) / self._packet_time.interval) + _SLACK
            more = min(said, longest) - counted
            if more > _SLACK:
                back = min(self._excused - excused, more * self._packet_time.interval)
                self._packets += more
                self._owed += more
                self._excused -= back
                self._missing += back
                self._gap = max(self._gap, back)
        elif agreed and counted > said + _SLACK and by_time > 0:
            fewer = min(counted - said, round(by_time / self._packet_time.interval))
            silent = min(by_time, fewer * self._packet_time.interval)
            self._packets -= fewer
            self._owed = max(0, self._owed - fewer)
            self._missing -= silent
            self._excused += silent
            self._gap = gap
            self._gap_from = now

    def figures(self, now: float) -> MediaTime:
        """Everything until now.

        Args:
            now: seconds, monotonic.
        """
        self.look(now)
        active, excused, missing, gap = self._active, self._excused, self._missing, self._gap
        packets = self._packets + round(self._unmeasured / self._packet_time.interval)
        restarts = self._pace.restarts
        at_end = 0.0
        if self._since >= 0:
            active += now - self._since
            restarts += self._receiver.restarts
            quiet = now - self._quiet_from
            if self._suppressed:
                excused += quiet
            else:
                at_end = self._digits(quiet)
                gap = max(gap, now - self._gap_from - at_end)
                without = max(0.0, self._without_packets(quiet) - at_end)
                if self._is_settled(quiet):
                    at_end += without
                else:
                    missing += quiet - at_end
                    packets += round(without / self._packet_time.interval)
        due = max(0.0, active - excused)
        missed = max(0, packets - self._received)
        interval = self._spacing()
        surplus = 0
        if interval and not excused and not self._packet_time.dtx:
            packets = round(due / interval)
            missed -= self._beyond(packets, missed - round(missing / interval))
            missed += restarts  # what was discarded where the numbers start anew is no gap in them
            short = self._pace.short(due, at_end + missed * interval, self._audio_time(interval), interval)
            missing += short * interval
            missed += short
            surplus = self._pace.surplus(due, self._audio_time(interval), interval)
        present = max(0.0, due - missing) if self._received else 0.0
        rests = self._rests.until(now)
        return MediaTime(due, present, min(gap, active), packets, min(missed, packets), surplus, *rests)

    def _beyond(self, due: int, lost: int) -> int:
        """Packets of those lost by their numbers that were none of those due, where numbers run ahead of the time.

        Args:
            due: packets.
            lost: by their numbers.
        """
        numbered = self._numbered
        return round(lost * (1 - due / numbered)) if numbered > due and lost > 0 else 0

    def _audio_time(self, interval: float) -> float:
        """Seconds of audio that came: by octets where the codec has a constant rate, else by packets."""
        return self._pace.audio * min(self._held_time() or interval, interval)

    def _held_time(self) -> float:
        """Seconds of audio in one packet by its octets; 0.0 = they do not show it."""
        octets, packets = self._octets, self._packets_of_octets
        if self._since >= 0:
            now_octets, now_packets = self._receiver.audio()
            octets += now_octets - self._octets_from
            packets += now_packets - self._packets_from
        rate = self._packet_time.octets_per_second(self._receiver)
        return octets / rate / packets if rate and octets > 0 and packets > 0 else 0.0

    def _spacing(self) -> float:
        """Seconds from one packet to the next: by octets where the codec has a constant rate; 0.0 = unknown.

        Where they hold too little for any packet time, timestamps count.
        """
        held = self._held_time()
        if held:
            return held if held >= _SHORTEST else self._packet_time.interval
        return self._packet_time.interval if self._packet_time.is_sure else 0.0
