"""The way out for media commands of a call worker: one link message per media worker and flush.

A flush sends the waiting commands of each media worker in batches. A batch that is not accepted ends the owner of each
of its streams, and the streams are closed later, so that none stays open. A command that cannot be sent at all is
answered here with the event that the media worker would have sent. No command may be lost without a count.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from sipswarm.media import messages as media
from sipswarm.media.messages import CloseStream
from sipswarm.media.refusal import Refusal

from ..bus.link import DealerLink, Surroundings
from ..diagnosis.failure_reasons import with_detail
from ..runtime.outbox import Outbox

WINDOW: Final = 4096
"""Commands that a media worker may leave unacknowledged."""
MEDIA_BATCH: Final = 1024
"""Commands in one link message."""
_UNSENDABLE: Final = "the command cannot be sent to the media worker"
CLOSE_INTERVAL: Final = 0.1
"""Seconds until the next attempt to close a stream."""


class MediaOutput:
    """The way out of one call worker.

    Args:
        endpoints: of the media workers.
        slot: of the call worker.
        outbox: holds the waiting commands.
        on_events: called with events of the streams.
        on_welcome: called when another media worker is linked.
        on_drained: called when all received events are read.
        lose: called with the stream of each command that was not accepted, and "media_overload"; "media_worker_lost"
            while there is no media worker.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        endpoints: Sequence[str],
        slot: int,
        outbox: Outbox[Any],
        *,
        on_events: Callable[[list[Any]], None],
        on_welcome: Callable[[], None],
        on_drained: Callable[[], None],
        lose: Callable[[int, str], None],
    ) -> None:
        self._links = [
            DealerLink(
                surroundings,
                endpoint,
                role="call",
                slot=slot,
                name="media",
                window=WINDOW,
                on_records=lambda channel, records: on_events(records),
                on_welcome=on_welcome,
                on_drained=on_drained,
                on_unsent=self._refuse,
                checks=True,
            )
            for endpoint in endpoints
        ]
        self._given_up: set[int] = set()
        self._outbox = outbox
        self._refused = surroundings.totals.cell("sipswarm_queue_dropped_total", "media_commands")
        self._loop: asyncio.AbstractEventLoop = surroundings.loop
        self._lose = lose
        self._on_events = on_events

    @property
    def welcome(self) -> bool:
        """Whether every media worker is linked, but for those that never come again."""
        return all(each.welcome or worker in self._given_up for worker, each in enumerate(self._links))

    def give_up(self, worker: int) -> None:
        """Wait no more for a media worker that died too often."""
        self._given_up.add(worker)

    def reconnect(self, worker: int) -> None:
        """Link a media worker again that has died."""
        self._links[worker].reconnect()

    def flush(self) -> None:
        """Send the waiting commands to their media workers."""
        for worker, commands in enumerate(self._outbox.media):
            if not commands:
                continue
            waiting = len(commands)  # an owner's commands after a loss go with the next flush
            for start in range(0, waiting, MEDIA_BATCH):
                batch = commands[: min(MEDIA_BATCH, waiting - start)]
                taken = self._links[worker].send(batch)
                del commands[: len(batch)]
                if not taken:
                    self._refused.value += len(batch)
                    reason = "media_overload" if self._links[worker].welcome else "media_worker_lost"
                    for command in batch:
                        self._lose(command.stream_id, reason)
                    self._close_later(worker, {CloseStream(command.stream_id) for command in batch})

    def close(self) -> None:
        """Close the links."""
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
        """Close the streams of commands that the media worker did not accept, as soon as it accepts one."""
        batch = list(closes)[:MEDIA_BATCH]
        if not self._links[worker].welcome:
            return  # a new media worker has none of them
        if self._links[worker].send(batch):
            closes.difference_update(batch)
        if closes:
            self._loop.call_later(CLOSE_INTERVAL, self._close_later, worker, closes)
