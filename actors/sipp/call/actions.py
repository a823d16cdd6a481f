"""Carries out the actions of a command.

An action changes variables by itself. What else it asks for is sorted here: a failure, another place in the file, the
end of the call, or a wish for the owner of the call, who has media, logs and connections.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..actions.action import Scene
from ..actions.results import CheckFailure, Failed, Jump, RestorePause, Result, ScenarioFault
from ..actions.stop import Stop
from ..program import Step
from .statistics import Failure, RunError

_FAILURES: Final[Mapping[CheckFailure, Failure]] = {
    CheckFailure.REGEXP: Failure.REGEXP,
    CheckFailure.REGEXP_MATCHED: Failure.REGEXP_MATCHED,
    CheckFailure.HEADER_MISSING: Failure.HEADER_MISSING,
    CheckFailure.TEST: Failure.TEST,
    CheckFailure.TEST_HELD: Failure.TEST,
    CheckFailure.STRCMP: Failure.STRCMP,
    CheckFailure.STRCMP_EQUAL: Failure.STRCMP,
}


class Acted(NamedTuple):
    """What came of the actions of one command."""

    failure: Failure | None = None
    """What has failed; the actions behind it were not carried out."""
    detail: str = ""
    """For a person."""
    ends: bool = False
    """Whether the call is given up."""
    jump: int | None = None
    """The step at which the call goes on."""
    wishes: Sequence[Result] = ()
    """What the owner of the call is asked for, in order."""


def act(step: Step, scene: Scene, *, stops: bool) -> Acted:
    """Carry out the actions of a command, up to the first that fails.

    Args:
        step: the command.
        scene: what they see of the call.
        stops: whether `stop_call` stops the call.

    Raises:
        RunError: an action asks for what cannot be done.
    """
    wishes: list[Result] = []
    jump = None
    for element, action in zip(step.actions, step.compiled, strict=True):
        result = action.run(scene)
        if result is None:
            continue
        match result:
            case Failed():
                return Acted(_FAILURES[result.failure], result.text, jump=jump, wishes=wishes)
            case ScenarioFault():
                failure = Failure.ERROR if element.name == "error" else Failure.SCENARIO_ERROR
                return Acted(failure, result.text, ends=True, wishes=wishes)
            case Stop.CALL:
                if stops:
                    return Acted(Failure.STOPPED, "stop_call", ends=True, wishes=wishes)
            case Jump():
                jump = result.step
            case RestorePause():
                raise RunError("pauserestore is not supported yet")
            case _:
                wishes.append(result)
    return Acted(jump=jump, wishes=wishes)
