"""Injection files of SIPp as they are read from disk: `-inf` and `-infindex`."""

from collections.abc import Mapping, Sequence

from ..errors import ConfigurationError
from ..host.named_files import MOST_ROWS, read_octets
from ..scripts.sipp_rows import SippRows, read_rows
from .injection import InjectionFile, InjectionFiles


def read_injection(paths: Sequence[str], indexes: Mapping[str, int] | None = None, seed: int = 1) -> InjectionFiles:
    """Read all injection files of a run.

    Args:
        paths: of `-inf`, in order; the first one is meant where a scenario names no file.
        indexes: of `-infindex`: fields by names of files.
        seed: of RANDOM.

    Raises:
        ConfigurationError: with file and line, or the option: a file cannot be read or is malformed, or an index is
            wanted of a file that is not there.
    """
    files = InjectionFiles({path: InjectionFile(_rows(path)) for path in paths}, seed)
    for name, field in (indexes or {}).items():
        file = files.get(name)
        if not name or file is None:
            raise ConfigurationError(f"-infindex {name}: there is no such injection file; give it by -inf {name}")
        if field < 0:
            raise ConfigurationError(f"-infindex {name} {field}: write the number of a field, from 0")
        file.index(field)
    return files


def _rows(path: str) -> SippRows:
    text = read_octets(path, "an injection file of SIPp", MOST_ROWS, again=True).decode("latin-1")
    return read_rows(path, [line.removesuffix("\r") for line in text.removeprefix("\xef\xbb\xbf").split("\n")])
