"""sipswarm: thousands of SIP calls, with their audio and digits, as actors in a few Python processes."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipswarm.actors.agent.user_agent import UserAgent
    from sipswarm.actors.config import Listener
    from sipswarm.actors.errors import (
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
    from sipswarm.actors.handle.call import Call
    from sipswarm.actors.handle.media_handlers import echo, play, record, send_recv, silence, tone
    from sipswarm.actors.runtime.callbacks import StopVariable

    from .version import VERSION as __version__  # noqa: N811 - the name that tools look for

_HOMES = {
    "Call": "sipswarm.actors.handle.call",
    "CallEnded": "sipswarm.actors.errors",
    "CallError": "sipswarm.actors.errors",
    "CallRejected": "sipswarm.actors.errors",
    "CallTimeout": "sipswarm.actors.errors",
    "ConfigurationError": "sipswarm.actors.errors",
    "HostUnreachable": "sipswarm.actors.errors",
    "Listener": "sipswarm.actors.config",
    "MediaError": "sipswarm.actors.errors",
    "Overloaded": "sipswarm.actors.errors",
    "SwarmError": "sipswarm.actors.errors",
    "StopVariable": "sipswarm.actors.runtime.callbacks",
    "tone": "sipswarm.actors.handle.media_handlers",
    "silence": "sipswarm.actors.handle.media_handlers",
    "send_recv": "sipswarm.actors.handle.media_handlers",
    "record": "sipswarm.actors.handle.media_handlers",
    "play": "sipswarm.actors.handle.media_handlers",
    "echo": "sipswarm.actors.handle.media_handlers",
    "UserAgent": "sipswarm.actors.agent.user_agent",
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
