"""Sans-IO SIP: messages, transactions, dialogs and sessions as bytes in, bytes out, time as an argument."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import LocalProtocolError, ParseError, RemoteProtocolError, SipError
    from .fields import CSeq, NameAddr, Via
    from .framing import StreamFramer
    from .message import Request, Response
    from .parser import parse
    from .sdp import SessionDescription
    from .session import InviteSession
    from .session_config import SessionConfig
    from .timers import TimerSettings
    from .tokens import Tokens
    from .uri import Uri

__all__ = [
    "CSeq",
    "InviteSession",
    "LocalProtocolError",
    "NameAddr",
    "ParseError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "SessionConfig",
    "SessionDescription",
    "SipError",
    "StreamFramer",
    "TimerSettings",
    "Tokens",
    "Uri",
    "Via",
    "parse",
]

_HOMES = {
    "CSeq": "fields",
    "InviteSession": "session",
    "LocalProtocolError": "errors",
    "NameAddr": "fields",
    "ParseError": "errors",
    "RemoteProtocolError": "errors",
    "Request": "message",
    "Response": "message",
    "SessionConfig": "session_config",
    "SessionDescription": "sdp",
    "SipError": "errors",
    "StreamFramer": "framing",
    "TimerSettings": "timers",
    "Tokens": "tokens",
    "Uri": "uri",
    "Via": "fields",
    "parse": "parser",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
