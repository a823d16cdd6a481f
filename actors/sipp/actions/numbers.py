"""Actions on numbers: `assign`, arithmetic, `todouble`, `test`, `sample`, `gettimeofday`, `index`."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from .. import distributions
from ..distributions import Distribution
from ..drawing import draw, fault_of
from ..markup import excerpt
from ..variables import number_of, text_of
from .action import Action, Nothing, Scene
from .given import Given, Operand
from .results import CheckFailure, Failed, Loudness, Say

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_equal": operator.ge,
    "less_than_equal": operator.le,
}
"""`compare` of `test`."""


@dataclass(frozen=True, slots=True)
class Assign:
    """`assign`: a number, or that of another variable."""

    assign_to: str
    operand: Operand

    def run(self, scene: Scene) -> None:
        """Set the variable; see `Action`."""
        scene.variables[self.assign_to] = self.operand.number(scene.variables)


def assign(given: Given) -> Action:
    """Read `assign`."""
    return Assign(given.variable("assign_to"), given.operand("value", "variable"))


@dataclass(frozen=True, slots=True)
class Calculate:
    """`add`, `subtract`, `multiply`: a variable with a number."""

    assign_to: str
    calculation: Callable[[float, float], float]
    operand: Operand

    def run(self, scene: Scene) -> None:
        """Change the variable; see `Action`."""
        variables = scene.variables
        variables[self.assign_to] = self.calculation(variables.number(self.assign_to), self.operand.number(variables))


@dataclass(frozen=True, slots=True)
class Divide:
    """`divide`: a variable by a number."""

    assign_to: str
    operand: Operand

    def run(self, scene: Scene) -> Say | None:
        """Change the variable, see `Action`; a division by 0 leaves it as it is, with a warning."""
        variables = scene.variables
        divisor = self.operand.number(variables)
        if divisor == 0:
            return Say(Loudness.WARNING, f"divide: {self.assign_to} by 0; it stays as it is")
        variables[self.assign_to] = variables.number(self.assign_to) / divisor
        return None


def add(given: Given) -> Action:
    """Read `add`."""
    return Calculate(given.variable("assign_to"), operator.add, given.operand("value", "variable"))


def subtract(given: Given) -> Action:
    """Read `subtract`."""
    return Calculate(given.variable("assign_to"), operator.sub, given.operand("value", "variable"))


def multiply(given: Given) -> Action:
    """Read `multiply`."""
    return Calculate(given.variable("assign_to"), operator.mul, given.operand("value", "variable"))


def divide(given: Given) -> Action:
    """Read `divide`."""
    divisor = given.operand("value", "variable")
    if not divisor.variable and divisor.constant == 0 and given.has("value"):
        given.attributes.fault("<divide> by 0; write another number, or a variable")
    return Divide(given.variable("assign_to"), divisor)


@dataclass(frozen=True, slots=True)
class ToNumber:
    """`todouble`: the number in a text."""

    assign_to: str
    variable: str

    def run(self, scene: Scene) -> Say | None:
        """Set the variable, see `Action`; what is no number changes nothing, with a warning."""
        value = scene.variables[self.variable]
        number = number_of(value)
        if number is None:
            return Say(Loudness.WARNING, f"todouble: {self.variable} is no number: {excerpt(text_of(value))!r}")
        scene.variables[self.assign_to] = number
        return None


def todouble(given: Given) -> Action:
    """Read `todouble`."""
    return ToNumber(given.variable("assign_to"), given.variable("variable"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """`test`: compare a number, and keep whether the comparison holds."""

    assign_to: str
    """Empty = it is kept nowhere."""
    variable: str
    comparison: str
    """A key of COMPARISONS."""
    operand: Operand
    check: bool
    check_inverse: bool

    def run(self, scene: Scene) -> Failed | None:
        """Compare, and keep the result unless the check has failed; see `Action`."""
        left, right = scene.variables.number(self.variable), self.operand.number(scene.variables)
        holds = COMPARISONS[self.comparison](left, right)
        if self.check and not holds:
            return Failed(CheckFailure.TEST, f"{self.variable} is {left:f}, not {self.comparison} {right:f}")
        if self.check_inverse and holds:
            return Failed(CheckFailure.TEST_HELD, f"{self.variable} is {left:f}, which is {self.comparison} {right:f}")
        if self.assign_to:
            scene.variables[self.assign_to] = holds
        return None


def test(given: Given) -> Action:
    """Read `test`."""
    check, inverse = given.checks()
    return Test(
        assign_to=given.optional_variable("assign_to"),
        variable=given.variable("variable"),
        comparison=given.one_of("compare", tuple(COMPARISONS)),
        operand=given.operand("value", "variable2"),
        check=check,
        check_inverse=inverse,
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """`sample`: a random number."""

    assign_to: str
    distribution: Distribution

    def run(self, scene: Scene) -> None:
        """Draw it; see `Action`."""
        scene.variables[self.assign_to] = draw(self.distribution, scene.random)


def sample(given: Given) -> Action:
    """Read `sample`."""
    distribution = distributions.of(given.attributes)
    if distribution is None:
        return Nothing()
    fault = fault_of(distribution)
    if fault:
        given.attributes.fault(fault)
        return Nothing()
    return Sample(given.variable("assign_to"), distribution)


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """`gettimeofday`: seconds since 1970, and the microseconds behind them."""

    seconds: str
    microseconds: str

    def run(self, scene: Scene) -> None:
        """Set both variables; see `Action`."""
        total = round(scene.clock * 1_000_000)
        scene.variables[self.seconds] = float(total // 1_000_000)
        scene.variables[self.microseconds] = float(total % 1_000_000)


def gettimeofday(given: Given) -> Action:
    """Read `gettimeofday`."""
    names = given.attributes.names("assign_to")
    if len(names) != 2:
        given.attributes.fault(f"assign_to has {len(names)} variables; write two, for seconds and microseconds")
        return Nothing()
    return TimeOfDay(*names)


@dataclass(frozen=True, slots=True)
class KeepIndex:
    """`index`: the number of this step."""

    assign_to: str

    def run(self, scene: Scene) -> None:
        """Set the variable; see `Action`."""
        scene.variables[self.assign_to] = float(scene.index)


def index(given: Given) -> Action:
    """Read `index`."""
    return KeepIndex(given.variable("assign_to"))
