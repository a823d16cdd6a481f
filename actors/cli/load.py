"""`sipswarm load TARGET`: calls, or requests outside of calls, by a schedule, each judged.

The options are checked together, with the scenario and its data, then the target and the local address. Only then the
node is started, which must never happen for a load that cannot be carried out. The rules that span several options are
here; those of one option are where it is declared.
"""

import asyncio
import datetime
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from ..config import Flag, Listener, LoadConfig, NodeConfig, NodeSettings, option
from ..errors import ConfigurationError
from ..handle.call_options import RING_TIME
from ..host import stop_file
from ..host.named_files import read_octets
from ..load.schedule import Plan
from ..load.thresholds import Threshold
from ..scripts import user_file
from .configuration import Verb, given, given_in_file, is_only_checked, overruled
from .loads.builtin import sd_option
from .options import (
    CallerOptions,
    RunOptions,
    cdr_option,
    need_descriptors,
    options,
    out_option,
    run_options,
)
from .values import NO_METRICS, Condition, FilePath, Ramp, check_audio, filled_argument

_logger = logging.getLogger(__name__)
TALK_TIME: Final = 60.0
"""Seconds beyond --ring-time that a run of a scenario may take when --run-time is not given: a call without an answer
must be seen as such."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of the verb itself, which go to no process."""

    profile: Path | None = option(
        None,
        "--profile",
        check=FilePath("give a file of lines such as 50/30s or 10:200/60s", exists=True, dir_okay=False),
        about="Instead of -r: file of steps and ramps, one per line, such as '50/30s' or '10:200/60s'.",
    )
    thresholds: tuple[Threshold, ...] = option(
        (),
        "--threshold",
        check=Condition(),
        many=True,
        about="Condition of the verdict: 'answered>=0.99', 'post_dial_delay.p95<1.5', 'mos.p5>3.6' …; repeatable.",
    )
    fail_on_error: bool = option(
        False, "--fail-on-error", check=Flag(), about="Fail the run for any failed call, even with thresholds."
    )
    stop_file: Path | None = option(
        None,
        "--stop-file",
        check=FilePath("give the name of a file", dir_okay=False),
        about="End the plan early when this file appears, as SIGUSR1 does; it must not be there at the start.",
    )


@click.command(cls=Verb)
@filled_argument("target")
@options(LoadConfig)
@options(LoadOptions)
@sd_option
@out_option
@options(CallerOptions)
@options(NodeSettings)
@cdr_option
@run_options(metrics=NO_METRICS)
def load(
    config: LoadConfig,
    own: LoadOptions,
    caller: CallerOptions,
    settings: NodeSettings,
    running: RunOptions,
    out: Path | None,
    cdr: Path | None,
) -> int:
    """Call TARGET by a schedule and judge every call; with --method, send requests instead.

    TARGET is a SIP URI; sip: may be left out.

    \b
    Examples:
      sipswarm load sip:echo@127.0.0.1:5070 -r 50 -m 1000 -d 5s
      sipswarm load 192.168.1.5 -s 1234 -r 10 --duration 60s --media tone:440 --expect-media
      sipswarm load ivr@127.0.0.1:5070 -m 100 --media silence --dtmf '????' --expect-dtmf =
      sipswarm load 127.0.0.1:5070 --ramp 10:200/60s --duration 90s -d 5s -l 500
      sipswarm load 10.0.0.7 -m 500 --threshold 'answered>=0.99' --threshold 'post_dial_delay.p95<1.5'
      sipswarm load ivr@127.0.0.1:5070 -m 15 --scenario examples/scenario.py --data examples/users.csv
      sipswarm load sip:bob@example.internal -m 500 --from sip:alice@example.internal --proxy 10.0.0.7
      sipswarm load 10.0.0.7 --method options -r 50 --duration 60s --threshold 'answer_delay.p99<0.2'
      sipswarm load 10.0.0.7 --method register --data users.csv -r 200 -m 10000 -d 60s --expires 120

    Exit codes: 0 passed, 1 calls failed, 2 usage, 3 calls not closed, 97 nothing sent, 98 result not trustworthy,
    99 thresholds failed, 105 cut short, 107 scenario failed.
    """
    from .loads import method, sipp_file
    from .target import checked_hop, complete, target_networks

    config = sipp_file.with_builtin(config)
    sipp_file.check_options(config)
    own = replace(own, thresholds=sipp_file.resolved(config, own.thresholds))
    if sipp_file.is_named(config):
        from .loads import sipp_programs

        if is_only_checked():
            status = sipp_programs.checked(config)
            if status:
                return status
            if not config.calls and not config.duration and own.profile is None:
                config = replace(config, calls=1)  # the file may be looked at without a plan
        else:
            sipp_programs.check_runnable(config)
    if not is_only_checked():
        need_descriptors(settings)
    method.check_options(config.method)
    config = method.checked(_checked(config, own), own.thresholds)
    if sipp_file.is_named(config) and not given("run_time"):
        config = replace(config, run_time=sipp_file.RUN_TIME)
    if 0 < settings.max_call_time <= config.hold:
        raise click.UsageError(
            f"--max-call-time {settings.max_call_time:g}s would end each call before its hold of {config.hold:g}s is "
            "over; give it more, or drop it"
        )
    check_audio(config.media, settings.codecs)
    config = replace(config, target=complete(config.target, caller.user, caller.chosen_transport))
    config, settings = method.of_registrar(config, settings)
    if not sipp_file.is_named(config):  # the rows of such a file were checked with it
        method.check_data(config, settings.account.from_)
    capped = 0.0 if given_in_file("rate") or given_in_file("ramp") else config.rate
    hop = checked_hop(settings.account.proxy or config.target, allow_public=caller.allow_public, rate=capped)
    config = replace(config, allow=target_networks(config.target, hop))
    listener = caller.listener(hop, settings.advertise)
    _check_reached(config)
    if is_only_checked() and sipp_file.is_named(config):
        return 0  # the report of the file has its first message
    if is_only_checked():
        from . import check

        return check.loading(settings, listener, hop, config, cdr)
    return run_load(running, settings, listener, config, own, out or default_folder("load"), cdr)


def _checked(config: LoadConfig, own: LoadOptions) -> LoadConfig:
    """Return the load with the consequences of several options together.

    Raises:
        UsageError: options that do not go together.
        ConfigurationError: a file that cannot be taken.
    """
    from .loads import sipp_file

    if config.profile and own.profile is not None:
        raise click.UsageError("--ramp and --profile say the same; give one of them")
    for name in ("ramp", "profile"):
        if overruled("rate", name):
            raise click.UsageError(f"--{name} is instead of -r, which would have no effect; give one of them")
    if own.stop_file is not None:
        stop_file.check(own.stop_file)
    if not config.calls and not config.duration and own.profile is None:
        raise click.UsageError("there is no end to this load; say -m CALLS or --duration TIME")
    config = _of_scenario(config)
    shards = config.shards
    if 0 < config.max_concurrent < shards:
        raise click.UsageError(
            f"-l {config.max_concurrent} over {shards} shards leaves some of them without a call; "
            f"say -l {shards} or more"
        )
    config = replace(config, expect_media=config.expect_media or given("media_share"))
    expects_media = config.expect_media or config.expect_audio or bool(config.expect_mos or config.expect_dtmf)
    if expects_media and config.expect_code >= 300:
        raise click.UsageError(
            f"a call that is refused with {config.expect_code} has no media; expect one or the other"
        )
    own_media = sipp_file.is_named(config)  # such a file may play by itself, and was checked
    if config.media == "none" and not own_media and (expects_media or config.dtmf):
        raise click.UsageError("media and digits need media; say for example --media silence")
    if expects_media and not (config.hold or config.dtmf or config.expect_dtmf or config.scenario):
        raise click.UsageError("without a hold (-d) calls end before media can come; say for example -d 5s")
    if config.expect_dtmf == "=" and not config.dtmf:
        raise click.UsageError("--expect-dtmf = means the digits that were sent; say --dtmf DIGITS too")
    ramps = config.profile
    segments = read_profile(own.profile) if own.profile is not None else (*ramps, *_ever_after(ramps))
    ring_time = config.ring_time or RING_TIME
    return replace(
        config,
        profile=segments,
        rate=max(max(start, end) for start, end, _ in segments) if segments else config.rate,
        ring_time=ring_time,
        run_time=config.run_time if given("run_time") else ring_time + TALK_TIME,
    )


def _of_scenario(config: LoadConfig) -> LoadConfig:
    """Apply the rules of a scenario, and of the options that need one.

    Raises:
        UsageError: options that do not go together.
        ConfigurationError: a file that cannot be taken.
    """
    from .loads import sipp_file

    if sipp_file.is_named(config):
        return config
    if config.scenario:
        if config.dtmf or config.expect_dtmf or config.hold or config.expect_audio or config.expect_code:
            raise click.UsageError(
                "--scenario decides about --hold, --dtmf, --expect-dtmf, --expect-audio and --expect-code itself; "
                "drop them"
            )
        path, name = user_file.split(config.scenario, "scenario")
        user_file.try_out(path, name, user_file.SCENARIO)
        media = "silence" if config.media == "none" else config.media
        config = replace(config, scenario=f"{path}:{name}", media=media)
    elif given("run_time"):
        raise click.UsageError("--run-time is for a scenario; say --scenario FILE too")
    if not config.run_time:
        raise click.UsageError("--run-time 0s leaves no time for a run; give for example 60s")
    return config


def _ever_after(ramps: tuple[tuple[float, float, float], ...]) -> tuple[tuple[float, float, float], ...]:
    """Return the segment after the last of some ramps: its last rate for ever."""
    return tuple((end, end, 0.0) for _, end, _ in ramps[-1:])


def _check_reached(config: LoadConfig) -> None:
    """See that the rates of a load lead to as many calls as requested, where no time is set."""
    if not config.calls or not config.profile or config.duration:
        return
    planned = replace(Plan.of(config), arrival="fixed").planned() or 0
    if planned < config.calls:
        raise click.UsageError(
            f"-m {config.calls} is more than the {planned} calls that the given rates come to before they end; "
            "drop -m, or give longer or higher rates"
        )


def read_profile(file: Path) -> tuple[tuple[float, float, float], ...]:
    """Return the segments of a profile: lines such as `50/30s` (a step) or `10:200/60s` (a ramp).

    `#` begins a comment.

    Raises:
        ConfigurationError: with the number of the line that is neither, or the file cannot be read.
    """
    segments = []
    given = read_octets(file, "a text file of steps such as 50/30s").decode("utf-8", "surrogateescape")
    for number, line in enumerate(given.splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        rates, _, time = text.partition("/")
        try:
            segments.append(Ramp(zero=True).convert(text if ":" in rates else f"{rates}:{rates}/{time}", None, None))
        except click.UsageError as error:
            raise ConfigurationError(
                f"{file}:{number}: {text!r} is neither a step such as 50/30s nor a ramp such as 10:200/60s"
            ) from error
    if not any(start or end for start, end, _ in segments):
        raise ConfigurationError(f"{file}: there is no step or ramp in it; write for example 50/30s")
    return tuple(segments)


def run_load(
    options: RunOptions,
    settings: NodeSettings,
    listener: Listener,
    config: LoadConfig,
    own: LoadOptions,
    out: Path,
    records: Path | None,
) -> int:
    """Run a load and print its result; return the exit code of its verdict.

    Args:
        own: options of the verb.
        out: folder for the results.
        records: file of records of ended calls.
    """
    from ..load.cdr import Cdr
    from . import run
    from .load_run import LoadRun
    from .loads import sipp_traces
    from .verdict import say_result

    config, traces = sipp_traces.traced(config)
    cdr = Cdr(records) if records is not None else None

    def stop_file_came(loop: asyncio.AbstractEventLoop, signals: run.Signals) -> None:
        """Take the file for a SIGUSR1; called in another thread, also when the loop has ended meanwhile."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(signals.end_early)
        _logger.warning("--stop-file %s is there: no new calls", own.stop_file)

    test = LoadRun(
        options,
        NodeConfig.of(settings, (listener,), load=config, tells_incoming=cdr is not None),
        config,
        out=out,
        thresholds=own.thresholds,
        fail_on_error=own.fail_on_error,
        cdr=cdr,
        traces=traces,
    )

    async def body(signals: run.Signals) -> int:
        with run.metrics_server(options, (test.node,)) as server:
            await test.start()
            signals.started()
            run.say_ready((), server)
            loop = asyncio.get_running_loop()
            with stop_file.watching(own.stop_file, lambda: stop_file_came(loop, signals)):
                result = await test.finish(signals, f"sipswarm load {config.target}")
        say_result(result, test.results)
        return result.exit_code

    reload = cdr.reopen if cdr is not None else None
    return run.run(body, drain=test.node.drain, within=options.drain, cancelled=105, reload=reload)


def default_folder(verb: str) -> Path:
    """Return the folder for the results of a run when none is given."""
    return Path("sipswarm-out") / f"{verb}-{datetime.datetime.now().strftime('%Y%m%d-%H%M%S')}"
