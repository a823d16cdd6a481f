"""Finds out that a link has lost records or its connection, whatever else reports it.

A connection that is closed takes with it what ZeroMQ held for it, and the one in its place may lead to another process.
After some errors of a send ZeroMQ writes nothing more to a connection and leaves it open. No call tells either. So each
end asks the other one what it has handled (`Probe`) where an acknowledgement is overdue, and the connecting end also
where nothing came for a while. The answer shows what was lost. One without an answer asks again, and the connecting end
then makes a new connection. With each look a link may do what else it looks at.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from .channel import Channel

LOOK: Final = 0.5
"""Seconds between two looks; an acknowledgement takes 0.1 s at most, in a process that runs."""
PATIENCE: Final = 2.0
"""Seconds without an answer until there is a new connection; twice as many after each one."""
MOST_PATIENCE: Final = 16.0
STOOD_STILL: Final = 0.3
"""Seconds by which a look is so late that this process itself stood still: that time counts for no one."""


class Watch:
    """The watch over one link.

    Args:
        channels: returns the other ends that are linked.
        ask: sends one of them a `Probe`.
        renew: makes a new connection in the place of the one that there is; None = the other ends do.
        also: called with each look.
        now: monotonic seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        channels: Callable[[], Iterable[Channel]],
        ask: Callable[[Channel], None],
        renew: Callable[[], None] | None = None,
        also: Callable[[], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._channels = channels
        self._ask = ask
        self._renew = renew
        self._also = also
        self._now = now
        self._patience = PATIENCE
        self._renewed_at = 0.0
        self._look_later()

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look_later(self) -> None:
        self._due = self._now() + LOOK
        self._timer = self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        now = self._now()
        late = now - self._due
        self._look_later()
        if self._also is not None:
            self._also()
        for channel in list(self._channels()):
            heard = channel.was_heard()
            if late <= STOOD_STILL:
                self._judge(channel, now, heard)
            else:
                channel.excuse(late)

    def _judge(self, channel: Channel, now: float, heard: bool) -> None:
        if channel.asked_at:
            if self._renew is not None and now - max(channel.asked_at, self._renewed_at) >= self._patience:
                self._renewed_at = now
                self._patience = min(2 * self._patience, MOST_PATIENCE)
                self._renew()
        else:
            self._patience = PATIENCE
            if channel.silent_for(now) < LOOK and (heard or self._renew is None):
                return
            channel.ask(now)
        self._ask(channel)
