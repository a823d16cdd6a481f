"""The command line: `sipswarm`, also `python -m sipswarm.actors.cli`. click and rich are imported nowhere else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entry import main as main

__all__ = ["main"]


def __getattr__(name: str) -> Any:
    if name == "main":
        from .entry import main

        return main
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
