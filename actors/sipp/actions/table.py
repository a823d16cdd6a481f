"""The action table: what makes an action of its element."""

from collections.abc import Callable, Mapping
from typing import Final

from ..attributes import Attributes
from ..findings import Findings
from ..keywords import KeywordReader
from ..markup import Element, excerpt
from . import effects, numbers, rows, texts
from .action import Action, Nothing
from .given import Given

TABLE: Final[Mapping[str, Callable[[Given], Action]]] = {
    "add": numbers.add,
    "assign": numbers.assign,
    "assignstr": texts.assignstr,
    "closecon": effects.closecon,
    "divide": numbers.divide,
    "ereg": texts.ereg,
    "error": effects.error,
    "exec": effects.exec_,
    "gettimeofday": numbers.gettimeofday,
    "index": numbers.index,
    "insert": rows.insert,
    "jump": effects.jump,
    "log": effects.log,
    "lookup": rows.lookup,
    "multiply": numbers.multiply,
    "pauserestore": effects.pauserestore,
    "replace": rows.replace,
    "rtp_echo": effects.rtp_echo,
    "sample": numbers.sample,
    "setdest": effects.setdest,
    "strcmp": texts.strcmp,
    "subtract": numbers.subtract,
    "test": numbers.test,
    "todouble": numbers.todouble,
    "trim": texts.trim,
    "urldecode": texts.urldecode,
    "urlencode": texts.urlencode,
    "verifyauth": texts.verifyauth,
    "warning": effects.warning,
}
"""By the name of the action in a scenario file."""


def compile_action(element: Element, keywords: KeywordReader, findings: Findings) -> Action:
    """Return the action of an element, made once for all calls.

    Args:
        element: in an `action`.
        keywords: reads the texts of the file.
        findings: where faults are noted; with one the action must not be carried out.
    """
    read = TABLE.get(element.name)
    if read is None:
        findings.fault(element.line, f"there is no action <{excerpt(element.name)}>; there are {', '.join(TABLE)}")
        return Nothing()
    return read(Given(Attributes(element, findings), keywords))
