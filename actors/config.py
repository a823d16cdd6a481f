"""The configuration of a node: plain data, which each process gets as one line of JSON.

Filled by the command line or by `UserAgent`; checked here, in one place, with errors that name the fault, the place and
the fix. A field that an option of the command line fills declares that option beside its default: name, help, and the
kind of value. The command line, its variables and its configuration file are made from these declarations
(`cli.options`), and each process reads the same classes back (`ProcessOrder`). So an option must be written here alone,
and never a second time.
"""

import dataclasses
import ipaddress
import json
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from .diagnosis.foreign_text import said
from .diagnosis.option_kinds import CALLS as CALLS
from .diagnosis.option_kinds import OPTION as OPTION
from .diagnosis.option_kinds import Count as Count
from .diagnosis.option_kinds import Digits as Digits
from .diagnosis.option_kinds import Flag as Flag
from .diagnosis.option_kinds import Kind as Kind
from .diagnosis.option_kinds import Media as Media
from .diagnosis.option_kinds import Number as Number
from .diagnosis.option_kinds import OneOf as OneOf
from .diagnosis.option_kinds import Option as Option
from .diagnosis.option_kinds import Seconds as Seconds
from .diagnosis.option_kinds import option as option
from .diagnosis.robot_options import AnswerConfig as AnswerConfig
from .diagnosis.robot_options import RobotConfig as RobotConfig
from .diagnosis.server_options import ServerConfig as ServerConfig
from .diagnosis.sipp_load_options import SippLoadConfig as SippLoadConfig
from .diagnosis.sipp_options import SippFileConfig as SippFileConfig
from .diagnosis.sipp_trace_options import SippTraceConfig as SippTraceConfig
from .errors import ConfigurationError

TRANSPORTS = ("udp", "tcp", "tls")
LEAST_RTP_PORT: Final = 1024
MOST_RTP_PORT: Final = 65534

CALL_METHOD: Final = "invite"
"""The method of a load whose arrivals are calls."""
MEDIA_SHARE: Final = 0.9
"""Share of the time in which media is due that --expect-media demands, unless another is given."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One SIP address of the node."""

    transport: str
    """udp, tcp or tls."""
    host: str
    """An IP address without brackets."""
    port: int
    """0 = any free port, chosen when the socket is bound."""

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
    """Return an IP address as it stands in a URI: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def is_wildcard(host: str) -> bool:
    """Whether an IP address in its shortest form means every address of this host: 0.0.0.0 or ::."""
    return host in ("0.0.0.0", "::")


def checked_advertise(given: Sequence[str], listeners: Sequence[Listener]) -> tuple[str, ...]:
    """Check the addresses that peers see instead of those of the listeners, at most one per IP version.

    Returns:
        Each in its shortest form, once.

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


def checked_networks(given: Sequence[str]) -> tuple[str, ...]:
    """Return networks as they were given.

    Raises:
        ConfigurationError: one is no network.
    """
    for text in given:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigurationError(
                f"send_to: {said(text)} is not a network; write for example 192.0.2.0/24 or 2001:db8::/32"
            ) from None
    return tuple(given)


def checked_rtp_ports(given: Any) -> tuple[int, int]:
    """Return the lowest and the highest RTP port.

    Raises:
        ConfigurationError: they are no two even numbers in order from 1024 to 65534.
    """
    pair = tuple(given) if isinstance(given, list | tuple) else ()
    if len(pair) == 2 and all(isinstance(each, int) and not isinstance(each, bool) for each in pair):
        low, high = pair
        if not low % 2 and not high % 2 and LEAST_RTP_PORT <= low <= high <= MOST_RTP_PORT:
            return low, high
    raise ConfigurationError(
        f"rtp_ports {said(given)} is no pair of even ports from {LEAST_RTP_PORT} to {MOST_RTP_PORT};"
        " write for example (20000, 32766)"
    )


def _no_address(text: str) -> str:
    """Return what is wrong with an advertised address that is none, and the fix."""
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
    """Split `host`, `host:port`, `[v6]` or `[v6]:port` into its two parts.

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
class LoadConfig:
    """A load test: its calls or requests, their times, and the expectations of each."""

    target: str
    """SIP URI that is called, or to which the requests are sent."""
    rate: float = option(10.0, "-r", "--rate", check=Number(0, 100_000, above=True), about="Calls per second.")
    """Calls per second over all shards; with a profile, its greatest."""
    arrival: str = option(
        "fixed",
        "--arrival",
        check=OneOf(("fixed", "poisson")),
        about="Constant spacing, or the arrivals of independent callers.",
    )
    profile: tuple[tuple[float, float, float], ...] = option(
        (),
        "--ramp",
        check=Kind.RAMP,
        many=True,
        about="Instead of -r: from one rate to another, such as 10:200/60s; repeatable. The last rate stays.",
    )
    """Instead of a constant rate: (calls per second at the start, at the end, seconds; 0 = from here on for ever)."""
    calls: int = option(0, "-m", "--calls", check=CALLS, optional=True, about="Total number of calls to place.")
    """Number of calls; 0 = as many as fit into `duration`."""
    duration: float = option(
        0.0,
        "--duration",
        check=Seconds(),
        written="0s",
        shown=False,
        about="How long to start calls; with -m, the earlier end counts.",
    )
    """Seconds during which calls start; 0 = until `calls` are started."""
    max_concurrent: int = option(
        0,
        "-l",
        "--max-concurrent",
        check=Count(1, 10**7),  # an octet each is shared by the call workers
        optional=True,
        about="Maximum concurrent calls over all shards; further calls are held back and counted.",
    )
    """Live calls over all shards; arrivals beyond are held back and counted; 0 = no limit."""
    hold: float = option(
        0.0,
        "-d",
        "--hold",
        check=Seconds(unit_needed=True),
        written="0s",
        shown=False,
        about="How long to hold each call, registration or subscription, with its unit: 5s, 5000ms.",
    )
    """Seconds from answer to the BYE of this end; of a registration or subscription 0 = until no more begin."""
    media: str = option("none", "--media", check=Media(), about="echo, silence, play:FILE, tone:HZ or none.")
    dtmf: str = option("", "--dtmf", check=Digits(), about="Send these digits after the answer; ? is a random digit.")
    expect_dtmf: str = option(
        "", "--expect-dtmf", check=Digits(same="="), about="Expect these digits; = means the digits that were sent."
    )
    """Digits the peer must send."""
    scenario: str = option(
        "",
        "-sf",
        "--scenario",
        check=Kind.TEXT,
        about="FILE[:NAME]: run 'async def NAME(ua, row)' for each arrival. FILE.xml of SIPp is run as it is.",
    )
    """Python file and function as FILE:NAME, or a scenario file of SIPp, that is run for each arrival."""
    sipp: SippFileConfig = SippFileConfig()
    sipp_load: SippLoadConfig = SippLoadConfig()
    sipp_traces: SippTraceConfig = SippTraceConfig()
    run_time: float = option(
        240.0,
        "--run-time",
        check=Seconds(),
        optional=True,
        shown="--ring-time and 60s",
        about="Maximum duration of one run of the scenario; a longer run is cancelled and fails.",
    )
    """Seconds after which a run of the scenario is cancelled."""
    data: str = option(
        "", "-inf", "--data", check=Kind.TEXT, about="CSV file with a row for each arrival, with or without a scenario."
    )
    method: str = option(
        CALL_METHOD,
        "--method",
        check=OneOf((CALL_METHOD, "options", "message", "register", "subscribe")),
        about="What each arrival sends: a call (invite), one request, or a registration or subscription that is kept.",
    )
    body: str = option("", "--body", check=Kind.TEXT, about="Text of each request, with --method message.")
    content_type: str = option(
        "text/plain", "--content-type", check=Kind.TEXT, about="Media type of --body, with --method message."
    )
    event: str = option(
        "", "--event", check=Kind.TEXT, about="Event package, with --method subscribe, such as message-summary."
    )
    expires: int = option(
        900, "--expires", check=Count(0, 2**32 - 1), about="Seconds to ask for, with --method register or subscribe."
    )
    timeout: float = option(
        32.0,
        "--timeout",
        check=Seconds(least=0.1, why="no answer could come"),
        written="32s",
        about="How long to wait for the final response, with --method options or message; 0 = 32s.",
    )
    """Seconds from a request outside of calls to its end without a final response; 0 = 64*T1."""
    expect_media: bool = option(
        False,
        "--expect-media",
        check=Flag(),
        about="Expect audio in both directions, for --media-share of the time it is due.",
    )
    """Audio must have been sent, and have come for `media_share` of the time in which it was due."""
    media_share: float = option(
        MEDIA_SHARE,
        "--media-share",
        check=Number(0.0, 1.0),
        optional=True,
        shown=str(MEDIA_SHARE),
        about=("As --expect-media, with this share of the time from answer to end; 0.5 s may lack."),
    )
    """Share of the time in which media was due that must have had media, beyond half a second for its start, 0 to 1."""
    expect_audio: bool = option(
        False,
        "--expect-audio",
        check=Flag(),
        about="Expect half of the received audio above -50 dBm0; --expect-media finds audio that stops.",
    )
    """Received audio must be louder than -50 dBm0 for at least half of the time."""
    expect_mos: float = option(
        0.0,
        "--expect-mos",
        check=Number(1.0, 4.5),
        optional=True,
        about="Minimum MOS-CQE of each call.",
    )
    """Least MOS-CQE of the received audio; 0 = any."""
    expect_code: int = option(
        0,
        "--expect-code",
        check=Count(200, 699),
        optional=True,
        about="Expect this final status, such as 486.",
    )
    """Final status that each INVITE must get; 0 = any 2xx."""
    ring_time: float = option(
        180.0,
        "--ring-time",
        check=Seconds(),
        written="180s",
        about="How long to wait for a final answer before CANCEL; 0 = 180s.",
    )
    """Seconds without a final answer before CANCEL."""
    seed: int = option(1, "--seed", check=Kind.WHOLE, about="Seed of poisson arrivals and random digits.")
    shard: int = option(
        0,
        "--shard",
        check=Kind.SHARE,
        written="1/1",
        shown=False,
        about="This node's share of the calls, the rate and -l, such as 1/3.",
    )
    shards: int = 1
    """This node's share, 0-based, of a test spread over several nodes."""
    allow: tuple[str, ...] = ()
    """Networks whose requests outside of a call are answered, the target's addresses; empty = all."""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """The identity of the node for others, and the way of its requests; empty = the default one, directly."""

    from_: str = option(
        "", "--from", check=Kind.OWN_URI, shown="sip:sipswarm@local address", about="Local SIP URI (From)."
    )
    """SIP URI in From of outgoing calls."""
    proxy: str = option(
        "", "--proxy", check=Kind.SIP_URI, about="Send each request without a route through this SIP URI."
    )
    registrar: str = ""
    """SIP URI of the registrar where the answering robot keeps `address` bound; empty = it registers nowhere."""
    address: str = ""
    """The address-of-record that is bound there."""
    user: str = option("", "--auth-user", check=Kind.TEXT, about="User name for a challenge (401 or 407).")
    password: str = option(
        "",
        "--auth-password-file",
        check=Kind.PASSWORD_FILE,
        optional=True,
        about="File with the password in its first line, which only its owner may read.",
        secret=True,
    )
    """Read from its file by the command line; never shown (RELIABILITY S13)."""
    headers: tuple[tuple[str, str], ...] = option(
        (), "--header", check=Kind.HEADER, many=True, about="Further header of {requests}; repeatable."
    )


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Files and rules of TLS connections; keys stay in their files, only the dispatcher opens them."""

    ca: str = option(
        "",
        "--tls-ca",
        check=Kind.PEM,
        shown="the system's",
        about="Trusted certificates, for servers and for clients that present one.",
    )
    """PEM file of the certificates that are trusted; empty = the system's."""
    certificate: str = option("", "--tls-cert", check=Kind.PEM, about="Local certificate, with its chain.")
    """PEM file; a tls listener needs one."""
    key: str = option("", "--tls-key", check=Kind.PEM, about="Key of the local certificate, without password.")
    """PEM file; empty = in the certificate's file."""
    client_certificates: bool = False
    """Whether clients must show a certificate that `ca` trusts."""
    verify: bool = True
    """Whether certificate and name of a server are checked."""


MOST_WORKERS: Final = 256
LEAST_RTP_TIMEOUT: Final = 1.0
"""Seconds."""
LEAST_HANG_TIMEOUT: Final = 2.0
"""Seconds: four heartbeats, and half a second after the warning that makes a process dump its stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """Settings of every node, an embedded one too."""

    rtp_ports: tuple[int, int] = option(
        (20000, 32766),
        "--rtp-ports",
        check=Kind.PORT_RANGE,
        written="20000-32766",
        about="First and last RTP port, both even; each call with media needs two, this one and the odd one above.",
    )
    """Lowest and highest RTP port, both even numbers."""
    strict: bool = option(
        False,
        "--strict",
        check=Flag(),
        about="Refuse each violation of the grammar of SIP or SDP, also harmless ones.",
    )
    """No fault of a peer is tolerated (`sipcore.leniency`): each has the consequence that the RFCs demand."""
    sip_trace: str = option(
        "",
        "--sip-trace",
        check=Kind.WRITTEN_FILE,
        shown="none",
        about="Write all SIP to this capture file, passwords, keys and digits masked.",
    )
    """Capture file of all SIP of the call workers; empty = none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings(EndpointSettings):
    """Also the identity of the node for others, and the content of its calls."""

    advertise: tuple[str, ...] = option(
        (),
        "--advertise",
        check=Kind.ADVERTISED,
        many=True,
        about="Public address (1:1 NAT) for Via, Contact and SDP; one per IP version.",
    )
    """Addresses that peers see instead of those of the listeners, one per IP version (1:1 NAT); sockets keep theirs."""
    send_to: tuple[str, ...] = option(
        (),
        "--send-to",
        check=Kind.NETWORK,
        many=True,
        shown="all but link-local, loopback, groups",
        about="Network that a peer may name for SIP and media; repeatable. Addresses that you give need none.",
    )
    """Networks that are sent to where a peer names the address; empty = all but those of `call_worker.destinations`."""
    account: AccountConfig = AccountConfig()
    """The local identity."""
    codecs: tuple[str, ...] = option(
        (), "--codec", check=Kind.CODECS, written="pcmu,pcma", about="Codecs in order of preference: {codecs}."
    )
    """Codecs of offers and answers by name, the preferred one first; empty = PCMU, then PCMA."""
    srtp: str = option(
        "off",
        "--srtp",
        check=Kind.ENCRYPTION,
        about="Encrypted media: optional accepts such offers too, required offers and accepts nothing else.",
    )
    """Encryption of media with keys in the SDP: off, optional or required, as `MediaDemand.srtp`."""
    tls: TlsConfig = TlsConfig()
    """Of tls listeners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings(CallSettings):
    """Every setting of a node of several processes."""

    call_workers: int = option(
        1,
        "--call-workers",
        check=Count(1, MOST_WORKERS),
        by_cores=lambda cores: max(1, cores - 1),
        shown="cores - 1",
        about="Processes that hold the calls.",
    )
    media_workers: int = option(
        1,
        "--media-workers",
        check=Count(1, MOST_WORKERS),
        by_cores=lambda cores: max(1, cores // 2),
        shown="cores / 2",
        about="Processes that send and receive RTP.",
    )
    rtp_timeout: float = option(
        30.0,
        "--rtp-timeout",
        check=Seconds(least=LEAST_RTP_TIMEOUT, why="the first RTP of a healthy call may take as long"),
        written="30s",
        about="End a call after this time without RTP that is due and not on hold; a load only fails it, as silent; "
        "from 1s, 0 = never.",
    )
    """Seconds without any RTP, where some is due, before a call is hung up, or fails in a load; 0 = off."""
    strict_source: bool = option(
        True,
        "--any-source",
        check=Flag(sets=False),
        about="Accept requests within a call from any host, not only from hosts of its peer.",
    )
    """Requests within a call must come from a host of its peer; False lets them come from anywhere (RELIABILITY S3)."""
    hang_timeout: float = option(
        5.0,
        "--hang-timeout",
        check=Seconds(
            least=LEAST_HANG_TIMEOUT, why="healthy processes send a heartbeat twice a second, later while they are busy"
        ),
        written="5s",
        about="Replace a process after this time without a heartbeat; from 2s, 0 = never.",
    )
    """Seconds without a heartbeat before a process is replaced; 0 = off."""
    memory_limit: int = option(
        0,
        "--memory-limit",
        check=Kind.SIZE,
        written="0",
        about="Replace a process whose resident memory is above this size, such as 512M: it takes no new calls and is "
        "drained first, unless its calls go on in the replacement; 0 = never.",
    )
    """Octets of resident memory of one process above which it is replaced; 0 = off."""
    session_expires: float = option(
        1800.0,
        "--session-expires",
        check=Seconds(least=90.0, why="no peer accepts it (RFC 4028 section 5)"),
        written="1800s",
        about="Session interval to request (RFC 4028); a call whose peer has no session timer is probed by OPTIONS "
        "every half of it; from 90s, 0 = neither.",
    )
    """Seconds after which a call without a refresh ends, and twice those between two probes; 0 = off."""
    max_call_time: float = option(
        0.0,
        "--max-call-time",
        check=Seconds(),
        written="0s",
        about="Hang up a call this time after its answer; 0 = no bound.",
    )
    """Seconds from answer to BYE at most; 0 = no bound."""
    source_connections: int = option(
        64,
        "--source-connections",
        check=Count(1, 65535),
        about="Maximum TCP and TLS connections that one remote address may have opened.",
    )
    """Connections that one remote address, or one /64 of IPv6, may have opened."""
    max_calls: int = option(
        20000,
        "--max-calls",
        check=CALLS,
        about="Maximum live calls per call worker; further calls get 503, and a load starts none: exit code 98.",
    )
    """Live calls per call worker; a further INVITE gets 503."""


@dataclass(frozen=True, slots=True)
class NodeConfig(NodeSettings):
    """The configuration that the processes of one node share."""

    run_dir: str
    """Private directory (0700) of the sockets between the processes; empty = all roles in one loop (embedded)."""
    listeners: tuple[Listener, ...]
    """Bound addresses; a message names its listener by index."""
    call_id_key: int
    """Key of `slot_of`, an unsigned 32-bit integer."""
    answer: AnswerConfig | None = None
    load: LoadConfig | None = None
    robot: RobotConfig | None = None
    server: ServerConfig | None = None
    user: str = "sipswarm"
    """User part of From and Contact."""
    ladders: bool = False
    """Keep the newest SIP messages of each live call, for `Call.ladder` and the folders of failed calls."""
    tells_incoming: bool = False
    """Whether the supervisor receives a record of each ended call that came in too, not only of those placed."""

    @classmethod
    def of(
        cls,
        settings: NodeSettings,
        listeners: Sequence[Listener],
        *,
        user: str = "sipswarm",
        answer: AnswerConfig | None = None,
        load: LoadConfig | None = None,
        robot: RobotConfig | None = None,
        server: ServerConfig | None = None,
        tells_incoming: bool = False,
    ) -> "NodeConfig":
        """Return the configuration of a node with these settings; the supervisor adds a folder and a key."""
        said = {each.name: getattr(settings, each.name) for each in dataclasses.fields(NodeSettings)}
        return cls(
            "",
            tuple(listeners),
            0,
            answer=answer,
            load=load,
            robot=robot,
            server=server,
            user=user,
            ladders=load is not None,
            tells_incoming=tells_incoming,
            **said,
        )

    @property
    def networks(self) -> tuple[str, ...] | None:
        """Networks whose requests outside of a call are read; None = all."""
        robots = [each.allow for each in (self.answer, self.robot, self.server) if each is not None]
        if robots:
            return tuple(dict.fromkeys(network for allow in robots for network in allow))
        return self.load.allow or None if self.load is not None else None

    def endpoint(self, name: str) -> str:
        """Return the address of a link.

        It is a socket file in the run directory, or inside this process when there is none.
        """
        return f"ipc://{self.run_dir}/{name}.sock" if self.run_dir else f"inproc://{name}"

    def shared_file(self, name: str) -> str:
        """Return the path of a file that the processes of the node share; empty when all roles are in one process."""
        return f"{self.run_dir}/{name}.shared" if self.run_dir else ""

    def to_json(self) -> str:
        """Write one line of text."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "NodeConfig":
        """Read what `to_json` wrote."""
        return cast(NodeConfig, _read_back(cls, json.loads(text)))


def name_of(role: str, slot: int) -> str:
    """Return the name of a slot of a role."""
    return role if role == "dispatcher" else f"{role}-{slot}"


@dataclass(frozen=True, slots=True)
class HandedDown:
    """The open files that a process gets with its order, a field for each descriptor; -1 = it has none of that kind."""

    listeners: tuple[int, ...] = ()
    """The listen sockets, in the order of `config.listeners`."""
    last_call: int = -1
    """A pipe that all call workers hold open for writing; the others read its end when the last of them ends."""
    roll: int = -1
    """The memory of the roll of a load's call worker (`host.roll`)."""
    ledger: int = -1
    """The ledger of the slot (`actors.ledger`)."""
    boxes: int = -1
    """The memory of the black boxes (`diagnosis.black_box`)."""

    @property
    def numbers(self) -> list[int]:
        """All that are there, in an order of their own."""
        found: list[int] = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            found += value if isinstance(value, tuple) else () if value < 0 else (value,)
        return found

    def renumbered(self, numbers: Sequence[int]) -> "HandedDown":
        """Return the same with the numbers that another process has for the same files.

        Args:
            numbers: in the order of `numbers`.

        Raises:
            ValueError: they are not as many.
        """
        new = dict(zip(self.numbers, numbers, strict=True))
        fields: dict[str, Any] = {}
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            fields[each.name] = tuple(map(new.get, value)) if isinstance(value, tuple) else new.get(value, -1)
        return HandedDown(**fields)


@dataclass(frozen=True, slots=True)
class ProcessOrder:
    """The order that a process carries out, one line; its files come with it (`host.handover`)."""

    role: str
    """dispatcher, call or media."""
    slot: int
    incarnation: int
    config: NodeConfig
    files: HandedDown
    """With the numbers of the process that gives the order."""
    closing: bool = False
    """A call worker that only ends the calls of those before, which died too often."""

    @property
    def name(self) -> str:
        """The slot's name for ps, logs and metrics."""
        return name_of(self.role, self.slot)

    def to_line(self) -> bytes:
        """Write one line, with its end."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "ProcessOrder":
        """Read what `to_line` wrote."""
        return cast(ProcessOrder, _read_back(cls, json.loads(line)))


def _read_back(kind: Any, raw: Any) -> Any:
    """Return a value of a record's field, or a record, by its declaration: JSON has neither tuples nor classes."""
    if dataclasses.is_dataclass(kind):
        kinds = typing.get_type_hints(kind)
        return cast(type[Any], kind)(**{name: _read_back(kinds[name], value) for name, value in raw.items()})
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        each = arguments[:1] * len(raw) if arguments[-1] is Ellipsis else arguments
        return tuple(_read_back(one, value) for one, value in zip(each, raw, strict=True))
    if isinstance(kind, types.UnionType):
        return None if raw is None else _read_back(arguments[0], raw)
    return raw
