"""The programs of the SIPp files of a load or robot: what `check … -sf FILE.xml` shows, and whether they can be run."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from ...config import LoadConfig, RobotConfig
from ...errors import ConfigurationError
from ...load.sipp_files.call_streams import needs_stream, path_beside
from ...load.sipp_files.settings import check_rows, check_settings, row_files
from ...sipp import check as sipp_check
from ...sipp import program_reader, scenario_file
from ...sipp.faults import Fault
from ...sipp.markup import excerpt
from ...sipp.program import Program, Receive, ReceiveCommand, Role, Send, SendCommand
from ..configuration import given
from ..terminal import echo
from .sipp_media import NO_FILE, media_problems

MOST_TOLD: Final = 5
"""Tolerated mistakes that a load or robot tells one by one."""
_SPEAKING: Final = Send | SendCommand | Receive | ReceiveCommand
"""Commands that say who begins."""


def read(config: LoadConfig | RobotConfig) -> list[Program]:
    """Return the programs of the files that a load or robot names: of its calls, and of their other side if it has one.

    Raises:
        ConfigurationError: one cannot be read, the calls begin the other way round, the other side does not wait for a
            command, or there is no such variable as one of `-set`.
    """
    program = _read(config, config.scenario)
    receives = isinstance(config, RobotConfig)
    if receives is not (program.role is Role.RECEIVES):
        first = "sent; a robot needs a file that receives it, and load runs this one"
        if not receives:
            first = "received; a load needs a file that sends it, and robot runs this one"
        raise ConfigurationError(
            f"{config.scenario}:{program.steps[0].line}: the first message of its calls is {first}"
        )
    check_settings(config, program)
    second = "" if isinstance(config, RobotConfig) else config.sipp_load.second_file
    if not second:
        missing = _of_robots(program) if receives else _alone(program)
        return [replace(program, unsupported=(*program.unsupported, *_not_carried_out(program), *missing))]
    if not scenario_file.is_named(second):
        raise ConfigurationError(f"--second-scenario {second}: give a scenario file of SIPp, such as FILE.xml")
    other = _read(config, second)
    speaking = next(each for each in other.steps if isinstance(each, _SPEAKING))
    if not isinstance(speaking, ReceiveCommand):
        raise ConfigurationError(
            f"{second}:{speaking.line}: the other side of the calls begins with <recvCmd>; give the file that sends "
            "the first message first"
        )
    return [replace(each, unsupported=(*each.unsupported, *_not_carried_out(each))) for each in (program, other)]


def _read(config: LoadConfig | RobotConfig, path: str) -> Program:
    options = config.sipp
    document = scenario_file.read_file(path)
    return program_reader.read(document, keys=dict(options.keys), allow_exec=options.allow_exec)


def check_runnable(config: LoadConfig | RobotConfig) -> None:
    """See that a load or robot can run the files.

    Raises:
        ScenarioFileError: one cannot be taken, or has something that is not carried out yet.
        UsageError: options that do not go together.
    """
    programs = [program_reader.runnable(each) for each in read(config)]
    check_rows(config)
    for program in programs:
        for name, what in missing_files(program, config).items():
            raise ConfigurationError(f"{program.file}{_line_of(program, name)}: {name}: {what}")
    _tell_tolerations(programs)
    _check_media(config, programs)


def _tell_tolerations(programs: Iterable[Program]) -> None:
    """Write the tolerated mistakes of the files to stderr: calls may do another thing than was meant."""
    lines = [line for program in programs for line in sipp_check.tolerations(program)]
    for line in lines[:MOST_TOLD]:
        echo(f"tolerated: {line}", err=True, level="WARNING")
    if len(lines) > MOST_TOLD:
        echo(f"tolerated: {len(lines) - MOST_TOLD} more; sipswarm check shows them", err=True, level="WARNING")


def _line_of(program: Program, name: str) -> str:
    """Return where a file that is missing is named, as `:LINE`; empty = the file names it nowhere."""
    needs = program.needs
    lines = (use.line for use in (*needs.media, *needs.files, *needs.fields) if use.name == name)
    return next((f":{line}" for line in lines), "")


def _check_media(config: LoadConfig | RobotConfig, programs: Iterable[Program]) -> None:
    """See that media is there where it is expected.

    Raises:
        UsageError: it is not.
    """
    if isinstance(config, RobotConfig) or any(needs_stream(each, config) for each in programs):
        return
    for option, value in (
        ("--expect-media", config.expect_media or given("media_share")),
        ("--expect-mos", config.expect_mos),
        ("--expect-audio", config.expect_audio),
    ):
        if value:
            raise click.UsageError(f"{option} needs media, and the file plays and echoes none; say --media silence")


def _not_carried_out(program: Program) -> Iterator[Fault]:
    """What the reader takes, and no call carries out yet."""
    for use in program.needs.files:
        if "[" in use.name:
            yield Fault(use.line, f"[file name={excerpt(use.name)}] has a keyword in its name; write the name itself")


def _of_robots(program: Program) -> Iterator[Fault]:
    """What no robot carries out yet."""
    for step in (*program.init, *program.steps):
        if isinstance(step, SendCommand | ReceiveCommand):
            yield Fault(step.line, "<sendCmd> and <recvCmd> are not carried out by a robot yet")


def _alone(program: Program) -> Iterator[Fault]:
    """What needs the other side of a call."""
    for step in program.steps:
        if isinstance(step, SendCommand | ReceiveCommand):
            yield Fault(step.line, "<sendCmd> and <recvCmd> need the other side; give both files, -sf a.xml -sf b.xml")


def checked(config: LoadConfig | RobotConfig) -> int:
    """Show what the files do and need; return 2 when something is missing or cannot be run, else 0.

    Raises:
        ConfigurationError: see `read`, or the rows of -inf cannot be read; the report is shown before that.
        UsageError: media is expected, and there is none.
    """
    passes = True
    programs = read(config)
    for program in programs:
        missing = missing_files(program, config)
        for line in (*sipp_check.report(program, missing), *sipp_check.flow(program)):
            echo(line)
        passes = passes and sipp_check.passes(program, missing)
    check_rows(config)
    _check_media(config, programs)
    return 0 if passes else 2


def missing_files(program: Program, config: LoadConfig | RobotConfig) -> dict[str, str]:
    """Return what is wrong with the files that a scenario file names, by their names."""
    found = media_problems(program)
    for use in program.needs.files:
        if "[" not in use.name and not Path(path_beside(config.scenario, use.name)).is_file():
            found[use.name] = NO_FILE
    given_rows = row_files(config)
    for use in program.needs.fields:
        if not given_rows:
            found[use.name or "injection file"] = "the scenario file takes fields of it; give it with -inf"
        elif use.name and Path(use.name).name not in {Path(each).name for each in given_rows}:
            found[use.name] = f"-inf names {', '.join(given_rows)}; give this file too"
    return found
