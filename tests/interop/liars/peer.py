"""A SIP UAS that answers calls as a `Lie` says; plain asyncio and octets, shares no code with the product.

It runs in a thread of its own, at one port, and carries any number of calls. Requests are told apart by method and
branch (RFC 3261 section 17.2.3), what comes again is answered again, a 2xx is repeated until its ACK (13.3.1.4).
"""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple, Self, cast

from .lies import OK, Description, Lie, Reply
from .rtp import FRAME, G729, PCMA, PCMU, Agreed, Stream

T1: Final = 0.5
T2: Final = 4.0
GIVES_UP: Final = 64 * T1
_COMPACT: Final = {
    b"v": b"via",
    b"f": b"from",
    b"t": b"to",
    b"i": b"call-id",
    b"m": b"contact",
    b"l": b"content-length",
}
Send = Callable[[bytes], None]


class Message(NamedTuple):
    """A request or response in parts."""

    start: list[bytes]
    """the three words of the first line"""
    fields: list[tuple[bytes, bytes]]
    body: bytes

    @classmethod
    def parse(cls, octets: bytes) -> "Message":
        """Read a message.

        Raises:
            ValueError: it is none.
        """
        head, _, body = octets.partition(b"\r\n\r\n")
        first, *lines = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")
        start = first.split(b" ", 2)
        if len(start) != 3 or b"SIP/2.0" not in (start[0], start[2]):
            raise ValueError(first)
        fields = []
        for line in lines:
            name, _, value = line.partition(b":")
            name = name.strip().lower()
            fields.append((_COMPACT.get(name, name), value.strip()))
        return cls(start, fields, body)

    def all(self, name: bytes) -> list[bytes]:
        """The values of a header."""
        return [value for each, value in self.fields if each == name]

    def one(self, name: bytes) -> bytes:
        """The first value of a header; empty when it is missing."""
        return next(iter(self.all(name)), b"")

    @property
    def method(self) -> bytes:
        """Of the request, or of the one that a response is to."""
        return self.one(b"cseq").partition(b" ")[2].strip()

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Method and branch: the same for what comes again."""
        return self.method, _parameter(self.one(b"via").partition(b",")[0], b"branch")


def _parameter(value: bytes, name: bytes) -> bytes:
    for each in value.split(b";")[1:]:
        key, _, found = each.strip().partition(b"=")
        if key.strip().lower() == name:
            return found.strip()
    return b""


def _in_brackets(value: bytes) -> bytes:
    return value.partition(b"<")[2].partition(b">")[0] if b"<" in value else value.partition(b";")[0]


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Offer(NamedTuple):
    host: str
    port: int
    formats: list[int]
    maps: dict[int, str]

    @classmethod
    def parse(cls, body: bytes) -> "_Offer | None":
        host, port, formats, maps = "", 0, list[int](), dict[int, str]()
        for line in body.decode("latin-1").splitlines():
            kind, _, value = line.partition("=")
            if kind == "c":
                host = value.split()[2].partition("/")[0]
            elif kind == "m" and not port and value.startswith("audio"):
                words = value.split()
                port, formats = int(words[1]), [int(each) for each in words[3:] if each.isdigit()]
            elif kind == "a" and value.startswith("rtpmap:"):
                number, _, name = value[7:].partition(" ")
                maps[int(number)] = name
        return cls(host, port, formats, maps) if port else None

    @property
    def events_type(self) -> int:
        """Of telephone-event; -1 = not offered."""
        return next((each for each in self.formats if self.maps.get(each, "").startswith("telephone-event")), -1)

    @property
    def codec(self) -> int:
        """The first one that the peer speaks, else the first one."""
        codecs = [each for each in self.formats if each != self.events_type]
        return next((each for each in codecs if each in (PCMU, PCMA)), codecs[0] if codecs else PCMU)


class _Call:
    """One INVITE and what follows from it."""

    def __init__(self, peer: "Peer", invite: Message, send: Send) -> None:
        self._peer, self._lie, self._loop = peer, peer.lie, peer.loop
        self.invite, self.send = invite, send
        self.offer = _Offer.parse(invite.body)
        self.last: list[bytes] = []
        """the responses to the INVITE, by status the last: what an INVITE that comes again is answered"""
        self._mark = os.urandom(5).hex()
        self._stream: Stream | None = None
        self._acked: set[bytes] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._requests: dict[bytes, asyncio.TimerHandle] = {}
        """own requests without a final response, by branch"""
        self._cseq = 0
        self._version = 1
        self._sends = True
        """by the newest offer; after a hold from its answer on, because until then the caller takes nothing"""
        self._up = self.over = False
        self.final = False

    # ---- the caller's requests

    def invited(self) -> None:
        if self._lie.media.before_answer and self._lie.description is not None:
            self._description(self._lie.description)
            assert self._stream is not None
            self._stream.start(self._loop.time())
        for reply in self._lie.replies:
            self._later(reply.after, self._reply, reply)

    def _reply(self, reply: Reply) -> None:
        if (self.final and reply.status < 200) or (self.over and not self._lie.never_stops):
            return
        if reply.raw is not None:
            self.send(reply.raw)
            return
        octets = self._response(self.invite, reply)
        self.final = self.final or reply.status >= 200
        if reply.status >= 300 and self._lie.media.before_answer and self._stream is not None:
            self._stream.rest()
        self.last = [octets]
        self.send(octets)
        if reply.status < 200:
            return
        tag = self._tag(reply.tag)
        if reply.status < 300:
            self._peer.begun.add((self.invite.one(b"call-id"), tag))
        if self._lie.never_stops:
            self._later(0.5, self._repeat, octets, tag, 0.5, float("inf"))
        elif reply.status < 300 or self._lie.transport == "udp":
            self._later(T1, self._repeat, octets, tag, T1, self._loop.time() + GIVES_UP)

    def _repeat(self, octets: bytes, tag: bytes, interval: float, until: float) -> None:
        """RFC 3261 sections 13.3.1.4 and 17.2.1."""
        for_ever = until == float("inf")
        heard = tag in self._acked and not (self._lie.deaf_to_ack and not self.over)
        if self._loop.time() > until or (heard and not for_ever):
            return
        self.send(octets)
        self._peer.repeated += 1
        following = interval if for_ever else min(2 * interval, T2)
        self._later(following, self._repeat, octets, tag, following, until)

    def acknowledged(self, ack: Message) -> None:
        self._acked.add(_parameter(ack.one(b"to"), b"tag"))
        self._peer.acked.add((ack.one(b"call-id"), _parameter(ack.one(b"to"), b"tag")))
        if self._stream is None or self._up or self.over:
            return
        self._up = True
        self._stream.start(self._loop.time())
        if self._lie.hangs_up >= 0:
            self._later(self._lie.hangs_up, self._hang_up)
        for after, direction in self._lie.reinvites:
            self._later(after, self._reinvite, direction)

    def cancelled(self, cancel: Message) -> bytes:
        """What answers a CANCEL; empty = nothing."""
        how = self._lie.cancel
        if how == "ignored":
            return b""
        answer = self._response(cancel, Reply(reason=b"OK"))
        if how == "answered":
            self._loop.call_soon(self._reply, OK)
        elif not self.final:
            self._loop.call_soon(self._reply, Reply(status=487, reason=b"Request Terminated"))
        return answer

    def bye(self, bye: Message, answer: Callable[[bytes], None]) -> None:
        """A BYE: answered by the table."""
        self._peer.ended.add((bye.one(b"call-id"), _parameter(bye.one(b"to"), b"tag")))
        if self._lie.bye_crosses and not self.over:
            self._hang_up()
        own = {each for each in self._peer.begun if each[0] == bye.one(b"call-id")}
        if own <= self._peer.ended:  # of a forked call one dialog may live on
            self._end()
        if self._lie.bye:
            octets = self._response(bye, Reply(status=self._lie.bye))
            if self._lie.bye_after:
                self._later(self._lie.bye_after, answer, octets)
            else:
                answer(octets)

    def other(self, request: Message) -> bytes:
        """The response to any other request; a re-INVITE gets the description that holds."""
        if request.method == b"INVITE":
            return self._response(request, OK)
        return self._response(request, Reply(reason=b"OK"))

    # ---- its own requests

    def _hang_up(self) -> None:
        self._end()
        self._peer.ended.add((self.invite.one(b"call-id"), self._tag(self._lie.replies[0].tag)))
        self._request(b"BYE", b"")

    def _reinvite(self, direction: str) -> None:
        if not self.over and self._stream is not None:
            self._version += 1
            self._sends = direction in ("sendrecv", "sendonly")
            self._stream.held = self._stream.held or not self._sends
            removed = direction == "removed"
            how = Description(port=0) if removed else Description(direction=direction)
            self._request(b"INVITE", self._description(how))

    def _request(self, method: bytes, body: bytes) -> None:
        self._cseq += 1
        branch = b"z9hG4bK" + os.urandom(8).hex().encode()
        octets = self._octets(method, branch, body)
        self._send_request(octets, branch, T1, self._loop.time() + GIVES_UP)

    def _octets(self, method: bytes, branch: bytes, body: bytes, cseq: int = 0) -> bytes:
        peer, invite = self._peer, self.invite
        to = invite.one(b"to")
        if not _parameter(to, b"tag"):
            tag = self._tag(self._lie.replies[0].tag)
            to += b";tag=" + tag if tag else b""
        lines = [
            method + b" " + _in_brackets(invite.one(b"contact")) + b" SIP/2.0",
            f"Via: SIP/2.0/{self._lie.transport.upper()} {peer.address};branch=".encode() + branch,
            b"Max-Forwards: 70",
            b"From: " + to,
            b"To: " + invite.one(b"from"),
            b"Call-ID: " + invite.one(b"call-id"),
            b"CSeq: %d %s" % (cseq or self._cseq, method),
            f"Contact: <{peer.uri}>".encode(),
        ]
        if body:
            lines.append(b"Content-Type: application/sdp")
        lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _send_request(self, octets: bytes, branch: bytes, interval: float, until: float) -> None:
        self.send(octets)
        following = min(2 * interval, T2)
        if self._loop.time() < until and self._lie.transport == "udp":
            self._requests[branch] = self._later(interval, self._send_request, octets, branch, following, until)

    def responded(self, response: Message) -> None:
        """A response to a request of the peer's own."""
        status = int(response.start[1])
        branch = response.key[1]
        waiting = self._requests.pop(branch, None)
        if waiting is not None:
            waiting.cancel()
        if status >= 200:
            self._peer.statuses[response.method.decode(), status] += 1
        if response.method == b"INVITE" and 200 <= status < 300 and self._stream is not None:
            self._stream.held = not self._sends
        if response.method == b"INVITE" and status >= 200:
            cseq = int(response.one(b"cseq").split()[0])
            own = branch if status >= 300 else b"z9hG4bK" + os.urandom(8).hex().encode()
            self.send(self._octets(b"ACK", own, b"", cseq))

    # ---- parts of messages

    def _tag(self, word: str) -> bytes:
        return f"{self._mark}-{word}".encode() if word else b""

    def _response(self, request: Message, reply: Reply) -> bytes:
        peer = self._peer
        to = request.one(b"to")
        if not _parameter(to, b"tag") and reply.status > 100 and reply.tag:
            to += b";tag=" + self._tag(reply.tag)
        lines = [b"SIP/2.0 %d " % reply.status + reply.reason]
        lines += [b"Via: " + each for each in request.all(b"via")]
        lines += [b"From: " + request.one(b"from"), b"To: " + to]
        lines += [b"Call-ID: " + request.one(b"call-id"), b"CSeq: " + request.one(b"cseq")]
        for each in reply.headers:
            for word, value in (
                (b"%SELF%", peer.address.encode()),
                (b"%NOWHERE%", peer.nowhere.encode()),
                (b"%NONCE%", os.urandom(8).hex().encode()),
            ):
                each = each.replace(word, value)
            lines.append(each)
        body = b""
        if reply.describes and self._lie.description is not None:
            self._description(self._lie.description)
            assert self._stream is not None
            body = self._description(Description(port=self._stream.port_of_sender))
            lines.append(b"Content-Type: application/sdp")
            lines.append(f"Contact: <{peer.uri}>".encode())
        elif request.method == b"INVITE" and 200 <= reply.status < 300:
            contact = self._lie.contact.replace("%NOWHERE%", peer.nowhere) or peer.uri
            lines.append(f"Contact: <{contact}>".encode())
            if self._lie.description is not None:
                body = self._description(self._lie.description)
                lines.append(b"Content-Type: " + self._lie.description.content_type)
        lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    def _description(self, how: Description) -> bytes:
        """The answer to the offer, with what the table changes (RFC 3264 section 6)."""
        if how.octets is not None:
            return how.octets
        offer, host = self.offer, self._lie.host
        if offer is None:
            return b""
        if self._stream is None:
            self._stream = self._peer.stream()
        if how.of_caller:
            return self.invite.body
        formats, maps = list(how.formats), list(how.maps)
        if not formats:
            formats = [offer.codec] if how.codecs else []
            if how.events and offer.events_type >= 0:
                formats.append(offer.events_type)
            maps = [f"{each} {offer.maps[each]}" for each in formats if each in offer.maps]
        codec = G729 if G729 in how.formats else offer.codec
        events = offer.events_type if offer.events_type in formats else -1
        if self._stream.agreed is None:
            self._stream.agreed = Agreed(offer.host, offer.port, codec, events)
        address = how.address or host
        family = "IP6" if ":" in address else "IP4"
        own = "IP6" if ":" in host else "IP4"
        lines = ["v=0", f"o=liar 1 {self._version} IN {own} {host}", "s=-", f"c=IN {family} {address}", "t=0 0"]
        for number in range(how.lines):
            port = int(self._peer.nowhere.rpartition(":")[2]) if how.closed else self._stream.port
            port = (port if how.port < 0 else how.port) + 2 * number
            lines.append(f"m=audio {port} RTP/AVP {' '.join(str(each) for each in formats)}")
            lines += [f"a=rtpmap:{each}" for each in maps]
            lines += [f"a=fmtp:{events} 0-15"] if events >= 0 else []
            lines += ["a=ptime:20", f"a={how.direction}"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _later(self, seconds: float, action: Callable[..., None], *arguments: object) -> asyncio.TimerHandle:
        handle = self._loop.call_later(seconds, action, *arguments)
        if len(self._timers) > 50:
            self._timers = [each for each in self._timers if not each.cancelled() and each.when() > self._loop.time()]
        self._timers.append(handle)
        return handle

    def _end(self) -> None:
        if not self.over:
            self.over = True
            if self._stream is not None and not self._lie.media.after_bye:
                self._peer.drop(self._stream)

    def close(self) -> None:
        for each in self._timers:
            each.cancel()


class Peer:
    """One liar at one port; `with Peer(lie) as peer:` runs it in a thread.

    port: 0 = any that is free.
    Raises:
        OSError: the port is taken.
    """

    def __init__(self, lie: Lie, host: str = "", port: int = 0, *, note: Callable[[str], None] | None = None) -> None:
        self.lie = lie
        self.host = host or lie.host
        self.loop = asyncio.new_event_loop()
        self.port = 0
        self.nowhere = ""
        """an address at which nobody listens"""
        self.heard: Counter[str] = Counter()
        """requests by method, each once"""
        self.again: Counter[str] = Counter()
        """requests that came again, by method"""
        self.statuses: Counter[tuple[str, int]] = Counter()
        """final responses to the peer's own requests"""
        self.acked: set[tuple[bytes, bytes]] = set()
        """dialogs that were acknowledged: Call-ID and tag of the peer"""
        self.begun: set[tuple[bytes, bytes]] = set()
        """dialogs that a 200 began, likewise"""
        self.ended: set[tuple[bytes, bytes]] = set()
        """dialogs that either side ended, likewise"""
        self.repeated = 0
        """responses that the peer sent again for want of an ACK, or in spite of it"""
        self.streams: list[Stream] = []
        """of all calls, the ended ones too"""
        self._ticking: list[Stream] = []
        self._calls: dict[bytes, _Call] = {}
        self._all: list[_Call] = []
        self._answers: dict[tuple[bytes, bytes], list[bytes]] = {}
        self._note = note
        self._sockets: list[socket.socket] = []
        self._transports: list[asyncio.BaseTransport] = []
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, name=f"liar {lie.name}", daemon=True)
        self._asked_port = port

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        return _authority(self.host, self.port)

    @property
    def uri(self) -> str:
        """Whom to call."""
        return f"sip:liar@{self.address}" + (";transport=tcp" if self.lie.transport == "tcp" else "")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self.loop).result(10)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _open(self) -> None:
        closed = self._bound(socket.SOCK_DGRAM, 0)
        # A connected UDP socket takes from its one peer: others get ICMP port unreachable, and the port stays taken.
        closed.connect((self.host, 9))
        self.nowhere = _authority(self.host, closed.getsockname()[1])
        kind = socket.SOCK_STREAM if self.lie.transport == "tcp" else socket.SOCK_DGRAM
        made = self._bound(kind, self._asked_port)
        self.port = made.getsockname()[1]
        if self.lie.door == "closed":
            if kind is socket.SOCK_DGRAM:
                made.connect((self.host, 9))
            return  # a TCP socket that is bound and does not listen refuses
        if kind is socket.SOCK_STREAM:
            self._server = await self.loop.create_server(lambda: _Connection(self), sock=made)
        else:
            await self.loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=made)
        self._tick()

    def _bound(self, kind: socket.SocketKind, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, kind)
        self._sockets.append(made)
        made.setblocking(False)
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.host, port))
        return made

    async def _close(self) -> None:
        for call in self._all:
            call.close()
        for stream in self.streams:
            stream.close()
        if self._server is not None:
            self._server.close()
        for transport in self._transports:
            transport.close()
        await asyncio.sleep(0)
        for each in self._sockets:
            each.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()

    def opened(self, transport: asyncio.BaseTransport) -> None:
        self._transports.append(transport)

    # ---- RTP

    @property
    def packets(self) -> tuple[int, int]:
        """RTP of all calls: sent and received."""
        return sum(each.sent for each in self.streams), sum(each.received for each in self.streams)

    def stream(self) -> Stream:
        """A new stream, from now on in the rhythm of 20 ms."""
        made = Stream(self.lie.media, self.host, self.loop)
        self.streams.append(made)
        self._ticking.append(made)
        made.others = self._ticking
        return made

    def drop(self, stream: Stream) -> None:
        """The stream's call is over: nothing more is sent; what is on its way to it is still counted."""
        if stream in self._ticking:
            self._ticking.remove(stream)
            stream.rest()

    def _tick(self) -> None:
        now = self.loop.time()
        for stream in self._ticking:
            stream.tick(now)
        self.loop.call_later(FRAME / 2, self._tick)

    # ---- SIP

    def received(self, octets: bytes, send: Send) -> None:
        """One message of the caller."""
        if not octets.strip():
            return
        try:
            message = Message.parse(octets)
        except ValueError:
            return
        self._say("<-", message.start)
        if self.lie.door == "mute":
            self.heard[message.start[0].decode("latin-1")] += 1
            return
        call = self._calls.get(message.one(b"call-id"))
        if message.start[0] == b"SIP/2.0":
            if call is not None:
                call.responded(message)
            return
        name = message.method.decode("latin-1")
        if message.method == b"ACK":
            self.heard[name] += 1
            if call is not None:
                call.acknowledged(message)
            return
        known = self._answers.get(message.key)
        if known is not None:
            self.again[name] += 1
            repeat = call.last if message.method == b"INVITE" and call is not None else known
            for each in repeat:
                send(each)
            return
        self.heard[name] += 1
        sent = self._answers[message.key] = []

        def answer(response: bytes) -> None:
            if response:
                self._say("->", response.partition(b"\r\n")[0].split(b" ", 2))
                sent.append(response)
                send(response)

        self._take(message, call, send, answer)

    def _take(self, message: Message, call: _Call | None, send: Send, answer: Send) -> None:
        if message.method == b"INVITE" and not _parameter(message.one(b"to"), b"tag"):
            call = self._calls[message.one(b"call-id")] = _Call(self, message, send)
            self._all.append(call)
            call.invited()
        elif message.method == b"CANCEL" and call is not None:
            answer(call.cancelled(message))
        elif message.method == b"BYE" and call is not None:
            call.bye(message, answer)
        elif call is not None:
            answer(call.other(message))
        else:
            status = 200 if message.method in (b"OPTIONS", b"REGISTER") else 481
            answer(_Call(self, message, send)._response(message, Reply(status=status)))

    def _say(self, arrow: str, start: list[bytes]) -> None:
        if self._note is not None:
            self._note(f"{arrow} {b' '.join(start).decode('latin-1')!r}")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._peer.opened(transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        transport = self._transport
        if transport is not None:
            self._peer.received(data, lambda octets: transport.sendto(octets, address))


class _Connection(asyncio.Protocol):
    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._octets = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer.opened(transport)

    def data_received(self, data: bytes) -> None:
        self._octets += data
        while True:
            octets = self._octets.lstrip(b"\r\n")
            head, end, rest = octets.partition(b"\r\n\r\n")
            if not end:
                return
            with contextlib.suppress(ValueError):
                length = int(Message.parse(head).one(b"content-length") or 0)
                if len(rest) < length:
                    return
                self._octets = rest[length:]
                self._take(head + end + rest[:length])
                continue
            self._octets = b""

    def _take(self, octets: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        if self._peer.lie.door == "resets":
            self._peer.heard["INVITE"] += 1
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            self._transport = None
            return

        def send(message: bytes) -> None:
            if not transport.is_closing():
                transport.write(message)

        self._peer.received(octets, send)
