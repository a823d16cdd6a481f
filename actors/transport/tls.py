"""TLS contexts of the dispatcher, from the paths that a user gives (RFC 3261 section 26.3.2, RFC 5922).

TLS 1.2 at least; the peer's certificate and name are checked unless the user switches that off. It uses paths and
contexts, and must never parse a key itself, so that none can get into a log. The dates of the own certificate are
checked when a node starts, not when its dispatcher is replaced: calls that are up need the replacement.
"""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..config import Listener, TlsConfig
from ..errors import ConfigurationError
from ..host.named_files import refuse_pipe
from .certificate_dates import UnknownDates, shown_date, validity_of

SOON: Final = 30 * 86400.0
"""Seconds before the end of a certificate from which on a start warns."""
_logger = logging.getLogger(__name__)


def check(config: TlsConfig, listeners: Sequence[Listener], now: float) -> float:
    """See before anything is bound that the files are there, fit together and are valid.

    A TLS listener without certificate is allowed when its port may be any: no client looks for it there. It only serves
    connections that are opened here.

    Args:
        now: seconds since 1970, by which certificates are valid.

    Returns:
        Seconds since 1970 at which the own certificate expires; 0 without one, or without a TLS listener.

    Raises:
        ConfigurationError: a TLS listener without certificate on a chosen port, a file that cannot be used, or a
            certificate that has expired or is not valid yet.
    """
    secure = [each for each in listeners if each.transport == "tls"]
    if not secure:
        return 0.0
    if not config.certificate and any(each.port for each in secure):
        raise ConfigurationError("a tls listener needs a certificate; say --tls-cert FILE and --tls-key FILE")
    for option, path in (("--tls-ca", config.ca), ("--tls-cert", config.certificate), ("--tls-key", config.key)):
        if path:
            refuse_pipe(path, "a PEM file", option)
    server_context(config)
    client_context(config)
    return _valid_until(config.certificate, now) if config.certificate else 0.0


def _valid_until(path: str, now: float) -> float:
    try:
        dates = validity_of(Path(path).read_bytes())
    except (OSError, UnknownDates) as error:
        raise ConfigurationError(f"--tls-cert {path} shows no dates of validity; give a PEM certificate") from error
    if now > dates.not_after:
        raise ConfigurationError(
            f"--tls-cert {path} expired on {shown_date(dates.not_after)}; renew it, or name another one"
        )
    if now < dates.not_before:
        raise ConfigurationError(
            f"--tls-cert {path} is not valid before {shown_date(dates.not_before)}; "
            f"name another one, or set the clock of this machine (it shows {shown_date(now)})"
        )
    if dates.not_after - now < SOON:
        days = int((dates.not_after - now) // 86400)
        _logger.warning(
            "--tls-cert %s expires on %s, in %d days; renew it and start again",
            path,
            shown_date(dates.not_after),
            days,
        )
    return dates.not_after


def server_context(config: TlsConfig) -> ssl.SSLContext | None:
    """Return the context of connections that are accepted; None without a certificate: then none are.

    A client's certificate is checked when it shows one, or demanded.

    Raises:
        ConfigurationError: a file that cannot be used.
    """
    if not config.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(context, config)
    if config.ca:
        _load_ca(context, config)
        context.verify_mode = ssl.CERT_REQUIRED if config.client_certificates else ssl.CERT_OPTIONAL
    elif config.client_certificates:
        raise ConfigurationError("certificates of clients can only be checked against a CA; say --tls-ca FILE")
    return context


def client_context(config: TlsConfig) -> ssl.SSLContext:
    """Return the context of connections that are opened; a server that requests a certificate gets it.

    Raises:
        ConfigurationError: a file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.ca:
        _load_ca(context, config)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if config.certificate:
        _load_certificate(context, config)
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    files = f"--tls-cert {config.certificate} with --tls-key {config.key or config.certificate}"
    try:
        context.load_cert_chain(config.certificate, config.key or None, password=_no_password)
    except OSError as error:  # SSLError is one
        raise ConfigurationError(f"{files} cannot be used: {_reason(error)}") from error


def _load_ca(context: ssl.SSLContext, config: TlsConfig) -> None:
    try:
        context.load_verify_locations(config.ca)
    except OSError as error:
        raise ConfigurationError(f"--tls-ca {config.ca} cannot be used: {_reason(error)}") from error


def _no_password() -> str:
    """Stands for a question on the terminal, which no user would see."""
    return ""


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or 'not PEM, or a key with a password'}"
    return error.strerror or str(error)
