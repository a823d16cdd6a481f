"""What the actions of a file use: variables, keywords, files, media and programs, for the report and the static checks.

What an action does is compiled elsewhere. Here is only which attribute names what.
"""

from collections.abc import Mapping
from typing import Final

from .attributes import Attributes
from .findings import ACTIONS, FIELDS, MEDIA, PROGRAMS, Findings
from .keywords import KeywordReader
from .language import ACTIONS as ATTRIBUTES
from .markup import Element, excerpt

VARIABLES: Final = ("assign_to", "variable", "variable2")
"""Attributes that name variables."""
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "log": ("message",),
    "warning": ("message",),
    "error": ("message",),
    "assignstr": ("value",),
    "lookup": ("file", "key"),
    "insert": ("file", "value"),
    "replace": ("file", "line", "value"),
    "verifyauth": ("username", "password"),
    "exec": ("command", "play_dtmf"),
}
"""Attributes in which keywords are filled in."""
UNSUPPORTED: Final = frozenset(("closecon", "pauserestore", "setdest"))
"""Actions of SIPp that are refused."""
EXEC: Final = ("command", "int_cmd", "play_pcap_audio", "play_dtmf", "rtp_stream", "rtp_echo")
"""Attributes of `exec`, the first of which that is there counts."""
UNSUPPORTED_EXEC: Final = ("play_pcap_video", "play_pcap_image")
_STREAM_COMMANDS: Final = frozenset(("pause", "resume"))
_PATTERNS: Final = ("apattern", "pauseapattern", "pausevpattern", "resumeapattern", "resumevpattern", "vpattern")
_INTERNAL: Final = frozenset(("stop_call", "stop_gracefully", "stop_now"))


class ActionUses:
    """Reads the actions of one file.

    Args:
        allow_exec: whether `exec command=` may run programs.
    """

    def __init__(self, keywords: KeywordReader, findings: Findings, allow_exec: bool) -> None:
        self._keywords = keywords
        self._findings = findings
        self._allow_exec = allow_exec

    def read(self, element: Element) -> None:
        """Note what an action uses, and that it cannot be carried out where that is so."""
        name = element.name
        if name not in ATTRIBUTES or name in UNSUPPORTED:
            self._findings.fault(element.line, f"<{excerpt(name)}> is not supported yet")
            return
        for child in element.children:
            self._findings.fault(child.line, f"<{excerpt(child.name)}> in <{name}> is not supported yet")
        attributes = Attributes(element, self._findings, ATTRIBUTES[name])
        for each in VARIABLES:
            for variable in attributes.names(each) if attributes.text(each) else ():
                self._findings.use_variable(variable, element.line)
        for each in TEXTS.get(name, ()):
            self._keywords.text(attributes.text(each), element.line)
        if name in {"lookup", "insert", "replace"}:
            self._findings.use(FIELDS, attributes.text("file"), element.line)
        if name == "exec":
            self._exec(attributes)
        else:
            self._findings.use(ACTIONS, name, element.line)

    def _exec(self, attributes: Attributes) -> None:
        line = attributes.element.line
        for each in UNSUPPORTED_EXEC:
            if each in attributes:
                attributes.fault(f'<exec {each}="…"> is not supported yet')
                return
        kind = next((each for each in EXEC if each in attributes), "")
        if not kind:
            attributes.fault(f"<exec> does nothing; write one of {', '.join(EXEC)}")
            return
        value = attributes.needed(kind)
        self._findings.use(ACTIONS, f"exec {kind}", line)
        match kind:
            case "command":
                self._findings.use(PROGRAMS, value, line)
                if not self._allow_exec:
                    attributes.fault(f'<exec command="{excerpt(value)}"> runs a program; allow it with --allow-exec')
            case "int_cmd" if value not in _INTERNAL:
                self._findings.tolerate(line, f'int_cmd="{excerpt(value)}"', "stop_call")
            case "play_pcap_audio":
                self._findings.use(MEDIA, value, line)
            case "rtp_stream" if value.startswith(_PATTERNS):
                attributes.fault(f'<exec rtp_stream="{excerpt(value)}"> is not supported yet')
            case "rtp_stream" if value not in _STREAM_COMMANDS:
                self._findings.use(MEDIA, value.partition(",")[0], line)
            case "rtp_echo" if "video" in value:
                attributes.fault(f'<exec rtp_echo="{excerpt(value)}"> is not supported yet')
            case _:
                pass
