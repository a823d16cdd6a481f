"""A file of modules for `sipswarm probe --serve`: TOML, a table [modules.NAME] for each, its keys the long options.

Values are read by the same code as those of the command line, from which `module_of` makes the module of one probe. An
unknown name must never be passed over, and an error names the file, the module and the fix.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from ...config import CallSettings
from ...errors import ConfigurationError
from ...host.named_files import read_octets
from ...probe.module import Module, ProbeChecks
from ..configuration import names_of, plain_value
from ..options import CallerOptions, options
from ..values import check_audio

MOST_MODULES: Final = 1000
_MADE: Final = "sipswarm.probe_module"


def module_of(checks: ProbeChecks, caller: CallerOptions, settings: CallSettings) -> Module:
    """Return the module that the options of the running command make.

    Raises:
        ConfigurationError: they do not fit together, or the file of `play:FILE` cannot be sent.
    """
    checks.check()
    if checks.call:
        check_audio(checks.media, settings.codecs)
    return Module(
        checks=checks,
        settings=settings,
        transport=caller.chosen_transport,
        user=caller.user,
        local_ip=caller.local_ip,
        local_port=caller.local_port,
        allow_public=caller.allow_public,
    )


@click.command("module")
@options(ProbeChecks)
@options(CallerOptions)
@options(CallSettings, without=("sip_trace",), requests="each request")
def _module(checks: ProbeChecks, caller: CallerOptions, settings: CallSettings) -> int:
    """Make a module of the options of one table."""
    click.get_current_context().meta[_MADE] = module_of(checks, caller, settings)
    return 0


def read_modules(file: Path) -> dict[str, Module]:
    """Return the modules of a file by their names.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or a module has an option or a value that does not exist.
    """
    try:
        found = tomllib.loads(read_octets(file, "a TOML file").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    for key in found:
        if key != "modules":
            raise ConfigurationError(f"{file}: {key!r} is not known; write a table [modules.NAME] for each module")
    tables = found.get("modules")
    if not isinstance(tables, Mapping) or not tables:
        raise ConfigurationError(f"{file}: there is no module; write a table [modules.NAME]")
    if len(tables) > MOST_MODULES:
        raise ConfigurationError(f"{file}: {len(tables)} modules are too many; {MOST_MODULES} is the bound")
    return {name: _read(file, name, table) for name, table in tables.items()}


def _read(file: Path, name: str, table: Any) -> Module:
    where = f"{file}: module {name!r}"
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{where} is no table; write [modules.{name}]")
    known = names_of(_module)
    many = {each.name for each in _module.params if each.multiple}
    values: dict[str, Any] = {}
    for key, value in table.items():
        parameter = known.get(key.replace("_", "-"))
        if parameter is None:
            raise ConfigurationError(f"{where} has no option {key!r}; see sipswarm probe --help")
        plain = plain_value(value)
        values[parameter] = [plain] if parameter in many and not isinstance(plain, list) else plain
    try:
        with _module.make_context(name, [], default_map=values) as context:
            _module.invoke(context)
            module: Module = context.meta[_MADE]
    except click.ClickException as error:
        raise ConfigurationError(f"{where}: {_one_line(error.format_message())}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    return module


def _one_line(text: str) -> str:
    return " ".join(text.split())
