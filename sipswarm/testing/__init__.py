"""For tests: what a call hears, and a load as one test."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hearing import Heard, heard, heard_silence, heard_tone
    from .loading import LoadResult, load

__all__ = ["Heard", "LoadResult", "heard", "heard_silence", "heard_tone", "load"]

_HOMES = {
    "Heard": "hearing",
    "LoadResult": "loading",
    "heard": "hearing",
    "heard_silence": "hearing",
    "heard_tone": "hearing",
    "load": "loading",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
