"""Which media workers there are, for everything of a call worker that opens a stream.

A media worker is there while it is linked and answers. One that leaves a command unanswered for too long is late,
until anything is received from it: it may have been stopped or be overloaded. Who opens a stream asks `choose` at that
moment, because a number that was right before the loss of a worker is wrong after it. While none is there streams wait,
longer for one that is replaced on purpose: that one comes, however slow the machine. Pure: the way out for media
commands notes the facts.
"""

from typing import Final

WAIT: Final = 3.0
"""Seconds that streams wait while no media worker is there: the replacement after a death needs a part of one."""
PLANNED_WAIT: Final = 28.0
"""The same while one is replaced on purpose. A start that hangs is ended after 20 s (`supervisor.START_TIMEOUT`) and
followed by another one; the caller of a new call gives up after 32 s (64*T1, RFC 3261 section 17.1.1.2)."""


class MediaWorkers:
    """The media workers of one node, as one call worker sees them.

    Args:
        count: of the media workers; they count as there until the first fact is noted.
    """

    __slots__ = ("_late", "_linked", "_replaced", "_retiring", "_turn")

    def __init__(self, count: int) -> None:
        self._linked = [True] * max(1, count)
        self._late = [False] * max(1, count)
        self._retiring = [False] * max(1, count)
        self._replaced = [False] * max(1, count)
        """It retired, and its replacement is not linked yet."""
        self._turn = 0

    def __len__(self) -> int:
        return len(self._linked)

    def linked(self, worker: int) -> None:
        """Note that a media worker is linked, perhaps a new process of it."""
        self._linked[worker], self._late[worker], self._replaced[worker] = True, False, False

    def retire(self, worker: int) -> None:
        """Note that a media worker is about to be replaced: it gets new streams only where there is no other one."""
        self._retiring[worker] = True

    def unlinked(self, worker: int) -> None:
        """Note that a media worker is gone, or not linked yet."""
        self._replaced[worker] |= self._retiring[worker]
        self._linked[worker] = self._retiring[worker] = False

    def given_up(self, worker: int) -> None:
        """Note that a media worker never comes again."""
        self._replaced[worker] = False

    def late(self, worker: int) -> None:
        """Note that a media worker leaves a command unanswered."""
        self._late[worker] = True

    def heard(self, worker: int) -> None:
        """Note that something was received from a media worker."""
        self._late[worker] = False

    def is_late(self, worker: int) -> bool:
        """Whether a media worker has left a command unanswered, and nothing was received from it since."""
        return self._late[worker]

    @property
    def any_late(self) -> bool:
        """Whether one of them is late."""
        return any(self._late)

    def is_there(self, worker: int) -> bool:
        """Whether a media worker is linked and answers."""
        return self._linked[worker] and not self._late[worker]

    @property
    def wait(self) -> float:
        """How long streams wait for a media worker, in seconds."""
        return PLANNED_WAIT if any(self._replaced) else WAIT

    @property
    def any_there(self) -> bool:
        """Whether a stream can be opened anywhere."""
        return any(map(self.is_there, range(len(self._linked))))

    def choose(self, preferred: int) -> int:
        """Return the preferred media worker if it is there, else the next one that is; without any, the preferred.

        One that retires counts as there only while there is no other one.
        """
        if self.is_there(preferred) and not self._retiring[preferred]:
            return preferred
        there = [worker for worker in range(len(self._linked)) if self.is_there(worker)]
        there = [worker for worker in there if not self._retiring[worker]] or there
        if not there or preferred in there:
            return preferred
        self._turn += 1
        return there[self._turn % len(there)]
