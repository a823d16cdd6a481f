"""A call that carries out actions, without a call: the elements of a file, variables, a message."""

from collections.abc import Mapping
from random import Random

from sipswarm.actors.scripts.sipp_rows import read_rows
from sipswarm.actors.sipp.actions.action import Action, Scene
from sipswarm.actors.sipp.actions.results import Result
from sipswarm.actors.sipp.actions.table import compile_action
from sipswarm.actors.sipp.findings import Findings
from sipswarm.actors.sipp.injection import InjectionFile, InjectionFiles
from sipswarm.actors.sipp.keywords import KeywordReader
from sipswarm.actors.sipp.markup import Element, read
from sipswarm.actors.sipp.template import Credentials
from sipswarm.actors.sipp.variables import Layout, Value, Variables

LINE = 2
"""Line of the element in the files that are made here."""


class Keywords:
    """The keywords of a call: each stands for its own name, variables for themselves."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables

    def text(self, name: str) -> str:
        return f"<{name}>"

    def number(self, name: str) -> int:
        return 7

    def branch(self, offset: int) -> str:
        return f"branch{offset}"

    def last_header(self, name: str, value_only: bool) -> str:
        return f"{name}: last"

    def variable(self, name: str) -> str:
        return self._variables.text(name)

    def length(self, name: str) -> int:
        return int(self._variables.number(name))

    def field(self, number: int, file: str, row: str) -> str:
        return f"field{number}"

    def file(self, name: str) -> str:
        return f"contents of {name}"

    def authentication(self, credentials: Credentials, method: str, body: str) -> str:
        return "Authorization: none"


def element(text: str) -> Element:
    """The action of a file that has it alone, on line LINE."""
    document = read(f"<scenario>\n<nop><action>{text}</action></nop></scenario>".encode("latin-1"), "a.xml")
    return document.root.children[0].children[0].children[0]


def compiled(text: str) -> tuple[Action, Findings]:
    """An action, and what was found about it."""
    findings = Findings()
    return compile_action(element(text), KeywordReader({}, findings), findings), findings


class Playground:
    """Carries out actions one after the other."""

    def __init__(self, *, message: str = "", files: Mapping[str, str] | None = None, **values: Value) -> None:
        self.message = message
        self.variables = Variables(Layout([*values, "a", "b", "c"]))
        for name, value in values.items():
            self.variables[name] = value
        rows = {name: InjectionFile(read_rows(name, text.split("\n"))) for name, text in (files or {}).items()}
        self.injection = InjectionFiles(rows)
        self._random = Random(3)

    def run(self, text: str) -> Result | None:
        """Carry out an action that must have no fault."""
        action, findings = compiled(text)
        assert findings.faults == []
        scene = Scene(
            context=Keywords(self.variables),
            variables=self.variables,
            injection=self.injection,
            random=self._random,
            message=self.message,
            index=4,
            clock=1_700_000_000.25,
        )
        return action.run(scene)
