"""Decides which slot is replaced next on purpose: one that has grown too large, or each in turn. Pure: times in.

At most one slot is replaced at a time, in the order in which they were asked for, those with too much memory first. A
slot above the limit of memory is asked for once, and not again within `PAUSE` of its last replacement: a process that
is above the limit when it has just started must not be started again and again. One that has grown by `AT_ONCE` while
it drains is not waited for any longer; what it grew while it waited for its turn does not count.
"""

from collections import deque
from typing import Final, NamedTuple

PAUSE: Final = 60.0
"""Seconds from the replacement of a slot until its memory may ask for another one."""
WITHIN: Final = {"media": 10.0, "call": 60.0, "dispatcher": 0.0}
"""Seconds that a slot may drain before it is replaced with what it has left, by role: the calls of a media worker move
to another one and lose less than a second of media, those of a call worker may be lost."""
AT_ONCE: Final = 1.5
"""Share above which a drain is cut short: of what the process had at its begin, or of the limit if that is more."""

Slot = tuple[str, int]
"""Role and number."""


class Turn(NamedTuple):
    """The slot that is replaced now."""

    slot: Slot
    reason: str
    """memory or rolling."""
    by: float
    """Monotonic time until which it may drain."""
    most: float
    """Octets of resident memory beyond which it is not waited for."""


class RecyclePolicy:
    """The replacements of one node. All times are monotonic seconds.

    Args:
        limit: octets of resident memory of one process; 0 = none.
    """

    __slots__ = ("_limit", "_octets", "_replaced", "_turn", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._turn: Turn | None = None
        self._waiting: deque[tuple[Slot, str]] = deque()
        self._replaced: dict[Slot, float] = {}
        """When each slot was replaced last because of its memory."""
        self._octets: dict[Slot, int] = {}
        """Newest resident memory of each slot."""

    @property
    def turn(self) -> Turn | None:
        """The slot that is replaced now; None = none is."""
        return self._turn

    def weighed(self, slot: Slot, octets: int, now: float) -> bool:
        """Note the resident memory of a process; return whether it has asked for a replacement with that."""
        self._octets[slot] = octets
        if not self._limit or octets <= self._limit:
            return False
        if self._turn is not None and self._turn.slot == slot:
            if octets > self._turn.most:
                self._turn = self._turn._replace(by=min(self._turn.by, now))
            return False
        if any(slot == waiting for waiting, _ in self._waiting):
            return False
        if slot in self._replaced and now - self._replaced[slot] < PAUSE:
            return False
        self._waiting.insert(sum(reason == "memory" for _, reason in self._waiting), (slot, "memory"))
        return True

    def roll(self, slots: list[Slot]) -> None:
        """Ask for all of these, in this order; those that are asked for already come with them."""
        waiting = {slot for slot, _ in self._waiting}
        self._waiting += [(slot, "rolling") for slot in slots if slot not in waiting]

    def begin(self, now: float, *, hurry: bool = False) -> Turn | None:
        """Begin the next replacement; None when one is under way, or none is asked for.

        Args:
            now: the time.
            hurry: only a call worker because of its memory, which grows while it waits.
        """
        if self._turn is not None or not self._waiting:
            return None
        slot, reason = self._waiting[0]
        if hurry and (reason, slot[0]) != ("memory", "call"):
            return None
        self._waiting.popleft()
        most = AT_ONCE * max(self._limit, self._octets.get(slot, 0))
        self._turn = Turn(slot, reason, now + WITHIN[slot[0]], most)
        return self._turn

    def is_over(self, now: float) -> bool:
        """Whether the time to drain of the present turn is over."""
        return self._turn is not None and now >= self._turn.by

    def ended(self, slot: Slot, now: float) -> None:
        """Note that the process of a slot has ended, for whatever reason: the next one is a new one."""
        if self._turn is not None and self._turn.slot == slot:
            if self._turn.reason == "memory":
                self._replaced[slot] = now
            self._turn = None
        self._octets.pop(slot, None)
        self._waiting = deque(each for each in self._waiting if each != (slot, "memory"))

    def forget(self) -> None:
        """Ask for nothing any more: the node ends."""
        self._waiting.clear()
        self._turn = None
