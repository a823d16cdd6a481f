"""`sipswarm answer`: the built-in answering robot, until a signal ends it.

The options are checked first, then the node is started; `robot` comes here too, with a user's file instead. A
registration adds the networks of its registrar to those whose calls are taken. The exit code must not be 0 while a call
was left open.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from ..bus.messages import CallFinished
from ..config import AnswerConfig, NodeConfig, NodeSettings, RobotConfig, ServerConfig, checked_advertise
from .configuration import Verb, is_only_checked, overruled
from .options import CalleeOptions, RunOptions, cdr_option, need_descriptors, options, run_options
from .progress import choose_progress
from .terminal import echo
from .values import DEFAULT_METRICS, SipUri, check_audio, filled_option


@click.command(cls=Verb)
@options(CalleeOptions)
@options(AnswerConfig)
@filled_option(
    "--register",
    type=SipUri(),
    default="",
    help="Keep this SIP URI, user@registrar, registered to the local listener.",
)
@options(NodeSettings, without={"from_"}, requests="each REGISTER")
@cdr_option
@run_options(metrics=DEFAULT_METRICS)
def answer(
    callee: CalleeOptions,
    config: AnswerConfig,
    settings: NodeSettings,
    running: RunOptions,
    register: str,
    cdr: Path | None,
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
    if 200 < config.status < 300:
        raise click.UsageError(
            f"--status {config.status}: a call is answered with 200; write 200, or 300 to 699 to refuse"
        )
    for option in ("media", "dtmf_echo", "hangup_after") if config.status >= 300 else ():
        if overruled(option, "status") and not (option == "media" and config.media == "none"):
            name = option.replace("_", "-")
            raise click.UsageError(
                f"--{name} is for calls that are answered, and --status {config.status} refuses each; drop one of them"
            )
    check_audio(config.media, settings.codecs)
    config = replace(config, allow=callee.networks)
    if register:
        from .target import registrar_of, registration_networks

        networks = registration_networks(register, settings.account.proxy, callee.listeners)
        config = replace(config, allow=(*config.allow, *(() if callee.allow else networks)))
        account = replace(settings.account, registrar=registrar_of(register), address=register)
        settings = replace(settings, account=account)
    return run_answer("answer", running, callee, settings, cdr, answer=config)


def run_answer(
    verb: str,
    options: RunOptions,
    callee: CalleeOptions,
    settings: NodeSettings,
    records: Path | None,
    *,
    answer: AnswerConfig | None = None,
    robot: RobotConfig | None = None,
    server: ServerConfig | None = None,
) -> int:
    """Answer calls until a signal comes.

    Args:
        verb: for messages.
        records: file of records of ended calls.
        answer, robot, server: as in the node's configuration.

    Returns:
        0 = every call was closed, 1 = the node failed or lost records, or a call of a robot with `-m` failed, 3 = calls
        were left, `CUT_SHORT` = a call of a scenario file ended the run by `stop_now`, or a signal did before the calls
        of `-m` were over.
    """
    from ..load.cdr import Cdr
    from . import run
    from .loads.robot_file import RobotFile
    from .loads.stops import CUT_SHORT, STOP_NOW, CallLimit, obey
    from .target import check_proxy

    if settings.account.proxy:
        check_proxy(settings.account.proxy, callee.listeners)
    settings = replace(settings, advertise=checked_advertise(settings.advertise, callee.listeners))
    if is_only_checked():
        from . import check

        return check.answering(settings, callee.listeners, records)
    need_descriptors(settings, listeners=len(callee.listeners))
    cdr = Cdr(records) if records is not None else None
    robot, file = RobotFile.of(robot)
    limit = CallLimit(robot.calls if robot is not None else 0)
    config = NodeConfig.of(
        settings,
        callee.listeners,
        user=callee.user,
        answer=answer,
        robot=robot,
        server=server,
        tells_incoming=cdr is not None or limit.calls > 0 or file.has_traces,
    )
    figures = _figures if server is None else _figures_of_server
    if robot is not None and robot.scenario:
        figures = _figures_of_file

    def call_over(row: CallFinished) -> None:
        limit.add(row)
        file.ended(row)
        if cdr is not None:
            cdr.add(row)

    node = run.NodeRun(
        config,
        run_dir=options.run_dir,
        on_call_finished=call_over if config.tells_incoming else None,
        on_counted=file.counted if robot is not None and robot.scenario else None,
        cdr=cdr,
    )

    def reload() -> None:
        if (robot is not None and robot.file) or (server is not None and server.users):  # nothing else is read again
            node.reload()
        elif server is not None:
            text = f"sipswarm {verb}: SIGHUP reads the file of --users again, and none is given"
            echo(text, err=True, level="INFO")
        if cdr is not None:
            cdr.reopen()

    async def body(signals: run.Signals) -> int:
        with run.metrics_server(options, (node,)) as server:
            await node.start()
            file.begin()
            signals.started()
            run.say_ready(node.listeners, server, settings.advertise)
            progress = choose_progress(f"sipswarm {verb}", quiet=options.quiet)

            def tick() -> None:
                obey(file.stops or limit.stops, signals)
                file.tick(node)
                progress.show(figures(node.counted, node.live_calls))

            try:
                await run.tick_until_done(node, tick)
            finally:
                progress.close()
                await node.close()
        lacking = file.close(node)
        failure = node.failure or (cdr.close(node.lost_records) if cdr is not None else "") or lacking
        if failure:
            echo(f"sipswarm {verb}: {failure}", err=True)
            return 1
        if file.stops == STOP_NOW:
            echo(f"sipswarm {verb}: a call of the scenario file has ended the run by stop_now", err=True)
            return CUT_SHORT
        if limit.failed and limit.calls:
            echo(f"sipswarm {verb}: {limit.failed} of {limit.ended} calls have failed", err=True)
            return 1
        if limit.calls and not limit.stops:
            echo(f"sipswarm {verb}: {limit.ended} of {limit.calls} calls were over when a signal came", err=True)
            return CUT_SHORT
        return 3 if node.unclosed else 0

    return run.run(body, drain=node.drain, within=options.drain, cancelled=0, reload=reload, roll=node.roll)


def _figures(counted: Callable[..., float], live: int) -> dict[str, object]:
    return {
        "calls": int(counted("sipswarm_call_attempts_total", role="uas")),
        "live": live,
        "digits": int(counted("sipswarm_dtmf_events_total", direction="received")),
    }


def _figures_of_file(counted: Callable[..., float], live: int) -> dict[str, object]:
    return {**_figures(counted, live), "failed": int(counted("sipswarm_calls_failed_total", role="uas"))}


def _figures_of_server(counted: Callable[..., float], live: int) -> dict[str, object]:
    requests = "sipswarm_out_of_dialog_requests_total"
    return {
        "bindings": int(counted("sipswarm_registrar_bindings")),
        "registers": int(counted(requests, direction="received", method="REGISTER", code="200")),
        "forwarded": int(counted("sipswarm_proxy_messages_total", kind="request", result="forwarded")),
        "refused": int(counted("sipswarm_proxy_messages_total", kind="request", result="refused")),
    }
