"""The actions of a file: each is compiled, and what it uses is noted: variables, files, media and programs.

What is wrong with an action is found where it is compiled. Here is only which attribute names what, for the report, and
what may not be carried out.
"""

from dataclasses import replace
from typing import Final

from .actions.action import Action, Nothing
from .actions.effects import EXEC
from .actions.table import compile_action
from .attributes import Attributes
from .findings import ACTIONS, FIELDS, MEDIA, PROGRAMS, Findings
from .keywords import KeywordReader
from .language import ACTIONS as ATTRIBUTES
from .markup import Element, excerpt

VARIABLES: Final = ("assign_to", "variable", "variable2")
"""Attributes that name variables."""
UNSUPPORTED: Final = frozenset(("closecon", "pauserestore", "setdest"))
"""Actions that can be compiled, and are not carried out yet."""
_WITH_ROWS: Final = frozenset(("lookup", "insert", "replace"))
_FILES: Final = ("play_pcap_audio", "rtp_stream")
"""Attributes of `exec` that name files."""
_STREAM_COMMANDS: Final = frozenset(("pause", "resume"))


class ActionUses:
    """Reads the actions of one file.

    Args:
        allow_exec: whether `exec command=` may run programs.
    """

    def __init__(self, keywords: KeywordReader, findings: Findings, allow_exec: bool) -> None:
        self._keywords = keywords
        self._findings = findings
        self._allow_exec = allow_exec

    def named(self, element: Element) -> Element:
        """Return an action with the names of files in the place of keywords of `-key`."""
        names = {
            each: self._keywords.name(element.attributes[each], element.line)
            for each in _FILES
            if each in element.attributes
        }
        return replace(element, attributes={**element.attributes, **names}) if names else element

    def read(self, element: Element) -> Action:
        """Return an action, compiled; note what it uses, and that it cannot be carried out where that is so."""
        name = element.name
        if name not in ATTRIBUTES or name in UNSUPPORTED:
            self._findings.fault(element.line, f"<{excerpt(name)}> is not supported yet")
            return Nothing()
        for child in element.children:
            self._findings.tolerate(child.line, f"<{excerpt(child.name)}> in <{name}>", "nothing, as by SIPp")
        attributes = Attributes(element, self._findings, ATTRIBUTES[name])
        for each in VARIABLES:
            for variable in attributes.names(each) if attributes.text(each) else ():
                self._findings.use_variable(variable, element.line)
        if name in _WITH_ROWS:
            self._findings.use(FIELDS, attributes.text("file"), element.line)
        if name == "exec":
            self._exec(attributes)
        else:
            self._findings.use(ACTIONS, name, element.line)
        return compile_action(element, self._keywords, self._findings)

    def _exec(self, attributes: Attributes) -> None:
        line = attributes.element.line
        kind = next((each for each in EXEC if each in attributes), "")
        if not kind:
            return
        value = attributes.text(kind)
        self._findings.use(ACTIONS, f"exec {kind}", line)
        if kind == "command":
            self._findings.use(PROGRAMS, value, line)
            if not self._allow_exec:
                attributes.fault(f'<exec command="{excerpt(value)}"> runs a program; allow it with --allow-exec')
        elif kind == "play_pcap_audio" or (kind == "rtp_stream" and value not in _STREAM_COMMANDS):
            self._findings.use(MEDIA, value.partition(",")[0] if kind == "rtp_stream" else value, line)
