"""docs/reference.md is what the docstrings say now, and they say something of everything that users have."""

import ast
from pathlib import Path

import griffe
import pytest

import sipswarm

from . import reference

NAMES = reference.public(reference.package())


def test_the_page_is_that_of_the_docstrings() -> None:
    is_fresh = reference.PAGE.read_text() == reference.page(NAMES)
    assert is_fresh, f"docs/reference.md is old: run {reference.COMMAND}, and look at what has changed"


def test_every_name_argument_and_attribute_has_its_words() -> None:
    assert list(reference.gaps(NAMES)) == []


def test_the_page_has_every_public_name_method_and_argument() -> None:
    page = reference.PAGE.read_text()
    assert set(NAMES) == set(sipswarm.__all__) - {"__version__"}
    for name in NAMES:
        assert f"\n### {name}\n" in page
        assert f"(#{name.lower()})" in page
    for method in ("invite", "listen", "request", "subscribe", "register"):
        assert f"\n#### UserAgent.{method}\n" in page
    function = next(
        node
        for node in ast.walk(ast.parse((reference.ROOT / "actors" / "agent" / "user_agent.py").read_text()))
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    )
    entry = page.partition("\n### UserAgent\n")[2].partition("\n####")[0]
    for argument in [*function.args.args[1:], *function.args.kwonlyargs]:
        assert f"| `{argument.arg}` |" in entry


def test_a_default_is_what_a_caller_leaves_out_and_no_declaration() -> None:
    assert reference._default("option('', '--tls-ca', shown=\"the system's\", about='Trusted.')") == "''"
    assert reference._default("20.0") == "20.0"
    assert "option(" not in reference.page(NAMES)


def test_the_parts_of_a_class_do_not_speak_for_it_and_its_attributes_have_a_meaning() -> None:
    page = reference.page(NAMES)
    for entry in ("UserAgent", "RobotAgent"):
        assert "What a user agent does with messages as such" not in page.partition(f"\n### {entry}\n")[2]
    for name in ("Uri", "StopVariable"):
        rows = page.partition(f"\n### {name}\n")[2].partition("\n#")[0].partition("| attribute |")[2].splitlines()[2:]
        assert rows
        assert all(row.split("|")[-2].strip() for row in rows if row.startswith("|")), rows


MODULE = '''
class Call:
    """A class.

    Args:
        given: a thing, in seconds.

    Raises:
        ValueError: it is late.
    """

    silent = 1
    kept, taken = "", False
    """The text; whether it was taken."""
    said: int = 2
    """In seconds | or not."""

    def __init__(self, given: float = 1.0, *, other: str) -> None:
        pass

    def act(self, first: int, second: int) -> int:
        """Do something with `first`.

        Returns:
            A number.
        """

    def inner(self, a: int, b: int) -> None:
        """Do it; not for users."""

    def _hidden(self) -> None:
        pass
'''


@pytest.fixture
def names(tmp_path: Path) -> dict[str, griffe.Object]:
    """Those of a package with gaps."""
    folder = tmp_path / "sipswarm"
    folder.mkdir()
    (folder / "__init__.py").write_text('from sipswarm.open_ import Call\n\n__all__ = ["Call", "__version__"]\n')
    (folder / "open_.py").write_text(MODULE)
    return reference.public(reference.package(tmp_path))


def test_what_has_no_words_is_found(names: dict[str, griffe.Object]) -> None:
    assert list(reference.gaps(names)) == [
        "Call: nothing about the argument other",
        "Call.silent: no docstring",
        "Call.act: nothing about the argument second",
    ]


def test_an_entry_has_signature_tables_and_methods(names: dict[str, griffe.Object]) -> None:
    page = reference.page(names)
    assert page.startswith(reference.OPENING)
    assert "**Calls**: [Call](#call)" in page
    assert "```py\nCall(given: float = 1.0, *, other: str)\n```\n\nA class.\n" in page
    assert "| argument | type | default | meaning |\n| --- | --- | --- | --- |\n" in page
    assert "| `given` | `float` | `1.0` | a thing, in seconds. |\n" in page
    assert "| `ValueError` | it is late. |\n" in page
    assert "| `said` | `int` | In seconds \\| or not. |\n" in page
    assert "| `kept` |  | The text. |\n| `taken` |  | Whether it was taken. |\n" in page
    assert "#### Call.act\n\n```py\nact(first: int, second: int) -> int\n```\n" in page
    assert "Returns: A number.\n" in page
    assert "inner" not in page
    assert "_hidden" not in page
