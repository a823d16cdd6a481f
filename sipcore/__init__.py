"""Sans-IO SIP: messages, transactions, dialogs and sessions as bytes in, bytes out, time as an argument."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import LocalProtocolError, ParseError, RemoteProtocolError, SipError
    from .leniency import Leniency
    from .message.fields import CSeq, NameAddr, Via
    from .message.framing import StreamFramer
    from .message.messages import Request, Response
    from .message.parser import parse
    from .message.tokens import Tokens
    from .message.uri import Uri
    from .sdp.description import SessionDescription
    from .session.invite_session import InviteSession
    from .session.session_config import SessionConfig
    from .transaction.timers import TimerSettings

__all__ = [
    "CSeq",
    "InviteSession",
    "Leniency",
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
    "CSeq": "message.fields",
    "InviteSession": "session.invite_session",
    "Leniency": "leniency",
    "LocalProtocolError": "errors",
    "NameAddr": "message.fields",
    "ParseError": "errors",
    "RemoteProtocolError": "errors",
    "Request": "message.messages",
    "Response": "message.messages",
    "SessionConfig": "session.session_config",
    "SessionDescription": "sdp.description",
    "SipError": "errors",
    "StreamFramer": "message.framing",
    "TimerSettings": "transaction.timers",
    "Tokens": "message.tokens",
    "Uri": "message.uri",
    "Via": "message.fields",
    "parse": "message.parser",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
