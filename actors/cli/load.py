"""`sipswarm load TARGET`: calls by a schedule, each judged."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from ..config import MEDIA_SHARE, Listener, LoadConfig
from ..errors import ConfigurationError
from ..handle.parameters import RING_TIME
from ..host.named_files import read_octets
from ..load.schedule import Plan
from ..load.thresholds import Threshold
from ..scripts import user_file
from ..scripts.data import Data
from .audio import check_audio
from .configuration import Verb, given_in_file
from .options import (
    AccountOptions,
    CallerOptions,
    FleetOptions,
    account_options,
    caller_options,
    fleet_options,
    out_option,
)
from .values import COUNT, NO_METRICS, Condition, Digits, Duration, FilePath, Media, Number, Ramp, Shard

TALK_TIME: Final = 60.0
"""seconds beyond --ring-time that a run of a scenario may take when --run-time is not given: a call that nobody answers
must be seen to be that"""


@click.command(cls=Verb)
@click.argument("target")
@click.option(
    "-r",
    "--rate",
    type=Number(0, 100_000, min_open=True),
    default=10.0,
    show_default=True,
    help="Calls per second.",
)
@click.option(
    "--arrival",
    type=click.Choice(["fixed", "poisson"]),
    default="fixed",
    show_default=True,
    help="Evenly spaced, or as independent callers come.",
)
@click.option(
    "--ramp",
    "ramps",
    type=Ramp(),
    multiple=True,
    help="Instead of -r: from one rate to another, such as 10:200/60s; repeatable, then on at the last rate.",
)
@click.option(
    "--profile",
    type=FilePath("give a file of lines such as 50/30s or 10:200/60s", exists=True, dir_okay=False),
    default=None,
    help="Instead of -r: a file of steps and ramps, a line each, such as '50/30s' or '10:200/60s'.",
)
@click.option("-m", "--calls", type=COUNT, default=None, help="So many calls in all.")
@click.option(
    "--duration", type=Duration(), default="0s", help="Start calls for so long; with -m, whatever ends first."
)
@click.option(
    "-l",
    "--max-concurrent",
    type=click.IntRange(1, 10**7),  # an octet each is shared by the call workers
    default=None,
    help="At most so many live calls over all shards; further ones are held back and counted.",
)
@click.option(
    "-d",
    "--hold",
    type=Duration(unit_needed=True),
    default="0s",
    help="Hold a call so long; with its unit: 5s, 5000ms.",
)
@click.option(
    "--media", type=Media(), default="none", show_default=True, help="echo, silence, play:FILE, tone:HZ or none."
)
@click.option("--dtmf", type=Digits(), default="", help="Send these digits once a call is up; ? is a random one.")
@click.option(
    "--expect-dtmf", type=Digits(same="="), default="", help="Expect these digits; = is the same that were sent."
)
@click.option(
    "--scenario", default="", help="FILE[:NAME]: run 'async def NAME(ua, row)' for each arrival, not a plain call."
)
@click.option(
    "--run-time",
    type=Duration(),
    default=None,
    show_default="--ring-time and 60s",
    help="Maximum duration of one run of the scenario; then it is cancelled and has failed.",
)
@click.option(
    "-inf",
    "--data",
    default="",
    help="CSV file of the scenario's rows, with a header or in SIPp's form.",
)
@click.option(
    "--expect-media", is_flag=True, help="Expect audio in both directions, for --media-share of the time it is due."
)
@click.option(
    "--media-share",
    type=Number(0.0, 1.0),
    default=None,
    show_default=str(MEDIA_SHARE),
    help="As --expect-media, with this share of the time from answer to end that must have media; 0.5 s may lack.",
)
@click.option(
    "--expect-audio",
    is_flag=True,
    help="Expect that half of what is heard is louder than -50 dBm0; --expect-media sees audio that stops.",
)
@click.option("--expect-mos", type=Number(1.0, 4.5), default=None, help="Expect this MOS-CQE of each call at least.")
@click.option(
    "--expect-code", type=click.IntRange(200, 699), default=None, help="Expect this final answer, such as 486."
)
@click.option(
    "--ring-time",
    type=Duration(),
    default="180s",
    show_default=True,
    help="CANCEL what has no final answer by then; 0 = 180s.",
)
@click.option(
    "--threshold",
    "thresholds",
    type=Condition(),
    multiple=True,
    help="What must hold, such as 'answered>=0.99' or 'post_dial_delay.p95<1.5' or 'mos.p5>3.6'; repeatable.",
)
@click.option("--fail-on-error", is_flag=True, help="Failed calls fail the run even with thresholds.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of poisson arrivals and random digits.")
@click.option(
    "--shard", type=Shard(), default="1/1", help="This node's share of the calls, the rate and -l, such as 1/3."
)
@out_option
@caller_options()
@account_options(places=True)
@fleet_options(metrics=NO_METRICS)
def load(
    caller: CallerOptions,
    account: AccountOptions,
    fleet: FleetOptions,
    target: str,
    rate: float,
    arrival: str,
    ramps: tuple[tuple[float, float, float], ...],
    profile: Path | None,
    calls: int | None,
    duration: float,
    max_concurrent: int | None,
    hold: float,
    media: str,
    dtmf: str,
    expect_dtmf: str,
    scenario: str,
    run_time: float | None,
    data: str,
    expect_media: bool,
    media_share: float | None,
    expect_audio: bool,
    expect_mos: float | None,
    expect_code: int | None,
    ring_time: float,
    thresholds: tuple[Threshold, ...],
    fail_on_error: bool,
    seed: int,
    shard: tuple[int, int],
    out: Path | None,
) -> int:
    """Call TARGET by a schedule and judge every call.

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

    Exit codes: 0 passed, 1 calls failed, 2 usage, 3 calls not closed, 97 nothing sent, 98 result not trustworthy,
    99 thresholds failed, 105 cut short, 107 scenario failed.
    """
    from . import check
    from .target import checked_hop, complete

    if not check.asked():
        fleet.need_descriptors()
    if ramps and profile is not None:
        raise click.UsageError("--ramp and --profile say the same; give one of them")
    if calls is None and not duration and profile is None:
        raise click.UsageError("there is no end to this load; say -m CALLS or --duration TIME")
    if scenario:
        if dtmf or expect_dtmf or hold or expect_audio or expect_code:
            raise click.UsageError(
                "--scenario decides about --hold, --dtmf, --expect-dtmf, --expect-audio and --expect-code itself; "
                "drop them"
            )
        path, name = user_file.split(scenario, "scenario")
        user_file.try_out(path, name)
        scenario = f"{path}:{name}"
        media = "silence" if media == "none" else media
    elif data or run_time is not None:
        option = "--data" if data else "--run-time"
        raise click.UsageError(f"{option} is for a scenario; say --scenario FILE too")
    if run_time == 0:
        raise click.UsageError("--run-time 0s leaves no time for a run; give for example 60s")
    if max_concurrent is not None and max_concurrent < shard[1]:
        raise click.UsageError(
            f"-l {max_concurrent} over {shard[1]} shards leaves some of them without a call; say -l {shard[1]} or more"
        )
    if data:
        rows = Data.read(data)
        if rows.mode == "USER" and len(rows.rows) < shard[1]:
            raise ConfigurationError(
                f"{data}: {len(rows.rows)} rows over {shard[1]} shards leave some of them without a row; add rows, or "
                "use fewer shards"
            )
    expect_media = expect_media or media_share is not None
    expects_media = expect_media or expect_audio or expect_mos is not None or bool(expect_dtmf)
    if expects_media and expect_code is not None and expect_code >= 300:
        raise click.UsageError(f"a call that is refused with {expect_code} has no media; expect one or the other")
    if media == "none" and (expects_media or dtmf):
        raise click.UsageError("media and digits need media; say for example --media silence")
    check_audio(media, account.codec)
    if expect_dtmf == "=" and not dtmf:
        raise click.UsageError("--expect-dtmf = means the digits that were sent; say --dtmf DIGITS too")
    ring_time = ring_time or RING_TIME
    uri = complete(target, caller.user, caller.transport)
    segments = (
        read_profile(profile) if profile is not None else (*ramps, *((each[1], each[1], 0.0) for each in ramps[-1:]))
    )
    if segments:
        rate = max(max(start, end) for start, end, _ in segments)
    capped = 0.0 if given_in_file("rate") or given_in_file("ramps") else rate
    hop = checked_hop(account.proxy or uri, allow_public=caller.allow_public, rate=capped)
    listener = caller.listener(hop)
    config = LoadConfig(
        target=uri,
        rate=rate,
        profile=segments,
        arrival=arrival,
        calls=calls or 0,
        duration=duration,
        max_concurrent=max_concurrent or 0,
        hold=hold,
        media=media,
        dtmf=dtmf,
        expect_dtmf=expect_dtmf,
        expect_media=expect_media,
        media_share=MEDIA_SHARE if media_share is None else media_share,
        expect_audio=expect_audio,
        expect_mos=expect_mos or 0.0,
        expect_code=expect_code or 0,
        scenario=scenario,
        data=data,
        ring_time=ring_time,
        run_time=ring_time + TALK_TIME if run_time is None else run_time,
        seed=seed,
        shard=shard[0],
        shards=shard[1],
    )
    _check_reached(config)
    if check.asked():
        return check.loading(fleet, account, listener, hop, config, caller.advertise)
    return run_load(
        fleet, account, listener, config, out or default_folder("load"), thresholds, fail_on_error, caller.advertise
    )


def _check_reached(config: LoadConfig) -> None:
    """See that the rates of a load lead to as many calls as were asked for, where no time was."""
    if not config.calls or not config.profile or config.duration:
        return
    planned = replace(Plan.of(config), arrival="fixed").planned() or 0
    if planned < config.calls:
        raise click.UsageError(
            f"-m {config.calls} is more than the {planned} calls that the given rates come to before they end; "
            "drop -m, or give longer or higher rates"
        )


def read_profile(file: Path) -> tuple[tuple[float, float, float], ...]:
    """The segments of a profile: lines such as `50/30s` (a step) or `10:200/60s` (a ramp), `#` begins a comment.

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
    options: FleetOptions,
    account: AccountOptions,
    listener: Listener,
    config: LoadConfig,
    out: Path,
    thresholds: tuple[Threshold, ...],
    fail_on_error: bool,
    advertise: tuple[str, ...] = (),
) -> int:
    """Run a load and say what came of it; the exit code of its verdict."""
    from ..load.cdr import Cdr
    from . import run
    from .load_run import LoadRun
    from .verdict import say_result

    more = {**account.of_node(), "advertise": advertise}
    cdr = Cdr(account.cdr) if account.cdr is not None else None
    test = LoadRun(
        options,
        (listener,),
        config,
        user="sipswarm",
        out=out,
        thresholds=thresholds,
        fail_on_error=fail_on_error,
        cdr=cdr,
        **more,
    )

    async def body(signals: run.Signals) -> int:
        with run.metrics_server(options, (test.fleet,)) as server:
            await test.start()
            signals.started()
            run.say_ready((), server)
            result = await test.finish(signals, f"sipswarm load {config.target}")
        say_result(result, test.results)
        return result.exit_code

    reload = cdr.reopen if cdr is not None else None
    return run.run(body, drain=test.fleet.drain, within=options.drain, cancelled=105, reload=reload)


def default_folder(verb: str) -> Path:
    """Where the results of a run go when nobody says."""
    return Path("sipswarm-out") / f"{verb}-{datetime.datetime.now().strftime('%Y%m%d-%H%M%S')}"
