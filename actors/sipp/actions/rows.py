"""Actions on the rows of injection files: `lookup`, `insert`, `replace`."""

from dataclasses import dataclass

from ..markup import excerpt
from ..template import Template
from ..variables import number_of
from .action import Action, Scene
from .given import Given
from .results import ScenarioFault


@dataclass(frozen=True, slots=True)
class Lookup:
    """`lookup`: the row of an injection file that has a key."""

    assign_to: str
    file: Template
    key: Template

    def run(self, scene: Scene) -> ScenarioFault | None:
        """Set the variable, see `Action`; to -1 when there is no such row."""
        name = scene.render(self.file)
        file = scene.injection.get(name)
        if file is None or not file.is_indexed:
            return ScenarioFault(f"lookup: there is no index of {name!r}; give -inf {name} -infindex {name} FIELD")
        scene.variables[self.assign_to] = float(file.lookup(scene.render(self.key)))
        return None


def lookup(given: Given) -> Action:
    """Read `lookup`."""
    return Lookup(given.variable("assign_to"), given.text("file"), given.text("key"))


@dataclass(frozen=True, slots=True)
class Insert:
    """`insert`: one more row."""

    file: Template
    value: Template

    def run(self, scene: Scene) -> ScenarioFault | None:
        """Add it; see `Action`."""
        name = scene.render(self.file)
        file = scene.injection.get(name)
        if file is None:
            return ScenarioFault(f"insert: there is no injection file {name!r}; give -inf {name}")
        if not file.insert(scene.render(self.value)):
            return ScenarioFault(f"insert: {name} has as many rows as it may have")
        return None


def insert(given: Given) -> Action:
    """Read `insert`."""
    return Insert(given.text("file"), given.text("value"))


@dataclass(frozen=True, slots=True)
class Replace:
    """`replace`: a row anew."""

    file: Template
    line: Template
    value: Template

    def run(self, scene: Scene) -> ScenarioFault | None:
        """Write it; see `Action`."""
        name, line = scene.render(self.file), scene.render(self.line)
        file = scene.injection.get(name)
        if file is None:
            return ScenarioFault(f"replace: there is no injection file {name!r}; give -inf {name}")
        row = number_of(line)
        if row is None or not file.replace(int(row), scene.render(self.value)):
            return ScenarioFault(f"replace: {name} has no row {excerpt(line)!r}")
        return None


def replace(given: Given) -> Action:
    """Read `replace`."""
    return Replace(given.text("file"), given.text("line"), given.text("value"))
