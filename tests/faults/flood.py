"""A flood of hostile SIP and media at a live node and at the user agents that call it, from one seeded generator.

Sends from three places: a stranger at 127.0.0.1, whose own calls (the victims) it may end; an impostor at 127.0.0.2,
which knows Call-IDs and tags of the canary calls; and connections from 127.0.1.x. Nothing that it sends belongs to a
canary: messages from the canaries' own host have a wrong tag or an old CSeq, those with the right ones another host.
"""

import asyncio
import re
import socket
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Self

from . import corpus

TICK = 0.01
VICTIMS = 200
"""calls of the stranger that are up at a time"""
CONNECTIONS = 24
LURE_EVERY = 25
"""messages, after which the user agents are made to call us"""
PROGRESS_EVERY = 10.0
"""seconds"""
LAST_CSEQ = (1 << 31) - 1
"""of a BYE, so that no number before it makes it too old (RFC 3261 8.1.1.5)"""
REPEATED = 64
_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ")
_COPIED = re.compile(rb"(?im)^(?:via|from|to|call-id|cseq|record-route) *:[^\r]*")

Known = dict[str, Any]
"""What `canaries.Canary.known` tells of a call"""


class Victim:
    """A call of the stranger's own, of which any request may come."""

    def __init__(self, call_id: bytes, tag: bytes) -> None:
        self.call_id = call_id
        self.tag = tag
        self.cseq = 1


class Flood:
    """See the module's text.

    node: the UDP and the TCP port of the node. data: folder of foreign test data. seed: of everything that is drawn.
    """

    def __init__(self, node: tuple[int, int], data: Path, seed: int) -> None:
        self._udp, self._tcp = ("127.0.0.1", node[0]), ("127.0.0.1", node[1])
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._near = self._open("127.0.0.1", self._on_near)
        self._silent = self._open("127.0.0.1", self._on_silent)
        self._far = self._open("127.0.0.2", self._on_silent)
        self._uas = self._open("127.0.0.1", self._on_lured)
        self._torture = corpus.torture(data)
        self._sipp = corpus.of_sipp("127.0.0.1", self._near.getsockname()[1])
        self._all = self._torture + self._sipp
        self._descriptions = corpus.descriptions(data)
        self._samples = [each.read_bytes() for each in sorted((data / "aiortc").glob("rt*.bin"))]
        self._connections: deque[socket.socket] = deque()
        self._repeat: deque[tuple[socket.socket, bytes, tuple[str, int]]] = deque(maxlen=REPEATED)
        self._victims: deque[Victim] = deque(maxlen=VICTIMS)
        self._number = 0
        self._confirmed: dict[tuple[bytes, bytes], None] = {}
        """Call-ID and To tag of each call whose 2xx was acknowledged: those that are closed at the end"""
        self.quiet = False
        """what the node asks is answered as it should be, so that its calls end"""
        self.sent: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.again(seed)

    def again(self, seed: int) -> None:
        """Begin anew with a seed, and count from zero."""
        self._dice = Random(seed)
        self._seed = seed
        self._number = 0
        self._victims.clear()
        self._confirmed.clear()
        self._repeat.clear()
        self.sent.clear()
        self.answers.clear()
        self.quiet = False

    def _open(self, host: str, reader: Callable[[socket.socket], None]) -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        one.bind((host, 0))
        one.setblocking(False)
        self._loop.add_reader(one, reader, one)
        self._sockets.append(one)
        return one

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for each in (*self._sockets, *self._connections):
            self._loop.remove_reader(each)
            each.close()

    # ---- the flood

    async def run(
        self,
        count: int,
        rate: float,
        *,
        canaries: list[Known],
        agent: int,
        media: list[int],
        lure: Callable[[str], None],
        progress: Callable[[str], None],
    ) -> None:
        """Send `count` SIP messages, `rate` a second, and a tenth of it of media packets.

        canaries: calls to disturb. agent: the SIP port that placed them. media: RTP and RTCP ports. lure: has the user
        agents call a URI. progress: takes a line every 10 s.
        """
        self._canaries, self._agent, self._media_ports = canaries, ("127.0.0.1", agent), media
        kinds: tuple[tuple[Callable[[], None], int], ...] = (
            (self._of_torture, 8), (self._of_sipp, 8), (self._any_method, 16), (self._strange_offer, 6),
            (self._in_victim, 18), (self._in_canary, 12), (self._forged_response, 10), (self._half_open, 5),
            (self._cancels, 1), (self._repetition, 5), (self._oversize, 1), (self._nesting, 4), (self._over_tcp, 7),
            (self._no_sip, 2),
        )  # fmt: skip
        makers, weights = [maker for maker, _ in kinds], [weight for _, weight in kinds]
        begun = self._loop.time()
        done, told = 0, begun
        while done < count:
            if self._loop.time() > told + PROGRESS_EVERY:
                told = self._loop.time()
                progress(f"{done} of {count} made, {self.total} sent, {sum(self.answers.values())} came back")
            due = min(count, int((self._loop.time() - begun) * rate) + 1)
            for maker in self._dice.choices(makers, weights, k=min(max(due - done, 0), 50)):
                maker()
                done += 1
                if done % 10 == 0:
                    self._to_media()
                if done % LURE_EVERY == 0:
                    lure(f"sip:lured@127.0.0.1:{self._uas.getsockname()[1]}")
            await asyncio.sleep(TICK)

    @property
    def figures(self) -> list[str]:
        """What was sent, by kind, and what came back, by status or method, as lines to read."""
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(self.sent.items()))
        codes = ", ".join(f"{code} {number}" for code, number in sorted(self.answers.items()))
        return [f"SIP messages sent {self.total} ({kinds})", f"came back: {codes}"]

    @property
    def total(self) -> int:
        """SIP messages sent, answers to what was asked of the flood left out."""
        return sum(number for kind, number in self.sent.items() if kind not in ("media", "reply", "follow-up"))

    def _send(self, kind: str, data: bytes, to: tuple[str, int], line: socket.socket | None = None) -> None:
        line = line or self._near
        data = data[:65000]
        try:
            line.sendto(data, to)
        except OSError:  # a full buffer of the receiver, or an ICMP error of an earlier datagram
            self.sent[f"{kind} (not sent)"] += 1
            return
        self.sent[kind] += 1
        if self._dice.random() < 0.05:
            self._repeat.append((line, data, to))

    def _head(self, method: bytes, call_id: bytes, *, line: socket.socket, to_tag: bytes = b"", **more: Any) -> bytes:
        host, port = line.getsockname()
        self._number += 1
        return b"\r\n".join((
            method + b" sip:bob@127.0.0.1 SIP/2.0",
            b"Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK-%d-%d;rport" % (host.encode(), port, self._seed, self._number),
            b"Max-Forwards: 70",
            b"From: <sip:stranger@127.0.0.1>;tag=" + more.get("from_tag", b"s"),
            b"To: <sip:bob@127.0.0.1>" + (b";tag=" + to_tag if to_tag else b""),
            b"Call-ID: " + call_id,
            b"CSeq: %d %s" % (more.get("cseq", 1), method),
            b"Contact: <sip:stranger@%s:%d>" % (host.encode(), port),
            b"",
        ))  # fmt: skip

    def _request(
        self, method: bytes, call_id: bytes, line: socket.socket, body: tuple[bytes, bytes], **more: Any
    ) -> bytes:
        head = self._head(method, call_id, line=line, **more)
        if self._dice.random() < 0.5:
            head += self._dice.choice(corpus.EXTRAS)
        kind, octets = body
        if kind:
            head += b"Content-Type: " + kind + b"\r\n"
        return head + b"Content-Length: %d\r\n\r\n" % len(octets) + octets

    def _new_call_id(self, kind: bytes) -> bytes:
        return b"%s-%d-%d@flood" % (kind, self._seed, self._number)

    def _changed(self, data: bytes, whole: float) -> bytes:
        """A mutant, or the same so often. None has the last CSeq of all: a call that had it could not be ended."""
        if self._dice.random() < whole:
            return corpus.at_home(data)
        return corpus.mutated(data, self._all, self._dice).replace(b"%d" % LAST_CSEQ, b"%d" % (LAST_CSEQ - 1))

    def _of_torture(self) -> None:
        self._send("torture", self._changed(self._dice.choice(self._torture), 0.2), self._udp)

    def _of_sipp(self) -> None:
        data = self._dice.choice(self._sipp).replace(b"1-1@sipp", self._new_call_id(b"sipp"))
        self._number += 1
        data = data.replace(b"z9hG4bK-1-0", b"z9hG4bK-sipp-%d-%d" % (self._seed, self._number))
        self._send("SIPp", self._changed(data, 0.2), self._udp)

    def _any_method(self) -> None:
        method, body = self._dice.choice(corpus.METHODS), self._dice.choice(corpus.BODIES)
        self._send(
            "any method",
            self._changed(self._request(method, self._new_call_id(b"m"), self._near, body), 0.3),
            self._udp,
        )

    def _offer(self) -> bytes:
        if self._dice.random() < 0.3:
            return self._dice.choice(self._descriptions)
        return corpus.offer(self._dice)

    def _strange_offer(self) -> None:
        body = (b"application/sdp", self._offer())
        data = self._request(b"INVITE", self._new_call_id(b"victim"), self._near, body)
        self._send("offer", self._changed(data, 0.7), self._udp)

    def _half_open(self) -> None:
        body = (b"application/sdp", corpus.SDP % (1, corpus.AUDIO))
        head = self._head(b"INVITE", self._new_call_id(b"half"), line=self._silent)
        data = head + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(body[1]) + body[1]
        self._send("half-open", data, self._udp, self._silent)

    def _cancels(self) -> None:
        """An INVITE, and CANCELs for it with and without its branch and CSeq."""
        head = self._head(b"INVITE", self._new_call_id(b"cancelled"), line=self._near) + b"Content-Length: 0\r\n\r\n"
        self._send("CANCEL", head, self._udp)
        cancel = head.replace(b"INVITE", b"CANCEL")
        for _ in range(self._dice.randrange(1, 10)):
            data = self._dice.choice(
                (cancel, cancel.replace(b"branch=", b"branch=x"), cancel.replace(b": 1 C", b": 2 C"))
            )
            self._send("CANCEL", data, self._udp)

    def _no_sip(self) -> None:
        """What others than SIP send to a port: STUN, RTP, RTCP, keep-alives, HTTP, TLS, noise."""
        data = self._dice.choice((
            b"\x00\x01\x00\x00\x21\x12\xa4\x42" + self._dice.randbytes(12),
            b"\x01\x01\x00\x0c\x21\x12\xa4\x42" + self._dice.randbytes(24),
            corpus.packet(self._dice, self._samples),
            b"\r\n\r\n",
            b"",
            b"\0" * 40,
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._dice.randbytes(200),
            self._dice.randbytes(self._dice.randrange(1, 1500)),
        ))  # fmt: skip
        self._send(
            "no SIP", data, self._dice.choice((self._udp, self._agent)), self._dice.choice((self._near, self._far))
        )

    def _in_victim(self) -> None:
        if not self._victims:
            self._strange_offer()
            return
        victim = self._dice.choice(self._victims)
        victim.cseq += 1
        method = self._dice.choice(corpus.METHODS)
        if method == b"BYE" and self._dice.random() < 0.8:
            method = b"INVITE"
        body = self._dice.choice(corpus.BODIES)
        if method in (b"INVITE", b"UPDATE", b"PRACK", b"ACK") and self._dice.random() < 0.7:
            body = (b"application/sdp", self._offer())
        data = self._request(method, victim.call_id, self._near, body, to_tag=victim.tag, cseq=victim.cseq)
        self._send("in a victim's dialog", self._changed(data, 0.4), self._udp)

    def _in_canary(self) -> None:
        """By an impostor with everything right but its host, or from the right host with a wrong tag or an old CSeq."""
        known = self._dice.choice(self._canaries)
        tags = [str(known["local_tag"]).encode(), str(known["remote_tag"]).encode()]
        call_id, to = str(known["call_id"]).encode(), self._udp
        if self._dice.random() < 0.4:  # to the user agent that placed it, as if from the node
            tags.reverse()
            to = self._agent
        method = self._dice.choice((*corpus.METHODS, b"BYE", b"BYE", b"CANCEL", b"INVITE"))
        body = self._dice.choice(corpus.BODIES)
        cseq = self._dice.choice((1, 2, known["cseq"], known["cseq"] + 1, known["cseq"] + 100, 1 << 31))
        way = self._dice.randrange(4)
        if way == 0:
            wrong = self._dice.randbytes(4).hex().encode()
            which = self._dice.randrange(2)
            tags[which] = wrong
            data = self._request(method, call_id, self._near, body, from_tag=tags[0], to_tag=tags[1], cseq=cseq)
            self._send("in a canary's dialog, wrong tag", data, to)
        elif way == 1 and method not in (b"ACK", b"CANCEL"):
            data = self._request(method, call_id, self._near, body, from_tag=tags[0], to_tag=tags[1], cseq=0)
            self._send("in a canary's dialog, old CSeq", data if to is self._udp else data.replace(tags[1], b"x"), to)
        else:
            data = self._request(method, call_id, self._far, body, from_tag=tags[0], to_tag=tags[1], cseq=cseq)
            self._send("in a canary's dialog, spoofed", self._changed(data, 0.5), to, self._far)

    def _forged_response(self) -> None:
        known = self._dice.choice(self._canaries)
        method = self._dice.choice(corpus.METHODS)
        host, port = ("127.0.0.1", self._udp[1])
        to = self._udp
        if self._dice.random() < 0.6:
            host, port = to = self._agent
        kind, body = self._dice.choice(corpus.BODIES)
        data = b"\r\n".join((
            b"SIP/2.0 " + self._dice.choice(corpus.STATUSES),
            b"Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%s" % (host.encode(), port, self._dice.randbytes(6).hex().encode()),
            b"From: <sip:canary@127.0.0.1>;tag=" + str(known["local_tag"]).encode(),
            b"To: <sip:bob@127.0.0.1>;tag=" + str(known["remote_tag"]).encode(),
            b"Call-ID: " + str(known["call_id"]).encode(),
            b"CSeq: %d %s" % (self._dice.choice((1, known["cseq"], 7)), method),
            *((b"Content-Type: " + kind,) if kind else ()),
            b"Content-Length: %d" % len(body),
            b"",
            body,
        ))  # fmt: skip
        line = self._dice.choice((self._near, self._far))
        self._send("forged response", self._changed(data, 0.5), to, line)

    def _repetition(self) -> None:
        if not self._repeat:
            self._of_torture()
            return
        line, data, to = self._dice.choice(self._repeat)
        self._send("repetition", data, to, line)

    def _oversize(self) -> None:
        head = self._head(
            self._dice.choice((b"INVITE", b"OPTIONS", b"MESSAGE")), self._new_call_id(b"big"), line=self._near
        )
        size = self._dice.choice((9000, 30000, 64000))
        body = self._dice.choice((b"x", b"a=b\r\n", b"\0", b"m=audio 9 RTP/AVP 0\r\n")) * size
        data = head + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % size + body[:size]
        if self._dice.random() < 0.5:
            data = head + b"X-Long: " + b"y" * size + b"\r\n\r\n"
        self._send("oversize", data, self._udp)

    def _nesting(self) -> None:
        head = self._head(self._dice.choice(corpus.METHODS), self._new_call_id(b"deep"), line=self._near)
        self._send("many or deep", corpus.nested(self._dice, head), self._udp)

    def _to_media(self) -> None:
        port = self._dice.choice(self._media_ports)
        self._send(
            "media",
            corpus.packet(self._dice, self._samples),
            ("127.0.0.1", port),
            self._dice.choice((self._near, self._far)),
        )

    # ---- over connections

    def _over_tcp(self) -> None:
        while len(self._connections) < CONNECTIONS:
            self._connect()
        line = self._dice.choice(self._connections)
        method, body = self._dice.choice(corpus.METHODS), self._dice.choice(corpus.BODIES)
        data = self._request(method, self._new_call_id(b"tcp"), self._near, body).replace(b"/UDP", b"/TCP", 1)
        kind = self._dice.randrange(8)
        if kind == 0:
            data = data[: self._dice.randrange(1, len(data))]
        elif kind == 1:
            data = re.sub(rb"Content-Length: \d+\r\n", b"", data)
        elif kind == 2:
            data = data[: data.index(b"\r\n") + 2] + b"X-Endless: " + b"y" * 4000
        elif kind == 3:
            data = self._dice.randbytes(200)
        elif kind == 4:
            data = b"\r\n\r\n" * 20 + data + data
        elif kind == 5:
            data = corpus.mutated(data, self._all, self._dice)
        elif kind == 6:
            data = b"y" * 16000
        try:
            line.send(data)
        except OSError:
            self._drop(line)
            self.sent["TCP (not sent)"] += 1
            return
        self.sent["TCP"] += 1
        if self._dice.random() < 0.1:
            self._drop(line)

    def _connect(self) -> None:
        line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        line.bind((f"127.0.1.{self._dice.randrange(1, 250)}", 0))
        line.settimeout(5)
        line.connect(self._tcp)
        line.setblocking(False)
        self._connections.append(line)
        self._loop.add_reader(line, self._on_connection, line)

    def _drop(self, line: socket.socket) -> None:
        self._loop.remove_reader(line)
        line.close()
        if line in self._connections:
            self._connections.remove(line)

    async def hang_up(self) -> None:
        """Close connections and calls; whatever the node asks from now on gets its answer."""
        for each in list(self._connections):
            self._drop(each)
        self.quiet = True
        byes = [
            self._head(b"BYE", call_id, line=self._near, to_tag=tag, cseq=LAST_CSEQ) + b"Content-Length: 0\r\n\r\n"
            for call_id, tag in self._confirmed
        ]
        for number, bye in enumerate((*byes, *byes)):  # the second time in case that the first was lost
            self._send("follow-up", bye, self._udp)
            if number % 10 == 0:
                await asyncio.sleep(TICK)

    # ---- what comes back

    def _on_connection(self, line: socket.socket) -> None:
        try:
            data = line.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(line)
        for status in _STATUS.findall(data):
            self.answers[status.decode()] += 1

    def _read(self, line: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
        found: list[tuple[bytes, tuple[str, int]]] = []
        while len(found) < 200:
            try:
                found.append(line.recvfrom(65536))
            except BlockingIOError:
                break
            except OSError:
                continue  # ICMP of an earlier datagram
        return found

    def _on_silent(self, line: socket.socket) -> None:
        for data, source in self._read(line):
            self._count(data)
            if self.quiet and not data.startswith(b"SIP/"):
                self._reply(line, data, source, b"200 OK")

    def _on_near(self, line: socket.socket) -> None:
        for data, source in self._read(line):
            self._count(data)
            if data.startswith(b"SIP/2.0 200"):
                self._confirm(data)
            elif not data.startswith((b"SIP/", b"ACK")):
                if self.quiet:
                    self._reply(line, data, source, b"200 OK")
                else:
                    self._reply(line, data, source, self._dice.choice(corpus.STATUSES), whole=0.5)

    def _on_lured(self, line: socket.socket) -> None:
        """The user agents of the canaries call us: any responses, good and bad ones, several to a request."""
        for data, source in self._read(line):
            if data.startswith((b"SIP/", b"ACK")):
                continue
            for _ in range(1 if self.quiet else self._dice.choice((0, 1, 1, 2, 3))):
                status = b"487 Over" if self.quiet else self._dice.choice(corpus.STATUSES)
                self._reply(line, data, source, status, whole=1.0 if self.quiet else 0.4)

    def _count(self, data: bytes) -> None:
        status = _STATUS.match(data)
        self.answers[status[1].decode() if status else data[:10].split(b" ")[0].decode("latin-1")] += 1

    def _reply(
        self, line: socket.socket, request: bytes, source: tuple[str, int], status: bytes, *, whole: float = 1.0
    ) -> None:
        lines = [
            each + b";tag=r%d" % self._dice.randrange(3) if each[:2].lower() == b"to" and b"tag=" not in each else each
            for each in _COPIED.findall(request)
        ]
        head = b"\r\n".join(
            (b"SIP/2.0 " + status, *lines, b"Contact: <sip:r@127.0.0.1:%d>" % line.getsockname()[1], b"")
        )
        if self.quiet or self._dice.random() < 0.3:
            data = head + b"Content-Length: 0\r\n\r\n"
        else:
            kind, body = self._dice.choice(corpus.BODIES)
            extra = self._dice.choice(
                (*corpus.EXTRAS, b"Retry-After: x\r\n", b"Min-SE: y\r\n", b"RSeq: 1\r\nRequire: 100rel\r\n")
            )
            kind = kind or b"application/sdp"
            data = head + extra + b"Content-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        self._send(
            "reply" if self.quiet else "response to the node's own requests", self._changed(data, whole), source, line
        )

    def _confirm(self, data: bytes) -> None:
        """Acknowledge a 2xx of a victim, most of the time, and have a dialog."""
        call_id, tag = re.search(rb"Call-ID: (victim-\S+)", data), re.search(rb"To: [^\r]*tag=([^;\r]+)", data)
        cseq = re.search(rb"CSeq: (\d{1,9}) INVITE", data)
        if call_id is None or tag is None or cseq is None or self._dice.random() < 0.1:
            return
        self._confirmed[call_id[1], tag[1]] = None
        if not any(each.call_id == call_id[1] for each in self._victims):
            self._victims.append(Victim(call_id[1], tag[1]))
        ack = self._head(b"ACK", call_id[1], line=self._near, to_tag=tag[1], cseq=int(cseq[1]))
        self._send("follow-up", ack + b"Content-Length: 0\r\n\r\n", self._udp)
