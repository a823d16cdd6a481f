"""What a node is told: its listeners, how many workers, and what they do. Plain data, one JSON line to each process.

Filled by the command line or by `UserAgent`; checked here, in one place, with errors that say what, where and the fix.
"""

import dataclasses
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import ConfigurationError

TRANSPORTS = ("udp", "tcp", "tls")

MEDIA_SHARE: Final = 0.9
"""share of the time in which media is due that --expect-media wants, when nobody says another"""


@dataclass(frozen=True, slots=True)
class Listener:
    """One SIP address of the node."""

    transport: str
    """udp, tcp or tls"""
    host: str
    """an IP address without brackets"""
    port: int
    """0 = any free port, chosen when the socket is bound"""

    @classmethod
    def parse(cls, text: str) -> "Listener":
        """Read `udp:127.0.0.1:5070`, `tcp:[::1]:5070` or `127.0.0.1` (UDP, port 5060).

        Raises:
            ConfigurationError: not of that form; the message names the part.
        """
        transport, _, rest = text.partition(":")
        if transport not in TRANSPORTS:
            transport, rest = "udp", text
        host, port = split_host_port(rest, 5060)
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ConfigurationError(
                f"listen address {text!r}: {host!r} is not an IP address; "
                "write for example udp:127.0.0.1:5070 or udp:[::1]:5070, or udp:0.0.0.0:5070 for all of IPv4"
            ) from None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            raise ConfigurationError(
                f"listen address {text!r}: {host} is an IPv4 address in IPv6 form; write {address.ipv4_mapped}"
            )
        return cls(transport, str(address), port)

    def __str__(self) -> str:
        return f"{self.transport}:{format_host(self.host)}:{self.port}"


def format_host(host: str) -> str:
    """An IP address as it stands in a URI: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def is_wildcard(host: str) -> bool:
    """Whether an IP address in its shortest form means every address of this host: 0.0.0.0 or ::."""
    return host in ("0.0.0.0", "::")


def checked_advertise(given: Sequence[str], listeners: Sequence[Listener]) -> tuple[str, ...]:
    """The addresses that peers are to see in place of those of the listeners, at most one per IP version.

    Raises:
        ConfigurationError: one is no unicast IP address, has a port, or no listener has its version.
    """
    found: dict[int, str] = {}
    for text in given:
        wrong = f"advertised address {text!r}: "
        try:
            address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise ConfigurationError(wrong + _no_address(text)) from None
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        if address.is_unspecified or (mapped and mapped.is_unspecified):
            raise ConfigurationError(
                f"{wrong}no peer can send to it; write the address that peers reach you by, or leave it out: "
                "a listener on 0.0.0.0 or [::] shows each peer the address that the kernel sends from"
            )
        if mapped:
            raise ConfigurationError(f"{wrong}it is an IPv4 address in IPv6 form; write {mapped}")
        if address.is_multicast or str(address) == "255.255.255.255" or "%" in str(address):
            raise ConfigurationError(f"{wrong}peers cannot reach one host by it; write its unicast address")
        version = address.version
        if not any((":" in each.host) == (version == 6) for each in listeners):
            raise ConfigurationError(
                f"{wrong}it is IPv{version}, and no listener is ({', '.join(map(str, listeners))}); "
                f"add a listener with an IPv{version} address, or advertise one of IPv{10 - version}"
            )
        if found.setdefault(version, str(address)) != str(address):
            raise ConfigurationError(
                f"{wrong}{found[version]} is advertised for IPv{version} already; give one address per IP version"
            )
    return tuple(found.values())


def _no_address(text: str) -> str:
    """What is wrong with an advertised address that is none, and the fix."""
    host, _, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        if not text:
            return "it is empty; write the IP address that peers reach you by, such as 203.0.113.5"
        return (
            "it is no IP address; names are not looked up, since Via, Contact and SDP need one address: "
            "write it, such as 203.0.113.5"
        )
    return f"it has a port, and the ports of the sockets hold on both sides of a 1:1 NAT; drop :{port}"


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]` or `[v6]:port` into its two parts.

    Raises:
        ConfigurationError: the port is not a number from 0 to 65535.
    """
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    if not port_text:
        return host, default_port
    if not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and int(port_text) <= 65535):
        raise ConfigurationError(f"{text!r}: the port {port_text!r} is not a number from 0 to 65535")
    return host, int(port_text)


@dataclass(frozen=True, slots=True)
class AnswerConfig:
    """What the built-in answering robot does with each call."""

    media: str = "echo"
    """echo, silence, play:FILE, tone:HZ, ivr or none"""
    ring_time: float = 0.0
    """seconds of ringing (180) before the answer; 0 = a 180 and at once the answer"""
    status: int = 200
    """final answer to every INVITE; 300 to 699 refuses"""
    dtmf_echo: bool = False
    """send each digit back that came"""
    hangup_after: float = 0.0
    """seconds after the answer; 0 = the peer hangs up"""
    allow: tuple[str, ...] = (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
    """networks whose calls are answered; the rest gets no answer at all"""


@dataclass(frozen=True, slots=True)
class RobotConfig:
    """A user's robot: a coroutine function of a file, run for each call that comes in."""

    file: str
    name: str = "robot"
    media: str = "silence"
    """what calls send until the robot says something else, as for `AnswerConfig`"""
    allow: tuple[str, ...] = AnswerConfig().allow
    """networks whose calls are taken; the rest gets no answer at all"""


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """A load test: which calls, when, and what is expected of each."""

    target: str
    """SIP URI that is called"""
    rate: float = 10.0
    """calls per second over all shards; with a profile, its greatest"""
    profile: tuple[tuple[float, float, float], ...] = ()
    """in place of a constant rate: (calls per second at the start, at the end, seconds; 0 = from here on for ever)"""
    arrival: str = "fixed"
    """fixed or poisson"""
    calls: int = 0
    """how many in all; 0 = as many as fit into `duration`"""
    duration: float = 0.0
    """seconds during which calls start; 0 = until `calls` are started"""
    max_concurrent: int = 0
    """live calls over all shards; arrivals beyond are held back and counted; 0 = no limit"""
    hold: float = 0.0
    """seconds from answer to our BYE"""
    media: str = "none"
    """echo, silence, play:FILE, tone:HZ or none"""
    dtmf: str = ""
    """digits sent once the call is up"""
    expect_dtmf: str = ""
    """digits the peer must send"""
    expect_media: bool = False
    """audio must have been sent, and have come for `media_share` of the time in which it was due"""
    media_share: float = MEDIA_SHARE
    """share of the time in which media was due that must have had media, beyond half a second for its start, 0 to 1"""
    expect_audio: bool = False
    """what arrived must be louder than -50 dBm0 for at least half of the time"""
    expect_mos: float = 0.0
    """least MOS-CQE of what arrived; 0 = any"""
    expect_code: int = 0
    """final status that each INVITE must get; 0 = any 2xx"""
    ring_time: float = 180.0
    """seconds without a final answer before CANCEL"""
    run_time: float = 240.0
    """seconds after which a run of the scenario is cancelled"""
    scenario: str = ""
    """Python file and function as FILE:NAME that are run for each arrival, in place of a plain call"""
    data: str = ""
    """CSV file of the scenario's rows"""
    seed: int = 1
    """of the arrival times and of random digits"""
    shard: int = 0
    shards: int = 1
    """this node's share, 0-based, of a test spread over several nodes"""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """Who the node is for others, and by which way its requests leave; empty = nobody in particular, the direct way."""

    from_: str = ""
    """SIP URI of our calls"""
    proxy: str = ""
    """SIP URI through which every request goes that has no route of its own"""
    registrar: str = ""
    """SIP URI of the registrar where the answering robot keeps `address` bound; empty = it registers nowhere"""
    address: str = ""
    """the address-of-record that is bound there"""
    user: str = ""
    """name for a challenge of proxy, registrar or whom we call"""
    password: str = field(default="", repr=False)
    """its password, read from its file by the command line; never shown (RELIABILITY S13)"""
    headers: tuple[tuple[str, str], ...] = ()
    """further headers of each INVITE and REGISTER"""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Files and rules of TLS connections; keys stay in their files, only the dispatcher opens them."""

    ca: str = ""
    """PEM file of the certificates that are trusted; empty = the system's"""
    certificate: str = ""
    """PEM file of our certificate chain; a tls listener needs one"""
    key: str = ""
    """PEM file of its key, without password; empty = in the certificate's file"""
    client_certificates: bool = False
    """whether who connects to us must show a certificate that `ca` trusts"""
    verify: bool = True
    """whether certificate and name of who we connect to are checked"""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything the processes of one node share."""

    run_dir: str
    """private directory (0700) of the sockets between the processes; empty = all roles in one loop (embedded)"""
    listeners: tuple[Listener, ...]
    """bound addresses; a message names its listener by index"""
    call_id_key: int
    """key of `slot_of`, an unsigned 32-bit integer"""
    call_workers: int = 1
    media_workers: int = 1
    answer: AnswerConfig | None = None
    load: LoadConfig | None = None
    user: str = "sipswarm"
    """user part of our From and Contact"""
    rtp_ports: tuple[int, int] = (20000, 32766)
    """lowest and highest RTP port, both even numbers"""
    rtp_timeout: float = 30.0
    """seconds without any RTP, where some is due, before a call is hung up; 0 = off"""
    hang_timeout: float = 5.0
    """seconds without a beat before a process is replaced; 0 = off"""
    max_calls: int = 20000
    """live calls per call worker; a further INVITE gets 503"""
    ladders: bool = False
    """keep the newest SIP messages of each live call, for `Call.ladder` and the folders of failed calls"""
    sip_trace: str = ""
    """capture file of all SIP of the call workers; empty = none"""
    strict_source: bool = True
    """requests within a call must come from a host of its peer; False lets them come from anywhere (RELIABILITY S3)"""
    strict: bool = False
    """no fault of a peer is put up with (`sipcore.leniency`): what it costs by the RFCs it costs here"""
    tls: TlsConfig = TlsConfig()
    """of tls listeners"""
    robot: RobotConfig | None = None
    account: AccountConfig = AccountConfig()
    """who we are"""
    codecs: tuple[str, ...] = ()
    """codecs of offers and answers by name, the preferred one first; empty = PCMU, then PCMA"""
    srtp: str = "off"
    """encryption of media with keys in the SDP: off, optional or required, as `MediaDemand.srtp`"""
    advertise: tuple[str, ...] = ()
    """addresses that peers see in place of those of the listeners, one per IP version (1:1 NAT); sockets have theirs"""
    tells_incoming: bool = False
    """whether the supervisor hears of each ended call that came in too, not only of those that we placed"""

    def endpoint(self, name: str) -> str:
        """Where a link is: a socket file in the run directory, or inside this process when there is none."""
        return f"ipc://{self.run_dir}/{name}.sock" if self.run_dir else f"inproc://{name}"

    def shared_file(self, name: str) -> str:
        """A file that the processes of the node share; empty when all roles are in one process."""
        return f"{self.run_dir}/{name}.shared" if self.run_dir else ""

    def to_json(self) -> str:
        """One line for the standard input of a process."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "NodeConfig":
        """The inverse of `to_json`."""
        raw: dict[str, Any] = json.loads(text)
        raw["listeners"] = tuple(Listener(**each) for each in raw["listeners"])
        raw["rtp_ports"] = tuple(raw["rtp_ports"])
        if raw["answer"] is not None:
            raw["answer"]["allow"] = tuple(raw["answer"]["allow"])
            raw["answer"] = AnswerConfig(**raw["answer"])
        if raw["robot"] is not None:
            raw["robot"]["allow"] = tuple(raw["robot"]["allow"])
            raw["robot"] = RobotConfig(**raw["robot"])
        if raw["load"] is not None:
            raw["load"]["profile"] = tuple(tuple(each) for each in raw["load"]["profile"])
            raw["load"] = LoadConfig(**raw["load"])
        raw["tls"] = TlsConfig(**raw["tls"])
        raw["account"]["headers"] = tuple((name, value) for name, value in raw["account"]["headers"])
        raw["account"] = AccountConfig(**raw["account"])
        raw["codecs"] = tuple(raw["codecs"])
        raw["advertise"] = tuple(raw["advertise"])
        return cls(**raw)
