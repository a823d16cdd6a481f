"""`sipswarm robot FILE[:NAME]`: a user's coroutine function for every call, until a signal ends it."""

import click

from ..config import RobotConfig
from ..scripts import user_file
from .answer import run_answer
from .audio import check_audio
from .check import asked
from .configuration import Verb
from .options import AccountOptions, CalleeOptions, FleetOptions, account_options, callee_options, fleet_options
from .values import DEFAULT_METRICS, Media


@click.command(cls=Verb)
@click.argument("file")
@callee_options()
@click.option(
    "--media",
    type=Media(),
    default="silence",
    show_default=True,
    help="What a call sends until the robot says something else.",
)
@account_options(places=True)
@fleet_options(metrics=DEFAULT_METRICS)
def robot(callee: CalleeOptions, account: AccountOptions, fleet: FleetOptions, file: str, media: str) -> int:
    """Run 'async def NAME(call)' of FILE for every call that comes in, until SIGINT or SIGTERM.

    NAME is robot when not given. FILE is imported in every call worker; its 'setup(ua)', if there is one, runs in each
    when the fleet is up. SIGHUP reads FILE again; a bad one keeps the old.

    \b
    Examples:
      sipswarm robot examples/robot.py
      sipswarm robot examples/robot.py:robot --listen udp:127.0.0.1:5080 --call-workers 2
    """
    if not asked():
        fleet.need_descriptors()  # a trial of the file is a process too
    path, name = user_file.split(file, "robot")
    user_file.try_out(path, name)
    check_audio(media, account.codec)
    config = RobotConfig(path, name, media, callee.networks)
    return run_answer("robot", fleet, callee, account, robot=config)
