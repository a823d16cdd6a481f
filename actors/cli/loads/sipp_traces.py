"""The files of SIPp's options of traces for a load or robot whose scenario is one of SIPp: `-trace_stat` …"""

import os
import time
from dataclasses import replace
from typing import TypeVar

from ...config import LoadConfig, RobotConfig
from ...load.sipp_files import message_files
from ...load.sipp_files.trace_files import TraceFiles
from ...load.sipp_files.trace_names import names_of
from ...sipp import program_reader, scenario_file
from ...sipp.traces.columns import columns_of

Config = TypeVar("Config", LoadConfig, RobotConfig)


def traced(config: Config) -> tuple[Config, TraceFiles | None]:
    """Begin the files that a load or robot is to write.

    Returns:
        The same with the names of the files that call workers write, and the files that this process writes; None = the
        scenario is no file of SIPp.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    if not scenario_file.is_named(config.scenario):
        return config, None
    given = config.sipp_traces
    names = names_of(given, scenario_file.label_of(config.scenario), os.getpid())
    document = scenario_file.read_file(config.scenario)
    program = program_reader.read(document, keys=dict(config.sipp.keys), allow_exec=config.sipp.allow_exec)
    files = TraceFiles(
        names,
        columns_of(document, program),
        period=given.statistics_period,
        delimiter=given.statistics_delimiter,
        zone=message_files.local_zone(),
        wall=time.time() - time.monotonic(),
    )
    messages, short_messages = message_files.create(names)
    given = replace(given, message_file=messages, short_message_file=short_messages)
    return replace(config, sipp_traces=given), files
