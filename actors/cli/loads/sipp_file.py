"""The scenario file of SIPp of a load or robot: whether there is one, and the options that need one.

`sipp_programs` reads it.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Final, TypeVar

import click

from ...config import OPTION, LoadConfig, RobotConfig
from ...load.thresholds import Threshold
from ...sipp import scenario_file
from ..configuration import given
from .without_effect import check_effect

Config = TypeVar("Config", LoadConfig, RobotConfig)
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
    """See that options for files of SIPp have one, and that those of a file mean something for it.

    Raises:
        UsageError: they do not; it is named.
    """
    if is_named(config):
        check_effect(config)
        return
    more = fields(config.sipp_load) if isinstance(config, LoadConfig) else ()
    for field in (*fields(config.sipp), *fields(config.sipp_traces), *more):
        name = max(field.metadata[OPTION].names, key=len)
        if given(name.lstrip("-").replace("-", "_")):
            raise click.UsageError(f"{name} is for a scenario file of SIPp; say -sf FILE.xml too")


def resolved(config: LoadConfig, thresholds: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """Return the thresholds of a load, those of response times with the names that its files have for them.

    Raises:
        ConfigurationError: no file has such a response time, or one cannot be read.
    """
    found = tuple(thresholds)
    names: list[str] = []
    if is_named(config) and any(each.response_time for each in found):
        from .sipp_programs import read

        names = [name for program in read(config) for name in program.response_times]
    return tuple(each.resolved(names) for each in found)
