"""The calls whose media a proxy relays: what their messages name, when ports come and go, and the bounds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sipswarm.actors.counting.totals import Cell
from sipswarm.actors.handle.media_lease import MediaLeases
from sipswarm.actors.robots.relayed_calls import MOST_WAITING, Passing, RelayedCalls
from sipswarm.actors.runtime.outbox import Outbox
from sipswarm.actors.runtime.peer import Peer
from sipswarm.media.context import unguarded
from sipswarm.media.messages import (
    CloseStream,
    OpenStream,
    RelayStream,
    StreamClosed,
    StreamOpened,
    StreamRefused,
    StreamSilent,
)
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.server.proxy import Forward

ALICE, BOB = "10.0.0.5", "192.0.2.20"
TOWARD_ALICE, TOWARD_BOB = ("203.0.113.1", "10.0.0.1"), ("192.0.2.1", "192.0.2.1")
TAGS = {"alice": "a", "bob": "b", "carol": "c"}
SDP = "application/sdp"


def sdp(host: str, *ports: int) -> bytes:
    """A description with an audio line for each port; none = without any line."""
    media = "".join(f"m=audio {port} RTP/AVP 0\r\n" for port in ports)
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{media}".encode()


def request(
    method: str, sender: str, to: str = "bob", cseq: int = 1, body: bytes = b"", kind: str = SDP, within: bool = True
) -> Request:
    """A request between two parties; `within` = in their dialog."""
    to_tag = f";tag={TAGS[to]}" if within else ""
    pairs = [
        ("Via", f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{sender}{method}{cseq}"),
        ("From", f"<sip:{sender}@example.org>;tag={TAGS[sender]}"),
        ("To", f"<sip:{to}@example.org>{to_tag}"),
        ("Call-ID", "one"),
        ("CSeq", f"{cseq} {method}"),
    ]
    return Request.build(method, f"sip:{to}@example.org", [*pairs, ("Content-Type", kind)] if body else pairs, body)


def invite(body: bytes = b"", cseq: int = 1, sender: str = "alice", to: str = "bob") -> Request:
    return request("INVITE", sender, to, cseq, body, within=False)


def response(to: Request, status: int, body: bytes = b"", tag: str = "b") -> Response:
    return Response.to_request(to, status, to_tag=tag, body=body, content_type=SDP if body else None)


class Desk:
    """The calls of one proxy, whose media worker is this class: alice is on one side of it, all others on the other."""

    def __init__(self, may_send: Callable[[str, Peer, str], bool] | None = None) -> None:
        self.outbox = Outbox[Any](1)
        leases = MediaLeases(
            self.outbox,
            0,
            flush_soon=lambda: None,
            at_listener=lambda listener: TOWARD_BOB,
            at_address=lambda address: address,
            shares_process=False,
        )
        self.ends: list[str] = []
        self.sent: list[Request | Response] = []
        self.refused: list[Request] = []
        self.dropped = 0
        self.opened: dict[int, OpenStream] = {}
        self.relays: dict[int, list[RelayStream]] = {}
        self.closed: list[int] = []
        self._taken = 0
        self.calls = RelayedCalls(
            leases.lease_at,
            most=2,
            limit=300.0,
            may_send=may_send,
            attempt=unguarded,
            count=self.ends.append,
            active=Cell(),
            dropped=self._drop,
            flush_soon=lambda: None,
        )

    def _drop(self) -> None:
        self.dropped += 1

    async def serve(self, refusal: str = "") -> None:
        """Do what the media worker was asked for."""
        commands = self.outbox.media[0]
        while self._taken < len(commands):
            command = commands[self._taken]
            self._taken += 1
            number = command.stream_id
            if isinstance(command, OpenStream):
                self.opened[number] = command
                port = 20000 + 2 * number
                address = command.local_address
                event = (
                    StreamRefused(number, refusal) if refusal else StreamOpened(number, address, port, port + 1, port)
                )
                self.outbox.streams[number].media_event(event, 0.0)
                await asyncio.sleep(0)
            elif isinstance(command, RelayStream):
                self.relays.setdefault(number, []).append(command)
            elif isinstance(command, CloseStream):
                self.closed.append(number)
                owner = self.outbox.streams.get(number)
                if owner is not None:
                    owner.media_event(StreamClosed(number, "closed", ()), 0.0)
        await asyncio.sleep(0)

    async def take(self, message: Request | Response, refusal: str = "") -> None:
        """Pass a message on, with its ports opened."""
        self.put(message)
        await self.serve(refusal)
        await self.serve()

    def put(self, message: Request | Response) -> None:
        """Pass a message on; the media worker does nothing yet."""
        alice_asks = message.from_tag == TAGS["alice"]
        from_alice = alice_asks is isinstance(message, Request)
        here, there = (TOWARD_ALICE, TOWARD_BOB) if from_alice else (TOWARD_BOB, TOWARD_ALICE)
        onward = Forward(message.to_bytes(), Hop("udp", "198.51.100.9", 5060), "", False)
        source = "198.51.100.5" if from_alice else BOB

        def refuse() -> None:
            assert isinstance(message, Request)
            self.refused.append(message)

        def send(forward: Forward) -> None:
            self.sent.append(parse(forward.data))

        self.calls.take(Passing(message, onward, source, here, there, send, refuse))

    def named(self, number: int = -1) -> list[tuple[str, int]]:
        """The places that a sent message names."""
        lines = SessionDescription.parse(self.sent[number].description).media
        return [(line.address, line.port) for line in lines]

    async def established(self) -> None:
        """A call of alice to bob, of one line: stream 1 toward alice, 2 toward bob."""
        first = invite(sdp(ALICE, 4000))
        await self.take(first)
        await self.take(response(first, 200, sdp(BOB, 6000)))


def run(scene: Callable[[Desk], Awaitable[None]], **more: Any) -> None:
    async def main() -> None:
        await scene(Desk(**more))

    asyncio.run(main())


def test_offer_and_answer_name_the_ports_of_the_relay_and_the_relay_knows_both_sides() -> None:
    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000, 4002))
        await desk.take(first)
        assert [(each.stream_id, each.local_address) for each in desk.opened.values()] == [
            *((1, "10.0.0.1"), (2, "192.0.2.1"), (3, "10.0.0.1"), (4, "192.0.2.1")),
        ]
        assert desk.named() == [("192.0.2.1", 20004), ("192.0.2.1", 20008)]
        for status in (183, 200):
            await desk.take(response(first, status, sdp(BOB, 6000, 0)))
            assert desk.named() == [("203.0.113.1", 20002), ("203.0.113.1", 0)]
        await desk.take(request("ACK", "alice"))
        assert [each.start_line.split()[0] for each in desk.sent] == ["INVITE", "SIP/2.0", "SIP/2.0", "ACK"]
        assert {number: [tuple(each) for each in given] for number, given in desk.relays.items()} == {
            1: [(1, 2, ALICE, 4000, "", 4001, "198.51.100.5", 300.0)],
            3: [(3, 4, ALICE, 4002, "", 4003, "198.51.100.5", 300.0)],
            2: [(2, 1, BOB, 6000, "", 6001, BOB, 300.0)],
        }

    run(scene)


def test_an_offer_in_the_answer_and_one_in_a_reliable_provisional_response() -> None:
    async def scene(desk: Desk) -> None:
        first = invite()
        await desk.take(first)
        assert (len(desk.opened), len(desk.calls)) == (0, 0)
        await desk.take(response(first, 183, sdp(BOB, 6000)))
        assert desk.named() == [("203.0.113.1", 20002)]
        acknowledged = request("PRACK", "alice", cseq=2, body=sdp(ALICE, 4000))
        await desk.take(acknowledged)
        assert desk.named() == [("192.0.2.1", 20004)]
        assert [desk.relays[number][0].remote_port for number in (1, 2)] == [4000, 6000]
        changed = request("UPDATE", "bob", "alice", 7, sdp(BOB, 6100))
        await desk.take(changed)
        assert desk.named() == [("203.0.113.1", 20002)]
        await desk.take(response(changed, 200, sdp(ALICE, 4000)))
        assert [each.remote_port for each in desk.relays[2]] == [6000, 6100]

    run(scene)


def test_messages_of_a_call_wait_for_its_ports_in_order_and_bounded() -> None:
    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000))
        desk.put(first)
        desk.put(request("CANCEL", "alice", within=False))
        for _ in range(MOST_WAITING):
            desk.put(first)
        assert (desk.sent, desk.dropped) == ([], 2)
        await desk.serve()
        methods = [each.method for each in desk.sent if isinstance(each, Request)]
        assert methods == ["INVITE", "CANCEL", *["INVITE"] * (MOST_WAITING - 2)]
        assert len({each.body for each in desk.sent if each.body}) == 1
        assert len(desk.opened) == 2

    run(scene)


def test_the_offer_of_a_change_counts_with_its_answer_and_not_when_it_is_refused() -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        for cseq, status, ports in ((2, 488, [4000]), (3, 491, [4000]), (4, 200, [4000, 4100])):
            changed = request("INVITE", "alice", cseq=cseq, body=sdp(ALICE, 4100))
            await desk.take(changed)
            assert desk.named() == [("192.0.2.1", 20004)]
            assert [each.remote_port for each in desk.relays[1]] == [4000]
            await desk.take(response(changed, status, sdp(BOB, 6000) if status == 200 else b""))
            assert [each.remote_port for each in desk.relays[1]] == ports
        assert (desk.ends, desk.closed) == ([], [])

    run(scene)


def test_a_hold_leaves_the_relay_as_it_is() -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        held = request("INVITE", "bob", "alice", 5, sdp("0.0.0.0", 6000))
        await desk.take(held)
        assert desk.named() == [("0.0.0.0", 20002)]
        await desk.take(response(held, 200, sdp(ALICE, 4000)))
        assert [len(desk.relays[number]) for number in (1, 2)] == [1, 1]

    run(scene)


def test_a_line_that_is_added_gets_ports_and_the_others_keep_theirs() -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        more = request("INVITE", "bob", "alice", 5, sdp(BOB, 6000, 6002))
        await desk.take(more)
        assert desk.named() == [("203.0.113.1", 20002), ("203.0.113.1", 20006)]
        await desk.take(response(more, 200, sdp(ALICE, 4000, 4002), "a"))
        assert desk.named() == [("192.0.2.1", 20004), ("192.0.2.1", 20008)]

    run(scene)


@pytest.mark.parametrize("sender", ["alice", "bob"])
def test_the_answer_to_bye_ends_a_call_and_a_challenge_does_not(sender: str) -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        to = "bob" if sender == "alice" else "alice"
        goodbye = request("BYE", sender, to, 8)
        await desk.take(goodbye)
        await desk.take(response(goodbye, 407))
        assert (desk.closed, len(desk.calls)) == ([], 1)
        await desk.take(response(goodbye, 200))
        assert (desk.closed, desk.ends, len(desk.calls)) == ([1, 2], ["bye"], 0)
        assert not desk.outbox.streams
        assert isinstance(desk.sent[-1], Response)

    run(scene)


def test_of_a_forked_call_that_two_answered_the_last_bye_ends_the_relay() -> None:
    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000))
        await desk.take(first)
        for tag, port in (("b", 6000), ("c", 6200)):
            await desk.take(response(first, 200, sdp(BOB, port), tag))
        assert [each.remote_port for each in desk.relays[2]] == [6000, 6200]
        for number, to in enumerate(("bob", "carol")):
            assert len(desk.calls) == 1
            goodbye = request("BYE", "alice", to, 5 + number)
            await desk.take(goodbye)
            await desk.take(response(goodbye, 200))
        assert desk.ends == ["bye"]

    run(scene)


@pytest.mark.parametrize("status", [302, 407, 486, 487, 503, 603])
def test_a_refused_invite_ends_the_relay_and_the_next_one_begins_another(status: int) -> None:
    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000))
        await desk.take(first)
        await desk.take(response(first, status))
        assert (desk.ends, desk.closed) == (["failed"], [1, 2])
        await desk.take(invite(sdp(ALICE, 4000), cseq=2))
        assert desk.named() == [("192.0.2.1", 20008)]

    run(scene)


def test_a_late_refusal_of_an_older_invite_ends_nothing() -> None:
    async def scene(desk: Desk) -> None:
        first, second = invite(sdp(ALICE, 4000)), invite(sdp(ALICE, 4000), cseq=2)
        await desk.take(first)
        await desk.take(second)
        await desk.take(response(first, 407))
        assert (desk.ends, len(desk.calls)) == ([], 1)

    run(scene)


def test_without_ports_a_request_is_refused_and_an_answer_goes_on() -> None:
    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000))
        await desk.take(first, refusal="no_port")
        assert (desk.refused, desk.sent, desk.ends, len(desk.calls)) == ([first], [], ["refused"], 0)
        empty = invite(cseq=2)
        await desk.take(empty)
        await desk.take(response(empty, 200, sdp(BOB, 6000)), refusal="no_port")
        assert desk.named() == [(BOB, 6000)]
        assert (len(desk.refused), len(desk.calls)) == (1, 0)

    run(scene)


def test_calls_beyond_the_bound_are_refused() -> None:
    async def scene(desk: Desk) -> None:
        for number, tag in enumerate("xyz"):
            TAGS[tag] = tag
            await desk.take(invite(sdp(ALICE, 4000 + 2 * number), sender=tag))
        assert (len(desk.calls), len(desk.sent), len(desk.refused)) == (2, 2, 1)
        assert desk.ends == ["refused"]

    run(scene)


def test_a_silent_line_is_released_and_the_next_offer_opens_another() -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        desk.outbox.streams[2].media_event(StreamSilent(2, "limit", 300.0), 0.0)
        await desk.serve()
        assert (desk.closed, desk.ends, len(desk.calls)) == ([1, 2], ["silent"], 0)
        resumed = request("INVITE", "bob", "alice", 5, sdp(BOB, 6000))
        await desk.take(resumed)
        await desk.take(response(resumed, 200, sdp(ALICE, 4000), "a"))
        assert [desk.named(number) for number in (-2, -1)] == [[("203.0.113.1", 20008)], [("192.0.2.1", 20006)]]
        goodbye = request("BYE", "alice", cseq=9)
        await desk.take(goodbye)
        await desk.take(response(goodbye, 200))
        assert (desk.ends, len(desk.calls)) == (["silent", "bye"], 0)

    run(scene)


def test_lost_ports_end_their_call() -> None:
    async def scene(desk: Desk) -> None:
        await desk.established()
        for owner in list(desk.outbox.streams.values()):
            owner.media_lost(0, "media_worker_lost", 0.0)
        assert (desk.ends, len(desk.calls)) == (["lost"], 0)

    run(scene)


def test_a_place_that_must_not_be_sent_to_or_of_the_other_ip_version_is_not_named_to_the_media_worker() -> None:
    asked: list[tuple[str, Peer, str]] = []

    def may_send(host: str, peer: Peer, what: str) -> bool:
        asked.append((host, peer, what))
        return host != ALICE

    async def scene(desk: Desk) -> None:
        first = invite(sdp(ALICE, 4000))
        await desk.take(first)
        await desk.take(response(first, 200, sdp("2001:db8::7", 6000).replace(b"IP4", b"IP6")))
        assert [desk.relays[number][0].remote_address for number in (1, 2)] == ["", ""]
        assert [desk.relays[number][0].latch_address for number in (1, 2)] == ["198.51.100.5", BOB]
        assert asked == [(ALICE, Peer(("198.51.100.5",)), "media")]

    run(scene, may_send=may_send)


def test_a_description_that_was_here_before_is_left_alone() -> None:
    async def scene(desk: Desk) -> None:
        await desk.take(invite(sdp(ALICE, 4000)))
        again = desk.sent[-1]
        await desk.take(again)
        assert desk.sent[-1].body == again.body
        assert len(desk.opened) == 2

    run(scene)


@pytest.mark.parametrize(
    "message",
    [
        request("OPTIONS", "alice", body=sdp(ALICE, 4000), within=False),
        response(request("OPTIONS", "alice", within=False), 200, sdp(BOB, 6000)),
        response(invite(), 488, sdp(BOB, 6000)),
        request("MESSAGE", "alice", body=b"hello", kind="text/plain"),
        invite(b"v=1\r\n"),
        invite(sdp(ALICE, 0)),
        invite(),
    ],
    ids=lambda message: message.start_line,
)
def test_what_is_no_offer_and_no_answer_goes_on_as_it_came(message: Request | Response) -> None:
    async def scene(desk: Desk) -> None:
        await desk.take(message)
        assert [each.to_bytes() for each in desk.sent] == [message.to_bytes()]
        assert (len(desk.opened), len(desk.calls)) == (0, 0)

    run(scene)


def test_a_description_among_other_parts_is_rewritten_too() -> None:
    async def scene(desk: Desk) -> None:
        body = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + sdp(ALICE, 4000)
        body += b"\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
        await desk.take(request("INVITE", "alice", body=body, kind="multipart/mixed;boundary=x", within=False))
        assert desk.named() == [("192.0.2.1", 20004)]
        assert b"hello" in desk.sent[0].body

    run(scene)
