"""The black boxes of a node as its supervisor has them: at which message each process died, and what becomes poison.

The memory is made once and given to each dispatcher and call worker in turn; it is gone with the supervisor. When a
process has died, its box names the message and the caller. Those at which processes died again and again are published.
"""

import logging
import os
import signal
from typing import Final

from ..diagnosis.black_box import BlackBoxes, box_of, octets_for
from ..host.out_of_memory import oom_kills
from ..host.shared_memory import new_memory
from .child_process import ChildProcess
from .poison import CALLER_DEATHS, DEATHS, LASTS, Poison

FROM_OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Ends of a process that another one has brought about, or the kernel for want of memory."""
_REFUSED: Final = f"it is refused for {LASTS:g} s"
_logger = logging.getLogger(__name__)


class DeathRecords:
    """The black boxes of one node. Without memory for them no death has a cause, and all else is as with it.

    Args:
        call_workers: their number.
    """

    def __init__(self, call_workers: int) -> None:
        self._number = 1 + call_workers
        self._boxes: BlackBoxes | None = None
        self._messages = Poison(DEATHS)
        self._callers = Poison(CALLER_DEATHS)
        self._oom_kills = oom_kills()
        self.descriptor = -1
        """Of the memory; -1 = there is none."""
        try:
            self.descriptor = new_memory("black-boxes", octets_for(self._number))
            self._boxes = BlackBoxes(self.descriptor, self._number)
        except OSError as error:
            _logger.error("no message at which a process dies will be known: %s", error)
            self.close()

    def reason(self, child: ChildProcess, status: int) -> str:
        """Return why a process has ended unasked: hang, oom (the kernel wanted its memory) or crash.

        Args:
            status: of the process; negative = the number of a signal.
        """
        if child.abort_sent:
            return "hang"
        if status == -signal.SIGKILL:
            before, self._oom_kills = self._oom_kills, oom_kills()
            if self._oom_kills > before:
                return "oom"
        return "crash"

    def ended(self, child: ChildProcess, status: int, now: float) -> None:
        """Read at which message a process died, and publish what is poison now.

        Args:
            status: of the process; negative = the number of a signal.
            now: monotonic seconds.
        """
        if self._boxes is None or child.role == "media":
            return
        self._clear(self._boxes)
        message, caller = self._boxes.take(box_of(child.role, child.slot))
        if message:
            if self._messages.died(message, now):
                _logger.error("%s died at message %016x again; %s", child.name, message, _REFUSED)
            else:
                _logger.warning("%s died at message %016x", child.name, message)
        by_itself = child.abort_sent or status not in FROM_OUTSIDE
        if caller and by_itself and self._callers.died(caller, now):
            _logger.error("%s died again in a call of caller %016x; %s", child.name, caller, _REFUSED)
        self._publish(self._boxes)

    def look(self, now: float) -> None:
        """Take back what is poison no more, and clear callers whose calls end well.

        Args:
            now: monotonic seconds.
        """
        if self._boxes is not None:
            forgotten = [each.forget(now) for each in (self._messages, self._callers)]
            if self._clear(self._boxes) or any(forgotten):
                self._publish(self._boxes)

    def _clear(self, boxes: BlackBoxes) -> bool:
        """Clear callers; return whether any was under suspicion."""
        cleared = [self._callers.clear(caller) for box in range(self._number) for caller in boxes.cleared(box)]
        return any(cleared)

    def _publish(self, boxes: BlackBoxes) -> None:
        boxes.publish(self._messages.digests, self._callers.digests, self._callers.suspects)

    def close(self) -> None:
        """Let go of the memory."""
        if self._boxes is not None:
            self._boxes.close()
            self._boxes = None
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
