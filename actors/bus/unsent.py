"""Records that cannot be sent: how large each is, and what is logged about it.

A record is unsendable because of the type of a field or of its size. It is left out of its batch, and the log names its
class once for each link. Pure but for the log.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from . import wire

_logger = logging.getLogger(__name__)
_LARGE: Final = 1 << 40
"""A number that takes as many octets in a frame's head as any that comes to stand there."""


class Unsendable:
    """The log of one link.

    Args:
        name: of the link.
        checks: whether types are looked at before a batch is sent.
    """

    __slots__ = ("_name", "_said", "checks")

    def __init__(self, name: str, checks: bool = False) -> None:
        self.checks = checks
        self._name = name
        self._said: set[type[Any]] = set()

    def divide(self, records: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        """Divide a batch that cannot be one frame.

        Returns:
            The frames that can be sent, and the records that cannot; those are logged.
        """
        frames: list[list[Any]] = []
        unsent: list[Any] = []
        room = 0
        for record in records:
            size = _size_alone(record)
            if size > wire.MAX_FRAME:
                unsent.append(record)
                self._say(record)
                continue
            if size > room:
                frames.append([])
                room = wire.MAX_FRAME
            room -= size  # a frame's head counts for each record: more than it takes
            frames[-1].append(record)
        return frames, unsent

    def _say(self, record: Any) -> None:
        """Log once for each class of records what cannot be sent."""
        kind = record.__class__
        if kind not in self._said:
            self._said.add(kind)
            _logger.error(
                "a %s could not be sent on the %s link and is left out, because of %s; further ones are only counted",
                kind.__name__,
                self._name,
                _why(record),
            )


def _octets(record: Any) -> int:
    return len(wire.encode(_LARGE, _LARGE, _LARGE, 0.0, (record,), _LARGE))


def _size_alone(record: Any) -> int:
    """Octets of a frame with this record only; beyond every bound when it cannot be sent."""
    if not wire.fits(record):
        return wire.MAX_FRAME + 1
    try:
        return _octets(record)
    except wire.UNSENDABLE:
        return wire.MAX_FRAME + 1


def _why(record: Any) -> str:
    if not wire.fits(record):
        return "the type of a field"
    try:
        size = _octets(record)
    except wire.UNSENDABLE as error:
        return f"{type(error).__name__}: {error}"
    return f"its {size:,} octets, of which {wire.MAX_FRAME:,} can be sent"
