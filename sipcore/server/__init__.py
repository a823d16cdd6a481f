"""Servers: registrar, redirect server, stateless proxy, and what stands before them (RFC 3261 sections 8.3, 10, 16)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .filters import Authorize, Blocker, Chain, Decision, Dropper
    from .location import Binding, LocationStore, address_key
    from .nat import Reached, answer_by_source
    from .proxy import Forward, ProxySettings, StatelessProxy
    from .redirect import Redirect
    from .registrar import Registrar, RegistrarSettings

__all__ = [
    "Authorize",
    "Binding",
    "Blocker",
    "Chain",
    "Decision",
    "Dropper",
    "Forward",
    "LocationStore",
    "ProxySettings",
    "Reached",
    "Redirect",
    "Registrar",
    "RegistrarSettings",
    "StatelessProxy",
    "address_key",
    "answer_by_source",
]

_HOMES = {
    "Authorize": "filters",
    "Binding": "location",
    "Blocker": "filters",
    "Chain": "filters",
    "Decision": "filters",
    "Dropper": "filters",
    "Forward": "proxy",
    "LocationStore": "location",
    "ProxySettings": "proxy",
    "Reached": "nat",
    "Redirect": "redirect",
    "Registrar": "registrar",
    "RegistrarSettings": "registrar",
    "StatelessProxy": "proxy",
    "address_key": "location",
    "answer_by_source": "nat",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
