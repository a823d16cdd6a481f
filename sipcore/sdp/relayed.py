"""Session descriptions on their way through a media relay: where their writer receives, and the same with other places.

Only c= and m= lines and the rtcp attribute (RFC 3605) are changed. ICE attributes (RFC 8839) and bundles (RFC 8843) are
left out: their addresses would lead past the relay, and without them both sides use the addresses of the lines. What
else stands in a description is kept as it was written. This file has no sockets, no dialogs and no state.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from .description import SessionDescription
from .media_line import MediaLine
from .sdp_section import Connection

_DATAGRAMS: Final = ("RTP/", "UDP", "DTLS/")
"""How the protocol of a line begins whose media comes in datagrams: RTP/SAVP, UDP/TLS/RTP/SAVPF, udptl, DTLS/SCTP."""
_LEFT_OUT: Final = (
    *("a=candidate:", "a=remote-candidates:", "a=end-of-candidates", "a=ice-", "a=bundle-only", "a=group:BUNDLE"),
)
"""How the lines begin that would lead media past a relay."""


class MediaPlace(NamedTuple):
    """Where the writer of a description receives one of its media lines."""

    address: str
    """IP literal; empty = unknown: "send me nothing" (RFC 3264 section 8.4), a host name, or no c= line."""
    port: int
    """1 to 65535."""
    rtcp_address: str
    """IP literal; empty = `address`."""
    rtcp_port: int
    """0 = unknown."""


def media_places(description: SessionDescription) -> tuple[MediaPlace | None, ...]:
    """Return the place of each media line; None for one that no relay can help.

    These are refused lines (port 0), groups, other networks than IN, and media that comes by TCP.
    """
    return tuple(map(_place, description.media))


def _place(line: MediaLine) -> MediaPlace | None:
    connection = line.effective_connection
    if not line.port or not line.protocol.upper().startswith(_DATAGRAMS):
        return None
    if connection is not None and (connection.nettype != "IN" or connection.suffix or _is_group(connection.address)):
        return None
    address = "" if connection is None or connection.is_unspecified else _literal(connection.address)
    rtcp = _literal(line.rtcp_address) if address else ""
    return MediaPlace(address, line.port, "" if rtcp == address else rtcp, line.rtcp_port)


def _literal(address: str) -> str:
    """Return an IP literal as it is, and an empty text for a host name."""
    return address if ":" in address or address.replace(".", "").isdigit() else ""


def _is_group(address: str) -> bool:
    first = address.partition(".")[0]
    return (address.lower().startswith("ff") and ":" in address) or (first.isdigit() and int(first) >= 224)


def relayed(description: SessionDescription, address: str, ports: Mapping[int, int]) -> bytes:
    """Return a description whose media lines are received by a relay.

    A c= line that means "send me nothing" is kept. A line that is not relayed keeps the address that it had.

    Args:
        address: IP literal of the relay.
        ports: by the number of a media line, from 0: the RTP port of the relay; that of RTCP is the one above it.
    """
    ours = f"c=IN {'IP6' if ':' in address else 'IP4'} {address}"
    shared = description.connection
    lines = list(_addressed(description.lines, shared, ours if ports else ""))
    for number, line in enumerate(description.media):
        port = ports.get(number)
        if port is None:
            lines.append(f"m={line.text}")
            needs = ports and line.port and line.connection is None and shared is not None
            lines += _with_connection(line.lines, f"c={shared}") if needs else line.lines
            continue
        lines.append(f"m={line.media} {port} {line.protocol} {' '.join(line.formats)}")
        own = [_rtcp(each, line.port, port) for each in _addressed(line.lines, line.connection, ours)]
        lines += own if line.effective_connection is not None else _with_connection(own, ours)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def _addressed(lines: tuple[str, ...], connection: Connection | None, ours: str) -> Iterator[str]:
    """Yield the lines of one part with the address of the relay, without those that would lead past it.

    Args:
        connection: the first c= line among them.
        ours: the c= line of the relay; empty = no line of the description is relayed.
    """
    for line in lines:
        if line.startswith("c=") and ours and connection is not None and not connection.is_unspecified:
            yield ours
        elif not ours or not line.startswith(_LEFT_OUT):
            yield line


def _with_connection(lines: tuple[str, ...] | list[str], connection: str) -> list[str]:
    """Return the lines of a media line with a c= line: below i=, above everything else (RFC 8866 section 5)."""
    place = 1 if lines and lines[0].startswith("i=") else 0
    return [*lines[:place], connection, *lines[place:]]


def _rtcp(line: str, before: int, port: int) -> str:
    """Return a line, an rtcp attribute with the port of the relay: that of RTP for who takes both on one port."""
    if not line.startswith("a=rtcp:"):
        return line
    written = line.removeprefix("a=rtcp:").partition(" ")[0]
    return f"a=rtcp:{port if written == str(before) else port + 1}"
