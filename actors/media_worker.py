"""The media worker: a `media.MediaEngine` in an event loop, commanded over its link.

It carries commands in and events out, with one reader for all of the engine's sockets and one timer for its tick.
Events wait for a call worker that does not read, up to a bound; running statistics are dropped first. Streams belong to
a slot. When its call worker is gone they go on for `RETURN`, and their events wait, with those that it has not
acknowledged: the next incarnation takes a stream over with any command to it, and what it has not taken within `HOLD`
of its `Hello` is closed. This file must not decide anything about streams: that is the engine's.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from sipswarm.media.audio.codecs import CodecUnavailable, open_codec
from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import CloseStream, StreamStatistics
from sipswarm.media.sources import prepare

from .bus.link import Channel, RouterLink, Surroundings
from .bus.messages import StoodStill
from .config import NodeConfig
from .counting.totals import SeriesRow
from .diagnosis.crash_log import CrashLog

WINDOW = 4096
"""Records a call worker may leave unacknowledged."""
BACKLOG = 4096
"""Events kept for a call worker that does not read."""
RETURN = 10.0
"""Seconds for which streams wait for the next incarnation of their call worker, whose start a busy machine delays."""
HOLD = 3.0
"""Seconds for which streams then wait for a command of it."""
_FAILED = "a part of the media worker failed and goes on"
EVENTS_PER_FRAME = 64
"""Even events full of received audio stay below `wire.MAX_FRAME` with it."""


class MediaWorker:
    """One of the node's media workers.

    Args:
        slot: its number, 0 … media_workers - 1.
        surroundings: of the process; the engine's own totals are read at each snapshot.
    """

    def __init__(
        self,
        config: NodeConfig,
        slot: int,
        *,
        surroundings: Surroundings,
    ) -> None:
        totals, self._loop = surroundings.totals, surroundings.loop
        self._dropped = totals.cell("sipswarm_queue_dropped_total", "media_events")
        self._waiting = totals.cell("sipswarm_bus_queue_messages", "media_events")
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._settled = False
        self._pulse = surroundings.pulse_of_process()
        self._pulse.attend(self._tell_standstill)
        self._backlog: dict[int, deque[Any]] = {}
        self._unclaimed: dict[int, set[int]] = {}
        """Streams that the next incarnation of their call worker has sent no command to, by slot."""
        self._holds: dict[int, asyncio.TimerHandle] = {}
        self._attempt = CrashLog(time.monotonic).attempt
        self.engine = MediaEngine(_settings(config, slot), attempt=self._attempt)
        prepare()  # now, because any call may play a file, and loading takes long
        for name in config.codecs:
            with contextlib.suppress(CodecUnavailable):
                open_codec(name)
        totals.include(self._rows)
        self._loop.add_reader(self.engine.fileno(), self._on_readable)
        self._link = RouterLink(
            surroundings,
            config.endpoint(f"media-{slot}"),
            role="media",
            slot=slot,
            name="media",
            window=WINDOW,
            on_records=self._on_records,
            on_peer=self._on_peer,
            on_drained=self._flush,
            on_lost=self._take_back,
        )

    def close(self) -> None:
        """Close every stream and socket."""
        self._loop.remove_reader(self.engine.fileno())
        for slot in list(self._holds):
            self._end_hold(slot)
        if self._timer is not None:
            self._timer.cancel()
        self.engine.close()
        self._link.close()

    def start(self, at: float) -> None:
        """Do nothing: call workers open the streams."""

    def settle(self) -> bool:
        """Send the figures of the streams that are open, once; return whether all that was sent has been handled.

        Call workers get nothing of these streams after the end of this process.
        """
        if not self._settled:
            self._settled = True
            self._attempt(_FAILED, self.engine.settle, time.monotonic())
            self._flush()
        return self._link.is_all_handled

    def drain(self, within: float) -> None:
        """Do nothing: streams end with their calls."""

    def on_record(self, record: Any) -> None:
        """Ignore it: no record of the supervisor is for a media worker alone."""

    def update_gauges(self) -> int:
        """Count the events that wait; return the number of open streams."""
        self._waiting.value = sum(map(len, self._backlog.values()))
        return self.busy

    @property
    def busy(self) -> int:
        """Number of open streams."""
        return sum(self.engine.totals.streams_active)

    def _rows(self) -> Iterable[SeriesRow]:
        return self.engine.totals.rows()

    def worker_down(self, role: str, slot: int, incarnation: int) -> None:
        """Hold the streams of a call worker that is gone for the next one of its slot."""
        if role != "call":
            return
        self._link.read_waiting()  # its last commands came before it died
        if self._link.forget("call", slot, incarnation) and slot in self._backlog:
            self._hold(slot, RETURN, self._let_go)

    def _take_back(self, channel: Channel, events: list[Any]) -> None:
        """Keep the events that a call worker has died with for the next one; a digit among them is not lost."""
        waiting = self._backlog.get(channel.slot)
        if waiting is not None:
            waiting.extendleft(event for event in reversed(events) if event.__class__ is not StreamStatistics)
            while len(waiting) > BACKLOG:
                self._drop_one(waiting)

    def _on_peer(self, channel: Channel) -> None:
        slot = channel.slot
        waiting = self._backlog.setdefault(slot, deque())
        held = self.engine.streams_of(slot)
        if held:
            self._unclaimed[slot] = held
            self._hold(slot, HOLD, self._close_unclaimed)
            self._loop.call_soon(self._flush)
        else:
            self._end_hold(slot)
            waiting.clear()

    def _hold(self, slot: int, within: float, then: Callable[[int], None]) -> None:
        self._end_hold(slot)
        self._holds[slot] = self._loop.call_later(within, then, slot)

    def _end_hold(self, slot: int) -> None:
        timer = self._holds.pop(slot, None)
        if timer is not None:
            timer.cancel()

    def _let_go(self, slot: int) -> None:
        """Close the streams of a call worker that was not replaced in time."""
        self._end_hold(slot)
        self._backlog.pop(slot, None)
        self._unclaimed.pop(slot, None)
        self.engine.close_owner(slot, time.monotonic())
        self._flush()

    def _close_unclaimed(self, slot: int) -> None:
        """Close the streams that the next call worker has not taken over."""
        self._end_hold(slot)
        now = time.monotonic()
        for stream_id in self._unclaimed.pop(slot, ()):
            self._attempt(_FAILED, self.engine.handle, slot, CloseStream(stream_id), now)
        self._flush()

    def _on_records(self, channel: Channel, records: list[Any]) -> None:
        now = time.monotonic()
        self._pulse.look(now)
        handle, owner = self.engine.handle, channel.slot
        unclaimed = self._unclaimed.get(owner)
        if unclaimed:
            unclaimed.difference_update([record.stream_id for record in records])
        for record in records:
            self._attempt(_FAILED, handle, owner, record, now)

    def _on_readable(self) -> None:
        now = time.monotonic()
        self._pulse.look(now)
        self._attempt(_FAILED, self.engine.on_readable, now)
        self._flush()

    def _on_tick(self) -> None:
        self._timer = self._armed = None
        now = time.monotonic()
        self._pulse.look(now)
        self._attempt(_FAILED, self.engine.on_tick, now)
        self._flush()

    def _tell_standstill(self, stood: StoodStill) -> None:
        """Tell every call worker, before the events of what is read now."""
        for waiting in self._backlog.values():
            if len(waiting) >= BACKLOG:
                self._drop_one(waiting)
            waiting.append(stood)

    def _flush(self) -> None:
        """Send the events of the engine and arm the one timer."""
        self._attempt(_FAILED, self._send_events)
        self._arm()

    def _send_events(self) -> None:
        for owner, event in self.engine.drain():
            waiting = self._backlog.get(owner)
            if waiting is None:
                continue  # its owner is gone
            if len(waiting) >= BACKLOG:
                self._drop_one(waiting)
            waiting.append(event)
        for owner, waiting in self._backlog.items():
            while waiting:
                channel = self._link.channels.get(("call", owner))
                batch = [waiting.popleft() for _ in range(min(EVENTS_PER_FRAME, len(waiting)))]
                if channel is None or channel.room < len(batch) or not self._link.send(channel, batch):
                    waiting.extendleft(reversed(batch))  # they wait a tick
                    break

    def _drop_one(self, waiting: deque[Any]) -> None:
        """Make room: running statistics first (newer ones follow), else the oldest event."""
        self._dropped.value += 1
        for index, event in enumerate(waiting):
            if event.__class__ is StreamStatistics:
                del waiting[index]
                return
        waiting.popleft()

    def _arm(self) -> None:
        deadline = self.engine.deadline()
        if deadline == self._armed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = deadline
        self._timer = (
            None if deadline is None else self._loop.call_later(max(0.0, deadline - time.monotonic()), self._on_tick)
        )


def _settings(config: NodeConfig, slot: int) -> MediaSettings:
    """Return this worker's share of the node's RTP ports: contiguous, even at both ends."""
    low, high = config.rtp_ports
    share = (high - low + 2) // 2 // config.media_workers
    first = low + 2 * share * slot
    return MediaSettings(port_first=first, port_last=first + 2 * share - 1)
