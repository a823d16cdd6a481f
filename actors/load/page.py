"""report.html of a run: verdict, thresholds, charts and every figure, in one file that needs no network. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape as escape_html
from typing import Any, Final

from ..failure_reasons import REASONS, Blame, blame_of, words_of
from ..foreign_text import shown
from .charts import Line, chart
from .failures import FOLDER, FailedCall
from .timeline import Row

BLAMED: Final = {Blame.SUT: "system under test", Blame.GENERATOR: "generator", Blame.PLAN: "plan or scenario"}
STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#5b6570;--edge:#d5dae0;--card:#f6f8fa;
--good:#0a7a34;--bad:#b3261e;--blue:#1f6feb;--grey:#8b949e;--orange:#c4620a;--red:#b3261e;--green:#0a7a34}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--soft:#9aa4af;--edge:#30363d;--card:#161b22;
--good:#3fb950;--bad:#f85149;--blue:#58a6ff;--grey:#8b949e;--orange:#e3903c;--red:#f85149;--green:#3fb950}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1240px;padding:16px;background:var(--bg);color:var(--fg);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}
.soft,.unit,.none{color:var(--soft)}
.verdict{display:inline-block;padding:4px 14px;border-radius:6px;color:#fff;font-weight:700;margin:10px 0}
.verdict.passed{background:#0a7a34}.verdict.failed{background:#b3261e}.verdict.running{background:#57606a}
.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));gap:8px}
@media(min-width:900px){.tiles{grid-template-columns:repeat(5,1fr)}}
.tile{background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:8px 10px}
.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:12px}
figure{margin:0;background:var(--card);border:1px solid var(--edge);border-radius:6px;padding:8px}
figcaption{font-size:14px}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--edge);fill:none}.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.key{margin-left:10px;white-space:nowrap;font-size:13px}
.key i{display:inline-block;width:14px;height:3px;margin-right:4px;vertical-align:middle}
.none{margin:32px 0;text-align:center}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}table.pair{max-width:620px}
.wide{overflow-x:auto}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--edge);font-size:14px;overflow-wrap:normal}
td{vertical-align:top}code{font-size:13px;white-space:nowrap}a{color:var(--blue)}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}
@media(max-width:500px){th,td{padding:4px 3px;font-size:12px}code{font-size:11px}}
"""


def page_of(
    summary: Mapping[str, Any],
    reasons: Sequence[str],
    rows: Sequence[Row],
    failures: Mapping[str, int],
    calls: Sequence[FailedCall] = (),
) -> str:
    """The page.

    summary: what summary.json holds. reasons: why the run is not passed. rows: the timeline. failures: failed calls by
    missed expectation. calls: failed calls that have a folder.
    """
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(summary['verdict'])}: {escape(summary['run']['target'])}</title>",
        f"<style>{STYLE}</style></head><body>",
        *_head(summary, reasons),
        *_thresholds(summary["thresholds"]),
        '<h2>Over time</h2><div class="charts">',
        *_charts(rows),
        "</div>",
        *_failed_calls(failures, calls),
        *_tables(summary),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _head(summary: Mapping[str, Any], reasons: Sequence[str]) -> Iterator[str]:
    run, calls, media, digits = summary["run"], summary["calls"], summary["media"], summary["dtmf"]
    verdict = summary["verdict"]
    kind = verdict if verdict in ("passed", "running") else "failed"
    yield f"<h1>Calls to {escape(run['target'])}</h1>"
    rate, shards = summary["rate"], run["shards"]
    shard = f", shard {run['shard']} of {shards}" if shards > 1 else ""
    whole = f" (1/{shards} of {_number(rate['all_shards'])})" if shards > 1 else ""
    yield (
        f'<div class="soft">started {escape(run["started"])}, {run["seconds"]:.1f} s, seed {run["seed"]}{shard}</div>'
        f'<div class="verdict {kind}">{escape(verdict.replace("_", " "))}{_exit(summary["exit_code"])}</div>'
    )
    if reasons:
        yield f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in reasons)}</ul>"
    tiles = (
        ("calls planned", calls["planned"]),
        ("answered", calls["answered"]),
        ("failed", calls["failed"]),
        ("at a time", calls["max_concurrent"]),
        (f"calls per second of {_number(rate['target'])}{whole}", _number(rate["achieved"])),
        ("RTP packets received", media["rtp_received"]),
        ("RTP packets lost", media["lost"]),
        ("MOS, worst 5 %", _number(media["mos_cqe_p5"])),
        ("digits received", digits["received"]),
        ("digits missed or wrong", digits["missed"] + digits["wrong"]),
    )
    boxes = "".join(f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for name, value in tiles)
    yield f'<div class="tiles">{boxes}</div>'


def _thresholds(thresholds: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if thresholds:
        yield "<h2>Thresholds</h2>" + _table(
            ("threshold", "value", "result"),
            [(escape(each["expression"]), _number(each["value"]), _passed(each["passed"])) for each in thresholds],
        )


def _charts(rows: Sequence[Row]) -> Iterator[str]:
    def milliseconds(values: Iterator[float | None]) -> list[float | None]:
        return [None if value is None else value * 1000 for value in values]

    yield chart(
        "Rate",
        "calls/s",
        (
            Line("commanded", [row.target_rate for row in rows], "grey"),
            Line("started", [float(row.started) for row in rows], "blue"),
            Line("failed", [float(row.failed) for row in rows], "red"),
        ),
    )
    yield chart("Live calls", "calls", (Line("live", [float(row.live) for row in rows], "blue"),))
    yield chart(
        "Post-dial delay",
        "ms",
        (
            Line("p50", milliseconds(row.post_dial_p50 for row in rows), "green"),
            Line("p95", milliseconds(row.post_dial_p95 for row in rows), "orange"),
            Line("max", milliseconds(row.post_dial_max for row in rows), "red"),
        ),
    )
    yield chart(
        "Answer delay",
        "ms",
        (
            Line("p50", milliseconds(row.answer_p50 for row in rows), "green"),
            Line("p95", milliseconds(row.answer_p95 for row in rows), "orange"),
        ),
    )
    loss = [None if row.loss is None else row.loss * 100 for row in rows]
    yield chart("RTP loss", "% of the calls that ended", (Line("loss", loss, "red"),))
    yield chart(
        "MOS",
        "CQE of the calls that ended",
        (
            Line("mean", [row.mos_mean for row in rows], "green", lowest=True),
            Line("least", [row.mos_min for row in rows], "orange", lowest=True),
        ),
        floor_at=1.0,
        ceiling=5.0,
    )


def _failed_calls(failures: Mapping[str, int], calls: Sequence[FailedCall]) -> Iterator[str]:
    if failures:
        yield "<h2>Failed calls</h2>" + _table(
            ("missed expectation", "calls", "to blame", "meaning"),
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
    yield "<h2>Calls</h2>" + _table(
        ("outcome", "calls"), [(escape(name), count) for name, count in calls["outcomes"].items()] or [("none", 0)]
    )
    columns = ("mean", "p50", "p90", "p95", "p99", "max")
    yield "<h2>Delays in ms</h2>" + _table(
        ("delay", "count", *columns),
        [
            (name.replace("_", " "), digest["count"], *(_milliseconds(digest[each]) for each in columns))
            for name, digest in summary["delays"].items()
        ],
    )
    yield "<h2>Media and digits</h2>" + _table(
        ("figure", "value"),
        [
            *((name.replace("_", " "), _number(value)) for name, value in media.items()),
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


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the cells are HTML."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    kind = ' class="pair"' if len(heads) == 2 else ""
    return f'<div class="wide"><table{kind}><tr>{head}</tr>{body}</table></div>'


def escape(text: str) -> str:
    """A text as HTML, in an element or a quoted attribute."""
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
