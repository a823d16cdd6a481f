"""The options of `sipswarm registrar` and `sipswarm proxy`: one record, of which each verb has those that it uses.

Plain data, as `option_kinds`. `config` gives it to the processes of a node.
"""

from dataclasses import dataclass

from .option_kinds import Count, Flag, Kind, OneOf, Seconds, option


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """A registrar, a proxy, or both in one call worker."""

    realm: str = option("sipswarm", "--realm", check=Kind.FILLED, about="Realm of the challenges.")
    domains: tuple[str, ...] = option(
        (),
        "--domain",
        check=Kind.DOMAIN,
        many=True,
        shown="the realm",
        about="Domain of the addresses that register; repeatable. The listeners' addresses stand for the first.",
    )
    """Empty = the realm is the domain."""
    users: str = option(
        "",
        "--users",
        check=Kind.TEXT,
        shown="none: everybody may register",
        about="CSV file with the columns user and password: who may register, after a challenge.",
    )
    """Path of the file; empty = nobody is challenged."""
    algorithms: tuple[str, ...] = option(
        (),
        "--algorithm",
        check=OneOf(("MD5", "SHA-256", "SHA-512-256")),
        many=True,
        shown="MD5",
        about="Algorithm of the challenges, in this order; repeatable.",
    )
    """Empty = MD5 alone: libre, which is in baresip 1.0, gives up at a challenge of another one (ENOSYS)."""
    expires: tuple[int, int, int] = option(
        (60, 3600, 7200),
        "--expires",
        check=Kind.EXPIRES,
        written="60s:1h:2h",
        about="Least, default and longest time of a binding; a shorter one gets 423.",
    )
    """Seconds."""
    file: str = option(
        "",
        "--file",
        check=Kind.WRITTEN_FILE,
        shown="none: bindings end with the node",
        about="File that keeps the bindings over a restart.",
    )
    redirect: bool = option(
        False, "--redirect", check=Flag(), about="Answer requests for an address by 302 with its contacts."
    )
    registrar: bool = option(
        False,
        "--registrar",
        check=Flag(),
        about="Be the registrar of the domain too, and send its calls to the contacts.",
    )
    record_route: bool = option(
        False, "--record-route", check=Flag(), about="Stay in the way of the later requests of each dialog."
    )
    nat: bool = option(
        False,
        "--nat",
        check=Flag(),
        about="Answer and reach phones whose Contact names another host by the address and connection that they send "
        "from; includes --record-route.",
    )
    relay_media: bool = option(
        False,
        "--relay-media",
        check=Flag(),
        about="Relay the media of the calls, by ports of --rtp-ports; includes --record-route.",
    )
    relay_timeout: float = option(
        300.0,
        "--relay-timeout",
        check=Seconds(least=1.0, why="the first packet of a healthy call may take as long"),
        written="5m",
        about="Release the ports of a relayed call after this time without a packet; from 1s, 0 = never.",
    )
    """Seconds; 0 = never."""
    auth: bool = option(
        False, "--auth", check=Flag(), about="Challenge requests outside of dialogs by 407; needs --users."
    )
    any_from: bool = option(
        False,
        "--any-from",
        check=Flag(),
        about="Let a user of --auth write another user of the domain into From; else that gets 403.",
    )
    next_hop: str = option(
        "",
        "--next-hop",
        check=Kind.SIP_URI,
        shown="by the Request-URI",
        about="Send requests for other domains to this SIP URI.",
    )
    block: tuple[tuple[str, int], ...] = option(
        (), "--block", check=Kind.BLOCK, many=True, about="Refuse a method by a status, such as INVITE=405; repeatable."
    )
    block_agents: tuple[str, ...] = option(
        (),
        "--block-agent",
        check=Kind.FILLED,
        many=True,
        about="Refuse by 403 what has this text in its User-Agent; repeatable.",
    )
    drop_agents: tuple[str, ...] = option(
        (),
        "--drop-agent",
        check=Kind.FILLED,
        many=True,
        about="Give no answer to what has this text in its User-Agent; repeatable.",
    )
    drop_above: int = option(
        0,
        "--drop-above",
        check=Count(0, 1_000_000),
        about="Give no answer to further requests of an address after this many within a minute; 0 = to any number.",
    )
    proxy: bool = False
    """Whether requests are sent on."""
    allow: tuple[str, ...] = ()
    """Networks whose messages are taken; the rest gets no answer at all."""
