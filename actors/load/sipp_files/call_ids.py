"""The Call-IDs of `-cid_str`: `%u` is the number of the call, `%p` the process, `%s` the local address. Pure."""

import re
from typing import Final

from ...errors import ConfigurationError

_PLACE: Final = re.compile(r"%(.?)", re.DOTALL)
_WORD: Final = re.compile(r"[!-~]{1,128}")
"""Of a Call-ID (RFC 3261 section 25.1), and more: what SIPp's users write."""


def check_form(form: str) -> None:
    """See that calls can have Call-IDs of a form.

    Raises:
        ConfigurationError: they would be no words, or all the same, or `%` stands for nothing.
    """
    if not _WORD.fullmatch(form):
        raise ConfigurationError(f"-cid_str {form!r}: write 1 to 128 characters without blanks, such as %u-%p@%s")
    places = _PLACE.findall(form)
    for each in places:
        if each not in ("u", "p", "s", "%"):
            raise ConfigurationError(f"-cid_str {form}: %{each} is unknown; write %u, %p, %s or %%")
    if "u" not in places:
        raise ConfigurationError(f"-cid_str {form}: all calls would have one Call-ID; write %u into it")


def filled(form: str, number: int, pid: int, host: str) -> str:
    """Return the Call-ID of a call.

    Args:
        form: as `check_form` takes it.
        number: of the call, over all processes, from 1.
        pid: of the process.
        host: local address.
    """
    values = {"u": str(number), "p": str(pid), "s": host, "%": "%"}
    return _PLACE.sub(lambda match: values[match[1]], form)
