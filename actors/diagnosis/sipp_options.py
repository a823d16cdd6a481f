"""The options that belong to a scenario file of SIPp.

Plain data, as `option_kinds`. `config` gives it to the processes of a node.
"""

from dataclasses import dataclass

from .option_kinds import Flag, Kind, option


@dataclass(frozen=True, slots=True)
class SippFileConfig:
    """What a scenario file of SIPp gets besides its calls."""

    keys: tuple[tuple[str, str], ...] = option(
        (),
        "-key",
        check=Kind.PAIR,
        many=True,
        about="NAME VALUE: text of the keyword [NAME] in a scenario file of SIPp; repeatable.",
    )
    """Names and values of keywords."""
    variables: tuple[tuple[str, str], ...] = option(
        (),
        "-set",
        check=Kind.PAIR,
        many=True,
        about="NAME VALUE: value of a global variable of a scenario file of SIPp; repeatable.",
    )
    """Names and values of global variables."""
    allow_exec: bool = option(
        False, "--allow-exec", check=Flag(), about="Let a scenario file of SIPp run programs (exec command)."
    )
