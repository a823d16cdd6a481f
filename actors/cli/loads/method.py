"""The rules of `--method` of a load: which options go with which method, who is registered, and what data may have."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import click

from sipswarm.sipcore.errors import SipError
from sipswarm.sipcore.message.fields import Event
from sipswarm.sipcore.message.uri import Uri

from ...config import CALL_METHOD, LoadConfig, NodeSettings
from ...errors import ConfigurationError
from ...handle.given_text import checked_request
from ...identity import Identity
from ...load.description import LASTING
from ...load.requests.parties import Parties
from ...load.thresholds import Threshold
from ...scripts.data import Data
from ..configuration import given

OF_CALLS: Final = (
    "media",
    "dtmf",
    "expect_dtmf",
    "expect_media",
    "media_share",
    "expect_audio",
    "expect_mos",
    "ring_time",
    "run_time",
    "scenario",
)
"""Options that mean something for calls only."""
OF_METHODS: Final = {
    "hold": (CALL_METHOD, *LASTING),
    "body": ("message",),
    "content_type": ("message",),
    "event": ("subscribe",),
    "expires": LASTING,
    "timeout": ("options", "message"),
}
"""Options that mean something for some methods only."""
OF_MEDIA: Final = frozenset(
    (
        "one_way",
        "jitter",
        "loss",
        "mos",
        "received_ratio",
        "gap",
        "media_share",
        "hold_share",
        "remote_loss",
        "unreachable_share",
    )
)
"""Figures of thresholds that are counted for calls only."""
OF_LASTING: Final = frozenset(("duration", "disconnect_delay"))
"""Figures of thresholds that are not counted for single requests."""
LONGEST: Final = 32.0
"""Seconds until a request is given up, 64*T1 (RFC 3261 section 17.1.2.2, timer F)."""


def check_options(method: str) -> None:
    """See that each option that was given means something with a method.

    It comes before all rules of several options: what such a rule would have the user add may mean nothing either.

    Raises:
        UsageError: one means nothing; it is named.
    """
    for name, methods in OF_METHODS.items():
        if given(name) and method not in methods:
            raise click.UsageError(f"{_option(name)} is for --method {' or '.join(methods)}; say so, or drop it")
    for name in OF_CALLS if method != CALL_METHOD else ():
        if given(name):
            raise click.UsageError(f"{_option(name)} is for calls; drop it, or drop --method {method}")


def checked(config: LoadConfig, thresholds: Sequence[Threshold] = ()) -> LoadConfig:
    """Return a load with the consequences of its method, whose options `check_options` has seen.

    Raises:
        UsageError: a threshold means nothing with this method, or an option is missing.
    """
    method = config.method
    if method == CALL_METHOD:
        return config
    uncounted = OF_MEDIA if method in LASTING else OF_MEDIA | OF_LASTING
    for each in thresholds:
        if each.name in uncounted:
            raise click.UsageError(
                f"threshold {each.expression!r}: {each.name} is not counted with --method {method}; drop it"
            )
    if method == "subscribe":
        _check_event(config.event)
    if method == "message":
        checked_request("MESSAGE", config.body, {"content_type": config.content_type})
    if method == "register" and not config.expires:
        raise click.UsageError("--expires 0 would register nobody; say for example --expires 900")
    if config.hold and not config.expires:
        raise click.UsageError("--expires 0 fetches a state once, which cannot be held; drop -d")
    return replace(config, timeout=config.timeout or LONGEST)


def of_registrar(config: LoadConfig, settings: NodeSettings) -> tuple[LoadConfig, NodeSettings]:
    """Return a load of registrations whose target is the registrar, and the account whose From is registered.

    Other loads are returned as they are.

    Raises:
        UsageError: nobody is named who is to be registered, or two are.
    """
    if config.method != "register":
        return config, settings
    uri, account = Uri.parse(config.target), settings.account
    if uri.user and account.from_:
        raise click.UsageError(f"TARGET names the user {uri.user!r}, and --from {account.from_!r}; give one of them")
    if uri.user:
        account = replace(account, from_=str(Uri(uri.scheme, uri.user, uri.host, uri.port, {})))
    if not account.from_ and not config.data:
        raise click.UsageError(
            "nobody is named who is to be registered; write sip:USER@REGISTRAR, or give --from, or --data with a "
            "column from"
        )
    target = str(Uri(uri.scheme, None, uri.host, uri.port, uri.params))
    return replace(config, target=target), replace(settings, account=account)


def check_data(config: LoadConfig, from_: str) -> None:
    """See that the data of a load can be taken; a scenario reads its columns itself.

    Args:
        from_: the local SIP URI where a row has none; empty = the default one.

    Raises:
        ConfigurationError: they cannot; with file and line.
        UsageError: a MESSAGE has no text.
    """
    if config.scenario:
        _check_rows(config)
        return
    parties = Parties(config, Identity(from_ or _NOBODY))
    if config.method == "register" and parties.lacking("from") and not from_:
        line = parties.lacking("from")
        raise ConfigurationError(f"{config.data}:{line}: nobody is named who is to be registered; fill the column from")
    if config.method == "message" and not config.body and (not config.data or parties.lacking("body")):
        raise click.UsageError("a MESSAGE without a text says nothing; say --body TEXT, or fill column body of --data")


def _check_rows(config: LoadConfig) -> None:
    if not config.data:
        return
    data = Data.read(config.data)
    if data.mode == "USER" and len(data.rows) < config.shards:
        raise ConfigurationError(
            f"{config.data}: {len(data.rows)} rows over {config.shards} shards leave some of them without a row; add "
            "rows, or use fewer shards"
        )


def _check_event(event: str) -> None:
    if not event:
        raise click.UsageError("--method subscribe needs an event package; say for example --event message-summary")
    try:
        Event.parse(event)
    except SipError as error:
        raise click.UsageError(
            f"--event {event!r} is no event package; write for example message-summary or dialog"
        ) from error


_NOBODY: Final = "sip:sipswarm@127.0.0.1"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
