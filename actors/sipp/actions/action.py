"""What an action is, and what it sees of the call for which it is carried out."""

from random import Random
from typing import Protocol, final

from ..injection import InjectionFiles
from ..template import Context, Template
from ..variables import Variables
from .results import Result


@final
class Scene:
    """What the actions of one step see.

    Args:
        context: the keywords of the call.
        variables: its variables.
        injection: the injection files of the run.
        random: source of randomness of the call.
        message: the message last received, one character for each octet; empty = there was none.
        index: number of the step, from 0.
        clock: seconds since 1970, UTC.
    """

    __slots__ = ("_context", "clock", "index", "injection", "message", "random", "variables")

    def __init__(
        self,
        *,
        context: Context,
        variables: Variables,
        injection: InjectionFiles,
        random: Random,
        message: str,
        index: int,
        clock: float,
    ) -> None:
        self._context = context
        self.variables = variables
        self.injection = injection
        self.random = random
        self.message = message
        self.index = index
        self.clock = clock

    def render(self, template: Template) -> str:
        """Return a text of an action with its keywords filled in."""
        constant = template.constant
        return template.render(self._context) if constant is None else constant


class Action(Protocol):
    """An action that was read: one for all calls."""

    def run(self, scene: Scene) -> Result | None:
        """Carry it out.

        Returns:
            What it asks of the call; None = nothing.
        """


@final
class Nothing:
    """What stands for an action that has a fault: a file with one is not run."""

    __slots__ = ()

    def run(self, scene: Scene) -> None:
        """Do nothing."""
