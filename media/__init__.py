"""RTP, RTCP, DTMF and audio: streams of one process, paced by one tick."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import MediaEngine, MediaSettings
    from .totals import MediaTotals

__all__ = ["MediaEngine", "MediaSettings", "MediaTotals"]

_HOME = {"MediaEngine": "engine", "MediaSettings": "engine", "MediaTotals": "totals"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
