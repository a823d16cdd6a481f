"""Decides when a process that died is started again, and when no more. Pure: times in, decision out."""

from typing import Final

RESTARTS: Final = 5
"""Restarts of one process within `RESTART_WINDOW`."""
RESTART_WINDOW: Final = 30.0
"""Seconds."""
BACK_OFF: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each of them."""


class RestartPolicy:
    """The restarts of one slot of one role."""

    __slots__ = ("_restarts",)

    def __init__(self) -> None:
        self._restarts: list[float] = []

    def died(self, now: float) -> float | None:
        """Return the seconds until the process is started again; None = it has died too often.

        Args:
            now: monotonic seconds.
        """
        self._restarts = [at for at in self._restarts if now - at < RESTART_WINDOW]
        if len(self._restarts) >= RESTARTS:
            return None
        delay = BACK_OFF[min(len(self._restarts), len(BACK_OFF) - 1)]
        self._restarts.append(now)
        return delay
