"""A module: what a probe does and expects, and how it reaches its target. Plain data.

A module is a set of options of `sipswarm probe`: those of one command line, or a table of a file of modules. Both are
read by the same code (`cli.probe_modules`). The fields are checked there, and here where they must fit together.
"""

from dataclasses import dataclass, field, fields
from typing import Final

from ..config import CallSettings, Count, Digits, Flag, Media, Number, OneOf, Seconds, option
from ..errors import ConfigurationError

DEFAULT: Final = "default"
"""Name of the module of a request that names none."""
MOST_SECONDS: Final = 120.0
"""Seconds that a probe may take at most."""
_OF_ALL: Final = frozenset(("call", "register", "timeout", "expect_code", "ip_protocol"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChecks:
    """What a probe sends, and what must come back."""

    call: bool = option(False, "--call", check=Flag(), about="Place a call; without it the probe sends OPTIONS.")
    register: bool = option(
        False,
        "--register",
        check=Flag(),
        about="Register the user of TARGET, or --from, at TARGET, ask for the contacts, and remove the new one.",
    )
    timeout: float = option(
        10.0,
        "--timeout",
        check=Seconds(),
        written="10s",
        about="How long the probe may take, from the DNS lookup to the end of a call; at most 120s.",
    )
    """Seconds."""
    expect_code: tuple[int, ...] = option(
        (),
        "--expect-code",
        check=Count(200, 699),
        many=True,
        shown="any 2xx",
        about="Expect this final status, such as 486; repeatable.",
    )
    """Final statuses of which one must come; empty = any 2xx."""
    ip_protocol: str = option(
        "any",
        "--ip-protocol",
        check=OneOf(("any", "ip4", "ip6")),
        about="IP version of the addresses that DNS has for the target; any = IPv4 first.",
    )
    hold: float = option(
        1.0,
        "-d",
        "--hold",
        check=Seconds(unit_needed=True),
        written="1s",
        about="How long to hold the call, with its unit: 5s.",
    )
    """Seconds from the answer to the BYE of this side."""
    media: str = option(
        "silence", "--media", check=Media(), about="What the call sends: silence, echo, play:FILE, tone:HZ or none."
    )
    dtmf: str = option("", "--dtmf", check=Digits(), about="Send these digits after the answer.")
    expect_dtmf: str = option(
        "", "--expect-dtmf", check=Digits(same="="), about="Expect these digits; = means the digits that were sent."
    )
    expect_media: bool = option(
        False, "--expect-media", check=Flag(), about="Expect audio in both directions, as for a load."
    )
    expect_audio: bool = option(
        False, "--expect-audio", check=Flag(), about="Expect half of the received audio above -50 dBm0."
    )
    expect_mos: float = option(
        0.0, "--expect-mos", check=Number(1.0, 4.5), optional=True, about="Minimum MOS-CQE of the call."
    )
    """0 = any."""

    def check(self) -> None:
        """See that the options fit together.

        Raises:
            ConfigurationError: one is about a call and the probe places none, or one can never be met.
        """
        if not 0 < self.timeout <= MOST_SECONDS:
            raise ConfigurationError(f"--timeout {self.timeout:g}s is not above 0 and at most {MOST_SECONDS:g}s")
        if self.call and self.register:
            raise ConfigurationError("--call and --register are two probes; give one of them")
        for each in fields(self):
            if not self.call and each.name not in _OF_ALL and getattr(self, each.name) != each.default:
                raise ConfigurationError(f"--{each.name.replace('_', '-')} is about a call; add --call")
        if "?" in self.dtmf:
            raise ConfigurationError("--dtmf ? is a random digit of a load; write the digits")
        if self.expect_dtmf == "=" and not self.dtmf:
            raise ConfigurationError("--expect-dtmf = means the digits of --dtmf, and there are none; write the digits")
        if self.call and self.hold >= self.timeout:
            raise ConfigurationError(
                f"the call is held for {self.hold:g}s and the whole probe may take {self.timeout:g}s; raise --timeout"
            )
        if (self.expect_media or self.expect_audio or self.expect_mos) and (not self.hold or self.media == "none"):
            raise ConfigurationError("media is expected of a call that has none; give -d and another --media")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """How a probe reaches its target, and its checks."""

    checks: ProbeChecks = field(default_factory=ProbeChecks)
    settings: CallSettings = field(default_factory=CallSettings)
    """Identity, credentials, proxy, headers, codecs, encryption and certificates."""
    transport: str = ""
    """Of targets that name none; empty = as RFC 3263 has it."""
    user: str = ""
    """User part of targets that name none."""
    local_ip: str = ""
    """Empty = as the kernel chooses it."""
    local_port: int = 0
    """0 = any free one."""
    allow_public: bool = False
    """Whether targets outside of loopback, link-local and private networks are permitted."""
