"""Session descriptions, and offer/answer over them (RFC 8866, RFC 3264)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .description import SessionDescription
    from .media_attributes import Codec, Crypto, Direction
    from .media_line import MediaLine
    from .negotiation import LocalMedia, NegotiatedLine
    from .offer_answer import OfferAnswer

__all__ = [
    "Codec",
    "Crypto",
    "Direction",
    "LocalMedia",
    "MediaLine",
    "NegotiatedLine",
    "OfferAnswer",
    "SessionDescription",
]

_HOMES = {
    "Codec": "media_attributes",
    "Crypto": "media_attributes",
    "Direction": "media_attributes",
    "LocalMedia": "negotiation",
    "MediaLine": "media_line",
    "NegotiatedLine": "negotiation",
    "OfferAnswer": "offer_answer",
    "SessionDescription": "description",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
