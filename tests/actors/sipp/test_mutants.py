"""Malformed variants of scenario files: each is read or refused with a line, and no command is lost in silence.

The files are those that come with the program and those of the interoperation tests.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipswarm.actors.sipp import scenario_file
from sipswarm.actors.sipp.faults import ScenarioFileError
from sipswarm.actors.sipp.markup import read
from sipswarm.actors.sipp.program import Program, Role
from sipswarm.actors.sipp.program_reader import read as read_program

FOLDER = Path(__file__).parents[2] / "interop" / "sipp"
FILES = {
    **{name: scenario_file.text_of(name) for name in scenario_file.BUILTIN},
    **{file.name: file.read_text() for file in sorted(FOLDER.glob("*.xml"))},
}
MARKS = re.compile(r"[\"<>=/]|</\w+>|/>|]]>|-->|<!\[CDATA\[")
"""What a mutant lacks."""
TEXTS = re.compile(r"(<!\[CDATA\[)(.*?)(\]\]>)|(<!--)(.*?)(-->)|(\")([^\"]*)(\")", re.DOTALL)
"""Messages, comments and values, in which the marks are text."""
MUTANTS = 200


def program_of(text: str) -> Program | ScenarioFileError:
    try:
        return read_program(read(text.encode(), "a.xml"))
    except ScenarioFileError as error:
        return error


def _masked(match: re.Match[str]) -> str:
    before, inside, behind = filter(lambda each: each is not None, match.groups())
    return f"{before}{'x' * len(inside)}{behind}"


def marks_of(text: str) -> list[tuple[int, int]]:
    """The places of marks outside of texts."""
    begin = text.index("<scenario")
    masked = TEXTS.sub(_masked, text[begin:])
    return [(begin + match.start(), begin + match.end()) for match in MARKS.finditer(masked)]


@pytest.mark.parametrize("name", FILES)
def test_every_file_can_be_run(name: str) -> None:
    found = program_of(FILES[name])
    assert isinstance(found, Program), found
    assert found.unsupported == ()


def mutants() -> Iterator[tuple[str, int, int]]:
    """Which file lacks which mark, by begin and end; the same ones in each run."""
    chance = random.Random(16)
    names = sorted(FILES)
    for _ in range(MUTANTS):
        name = chance.choice(names)
        yield name, *chance.choice(marks_of(FILES[name]))


def test_mutants_are_of_files_of_both_roles_and_of_each_origin() -> None:
    names = {name for name, _, _ in mutants()}
    programs = [program_of(FILES[name]) for name in names]
    assert {each.role for each in programs if isinstance(each, Program)} == set(Role)
    assert names & set(scenario_file.BUILTIN)
    assert names - set(scenario_file.BUILTIN)


def test_every_mutant_is_read_or_refused_with_a_line_and_loses_nothing_in_silence() -> None:
    outcomes = {"refused": 0, "faults": 0, "told": 0}
    for name, begin, end in mutants():
        whole = FILES[name]
        found = program_of(whole[:begin] + whole[end:])
        where = f"{name}: {whole[max(0, begin - 60) : begin]}⟨{whole[begin:end]}⟩{whole[end : end + 60]}"
        lines = range(1, whole.count("\n") + 2)
        if isinstance(found, ScenarioFileError):
            outcomes["refused"] += 1
            assert found.faults[0].line in lines, where
        elif found.unsupported:
            outcomes["faults"] += 1
            assert found.unsupported[0].line in lines, where
        else:
            outcomes["told"] += 1
            assert found.tolerations, where
            assert found.tolerations[0].line in lines, where
    assert all(outcomes.values()), outcomes
