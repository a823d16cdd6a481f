"""sipswarm: thousands of SIP calls, with their audio and digits, as actors in a few Python processes."""

from importlib import import_module
from typing import TYPE_CHECKING

from . import version

if TYPE_CHECKING:
    from actors.call import Call
    from actors.config import Listener
    from actors.errors import (
        CallEnded,
        CallError,
        CallRejected,
        CallTimeout,
        ConfigurationError,
        Overloaded,
        SwarmError,
    )
    from actors.user_agent import UserAgent

_HOMES = {
    "Call": "actors.call",
    "CallEnded": "actors.errors",
    "CallError": "actors.errors",
    "CallRejected": "actors.errors",
    "CallTimeout": "actors.errors",
    "ConfigurationError": "actors.errors",
    "Listener": "actors.config",
    "Overloaded": "actors.errors",
    "SwarmError": "actors.errors",
    "UserAgent": "actors.user_agent",
}

__version__ = version.VERSION

__all__ = [
    "Call",
    "CallEnded",
    "CallError",
    "CallRejected",
    "CallTimeout",
    "ConfigurationError",
    "Listener",
    "Overloaded",
    "SwarmError",
    "UserAgent",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that `import sipswarm` opens and loads nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipswarm' has no attribute {name!r}")
    return getattr(import_module(home), name)
