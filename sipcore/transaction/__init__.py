"""Transactions, and requests and responses outside of calls (RFC 3261 sections 8 and 17)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client_exchange import Exchange
    from .client_transaction import ClientTransaction
    from .reply import Reply
    from .server_transaction import ServerTransaction
    from .stateless import Capabilities
    from .timers import TimerSettings
    from .transaction_counts import TransactionCounts

__all__ = [
    "Capabilities",
    "ClientTransaction",
    "Exchange",
    "Reply",
    "ServerTransaction",
    "TimerSettings",
    "TransactionCounts",
]

_HOMES = {
    "Capabilities": "stateless",
    "ClientTransaction": "client_transaction",
    "Exchange": "client_exchange",
    "Reply": "reply",
    "ServerTransaction": "server_transaction",
    "TimerSettings": "timers",
    "TransactionCounts": "transaction_counts",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
