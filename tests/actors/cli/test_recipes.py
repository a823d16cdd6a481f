"""What the documentation tells people to type: every command line in it is one that the command line takes."""

import re
import shlex
from pathlib import Path

import pytest

from sipswarm.actors.cli.app import cli
from sipswarm.actors.cli.check import check

ROOT = Path(__file__).parents[3]
COMMANDS = [
    (page.name, line)
    for page in sorted((ROOT / "docs").glob("*.md"))
    if page.name in ("cli.md", "load-testing.md", "robots.md")
    for line in re.findall(
        r"(?:^\$ |`)(sipswarm (?:demo|answer|robot|call|load|check) [^`\n]*?)`?$", page.read_text(), re.M
    )
    if "…" not in line and "[" not in line
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line}"[:60] for page, line in COMMANDS])
def test_a_command_of_the_documentation_is_taken(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, verb, *arguments = shlex.split(line)
    if verb == "check":
        with check.make_context(verb, list(arguments)) as context:
            verb, arguments = context.params["verb"], list(context.params["arguments"])
    with cli.commands[verb].make_context(verb, arguments):
        pass


def test_there_are_ten_recipes_for_load_tests() -> None:
    text = (ROOT / "docs" / "load-testing.md").read_text()
    assert re.findall(r"^\*\*(\d+)\.", text, re.M) == [str(number) for number in range(1, 11)]
    assert len(re.findall(r"^\$ sipswarm (?:load|check)", text, re.M)) == 10
