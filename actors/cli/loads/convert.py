"""`sipswarm convert FILE.xml`: a scenario file of SIPp as a Python scenario, on standard output. Nothing is sent."""

from collections.abc import Mapping
from pathlib import Path

import click

from ...sipp import conversion, program_reader, scenario_file
from ...sipp.faults import ScenarioFileError
from ..terminal import echo
from ..values import filled_argument, filled_option


@click.command()
@filled_argument("file")
@filled_option(
    "-key",
    "keys",
    type=click.Tuple([str, str]),
    multiple=True,
    help="NAME VALUE: text of the keyword [NAME]; repeatable.",
)
def convert(file: str, keys: tuple[tuple[str, str], ...]) -> int:
    """Print a Python scenario for a scenario file of SIPp that is a plain call.

    INVITE, its answer, ACK, pauses, digits, BYE, headers of its own and fields of a CSV file have a counterpart. For
    any other file each line without one is named, and nothing is printed.

    \b
    Examples:
      sipswarm convert uac.xml > scenario.py
      sipswarm convert uac.xml -key tenant blue

    Exit codes: 0 converted, 2 the file cannot be read or has no counterpart.
    """
    for line in converted(file, dict(keys)).splitlines():
        echo(line)
    return 0


def converted(file: str, keys: Mapping[str, str]) -> str:
    """Return the Python scenario of a file.

    Args:
        file: its path.
        keys: texts of keywords by their names.

    Raises:
        ConfigurationError: the file cannot be read.
        ScenarioFileError: something in it has no counterpart, each by its line.
    """
    document = scenario_file.read_file(file)
    program = program_reader.read(document, keys=keys)
    text, faults = conversion.convert(program)
    if faults:
        raise ScenarioFileError.of(Path(file).name, faults)
    return text
