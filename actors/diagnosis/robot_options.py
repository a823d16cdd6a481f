"""The options of a robot: of the built-in one (`sipswarm answer`), and of a user's file (`sipswarm robot`).

Plain data, as `option_kinds`. `config` gives it to the processes of a node.
"""

from dataclasses import dataclass

from .option_kinds import CALLS, Count, Flag, Kind, Media, Seconds, option
from .sipp_options import SippFileConfig
from .sipp_trace_options import SippTraceConfig


@dataclass(frozen=True, slots=True)
class AnswerConfig:
    """The behaviour of the built-in answering robot for each call."""

    media: str = option(
        "echo",
        "--media",
        check=Media(("ivr",)),
        about="echo, silence, play:FILE, tone:HZ, ivr (collects four digits and sends them back) or none.",
    )
    ring_time: float = option(
        0.0, "--ring-time", check=Seconds(), written="0s", about="How long to ring before the answer."
    )
    """Seconds of ringing (180) before the answer; 0 = a 180 and at once the answer."""
    status: int = option(
        200, "--status", check=Count(200, 699), about="Final status for every call; 300 and above refuses it."
    )
    dtmf_echo: bool = option(False, "--dtmf-echo", check=Flag(), about="Send each received digit back.")
    hangup_after: float = option(
        0.0,
        "--hangup-after",
        check=Seconds(),
        written="0s",
        about="How long to hold each call; 0 = until the caller hangs up.",
    )
    """Seconds after the answer; 0 = the peer hangs up."""
    allow: tuple[str, ...] = (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
    """Networks whose calls are answered; the rest gets no answer at all."""


@dataclass(frozen=True, slots=True)
class RobotConfig:
    """A user's robot: a coroutine function of a file, or a scenario file of SIPp, run for each call that comes in."""

    file: str
    """Python file; empty = `scenario` is one of SIPp."""
    name: str = "robot"
    media: str = option(
        "silence", "--media", check=Media(), about="Media of a call until the robot starts other media."
    )
    """As for `AnswerConfig`."""
    allow: tuple[str, ...] = AnswerConfig().allow
    """Networks whose calls are taken; the rest gets no answer at all."""
    scenario: str = option(
        "",
        "-sf",
        "--scenario",
        check=Kind.TEXT,
        about="FILE.xml of SIPp whose first message is received: run as it is for each call, instead of FILE.",
    )
    """Scenario file of SIPp, instead of `file`."""
    sipp: SippFileConfig = SippFileConfig()
    calls: int = option(
        0,
        "-m",
        "--calls",
        check=CALLS,
        optional=True,
        about="End when this many calls are over; exit code 1 if one has failed. Without it a signal ends the robot.",
    )
    """0 = until a signal."""
    sipp_traces: SippTraceConfig = SippTraceConfig()
    data: str = option(
        "", "-inf", "--data", check=Kind.TEXT, about="CSV file with a row for each call of -sf FILE.xml."
    )
    hold: float = option(
        0.0,
        "-d",
        "--hold",
        check=Seconds(unit_needed=True),
        written="0s",
        shown=False,
        about="Default pause of a scenario file of SIPp, with its unit: 5s, 5000ms.",
    )
    """Seconds."""
    service: str = "service"
    """`[service]` in such a file."""
    seed: int = 1
    """Of what is drawn in such a file."""
