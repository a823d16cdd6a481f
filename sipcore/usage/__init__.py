"""Registrations, subscriptions and single requests (RFC 3261 sections 8.1, 10 and 11, RFC 6665)."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .registration import (
        Registered,
        Registration,
        RegistrationFailed,
        RegistrationLapsed,
        RegistrationSettings,
        Unregistered,
    )
    from .routed_exchange import RoutedExchange
    from .standalone_request import RequestSettings, StandaloneRequest
    from .subscription import Subscription, SubscriptionSettings

__all__ = [
    "Registered",
    "Registration",
    "RegistrationFailed",
    "RegistrationLapsed",
    "RegistrationSettings",
    "RequestSettings",
    "RoutedExchange",
    "StandaloneRequest",
    "Subscription",
    "SubscriptionSettings",
    "Unregistered",
]

_HOMES = {
    "Registered": "registration",
    "Registration": "registration",
    "RegistrationFailed": "registration",
    "RegistrationLapsed": "registration",
    "RegistrationSettings": "registration",
    "RequestSettings": "standalone_request",
    "RoutedExchange": "routed_exchange",
    "StandaloneRequest": "standalone_request",
    "Subscription": "subscription",
    "SubscriptionSettings": "subscription",
    "Unregistered": "registration",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
