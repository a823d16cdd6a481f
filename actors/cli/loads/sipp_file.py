"""The scenario file of SIPp of a load or robot: what `check … -sf FILE.xml` shows, and whether it can be run."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Final, TypeVar

import click

from ...config import OPTION, LoadConfig, RobotConfig
from ...errors import ConfigurationError
from ...load.sipp_files.call_streams import needs_stream, path_beside
from ...load.sipp_files.settings import check_rows, check_settings
from ...load.thresholds import Threshold
from ...sipp import check as sipp_check
from ...sipp import program_reader, scenario_file
from ...sipp.actions.effects import EXEC
from ...sipp.faults import Fault
from ...sipp.markup import excerpt
from ...sipp.program import Program, ReceiveCommand, Role, SendCommand
from ..configuration import given
from ..terminal import echo

Config = TypeVar("Config", LoadConfig, RobotConfig)
_CAPTURE: Final = "play_pcap_audio"
RUN_TIME: Final = 3600.0
"""Seconds after which a call of a file is given up where --run-time is not given."""


def with_builtin(config: Config) -> Config:
    """Return a load or robot with the scenario that -sn names.

    Raises:
        UsageError: -sf names one too.
        ConfigurationError: there is no such scenario.
    """
    name = config.sipp.builtin
    if not name:
        return config
    if config.scenario:
        raise click.UsageError("-sn and -sf name a scenario each; give one of them")
    return replace(config, scenario=scenario_file.path_of(name))


def is_named(config: LoadConfig | RobotConfig) -> bool:
    """Return whether the scenario of a load or robot is a file of SIPp: its suffix decides."""
    return scenario_file.is_named(config.scenario)


def check_options(config: LoadConfig | RobotConfig) -> None:
    """See that options for files of SIPp have one.

    Raises:
        UsageError: they have none.
    """
    if is_named(config):
        return
    for field in fields(config.sipp):
        name = max(field.metadata[OPTION].names, key=len)
        if given(name.lstrip("-").replace("-", "_")):
            raise click.UsageError(f"{name} is for a scenario file of SIPp; say -sf FILE.xml too")


def read(config: LoadConfig | RobotConfig) -> Program:
    """Return the program of the file that a load or robot names.

    Raises:
        ConfigurationError: it cannot be read, its calls begin the other way round, or it has no such variable
            as one of `-set`.
    """
    document = scenario_file.read_file(config.scenario)
    program = program_reader.read(document, keys=dict(config.sipp.keys), allow_exec=config.sipp.allow_exec)
    receives = isinstance(config, RobotConfig)
    if receives is not (program.role is Role.RECEIVES):
        first = "sent; a robot needs a file that receives it, and load runs this one"
        if not receives:
            first = "received; a load needs a file that sends it, and robot runs this one"
        raise ConfigurationError(
            f"{config.scenario}:{program.steps[0].line}: the first message of its calls is {first}"
        )
    check_settings(config, program)
    missing = _not_carried_out(program, "a robot" if receives else "a load")
    return replace(program, unsupported=(*program.unsupported, *missing))


def resolved(config: LoadConfig, thresholds: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """Return the thresholds of a load, those of response times with the names that its file has for them.

    Raises:
        ConfigurationError: the file has no such response time, or cannot be read.
    """
    found = tuple(thresholds)
    needed = is_named(config) and any(each.response_time for each in found)
    names = read(config).response_times if needed else ()
    return tuple(each.resolved(names) for each in found)


def check_runnable(config: LoadConfig | RobotConfig) -> None:
    """See that a load or robot can run the file.

    Raises:
        ScenarioFileError: it cannot be taken, or has something that is not carried out yet.
        UsageError: options that do not go together.
    """
    program = program_reader.runnable(read(config))
    check_rows(config)
    for name, what in missing_files(program, config).items():
        raise ConfigurationError(f"{config.scenario}: {name}: {what}")
    _check_media(config, program)
    for option, value in _judged(config):
        if value:
            raise click.UsageError(
                f"{option} is not for a scenario file of SIPp, which judges its calls itself; drop it"
            )


def _judged(config: LoadConfig | RobotConfig) -> tuple[tuple[str, object], ...]:
    """Options of digits and of judgement that a file does without, and their values."""
    if isinstance(config, RobotConfig):
        return ()
    return (
        ("--dtmf", config.dtmf),
        ("--expect-dtmf", config.expect_dtmf),
        ("--expect-code", config.expect_code),
    )


def _check_media(config: LoadConfig | RobotConfig, program: Program) -> None:
    """See that media is there where it is expected.

    Raises:
        UsageError: it is not.
    """
    if isinstance(config, RobotConfig) or needs_stream(program, config):
        return
    for option, value in (
        ("--expect-media", config.expect_media or given("media_share")),
        ("--expect-mos", config.expect_mos),
        ("--expect-audio", config.expect_audio),
    ):
        if value:
            raise click.UsageError(f"{option} needs media, and the file plays and echoes none; say --media silence")


def _not_carried_out(program: Program, who: str) -> Iterator[Fault]:
    """What the reader takes, and no call carries out yet.

    Args:
        who: runs the file: a load, or a robot.
    """
    for use in program.needs.files[:1]:
        yield Fault(use.line, f"[file name=…] is not carried out by {who} yet; write the text itself")
    for step in (*program.init, *program.steps):
        if isinstance(step, SendCommand | ReceiveCommand):
            yield Fault(step.line, f"<sendCmd> and <recvCmd> are not carried out by {who} yet")
        for action in step.actions:
            kind = next((each for each in EXEC if each in action.attributes), "") if action.name == "exec" else ""
            stops = kind == "int_cmd" and action.attributes[kind] in ("stop_now", "stop_gracefully")
            if kind == "command" or stops:
                name = f'exec {kind}="{excerpt(action.attributes[kind])}"'
                yield Fault(action.line, f"<{name}> is not carried out by {who} yet")


def checked(config: LoadConfig | RobotConfig) -> int:
    """Show what the file does and needs; return 2 when something is missing or cannot be run, else 0.

    Raises:
        ConfigurationError: see `read`.
    """
    program = read(config)
    missing = missing_files(program, config)
    for line in (*sipp_check.report(program, missing), *sipp_check.flow(program)):
        echo(line)
    return 0 if sipp_check.passes(program, missing) else 2


def missing_files(program: Program, config: LoadConfig | RobotConfig) -> dict[str, str]:
    """Return what is wrong with the files that a scenario file names, by their names."""
    found: dict[str, str] = {}
    captures = _captures_of(program)
    for use in program.needs.media:
        path = path_beside(config.scenario, use.name)
        if "[" in use.name:
            continue
        if not Path(path).is_file():
            found[use.name] = "there is no such file; give it beside the scenario file or in this folder"
        elif use.name in captures and (problem := _problem_of(path)):
            found[use.name] = problem
    for use in program.needs.fields:
        if not config.data:
            found[use.name or "injection file"] = "the scenario file takes fields of it; give it with -inf"
        elif use.name and Path(use.name).name != Path(config.data).name:
            found[use.name] = f"-inf names {config.data}; give this file"
    return found


def _problem_of(capture: str) -> str:
    """Why a capture file cannot be replayed; empty = it can, as far as its first packet."""
    from sipswarm.media.captures import CaptureFiles
    from sipswarm.media.sources import SourceError

    try:
        CaptureFiles().source(capture)
    except SourceError as error:
        return error.detail
    return ""


def _captures_of(program: Program) -> set[str]:
    """Return the names of the capture files that a file plays."""
    return {
        action.attributes[_CAPTURE]
        for step in program.steps
        for action in step.actions
        if _CAPTURE in action.attributes
    }
