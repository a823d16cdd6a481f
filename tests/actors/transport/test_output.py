"""The way out of a call worker: late names, long requests, what the dispatcher does not take."""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from sipswarm.actors.bus.messages import SendFailed, SendSip
from sipswarm.actors.call_worker.destinations import Destinations
from sipswarm.actors.config import Listener
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.runtime.outbox import Departure
from sipswarm.actors.runtime.peer import Peer
from sipswarm.actors.transport import packet_info
from sipswarm.actors.transport.counters import SipCounters
from sipswarm.actors.transport.listeners import bind_all
from sipswarm.actors.transport.names.dns_records import Answer
from sipswarm.actors.transport.names.pending_names import MOST, MOST_NAMES
from sipswarm.actors.transport.names.resolver import Resolver
from sipswarm.actors.transport.output import BATCH, SipOutput
from sipswarm.actors.transport.tcp_switch import REFUSED_FOR, REMEMBER, LargeRequests
from sipswarm.sipcore.message.hop import Hop

UDP, TCP = Hop("udp", "127.0.0.1", 5060), Hop("tcp", "127.0.0.1", 5070)


def request(method: str = "INVITE", branch: str = "z9hG4bK1", *, long: bool = False, hop: Hop = UDP) -> bytes:
    return (
        f"{method} sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{hop.transport.upper()} {hop.host}:{hop.port};"
        f"branch={branch};rport\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nCall-ID: 1\r\nX: {'x' * 1300 * long}\r\n\r\n"
    ).encode()


class Stage:
    """An output on listeners of UDP and TCP, and what it handed on."""

    def __init__(self) -> None:
        self.sockets, bound = bind_all([Listener("udp", "127.0.0.1", 0), Listener("tcp", "127.0.0.1", 0)])
        self.handed: list[SendSip] = []
        self.lost: list[SendFailed] = []
        totals = Totals()
        self.output = SipOutput(
            bound,
            self.sockets,
            SipCounters(totals),
            totals,
            self.lost.append,
            hand_on=self.take,
            may_send=Destinations((), totals).may_send,
        )
        self.takes = True
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.settimeout(10)
        self.port = self.peer.getsockname()[1]
        self.silent = False
        self.output.late.resolver = Resolver(self.lookup, random=Random(1))

    def send(self, data: bytes, hop: Hop, flow: int) -> None:
        self.output.send(Departure(data, hop, flow, self.output.hops[hop.transport == "tcp"]))

    def take(self, records: Sequence[SendSip]) -> bool:
        if self.takes:
            self.handed += records
        return self.takes

    async def lookup(self, kind: str, name: str) -> Answer:
        while self.silent:
            await asyncio.sleep(0)
        return Answer(("127.0.0.1",) if (kind, name) == ("A", "pbx.test") else (), 60.0)

    def close(self) -> None:
        for each in (*self.sockets, self.peer):
            each.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def test_messages_for_connections_go_together_and_what_is_not_taken_is_told(stage: Stage) -> None:
    for number in range(BATCH + 1):
        stage.send(request(branch=f"z9hG4bK{number}"), Hop("tcp", "127.0.0.1", 9), 7)
    assert not stage.handed
    stage.output.flush()
    assert [record.flow for record in stage.handed] == [7] * (BATCH + 1)
    stage.takes = False
    for data in (request(), request("ACK"), b"SIP/2.0 200 OK\r\n\r\n"):
        stage.send(data, Hop("tcp", "127.0.0.1", 9), 0)
    stage.output.flush()
    assert [failed.data for failed in stage.lost] == [request()]


def test_a_host_that_is_a_name_is_looked_up_beside_the_loop(stage: Stage) -> None:
    async def main() -> None:
        stage.silent = True
        stage.send(request(), Hop("udp", "pbx.test", stage.port), 0)
        stage.send(request("ACK"), Hop("udp", "pbx.test", stage.port), 0)
        stage.send(request(), Hop("tcp", "pbx.test", 9), 3)
        stage.send(request(), Hop("udp", "nobody.test", 9), 0)
        for _ in range(MOST):
            stage.send(request("ACK"), Hop("udp", "nobody.test", 9), 0)
        assert not stage.lost
        stage.send(request("BYE"), Hop("udp", "nobody.test", 9), 0)
        assert [failed.reason for failed in stage.lost] == ["too many messages wait for DNS"]
        await asyncio.sleep(0)
        stage.silent = False
        while len(stage.lost) < 1 + MOST or not stage.handed:
            await asyncio.sleep(0)
        assert all("has no address" in failed.reason for failed in stage.lost[1:])
        assert [failed.data for failed in stage.lost[1:]] == [request(), *[request("ACK")] * (MOST - 1)]
        assert stage.handed == [SendSip(1, 3, "127.0.0.1", 9, "", request())]
        assert [stage.peer.recv(4096) for _ in range(2)] == [request(), request("ACK")]
        stage.silent = True
        for number in range(MOST_NAMES + 1):
            stage.send(request(), Hop("udp", f"{number}.test", 9), 0)
        assert [failed.reason for failed in stage.lost[1 + MOST :]] == ["too many names wait for DNS"]
        stage.output.late.close()
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_long_request_changes_over_and_back(stage: Stage) -> None:
    local = stage.output.hops
    long = request(long=True, hop=local[0])
    stage.send(long, Hop("udp", "127.0.0.1", stage.port), 0)
    stage.send(long, Hop("udp", "127.0.0.1", stage.port), 0)
    stage.output.flush()
    (handed,) = stage.handed
    assert handed.data == request(long=True, hop=local[1])
    assert handed.listener == 1
    failed = SendFailed(1, "127.0.0.1", stage.port, handed.data, "connecting failed: refused", "unreachable")
    assert not stage.output.fall_back(failed._replace(loss="transport"))
    assert stage.output.fall_back(failed)
    assert not stage.output.fall_back(failed)
    assert stage.peer.recv(4096) == long
    stage.send(long, Hop("udp", "127.0.0.1", stage.port), 0)
    assert stage.peer.recv(4096) == long


def test_what_belongs_to_a_long_request_goes_its_way_for_as_long_as_it_lives() -> None:
    now = [0.0]
    large = LargeRequests([UDP, TCP], now=lambda: now[0])
    assert large.switch(0, request(), "h", 1) is None
    assert large.switch(1, request(long=True, hop=TCP), "h", 1) is None
    assert large.switch(0, b"SIP/2.0 200 OK\r\nVia: x" + b"x" * 1300, "h", 1) is None
    assert large.switch(0, request(long=True, hop=Hop("udp", "127.0.0.2", 5060)), "h", 1) is None
    assert large.switch(0, request(long=True), "h", 1) == (1, request(long=True, hop=TCP))
    assert large.switch(0, request(long=True), "h", 1) == (1, b"")
    assert large.switch(0, request("CANCEL"), "h", 1) == (1, request("CANCEL", hop=TCP))
    assert large.switch(0, request("ACK"), "h", 1) == (1, request("ACK", hop=TCP))
    now[0] += REMEMBER + 1
    assert large.switch(0, request(branch="z9hG4bK2", long=True), "h", 1) is not None
    assert set(large.switched) == {b"z9hG4bK2"}
    assert large.restore(request(branch="z9hG4bK2", long=True, hop=TCP), "h", 1) is not None
    assert large.switch(0, request(branch="z9hG4bK3", long=True), "h", 1) is None
    assert large.switch(0, request(branch="z9hG4bK3", long=True), "other", 1) is not None
    now[0] += REFUSED_FOR + 1
    assert large.switch(0, request(branch="z9hG4bK4", long=True), "h", 1) is not None
    assert LargeRequests([UDP]).switch(0, request(long=True), "h", 1) is None


def test_a_message_that_is_sent_as_it_is_does_not_change_over(stage: Stage) -> None:
    data = request(long=True)
    stage.output.send_as_is(0, data, Hop("udp", "127.0.0.1", stage.port))
    assert stage.peer.recv(65536) == data
    stage.output.send_as_is(1, data, Hop("tcp", "127.0.0.1", 5070))
    stage.output.send_as_is(1, data, Hop("tcp", "127.0.0.1", 5070), 7, "127.0.0.1")
    stage.output.flush()
    assert [(each.data, each.flow) for each in stage.handed] == [(data, 0), (data, 7)]


def test_a_message_that_is_too_long_for_any_datagram_is_lost_and_told(stage: Stage) -> None:
    stage.output.send_as_is(0, request() + b"x" * 70_000, Hop("udp", "127.0.0.1", stage.port))
    assert [each.loss for each in stage.lost] == ["too_long"]


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL])
def test_while_the_network_is_away_only_what_ends_a_call_is_left_to_its_repetitions(
    stage: Stage, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    hop = Hop("udp", "127.0.0.1", stage.port)
    monkeypatch.setattr(packet_info, "send", away)
    for method in ("INVITE", "BYE", "INFO", "CANCEL", "ACK"):
        stage.send(request(method), hop, 0)
    assert [each.data.split()[0] for each in stage.lost] == [b"INVITE", b"INFO", b"ACK"]
    monkeypatch.undo()
    stage.send(request("BYE"), hop, 0)
    assert stage.peer.recv(65536) == request("BYE")


def test_a_bye_that_no_network_takes_is_lost_and_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise OSError(errno.EACCES, "a broadcast address")

    monkeypatch.setattr(packet_info, "send", refused)
    stage.send(request("BYE"), Hop("udp", "127.0.0.1", stage.port), 0)
    assert [each.loss for each in stage.lost] == ["no_way"]


def test_a_hop_keeps_the_name_it_was_found_by(stage: Stage) -> None:
    stage.output.hops[1] = Hop("tls", "127.0.0.1", 5061)
    stage.output.name(Hop("tls", "192.0.2.1", 5061), "pbx.test")
    stage.output.send_from(1, request(), "192.0.2.1", 5061)
    stage.output.flush()
    assert [record.name for record in stage.handed] == ["pbx.test"]
    for number in range(5000):
        stage.output.name(Hop("tls", "192.0.2.1", number), "pbx.test")
    assert len(stage.output._names) <= 4096


# ---- hops that peers name


def test_a_request_to_a_network_that_is_not_sent_to_is_lost_and_a_response_is_not(stage: Stage) -> None:
    home, far = Peer(("127.0.0.1",), ("127.0.0.1",)), Peer(("192.0.2.1",), ("192.0.2.1",))
    here = Hop("udp", "127.0.0.1", stage.port)
    response = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nCSeq: 1 BYE\r\nCall-ID: 1\r\n\r\n"
    for data, peer in ((request("BYE"), far), (request("BYE"), home), (request("ACK"), None), (response, far)):
        stage.output.send(Departure(data, here, 0, stage.output.hops[0], peer))
    stage.output.send(Departure(request("BYE"), Hop("tcp", "127.0.0.1", 9), 0, stage.output.hops[1], far))
    stage.output.flush()
    assert [stage.peer.recv(4096) for _ in range(3)] == [request("BYE"), request("ACK"), response]
    assert [(failed.loss, failed.host) for failed in stage.lost] == [("forbidden", "127.0.0.1")] * 2
    assert not stage.handed


def test_the_addresses_of_a_name_are_judged_too(stage: Stage) -> None:
    """pbx.test is 127.0.0.1, which a peer on loopback alone may name, or the user."""

    async def main() -> None:
        name = Hop("udp", "pbx.test", stage.port)
        peers = (Peer(("192.0.2.1",)), Peer(("127.0.0.1",)), Peer(("192.0.2.1",), ("pbx.test",)), None)
        for number, peer in enumerate(peers):
            data = request("BYE", f"z9hG4bK{number}")
            stage.output.send(Departure(data, name, 0, stage.output.hops[0], peer))
        while not stage.lost:
            await asyncio.sleep(0)
        assert [stage.peer.recv(4096) for _ in range(3)] == [request("BYE", f"z9hG4bK{n}") for n in (1, 2, 3)]
        assert [(failed.loss, failed.host) for failed in stage.lost] == [("forbidden", "pbx.test")]

    asyncio.run(main())


def test_of_several_addresses_of_a_name_one_that_may_be_sent_to_is_taken(stage: Stage) -> None:
    async def lookup(kind: str, name: str) -> Answer:
        return Answer(("169.254.169.254", "127.0.0.1") if kind == "A" else (), 60.0)

    async def main() -> None:
        stage.output.late.resolver = Resolver(lookup, random=Random(1))
        peer = Peer(("127.0.0.1",), ("127.0.0.1",))
        hop = Hop("udp", "two.test", stage.port)
        stage.output.send(Departure(request("BYE"), hop, 0, stage.output.hops[0], peer))
        while stage.output.late.waiting:
            await asyncio.sleep(0)
        assert stage.peer.recv(4096) == request("BYE")

    asyncio.run(main())


def test_a_long_request_stays_with_udp_where_its_hop_is_reached_by_that_alone() -> None:
    now = [0.0]
    large = LargeRequests([UDP, TCP], now=lambda: now[0])
    long, hop = request(long=True), Hop("udp", "192.0.2.9", 40000)
    large.stay(request(), hop)
    assert large.switch(0, request(branch="z9hG4bK2", long=True), hop.host, hop.port) is not None
    large.stay(long, hop)
    assert large.switch(0, long, hop.host, hop.port) is None
    assert large.switch(0, long, hop.host, 40001) is not None
    now[0] = REFUSED_FOR + 1.0
    assert large.switch(0, request(branch="z9hG4bK3", long=True), hop.host, hop.port) is not None
