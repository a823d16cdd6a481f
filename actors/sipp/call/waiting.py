"""How long a `recv` waits, and where the call goes on when nothing came.

A mandatory `recv` and the optional ones directly before it are a group. Its times run from when the call comes to the
group, because that is what the file says. SIPp looks at the command that the call is at only: the `timeout` of a
mandatory one runs from when the last optional one before it has come, and never without (`strict`).
"""

from typing import NamedTuple, final

from ..program import Optionality, Program, Receive, ReceiveCommand
from .settings import Settings


class Wait(NamedTuple):
    """The first time that runs out."""

    seconds: float
    """From when the call came to the group."""
    step: int
    """The command that it belongs to: its `ontimeout` counts."""


@final
class Waits:
    """The times of all `recv` and `recvCmd` commands of a program.

    Args:
        program: the scenario file.
        settings: `strict`, and the time of a command without one.
    """

    __slots__ = ("_groups", "_waits")

    def __init__(self, program: Program, settings: Settings) -> None:
        steps = program.steps
        self._groups: list[int] = list(range(len(steps)))
        """By step the number of its last `recv` in a row."""
        self._waits: list[Wait | None] = [None] * len(steps)
        for at in range(len(steps) - 1, -1, -1):
            step = steps[at]
            if not isinstance(step, Receive | ReceiveCommand):
                continue
            joined = (
                not settings.strict
                and step.optional is not Optionality.FALSE
                and at + 1 < len(steps)
                and isinstance(steps[at + 1], Receive | ReceiveCommand)
            )
            if joined:
                self._groups[at] = self._groups[at + 1]
                self._waits[at] = _earlier(_wait(step.timeout, at), self._waits[at + 1])
            else:
                self._waits[at] = _wait(step.timeout or settings.receive_timeout, at)

    def at(self, index: int) -> Wait | None:
        """What runs while the call is at a command; None = it waits without limit, or the command is no `recv`."""
        return self._waits[index] if index < len(self._waits) else None

    def goes_on(self, step: Receive, index: int) -> bool:
        """Whether the times go on when a message came: an optional one of the group in which the call waits.

        Args:
            step: the command that expected it.
            index: where the call was.
        """
        return (
            step.optional is not Optionality.FALSE
            and step.next is None
            and self._groups[step.index] == self._groups[index]
            and self._groups[step.index] != step.index
        )


def _wait(seconds: float, step: int) -> Wait | None:
    return Wait(seconds, step) if seconds > 0 else None


def _earlier(optional: Wait | None, later: Wait | None) -> Wait | None:
    """The earlier one; of two at the same time that of the later command."""
    if optional is None or later is None:
        return optional or later
    return optional if optional.seconds < later.seconds else later
