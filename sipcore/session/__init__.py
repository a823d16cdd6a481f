"""One call from its first INVITE to its last timer (RFC 3261 sections 12 to 15, and extensions)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dialog import Dialog
    from .events import By, Cause
    from .invite_session import InviteSession
    from .redirection import Place
    from .session_config import SessionConfig

__all__ = [
    "By",
    "Cause",
    "Dialog",
    "InviteSession",
    "Place",
    "SessionConfig",
]

_HOMES = {
    "By": "events",
    "Cause": "events",
    "Dialog": "dialog",
    "InviteSession": "invite_session",
    "Place": "redirection",
    "SessionConfig": "session_config",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
