"""`sipswarm robot FILE[:NAME]`: a user's coroutine function for every call, until a signal ends it.

With -sf or -sn each call is one of a scenario file of SIPp instead, and each request outside of calls begins one.
"""

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from ..config import NodeSettings, RobotConfig
from ..scripts import user_file
from .answer import run_answer
from .configuration import Verb, given, is_only_checked
from .loads.builtin import sd_option
from .options import CalleeOptions, RunOptions, cdr_option, need_descriptors, options, run_options
from .values import DEFAULT_METRICS, check_audio, filled_argument


@click.command(cls=Verb)
@filled_argument("file", required=False, default="")
@options(CalleeOptions)
@options(RobotConfig)
@sd_option
@options(NodeSettings)
@cdr_option
@run_options(metrics=DEFAULT_METRICS)
def robot(
    callee: CalleeOptions, config: RobotConfig, settings: NodeSettings, running: RunOptions, cdr: Path | None
) -> int:
    """Run 'async def NAME(call)' of FILE for every call that comes in, until SIGINT or SIGTERM.

    NAME is robot when not given. FILE is imported in every call worker; its 'setup(ua)', if there is one, runs in each
    when the node is up. SIGHUP reads FILE again; after an error the robot before goes on.

    With -sf FILE.xml, each request outside of calls begins a call of that scenario file of SIPp.

    \b
    Examples:
      sipswarm robot examples/robot.py
      sipswarm robot examples/robot.py:robot --listen udp:127.0.0.1:5080 --call-workers 2
      sipswarm robot -sn uas --listen udp:127.0.0.1:5060
    """
    from .loads import sipp_file

    config = _checked(replace(sipp_file.with_builtin(config), allow=callee.networks))
    if config.scenario:
        from .loads import sipp_programs

        service = callee.user if given("user") else config.service
        config = replace(config, service=service, media=config.media if given("media") else "none")
        check_audio(config.media, settings.codecs)
        if is_only_checked():
            status = sipp_programs.checked(config)
            if status:
                return status
        else:
            sipp_programs.check_runnable(config)
        return run_answer("robot", running, callee, settings, cdr, robot=config)
    if not is_only_checked():
        need_descriptors(settings)  # a trial of the file is a process too
    path, name = user_file.split(config.file, "robot")
    user_file.try_out(path, name, user_file.ROBOT)
    check_audio(config.media, settings.codecs)
    return run_answer("robot", running, callee, settings, cdr, robot=replace(config, file=path, name=name))


def _checked(config: RobotConfig) -> RobotConfig:
    """Return a robot whose options go together.

    Raises:
        UsageError: they do not.
    """
    from ..sipp import scenario_file
    from .loads import sipp_file

    if not config.file and not config.scenario:
        raise click.UsageError("Missing argument 'FILE'; give a Python file, or -sf FILE.xml")
    if config.file and not (_is_on_line("scenario") or _is_on_line("sn")):
        config = replace(config, scenario="")  # one of a configuration file is that of loads
    if config.calls and not _is_on_line("calls"):
        config = replace(config, calls=0)  # as well
    if config.file and config.scenario:
        raise click.UsageError(
            f"FILE and -sf or -sn name a robot each; give one of them, and no target: drop {config.file}"
        )
    if scenario_file.is_named(config.file):
        raise click.UsageError(f"{config.file} is a scenario file of SIPp; write robot -sf {config.file}")
    if config.scenario and not sipp_file.is_named(config):
        raise click.UsageError(f"-sf {config.scenario} is no scenario file of SIPp; write robot FILE for a Python file")
    sipp_file.check_options(config)
    for option, name in (("-inf", "data"), ("-d", "hold")):
        if _is_on_line(name) and not config.scenario:
            raise click.UsageError(f"{option} is for a scenario file of SIPp; say -sf FILE.xml too")
    return config


def _is_on_line(name: str) -> bool:
    """Whether the option has its value from the command line: one of a configuration file may be meant for a load."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE
