"""The configuration of a user agent's own node, from the arguments of its constructor that are about the node.

Each argument is checked here, so that entering the user agent can fail only on what this host has: a busy address, a
file that is not there. What the command line and configuration take must be valid here as well, by the same rules.
"""

from collections.abc import Sequence
from typing import Any

from ..config import Listener, NodeConfig, TlsConfig, checked_advertise, checked_networks, checked_rtp_ports
from ..errors import ConfigurationError
from ..handle.file_names import file_name
from ..handle.given_text import checked_flag, checked_list, checked_seconds, checked_text
from ..handle.media_values import named_codecs, srtp_mode
from ..transport.local_addresses import usual_listeners


def node_config(
    *,
    legs: str | Sequence[str] | None,
    advertise: str | Sequence[str],
    codecs: str | Sequence[str],
    rtp_ports: tuple[int, int],
    rtp_timeout: float,
    send_to: str | Sequence[str],
    tls: TlsConfig | None,
    srtp: str,
    sip_trace: Any,
    flags: dict[str, bool],
) -> NodeConfig:
    """Return the configuration; arguments as for `UserAgent`.

    Args:
        flags: strict_source, strict and trace.

    Raises:
        ConfigurationError: an argument is not valid.
    """
    if tls is not None and not isinstance(tls, TlsConfig):
        raise ConfigurationError(f"tls is {type(tls).__name__}; give a TlsConfig")
    if tls is not None:
        for name in ("ca", "certificate", "key"):
            checked_text(f"tls: {name}", getattr(tls, name))
    listeners = usual_listeners() if legs is None else _listeners(legs)
    advertised = [checked_text("advertise", each) for each in checked_list("advertise", advertise)]
    names = tuple(checked_text("codecs", each) for each in checked_list("codecs", codecs))
    named_codecs(names)
    given = {name: checked_flag(name, value) for name, value in flags.items()}
    return NodeConfig(
        "",
        listeners,
        0,
        advertise=checked_advertise(advertised, listeners),
        rtp_ports=checked_rtp_ports(rtp_ports),
        rtp_timeout=checked_seconds("rtp_timeout", rtp_timeout),
        session_expires=0.0,  # a user agent has its own
        tls=tls or TlsConfig(),
        codecs=names,
        send_to=checked_networks([checked_text("send_to", each) for each in checked_list("send_to", send_to)]),
        strict_source=given["strict_source"],
        strict=given["strict"],
        srtp=srtp_mode(srtp),
        ladders=given["trace"],
        sip_trace=file_name(sip_trace) if sip_trace != "" else "",
    )


def _listeners(legs: str | Sequence[str]) -> tuple[Listener, ...]:
    """Return the listeners of the argument `legs`; a text is one of them."""
    given = checked_list("legs", legs)
    try:
        listeners = tuple(Listener.parse(checked_text("address", each)) for each in given)
    except ConfigurationError as error:
        raise ConfigurationError(f"legs: {error}") from error
    if not listeners:
        raise ConfigurationError("legs is empty; write for example udp:127.0.0.1:5070, or leave it out")
    return listeners
