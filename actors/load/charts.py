"""Line charts as inline SVG: no script, no network, the same figures readable as text. Pure.

A chart is 360 by 200 units and scales with its column; colours come from CSS variables of the page around it. It draws
grid, limits, lines, mark and tips, in this order. Lines that may lie upon each other differ in more than colour: one is
wide and pale, one is dashed. It draws every point that it is given; the caller must bound their number.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import floor, log10
from typing import Final, NamedTuple

WIDTH: Final = 360
HEIGHT: Final = 200
LEFT: Final = 44
RIGHT: Final = 10
TOP: Final = 10
BOTTOM: Final = 24
MOST_TIPS: Final = 60
"""Columns of a chart that show their figures under the pointer."""
FAR: Final = 4.0
"""A limit further away than this times the greatest value is not drawn: it would flatten the lines."""
STYLES: Final = ("solid", "dashed", "wide")


class Stretch(NamedTuple):
    """The time of one point of every line, in whole seconds."""

    begin: int
    seconds: int


class Line(NamedTuple):
    """One line of a chart."""

    name: str
    values: Sequence[float | None]
    """A value per point; None = there is none, the line has a gap."""
    colour: str
    """Name of a CSS variable."""
    style: str = "solid"
    """Of STYLES."""
    lowest: bool = False
    """Under the pointer, show the least value of several points and not the greatest (where low is bad)."""


class Limit(NamedTuple):
    """A horizontal line that the values are held against."""

    value: float
    name: str


def chart(
    title: str,
    unit: str,
    times: Sequence[Stretch],
    lines: Sequence[Line],
    *,
    floor_at: float = 0.0,
    ceiling: float | None = None,
    limits: Sequence[Limit] = (),
    mark: tuple[float, str] | None = None,
) -> str:
    """Return a figure with its title, a legend and the lines over time.

    Args:
        title: of the figure.
        unit: of the values.
        times: of the points, one after the other.
        lines: each with a value per point.
        floor_at: least value of the axis.
        ceiling: greatest value, None = as the lines need it.
        limits: drawn where they do not flatten the lines.
        mark: a moment in seconds, and what happened then.
    """
    known = [value for line in lines for value in line.values if value is not None]
    legend = "".join(f'<span class="key">{_sample(line)}{escape(line.name)}</span>' for line in lines)
    head = f'<figure><figcaption><b>{escape(title)}</b> <span class="unit">{escape(unit)}</span>{legend}</figcaption>'
    if not known or not times:
        return f'{head}<p class="none">no figures</p></figure>'
    near = [each for each in limits if each.value <= FAR * max(known)]
    top = ceiling if ceiling is not None else nice(max(known + [each.value for each in near]))
    axis = _Axis(times[-1].begin + times[-1].seconds, floor_at, max(top, floor_at + 1e-9))
    places = [f"{axis.x(each.begin + each.seconds / 2):.1f} " for each in times]
    summary = "; ".join(f"{line.name}: {_range(line.values)}" for line in lines)
    body = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title} in {unit}. {summary}")}">',
        *_grid(axis),
        *(_limit(each, axis) for each in near if each.value >= floor_at),
        *(_path(line, places, axis) for line in lines),
        *_mark(mark, axis),
        *_tips(lines, times, axis),
        "</svg></figure>",
    ]
    return head + "".join(body)


def nice(value: float) -> float:
    """Return the least 1, 2, 2.5 or 5 times a power of ten that is not below a value."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if value <= step * power * (1 + 1e-9))


def clock(seconds: float, total: float) -> str:
    """Write a time after the start as people write it: 42 s, 12:30 or 26:05:00.

    Args:
        seconds: the time.
        total: seconds of the whole run, which decides the form.
    """
    if total < 120:
        return f"{seconds:.4g} s"
    minutes, second = divmod(round(seconds), 60)
    if total < 7200:
        return f"{minutes}:{second:02}"
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


class _Axis(NamedTuple):
    seconds: int
    low: float
    high: float

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _grid(axis: _Axis) -> Iterator[str]:
    for quarter in range(5):
        value = axis.low + (axis.high - axis.low) * quarter / 4
        y = axis.y(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    for second, anchor in ((0, "start"), (axis.seconds / 2, "middle"), (axis.seconds, "end")):
        x, y = axis.x(second), HEIGHT - 6
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{clock(second, axis.seconds)}</text>'


def _limit(limit: Limit, axis: _Axis) -> str:
    y = axis.y(limit.value)
    text = y - 3 if y > TOP + 12 else y + 12
    return (
        f'<path class="limit" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{WIDTH - RIGHT}" y="{text:.1f}" text-anchor="end">{escape(limit.name)}</text>'
    )


def _mark(mark: tuple[float, str] | None, axis: _Axis) -> Iterator[str]:
    if mark is not None and 0 <= mark[0] <= axis.seconds:
        x = axis.x(mark[0])
        yield f'<path class="mark" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        anchor = "start" if mark[0] < axis.seconds / 2 else "end"
        yield f'<text x="{x:.1f}" y="{TOP + 10}" dx="{3 if anchor == "start" else -3}" text-anchor="{anchor}">'
        yield f"{escape(mark[1])}</text>"


def _path(line: Line, places: Sequence[str], axis: _Axis) -> str:
    """Return the line through its values.

    Args:
        places: of the points across the chart, as text.
    """
    low, high, bottom = axis.low, axis.high, HEIGHT - BOTTOM
    unit = (HEIGHT - TOP - BOTTOM) / (high - low)
    drawn: list[str] = []
    dots: list[str] = []
    run: list[str] = []
    for place, value in zip((*places, ""), (*line.values, None), strict=True):
        if value is not None:
            within = low if value < low else high if value > high else value
            run.append(f"{place}{bottom - (within - low) * unit:.1f}")
            continue
        if len(run) == 1:
            dots.append(f"M{run[0]}h.01")  # a line of one point has no length: a round cap of it is a dot
        elif run:
            drawn.append("M" + "L".join(run))
        run = []
    style = f'style="stroke:var(--{line.colour})"'
    parts = (("line " + line.style, drawn), ("line dot", dots))
    return "".join(f'<path class="{name}" {style} d="{"".join(each)}"/>' for name, each in parts if each)


def _tips(lines: Sequence[Line], times: Sequence[Stretch], axis: _Axis) -> Iterator[str]:
    """Yield columns without colour; each names the figures of its time, which a browser shows under the pointer."""
    step = -(-len(times) // MOST_TIPS)
    for first in range(0, len(times), step):
        within = slice(first, first + step)
        begin, last = times[first].begin, times[within][-1]
        texts = [clock(begin, axis.seconds)]
        for line in lines:
            values = [value for value in line.values[within] if value is not None]
            if values:
                texts.append(f"{line.name} {(min if line.lowest else max)(values):.4g}")
        x, end = axis.x(begin), axis.x(last.begin + last.seconds)
        yield f'<rect class="tip" x="{x:.1f}" y="{TOP}" width="{end - x:.1f}" height="{HEIGHT - TOP - BOTTOM}">'
        yield f"<title>{escape(', '.join(texts))}</title></rect>"


def _sample(line: Line) -> str:
    return (
        f'<svg class="sample" viewBox="0 0 22 8"><path class="line {line.style}" style="stroke:var(--{line.colour})" '
        'd="M1 4H21"/></svg>'
    )


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{min(known):.4g} to {max(known):.4g}" if known else "none"
