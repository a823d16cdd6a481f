"""The origin of an option's value: flag, then environment, then configuration file, then default.

`Verb` is the command class of every verb that does something. It gives each option its `SIPSWARM_…` variable and reads
`sipswarm.toml` (or `--config FILE`). With `--print-config` it shows the values in force and their origin. Values of the
file are read by the same code as those of the command line, and an unknown name must never be passed over.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from ..diagnosis import log_lines
from ..errors import ConfigurationError
from ..host.named_files import read_octets
from .loads import sipp_options
from .terminal import echo
from .values import FilePath, FilledOption

PREFIX: Final = "SIPSWARM_"
DEFAULT_FILE: Final = Path("sipswarm.toml")
OWN: Final = ("config", "print-config", "help", "sd")
SOURCES: Final = {
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "file",
    ParameterSource.DEFAULT: "default",
}
CHECK: Final = "sipswarm.check"
"""In the context of a verb that is only to be checked."""
_PRINT: Final = "sipswarm.print_config"
_FILE: Final = "sipswarm.config_file"


class Verb(click.Command):
    """A command whose options come from four places."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for option in _options(self):
            option.envvar = f"{PREFIX}{_long(option).upper().replace('-', '_')}"
        self.params += [
            FilledOption(
                ["--config"],
                type=FilePath("give a TOML file that you may read", dir_okay=False),
                is_eager=True,
                expose_value=False,
                callback=_read,
                help="TOML file of option values.  [default: sipswarm.toml where it exists]",
            ),
            click.Option(
                ["--print-config"],
                is_flag=True,
                expose_value=False,
                callback=_note,
                help="Print each value in force with its origin, and exit.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an option of SIPp that is not there is an error that says what to write instead."""
        try:
            return super().parse_args(ctx, sipp_options.understood(ctx, args))
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click leaves it out where a value is missing
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb, or show its configuration."""
        log_lines.FORM.choose(json=ctx.params.get("log_format") == "json")
        if not ctx.meta.get(_PRINT):
            return super().invoke(ctx)
        for line in shown(ctx):
            echo(line)
        return 0


def shown(ctx: click.Context) -> Iterator[str]:
    """Yield a line for each option: name, value, source."""
    for option in _options(ctx.command):
        where = SOURCES[ctx.get_parameter_source(option.name or "") or ParameterSource.DEFAULT]
        if where == "environment":
            where = f"environment {option.envvar}"
        elif where == "file":
            where = f"file {ctx.meta[_FILE]}"
        yield f"{_long(option)} = {_text(ctx.params.get(option.name or ''))}  ({where})"


def is_only_checked() -> bool:
    """Whether the verb that runs is only to be checked: `sipswarm check`."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(CHECK))


def given(name: str) -> bool:
    """Whether the option of the running verb has a value that is not its default."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def given_in_file(name: str) -> bool:
    """Whether the option of the running verb has its value from the configuration file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def overruled(name: str, by: str) -> bool:
    """Whether an option has no effect because another one of the running verb has a value.

    Only where its value comes from the same source as that of the other one, or from a stronger one: a flag may
    overrule a file.

    Args:
        name: the option without effect.
        by: the other one.
    """
    strength = list(SOURCES)
    sources = (click.get_current_context().get_parameter_source(each) for each in (name, by))
    mine, other = (strength.index(each or ParameterSource.DEFAULT) for each in sources)
    return mine <= other < strength.index(ParameterSource.DEFAULT)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return " ".join(_text(each) for each in value) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "expression", value))


def _note(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_PRINT] = value


def _read(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Make the file's values the defaults of this verb."""
    named = value or (Path(os.environ[f"{PREFIX}CONFIG"]) if os.environ.get(f"{PREFIX}CONFIG") else None)
    if named is None and not DEFAULT_FILE.exists():
        return
    file = named or DEFAULT_FILE
    try:
        found = tomllib.loads(read_octets(file, "a TOML file").decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from error
    ctx.meta[_FILE] = file
    ctx.default_map = _defaults(ctx.command, verbs_beside(ctx), found, file)


def verbs_beside(ctx: click.Context) -> Mapping[str, click.Command]:
    """Return the verbs of the command line that runs, by name; a verb is imported when it is looked up."""
    root = ctx.find_root().command
    return root.commands if isinstance(root, click.Group) else {}


def _defaults(
    verb: click.Command, verbs: Mapping[str, click.Command], found: Mapping[str, Any], file: Path
) -> dict[str, Any]:
    """Return the values for a verb: those at the top that it has, and those of its own table.

    Args:
        verb: the one that runs.
        verbs: all of them by name. A name that `verb` has is not looked for in the others.
        found: the tables and values of the file.
        file: for messages.

    Raises:
        ConfigurationError: a name that no verb has, or one that this verb does not have in its table.
    """
    names = names_of(verb)
    values: dict[str, Any] = {}
    for key, value in found.items():
        option = key.replace("_", "-")
        if isinstance(value, Mapping):
            if key != verb.name and not isinstance(verbs.get(key), Verb):
                tables = [name for name in verbs if isinstance(verbs[name], Verb)]
                raise ConfigurationError(f"{file}: there is no verb {key!r}; tables are {', '.join(tables)}")
        elif option in names:
            values[names[option]] = plain_value(value)
        elif not any(option in names_of(each) for each in verbs.values() if isinstance(each, Verb)):
            raise ConfigurationError(f"{file}: no verb has an option {key!r}; write the long option without --")
    for key, value in found.get(verb.name or "", {}).items():
        name = names.get(key.replace("_", "-"))
        if name is None:
            raise ConfigurationError(f"{file}: {verb.name} has no option {key!r}; see sipswarm {verb.name} --help")
        values[name] = plain_value(value)
    return values


def plain_value(value: Any) -> Any:
    """Convert a value of a TOML file to the form of the command line, so that both are read by the same code."""
    if isinstance(value, list):
        return [plain_value(each) for each in value]
    return value if isinstance(value, bool) else str(value)


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option) and _long(each) not in OWN]


def names_of(command: click.Command) -> dict[str, str]:
    """Return the parameters of a command by their long options, without dashes."""
    return {_long(each): each.name or "" for each in _options(command)}


def _long(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")
