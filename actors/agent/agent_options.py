"""The keyword arguments of `UserAgent` by name and type, for `another`; `UserAgent` has the meaning of each."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypedDict

from ..config import TlsConfig
from ..errors import ConfigurationError
from ..identity import Auth
from .routes import AnyLookup


class AgentAliases(TypedDict, total=False):
    """Names of Net::SIP for options that have another one here: legs, outgoing_proxy, route, domain2proxy."""

    leg: str | Sequence[str] | None
    proxy: str
    routes: str | Sequence[str]
    d2p: Mapping[str, str] | None


class AgentOptions(AgentAliases, total=False):
    """Everything but the local URI and the node."""

    legs: str | Sequence[str] | None
    advertise: str | Sequence[str]
    outgoing_proxy: str
    registrar: str
    auth: Auth | None
    domain: str
    contact: str
    route: str | Sequence[str]
    options: Mapping[str, str] | None
    domain2proxy: Mapping[str, str] | None
    session_expires: int
    redirects: int
    headers: Sequence[tuple[str, str]]
    codecs: str | Sequence[str]
    rtp_ports: tuple[int, int]
    rtp_timeout: float
    tls: TlsConfig | None
    strict_source: bool
    send_to: str | Sequence[str]
    strict: bool
    srtp: str
    dnsresolv: AnyLookup | None
    trace: bool
    sip_trace: str


_NAMES: Final = {"leg": "legs", "proxy": "outgoing_proxy", "routes": "route", "d2p": "domain2proxy"}


def by_their_names(aliases: Mapping[str, Any], **usual: Any) -> dict[str, Any]:
    """Return the options of which Net::SIP has another name, by their names here.

    Args:
        aliases: further keyword arguments of the constructor.
        usual: the values under the names here.

    Raises:
        ConfigurationError: an option was given under both names, or there is none of that name.
    """
    for alias, value in aliases.items():
        name = _NAMES.get(alias)
        if name is None:
            close = get_close_matches(alias, (*AgentOptions.__annotations__, "from_"), 1, 0.75)
            raise ConfigurationError(
                f"UserAgent has no argument {alias}{f'; did you mean {close[0]}?' if close else ''}"
            )
        if usual[name]:
            raise ConfigurationError(f"{alias} and {name} are the same option; give one of them")
        usual[name] = value
    return usual
