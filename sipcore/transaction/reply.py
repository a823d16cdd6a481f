"""Reply: what all responses to one request have in common, made once (RFC 3261 8.2.6, 18.2; RFC 3581).

It has the request's header lines and its source, hence where responses go; keeps no state and no time.
"""

from __future__ import annotations

from itertools import compress
from typing import Final, final

from ..message.fields import tagged
from ..message.headers import value_of
from ..message.hop import Hop
from ..message.messages import REASON_PHRASES, Request, with_top_via

_is_copied: Final = frozenset(("via", "from", "call-id", "cseq")).__contains__


@final
class Reply:
    """The copied lines and the destination of the responses to one request.

    Arguments: the request; `source` the hop it came from; `flow` the inbound connection, 0 for none; `to_tag`
    our tag, for a To that has none. Source: RFC 3261 8.2.6.2, 18.2.1, 18.2.2, 12.1.1.
    """

    __slots__ = ("flow", "head", "hop", "plain_to", "record_route", "to", "to_tag")

    def __init__(self, request: Request, source: Hop, flow: int, to_tag: str) -> None:
        headers = request.headers
        keys = headers.keys
        lines = headers.lines
        at = keys.index("via")
        top = lines[at]
        first, comma, rest = top.partition(",")
        head, rport, tail = first.partition(";rport")
        if rport and tail[:1] in ("", ";") and '"' not in first and "received" not in first.lower():
            # RFC 3581 section 4: the usual spelling, without a look at the rest of the value.
            self.hop = source
            top = f"{head};rport={source.port}{tail};received={source.host}{comma}{rest}"
        else:
            via = request.via
            if "rport" in via.params or source.transport != "udp":
                self.hop = source
            else:
                # maddr is not followed: it lets a stranger aim our answers (RFC 3261 18.2.2 would).
                self.hop = Hop(source.transport, source.host, via.port or 5060)
            stamped = via.stamped(source.host, source.port)
            if stamped is not via:
                top = with_top_via(top, stamped)
        self.flow = flow
        copied = [*compress(lines, map(_is_copied, keys))]
        copied[copied.index(lines[at])] = top
        self.head = "\r\n".join(copied)
        to = lines[keys.index("to")]
        self.plain_to = to
        """The To line as it came, for the 100."""
        own = request.to_tag
        if own is None:
            self.to_tag = to_tag
            self.to = tagged(to, to_tag)
        else:
            self.to_tag = own
            self.to = to
        self.record_route = ""
        if "record-route" in keys:
            self.record_route = "".join([f"{line}\r\n" for line in headers.raw("Record-Route")])

    @classmethod
    def again(cls, head: str, plain_to: str, to: str, record_route: str, to_tag: str, hop: Hop, flow: int) -> Reply:
        """Return the reply that had these attributes, without its request."""
        reply = cls.__new__(cls)
        reply.head, reply.plain_to, reply.to, reply.record_route = head, plain_to, to, record_route
        reply.to_tag, reply.hop, reply.flow = to_tag, hop, flow
        return reply

    @property
    def local(self) -> str:
        """The value of To with our tag: who we are in the dialog that a response forms (RFC 3261 12.1.1)."""
        return value_of(self.to)

    def to_bytes(self, status: int, reason: str, extra: str = "", body: bytes = b"", content_type: str = "") -> bytes:
        """Write a response; `extra` are whole header lines, an empty reason is the usual phrase (21)."""
        kind = f"Content-Type: {content_type}\r\n" if body and content_type else ""
        return (
            f"SIP/2.0 {status} {reason or REASON_PHRASES.get(status, 'Unknown')}\r\n{self.head}\r\n{self.to}\r\n"
            f"{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body

    def trying(self, timestamp: str = "") -> bytes:
        """Write the 100, which has no local tag (RFC 3261 8.2.6.2).

        Args:
            timestamp: a line of `timestamp_line`.
        """
        return (f"SIP/2.0 100 Trying\r\n{self.head}\r\n{self.plain_to}\r\n{timestamp}Content-Length: 0\r\n\r\n").encode(
            "utf-8", "surrogateescape"
        )


def timestamp_line(request: Request, delay: float = 0.0) -> str:
    """Write the Timestamp line of a 100: the request's, with our delay in seconds; empty without one (8.2.6.1)."""
    if "timestamp" not in request.headers.keys:
        return ""
    asked = request.timestamp
    if asked is None:
        return ""
    sent = (request.headers.get("Timestamp") or "").split(None, 1)[0]
    delay += asked.delay
    return f"Timestamp: {sent} {delay:.3f}\r\n" if delay else f"Timestamp: {sent}\r\n"
