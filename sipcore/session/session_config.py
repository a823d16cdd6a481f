"""SessionConfig: the common settings of all calls of one user agent, and the header text made from them once.

It must not depend on a call. The text fragments are made when the configuration is made, because every request needs
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, final

from ..auth.digest import CredentialsLookup
from ..message.hop import Hop, bracketed
from ..transaction.timers import TimerSettings
from ..transaction.transaction_counts import TransactionCounts
from .peer_set import AddressesOf

DEFAULT_ALLOW: Final = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "PRACK",
    "UPDATE",
    "OPTIONS",
    "INFO",
    "MESSAGE",
    "NOTIFY",
    "REFER",
)
DEFAULT_SUPPORTED: Final = ("100rel", "timer", "replaces", "norefersub")


class Reliability(Enum):
    """The demand of a local INVITE for reliable provisional responses (RFC 3262)."""

    OFF = "off"
    """Nothing; a Require: 100rel of the peer gets 420."""
    SUPPORTED = "supported"
    """Supported: 100rel."""
    REQUIRED = "required"
    """Require: 100rel."""


@final
@dataclass(slots=True)
class SessionConfig:
    """The settings of calls that do not differ from one call to the next.

    Never changed once it is made, because many sessions share it: `dataclasses.replace` makes another one. It is not
    frozen, since then only `object.__setattr__` could write the texts that follow from the rest.
    """

    local: Hop
    """Transport, host and port written into Via (RFC 3261 section 18.1.1)."""
    from_: str
    """The local identity, as name-addr or URI, without tag."""
    contact: str = ""
    """Address for requests of the peer within the dialog, as name-addr; made from `from_` and `local` when empty."""
    user_agent: str = ""
    """User-Agent and Server header, left out when empty."""
    allow: tuple[str, ...] = DEFAULT_ALLOW
    """Methods that are taken; others get 405 or 501."""
    supported: tuple[str, ...] = DEFAULT_SUPPORTED
    """Option tags that are understood; others in Require get 420. 100rel is governed by `reliability`."""
    accept: tuple[str, ...] = ("application/sdp",)
    """Content types of an INVITE that are taken; others get 415."""
    timers: TimerSettings = field(default_factory=TimerSettings)
    """T1, T2, T4 and D in seconds."""
    reliability: Reliability = Reliability.SUPPORTED
    """Reliable provisional responses."""
    session_expires: int = 0
    """Session interval to request in seconds, 0 for none (RFC 4028)."""
    min_se: int = 90
    """Shortest session interval that is accepted, in seconds."""
    probe_after: float = 0.0
    """Seconds between probes of a call without an agreed session interval, 0 for none."""
    max_call_time: float = 0.0
    """Seconds from the answer to the BYE of this end, 0 for no bound."""
    refresher: str = ""
    """``"uac"``, ``"uas"`` or empty for the peer's choice."""
    redirects: int = 0
    """Number of targets of 3xx that a call tries, all in all; 0 is off."""
    ring_timeout: float = 180.0
    """Seconds without a final answer until CANCEL, and the end of the call for the local user; 0 for ever."""
    credentials: CredentialsLookup | None = None
    """Finds user and password for a challenge; None refuses all."""
    outgoing_proxy: Hop | None = None
    """Hop of requests without a route set, instead of their Request-URI."""
    route: tuple[str, ...] = ()
    """Preloaded route set: name-addrs with ``;lr``."""
    max_forwards: int = 70
    """Max-Forwards."""
    counts: TransactionCounts = field(default_factory=TransactionCounts, repr=False, compare=False)
    """Counts of all sessions together."""

    strict_source: bool = True
    """Whether requests of a dialog must come from its peer set, any port of its hosts (RELIABILITY S3)."""
    addresses_of: AddressesOf | None = None
    """Returns the known addresses of a name in a peer set."""
    bound: Hop | None = None
    """Address of the socket where that is not `local` (1:1 NAT); None = `local`. Stands in no message."""
    roams: bool = False
    """The local address depends on the destination: `way_to` is called for every hop."""
    way_to: Callable[[Hop], SessionConfig | None] | None = field(default=None, repr=False, compare=False)
    """Called for hops that `local` may not reach, by transport or IP version.

    It returns the configuration whose `local` does, for Via and Contact of messages there (RFC 3261 section 18.1.1);
    None when there is none. Without it everything is reached.
    """

    @property
    def leaves_from(self) -> Hop:
        """The address of the socket, from which messages leave."""
        return self.bound or self.local

    via_start: str = field(init=False, repr=False, compare=False, default="")
    """The Via line up to the branch; ``;rport`` follows it (RFC 3581)."""
    tail: str = field(init=False, repr=False, compare=False, default="")
    """Contact and User-Agent lines for requests."""
    invite_tail: str = field(init=False, repr=False, compare=False, default="")
    """The same with Allow and Supported or Require, for INVITE and UPDATE."""
    reply_tail: str = field(init=False, repr=False, compare=False, default="")
    """Contact, Server, Allow and Supported for 2xx, and for reliable 1xx (RFC 3311 section 4)."""
    ring_tail: str = field(init=False, repr=False, compare=False, default="")
    """Contact and Server, which is all that an unreliable 1xx needs."""

    def __post_init__(self) -> None:
        host = bracketed(self.local.host)
        self.via_start = f"Via: SIP/2.0/{self.local.transport.upper()} {host}:{self.local.port};branch="
        contact = self.contact
        if not contact:
            user = _user_of(self.from_)
            transport = "" if self.local.transport == "udp" else f";transport={self.local.transport}"
            contact = f"<sip:{user}{host}:{self.local.port}{transport}>"
            self.contact = contact
        agent = f"User-Agent: {self.user_agent}\r\n" if self.user_agent else ""
        server = f"Server: {self.user_agent}\r\n" if self.user_agent else ""
        tags = [tag for tag in self.supported if tag != "100rel"]
        if self.reliability is Reliability.SUPPORTED:
            tags.insert(0, "100rel")
        self.supported = (*tags, "100rel") if self.reliability is Reliability.REQUIRED else tuple(tags)
        supported = f"Supported: {', '.join(tags)}\r\n" if tags else ""
        require = "Require: 100rel\r\n" if self.reliability is Reliability.REQUIRED else ""
        allow = f"Allow: {', '.join(self.allow)}\r\n"
        self.tail = f"Contact: {contact}\r\n{agent}"
        self.invite_tail = f"Contact: {contact}\r\n{agent}{allow}{supported}{require}"
        self.ring_tail = f"Contact: {contact}\r\n{server}"
        self.reply_tail = f"Contact: {contact}\r\n{server}{allow}{supported}"


def _user_of(address: str) -> str:
    """Return ``user@`` of a name-addr or URI, empty without a user part."""
    start = address.find("<")
    uri = address[start + 1 : address.find(">", start)] if start >= 0 else address
    rest = uri.partition(":")[2]
    user, at, _ = rest.partition("@")
    return user + at if at else ""
