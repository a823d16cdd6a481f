"""`sipswarm robot FILE[:NAME]`: a user's coroutine function for every call, until a signal ends it."""

from dataclasses import replace
from pathlib import Path

import click

from ..config import NodeSettings, RobotConfig
from ..scripts import user_file
from .answer import run_answer
from .check import asked
from .configuration import Verb
from .options import CalleeOptions, RunOptions, cdr_option, need_descriptors, options, run_options
from .values import DEFAULT_METRICS, check_audio


@click.command(cls=Verb)
@click.argument("file")
@options(CalleeOptions)
@options(RobotConfig)
@options(NodeSettings)
@cdr_option
@run_options(metrics=DEFAULT_METRICS)
def robot(
    callee: CalleeOptions, config: RobotConfig, settings: NodeSettings, running: RunOptions, cdr: Path | None
) -> int:
    """Run 'async def NAME(call)' of FILE for every call that comes in, until SIGINT or SIGTERM.

    NAME is robot when not given. FILE is imported in every call worker; its 'setup(ua)', if there is one, runs in each
    when the node is up. SIGHUP reads FILE again; after an error the robot before goes on.

    \b
    Examples:
      sipswarm robot examples/robot.py
      sipswarm robot examples/robot.py:robot --listen udp:127.0.0.1:5080 --call-workers 2
    """
    if not asked():
        need_descriptors(settings)  # a trial of the file is a process too
    path, name = user_file.split(config.file, "robot")
    user_file.try_out(path, name, user_file.ROBOT)
    check_audio(config.media, settings.codecs)
    config = replace(config, file=path, name=name, allow=callee.networks)
    return run_answer("robot", running, callee, settings, cdr, robot=config)
