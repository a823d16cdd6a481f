"""The program of a scenario file that a load or robot names."""

from ...diagnosis.sipp_options import SippFileConfig
from ...sipp.program import Program
from ...sipp.program_reader import read, runnable
from ...sipp.scenario_file import read_file


def program_of(path: str, options: SippFileConfig) -> Program:
    """Return the program of a file that can be run.

    Raises:
        ConfigurationError: it cannot be read, or has something that cannot be run; with file and line.
    """
    return runnable(read(read_file(path), keys=dict(options.keys), allow_exec=options.allow_exec))
