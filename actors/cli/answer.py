"""`sipswarm answer`: the built-in answering robot, until a signal ends it."""

from typing import TYPE_CHECKING

import click

from ..config import AnswerConfig, Listener, RobotConfig
from .configuration import Verb
from .options import FleetOptions, fleet_options
from .progress import choose_progress
from .values import DEFAULT_METRICS, Duration, ListenAddress, Media, Network

if TYPE_CHECKING:
    from .run import Fleet

DEFAULT_LISTENER = Listener("udp", "127.0.0.1", 5070)


@click.command(cls=Verb)
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
    type=Media("ivr"),
    default="echo",
    show_default=True,
    help="echo, silence, play:FILE, tone:HZ, ivr (collects four digits and sends them back) or none.",
)
@click.option("--ring-time", type=Duration(), default="0s", show_default=True, help="Ring so long before the answer.")
@click.option(
    "--status",
    type=click.IntRange(200, 699),
    default=200,
    show_default=True,
    help="Final answer to every call; from 300 on it refuses.",
)
@click.option("--dtmf-echo", is_flag=True, help="Send every digit back.")
@click.option(
    "--hangup-after",
    type=Duration(),
    default="0s",
    show_default=True,
    help="Hang up so long after the answer; 0 = never.",
)
@click.option(
    "--allow",
    type=Network(),
    multiple=True,
    show_default="loopback and private networks",
    help="Network whose calls are answered; repeatable. The rest hears nothing.",
)
@fleet_options(metrics=DEFAULT_METRICS)
def answer(
    fleet: FleetOptions,
    listen: tuple[Listener, ...],
    local_ip: str,
    local_port: int | None,
    user: str,
    media: str,
    ring_time: float,
    status: int,
    dtmf_echo: bool,
    hangup_after: float,
    allow: tuple[str, ...],
) -> int:
    """Answer every call, until SIGINT or SIGTERM.

    \b
    Examples:
      sipswarm answer
      sipswarm answer --listen udp:192.168.1.5:5060 --media play:prompt.wav
      sipswarm answer -p 5080 --media ivr --ring-time 2s
      sipswarm answer --status 486
    """
    if 200 < status < 300:
        raise click.UsageError(f"--status {status}: a call is answered with 200; write 200, or 300 to 699 to refuse")
    answering = AnswerConfig(
        media=media,
        ring_time=ring_time,
        status=status,
        dtmf_echo=dtmf_echo,
        hangup_after=hangup_after,
        allow=allow or AnswerConfig().allow,
    )
    return run_answer("answer", fleet, listeners_of(listen, local_ip, local_port), user, answer=answering)


def run_answer(
    verb: str,
    options: FleetOptions,
    listeners: tuple[Listener, ...],
    user: str,
    **application: AnswerConfig | RobotConfig,
) -> int:
    """Answer until a signal; 0 = every call was closed, 1 = the fleet failed, 3 = calls were left.

    application: `answer` or `robot` of the node's configuration.
    """
    from . import check, run

    if check.asked():
        return check.answering(options, listeners)
    fleet = run.Fleet(run.node_config(options, listeners, user=user, **application), run_dir=options.run_dir)

    def reload() -> None:
        if "robot" in application:  # the built-in robot has nothing to read again
            fleet.reload()

    async def body(signals: run.Signals) -> int:
        with run.metrics_server(options, (fleet,)) as server:
            await fleet.start()
            signals.started()
            run.say_ready(fleet.listeners, server)
            progress = choose_progress(f"sipswarm {verb}", quiet=options.quiet)
            try:
                await run.tick_until_done(fleet, lambda: progress.show(_figures(fleet)))
            finally:
                progress.close()
                await fleet.close()
        if fleet.failure:
            click.echo(f"sipswarm {verb}: {fleet.failure}", err=True)
            return 1
        return 3 if fleet.unclosed else 0

    return run.run(body, drain=fleet.drain, within=options.drain, cancelled=0, reload=reload)


def _figures(fleet: "Fleet") -> dict[str, object]:
    return {
        "calls": int(fleet.counted("sipswarm_call_attempts_total", role="uas")),
        "live": fleet.live_calls,
        "digits": int(fleet.counted("sipswarm_dtmf_events_total", direction="received")),
    }


def listeners_of(listen: tuple[Listener, ...], local_ip: str, local_port: int | None) -> tuple[Listener, ...]:
    """The addresses of --listen, or of -i and -p in its place."""
    if not local_ip and local_port is None:
        return listen or (DEFAULT_LISTENER,)
    if listen:
        raise click.UsageError("--listen and -i or -p say the same; give only --listen")
    port = DEFAULT_LISTENER.port if local_port is None else local_port
    return (Listener("udp", local_ip or DEFAULT_LISTENER.host, port),)
