"""The elements of a scenario file as a `Program`: every command, label and section, and every check that needs no call.

All faults of a file are found in one pass and are kept in `Program.unsupported`; what can be run in spite of a mistake
is a toleration. An element or keyword that is not understood is a fault, because a step that is left out would make a
call succeed that has not done what the file says.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from . import distributions
from .action_uses import ActionUses
from .attributes import Attributes
from .faults import Fault, ScenarioFileError
from .findings import ACTIONS, COMMANDS, FIELDS, FILES, KEYS, KEYWORDS, MEDIA, PROGRAMS, Findings
from .keywords import KeywordReader
from .labels import UNEXPECTED, Labels
from .language import ACTION, INIT, ROOT, SECTIONS
from .language import COMMANDS as ATTRIBUTES
from .markup import Document, Element, excerpt, shown
from .names import Names
from .program import (
    Needs,
    Nop,
    Optionality,
    Pause,
    Program,
    Receive,
    ReceiveCommand,
    Role,
    Send,
    SendCommand,
    Step,
    Use,
)
from .transactions import Transactions

MOST_STEPS: Final = 2000
"""Commands of a file."""


def read(document: Document, *, keys: Mapping[str, str] | None = None, allow_exec: bool = False) -> Program:
    """Return the program of a file.

    Args:
        document: its elements.
        keys: values of its own keywords by their names: `-key`.
        allow_exec: whether `exec command=` may run programs.

    Raises:
        ScenarioFileError: the file has no commands, or too many, or none that says who begins.
    """
    return _Reader(document, keys or {}, allow_exec).program()


def runnable(program: Program) -> Program:
    """Return a program that can be run.

    Raises:
        ScenarioFileError: it has faults; all of them.
    """
    if program.unsupported:
        raise ScenarioFileError.of(program.file, program.unsupported)
    return program


class _Reader:
    """One pass over the elements of a file."""

    def __init__(self, document: Document, keys: Mapping[str, str], allow_exec: bool) -> None:
        self._document = document
        self._findings = Findings()
        self._keywords = KeywordReader(keys, self._findings)
        self._actions = ActionUses(self._keywords, self._findings, allow_exec)
        self._names = Names(self._findings)
        self._labels = Labels(document.root, self._findings)
        self._transactions = Transactions(self._findings)
        self._steps: list[Step] = []
        self._init: list[Step] = []
        self._optional_line = 0
        """Line of the optional `recv` directly before; 0 = there is none."""

    def program(self) -> Program:
        """Return the program.

        Raises:
            ScenarioFileError: see `read`.
        """
        root = self._document.root
        if root.text is not None:
            self._findings.fault(
                root.text_line, "a CDATA section outside of commands; write it between <send> and </send>"
            )
        Attributes(root, self._findings, ("name",))
        for element in root.children:
            self._read(element)
        role = self._role()
        names = self._names
        self._labels.check()
        names.check()
        self._transactions.check()
        return Program(
            file=self._document.file,
            name=root.attributes.get("name", ""),
            role=role,
            steps=tuple(self._steps),
            labels=self._labels.places,
            unexpected=self._labels.places.get(UNEXPECTED),
            init=tuple(self._init),
            global_variables=frozenset(names.global_variables),
            user_variables=frozenset(names.user_variables),
            call_variables=names.call_variables,
            transactions=self._transactions.names,
            counters=tuple(names.counters),
            response_times=tuple(names.response_times),
            needs=self._needs(),
            tolerations=tuple(
                sorted((*self._document.tolerations, *self._findings.tolerations), key=lambda each: each.line)
            ),
            unsupported=tuple(sorted(self._findings.faults, key=lambda each: each.line)),
        )

    def _role(self) -> Role:
        for step in self._steps:
            if isinstance(step, Send | SendCommand):
                return Role.SENDS
            if isinstance(step, Receive | ReceiveCommand):
                return Role.RECEIVES
        line = self._document.root.line
        faults = [*self._findings.faults, Fault(line, "there is neither <send> nor <recv> in it; write who begins")]
        raise ScenarioFileError.of(self._document.file, faults)

    def _needs(self) -> Needs:
        uses = {
            kind: tuple(Use(name, line) for name, line in sorted(lines.items(), key=lambda each: each[1]))
            for kind, lines in self._findings.uses.items()
        }
        return Needs(
            commands=uses.get(COMMANDS, ()),
            keywords=uses.get(KEYWORDS, ()),
            actions=uses.get(ACTIONS, ()),
            keys=uses.get(KEYS, ()),
            fields=uses.get(FIELDS, ()),
            media=uses.get(MEDIA, ()),
            files=uses.get(FILES, ()),
            programs=uses.get(PROGRAMS, ()),
        )

    def _read(self, element: Element) -> None:
        if element.name in SECTIONS:
            self._section(element)
        elif element.name in ATTRIBUTES:
            self._command(element)
        elif element.name == ACTION:
            self._findings.fault(element.line, "<action> stands in no command; write it between <recv …> and </recv>")
        else:
            self._findings.fault(element.line, f"<{excerpt(element.name)}> is not supported yet")

    def _section(self, element: Element) -> None:
        attributes = Attributes(element, self._findings, SECTIONS[element.name])
        match element.name:
            case "label":
                attributes.needed("id")
            case "Global":
                self._names.global_variables.update(attributes.names("variables"))
            case "User":
                self._names.user_variables.update(attributes.names("variables"))
            case "Reference":
                self._names.refer(attributes.names("variables"), element.line)
            case "CallLengthRepartition" | "ResponseTimeRepartition":
                pass  # intervals of SIPp's statistics: the metrics have their own
            case "init":
                self._read_init(element)
            case _:
                self._findings.fault(element.line, f"<{element.name}> is not supported yet")
        for child in element.children if element.name != INIT else ():
            self._findings.tolerate(child.line, f"<{excerpt(child.name)}> in <{element.name}>", "nothing, as by SIPp")

    def _read_init(self, element: Element) -> None:
        """Read the commands of `init`, which have numbers and labels of their own."""
        calls = self._steps, self._labels, self._optional_line
        self._steps, self._labels, self._optional_line = self._init, Labels(element, self._findings), 0
        for child in element.children:
            if child.name == "nop":
                self._command(child)
            elif child.name != "label":
                self._findings.fault(child.line, f"<{excerpt(child.name)}> in <{INIT}> is not supported yet")
        self._labels.check()
        self._steps, self._labels, self._optional_line = calls

    def _command(self, element: Element) -> None:
        if len(self._steps) >= MOST_STEPS:
            raise ScenarioFileError(
                self._document.file, element.line, f"there are more than {MOST_STEPS} commands; use labels and next"
            )
        if self._steps and isinstance(last := self._steps[-1], Pause) and last.timewait:
            self._findings.fault(last.line, "<timewait> is not the last command; write <pause>")
        attributes = Attributes(element, self._findings, ATTRIBUTES[element.name])
        self._findings.use(COMMANDS, element.name, element.line)
        if element.name not in {"recv", "recvCmd"} and self._optional_line:
            self._findings.fault(
                self._optional_line, f'the last <recv> before <{element.name}> is optional; write optional="false"'
            )
        self._optional_line = 0
        match element.name:
            case "send":
                step: Step = self._send(attributes)
            case "recv":
                step = self._receive(attributes)
            case "pause" | "timewait":
                step = self._pause(attributes)
            case "nop":
                step = Nop(**self._shared(attributes))
            case "sendCmd":
                command = self._keywords.command(*self._cdata(element))
                step = SendCommand(**self._shared(attributes), command=command, dest=attributes.text("dest"))
            case _:
                optional = self._optional(attributes)
                step = ReceiveCommand(
                    **self._shared(attributes),
                    src=attributes.text("src"),
                    optional=optional,
                    timeout=attributes.milliseconds("timeout"),
                )
        self._steps.append(step)

    def _cdata(self, element: Element) -> tuple[str, int]:
        """(its text, the line of it)."""
        text = element.text or ""
        if not text.strip():
            self._findings.fault(element.line, f"<{element.name}> has no text; write it as <![CDATA[ … ]]>")
            text = "none none"
        return text, element.text_line

    def _shared(self, attributes: Attributes) -> dict[str, Any]:
        """The attributes that all commands have, and the actions."""
        element = attributes.element
        for child in element.children:
            if child.name != ACTION:
                self._findings.tolerate(
                    child.line,
                    f"<{excerpt(child.name)}> in <{element.name}> and not in <action>",
                    "nothing, as by SIPp",
                )
        if element.text is not None and element.name not in {"send", "sendCmd"}:
            self._findings.tolerate(element.text_line, f"a CDATA section in <{element.name}>", "nothing")
        actions = tuple(
            self._actions.named(each) for child in element.children if child.name == ACTION for each in child.children
        )
        compiled = tuple([self._actions.read(action) for action in actions])
        names = self._names
        following = self._labels.place_of(attributes, "next")
        test = attributes.text("test") if following is not None else ""
        condexec = attributes.text("condexec")
        for name in (test, condexec):
            if name:
                self._findings.use_variable(name, element.line)
        return {
            "index": len(self._steps),
            "line": element.line,
            "next": following,
            "test": test,
            "chance": self._chance(attributes),
            "condexec": condexec,
            "condexec_inverse": attributes.boolean("condexec_inverse"),
            "ontimeout": self._labels.place_of(attributes, "ontimeout"),
            "lost": self._lost(attributes),
            "start_rtd": names.response_time(attributes, "start_rtd"),
            "rtd": names.response_time(attributes, "rtd"),
            "repeat_rtd": attributes.boolean("repeat_rtd"),
            "counter": names.counter(attributes),
            "actions": actions,
            "compiled": compiled,
            "display": attributes.text("display"),
            "hide": attributes.boolean("hide"),
        }

    def _chance(self, attributes: Attributes) -> float:
        if "chance" not in attributes:
            return 1.0
        chance = attributes.number("chance")
        if not 0 <= chance <= 1:
            attributes.fault(f'chance="{chance:g}" is no probability; write a number from 0 to 1')
        return chance

    def _lost(self, attributes: Attributes) -> float:
        lost = attributes.number("lost") if "lost" in attributes else 0.0
        if not 0 <= lost <= 100:
            attributes.tolerate(f'lost="{lost:g}"', "a percentage: 0 at least, 100 at most")
        return min(100.0, max(0.0, lost)) / 100

    def _send(self, attributes: Attributes) -> Send:
        element = attributes.element
        message = self._keywords.message(*self._cdata(element))
        start, ack = self._transactions.send(attributes, message)
        return Send(
            **self._shared(attributes),
            message=message,
            retrans=attributes.milliseconds("retrans"),
            timeout=attributes.milliseconds("timeout"),
            start_txn=start,
            ack_txn=ack,
        )

    def _receive(self, attributes: Attributes) -> Receive:
        element = attributes.element
        response = attributes.integer("response")
        request = attributes.text("request")
        if response and request:
            self._findings.tolerate(element.line, "response and request in one <recv>", "the request alone")
            response = 0
        elif (attributes.text("response") or not request) and "response" in attributes and not 100 <= response <= 699:
            attributes.fault(f'response="{excerpt(attributes.text("response"))}" is no status code; write 100 to 699')
        elif not response and not request:
            attributes.fault('<recv> waits for nothing; write response="…" or request="…"')
        optional = self._optional(attributes)
        advances = attributes.boolean("advance_state", True)
        if not advances and optional is Optionality.FALSE:
            attributes.fault('advance_state is for optional messages; write optional="true"')
        if optional is not Optionality.FALSE:
            self._optional_line = element.line
        return Receive(
            **self._shared(attributes),
            response=response,
            request=request,
            regexp_match=attributes.text("regexp_match") == "true",
            methods=self._transactions.methods,
            response_txn=self._transactions.receive(attributes),
            optional=optional,
            advance_state=advances,
            timeout=attributes.milliseconds("timeout"),
            rrs=attributes.boolean("rrs"),
            auth=attributes.boolean("auth"),
            ignoresdp=attributes.boolean("ignoresdp"),
        )

    def _optional(self, attributes: Attributes) -> Optionality:
        value = attributes.text("optional")
        known = {each.value: each for each in Optionality}
        if "optional" in attributes and value not in known:
            attributes.fault(f'optional="{excerpt(value)}" is not known; write true, false or global')
        return known.get(value, Optionality.FALSE)

    def _pause(self, attributes: Attributes) -> Pause:
        variable = attributes.text("variable")
        if variable:
            self._findings.use_variable(variable, attributes.element.line)
        distribution = None if variable else distributions.of_pause(attributes)
        if distribution is not None and distribution.name == "fixed" and distribution.parameters[0] < 0:
            attributes.tolerate("a pause that is shorter than nothing", "no pause, as by SIPp")
            distribution = replace(distribution, parameters=(0.0,))
        timewait = attributes.element.name == "timewait"
        return Pause(**self._shared(attributes), variable=variable, distribution=distribution, timewait=timewait)


def scenario_name(program: Program) -> str:
    """Return the attribute `name` of a file for people."""
    return shown(program.name) or ROOT
