"""Reply: what all responses to one request have in common, made once (RFC 3261 8.2.6, 18.2; RFC 3581).

Knows the request's header lines and where it came from, hence where responses go; keeps no state and no time.
"""

from __future__ import annotations

from .hop import Hop, bracketed
from .message import REASON_PHRASES, Request


class Reply:
    """The copied lines and the destination of the responses to one request.

    Arguments: the request; `source` the hop it came from; `flow` the inbound connection, 0 for none; `to_tag`
    our tag, for a To that has none. Source: RFC 3261 8.2.6.2, 18.2.1, 18.2.2, 12.1.1.
    """

    __slots__ = ("flow", "head", "hop", "record_route", "to", "to_tag")

    def __init__(self, request: Request, source: Hop, flow: int, to_tag: str) -> None:
        headers = request.headers
        via = request.via
        lines = headers.raw("Via")
        rport = "rport" in via.params
        if rport or via.host != source.host:
            lines[0] = _received(lines[0], source, rport)
        if rport or source.is_reliable:
            self.hop = source
        else:
            # maddr is not followed: it lets a stranger aim our answers (RFC 3261 18.2.2 would).
            self.hop = Hop(source.transport, source.host, via.port or 5060)
        self.flow = flow
        joined = "\r\n".join(lines)
        self.head = (
            f"{joined}\r\nFrom: {headers.get('From')}\r\nCall-ID: {request.call_id}\r\n"
            f"CSeq: {request.cseq.number} {request.method}\r\n"
        )
        to = headers.get("To") or ""
        own = request.to_tag
        self.to_tag = own if own is not None else to_tag
        self.to = to if own is not None else f"{to};tag={to_tag}"
        routes = headers.raw("Record-Route")
        self.record_route = "\r\n".join(routes) + "\r\n" if routes else ""

    def to_bytes(self, status: int, reason: str, extra: str = "", body: bytes = b"", content_type: str = "") -> bytes:
        """Write a response; `extra` are whole header lines, an empty reason is the usual phrase (21)."""
        kind = f"Content-Type: {content_type}\r\n" if body else ""
        return (
            f"SIP/2.0 {status} {reason or REASON_PHRASES.get(status, 'Unknown')}\r\n{self.head}To: {self.to}\r\n"
            f"{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body

    def trying(self) -> bytes:
        """Write the 100, which has no tag of ours (RFC 3261 8.2.6.2)."""
        to = self.to.removesuffix(f";tag={self.to_tag}")
        return (f"SIP/2.0 100 Trying\r\n{self.head}To: {to}\r\nContent-Length: 0\r\n\r\n").encode(
            "utf-8", "surrogateescape"
        )


def _received(line: str, source: Hop, rport: bool) -> str:
    """Return the top Via line with received and rport filled in (RFC 3261 18.2.1, RFC 3581 section 4)."""
    first, comma, rest = line.partition(",")
    received = f";received={bracketed(source.host)}"
    if rport:
        before, found, after = first.lower().partition(";rport")
        if found and after[:1] in ("", ";"):
            cut = len(before)
            first = f"{first[:cut]};rport={source.port}{first[cut + 6 :]}"
    return f"{first}{received}{comma}{rest}"
