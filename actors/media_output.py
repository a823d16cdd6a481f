"""The way out for media commands of a call worker: one link message per media worker and flush."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from media.messages import CloseStream

from .link import DealerLink
from .outbox import Outbox
from .totals import Totals

MEDIA_BATCH: Final = 1024
"""commands in one link message"""
CLOSE_INTERVAL: Final = 0.1
"""seconds until a stream that could not be closed is tried again"""


class MediaOutput:
    """One per call worker.

    links: one per media worker. lose: ends the owner of a command that was not taken, because of "media_overload".
    """

    def __init__(
        self,
        links: Sequence[DealerLink],
        outbox: Outbox,
        totals: Totals,
        loop: asyncio.AbstractEventLoop,
        lose: Callable[[int], None],
    ) -> None:
        self._links = links
        self._outbox = outbox
        self._refused = totals.cell("sipswarm_queue_dropped_total", "media_commands")
        self._loop = loop
        self._lose = lose

    @property
    def welcome(self) -> bool:
        """Every media worker is linked."""
        return all(each.welcome for each in self._links)

    def reconnect(self, worker: int) -> None:
        """A media worker died: its link starts anew."""
        self._links[worker].reconnect()

    def flush(self) -> None:
        """Hand the waiting commands to their media workers."""
        for worker, commands in enumerate(self._outbox.media):
            if not commands:
                continue
            waiting = commands[:]
            commands.clear()
            for start in range(0, len(waiting), MEDIA_BATCH):
                batch = waiting[start : start + MEDIA_BATCH]
                if not self._links[worker].send(batch):
                    self._refused.value += len(batch)
                    for command in batch:
                        self._lose(command.stream_id)
                    self._close_later(worker, {CloseStream(command.stream_id) for command in batch})

    def close(self) -> None:
        """Close the links."""
        for each in self._links:
            each.close()

    def _close_later(self, worker: int, closes: set[CloseStream]) -> None:
        """Streams whose commands the media worker did not take must not stay open there: close them when it does."""
        batch = list(closes)[:MEDIA_BATCH]
        if not self._links[worker].welcome:
            return  # a new media worker knows none of them
        if self._links[worker].send(batch):
            closes.difference_update(batch)
        if closes:
            self._loop.call_later(CLOSE_INTERVAL, self._close_later, worker, closes)
