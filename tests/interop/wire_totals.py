"""Totals of a run as tshark counts them on the loopback interface, and their comparison with our own: difference 0.

A program of ours takes an address of its own (`own_host`), by which its packets are known; on ::1, of which there is
one, its ports tell. tshark reads SIP; RTP is UDP at the even ports of our pool. A test that wants the comparison asks
for the fixture `captured`. Where nothing can be captured the test runs without it, and test_totals_of_both_sides.py is
skipped with the reason.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .capture import AGGREGATOR, Recording, cannot_capture
from .node import LoadResult, Metrics, NodeRun, Side
from .processes import network, wait_until

RTP_PORTS = range(20000, 32768)
"""the default of --rtp-ports"""
CHALLENGES = ("401", "407")
NO_CALL = ("420",)
"""final codes with which an INVITE is refused before there is a call (RFC 3261 8.2.2.3)"""
SENT, RECEIVED = "sent", "received"
_INFO = re.compile(r"Request: (\S+)|Status: (\d{3})")
_FIELDS = (
    *("ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "udp.srcport", "tcp.srcport", "udp.dstport", "tcp.dstport"),
    *("icmp.type", "icmpv6.type", "udp.payload", "_ws.col.Info"),
    *("sip.Call-ID", "sip.from.tag", "sip.CSeq.seq", "sip.CSeq.method", "sip.Via.branch", "sip.to.tag"),
)


class End(NamedTuple):
    """Where a packet comes from or goes to."""

    host: str
    port: int


class Message(NamedTuple):
    """One SIP message."""

    source: End
    destination: End
    start: str
    """the method of a request, the code of a response"""
    method: str
    """of CSeq"""
    sequence: str
    call: tuple[str, str]
    """Call-ID and tag of From: SIPp has one Call-ID for both calls of a third party"""
    detail: tuple[str, ...]
    """branch of the topmost Via and tag of To; empty when several messages share a segment of TCP"""

    @property
    def is_request(self) -> bool:
        return not self.start.isdigit()


class Datagram(NamedTuple):
    """One datagram at a media port."""

    source: End
    destination: End
    is_rtcp: bool
    """by its payload type: RFC 5761 section 4"""
    refused: bool
    """it came back in an ICMP error: nothing was bound there"""


def directions_of(side: Side, packet: Message | Datagram) -> list[str]:
    """Whether a program of ours sent or received a packet: neither, or both of what it sends to itself."""

    def is_ours(end: End, other: End) -> bool:
        is_media = end.port in RTP_PORTS
        if end.host != (side.media_host if is_media and side.media_host else side.host):
            return False
        alone = end.host.startswith(f"{network()}.")
        return alone or end.port == side.port or is_media or other.port == side.peer_port != 0

    sent, received = is_ours(packet.source, packet.destination), is_ours(packet.destination, packet.source)
    return [SENT] * sent + [RECEIVED] * received


class Totals(NamedTuple):
    """What went in and out of one program."""

    requests: Counter[tuple[str, str]]
    """by direction and method"""
    responses: Counter[tuple[str, str, str]]
    """by direction, method and code"""
    again: Counter[tuple[str, str]]
    """by direction and method of CSeq: what was sent again; requests and final responses that came again"""
    calls: Mapping[tuple[str, str], str]
    """calls that an INVITE wanted, with the final code of that; empty = none came"""
    rtp: Counter[str]
    """by direction; what reached no socket is left out"""


class Wire:
    """A capture of one test, and what tshark reads in it."""

    def __init__(self, folder: Path) -> None:
        net = network()
        ports = f"portrange 13000-19999 or udp portrange {RTP_PORTS[0]}-{RTP_PORTS[-1]}"
        wanted = f"net {net}.0.0/16 or (ip6 and ({ports} or icmp6))"
        self._recording = Recording(folder, wanted, (f"{net}.254.3", 9), "totals")  # discard
        self._messages: list[Message] = []
        self._datagrams: list[Datagram] = []
        self.program = self._recording.program

    def read(self, sides: tuple[Side, ...]) -> None:
        """End the capture and read it, once."""
        if self.program.exit_code is not None:
            return
        self._recording.stop()
        ports = {port for side in sides for port in (side.port, side.peer_port) if port}
        options = [word for port in ports for kind in ("udp", "tcp") for word in ("-d", f"{kind}.port=={port},sip")]
        for row in self._recording.rows(*_FIELDS, options=options):
            self._take(dict(zip(_FIELDS, row, strict=True)))

    def _take(self, field: Mapping[str, str]) -> None:
        def first(*names: str) -> str:
            return next((field[name].split(AGGREGATOR)[0] for name in names if field[name]), "")

        def last(*names: str) -> str:
            return next((field[name].split(AGGREGATOR)[-1] for name in names if field[name]), "")

        refused = bool(field["icmp.type"] or field["icmpv6.type"])
        pick = last if refused else first  # an error carries the head of the packet that it is about
        source = End(pick("ip.src", "ipv6.src"), int(pick("udp.srcport", "tcp.srcport") or 0))
        destination = End(pick("ip.dst", "ipv6.dst"), int(pick("udp.dstport", "tcp.dstport") or 0))
        if field["sip.Call-ID"] and not refused:
            starts = [request or code for request, code in _INFO.findall(field["_ws.col.Info"])]
            detail = (first("sip.Via.branch"), first("sip.to.tag")) if len(starts) == 1 else ()
            names = ("sip.CSeq.method", "sip.CSeq.seq", "sip.Call-ID", "sip.from.tag")
            values = (field[name].split(AGGREGATOR) for name in names)
            for start, method, number, *call in zip(starts, *values, strict=True):
                self._messages.append(Message(source, destination, start, method, number, (call[0], call[1]), detail))
        elif field["udp.srcport"]:
            payload = bytes.fromhex(first("udp.payload")[:4])
            is_rtcp = len(payload) == 2 and payload[0] >> 6 == 2 and 192 <= payload[1] <= 223
            self._datagrams.append(Datagram(source, destination, is_rtcp, refused))

    def totals(self, side: Side) -> Totals:
        """Count what is one program's."""
        calls: dict[tuple[str, str], str] = {}
        known = set()
        totals = Totals(Counter(), Counter(), Counter(), calls, Counter())
        seen = set()
        for direction, message in ((each, one) for one in self._messages for each in directions_of(side, one)):
            final = message.start >= "200"  # letters too
            if message.is_request:
                totals.requests[direction, message.method] += 1
            else:
                totals.responses[direction, message.method, message.start] += 1
            key = (direction, *message[2:])
            if key in seen and (direction == SENT or final):
                totals.again[direction, message.method] += 1
            seen.add(key)
            call, initial = message.call, not message.detail[1] if message.detail else message.call[0] not in known
            if message.start == "INVITE" and initial:
                calls.setdefault(call, "")
                known.add(call[0])
            elif message.method == "INVITE" and not message.is_request and final and call in calls:
                calls[call] = calls[call] if calls[call] not in ("", *CHALLENGES) else message.start
        for direction, each in ((each, one) for one in self._datagrams for each in directions_of(side, one)):
            port = each.source.port if direction == SENT else each.destination.port
            if port in RTP_PORTS and port % 2 == 0 and not each.is_rtcp:
                totals.rtp[direction] += (-1 if direction == RECEIVED else 0) if each.refused else 1
        return totals


class Comparison:
    """What a test has of the fixture `captured`: captured from its beginning, or nothing where that is not possible."""

    def __init__(self, folder: Path) -> None:
        self.wire = None if cannot_capture() else Wire(folder)

    def read(self, *sides: Side) -> None:
        """End the capture, where several programs of ours are compared; of one that is done by its comparison."""
        if self.wire is not None:
            self.wire.read(sides)

    def equals_metrics(self, node: NodeRun, side: Side, *, without: tuple[str, ...] = ()) -> None:
        """End the capture; wait until /metrics of a program of ours tell the same.

        without: beginnings of names that are left out.
        """
        if self.wire is None:
            return
        self.wire.read((side,))
        wanted = _left(_of_the_wire(self.wire.totals(side)), without)
        found: dict[str, float] = {}

        def same() -> bool:
            found.clear()
            found.update(_left(_of_metrics(node.metrics()), without))
            return found == wanted

        wait_until(same, 10, lambda: f"no difference:\n{difference(found, wanted)}\n{node.program.account()}")

    def equals_summary(self, result: LoadResult, *, without: tuple[str, ...] = ()) -> None:
        """End the capture; summary.json and calls.csv tell the same. without: as above."""
        if self.wire is None:
            return
        self.wire.read((result.side,))
        totals = self.wire.totals(result.side)
        wanted = _left(_of_the_wire(totals), (*without, "request", "response"))
        wanted |= _left(_codes(totals.calls.values()), without)
        found = _left(_of_summary(result.summary) | _codes(row["code"] for row in result.calls), without)
        assert found == wanted, f"{difference(found, wanted)}\n{result.account}"


def _codes(codes: Iterable[str]) -> dict[str, float]:
    return {f"calls by final code {code}": count for code, count in Counter(codes).items() if code}


def _left(figures: Mapping[str, float], without: tuple[str, ...]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value and not name.startswith(without)}


def difference(ours: Mapping[str, float], wire: Mapping[str, float]) -> str:
    """Each figure that is not the same."""
    names = sorted(ours.keys() | wire.keys())
    pairs = [(name, ours.get(name, 0), wire.get(name, 0)) for name in names]
    return "\n".join(f"{name}: ours {left:g}, on the wire {right:g}" for name, left, right in pairs if left != right)


def _of_the_wire(totals: Totals) -> dict[str, float]:
    found: dict[str, float] = {"calls": sum(code not in NO_CALL for code in totals.calls.values())}
    found |= {f"requests {' '.join(key)}": count for key, count in totals.requests.items()}
    found |= {f"responses {' '.join(key)}": count for key, count in totals.responses.items()}
    found |= {f"retransmissions {' '.join(key)}": count for key, count in totals.again.items()}
    return found | {f"RTP {direction}": count for direction, count in totals.rtp.items()}


def _of_metrics(metrics: Metrics) -> dict[str, float]:
    found: Counter[str] = Counter()
    for name, have, value in metrics.samples:
        label = have.get
        match name:
            case "sipswarm_call_attempts_total":
                found["calls"] += int(value)
            case "sipswarm_sip_requests_total":
                found[f"requests {label('direction')} {label('method')}"] += int(value)
            case "sipswarm_sip_responses_total":
                found[f"responses {label('direction')} {label('method')} {label('code')}"] += int(value)
            case "sipswarm_sip_retransmissions_total":
                found[f"retransmissions {label('direction')} {label('method')}"] += int(value)
            case "sipswarm_rtp_packets_total":
                found[f"RTP {label('direction')}"] += int(value)
            case "sipswarm_rtp_packets_discarded_total" if label("reason") != "duplicate":
                # A copy is among the packets received.
                found[f"RTP {RECEIVED}"] += int(value)
    return dict(found)


def _of_summary(summary: Mapping[str, Any]) -> dict[str, float]:
    media, found = summary["media"], {"calls": summary["calls"]["attempted"]}
    found |= {"RTP sent": media["rtp_sent"], "RTP received": media["rtp_received"] + media["rtp_discarded"]}
    for direction, methods in summary["signalling"]["retransmissions"].items():
        found |= {f"retransmissions {direction} {method}": count for method, count in methods.items()}
    return found
