"""The ladder of a call: its SIP messages with their times, as data and as a drawing for people.

Messages are drawn in the order of their times, each with its arrow, its start line and what was remarked upon. Secrets
are masked before anything is shown, control characters are escaped. Pure; calls do not belong here.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sipswarm.sipcore.message import peek

from ..diagnosis.foreign_text import shown, shown_line
from .masking import masked

WIDTH: Final = 100
"""Columns of the drawing."""
NOTHING: Final = "no message was recorded; UserAgent(trace=True) and ua.keep_ladders() have them recorded"
_SPAN: Final = 52
"""Columns between the two lines of life."""
_MARGIN: Final = 20
"""Columns for the times."""


Row = tuple[float, bool, str, tuple[str, int], tuple[str, int], bytes, str]
"""The fields of a `Rung`, its octets as they are; a plain tuple, because the garbage collector lets go of those."""


class Rung(NamedTuple):
    """One message."""

    at: float
    """Monotonic seconds."""
    sent: bool
    """True = we sent it."""
    transport: str
    """udp, tcp or tls."""
    local: tuple[str, int]
    """Our address and port, as the listener has them."""
    remote: tuple[str, int]
    data: bytes
    """The octets, secrets masked, of the same length as on the wire."""
    note: str = ""
    """What of it was dropped, and by which leniencies it was read."""

    @property
    def start_line(self) -> str:
        """The first line, without what could move a terminal."""
        return shown_line(self.data.lstrip(b"\r\n").partition(b"\n")[0].rstrip(b"\r"))


class Ladder:
    """The newest messages of one call, oldest first.

    Args:
        rungs: the messages, each with `at` (monotonic seconds), `sent`, `transport`, `local`, `remote`, `data` (its
            octets, secrets masked), `note` and `start_line`.
        left_out: how many older ones are not kept any more.
        clock_offset: seconds from our monotonic times to those since 1970.
    """

    def __init__(self, rungs: Iterable[Rung] = (), left_out: int = 0, clock_offset: float = 0.0) -> None:
        self.rungs = tuple(rung._replace(data=masked(rung.data)) for rung in rungs)
        self.left_out = left_out
        self.clock_offset = clock_offset

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The drawing: a line for each message, at most 100 columns wide where addresses are short enough."""
        if not self.rungs:
            yield NOTHING
            return
        first = self.rungs[0]
        left, right = place_of(first.local, first.transport), place_of(first.remote, first.transport)
        began = datetime.fromtimestamp(first.at + self.clock_offset, UTC)
        yield f"{began:%Y-%m-%d %H:%M:%S}.{began.microsecond // 1000:03d} UTC"
        space = max(1, _SPAN + 2 - len(left) - len(right))
        yield f"{'seconds':>9}{'step':>9}  {left}{' ' * space}{right}".rstrip()
        if self.left_out:
            yield f"{'':{_MARGIN}}({self.left_out} earlier messages are left out)"
        before = first
        seen: dict[tuple[bool, bytes], int] = {}
        for rung in self.rungs:
            times = seen[rung.sent, rung.data] = seen.get((rung.sent, rung.data), 0) + 1
            step = f"+{rung.at - before.at:.4f}" if rung is not first else ""
            notes = list(_notes(rung, times, first))
            yield f"{rung.at - first.at:9.4f}{step:>9}  |{_arrow(rung, times)}|  {', '.join(notes)}".rstrip()[:WIDTH]
            before = rung

    def full(self) -> str:
        """The drawing and every message in full; one that was sent again stands there once."""
        parts = [str(self)]
        numbers: dict[tuple[bool, bytes], int] = {}
        for number, rung in enumerate(self.rungs, 1):
            ends = (place_of(rung.local, rung.transport), place_of(rung.remote, rung.transport))
            sender, receiver = ends if rung.sent else ends[::-1]
            head = f"{number}. {rung.at - self.rungs[0].at:.4f}  {sender} -> {receiver}, {len(rung.data)} octets"
            if rung.note:
                head += f" ({shown(rung.note)})"
            same = numbers.setdefault((rung.sent, rung.data), number)
            if same != number:
                parts.append(f"{head}, the same as {same}")
                continue
            lines = rung.data.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
            parts.append("\n".join((head, *(f"    {shown(line, len(rung.data) * 4 + 40)}".rstrip() for line in lines))))
        return "\n\n".join(parts)


def place_of(address: tuple[str, int], transport: str) -> str:
    """Return an address and port as text, with the transport unless it is UDP."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}" + ("" if transport == "udp" else f" {transport}")


def _arrow(rung: Rung, times: int) -> str:
    """The line between both: the label near its sender, dotted when the message went over the wire before."""
    line = "-" if times == 1 else "."
    label = rung.start_line
    label = label[8:] if label.upper().startswith("SIP/2.0 ") else label.removesuffix(" SIP/2.0")
    room = _SPAN - 8
    if len(label) > room:
        label = f"{label[: room - 3]}..."
    if rung.sent:
        return f"{line * 2} {label} ".ljust(_SPAN - 1, line) + ">"
    return "<" + f" {label} {line * 2}".rjust(_SPAN - 1, line)


def _notes(rung: Rung, times: int, first: Rung) -> Iterator[str]:
    if rung.note:
        yield shown(rung.note)
    if times > 1:
        yield f"again ({times})"
    if not peek.is_request(rung.data):
        yield f"to {_method_of(rung.data)}"
    if b"\r\n\r\nv=0" in rung.data or b"\n\nv=0" in rung.data:
        yield "SDP"
    if (rung.remote, rung.transport) != (first.remote, first.transport):
        yield f"{'to' if rung.sent else 'from'} {place_of(rung.remote, rung.transport)}"


def _method_of(response: bytes) -> str:
    """The method in the CSeq of a response; a question mark where there is none."""
    lower = response.lower()
    start = lower.find(b"\ncseq")
    words: Sequence[bytes] = response[start + 1 : lower.find(b"\n", start + 1)].split() if start >= 0 else ()
    return shown(words[-1][:16]) if words else "?"
