"""sipswarm: thousands of SIP calls, with their audio and digits, as actors in a few Python processes.

The names of user code are here. It makes and calls `UserAgent`, `Call` and media handlers; its functions get
`RobotAgent`, `Row`, `Request` and `Response`. The errors that it catches are here too, and the types of its arguments:
`Auth`, `Callback`, `Lookup`, `Robot`. A name is imported at its first use: `import sipswarm` must open and load
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipswarm.actors.agent.own_metrics import OwnCounter, OwnGauge, OwnHistogram
    from sipswarm.actors.agent.served_subscription import ServedSubscription
    from sipswarm.actors.agent.subscription import Subscription
    from sipswarm.actors.agent.timer import Timer
    from sipswarm.actors.agent.user_agent import UserAgent
    from sipswarm.actors.call.state import State
    from sipswarm.actors.config import Listener, TlsConfig
    from sipswarm.actors.errors import (
        CallEnded,
        CallError,
        CallRejected,
        CallTimeout,
        ConfigurationError,
        HostUnreachable,
        MediaError,
        Overloaded,
        RequestEnded,
        SwarmError,
        WrongState,
    )
    from sipswarm.actors.handle.call import Call
    from sipswarm.actors.handle.media_handlers import MediaHandler, echo, play, record, send_recv, silence, tone
    from sipswarm.actors.handle.media_lease import MediaLease
    from sipswarm.actors.handle.parameters import CallParameters
    from sipswarm.actors.handle.robot_runs import Robot
    from sipswarm.actors.identity import Auth
    from sipswarm.actors.robots.agent import RobotAgent
    from sipswarm.actors.runtime.callbacks import Callback, StopVariable, invoke_callback
    from sipswarm.actors.scripts.data import Row
    from sipswarm.actors.trace.ladder import Ladder
    from sipswarm.actors.transport.names.dns_records import Lookup
    from sipswarm.media.messages import StreamStatistics
    from sipswarm.sipcore.errors import LocalProtocolError
    from sipswarm.sipcore.message.messages import Request, Response
    from sipswarm.sipcore.message.uri import Uri
    from sipswarm.sipcore.usage.subscription import Notified

    from .script.event_loop import run
    from .script.metrics import serve_metrics
    from .version import VERSION as __version__  # noqa: N811 - the name that tools look for

_HOMES = {
    "Auth": "sipswarm.actors.identity",
    "Call": "sipswarm.actors.handle.call",
    "CallEnded": "sipswarm.actors.errors",
    "CallError": "sipswarm.actors.errors",
    "CallParameters": "sipswarm.actors.handle.parameters",
    "CallRejected": "sipswarm.actors.errors",
    "CallTimeout": "sipswarm.actors.errors",
    "Callback": "sipswarm.actors.runtime.callbacks",
    "ConfigurationError": "sipswarm.actors.errors",
    "HostUnreachable": "sipswarm.actors.errors",
    "Ladder": "sipswarm.actors.trace.ladder",
    "Listener": "sipswarm.actors.config",
    "LocalProtocolError": "sipswarm.sipcore.errors",
    "Lookup": "sipswarm.actors.transport.names.dns_records",
    "MediaError": "sipswarm.actors.errors",
    "MediaHandler": "sipswarm.actors.handle.media_handlers",
    "MediaLease": "sipswarm.actors.handle.media_lease",
    "Notified": "sipswarm.sipcore.usage.subscription",
    "Overloaded": "sipswarm.actors.errors",
    "OwnCounter": "sipswarm.actors.agent.own_metrics",
    "OwnGauge": "sipswarm.actors.agent.own_metrics",
    "OwnHistogram": "sipswarm.actors.agent.own_metrics",
    "Request": "sipswarm.sipcore.message.messages",
    "RequestEnded": "sipswarm.actors.errors",
    "Response": "sipswarm.sipcore.message.messages",
    "Robot": "sipswarm.actors.handle.robot_runs",
    "RobotAgent": "sipswarm.actors.robots.agent",
    "Row": "sipswarm.actors.scripts.data",
    "ServedSubscription": "sipswarm.actors.agent.served_subscription",
    "State": "sipswarm.actors.call.state",
    "StopVariable": "sipswarm.actors.runtime.callbacks",
    "StreamStatistics": "sipswarm.media.messages",
    "Subscription": "sipswarm.actors.agent.subscription",
    "SwarmError": "sipswarm.actors.errors",
    "Timer": "sipswarm.actors.agent.timer",
    "TlsConfig": "sipswarm.actors.config",
    "Uri": "sipswarm.sipcore.message.uri",
    "UserAgent": "sipswarm.actors.agent.user_agent",
    "WrongState": "sipswarm.actors.errors",
    "echo": "sipswarm.actors.handle.media_handlers",
    "invoke_callback": "sipswarm.actors.runtime.callbacks",
    "play": "sipswarm.actors.handle.media_handlers",
    "record": "sipswarm.actors.handle.media_handlers",
    "run": "sipswarm.script.event_loop",
    "send_recv": "sipswarm.actors.handle.media_handlers",
    "serve_metrics": "sipswarm.script.metrics",
    "silence": "sipswarm.actors.handle.media_handlers",
    "tone": "sipswarm.actors.handle.media_handlers",
}

__all__ = [
    "Auth",
    "Call",
    "CallEnded",
    "CallError",
    "CallParameters",
    "CallRejected",
    "CallTimeout",
    "Callback",
    "ConfigurationError",
    "HostUnreachable",
    "Ladder",
    "Listener",
    "LocalProtocolError",
    "Lookup",
    "MediaError",
    "MediaHandler",
    "MediaLease",
    "Notified",
    "Overloaded",
    "OwnCounter",
    "OwnGauge",
    "OwnHistogram",
    "Request",
    "RequestEnded",
    "Response",
    "Robot",
    "RobotAgent",
    "Row",
    "ServedSubscription",
    "State",
    "StopVariable",
    "StreamStatistics",
    "Subscription",
    "SwarmError",
    "Timer",
    "TlsConfig",
    "Uri",
    "UserAgent",
    "WrongState",
    "__version__",
    "echo",
    "invoke_callback",
    "play",
    "record",
    "run",
    "send_recv",
    "serve_metrics",
    "silence",
    "tone",
]


def __getattr__(name: str) -> object:
    """Import a public name at its first use, so that `import sipswarm` opens and loads nothing."""
    if name == "__version__":
        return import_module(".version", __name__).VERSION
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipswarm' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """The public names, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
