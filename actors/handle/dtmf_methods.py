"""The methods of sending and receiving digits, by the man page's names and by the internal ones."""

from collections.abc import Iterable
from typing import Final

from ..diagnosis.foreign_text import said, shown
from ..errors import ConfigurationError, UnusableDigits
from .given_text import checked_list

METHODS: Final = {
    "rfc2833": "rfc4733",
    "rfc4733": "rfc4733",
    "audio": "inband",
    "info": "info",
    "dtmf-relay": "dtmf-relay",
    "dtmf": "dtmf",
}
"""Info is SIP INFO of application/dtmf-relay, or application/dtmf where that is refused.

Each of dtmf-relay and dtmf is one of them alone.
"""


def dtmf_modes(methods: str | Iterable[str], what: str = "methods") -> tuple[str, ...]:
    """Return the internal names of a list of DTMF methods such as "rfc2833,audio".

    Args:
        methods: names in any case, in a text with commas or blanks between them, or in a sequence.
        what: the name of the argument.

    Raises:
        ConfigurationError: neither a text nor a sequence of texts.
        UnusableDigits: an unknown name, or none.
    """
    texts = checked_list(what, methods)
    if not all(isinstance(each, str) for each in texts):
        raise ConfigurationError(f"{what} {said(methods)}: each method is a text; known are {', '.join(METHODS)}")
    modes = []
    for name in " ".join(texts).lower().replace(",", " ").split():
        if name not in METHODS:
            raise UnusableDigits(f"{what}: unknown DTMF method {shown(name, 100)!r}; known are {', '.join(METHODS)}")
        modes.append(METHODS[name])
    if not modes:
        raise UnusableDigits(f"{what}: no DTMF method is named; known are {', '.join(METHODS)}")
    return tuple(modes)
