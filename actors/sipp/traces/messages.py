"""The lines of `-trace_msg`, `-trace_shortmsg`, `-trace_rtt`, `-trace_err` and `-trace_error_codes`."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

from ..call.statistics import Unexpected
from .stamps import span, stamp

ERRORS_HEADER: Final = "The following events occurred:"
"""The first line of `-trace_err`."""
RTT_HEADER: Final = "Date_ms;response_time_ms;rtd_no"
"""The first line of `-trace_rtt`."""
_RULE: Final = "-" * 47


def message_entry(at: float, zone: tzinfo, *, transport: str, sent: bool, message: bytes) -> bytes:
    """Return the entry of a message in the file of `-trace_msg`.

    Args:
        at: seconds since 1970.
        zone: in which date and time are written.
        transport: UDP, TCP or TLS.
        sent: whether it was sent; else it was received.
        message: its octets.
    """
    date, time, _ = stamp(at, zone).split("\t")
    size = f"sent ({len(message)} bytes):" if sent else f"received [{len(message)}] bytes :"
    return f"{_RULE} {date} {time}\n{transport} message {size}\n\n".encode("ascii") + message + b"\n"


def short_message_line(at: float, zone: tzinfo, *, sent: bool, message: str) -> str:
    """Return the line of a message in the file of `-trace_shortmsg`, without its line end.

    Args:
        at, zone, sent: as for `message_entry`.
        message: one character for each octet.
    """
    first, *lines = message.partition("\r\n\r\n")[0].split("\r\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    call_id = fields.get("call-id", fields.get("i", ""))
    return "\t".join([stamp(at, zone), "S" if sent else "R", call_id, f"CSeq:{fields.get('cseq', '')}", first])


def response_time_line(elapsed: float, seconds: float, name: str) -> str:
    """Return the line of a response time in the file of `-trace_rtt`, without its line end.

    Args:
        elapsed: since the begin of the run, in seconds.
        seconds: the response time.
        name: of the `rtd`.
    """
    return f"{elapsed * 1000:g};{seconds * 1000:.0f};{name}"


def error_line(at: float, zone: tzinfo, text: str) -> str:
    """Return the line of an error in the file of `-trace_err`, without its line end."""
    return f"{stamp(at, zone)}: {text}"


def unexpected_text(call_id: str, unexpected: Unexpected, *, longest: int) -> str:
    """Return the text of an unexpected message in the file of `-trace_err`: SIPp's, then step and line of the file.

    Args:
        call_id: of its call.
        unexpected: the message; secrets masked.
        longest: characters of the message that are kept.
    """
    if not unexpected.state:
        return f"{unexpected.text}; Call-ID {call_id}"
    verb, method = "Aborting" if unexpected.ends else "Continuing", unexpected.message.partition(" ")[0]
    if method in ("BYE", "CANCEL"):
        an = "" if method == "CANCEL" and not unexpected.ends else "an "  # as SIPp spells them
        return f"{verb} call on {an}unexpected {method} for call: {call_id}; {unexpected.text}"
    what = f"{verb} call on unexpected message for Call-Id '{call_id}': {unexpected.state}"
    return f"{what}, received '{unexpected.message[:longest]}'; {unexpected.text}"


def failure_text(call_id: str, failure: str, detail: str) -> str:
    """Return the text of a failed call in the file of `-trace_err`, with SIPp's words before it where SIPp has some.

    Args:
        call_id: of the call.
        failure: its reason.
        detail: step, line and what happened; empty = not known.
    """
    text = f"{failure}: {detail}" if detail else failure
    step = detail.removeprefix("step ").partition(",")[0]
    if failure == "recv_timeout" and step.isdigit():
        without = "without label to jump to (ontimeout attribute): aborting call"
        return f"Call-Id: {call_id}, receive timeout on message {step} {without}; {text}"
    if failure == "max_retrans":
        return f"Aborting call on UDP retransmission timeout for Call-ID '{call_id}'; {text}"
    return f"{text}; Call-ID {call_id}"


def error_codes_line(at: float, zone: tzinfo, elapsed: float, codes: Sequence[int]) -> str:
    """Return the line of a period in the file of `-trace_error_codes`, without its line end.

    Args:
        at, zone: as for `message_entry`.
        elapsed: since the begin of the run, in seconds.
        codes: status codes that were unexpected in the period.
    """
    return f"{stamp(at, zone)};{span(elapsed)};{''.join([f'{code},' for code in codes])}"
