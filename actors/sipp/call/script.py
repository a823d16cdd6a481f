"""A program made ready for its calls: what is the same for all of them is worked out once."""

from random import Random
from typing import Final, final

from ..actions.action import Scene
from ..actions.results import Result
from ..drawing import draw
from ..program import Pause, Program, Receive, Send, Step
from ..variables import Layout
from .actions import Acted, act
from .context import CallContext
from .matching import Matching
from .settings import Settings
from .waiting import Waits

RETURN: Final = "_unexp.retaddr"
"""Variable that gets the step from which a call came to `_unexp.main`; not 0 = it is there."""
PAUSED: Final = "_unexp.pausedaddr"
"""Variable that gets the end of the pause that was broken off, in milliseconds."""

Wish = Result
"""What an action asks the owner of its call for."""


@final
class Script:
    """A program with the options of its run. One for all calls of a worker.

    Args:
        program: the scenario file.
        settings: the options.
    """

    __slots__ = ("begins", "keeps_pause", "keeps_return", "layout", "matching", "program", "settings", "steps", "waits")

    def __init__(self, program: Program, settings: Settings) -> None:
        self.program = program
        """The scenario file."""
        self.settings = settings
        """The options of the run."""
        self.steps = program.steps
        """Its commands."""
        self.begins = next((isinstance(each, Send) for each in program.steps if isinstance(each, Send | Receive)), True)
        """Whether its first message is sent."""
        self.matching = Matching(program)
        """Its `recv` commands, to be searched."""
        self.waits = Waits(program, settings)
        """How long they wait."""
        self.layout = Layout(program.call_variables, program.user_variables, program.global_variables)
        """Its variables."""
        variables = program.call_variables | program.user_variables | program.global_variables
        self.keeps_return = RETURN in variables
        """Whether it uses `_unexp.retaddr`."""
        self.keeps_pause = PAUSED in variables
        """Whether it uses `_unexp.pausedaddr`."""

    def place(self, step: Step) -> str:
        """Return where a command stands, for a person."""
        return f"step {step.index}, {self.program.file}:{step.line}"

    def length(self, step: Pause, context: CallContext) -> float:
        """Return the length of a pause in seconds, below 0 where it is drawn so."""
        if step.variable:
            return context.variables.number(step.variable) / 1000
        if step.distribution is not None:
            return draw(step.distribution, context.random) / 1000
        return self.settings.pause

    def following(self, step: Step, context: CallContext) -> int:
        """Return where a call goes on behind a command: `next`, `test`, `chance`."""
        if step.next is None or (step.test and not context.variables.is_set(step.test)):
            return step.index + 1
        return step.next if step.chance >= 1 or _happens(step.chance, context.random) else step.index + 1

    def is_lost(self, step: Step, context: CallContext) -> bool:
        """Draw whether the message of a command is dropped."""
        probability = step.lost or self.settings.lost
        return probability > 0 and _happens(probability, context.random)

    def act(self, step: Step, context: CallContext, message: str | None) -> Acted:
        """Carry out the actions of a command.

        Args:
            step: the command.
            context: the call.
            message: that was received or sent; None = the command has none.

        Raises:
            RunError: an action asks for what cannot be done.
        """
        context.comes_to(step.index)
        last = context.dialog.last
        scene = Scene(
            context=context,
            variables=context.variables,
            injection=context.injection,
            random=context.random,
            message=message if message is not None else "" if last is None else last.text,
            index=step.index,
            clock=context.clock,
        )
        # SIPp does not stop a call from within a `nop`.
        return act(step, scene, stops=message is not None or not self.settings.strict)


def _happens(probability: float, source: Random) -> bool:
    """Draw what happens with a probability."""
    return source.random() < probability
