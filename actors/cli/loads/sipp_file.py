"""`check load … -sf FILE.xml`: what a scenario file of SIPp does and needs. Nothing is sent."""

from pathlib import Path
from typing import Final

import click

from ...config import LoadConfig
from ...errors import ConfigurationError
from ...sipp import check as sipp_check
from ...sipp import program_reader, scenario_file
from ...sipp.program import Program, Role
from ..configuration import given
from ..terminal import echo

_SUFFIX_LENGTH: Final = len(scenario_file.SUFFIX)


def is_named(config: LoadConfig) -> bool:
    """Return whether the scenario of a load is a file of SIPp: its suffix decides."""
    return config.scenario[-_SUFFIX_LENGTH:].lower() == scenario_file.SUFFIX


def check_options(config: LoadConfig) -> None:
    """See that options for files of SIPp have one.

    Raises:
        UsageError: they have none.
    """
    if is_named(config):
        return
    for name, option in (("key", "-key"), ("allow_exec", "--allow-exec")):
        if given(name):
            raise click.UsageError(f"{option} is for a scenario file of SIPp; say -sf FILE.xml too")


def read(config: LoadConfig) -> Program:
    """Return the program of the file that a load names.

    Raises:
        ConfigurationError: it cannot be read, or the first message of its calls is received.
    """
    document = scenario_file.read_file(config.scenario)
    program = program_reader.read(document, keys=dict(config.sipp.keys), allow_exec=config.sipp.allow_exec)
    if program.role is Role.RECEIVES:
        raise ConfigurationError(
            f"{config.scenario}:{program.steps[0].line}: the first message of its calls is received; "
            "a load needs a file that sends it"
        )
    return program


def checked(config: LoadConfig) -> int:
    """Show what the file does and needs; return 2 when something is missing or cannot be run, else 0.

    Raises:
        ConfigurationError: see `read`.
    """
    program = read(config)
    missing = missing_files(program, config)
    for line in (*sipp_check.report(program, missing), *sipp_check.flow(program)):
        echo(line)
    return 0 if sipp_check.passes(program, missing) else 2


def missing_files(program: Program, config: LoadConfig) -> dict[str, str]:
    """Return what is wrong with the files that a scenario file names, by their names."""
    folder = Path(config.scenario).parent
    found: dict[str, str] = {}
    for use in program.needs.media:
        if "[" not in use.name and not (folder / use.name).is_file() and not Path(use.name).is_file():
            found[use.name] = "there is no such file; give it beside the scenario file or in this folder"
    for use in program.needs.fields:
        if not config.data:
            found[use.name or "injection file"] = "the scenario file takes fields of it; give it with -inf"
        elif use.name and Path(use.name).name != Path(config.data).name:
            found[use.name] = f"-inf names {config.data}; give this file"
    return found
