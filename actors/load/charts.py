"""Line charts as inline SVG: no script, no network, the same figures readable as text. Pure.

A chart is 360 by 200 units and scales with its column; colours come from CSS variables of the page around it.
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
MOST_POINTS: Final = 300
"""points drawn per line; of more, the greatest of each stretch is drawn, so that no peak is lost"""


class Line(NamedTuple):
    """One line of a chart."""

    name: str
    values: Sequence[float | None]
    """a value per second; None = there is none, the line has a gap"""
    colour: str
    """name of a CSS variable"""
    lowest: bool = False
    """of a stretch, draw the least value and not the greatest (where low is bad)"""


def chart(title: str, unit: str, lines: Sequence[Line], *, floor_at: float = 0.0, ceiling: float | None = None) -> str:
    """A figure with its title, a legend and the lines over seconds.

    unit: of the values. floor_at: least value of the axis. ceiling: greatest value, None = as the lines need it.
    """
    seconds = max((len(line.values) for line in lines), default=0)
    known = [value for line in lines for value in line.values if value is not None]
    legend = "".join(
        f'<span class="key"><i style="background:var(--{line.colour})"></i>{escape(line.name)}</span>' for line in lines
    )
    head = f'<figure><figcaption><b>{escape(title)}</b> <span class="unit">{escape(unit)}</span>{legend}</figcaption>'
    if not known or not seconds:
        return f'{head}<p class="none">no figures</p></figure>'
    top = ceiling if ceiling is not None else nice(max(known))
    axis = _Axis(seconds, floor_at, max(top, floor_at + 1e-9))
    summary = "; ".join(f"{line.name}: {_range(line.values)}" for line in lines)
    body = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{title} in {unit}. {summary}")}">',
        *_grid(axis),
        *(_path(line, axis) for line in lines),
        "</svg></figure>",
    ]
    return head + "".join(body)


def nice(value: float) -> float:
    """The least 1, 2, 2.5 or 5 times a power of ten that is not below a value."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if value <= step * power * (1 + 1e-9))


class _Axis(NamedTuple):
    seconds: int
    low: float
    high: float

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * second / max(1, self.seconds - 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _grid(axis: _Axis) -> Iterator[str]:
    for quarter in range(5):
        value = axis.low + (axis.high - axis.low) * quarter / 4
        y = axis.y(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    last = axis.seconds - 1
    for second, anchor in ((0, "start"), (last / 2, "middle"), (last, "end")) if last else ((0, "start"),):
        x, y = axis.x(second), HEIGHT - 6
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{second:.4g} s</text>'


def _path(line: Line, axis: _Axis) -> str:
    parts: list[str] = []
    pen_up = True
    for second, value in _thinned(line):
        if value is None:
            pen_up = True
            continue
        point = f"{axis.x(second):.1f} {axis.y(value):.1f}"
        parts.append(f"M{point}h.01" if pen_up else f"L{point}")  # h.01: a lonely point is a dot
        pen_up = False
    return f'<path class="line" style="stroke:var(--{line.colour})" d="{"".join(parts)}"/>'


def _thinned(line: Line) -> Iterator[tuple[int, float | None]]:
    step = -(-len(line.values) // MOST_POINTS) or 1
    for begin in range(0, len(line.values), step):
        stretch = [
            (value, begin + offset)
            for offset, value in enumerate(line.values[begin : begin + step])
            if value is not None
        ]
        if stretch:
            value, second = min(stretch) if line.lowest else max(stretch)
            yield second, value
        else:
            yield begin, None


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{min(known):.4g} to {max(known):.4g}" if known else "none"
