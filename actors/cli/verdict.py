"""The end of a run in words: every checked figure, the verdict and its reasons, and the paths of the files."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..load.description import delay_of, has_media
from ..load.report import Result, Verdict
from ..load.results import Results
from .terminal import echo, echo_styled


def say_result(result: Result, results: Results, more: tuple[str, ...] = ()) -> None:
    """Print a judged run on stdout.

    Args:
        more: further lines of figures.
    """
    for line in (*result_lines(result.summary), *more):
        echo(line)
    passed = result.verdict is Verdict.PASSED
    echo_styled(
        f"{'PASSED' if passed else 'FAILED'} ({result.verdict.text}, exit code {result.exit_code})",
        fg="green" if passed else "red",
        bold=True,
        color=False if os.environ.get("NO_COLOR") else None,  # None = on a terminal
    )
    for reason in result.reasons:
        echo(f"  {reason}")
    for what, name in (("summary", "summary.json"), ("calls", "calls.csv"), ("report", "report.html")):
        echo(f"{what}: {results.where(name)}")


def result_lines(summary: dict[str, Any]) -> Iterator[str]:
    """Yield the figures of a summary, one line each."""
    calls, rate, media, dtmf = (summary[part] for part in ("calls", "rate", "media", "dtmf"))
    outcomes = ", ".join(f"{name} {count}" for name, count in calls["outcomes"].items())
    arrivals = summary["arrivals"]
    begun, dropped = f"planned {calls['planned']}, ", f"dropped {calls['dropped']}{_not_due(arrivals)}, "
    if arrivals["of"] == "runs":
        yield f"runs: {begun}started {arrivals['started']}, {dropped}".removesuffix(", ")
        begun = dropped = ""
    is_of_calls = has_media(arrivals["of"])
    yield (
        f"{'calls' if is_of_calls else arrivals['of']}: {begun}attempted {calls['attempted']}, "
        f"answered {calls['answered']}, completed {calls['completed']}, "
        f"failed {calls['failed']}, {dropped}at most {calls['max_concurrent']} at a time"
    )
    yield f"outcomes: {outcomes or 'none'}"
    if calls["failed"]:
        blame = summary["blame"]
        yield f"to blame: system under test {blame['sut']}, generator {blame['generator']}, plan {blame['plan']}"
    shards = summary["run"]["shards"]
    part = f" (1/{shards} of {_number(rate['all_shards'])})" if shards > 1 else ""
    yield f"rate: {_number(rate['achieved'])} {arrivals['of']}/s of {_number(rate['target'])}{part}"
    for name, digest in summary["delays"].items():
        if digest["count"]:
            figures = ", ".join(f"{each} {digest[each] * 1000:.1f}" for each in ("p50", "p95", "p99", "max"))
            yield f"{delay_of(name, arrivals['of'])} delay in ms: {figures}"
    if is_of_calls:
        yield (
            f"media: {media['streams']} streams received, RTP sent {media['rtp_sent']}, "
            f"received {media['rtp_received']}, lost {media['lost']}, one-way calls {media['one_way_calls']}, "
            f"jitter p95 {_milliseconds(media['jitter_p95'])}, MOS p5 {_number(media['mos_cqe_p5'])}"
        )
    if media["discards"]:
        yield f"RTP packets discarded: {media['rtp_discarded']}: {_counts(media['discards'])}"
    for direction, methods in summary["signalling"]["retransmissions"].items():
        if methods:
            yield f"retransmissions {direction}: {sum(methods.values())}: {_counts(methods)}"
    if media["rtp_due"]:
        yield (
            f"media due: {media['rtp_due']} packets, missed {media['rtp_missed']}, worst call: received ratio "
            f"{_number(media['received_ratio_min'])}, media share {_number(media['media_share_min'])}; longest gap "
            f"{_number(media['gap_max'])} s"
        )
    if media["unreachable_share_max"]:
        share = _number(media["unreachable_share_max"])
        yield f"destination unreachable (ICMP) for {share} of the RTP sent in the worst call"
    if media["hold_share_max"]:
        held = _number(media["hold_share_mean"])
        yield f"on hold: {held} of the answered time, {_number(media['hold_share_max'])} of that of the worst call"
    if is_of_calls:
        yield (
            f"digits: sent {dtmf['sent']}, received {dtmf['received']}, missed {dtmf['missed']}, wrong {dtmf['wrong']}"
        )
    generator = summary["generator"]
    yield (
        f"generator: {'healthy' if generator['healthy'] else 'NOT healthy'}, p99 of schedule lateness "
        f"{_milliseconds(generator['schedule_lateness_p99'])}, of send lateness "
        f"{_milliseconds(generator['send_lateness_p99'])}, of loop lag {_milliseconds(generator['loop_lag_p99'])}, "
        f"socket drops {generator['udp_drops']}"
    )
    for each in summary["processes"]:
        yield (
            f"process {each['name']}: {each['cpu_seconds']:.1f} s of CPU, {each['max_rss_bytes'] / 1e6:.0f} MB, "
            f"{each['restarts']} restarts"
        )
    for each in summary["thresholds"]:
        yield f"threshold {each['expression']}: {_number(each['value'])} {'passed' if each['passed'] else 'FAILED'}"


def _not_due(arrivals: Mapping[str, Any]) -> str:
    return f", not due any more {arrivals['not_due']}" if arrivals["not_due"] else ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _milliseconds(value: float | None) -> str:
    return "none" if value is None else f"{value * 1000:.1f} ms"
