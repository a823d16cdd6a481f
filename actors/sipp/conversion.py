"""A scenario file as a Python scenario, for files that are a plain call: INVITE, its answer, ACK, pauses, digits, BYE.

The steps are followed as a call goes on: called, answered or refused, up, closing, over. What the stack does by itself
(ACK, 1xx, repetition, the answer to a BYE) needs no line. A step, header or keyword that has no counterpart is a fault
with its line: a scenario that leaves a step out would pass where the file fails. Pure.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final

from .faults import Fault
from .markup import Element, excerpt, shown
from .program import Nop, Optionality, Pause, Program, Receive, Role, Send, Step
from .template import Field, Part, Template, Value

DEFAULT_PAUSE: Final = "PAUSE"
"""Name of the constant for pauses without a length, which `-d` sets in SIPp."""
BY_THE_STACK: Final = frozenset(
    (
        "call-id",
        "contact",
        "content-length",
        "content-type",
        "cseq",
        "from",
        "max-forwards",
        "to",
        "via",
    )
)
"""Headers that the stack writes."""


class _State(Enum):
    """How far the call of the file is."""

    BEFORE = auto()
    CALLED = auto()
    ANSWERED = auto()
    """The ACK of its 200 must come next."""
    REFUSED = auto()
    """The ACK of its refusal may come."""
    UP = auto()
    CLOSING = auto()
    """A BYE was sent."""
    CLOSED = auto()
    """A BYE has come; its 200 must come next."""
    OVER = auto()


def convert(program: Program) -> tuple[str, tuple[Fault, ...]]:
    """Return the text of a Python file with `async def scenario(ua, row)`, and what has no counterpart.

    With any fault the text is empty.

    Args:
        program: of the file.
    """
    converter = _Converter(program)
    text = converter.text()
    faults = (*program.unsupported, *converter.faults)
    return ("" if faults else text), tuple(sorted(faults, key=lambda each: each.line))


class _Converter:
    """Follows the steps of one file."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._state = _State.BEFORE
        self._lines: list[str] = []
        self._invite: list[str] = []
        """The arguments of `invite`."""
        self._needs_random = self._needs_pause = self._needs_host = False
        self.faults: list[Fault] = []

    def text(self) -> str:
        """Return the file."""
        if self._program.role is Role.RECEIVES:
            self._fault(self._program.steps[0], "its calls are received; write a robot, see docs/robots.md")
            return ""
        for step in self._program.steps:
            self._follow(step)
        if self._state not in {_State.OVER, _State.REFUSED, _State.CLOSING} and not self.faults:
            self._fault(self._program.steps[-1], "the call is not over at the end of the file")
        return "\n".join([*self._head(), *self._lines, ""])

    def _head(self) -> Iterator[str]:
        refused = self._state is _State.REFUSED
        yield f'"""{_plain(shown(self._program.name) or "Scenario")}, made of {_plain(self._program.file)}."""'
        yield ""
        yield "import asyncio"
        if self._needs_random:
            yield "import random"
        yield ""
        yield f"from sipswarm import {'CallRejected, ' if refused else ''}Row, UserAgent"
        if self._needs_pause:
            yield ""
            yield f"{DEFAULT_PAUSE} = 0.0  # seconds: the value of -d"
        yield ""
        yield ""
        yield "async def scenario(ua: UserAgent, row: Row) -> None:"
        if self._needs_host:
            yield '    host = ua.target.rpartition("@")[2].removeprefix("sip:")'

    def _follow(self, step: Step) -> None:
        for name, used in (
            ("next", step.next is not None),
            ("condexec", bool(step.condexec)),
            ("ontimeout", step.ontimeout is not None),
            ("counter", bool(step.counter)),
        ):
            if used:
                self._fault(step, f"{name} has no counterpart; write if and while by hand")
        match step:
            case Send():
                self._send(step)
            case Receive():
                self._receive(step)
            case Pause():
                self._pause(step)
            case Nop():
                pass
            case _:
                self._fault(step, "commands to another file have no counterpart; one function may hold several calls")
        for action in step.actions:
            self._act(step, action)

    def _send(self, step: Send) -> None:
        method, state = step.message.method, self._state
        if method == "INVITE" and state is _State.BEFORE:
            self._state = _State.CALLED
            self._call(step)
        elif method == "ACK" and state in {_State.ANSWERED, _State.REFUSED}:
            self._state = _State.UP if state is _State.ANSWERED else state
        elif method == "BYE" and state is _State.UP:
            self._state = _State.CLOSING
            self._line(step, "await call.bye()")
        elif step.message.status == 200 and state is _State.CLOSED:
            self._state = _State.OVER
        else:
            self._fault(step, f"<send> {method or step.message.status} has no counterpart at this place")

    def _receive(self, step: Receive) -> None:
        state, optional = self._state, step.optional is not Optionality.FALSE
        if step.auth:
            self._fault(step, 'auth="true" has no counterpart; give --auth-user and --auth-password-file')
        elif step.request == "BYE" and not optional and state is _State.UP:
            self._state = _State.CLOSED
            self._line(step, "await call.over()")
        elif step.request:
            self._fault(step, f"<recv> {excerpt(step.request)} has no counterpart at this place")
        elif 100 <= step.response < 200 and optional and state is _State.CALLED:
            pass
        elif step.response == 200 and not optional and state is _State.CALLED:
            self._state = _State.ANSWERED
            self._line(step, f"call = await ua.invite({', '.join(self._invite)})")
        elif step.response >= 300 and not optional and state is _State.CALLED:
            self._state = _State.REFUSED
            self._line(step, "try:")
            self._lines.append(f"        call = await ua.invite({', '.join(self._invite)})")
            self._lines.append("    except CallRejected as refused:")
            self._lines.append(f'        assert refused.status == {step.response}, f"refused with {{refused.status}}"')
            self._lines.append("    else:")
            self._lines.append("        await call.bye()")
            self._lines.append('        raise AssertionError("the call was answered")')
        elif step.response == 200 and not optional and state is _State.CLOSING:
            self._state = _State.OVER
        else:
            self._fault(step, f"<recv> {step.response} has no counterpart at this place")

    def _pause(self, step: Pause) -> None:
        if step.timewait or self._state in {_State.OVER, _State.REFUSED}:
            return
        if self._state not in {_State.BEFORE, _State.UP}:
            self._fault(step, "a pause has no counterpart at this place")
        elif step.variable:
            self._fault(step, "a pause of a variable has no counterpart; write it by hand")
        elif step.distribution is None:
            self._needs_pause = True
            self._line(step, f"await asyncio.sleep({DEFAULT_PAUSE})")
        elif step.distribution.name == "fixed":
            self._line(step, f"await asyncio.sleep({step.distribution.parameters[0] / 1000:g})")
        elif step.distribution.name == "uniform":
            least, most = step.distribution.parameters
            self._needs_random = True
            self._line(step, f"await asyncio.sleep(random.uniform({least / 1000:g}, {most / 1000:g}))")
        else:
            self._fault(step, f"a pause of {step.distribution.name} distribution has no counterpart; see module random")

    def _act(self, step: Step, action: Element) -> None:
        digits = action.attributes.get("play_dtmf", "")
        if action.name == "exec" and digits and self._state is _State.UP and "[" not in digits:
            self._line(step, f'await call.dtmf("{_plain(shown(digits).partition(",")[0])}")')
        else:
            self.faults.append(Fault(action.line, f"<{excerpt(action.name)}> has no counterpart; write it by hand"))

    def _call(self, step: Send) -> None:
        """Note the arguments of the call: its target and its own headers."""
        first, *lines = _lines_of(step.message)
        headers = []
        for line in lines:
            if not line:
                break  # the body is that of --media
            head = line[0] if isinstance(line[0], str) else ""
            name, colon, rest = head.partition(":")
            if name.lower() in BY_THE_STACK:
                continue
            if not colon:
                self._fault(step, "a header whose name is a keyword has no counterpart; write it by hand")
                continue
            headers.append(f'"{_plain(shown(name))}": {self._expression(step, [rest.lstrip(), *line[1:]])}')
        self._invite = [self._target(step, first)]
        if headers:
            self._invite.append(f"sip_header={{{', '.join(headers)}}}")

    def _target(self, step: Send, first: Sequence[Part]) -> str:
        """The expression for the URI that is called: that of the command line, or with a user of its own."""
        begin = first[0] if isinstance(first[0], str) else ""
        user: list[Part] = [begin.removeprefix("INVITE sip:")]
        for part in first[1:]:
            if isinstance(part, str) and "@" in part:
                user.append(part.partition("@")[0])
                break
            user.append(part)
        user = [part for part in user if part]
        if "@" in begin:
            user = [begin.removeprefix("INVITE sip:").partition("@")[0]]
        elif not any(isinstance(part, str) and "@" in part for part in first[1:]):
            return "ua.target"
        if user == [Value("service")]:
            return "ua.target"
        self._needs_host = True
        return self._expression(step, ["sip:", *user, "@{host}"], raw="@{host}")

    def _expression(self, step: Step, parts: Sequence[Part], raw: str = "") -> str:
        """The expression of a text with fields of the row.

        Args:
            raw: a part that is written as it is.
        """
        made = []
        dynamic = bool(raw)
        for part in parts:
            if part == raw:
                made.append(raw)
            elif isinstance(part, str):
                made.append(_plain(shown(part)))
            elif isinstance(part, Field) and not part.file and part.row is None:
                made.append(f"{{row.field({part.number})}}")
                dynamic = True
            else:
                name = getattr(part, "name", type(part).__name__.lower())
                self._fault(step, f"[{name}] has no counterpart in a header of one's own; write it by hand")
        text = "".join(made)
        return f'f"{text}"' if dynamic else f'"{text.replace("{{", "{").replace("}}", "}")}"'

    def _line(self, step: Step, text: str) -> None:
        self._lines.append(f"    {text}  # {_plain(self._program.file)}:{step.line}")

    def _fault(self, step: Step, text: str) -> None:
        self.faults.append(Fault(step.line, text))


def _lines_of(message: Template) -> list[list[Part]]:
    """The lines of a message, each as its parts."""
    lines: list[list[Part]] = [[]]
    for part in message.parts:
        if not isinstance(part, str):
            lines[-1].append(part)
            continue
        first, *rest = part.split("\r\n")
        if first:
            lines[-1].append(first)
        lines.extend([each] if each else [] for each in rest)
    return lines


def _plain(text: str) -> str:
    """Text for a Python string in double quotes that may be an f-string, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("{", "{{").replace("}", "}}")
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in escaped)
