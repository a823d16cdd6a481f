"""The table docs/man-page-coverage.md names every item of the man page, and only tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "man-page-coverage.md").read_text()
ROWS = {cells[1].strip(): cells for line in PAGE.splitlines() if (cells := line.split("|"))[1:2] and len(cells) == 8}
ITEMS = [f"C{number}" for number in range(1, 44)]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def functions_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_item_has_one_row() -> None:
    assert [item for item in ROWS if item.startswith("C") and item[1:].isdigit()] == ITEMS


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE)
    assert named
    missing = [
        f"{file}::{name}" for file, name in named if not (ROOT / file).is_file() or name not in functions_in(file)
    ]
    assert not missing, "\n".join(missing)


def test_no_item_is_without_a_test_and_none_is_called_a_gap() -> None:
    assert [item for item in ITEMS if not NAMED.search(ROWS[item][4])] == []
    assert [item for item in ITEMS if "GAP" in ROWS[item][6]] == []


def test_what_is_missing_of_an_item_is_said_in_its_row_alone() -> None:
    missing = {item: ROWS[item][6].strip() for item in ITEMS if ROWS[item][6].strip()}
    assert ("nothing that the page describes is left out" in PAGE) is (not missing), missing


def test_an_item_with_a_test_says_against_whom_it_was_shown() -> None:
    assert [item for item in ITEMS if NAMED.search(ROWS[item][4]) and not ROWS[item][5].strip()] == []


def test_every_weakness_of_net_sip_has_a_test() -> None:
    table = PAGE.partition("## Where Net::SIP is weak or wrong")[2].partition("\n## ")[0]
    rows = {cells[1].strip(): cells for line in table.splitlines() if len(cells := line.split("|")) == 6}
    assert [row for row in rows if row.startswith("W")] == [f"W{number}" for number in (*range(1, 17), *range(20, 27))]
    assert [row for row in rows if row.startswith("W") and not NAMED.search(rows[row][3])] == []
