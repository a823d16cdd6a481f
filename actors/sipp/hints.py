"""What a scenario file says in good form and hardly means: SIPp does the same with it, so it is told, and no error."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .markup import Toleration
from .program import Optionality, Receive, Send, Step

_CALL_ID: Final = re.compile(r"^[ \t]*(?:call-id|i)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_OWN: Final = "[call_id]"


def strange_call_id(text: str) -> str:
    """Return the Call-ID of a message to which no answer finds its call, as the file writes it; empty = it has none.

    What stands before `///` is no part of what a call is known by; what stands behind `[call_id]` is.

    Args:
        text: of the message, as the file writes it.
    """
    found = _CALL_ID.search(text)
    value = found[1].strip() if found else ""
    return value if _OWN in value and not value.endswith(_OWN) else ""


def late_timeouts(steps: Sequence[Step]) -> Iterator[Toleration]:
    """Return the `recv` commands whose `ontimeout` leads to a `send` that the repetition before it holds back."""
    repeats = False
    for step in steps:
        if isinstance(step, Send):
            repeats = step.retrans > 0
        elif isinstance(step, Receive):
            place = step.ontimeout
            if repeats and step.timeout and place is not None and place < len(steps) and isinstance(steps[place], Send):
                what = "ontimeout behind a <send> with retrans"
                taken = "a wait until the repetition has ended, as by SIPp: it holds the <send> at the label back"
                yield Toleration(step.line, what, taken)
            repeats = repeats and step.optional is not Optionality.FALSE
