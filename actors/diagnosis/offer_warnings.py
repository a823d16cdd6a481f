"""The Warning headers of a 488: why an offer or answer is refused (RFC 3261 sections 20.43 and 21.4.26)."""

from sipswarm.sipcore.message.hop import Hop, bracketed

from .foreign_text import shown

NOTHING_FITS = (305, "no media line of the offer can be accepted")
"""Code and text."""
ANSWER_OF_NO_USE = (305, "nothing in the answer can be used")
"""Code and text."""
NO_ADDRESS = (
    301,
    "c= of the offer has no unicast IP address of our version; names are not looked up: write the address",
)
"""Code and text."""
NOT_SENT_TO = (399, "c= of the offer has an address in a network that is not sent to")
"""Code and text."""
UNREADABLE = 399
"""Code; what could not be read is the text."""


def warning(local: Hop, code: int, text: str) -> tuple[tuple[str, str], ...]:
    """One Warning.

    Args:
        local: who warns.
        text: is quoted here, and may hold what a peer has written.
    """
    quoted = shown(text).replace("\\", "\\\\").replace('"', '\\"')
    return (("Warning", f'{code} {bracketed(local.host)} "{quoted}"'),)
