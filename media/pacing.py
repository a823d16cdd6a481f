"""When each stream sends: one absolute schedule of ticks, streams spread over their packet interval.

Streams of one interval form a ring of groups, one for each tick of the interval; a tick sends one group. What is late
by a whole interval is skipped and counted, never sent in a burst. An interval that is no whole number of ticks is kept
exactly on average, each packet on the first tick after its time. A sender begins after the time at which it is added:
no tick runs while nothing is due, so the last one may be long past. It calls senders; it must not use sockets or
sources.
"""

from collections.abc import Callable

from .context import Attempt, unguarded
from .sender import Sender, end_failed, packets_of, send_again
from .totals import MediaTotals

_CLOCK_EVERY = 32
"""Packets sent between two looks at the clock."""
_FAILED = "a packet of a stream could not be made: its source or its digits end"
_WORTH_NOTING = 0.001
"""Seconds of lateness below which a stream's worst value is not kept up."""


class Pacer:
    """The schedule of all streams that send by time."""

    __slots__ = ("_attempt", "_clock", "_counted", "_epoch", "_irregular", "_joining", "_rings", "_tick", "done")

    def __init__(
        self, tick: float, epoch: float, clock: Callable[[], float], counted: MediaTotals, attempt: Attempt = unguarded
    ) -> None:
        """Begin without streams.

        Args:
            tick: seconds.
            epoch: time of tick 0.
            clock: monotonic seconds.
            attempt: as in `StreamContext`.
        """
        self._attempt = attempt
        self._tick = tick
        self._epoch = epoch
        self._clock = clock
        self._counted = counted
        self._rings: dict[int, list[list[Sender]]] = {}  # by ticks of the interval
        self._irregular: list[Sender] = []
        self._joining: list[Sender] = []  # added while a tick was overdue: placed when it has run
        self.done = 0
        """Number of the newest tick on which nothing is left to send."""

    def time_of(self, number: int) -> float:
        """When a tick is due."""
        return self._epoch + number * self._tick

    def number_at(self, now: float) -> int:
        """The newest tick that is due at a time."""
        return int((now - self._epoch) / self._tick + 1e-6)

    def add(self, sender: Sender) -> None:
        """Send from the next tick on whose group is the smallest of the interval; never from one that is past."""
        newest = self.number_at(self._clock())
        if newest > self.done:
            soonest = self.next_number()
            if soonest is not None and soonest <= newest:  # what is late belongs to the others
                self._joining.append(sender)
                sender.group = self._joining
                return
            self.done = newest
        self._place(sender)

    def _place(self, sender: Sender) -> None:
        """Put a sender into the group in which it goes out next."""
        ticks = self._ticks_of(sender.packet_interval)
        if not ticks:
            due = self.time_of(self.done + 1)
            self._irregular.append(sender)
            sender.group = self._irregular
        else:
            ring = self._rings.get(ticks)
            if ring is None:
                ring = self._rings[ticks] = [[] for _ in range(ticks)]
            number = min(range(self.done + 1, self.done + ticks + 1), key=lambda each: len(ring[each % ticks]))
            sender.group = ring[number % ticks]
            sender.group.append(sender)
            due = self.time_of(number)
        if sender.due:
            sender.resume(due - sender.due)
        sender.due = due

    def _ticks_of(self, interval: float) -> int:
        """Ticks of a packet interval; 0 = it is no whole number of them."""
        ticks = round(interval / self._tick)
        return ticks if ticks >= 1 and abs(ticks * self._tick - interval) <= 1e-6 else 0

    def remove(self, sender: Sender) -> None:
        """Send no more; a sender that is not here is none of our business."""
        group = sender.group
        if group is None:
            return
        sender.due = self.due(sender)
        group.remove(sender)
        sender.group = None

    def due(self, sender: Sender) -> float:
        """When the sender's next interval begins; 0.0 = unknown."""
        group = sender.group
        if group is None or group is self._irregular or group is self._joining:
            return sender.due
        ticks = self._ticks_of(sender.paced_interval)
        place = next(index for index, each in enumerate(self._rings[ticks]) if each is group)
        return self.time_of(self.done + 1 + (place - self.done - 1) % ticks)

    def next_number(self) -> int | None:
        """The next tick on which anything is sent; None = on none."""
        after = self.done + 1
        soonest = after if self._joining else None
        for ticks, ring in self._rings.items():
            for number in range(after, after + ticks):
                if ring[number % ticks]:
                    soonest = number if soonest is None else min(soonest, number)
                    break
        for sender in self._irregular:
            number = max(after, self.number_at(sender.due - 1e-6) + 1)
            soonest = number if soonest is None else min(soonest, number)
        return soonest

    def run(self, last: int, now: float) -> None:
        """Send what is due up to and including a tick, in the order of the ticks."""
        first = self.done + 1
        self.done = last
        for ticks, ring in self._rings.items():
            if first == last:
                group = ring[last % ticks]
                if group:
                    self._send(group, last, 0, now)
                continue
            for number in range(max(first, last - ticks + 1), last + 1):
                group = ring[number % ticks]
                if group:
                    missed = (number - first) // ticks
                    self._send(group, number, missed, now)
        if self._irregular:
            self._send_irregular(now)
        if self._joining:
            joining, self._joining = self._joining, []
            for sender in joining:
                self._place(sender)

    def _send(self, group: list[Sender], number: int, missed: int, now: float) -> None:
        """Send one packet of each sender of a group.

        Args:
            missed: whole intervals to skip before.
        """
        counted = self._counted
        scheduled = self.time_of(number)
        late = now - scheduled
        left = _CLOCK_EVERY
        if missed:
            for sender in group:
                sender.skip(missed)
            counted.frames_skipped += missed * len(group)
        # All packets first, then all system calls: each half stays in the processor's cache.
        packets: list[bytes | bytearray | None] = []
        waiting = iter(group)
        while not self._attempt(_FAILED, packets_of, waiting, packets):
            end_failed(group[len(packets)])
            packets.append(None)
        clock = self._clock
        idle = False
        for sender, packet in zip(group, packets, strict=True):
            if packet is None:
                idle = True
                continue
            send = sender.send  # a slot, not a method: looked up apart it is cheaper
            try:
                send(packet)
            except OSError:
                send_again(sender, packet)
            if late > _WORTH_NOTING and late > sender.late_max:
                sender.late_max = late
            left -= 1
            if not left:
                left = _CLOCK_EVERY
                counted.lateness.add(max(late, 0.0), _CLOCK_EVERY)
                late = clock() - scheduled
        if left < _CLOCK_EVERY:
            counted.lateness.add(max(late, 0.0), _CLOCK_EVERY - left)
        over = [sender for sender in group if not sender.paced] if idle else []
        for sender in over:
            group.remove(sender)
            sender.group = None
            sender.due = scheduled + sender.packet_interval

    def _send_irregular(self, now: float) -> None:
        for sender in self._irregular[:]:
            if sender.due > now + 1e-6:
                continue
            interval = sender.packet_interval
            missed = max(0, int((now - sender.due) / interval))
            if missed:
                sender.skip(missed)
                self._counted.frames_skipped += missed
            packets: list[bytes | bytearray | None] = []
            if not self._attempt(_FAILED, packets_of, (sender,), packets):
                end_failed(sender)
                packets.append(None)
            (packet,) = packets
            late = now - sender.due - missed * interval
            sender.due += (missed + 1) * interval
            if packet is None:
                if not sender.paced:
                    self._irregular.remove(sender)
                    sender.group = None
                continue
            try:
                sender.send(packet)
            except OSError:
                send_again(sender, packet)
            sender.late_max = max(sender.late_max, late)
            self._counted.lateness.add(late)
