"""What a scenario file does and needs, as lines for a person: the report of `sipswarm check … -sf FILE.xml`. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from .markup import Toleration, shown
from .program import Optionality, Pause, Program, Receive, ReceiveCommand, Send, SendCommand, Step, Use

_KINDS: Final = (
    ("commands", "commands"),
    ("keywords", "keywords"),
    ("actions", "actions"),
    ("keys", "keywords of -key"),
    ("fields", "injection files"),
    ("media", "media files"),
    ("files", "files of [file]"),
    ("programs", "programs of exec"),
)
"""Fields of `Needs`, and how they are called in the report."""


def report(program: Program, missing: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines of the report.

    Args:
        program: of the file.
        missing: what is wrong with a file that the program names, by its name.
    """
    return list(_lines(program, missing or {}))


def passes(program: Program, missing: Mapping[str, str] | None = None) -> bool:
    """Return whether the file can be run: nothing is unsupported and nothing is missing."""
    return not program.unsupported and not missing


def flow(program: Program) -> list[str]:
    """Return a line for each step, as `2 uac.xml:14 recv 200, optional`."""
    return [f"{step.index} {program.file}:{step.line} {_shown_step(step)}" for step in program.steps]


def tolerations(program: Program) -> list[str]:
    """Return a line for each mistake that is tolerated, as `FILE:LINE: what: taken as what`."""
    found = sorted((*program.tolerations, *_late_timeouts(program.steps)), key=lambda each: each.line)
    return [f"{program.file}:{each.line}: {each.found}: taken as {each.taken}" for each in found]


def _late_timeouts(steps: Sequence[Step]) -> Iterator[Toleration]:
    """Return the `recv` commands whose `ontimeout` leads to a `send` that the repetition before it holds back."""
    repeats = False
    for step in steps:
        if isinstance(step, Send):
            repeats = step.retrans > 0
        elif isinstance(step, Receive):
            place = step.ontimeout
            if repeats and step.timeout and place is not None and place < len(steps) and isinstance(steps[place], Send):
                what = "ontimeout behind a <send> with retrans"
                taken = "a wait until the repetition has ended, as by SIPp: it holds the <send> at the label back"
                yield Toleration(step.line, what, taken)
            repeats = repeats and step.optional is not Optionality.FALSE


def _lines(program: Program, missing: Mapping[str, str]) -> Iterator[str]:
    yield f"scenario: {program.file} ({shown(program.name) or 'no name'})"
    speaking = (each for each in program.steps if isinstance(each, Send | SendCommand | Receive | ReceiveCommand))
    first = "its first message is sent" if program.role.value == "sends" else "its first message is received"
    if isinstance(next(speaking), ReceiveCommand):
        first = "it waits for a command of the other side"
    yield f"role: {program.role.value}, {first}; {len(program.steps)} commands"
    for kind, title in _KINDS:
        uses: Sequence[Use] = getattr(program.needs, kind)
        if uses:
            yield f"{title}: {', '.join(_shown_use(each) for each in uses)}"
    for title, names in (
        ("variables of a call", sorted(program.call_variables)),
        ("variables of a user", sorted(program.user_variables)),
        ("variables of all calls", sorted(program.global_variables)),
        ("transactions", program.transactions),
        ("response times", program.response_times),
        ("counters", program.counters),
        ("labels", tuple(program.labels)),
    ):
        if names:
            yield f"{title}: {', '.join(map(shown, names))}"
    for line in tolerations(program):
        yield f"tolerated: {line}"
    for name, problem in missing.items():
        yield f"MISSING: {name}: {problem}"
    for fault in program.unsupported:
        yield f"NOT POSSIBLE: {program.file}:{fault.line}: {fault.text}"


def _shown_use(use: Use) -> str:
    return f"{use.name or 'the first'} ({use.line})"


def _shown_step(step: Step) -> str:
    """The step as a person would name it."""
    match step:
        case Send(message=message):
            return f"send {message.method or message.status}"
        case Receive(response=response, request=request, optional=optional):
            waits = " or ".join(each for each in (str(response or ""), shown(request)) if each)
            return f"recv {waits}" + ("" if optional.value == "false" else f", optional={optional.value}")
        case Pause(variable=variable, distribution=distribution, timewait=timewait):
            name = "timewait" if timewait else "pause"
            if variable:
                return f"{name} of ${shown(variable)} ms"
            if distribution is None:
                return f"{name} of -d"
            return f"{name} {distribution.name} {' '.join(f'{each:g}' for each in distribution.parameters)} ms"
    return {"Nop": "nop", "SendCommand": "sendCmd", "ReceiveCommand": "recvCmd"}[type(step).__name__]
