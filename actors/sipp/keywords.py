"""The text of a CDATA section, or of an attribute of an action, as a `Template`.

First the text is trimmed as SIPp trims it; then it is cut at `[`, `\\xHH` and line ends. Between `[` and `]` stands a
keyword; a name that SIPp does not know is one of `-key`, or a fault. A `[` before another `[` is text. Nothing that
looks like a keyword becomes text in silence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .findings import FIELDS, FILES, KEYS, KEYWORDS, Findings
from .markup import excerpt
from .parameters import parameter
from .template import (
    BLANK_LENGTH,
    CREDENTIALS,
    Authentication,
    Branch,
    Field,
    File,
    Fill,
    LastHeader,
    Length,
    Number,
    Part,
    Parts,
    Template,
    Value,
    Variable,
)

LONGEST: Final = 256
"""Characters of a keyword."""
WINDOW: Final = 2 * LONGEST
"""Characters in which the end of a keyword is looked for."""

TEXTS: Final = frozenset(
    (
        "call_id",
        "call_number",
        "clock_tick",
        "date",
        "dynamic_id",
        "last_Request_URI",
        "last_message",
        "local_ip",
        "local_ip_type",
        "media_ip",
        "media_ip_type",
        "msg_index",
        "next_url",
        "peer_tag_param",
        "pid",
        "remote_host",
        "remote_ip",
        "routes",
        "server_ip",
        "service",
        "sipp_version",
        "timestamp",
        "transport",
        "userid",
        "users",
    )
)
"""Keywords without parameters."""
NUMBERS: Final = frozenset(
    (
        "auto_media_port",
        "cseq",
        "last_cseq_number",
        "local_port",
        "media_port",
        "remote_port",
        "rtpstream_audio_port",
    )
)
"""Keywords that take an offset."""
CONSTANTS: Final = frozenset(
    (
        "local_ip",
        "local_ip_type",
        "media_ip",
        "media_ip_type",
        "pid",
        "remote_host",
        "remote_ip",
        "remote_port",
        "server_ip",
        "service",
        "sipp_version",
        "transport",
    )
)
"""Keywords that are the same for all calls of a run, for `Template.bound`; `local_port` is one too over UDP."""
VANISHING: Final = frozenset(("routes",))
"""Keywords of `TEXTS` whose line end goes too when they are empty."""
UNSUPPORTED: Final = re.compile(
    r"tdmmap\b.*|rtpstream_video_port|crypto(?:tag|suite|keyparams)\w*|ueaescm\w*", re.DOTALL
)
"""Keywords of SIPp that are refused."""

_STOP: Final = re.compile(r"\\x|\[")
_CALL_ID: Final = re.compile(r"^(?:call-id|i)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_OWN_CALL_ID: Final = "[call_id]"
_FIELD: Final = re.compile(r"field([0-9]*)")
_OFFSET: Final = re.compile(r"[+-][0-9]+")
_HEX: Final = re.compile(r"\\x([0-9A-Fa-f]{1,2})")
_STATUS: Final = re.compile(r"\s*([0-9]+)(?:\s|$)")
_LEADING_SPACES: Final = re.compile(r"\n +")
_LEADING_TABS: Final = re.compile(r"\n\t+")
_WITH_PARAMETERS: Final = ("authentication", "field", "file", "fill")
_BLANKS: Final = " \t\n"


def trimmed(text: str, *, is_message: bool) -> str:
    """Return the text of a CDATA section without the blanks around lines, as SIPp trims it.

    Spaces around line ends go first, then tabs, so that a space behind a tab stays, as in SIPp. A text without an empty
    line gets one at its end. A message whose body was followed by a line end has one.

    Args:
        text: with LF as line ends.
        is_message: of `send`; else of `sendCmd`.
    """
    left = text.lstrip(_BLANKS)
    whole = left.rstrip(_BLANKS)
    had_line_end = "\n" in left[len(whole) :]
    whole = _LEADING_SPACES.sub("\n", whole)
    whole = _without_trailing(whole, " ")
    whole = _LEADING_TABS.sub("\n", whole)
    whole = _without_trailing(whole, "\t")
    if "\n\n" not in whole:
        whole += "\n\n"
    elif is_message and had_line_end:
        whole += "\n"
    return whole


def _without_trailing(text: str, blank: str) -> str:
    """The text without this character before line ends; the end of the text is none."""
    lines = text.split("\n")
    return "\n".join([*(each.rstrip(blank) for each in lines[:-1]), lines[-1]])


@dataclass(frozen=True, slots=True)
class KeywordReader:
    """Reads the texts of one file."""

    keys: Mapping[str, str]
    """Values of keywords by their names: `-key`."""
    findings: Findings

    def name(self, text: str, line: int) -> str:
        """Return the name of a file, which may be one keyword of `-key` and has no others, as in SIPp.

        Args:
            text: as it stands.
            line: where it stands.
        """
        if not text.startswith("[") or not text.endswith("]"):
            return text
        keyword = text[1:-1]
        self.findings.use(KEYS, keyword, line)
        if keyword not in self.keys:
            self.findings.fault(
                line, f"{excerpt(text)} is no name of a file; write -key {excerpt(keyword)} FILE, or the name itself"
            )
        return self.keys.get(keyword, text)

    def message(self, text: str, line: int) -> Template:
        """Return a message of `send`.

        Args:
            text: of the CDATA section.
            line: on which it begins.
        """
        whole, line = self._trimmed(text, line, is_message=True)
        template = self.text(whole, line)
        first = template.parts[0] if template.parts else ""
        word, blank, rest = first.partition(" ") if isinstance(first, str) else ("", "", "")
        has_body = bool(whole.partition("\n\n")[2])
        if not word or not blank or "\r" in word:
            self.findings.fault(line, "the method or SIP/2.0 is a keyword or missing; write it, and a blank behind it")
            return template
        if word != "SIP/2.0":
            self._check_call_id(whole, line)
            return Template(template.parts, line, method=word, has_body=has_body)
        found = _STATUS.match(rest)
        status = int(found[1]) if found and len(found[1]) == 3 else 0
        if not 100 <= status <= 699:
            self.findings.fault(line, f"{excerpt(rest[:10])} is no status code; write one from 100 to 699")
        return Template(template.parts, line, status=status, has_body=has_body)

    def _check_call_id(self, text: str, line: int) -> None:
        """Tell a Call-ID to which no answer finds its call: what stands behind `[call_id]` is part of it.

        What stands before `///` is not.
        """
        found = _CALL_ID.search(text)
        value = found[1].strip() if found else ""
        if _OWN_CALL_ID in value and not value.endswith(_OWN_CALL_ID):
            what = f"Call-ID: {excerpt(value)}, which does not end with {_OWN_CALL_ID}"
            self.findings.tolerate(line, what, "the Call-ID of no call: no answer to it is found, as by SIPp")

    def command(self, text: str, line: int) -> Template:
        """Return a command of `sendCmd`.

        Args:
            text: of the CDATA section.
            line: on which it begins.
        """
        return self.text(*self._trimmed(text, line, is_message=False))

    def _trimmed(self, text: str, line: int, *, is_message: bool) -> tuple[str, int]:
        """(the trimmed text, the line of its beginning)."""
        blank = len(text) - len(text.lstrip(_BLANKS))
        return trimmed(text, is_message=is_message), line + text.count("\n", 0, blank)

    def text(self, text: str, line: int) -> Template:
        """Return a text as it stands, such as an attribute of an action, with its keywords.

        Args:
            line: on which it begins.
        """
        parts = Parts()
        at = 0
        first = line
        while (stop := _STOP.search(text, at)) is not None:
            line = _add_text(parts, text[at : stop.start()], line)
            at = stop.start()
            if stop[0] == "[":
                part, end = self._bracket(text, at, line)
                parts.add(part)
                line += text.count("\n", at, end)
                at = end
            elif (found := _HEX.match(text, at)) is not None:
                parts.add(chr(int(found[1], 16)))
                at = found.end()
                if len(found[1]) < 2:
                    self._tell_digits(text[at - 3 : at + 1], line)
            else:
                parts.add("\\x")
                self._tell_digits(text[at : at + 4], line)
                at += 2
        _add_text(parts, text[at:], line)
        return Template(_with_one_length(parts.all()), first)

    def _tell_digits(self, found: str, line: int) -> None:
        self.findings.tolerate(line, f"{excerpt(found)} without two digits", "SIPp 3.7 takes it; 3.6 loses a character")

    def _bracket(self, text: str, at: int, line: int) -> tuple[Part, int]:
        """(what a `[` begins, where that ends)."""
        end = _closing(text, at)
        following = text.find("[", at + 1, end if end > 0 else at + WINDOW)
        nests = text.startswith(_WITH_PARAMETERS, at + 1)
        if following >= 0 and not nests:
            return "[", at + 1
        keyword = text[at + 1 : end] if end > 0 else ""
        if not 0 < len(keyword) <= LONGEST or ("\n" in keyword and not nests):
            self.findings.fault(line, f"{excerpt(text[at : at + 30])} is no keyword; write \\x5b for a [ that is text")
            return "[", at + 1
        return self._keyword(keyword, line), end + 1

    def _keyword(self, keyword: str, line: int) -> Part:
        if "[" in keyword and '"' not in keyword:
            self.findings.tolerate(
                line, f"keywords in [{excerpt(keyword)}]", "filled in; SIPp up to 3.7 sends them as text"
            )
        name, offset = _offset(keyword)
        if name in NUMBERS:
            self.findings.use(KEYWORDS, name, line)
            return Number(name, offset)
        if name == "branch":
            self.findings.use(KEYWORDS, name, line)
            return Branch(offset)
        if name == "len":
            self.findings.use(KEYWORDS, name, line)
            return Length(offset)
        if name in TEXTS:
            self.findings.use(KEYWORDS, name, line)
            if offset:
                self.findings.tolerate(line, f"the offset of [{keyword}]", f"nothing: [{name}]")
            return Value(name, name in VANISHING)
        if UNSUPPORTED.fullmatch(name):
            self.findings.fault(line, f"[{name}] is not supported yet")
            return ""
        if (found := _FIELD.match(name)) is not None:
            return self._field(keyword, found[1], line)
        if name.startswith("file"):
            return self._file(keyword, line)
        if name.startswith("$"):
            self.findings.use(KEYWORDS, "$", line)
            self.findings.use_variable(name[1:], line)
            return Variable(name[1:])
        if name.startswith("fill"):
            return self._fill(keyword, line)
        if name.startswith("last_") and name != "last_":
            self.findings.use(KEYWORDS, "last_*", line)
            header = name.removeprefix("last_")
            value_only = header.endswith(".value")
            return LastHeader(header.removesuffix(".value").removesuffix(":"), value_only)
        if name.startswith("authentication"):
            return self._authentication(keyword, line)
        self.findings.use(KEYS, keyword, line)
        if keyword in self.keys:
            return self.keys[keyword]
        self.findings.fault(
            line,
            f"[{excerpt(keyword)}] is no keyword; write -key {excerpt(keyword)} VALUE, or \\x5b for a [ that is text",
        )
        return ""

    def _field(self, keyword: str, digits: str, line: int) -> Part:
        self.findings.use(KEYWORDS, "field", line)
        if not digits:
            self.findings.tolerate(line, f"[{excerpt(keyword)}] without a number", "[field0]")
        file = parameter(keyword, "file")
        self.findings.use(FIELDS, file, line)
        row = parameter(keyword, "line")
        return Field(int(digits[:6] or "0"), file, self.text(row, line) if row else None)

    def _file(self, keyword: str, line: int) -> Part:
        self.findings.use(KEYWORDS, "file", line)
        name = parameter(keyword, "name")
        if not name:
            self.findings.fault(line, f"[{excerpt(keyword)}] names no file; write [file name=FILE]")
        self.findings.use(FILES, name, line)
        return File(self.text(name, line))

    def _fill(self, keyword: str, line: int) -> Part:
        self.findings.use(KEYWORDS, "fill", line)
        variable = parameter(keyword, "variable")
        if variable:
            self.findings.use_variable(variable, line)
        else:
            self.findings.fault(line, f"[{excerpt(keyword)}] names no variable; write [fill variable=NAME]")
        return Fill(parameter(keyword, "text") or "X", variable)

    def _authentication(self, keyword: str, line: int) -> Part:
        self.findings.use(KEYWORDS, "authentication", line)
        values = [parameter(keyword, name) for name in CREDENTIALS]
        return Authentication(*(self.text(each, line) for each in values))


def _offset(keyword: str) -> tuple[str, int]:
    """(the keyword without it, its offset): from the first `+`, else the first `-`, where a digit follows."""
    if keyword.startswith(("authentication", "tdmmap")):
        return keyword, 0
    at = keyword.find("+") if "+" in keyword else keyword.find("-")
    found = _OFFSET.match(keyword, at) if at >= 0 else None
    return (keyword[:at], int(found[0][:10])) if found is not None else (keyword, 0)


def _closing(text: str, at: int) -> int:
    """Where the `]` of a `[` stands; -1 = nowhere.

    A keyword with parameters may have quotes, in which a bracket is text, and other keywords as their values.
    """
    if not text.startswith(_WITH_PARAMETERS, at + 1):
        return text.find("]", at + 1, at + WINDOW)
    depth = 0
    quoted = False
    for index in range(at + 1, min(len(text), at + WINDOW)):
        character = text[index]
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character == "[":
            depth += 1
        elif character == "]":
            if not depth:
                return index
            depth -= 1
    return text.find("]", at + 1, at + WINDOW)


def _with_one_length(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts with five blanks for each `[len]` but the last one."""
    last = max((index for index, part in enumerate(parts) if isinstance(part, Length)), default=-1)
    found = Parts()
    for index, part in enumerate(parts):
        found.add(BLANK_LENGTH if isinstance(part, Length) and index < last else part)
    return found.all()


def _add_text(parts: Parts, text: str, line: int) -> int:
    """Add text with CRLF as line ends; return the line on which it ends."""
    parts.add(text.replace("\n", "\r\n"))
    return line + text.count("\n")
