"""Writes the tables of docs/verdict.md between its markers: `python -m tests.interop.liars --write-page`."""

import shlex
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from .lies import LIES
from .verdicts import CELLS, COLUMNS, HOLDS, PLAN, Cell

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "verdict.md"
BEGIN: Final = "<!-- written by `python -m tests.interop.liars --write-page`; change tests/interop/liars instead -->"
END: Final = "<!-- end of what is written -->"


def written(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} needs the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def tables() -> str:
    """All of it: expectations, lies and what is right of them."""
    parts = [
        "### Expectations",
        f"Each run is `sipswarm load` with `{shlex.join(HOLDS)}` (scenarios: `{shlex.join(PLAN)}`), and",
        _table(("expectations", "arguments"), [(name, _arguments(arguments)) for name, arguments in COLUMNS.items()]),
        f"### {len(LIES)} peers",
        _table(("peer", "what it does"), [(f"`{lie.name}`", _says(lie.transport, lie.says)) for lie in LIES.values()]),
        f"### {len(CELLS)} verdicts",
        "\n".join(_lines()),
    ]
    return "\n\n".join(parts) + "\n"


def _says(transport: str, says: str) -> str:
    return f"{says} (TCP)" if transport == "tcp" and "TCP" not in says else says


def _arguments(arguments: tuple[str, ...]) -> str:
    base = len(HOLDS) if arguments[: len(HOLDS)] == HOLDS else len(PLAN)
    rest = shlex.join(arguments[base:]).replace("'%SCENARIO%", "'FILE").replace("%SCENARIO%", "FILE")
    return f"`{rest.replace('%PASSWORD%', 'FILE').replace('%PORTS%', 'the ports of one call')}`" if rest else "none"


def _lines() -> list[str]:
    rows = []
    for _, group in groupby(
        CELLS.values(), key=lambda cell: (cell.lie, cell.verdict, cell.failure, cell.count, cell.why)
    ):
        cells = list(group)
        columns = ", ".join(cell.column for cell in cells)
        rows.append((f"`{cells[0].lie}`", columns, *_judged(cells[0]), cells[0].why))
    heads = ("peer", "expectations", "verdict", "exit code", "failed calls", "to blame", "because")
    return [_table(heads, rows)]


def _judged(cell: Cell) -> tuple[str, str, str, str]:
    names = " or ".join(f"`{name}`" for name in cell.failure)
    failed = f"{cell.count} {names}" if cell.failure else ""
    return f"`{cell.verdict}`", str(cell.exit_code), failed, cell.blame


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
