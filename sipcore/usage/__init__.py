"""Registrations and subscriptions (RFC 3261 section 10, RFC 6665)."""

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
        Way,
    )
    from .subscription import Subscription, SubscriptionSettings

__all__ = [
    "Registered",
    "Registration",
    "RegistrationFailed",
    "RegistrationLapsed",
    "RegistrationSettings",
    "Subscription",
    "SubscriptionSettings",
    "Unregistered",
    "Way",
]

_HOMES = {
    "Registered": "registration",
    "Registration": "registration",
    "RegistrationFailed": "registration",
    "RegistrationLapsed": "registration",
    "RegistrationSettings": "registration",
    "Subscription": "subscription",
    "SubscriptionSettings": "subscription",
    "Unregistered": "registration",
    "Way": "registration",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
