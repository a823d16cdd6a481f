"""The columns of `-trace_stat` that a scenario file decides: its names, and the limits of its repartitions."""

from collections.abc import Iterator
from typing import Final

from ..markup import Document
from ..program import Program
from .statistics import Columns

RESPONSE_TIMES: Final = "ResponseTimeRepartition"
CALL_LENGTHS: Final = "CallLengthRepartition"
MOST_LIMITS: Final = 100
"""Limits of a repartition that become columns."""


def columns_of(document: Document, program: Program) -> Columns:
    """Return the columns of a file.

    Args:
        document: its elements.
        program: made of them.
    """
    return Columns(
        response_times=program.response_times,
        counters=program.counters,
        response_limits=_limits(document, RESPONSE_TIMES),
        length_limits=_limits(document, CALL_LENGTHS),
    )


def _limits(document: Document, name: str) -> tuple[int, ...]:
    """The limits of the last repartition of this name, rising, in milliseconds; () = there is none."""
    found: tuple[int, ...] = ()
    for element in document.root.children:
        if element.name == name:
            found = tuple(sorted(set(_numbers(element.attributes.get("value", "")))))[:MOST_LIMITS]
    return found


def _numbers(text: str) -> Iterator[int]:
    for each in text.split(","):
        word = each.strip()
        if word.isascii() and word.isdigit() and len(word) < 10:
            yield int(word)
