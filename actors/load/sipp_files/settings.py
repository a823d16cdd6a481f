"""The settings of the calls of a scenario file, from the options of the load or the robot."""

from collections.abc import Mapping
from typing import Final

from ...config import LoadConfig, RobotConfig
from ...diagnosis.sipp_options import SippFileConfig
from ...errors import ConfigurationError
from ...sipp.call.settings import ALL_BEHAVIOURS, Behaviour, Settings
from ...sipp.injection_reading import read_injection
from ...sipp.program import Program
from ...sipp.variables import Layout
from .call_ids import check_form

_WORDS: Final[Mapping[str, Behaviour]] = {**{each.value: each for each in Behaviour}, "cseq": Behaviour.BAD_CSEQ}
"""The words of `-default_behaviors`; `sipp -h` of 3.7 has `cseq` for `badcseq`."""


def settings_of(config: LoadConfig | RobotConfig) -> Settings:
    """Return the settings of a load, or of a robot.

    Raises:
        ConfigurationError: a word of -default_behaviors is unknown.
    """
    given = config.sipp
    return Settings(
        strict=given.strict,
        behaviours=frozenset() if given.no_default_behaviours else behaviours_of(given.default_behaviours),
        auto_answer=given.auto_answer,
        repeats=not given.no_repeats,
        invite_repeats=given.invite_repeats if given.repeats is None else given.repeats,
        other_repeats=given.other_repeats if given.repeats is None else given.repeats,
        t2=given.t2,
        loose=given.repetition_check == "loose",
        receive_timeout=given.receive_timeout,
        pause=config.hold,
        base_cseq=given.base_cseq,
        lost=given.lost / 100,
        ignored_in_pause=given.ignored_in_pause,
    )


def check_settings(config: LoadConfig | RobotConfig, program: Program) -> None:
    """See that the options of a load or robot and its file go together.

    Raises:
        ConfigurationError: an option has a value that cannot be, or names a variable that is not there.
    """
    settings_of(config)
    if isinstance(config, LoadConfig) and config.sipp_load.call_id_form:
        check_form(config.sipp_load.call_id_form)
    layout = Layout(program.call_variables, program.user_variables, program.global_variables)
    layout.global_values(dict(config.sipp.variables))


def check_rows(config: LoadConfig | RobotConfig) -> None:
    """See that the rows of a load or robot can be given to the calls of its file.

    Raises:
        ConfigurationError: they cannot be read or found.
    """
    read_injection(row_files(config), indexes_of(config.sipp))


def row_files(config: LoadConfig | RobotConfig) -> list[str]:
    """Return the files of `-inf` of a load or robot, in the order of the command line."""
    more = () if isinstance(config, RobotConfig) else config.sipp_load.more_rows
    return [each for each in (config.data, *more) if each]


def behaviours_of(text: str) -> frozenset[Behaviour]:
    """Return the behaviours that `-default_behaviors` names, read from the left; the first word begins with none.

    Raises:
        ConfigurationError: a word is unknown.
    """
    found: frozenset[Behaviour] = frozenset()
    for word in [each.strip() for each in text.split(",")]:
        behaviour = _WORDS.get(word.removeprefix("-"))
        if word in ("all", "none"):
            found = ALL_BEHAVIOURS if word == "all" else frozenset()
        elif behaviour is None:
            known = ", ".join([each.value for each in Behaviour])
            raise ConfigurationError(
                f"-default_behaviors {text}: {word!r} is unknown; write all, none, {known}, or - before one"
            )
        else:
            found = found - {behaviour} if word.startswith("-") else found | {behaviour}
    return found


def indexes_of(given: SippFileConfig) -> dict[str, int]:
    """Return the fields of `-infindex` by the names of files.

    Raises:
        ConfigurationError: a field is no number.
    """
    for name, field in given.indexes:
        if not (field.isascii() and field.isdigit() and len(field) < 6):
            raise ConfigurationError(f"-infindex {name} {field}: write the number of a field, from 0")
    return {name: int(field) for name, field in given.indexes}
