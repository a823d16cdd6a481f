"""The methods of sending and receiving digits, by the man page's names and by the internal ones."""

from collections.abc import Iterable
from typing import Final

from ..errors import UnusableDigits

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


def dtmf_modes(methods: str | Iterable[str]) -> tuple[str, ...]:
    """Return the internal names of a list of DTMF methods such as "rfc2833,audio".

    Args:
        methods: names in any case, in a text with commas or blanks between them, or in a sequence.

    Raises:
        UnusableDigits: an unknown name, or none.
    """
    texts = (methods,) if isinstance(methods, str) else methods
    modes = []
    for name in " ".join(map(str, texts)).lower().replace(",", " ").split():
        if name not in METHODS:
            raise UnusableDigits(f"unknown DTMF method {name!r}; known are {', '.join(METHODS)}")
        modes.append(METHODS[name])
    if not modes:
        raise UnusableDigits(f"no DTMF method is named; known are {', '.join(METHODS)}")
    return tuple(modes)
