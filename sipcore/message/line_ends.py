"""Messages whose start line and headers end with bare LF, as some stacks write them (RFC 3261 section 7 has CRLF).

Only what cannot be read in two ways is taken: no CR before the blank line, and no CRLF CRLF anywhere. So it cannot come
from a stream, where CRLF CRLF ends the headers (18.3), and no header hides another one from a strict reader.
"""


def with_line_ends(data: bytes) -> bytes:
    """Return the message with CRLF in its head when all its line ends there are bare; else the same object."""
    stripped = data.lstrip(b"\r\n")
    head, blank, body = stripped.partition(b"\n\n")
    if not blank or b"\r" in head or b"\r\n\r\n" in stripped:
        return data
    return head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
