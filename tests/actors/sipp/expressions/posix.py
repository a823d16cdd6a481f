"""`regcomp` and `regexec` of the C library, which SIPp calls: the judge of expressions. Linux with glibc."""

import ctypes
import platform
from typing import Final

IS_GLIBC: Final = platform.libc_ver()[0] == "glibc"
EXTENDED: Final = 1
"""REG_EXTENDED of regex.h."""
MOST: Final = 10


class Match(ctypes.Structure):
    """`regmatch_t`."""

    _fields_ = (("start", ctypes.c_int), ("end", ctypes.c_int))


class NotAPattern(ValueError):
    """`regcomp` has refused it."""


def spans(pattern: str, subject: str, groups: int) -> tuple[tuple[int, int], ...] | None:
    """The spans of the match and of so many groups; None without a match.

    Raises:
        NotAPattern: it is refused.
    """
    library = ctypes.CDLL(None)
    compiled = ctypes.create_string_buffer(256)
    if library.regcomp(compiled, pattern.encode("latin-1"), EXTENDED):
        raise NotAPattern(pattern)
    try:
        matches = (Match * MOST)()
        if library.regexec(compiled, subject.encode("latin-1"), MOST, matches, 0):
            return None
        return tuple((match.start, match.end) for match in matches[: groups + 1])
    finally:
        library.regfree(compiled)
