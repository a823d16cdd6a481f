"""sipswarm: thousands of SIP calls, with their audio and digits, as actors in a few Python processes."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.call import Call
    from actors.callbacks import StopVariable
    from actors.config import Listener
    from actors.errors import (
        CallEnded,
        CallError,
        CallRejected,
        CallTimeout,
        ConfigurationError,
        HostUnreachable,
        MediaError,
        Overloaded,
        SwarmError,
    )
    from actors.media_handlers import echo, play, record, send_recv, silence, tone
    from actors.user_agent import UserAgent

    from .version import VERSION as __version__  # noqa: N811 - the name that tools look for

_HOMES = {
    "Call": "actors.call",
    "CallEnded": "actors.errors",
    "CallError": "actors.errors",
    "CallRejected": "actors.errors",
    "CallTimeout": "actors.errors",
    "ConfigurationError": "actors.errors",
    "HostUnreachable": "actors.errors",
    "Listener": "actors.config",
    "MediaError": "actors.errors",
    "Overloaded": "actors.errors",
    "SwarmError": "actors.errors",
    "StopVariable": "actors.callbacks",
    "tone": "actors.media_handlers",
    "silence": "actors.media_handlers",
    "send_recv": "actors.media_handlers",
    "record": "actors.media_handlers",
    "play": "actors.media_handlers",
    "echo": "actors.media_handlers",
    "UserAgent": "actors.user_agent",
}

__all__ = [
    "Call",
    "CallEnded",
    "CallError",
    "CallRejected",
    "CallTimeout",
    "ConfigurationError",
    "HostUnreachable",
    "Listener",
    "MediaError",
    "Overloaded",
    "StopVariable",
    "SwarmError",
    "UserAgent",
    "__version__",
    "echo",
    "play",
    "record",
    "send_recv",
    "silence",
    "tone",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that `import sipswarm` opens and loads nothing."""
    if name == "__version__":
        return import_module(".version", __name__).VERSION
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipswarm' has no attribute {name!r}")
    return getattr(import_module(home), name)
