"""The ways through the code in docs/architecture.md: each step is a file, and the table has the number of steps."""

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
WAYS = PAGE.partition("## Five ways through the code")[2].partition("\n## ")[0]
CHAINS = re.findall(r"^(\d)\. \*\*.*?\n\n((?:.+\n)+)", WAYS, re.MULTILINE)
ROWS = re.findall(r"^\| (\d)\. .* \| (\d+) \| (\d+) \|$", WAYS, re.MULTILINE)
FILES = [
    file.relative_to(ROOT).as_posix() for top in ("actors", "media", "sipcore") for file in (ROOT / top).rglob("*.py")
]


def steps_of(chain: str) -> list[str]:
    """The names of its steps; remarks stand in parentheses."""
    names = re.sub(r"\([^)]*\)", "", " ".join(chain.replace("()", "").split()))
    return [step.strip().strip("`") for step in names.split(" → ")]


@pytest.mark.parametrize(("number", "chain"), CHAINS)
def test_each_step_of_a_way_is_one_file_and_the_table_counts_them(number: str, chain: str) -> None:
    steps = steps_of(chain.rstrip(".\n"))
    for step in steps:
        assert len([file for file in FILES if f"/{file}".endswith(f"/{step}.py")]) == 1, step
    assert [one for one, other in itertools.pairwise(steps) if one == other] == []
    assert (number, str(len(steps) - 1), str(len(set(steps)))) in ROWS


def test_the_page_has_five_ways() -> None:
    assert [number for number, _ in CHAINS] == [number for number, _, _ in ROWS] == list("12345")
