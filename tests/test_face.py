"""The face of the package: every name that user code writes is in it, and the examples need no other."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sipswarm

ROOT = Path(__file__).parent.parent
LAZY = [
    *("sipswarm", "sipswarm.media", "sipswarm.sipcore", "sipswarm.testing"),
    *(f"sipswarm.sipcore.{part}" for part in ("auth", "message", "sdp", "server", "session", "transaction", "usage")),
]
LIBRARY = {"sipswarm", "sipswarm.sipcore.auth", "sipswarm.sipcore.message", "sipswarm.sipcore.server"}
"""The face, and those of the library by which a script has a server of its own."""
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted(each for each in (ROOT / "docs").glob("*.md") if each.name != "reference.md")]
"""The pages with programs; that of the reference has signatures."""


def snippets(page: Path) -> list[str]:
    """The Python programs of a page."""
    return [part.partition("```")[0] for part in page.read_text().split("```python\n")[1:]]


def test_every_name_of_the_face_is_found() -> None:
    assert sipswarm.__all__ == sorted(sipswarm.__all__)
    for name in sipswarm.__all__:
        found = getattr(sipswarm, name)
        if inspect.isclass(found) and name != "Callback":  # a function, a list or a flag: no class of ours
            assert found.__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        _ = sipswarm.nothing


@pytest.mark.parametrize("name", LAZY)
def test_dir_has_every_public_name_before_its_first_use(name: str) -> None:
    code = f"import {name} as it; print(*sorted({{*it.__all__}} - {{*dir(it)}}))"
    lacking = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert lacking.stdout.strip() == ""


def test_importing_the_face_loads_nothing_of_it() -> None:
    code = "import sys, sipswarm; print([each for each in sys.modules if each.startswith('sipswarm.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_an_example_names_only_the_face_and_no_any(file: Path) -> None:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).rpartition(".")[2] == "Any")
        if isinstance(node, ast.ImportFrom):
            assert "Any" not in {each.name for each in node.names}
            module = node.module or ""
            if module.partition(".")[0] == "sipswarm":
                assert module in LIBRARY
                assert {each.name for each in node.names} <= set(import_module(module).__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_program_of_a_page_needs_any(page: Path) -> None:
    for text in snippets(page):
        assert "Any" not in text.replace(",", " ").replace("]", " ").split()


def test_the_examples_are_typed() -> None:
    """Under the same rules as our own code, against the types of the face; their functions are all annotated."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, EXAMPLES)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr


MISSPELT = """
from sipswarm import UserAgent


async def main(to: str) -> None:
    async with UserAgent() as ua:
        call = await ua.invite(to, ring_tme=3)
        await call.reinvite(call_on_hlod=True)
        ua.listen(cb_finall=print)
        await call.update(ring_time="3")
        call.statistics.packets_sent_
        ua.another("sip:bob@example.org", strict_sorce=False)
"""
"""Mistakes that a type checker finds, one in each of the last six lines."""


def test_the_script_of_the_readme_is_typed_and_a_misspelt_argument_is_found(tmp_path: Path) -> None:
    (script,) = snippets(ROOT / "README.md")
    readme, misspelt = tmp_path / "readme.py", tmp_path / "misspelt.py"
    readme.write_text(script)
    misspelt.write_text(MISSPELT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(readme), str(misspelt)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    places = [Path(line.partition(": error: ")[0]).name for line in found]  # a cache may know another folder
    assert places == [f"misspelt.py:{number}" for number in range(7, 13)]
    for name, line in zip(("ring_tme", "call_on_hlod", "cb_finall"), found, strict=False):
        assert name in line
