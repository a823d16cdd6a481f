"""The way out for media commands of a call worker: one link message per media worker and flush.

A flush sends the waiting commands of each media worker in batches. What its link does not take is held, in order and
bounded: until there is room, until the media worker is known to be gone, or as long as streams wait for one
(`MediaWorkers.wait`). Then the owner of each stream has lost it, and it is closed later, so that none stays open. An
`OpenStream` without an answer in `ANSWER` seconds is lost in the same way, and its media worker counts as late: the
owner tries another one. A command that cannot be sent at all is answered here with the event that the media worker
would have sent. No command may be lost without a count.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sipswarm.media import messages as media
from sipswarm.media.messages import CloseStream
from sipswarm.media.refusal import Refusal

from ..bus.link import DealerLink, Surroundings
from ..bus.messages import StoodStill
from ..bus.standstills import Standstills
from ..diagnosis.failure_reasons import with_detail
from ..runtime.outbox import Outbox

WINDOW: Final = 4096
"""Commands that a media worker may leave unacknowledged."""
MEDIA_BATCH: Final = 1024
"""Commands in one link message."""
_UNSENDABLE: Final = "the command cannot be sent to the media worker"
CLOSE_INTERVAL: Final = 0.1
"""Seconds until the next attempt to close a stream."""
HELD: Final = 4096
"""Commands that are held for one media worker."""
RETRY: Final = 0.02
"""Seconds between two attempts to send them."""
ANSWER: Final = 1.0
"""Seconds within which a media worker answers an `OpenStream`, unless it is stopped or overloaded."""
LOOK: Final = 0.1
"""Seconds between two looks at the unanswered ones."""
STOOD_STILL: Final = 0.3
"""Seconds by which a look is so late that this process itself stood still: that time counts for no one."""


class _Held:
    """The commands that the link to one media worker did not take."""

    __slots__ = ("commands", "since")

    def __init__(self) -> None:
        self.commands: list[media.Command] = []
        self.since = 0.0
        """When the first of them was refused; 0.0 = none is held."""


class MediaOutput:
    """The way out of one call worker.

    Args:
        endpoints: of the media workers.
        slot: of the call worker.
        outbox: holds the waiting commands.
        standstills: takes those of the media workers.
        on_events: called with events of the streams.
        on_welcome: called when another media worker is linked.
        on_gone: called with the index of a media worker that is gone; the owners of its streams have lost them.
        on_drained: called when all received events are read.
        lose: called with the stream of each command that was not accepted, the index of the media worker, and
            "media_overload"; "media_worker_lost" while there is no media worker, or it does not answer.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        endpoints: Sequence[str],
        slot: int,
        outbox: Outbox[Any],
        standstills: Standstills,
        *,
        on_events: Callable[[list[Any]], None],
        on_welcome: Callable[[], None],
        on_gone: Callable[[int], None],
        on_drained: Callable[[], None],
        lose: Callable[[int, int, str], None],
    ) -> None:
        self._on_events = on_events
        self._standstills = standstills
        self._on_welcome = on_welcome
        self._on_gone = on_gone
        self._workers = outbox.workers
        self._held = [_Held() for _ in endpoints]
        self._unanswered: dict[int, tuple[float, int]] = {}
        """When each `OpenStream` without an answer was sent, and to which media worker; the oldest first."""
        self._incarnations = [0] * len(endpoints)
        """Of the media workers that are linked; 0 = none was, or its death is known."""
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = 0.0
        """When the next look is due."""
        self._links = [
            DealerLink(
                surroundings,
                endpoint,
                role="call",
                slot=slot,
                name="media",
                window=WINDOW,
                on_records=partial(self._on_records, worker),
                on_welcome=partial(self._on_linked, worker),
                on_drained=on_drained,
                on_unsent=self._refuse,
                checks=True,
            )
            for worker, endpoint in enumerate(endpoints)
        ]
        self._given_up: set[int] = set()
        self._outbox = outbox
        self._refused = surroundings.totals.cell("sipswarm_queue_dropped_total", "media_commands")
        self._loop: asyncio.AbstractEventLoop = surroundings.loop
        self._lose = lose
        for worker in range(len(self._links)):
            self._workers.unlinked(worker)

    @property
    def welcome(self) -> bool:
        """Whether every media worker is linked, but for those that never come again."""
        return all(each.welcome or worker in self._given_up for worker, each in enumerate(self._links))

    def give_up(self, worker: int) -> None:
        """Wait no more for a media worker that died too often."""
        self._given_up.add(worker)
        self._workers.given_up(worker)

    def retire(self, worker: int) -> None:
        """Place no new streams at a media worker that is about to be replaced, where there is another one."""
        self._workers.retire(worker)

    def gone(self, worker: int, incarnation: int) -> None:
        """Take the death of a media worker: link the next one, unless that was done before the death was known."""
        link = self._links[worker]
        link.read_waiting()  # its last events came before it ended
        if not link.welcome or link.channel.incarnation <= incarnation:
            self._lost(worker)
            link.reconnect()

    def _lost(self, worker: int) -> None:
        """Tell the owners of its streams; drop what is held for it, which is for these streams too."""
        self._incarnations[worker] = 0
        self._workers.unlinked(worker)
        self._on_gone(worker)
        self._forget(worker)

    def flush(self) -> None:
        """Send the waiting commands to their media workers."""
        for worker, commands in enumerate(self._outbox.media):
            if commands:
                if self._links[worker].silent_for(self._loop.time()) > ANSWER:
                    self._workers.late(worker)
                    self._look_soon()
                self._note_opened(worker, commands)
                held = self._held[worker]
                held.commands += commands
                commands.clear()  # an owner's commands after a loss go with the next flush
                self._send(worker, held)

    def _send(self, worker: int, held: _Held) -> None:
        """Send what is held for a media worker, and keep what its link does not take now."""
        waiting, link = held.commands, self._links[worker]
        while waiting:
            batch = waiting[:MEDIA_BATCH]
            if not link.welcome or not link.send(batch):
                break
            del waiting[: len(batch)]
            held.since = 0.0
        if not waiting:
            held.since = 0.0
            return
        now = self._loop.time()
        held.since = held.since or now
        if now - held.since >= self._workers.wait:
            self._give_up(worker, waiting, len(waiting))
            held.since = 0.0
        elif len(waiting) > HELD:
            self._give_up(worker, waiting, len(waiting) - HELD)
        if waiting:
            self._look_soon()

    def _give_up(self, worker: int, waiting: list[media.Command], count: int) -> None:
        """Lose the last held commands, with the streams that they are for."""
        lost = waiting[-count:]
        del waiting[-count:]
        self._refused.value += count
        reason = "media_overload" if self._links[worker].welcome else "media_worker_lost"
        streams = {command.stream_id for command in lost}
        for stream_id in streams:
            self._unanswered.pop(stream_id, None)
            self._lose(stream_id, worker, reason)
        self._close_later(worker, {CloseStream(stream_id) for stream_id in streams})

    # ---- answers

    def _note_opened(self, worker: int, commands: list[media.Command]) -> None:
        for command in commands:
            if command.__class__ is media.OpenStream:
                self._unanswered[command.stream_id] = self._loop.time(), worker
        if self._unanswered:
            self._look_soon()

    def _on_records(self, worker: int, channel: object, records: list[Any]) -> None:
        self._workers.heard(worker)
        if any(record.__class__ is StoodStill for record in records):
            records = self._without_standstills(worker, records)
        if self._unanswered:
            for record in records:
                self._unanswered.pop(record.stream_id, None)
        if any(record.__class__ is media.DtmfReceived for record in records):
            self._links[worker].acknowledge_soon()
        self._on_events(records)

    def _without_standstills(self, worker: int, records: list[Any]) -> list[Any]:
        for record in records:
            if record.__class__ is StoodStill:
                self._standstills.add(record, worker)
        return [record for record in records if record.__class__ is not StoodStill]

    def _on_linked(self, worker: int) -> None:
        """Take the link to a media worker; where its death is not known yet, the streams of the one before are lost."""
        incarnation = self._links[worker].channel.incarnation
        if self._incarnations[worker] not in (0, incarnation):
            self._lost(worker)
        self._incarnations[worker] = incarnation
        self._workers.linked(worker)
        self._send(worker, self._held[worker])
        self._on_welcome()

    def _forget(self, worker: int) -> None:
        """Drop the commands for a media worker that is gone; its streams are lost, which their owners are told."""
        held = self._held[worker]
        self._refused.value += len(held.commands) + len(self._outbox.media[worker])
        held.commands.clear()
        held.since = 0.0
        self._outbox.media[worker].clear()
        self._unanswered = {stream: (at, to) for stream, (at, to) in self._unanswered.items() if to != worker}

    def _look_soon(self) -> None:
        if self._timer is None:
            wait = RETRY if any(held.since for held in self._held) else LOOK
            self._timer = self._loop.call_later(wait, self._look)
            self._look_at = self._loop.time() + wait

    def _look(self) -> None:
        """Send again what is held; lose the streams whose `OpenStream` has no answer."""
        self._timer = None
        now = self._loop.time()
        lost = now - self._look_at
        if lost > STOOD_STILL:
            self._unanswered = {stream: (at + lost, worker) for stream, (at, worker) in self._unanswered.items()}
        for worker, held in enumerate(self._held):
            if lost > STOOD_STILL and held.since:
                held.since += lost
            if held.commands:
                self._send(worker, held)
        for worker, link in enumerate(self._links):
            if self._workers.is_late(worker) and link.welcome and not link.silent_for(now):
                self._workers.heard(worker)  # it has acknowledged all, and had nothing to report
        overdue = [(stream, worker) for stream, (at, worker) in self._unanswered.items() if now - at >= ANSWER]
        for stream_id, worker in overdue:
            self._workers.late(worker)
            del self._unanswered[stream_id]
        for stream_id, worker in overdue:
            self._lose(stream_id, worker, "media_worker_lost")
        if self._unanswered or any(held.commands for held in self._held) or self._workers.any_late:
            self._look_soon()

    def close(self) -> None:
        """Close the links."""
        if self._timer is not None:
            self._timer.cancel()
        for each in self._links:
            each.close()

    def _refuse(self, command: media.Command) -> None:
        """Emit the refusal of a command that cannot be sent because of its values, as the media worker would."""
        self._refused.value += 1
        stream_id, reason, detail = command.stream_id, Refusal.BAD_VALUE.value, _UNSENDABLE
        event: media.Event = media.CommandRefused(stream_id, type(command).__name__, reason, detail=detail)
        if isinstance(command, media.OpenStream):
            event = media.StreamRefused(stream_id, reason)
        elif isinstance(command, media.SendDigits):
            event = media.DigitsSent(stream_id, command.request_id, "FAIL", with_detail(reason, detail))
        self._on_events([event])

    def _close_later(self, worker: int, closes: set[CloseStream]) -> None:
        """Close the streams that their owners gave up, as soon as the media worker accepts it."""
        batch = list(closes)[:MEDIA_BATCH]
        if not self._links[worker].welcome:
            return  # a new media worker has none of them
        if self._links[worker].send(batch):
            closes.difference_update(batch)
        if closes:
            self._loop.call_later(CLOSE_INTERVAL, self._close_later, worker, closes)
