"""Why a media command is refused: a closed set of causes, and the error that carries one of them.

On a link a refusal is the value of its cause, and its details beside it (`CommandRefused`): no code reads a
cause out of a text, and the code that raises names it.
"""

from enum import Enum


class Refusal(Enum):
    """Why a command cannot be done."""

    BAD_VALUE = "bad_value"
    """An argument that has no meaning, or none here."""
    NO_FILE = "no_file"
    """A file that cannot be opened or read."""
    BAD_FILE = "bad_file"
    """A file that is none of those that can be played or written."""
    NO_SRTP = "no_srtp"
    """SRTP was negotiated, and its library is not installed."""
    UNKNOWN_STREAM = "unknown_stream"
    """No stream of that number is open."""
    DUPLICATE = "duplicate"
    """A stream of that number is open already."""
    LIMIT = "limit"
    """As many streams are open as may be."""
    NO_PORT = "no_port"
    """Every pair of ports is taken."""
    NO_DESCRIPTOR = "no_descriptor"
    """The process has no file descriptor left, or the kernel watches no further one."""
    FAILED = "failed"
    """An error of our own code, whose traceback is in the log of the media worker."""
    BAD_ADDRESS = "bad_address"
    """The address is none of this host, or none at all."""


class Refused(ValueError):
    """A command cannot be done; the text is the cause, and after a colon the detail."""

    def __init__(self, cause: Refusal, detail: str = "") -> None:
        """Join cause and detail to the text.

        Args:
            detail: what, where, and how to mend it, without the cause.
        """
        super().__init__(f"{cause.value}: {detail}" if detail else cause.value)
        self.cause = cause
        self.detail = detail
