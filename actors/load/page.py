"""The report.html of a run: verdict, thresholds, charts and every figure, in one file that needs no network. Pure.

Head and verdict come first, then thresholds, charts, failed calls, tables and the plan. Every text is escaped where it
is written. While the run goes on, the page loads itself anew, shows the time of its figures, and must not judge for
good.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape as escape_html
from typing import Any, Final

from ..diagnosis.failure_reasons import REASONS, Blame, blame_of, words_of
from ..diagnosis.foreign_text import shown
from .charts import Limit, Line, Stretch, chart, clock
from .description import delay_of, has_media
from .failures import FOLDER, FailedCall
from .thresholds import Threshold
from .timeline import Point

REFRESH: Final = 10
"""Seconds after which a browser loads the page of a running test anew."""
EXPLAINED: Final = {
    "untrustworthy": "The machine that made the calls was not able to do what was asked, so the figures say nothing "
    "about the system under test. sipswarm doctor looks for causes; a lower rate or more machines help.",
    "nothing_sent": "Not one call got through to the other side, so there is nothing to judge. Is the target right, "
    "does it listen there, and may this machine reach it?",
    "interrupted": "A signal ended the run before its plan was done.",
}
"""The meaning of a verdict, where its name is not enough."""

BLAMED: Final = {Blame.SUT: "system under test", Blame.GENERATOR: "generator", Blame.PLAN: "plan or scenario"}
STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#5b6570;--edge:#d5dae0;--card:#f6f8fa;
--good:#0a7a34;--bad:#b3261e;--warn:#8a5a00;--blue:#1f6feb;--grey:#8b949e;--orange:#c4620a;--red:#b3261e;--green:#0a7a34}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--soft:#9aa4af;--edge:#30363d;--card:#161b22;
--good:#3fb950;--bad:#f85149;--warn:#e3b341;--blue:#58a6ff;--grey:#8b949e;--orange:#e3903c;--red:#f85149;--green:#3fb950}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1240px;padding:16px;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}
.soft,.unit,.none{color:var(--soft)}
.verdict{display:inline-block;padding:4px 14px;border-radius:6px;color:#fff;font-weight:700;margin:10px 0}
.verdict.passed{background:#0a7a34}.verdict.failed{background:#b3261e}.verdict.running{background:#57606a}
.warn{color:var(--warn);font-weight:600}.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));gap:8px}
@media(min-width:900px){.tiles{grid-template-columns:repeat(5,1fr)}}
.tile{background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:8px 10px}
.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:12px}
figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:8px}
figcaption{font-size:14px}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--edge);fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.dashed{stroke-dasharray:5 4;stroke-width:2;stroke-linecap:butt}.wide{stroke-width:4;stroke-opacity:.4}
.dot{stroke-width:6}.limit{stroke:var(--soft);fill:none;stroke-dasharray:2 3}.mark{stroke:var(--bad);fill:none}
.tip{fill:transparent}svg.sample{display:inline-block;width:22px;height:8px;margin-right:4px;vertical-align:middle}
.key{margin-left:10px;white-space:nowrap;font-size:13px}
.none{margin:32px 0;text-align:center}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}table.pair{max-width:620px}
.scroll{overflow-x:auto}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--edge);font-size:14px;overflow-wrap:normal}
td{vertical-align:top}code{font-size:13px;white-space:nowrap}a{color:var(--blue)}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}
@media(max-width:500px){th,td{padding:4px 3px;font-size:12px}code{font-size:11px}}
"""


def page_of(
    summary: Mapping[str, Any],
    reasons: Sequence[str],
    points: Sequence[Point],
    failures: Mapping[str, int],
    calls: Sequence[FailedCall] = (),
    first_failure: float | None = None,
) -> str:
    """Return the page.

    Args:
        summary: the content of summary.json.
        reasons: why the run is not passed.
        points: of the timeline.
        failures: failed calls by missed expectation.
        calls: failed calls that have a folder.
        first_failure: seconds from the start to the first failed call; None = there is none.
    """
    running = summary["verdict"] == "running"
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        *([f'<meta http-equiv="refresh" content="{REFRESH}">'] if running else []),
        f"<title>{escape(summary['verdict'])}: {escape(summary['run']['target'])}</title>",
        f"<style>{STYLE}</style></head><body>",
        *_head(summary, reasons),
        *_thresholds(summary["thresholds"]),
        *_over_time(summary, points, first_failure),
        *_failed_calls(failures, calls, _rows_of(summary)),
        *_tables(summary),
        *_what_was_run(run=summary["run"]),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _head(summary: Mapping[str, Any], reasons: Sequence[str]) -> Iterator[str]:
    run, calls, media, digits = summary["run"], summary["calls"], summary["media"], summary["dtmf"]
    verdict = summary["verdict"]
    kind = verdict if verdict in ("passed", "running") else "failed"
    running = verdict == "running"
    state = _as_of(run) if running else _exit(summary["exit_code"])
    lasted = clock(run["seconds"], run["seconds"])
    rows = _rows_of(summary)
    yield f"<h1>{rows.capitalize()} to {escape(run['target'])}</h1>"
    rate, shards = summary["rate"], run["shards"]
    shard = f", shard {run['shard']} of {shards}" if shards > 1 else ""
    whole = f" (1/{shards} of {_number(rate['all_shards'])})" if shards > 1 else ""
    yield (
        f'<div class="soft">started {escape(run["started"])}, {lasted}, seed {run["seed"]}{shard}</div>'
        f'<div class="verdict {kind}">{escape(verdict.replace("_", " "))}{state}</div>'
    )
    if verdict in EXPLAINED:
        yield f"<p>{escape(EXPLAINED[verdict])}</p>"
    if reasons:
        yield f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in reasons)}</ul>"
    arrivals = summary["arrivals"]
    of_runs = [("runs started", arrivals["started"]), ("calls started", calls["attempted"])]
    figures: list[tuple[str, object]] = [
        (f"{rows} started so far", calls["attempted"])
        if running
        else (f"{arrivals['of']} planned", arrivals["planned"]),
        *(of_runs if arrivals["of"] == "runs" else ()),
        ("answered", calls["answered"]),
        ("failed", calls["failed"]),
        ("live now", calls["live"]) if running else ("at a time", calls["max_concurrent"]),
        (f"{arrivals['of']} per second of {_number(rate['target'])}{whole}", _number(rate["achieved"])),
    ]
    of_ended = (
        []
        if not has_media(arrivals["of"])
        else [
            ("RTP packets received", media["rtp_received"]),
            ("RTP packets lost", media["lost"]),
            ("MOS, worst 5 %", _number(media["mos_cqe_p5"])),
            ("digits received", digits["received"]),
            ("digits missed or wrong", digits["missed"] + digits["wrong"]),
        ]
    )
    tiles = [*figures, *((f"{name}, ended calls" if running else name, value) for name, value in of_ended)]
    again = summary["signalling"]["retransmissions"]
    tiles += [(f"retransmissions {each}", sum(methods.values())) for each, methods in again.items() if methods]
    boxes = "".join(f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for name, value in tiles)
    yield f'<div class="tiles">{boxes}</div>'


def _thresholds(thresholds: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if thresholds:
        yield "<h2>Thresholds</h2>" + _table(
            ("threshold", "value", "result"),
            [(escape(each["expression"]), _number(each["value"]), _judged(each)) for each in thresholds],
        )


def _over_time(summary: Mapping[str, Any], points: Sequence[Point], first_failure: float | None) -> Iterator[str]:
    yield "<h2>Over time</h2>"
    if not points or not summary["calls"]["attempted"]:
        one = _rows_of(summary).removesuffix("s")
        words = f"No {one} was started."
        if summary["verdict"] == "running":
            begun = summary["calls"]["attempted"]
            words = "A second is drawn when it has passed; none has yet." if begun else f"No {one} has started yet."
        yield f'<p class="soft">{words}</p>'
        return
    yield '<div class="charts">'
    yield from _charts(points, summary["thresholds"], first_failure, of=summary["arrivals"]["of"])
    yield "</div>"


def _charts(
    points: Sequence[Point], thresholds: Sequence[Mapping[str, Any]], first_failure: float | None, *, of: str
) -> Iterator[str]:
    """Draw the figures over time.

    Args:
        of: what the arrivals are.
    """
    runs, rows = of == "runs", "calls" if of == "runs" else of
    times = [Stretch(point.begin, point.seconds) for point in points]
    longest = max(point.seconds for point in points)
    each = "" if longest == 1 else ", worst second"

    yield chart(
        "Rate",
        "runs or calls/s" if runs else f"{rows}/s",
        times,
        (
            Line("runs commanded" if runs else "commanded", [point.target_rate for point in points], "grey", "wide"),
            Line("calls started" if runs else "started", [point.rate for point in points], "blue"),
            Line(f"failed{each}", [float(point.failed_max) for point in points], "red", "dashed"),
        ),
        mark=None if first_failure is None else (first_failure, "first failure"),
    )
    yield chart(f"Live {rows}", rows, times, (Line("live", [float(point.live) for point in points], "blue"),))
    yield chart(
        "Post-dial delay" if has_media(of) else "Delay of the final response",
        "ms",
        times,
        (
            Line("max", _scaled(point.post_dial_max for point in points), "red", "wide"),
            Line("p95", _scaled(point.post_dial_p95 for point in points), "orange", "dashed"),
            Line("p50", _scaled(point.post_dial_p50 for point in points), "green"),
        ),
        limits=_limits(thresholds, "post_dial_delay", 1000.0),
    )
    yield chart(
        "Answer delay",
        "ms",
        times,
        (
            Line("p95", _scaled(point.answer_p95 for point in points), "orange", "dashed"),
            Line("p50", _scaled(point.answer_p50 for point in points), "green"),
        ),
        limits=_limits(thresholds, "answer_delay", 1000.0),
    )
    if has_media(of):
        yield from _media_charts(points, times, thresholds, longest)


def _scaled(values: Iterator[float | None], factor: float = 1000.0) -> list[float | None]:
    return [None if value is None else value * factor for value in values]


def _media_charts(
    points: Sequence[Point], times: Sequence[Stretch], thresholds: Sequence[Mapping[str, Any]], longest: int
) -> Iterator[str]:
    loss = [Line("mean", _scaled((point.loss for point in points), 100.0), "red")]
    if longest > 1:
        loss.insert(0, Line("worst second", _scaled((point.loss_max for point in points), 100.0), "orange", "wide"))
    yield chart("RTP loss", "% of the calls that ended", times, loss, limits=_limits(thresholds, "loss", 100.0))
    least = min((point.mos_min for point in points if point.mos_min is not None), default=1.0)
    yield chart(
        "MOS",
        "CQE of the calls that ended",
        times,
        (
            Line("least", [point.mos_min for point in points], "orange", "wide", lowest=True),
            Line("mean", [point.mos_mean for point in points], "green", lowest=True),
        ),
        floor_at=3.0 if least >= 3.0 else 1.0,
        ceiling=5.0,
        limits=_limits(thresholds, "mos", 1.0),
    )


def _limits(thresholds: Sequence[Mapping[str, Any]], name: str, factor: float) -> list[Limit]:
    """The thresholds of a figure, as lines of its chart."""
    parsed = [Threshold.parse(each["expression"], of_file=True) for each in thresholds]
    return [Limit(each.limit * factor, each.expression) for each in parsed if each.name == name]


def _failed_calls(failures: Mapping[str, int], calls: Sequence[FailedCall], rows: str) -> Iterator[str]:
    if failures:
        yield f"<h2>Failed {rows}</h2>" + _table(
            ("missed expectation", rows, "to blame", "meaning"),
            [
                (escape(name), count, BLAMED[blame_of(name)], escape(words_of(name)) if name in REASONS else "")
                for name, count in failures.items()
            ],
        )
    if calls:
        yield (
            f'<p class="soft">What was sent and received in the first of them: a ladder to read and a capture each, in '
            f"{FOLDER}/</p>"
        )
        yield _table(
            ("missed", "status", "at s", "ladder and capture"),
            [
                (
                    escape(each.failure),
                    each.code or escape(each.outcome.replace("_", " ")),
                    f"{each.start:.3f}",
                    _links(each.folder),
                )
                for each in calls
            ],
        )


def _links(folder: str) -> str:
    name = folder.rpartition("/")[2]
    return f'<a href="{folder}/ladder.txt"><code>{name}</code></a> <a href="{folder}/sip.pcap">pcap</a>'


def _tables(summary: Mapping[str, Any]) -> Iterator[str]:
    calls, media, digits, generator = (summary[part] for part in ("calls", "media", "dtmf", "generator"))
    arrivals = summary["arrivals"]
    yield "<h2>Plan</h2>" + _table(
        (arrivals["of"], "number"),
        [(name.replace("_", " "), count) for name, count in arrivals.items() if name != "of"],
    )
    rows = _rows_of(summary)
    yield f"<h2>{rows.capitalize()}</h2>" + _table(
        ("outcome", rows), [(escape(name), count) for name, count in calls["outcomes"].items()] or [("none", 0)]
    )
    columns = ("mean", "p50", "p90", "p95", "p99", "max")
    if calls["codes"]:
        yield "<h2>Final answers</h2>" + _table(
            ("status", rows), [(escape(code), n) for code, n in calls["codes"].items()]
        )
    yield "<h2>Delays in ms</h2>" + _table(
        ("delay", "count", *columns),
        [
            (delay_of(name, arrivals["of"]), digest["count"], *(_milliseconds(digest[each]) for each in columns))
            for name, digest in summary["delays"].items()
        ],
    )
    yield from _of_file(summary["scenario_file"], columns)
    if has_media(arrivals["of"]):
        yield "<h2>Media and digits</h2>" + _table(
            ("figure", "value"),
            [
                *_media_rows(media),
                *((f"digits {name}", value) for name, value in digits.items()),
            ],
        )
    yield "<h2>Generator</h2>" + _table(
        ("figure", "value"),
        [
            ("healthy", _passed(generator["healthy"], "yes", "no")),
            *(
                (f"{name} p99 in ms", _milliseconds(generator[f"{name.replace(' ', '_')}_p99"]))
                for name in ("schedule lateness", "send lateness", "loop lag")
            ),
            ("datagrams dropped at our sockets", generator["udp_drops"]),
        ],
    )
    yield "<h2>Processes</h2>" + _table(
        ("process", "CPU s", "MB at most", "restarts"),
        [
            (
                escape(each["name"]),
                f"{each['cpu_seconds']:.1f}",
                f"{each['max_rss_bytes'] / 1e6:.0f}",
                each["restarts"],
            )
            for each in summary["processes"]
        ],
    )


def _of_file(figures: Mapping[str, Any], columns: Sequence[str]) -> Iterator[str]:
    """What a scenario file of SIPp counts by names of its own."""
    if figures["response_times"]:
        yield "<h2>Response times in ms</h2>" + _table(
            ("rtd", "count", *columns),
            [
                (escape(name), digest["count"], *(_milliseconds(digest[each]) for each in columns))
                for name, digest in figures["response_times"].items()
            ],
        )
    if figures["counters"]:
        yield "<h2>Counters</h2>" + _table(
            ("counter", "number"), [(escape(name), count) for name, count in figures["counters"].items()]
        )


def _media_rows(media: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Media figures with their units: in summary.json times are seconds and shares are 0 to 1."""
    for name, value in media.items():
        text = name.replace("_", " ")
        if name == "discards":
            yield from ((f"discarded: {reason}", str(count)) for reason, count in value.items())
        elif name.startswith("jitter"):
            yield f"{text} in ms", _milliseconds(value)
        elif name.startswith("loss_ratio"):
            yield f"{text.replace(' ratio', '')} in %", "none" if value is None else f"{value * 100:.4g}"
        else:
            yield text, _number(value)


def _what_was_run(run: Mapping[str, Any]) -> Iterator[str]:
    facts = {"target": run["target"], **run["plan"], "seed": run["seed"], "started": run["started"], "run": run["id"]}
    facts |= {"host": run["host"], "sipswarm": run["version"]}
    yield "<h2>What was run</h2>" + _table(
        ("what", "value"), [(escape(name), escape(str(value))) for name, value in facts.items()]
    )


def _rows_of(summary: Mapping[str, Any]) -> str:
    """What was placed or sent: calls, requests."""
    of: str = summary["arrivals"]["of"]
    return "calls" if of == "runs" else of


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the cells are HTML."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    kind = ' class="pair"' if len(heads) == 2 else ""
    return f'<div class="scroll"><table{kind}><tr>{head}</tr>{body}</table></div>'


def _as_of(run: Mapping[str, Any]) -> str:
    """Time at which the figures of a running test were true, in UTC as its start."""
    moment = datetime.fromisoformat(run["started"]) + timedelta(seconds=run["seconds"])
    return f", as of {moment:%H:%M:%S} UTC"


def _judged(threshold: Mapping[str, Any]) -> str:
    if not threshold["so_far"]:
        return _passed(threshold["passed"])
    if threshold["value"] is None:
        return '<span class="soft">nothing counted so far</span>'
    return '<span class="soft">met so far</span>' if threshold["passed"] else '<span class="warn">not met so far</span>'


def escape(text: str) -> str:
    """Return a text as HTML, in an element or a quoted attribute."""
    return escape_html(shown(text))


def _exit(code: int | None) -> str:
    return "" if code is None else f" &middot; exit code {code}"


def _passed(passed: bool, good: str = "passed", bad: str = "failed") -> str:
    return f'<span class="{"good" if passed else "bad"}">{good if passed else bad}</span>'


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _milliseconds(value: float | None) -> str:
    return "none" if value is None else f"{value * 1000:.2f}"
