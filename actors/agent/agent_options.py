"""The keyword arguments of `UserAgent` by name and type, for `another`; `UserAgent` has the meaning of each."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ..config import TlsConfig
from ..identity import Auth
from .routes import AnyLookup


class AgentOptions(TypedDict, total=False):
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
