"""SIP messages: octets to typed values and back (RFC 3261 sections 7, 19, 20 and 25)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fields import CSeq, NameAddr, Via
    from .framing import StreamFramer
    from .headers import Headers
    from .hop import Hop, Transmit
    from .messages import Message, Request, Response
    from .parser import parse
    from .tokens import Tokens
    from .uri import Uri

__all__ = [
    "CSeq",
    "Headers",
    "Hop",
    "Message",
    "NameAddr",
    "Request",
    "Response",
    "StreamFramer",
    "Tokens",
    "Transmit",
    "Uri",
    "Via",
    "parse",
]

_HOMES = {
    "CSeq": "fields",
    "Headers": "headers",
    "Hop": "hop",
    "Message": "messages",
    "NameAddr": "fields",
    "Request": "messages",
    "Response": "messages",
    "StreamFramer": "framing",
    "Tokens": "tokens",
    "Transmit": "hop",
    "Uri": "uri",
    "Via": "fields",
    "parse": "parser",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
