"""The table of attacks in docs/reliability.md names tests that are there, and rules that hold in every file."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = re.findall(r"^\| (S\d+): [^|]* \|[^|]*\| ([^|]*) \|$", PAGE, re.MULTILINE)
SOURCES = [file for top in ("actors", "media", "sipcore", "sipswarm") for file in sorted((ROOT / top).rglob("*.py"))]

CODE_IN_DATA = {"pickle", "cPickle", "dill", "shelve", "yaml", "ruamel", "jsonpickle"}
DEBUGGING = {"code", "pdb", "bdb", "rlcompleter", "cProfile", "profile", "xmlrpc", "telnetlib", "manhole", "debugpy"}
EVALUATED = {"eval", "exec", "__import__"}
MARSHAL = "marshal"
USER_FILE, LEDGER = "actors/scripts/user_file.py", "actors/ledger/entries.py"
"""Runs the code that a user gives; reads memory of the own node that no peer can write."""


def imported(tree: ast.Module) -> Iterator[str]:
    """The roots of the modules that a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def evaluated(tree: ast.Module) -> Iterator[str]:
    """What a file calls to run code of a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in EVALUATED:
            yield node.func.id
        elif isinstance(node, ast.keyword) and node.arg == "shell" and not _is_false(node.value):
            yield "shell"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            yield from {"system", "popen"} & {node.attr}


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def files_with(names: set[str]) -> Iterator[tuple[str, ast.Module]]:
    """The files whose text has one of these, read."""
    for file in SOURCES:
        text = file.read_text()
        if any(name in text for name in names):
            yield file.relative_to(ROOT).as_posix(), ast.parse(text)


def found(names: set[str]) -> set[tuple[str, str]]:
    """File and module of each import of one of these."""
    texts = {f"{word} {name}" for word in ("import", "from", ",") for name in names}
    return {(path, name) for path, tree in files_with(texts) for name in imported(tree) if name in names}


def test_every_attack_has_its_row() -> None:
    assert [row for row, _ in ROWS] == [f"S{number}" for number in range(1, 21)]


@pytest.mark.parametrize(("row", "cell"), ROWS, ids=[row for row, _ in ROWS])
def test_each_test_that_a_row_names_is_there(row: str, cell: str) -> None:
    names = re.findall(r"`([^`]+)::(\w+)`", cell)
    assert names
    assert ", ".join(f"`{file}::{name}`" for file, name in names) == cell
    for file, name in names:
        functions = [
            each for each in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(each, ast.FunctionDef)
        ]
        assert [each.name for each in functions].count(name) == 1, f"{file}::{name}"


def test_no_file_reads_code_out_of_data() -> None:
    assert found(CODE_IN_DATA) == set()
    assert found({MARSHAL}) == {(LEDGER, MARSHAL)}
    calls = {(path, each) for path, tree in files_with(EVALUATED | {"shell", "os."}) for each in evaluated(tree)}
    assert calls == {(USER_FILE, "exec")}


@pytest.mark.parametrize(
    "text", ["eval(x)", "exec(x)", "import os\nos.system(x)", "run(x, shell=True)", "run(x, shell=given)"]
)
def test_code_that_is_run_out_of_a_text_is_found(text: str) -> None:
    assert list(evaluated(ast.parse(text)))


def test_no_file_opens_a_way_in_for_debugging() -> None:
    assert found(DEBUGGING) == set()


def test_the_seed_of_hashes_is_fixed_nowhere() -> None:
    """Call-IDs and sources are keys of tables: with a known seed a peer could choose texts with the same hash."""
    name = "PYTHON" + "HASHSEED"
    files = [*SOURCES, *(each for each in (ROOT / "deploy").rglob("*") if each.is_file()), ROOT / "Makefile"]
    assert [each.relative_to(ROOT).as_posix() for each in files if name.encode() in each.read_bytes()] == []


def test_every_library_has_a_least_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    assert [each for group in groups for each in group if not re.fullmatch(r"[\w-]+>=[\d.]+", each)] == []
