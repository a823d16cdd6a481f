"""Digest authentication, both sides (RFC 7616, RFC 8760, RFC 3310)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .aka import AkaKeys, AkaServer
    from .digest import Challenge, Credentials, DigestClient
    from .digest_server import DigestServer, Outcome, Verdict

__all__ = [
    "AkaKeys",
    "AkaServer",
    "Challenge",
    "Credentials",
    "DigestClient",
    "DigestServer",
    "Outcome",
    "Verdict",
]

_HOMES = {
    "AkaKeys": "aka",
    "AkaServer": "aka",
    "Challenge": "digest",
    "Credentials": "digest",
    "DigestClient": "digest",
    "DigestServer": "digest_server",
    "Outcome": "digest_server",
    "Verdict": "digest_server",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
