"""Options of `load` and `robot` that mean nothing for a scenario file of SIPp, each with what to write instead."""

from collections.abc import Mapping
from typing import Final

import click

from ...config import LoadConfig, RobotConfig
from ..configuration import overruled

_ITSELF: Final = "it judges its calls itself; drop it"
_DESCRIBES: Final = "its messages describe the media; write it there"
OF_FILES: Final[Mapping[str, str]] = {
    "header": "its messages go as they are; write the header there",
    "from": "its messages go as they are; write From there, with -key NAME VALUE for what varies",
    "codec": _DESCRIBES,
    "srtp": _DESCRIBES,
    "rtp-timeout": "its calls end as it says; drop it",
    "session-expires": "its messages go as they are; write Session-Expires there",
}
"""For each file, by the long name of the option."""
OF_LOADS: Final[Mapping[str, str]] = {
    "dtmf": _ITSELF,
    "expect-dtmf": _ITSELF,
    "expect-code": _ITSELF,
    "method": "it sends what it says; drop it",
    "ring-time": "write timeout into its recv, or -recv_timeout for each of them",
    "max-call-time": "write --run-time",
}
"""For those of loads too."""
OF_ROBOTS: Final[Mapping[str, str]] = {"proxy": "its messages go where the first request came from; drop it"}
"""For those of robots too."""


def check_effect(config: LoadConfig | RobotConfig) -> None:
    """See that each option that was given means something for the file of a load or robot.

    A value of the configuration file may be meant for other runs, where the command line names the file.

    Raises:
        UsageError: one means nothing; it is named.
    """
    more = OF_ROBOTS if isinstance(config, RobotConfig) else OF_LOADS
    for name, instead in {**OF_FILES, **more}.items():
        parameter = name.replace("-", "_")
        if overruled(parameter, "scenario") or overruled(parameter, "sn"):
            raise click.UsageError(f"--{name} is not for a scenario file of SIPp: {instead}")
