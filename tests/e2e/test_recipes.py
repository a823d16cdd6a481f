"""The ten recipes of docs/load-testing.md, run as they stand there against the peers that the page starts."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.node import Answer, LoadResult, Side, command

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "load-testing.md").read_text()
RECIPES = [
    (title, shlex.split(line)[1:])
    for title, line in re.findall(r"^\*\*(\d+)\..*?^\$ (sipswarm (?:load|check) .*?)$", PAGE, re.MULTILINE | re.DOTALL)
]
PEERS = {
    address: arguments
    for arguments, address in re.findall(r"sipswarm answer (--listen udp:(127\.0\.0\.1:\d+)[^`\n]*)", PAGE)
}
"""address on the page -> how the page starts who answers there"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder from which the examples are seen, and where the peers of the page really listen."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "examples").symlink_to(ROOT / "examples")
    with ExitStack() as stack:
        real = {}
        for address, arguments in PEERS.items():
            options = [*shlex.split(arguments)[2:], "--quiet"]
            metrics = options.index("--metrics") if "--metrics" in options else None
            if metrics is not None:
                del options[metrics : metrics + 2]  # by which the test sees that it is up
            peer = Answer(folder, options, name=f"answer-{address.rpartition(':')[2]}")
            stack.enter_context(peer.program)
            peer.ready()
            real[address] = peer.address
        yield folder, real


def test_the_page_starts_two_peers_and_has_ten_recipes() -> None:
    assert sorted(PEERS) == ["127.0.0.1:5070", "127.0.0.1:5071"]
    assert [number for number, _ in RECIPES] == [str(number) for number in range(1, 11)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "words"), RECIPES, ids=[f"recipe {number}" for number, _ in RECIPES])
def test_a_recipe_passes(kitchen: tuple[Path, dict[str, str]], number: str, words: list[str]) -> None:
    folder, real = kitchen
    verb, *arguments = words
    for address, instead in real.items():
        arguments = [word.replace(address, instead) for word in arguments]
    with command(verb, arguments, folder, f"recipe-{number}") as program:
        exit_code = program.wait(60)
        account = program.account()
    if verb == "check":
        assert exit_code == 0, account
        return
    out = folder / arguments[arguments.index("--out") + 1]
    result = LoadResult(exit_code, json.loads((out / "summary.json").read_text()), account, [], Side("", 0))
    assert result.verdict == 0, account
    assert result.summary["calls"]["answered"] > 0
    assert {path.name for path in out.iterdir()} >= {"report.html", "summary.json", "calls.csv", "junit.xml"}
