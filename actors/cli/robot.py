"""`sipswarm robot FILE[:NAME]`: a user's coroutine function for every call, until a signal ends it."""

import click

from ..config import AnswerConfig, Listener, RobotConfig
from ..load import user_file
from .answer import DEFAULT_LISTENER, listeners_of, run_answer
from .configuration import Verb
from .options import FleetOptions, fleet_options
from .values import DEFAULT_METRICS, ListenAddress, Media, Network


@click.command(cls=Verb)
@click.argument("file")
@click.option(
    "--listen",
    type=ListenAddress(),
    multiple=True,
    show_default=str(DEFAULT_LISTENER),
    help="Where calls come; repeatable. Port 0 = any free one.",
)
@click.option("-i", "--local-ip", default="", help="Listen on udp at this address; instead of --listen.")
@click.option("-p", "--local-port", type=click.IntRange(0, 65535), default=None, help="Its port.  [default: 5070]")
@click.option("-s", "--user", default="sipswarm", show_default=True, help="User part of our Contact.")
@click.option(
    "--media",
    type=Media(),
    default="silence",
    show_default=True,
    help="What a call sends until the robot says something else.",
)
@click.option(
    "--allow",
    type=Network(),
    multiple=True,
    show_default="loopback and private networks",
    help="Network whose calls are taken; repeatable. The rest hears nothing.",
)
@fleet_options(metrics=DEFAULT_METRICS)
def robot(
    fleet: FleetOptions,
    file: str,
    listen: tuple[Listener, ...],
    local_ip: str,
    local_port: int | None,
    user: str,
    media: str,
    allow: tuple[str, ...],
) -> int:
    """Run 'async def NAME(call)' of FILE for every call that comes in, until SIGINT or SIGTERM.

    NAME is robot when not given. FILE is imported in every call worker; its 'setup(ua)', if there is one, runs in each
    when the fleet is up. SIGHUP reads FILE again; a bad one keeps the old.

    \b
    Examples:
      sipswarm robot examples/robot.py
      sipswarm robot examples/robot.py:robot --listen udp:127.0.0.1:5080 --call-workers 2
    """
    path, name = user_file.split(file, "robot")
    user_file.try_out(path, name)
    config = RobotConfig(path, name, media, allow or AnswerConfig().allow)
    return run_answer("robot", fleet, listeners_of(listen, local_ip, local_port), user, robot=config)
