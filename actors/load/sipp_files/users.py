"""The users of a load with rows of USER: each has one row, and one live call at a time.

A user belongs to one call worker of one shard, so that its variables (`User`) are those of all its calls. Pure.
"""

from collections import deque
from typing import final

from ...errors import ConfigurationError
from ...sipp.variables import Layout, Scope, Value


@final
class Users:
    """The users of one call worker; the one that is free for longest is taken first.

    Args:
        count: users of the whole load, at least 1.
        first, step: of those of this worker, as of its arrivals (`Share`).
        layout: has the variables of a user.

    Raises:
        ConfigurationError: none is left for this worker.
    """

    __slots__ = ("_free", "_layout", "_values")

    def __init__(self, count: int, first: int, step: int, layout: Layout) -> None:
        self._free = deque(range(first, count, step))
        self._layout = layout
        self._values: dict[int, list[Value]] = {}
        if not self._free:
            raise ConfigurationError(
                f"-inf has {count} rows of USER for {step} call workers of all shards, and each needs one; "
                "write --call-workers 1, or more rows"
            )

    def take(self) -> int | None:
        """Return a user without a call, from 0; None = each has one."""
        return self._free.popleft() if self._free else None

    def give_back(self, user: int) -> None:
        """Note that the call of a user is over."""
        self._free.append(user)

    def values(self, user: int) -> list[Value]:
        """Return the values of the variables of a user, which its calls share."""
        found = self._values.get(user)
        if found is None:
            found = self._values[user] = self._layout.fresh(Scope.USER)
        return found
