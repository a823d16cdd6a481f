"""`sipswarm answer`: the built-in answering robot, until a signal ends it."""

import dataclasses
from collections.abc import Callable

import click

from ..config import AnswerConfig, RobotConfig
from .audio import check_audio
from .configuration import Verb
from .options import AccountOptions, CalleeOptions, FleetOptions, account_options, callee_options, fleet_options
from .progress import choose_progress
from .terminal import echo
from .values import DEFAULT_METRICS, Duration, Media, SipUri


@click.command(cls=Verb)
@callee_options()
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
    "--register",
    type=SipUri(),
    default="",
    help="Keep this SIP URI, user@registrar, registered to where we listen.",
)
@account_options(places=False)
@fleet_options(metrics=DEFAULT_METRICS)
def answer(
    callee: CalleeOptions,
    account: AccountOptions,
    fleet: FleetOptions,
    media: str,
    ring_time: float,
    status: int,
    dtmf_echo: bool,
    hangup_after: float,
    register: str,
) -> int:
    """Answer every call, until SIGINT or SIGTERM.

    \b
    Examples:
      sipswarm answer
      sipswarm answer --listen udp:192.168.1.5:5060 --media play:prompt.wav
      sipswarm answer -p 5080 --media ivr --ring-time 2s
      sipswarm answer --status 486
      sipswarm answer --listen udp:192.168.1.5:5060 --register robot@192.168.1.1 --media ivr
    """
    if 200 < status < 300:
        raise click.UsageError(f"--status {status}: a call is answered with 200; write 200, or 300 to 699 to refuse")
    check_audio(media, account.codec)
    answering = AnswerConfig(
        media=media,
        ring_time=ring_time,
        status=status,
        dtmf_echo=dtmf_echo,
        hangup_after=hangup_after,
        allow=callee.networks,
    )
    if register:
        from .target import registration_networks

        networks = registration_networks(register, account.proxy, callee.listeners)
        answering = dataclasses.replace(answering, allow=(*answering.allow, *(() if callee.allow else networks)))
    return run_answer("answer", fleet, callee, account, register, answer=answering)


def run_answer(
    verb: str,
    options: FleetOptions,
    callee: CalleeOptions,
    account: AccountOptions,
    address: str = "",
    **application: AnswerConfig | RobotConfig,
) -> int:
    """Answer until a signal; 0 = every call was closed, 1 = the fleet failed or lost records, 3 = calls were left.

    address: what is kept registered. application: `answer` or `robot` of the node's configuration.
    """
    from ..load.cdr import Cdr
    from . import check, run
    from .target import check_proxy

    if account.proxy:
        check_proxy(account.proxy, callee.listeners)
    if check.asked():
        return check.answering(options, account, callee.listeners, address, callee.advertised)
    options.need_descriptors(listeners=len(callee.listeners))
    more = {**account.of_node(address), "advertise": callee.advertised}
    cdr = Cdr(account.cdr) if account.cdr is not None else None
    config = run.node_config(options, callee.listeners, user=callee.user, **more, **application)
    fleet = run.Fleet(config, run_dir=options.run_dir, on_call_finished=cdr.add if cdr else None, cdr=cdr)

    def reload() -> None:
        if "robot" in application:  # the built-in robot has nothing to read again
            fleet.reload()
        if cdr is not None:
            cdr.reopen()

    async def body(signals: run.Signals) -> int:
        with run.metrics_server(options, (fleet,)) as server:
            await fleet.start()
            signals.started()
            run.say_ready(fleet.listeners, server, callee.advertised)
            progress = choose_progress(f"sipswarm {verb}", quiet=options.quiet)
            try:
                await run.tick_until_done(fleet, lambda: progress.show(_figures(fleet.counted, fleet.live_calls)))
            finally:
                progress.close()
                await fleet.close()
        failure = fleet.failure or (cdr.close(fleet.lost_records) if cdr is not None else "")
        if failure:
            echo(f"sipswarm {verb}: {failure}", err=True)
            return 1
        return 3 if fleet.unclosed else 0

    return run.run(body, drain=fleet.drain, within=options.drain, cancelled=0, reload=reload)


def _figures(counted: Callable[..., float], live: int) -> dict[str, object]:
    return {
        "calls": int(counted("sipswarm_call_attempts_total", role="uas")),
        "live": live,
        "digits": int(counted("sipswarm_dtmf_events_total", direction="received")),
    }
