"""A foreign SIP peer in one event loop: places and takes calls by the rules of RFC 3261 and notes what it saw of each.

It shares no code with the product, so that a fault of the product's parser or timers is no fault of its judge. A
request goes out again after 0.5, 1, 2, 4, 4 … s over UDP and is given up after 32 s; a 2xx goes out again until its
ACK; a request that comes again gets the answer that it got. Calls are kept for ever: the row reads them at its end.
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from random import Random

from . import sip_text
from .numbered_media import Media, Stream
from .sip_text import Text
from .wires import TcpWire, UdpWire

T1 = 0.5
T2 = 4.0
GIVEN_UP = 64 * T1


class State(Enum):
    """Where a call stands, as this peer sees it."""

    CALLING = auto()
    RINGING = auto()
    UP = auto()
    CLOSING = auto()
    """Our BYE has no answer yet."""
    ENDED = auto()
    """By BYE of either side, answered."""
    REFUSED = auto()
    """Its INVITE got a final response that is no 2xx."""
    LOST = auto()
    """A request of ours got no final response, or our BYE was refused."""


class PeerCall:
    """One call."""

    def __init__(self, call_id: str, local: str, remote: str, ours: bool) -> None:
        self.call_id = call_id
        self.local = local
        """From of our requests, with our tag."""
        self.remote = remote
        """To of our requests."""
        self.ours = ours
        """Whether we placed it."""
        self.user = ""
        """Whom it called."""
        self.place = ("", 0)
        """Where our requests go."""
        self.target = ""
        """Request-URI of our requests."""
        self.routes: list[str] = []
        self.cseq = 1
        self.state = State.CALLING
        self.status = 0
        """Final status of its INVITE."""
        self.retry_after = ""
        self.began = time.monotonic()
        self.heard = self.answered = self.ended = 0.0
        """When the first response, the 2xx and the end came."""
        self.ended_by_us = False
        self.reason = ""
        """The Reason header of its end."""
        self.bye_status = 0
        """Of our BYE."""
        self.updates = 0
        """Re-INVITEs and UPDATEs that the other side sent."""
        self.invites = 0
        """INVITEs that made this call, repetitions included; of calls that came."""
        self.notes: list[str] = []
        """What should not have come."""
        self.stream: Stream | None = None
        self.invite: Text | None = None
        self.invite_branch = ""

    @property
    def over(self) -> bool:
        return self.state in (State.ENDED, State.REFUSED, State.LOST)


class _Transaction:
    """A request of ours without a final response."""

    __slots__ = ("call", "data", "done", "interval", "method", "place", "provisional", "until")

    def __init__(
        self,
        method: str,
        data: bytes,
        place: tuple[str, int],
        call: PeerCall | None,
        done: Callable[[Text | None], None],
    ) -> None:
        self.method, self.data, self.place, self.call, self.done = method, data, place, call, done
        self.interval = T1
        self.provisional = False
        self.until = time.monotonic() + GIVEN_UP


class Peer:
    """See the module's text.

    Args:
        host: IP address that it takes for SIP and media.
        seed: of tags, branches and SSRCs.
        tcp: talk over TCP instead of UDP.
        media: whether calls have RTP.
        port: of SIP; 0 = any.
        own_connections: over TCP, each call has its own.
        ptime: milliseconds of a packet that the other side is to send.
    """

    def __init__(
        self,
        host: str,
        *,
        seed: int = 1,
        tcp: bool = False,
        media: bool = True,
        port: int = 0,
        own_connections: bool = False,
        ptime: int = 20,
    ) -> None:
        self.dice = Random(seed)
        self.host = host
        self._loop = asyncio.get_running_loop()
        self.tcp = tcp
        self._ptime = ptime
        wire = TcpWire if tcp else UdpWire
        self.wire: TcpWire | UdpWire = wire(host, port, self._came)
        self._own_connections = own_connections
        self.media = Media(host, self.dice) if media else None
        self.calls: dict[str, PeerCall] = {}
        self.ring_time = 0.0
        """Seconds of 180 before a call that comes is answered; < 0 = for ever."""
        self.status = 200
        """Final status of calls that come."""
        self.speaks = False
        """Whether calls send frames."""
        self.extra: list[tuple[str, str]] = []
        """Further headers of final responses to calls that come; a Contact among them replaces ours."""
        self.acknowledges = True
        """Whether a 2xx gets its ACK."""
        self.answers_requests = True
        """Whether requests get an answer: a peer that has vanished gives none."""
        self.received: Counter[str] = Counter()
        """Methods and status codes that came."""
        self.repeated = 0
        """Requests that came again."""
        self.on_response: Callable[[Text], None] | None = None
        """Is given each response to a request outside of any call."""
        self._transactions: dict[tuple[str, str], _Transaction] = {}
        self._answers: dict[tuple[str, str, str], bytes] = {}
        self._unacknowledged: dict[str, tuple[bytes, tuple[str, int]]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._task = self._loop.create_task(self._run_timers())

    async def close(self) -> None:
        """End at once, without a word to the other side."""
        self._task.cancel()
        if self.media:
            await self.media.close()
        self.wire.close()

    @property
    def port(self) -> int:
        return self.wire.port

    @property
    def address(self) -> str:
        """`host:port`, as in a URI."""
        return f"{sip_text.in_brackets(self.host)}:{self.port}"

    def _description(self, version: int = 1) -> str:
        return sip_text.description(self.host, self.media.port if self.media else 9, version, self._ptime)

    def at(self, *states: State) -> list[PeerCall]:
        """The calls in some states."""
        return [call for call in self.calls.values() if call.state in states]

    # ---- calls that we place

    def call(
        self, place: tuple[str, int], user: str = "robot", caller: str = "peer", call_id: str = "", sdp: str = ""
    ) -> PeerCall:
        """Place a call.

        Args:
            place: host and port of the other side.
            user: of the Request-URI.
            caller: user of From.
            call_id: instead of a random one.
            sdp: instead of our own offer.
        """
        number = next(self._numbers)
        uri = f"sip:{user}@{sip_text.in_brackets(place[0])}:{place[1]}"
        local = f"<sip:{caller}@{self.address}>;tag={self.dice.randbytes(8).hex()}"
        call = PeerCall(call_id or f"{number}-{self.dice.randbytes(8).hex()}@peer", local, f"<{uri}>", ours=True)
        call.user, call.place, call.target = user, place, uri
        self.calls[call.call_id] = call
        if self.media:
            call.stream = self.media.open()
            call.stream.speaks = False
        self._send_invite(call, sdp)
        return call

    def _send_invite(self, call: PeerCall, sdp: str = "") -> None:
        body = sdp or self._description()
        call.invite_branch, _ = self._request("INVITE", call, lambda answer: self._invite_over(call, answer), body)

    def reinvite(self, call: PeerCall) -> "asyncio.Future[int]":
        """Send a re-INVITE with the same description; the result is its final status, 408 for none."""
        over: asyncio.Future[int] = self._loop.create_future()
        call.cseq += 1

        def done(answer: Text | None) -> None:
            if answer is not None and answer.status < 300:
                self._acknowledge(call, answer)
                self._learn_media(call, answer.body)
            if not over.done():
                over.set_result(answer.status if answer else 408)

        body = self._description(2)
        self._request("INVITE", call, done, body)
        return over

    def ask(self, call: PeerCall, method: str) -> "asyncio.Future[int]":
        """Send another request within the call; the result is its final status, 408 for none."""
        over: asyncio.Future[int] = self._loop.create_future()
        call.cseq += 1

        def done(answer: Text | None) -> None:
            if not over.done():
                over.set_result(answer.status if answer else 408)

        self._request(method, call, done)
        return over

    def bye(self, call: PeerCall) -> None:
        """Hang up."""
        if call.state is not State.UP:
            return
        call.state, call.ended_by_us = State.CLOSING, True
        call.cseq += 1
        self._request("BYE", call, lambda answer: self._bye_over(call, answer))

    def cancel(self, call: PeerCall) -> None:
        """Give up a call of ours that rings."""
        if call.state in (State.CALLING, State.RINGING):
            self._request("CANCEL", call, lambda _: None, branch=call.invite_branch)

    def options(self, place: tuple[str, int], call_id: str = "") -> None:
        """Send an OPTIONS outside of any call, once; the answer goes to `on_response`."""
        uri = f"sip:robot@{sip_text.in_brackets(place[0])}:{place[1]}"
        local = f"<sip:peer@{self.address}>;tag={next(self._numbers)}"
        probe = PeerCall(call_id or f"o{next(self._numbers)}-{self.dice.randbytes(6).hex()}", local, f"<{uri}>", True)
        probe.place, probe.target = place, uri
        self.wire.send(self._octets("OPTIONS", probe, self._branch(), ""), place)

    # ---- requests of ours

    def _branch(self) -> str:
        return f"z9hG4bK{self.dice.randbytes(8).hex()}"

    def _octets(self, method: str, call: PeerCall, branch: str, body: str, cseq: int = 0) -> bytes:
        named = "TCP" if self.tcp else "UDP"
        headers = [
            ("Via", f"SIP/2.0/{named} {self.address};branch={branch};rport"),
            *(("Route", each) for each in call.routes),
            ("Max-Forwards", "70"),
            ("From", call.local),
            ("To", call.remote),
            ("Call-ID", call.call_id),
            ("CSeq", f"{cseq or call.cseq} {method}"),
            ("Contact", f"<sip:peer@{self.address}{';transport=tcp' if self.tcp else ''}>"),
            ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO"),
        ]
        return sip_text.write(f"{method} {call.target} SIP/2.0", headers, body)

    def _request(
        self, method: str, call: PeerCall, done: Callable[[Text | None], None], body: str = "", branch: str = ""
    ) -> tuple[str, bytes]:
        branch = branch or self._branch()
        data = self._octets(method, call, branch, body)
        transaction = _Transaction(method, data, call.place, call, done)
        self._transactions[branch, method] = transaction
        self._put(call, data)
        if self.tcp:
            self._later(GIVEN_UP, lambda: self._again(branch, method))
        else:
            self._later(T1, lambda: self._again(branch, method))
        return branch, data

    def _put(self, call: PeerCall | None, data: bytes, place: tuple[str, int] | None = None) -> None:
        to = place or (call.place if call else ("", 0))
        if isinstance(self.wire, TcpWire) and self._own_connections and call is not None:
            self.wire.send(data, to, call.call_id)
        else:
            self.wire.send(data, to)

    def _again(self, branch: str, method: str) -> None:
        transaction = self._transactions.get((branch, method))
        if transaction is None:
            return
        now = time.monotonic()
        if now >= transaction.until:
            if not (transaction.method == "INVITE" and transaction.provisional):
                del self._transactions[branch, method]
                transaction.done(None)
            return
        if self.tcp:
            return
        if transaction.method == "INVITE":
            if transaction.provisional:
                return
            transaction.interval *= 2
        else:
            transaction.interval = T2 if transaction.provisional else min(transaction.interval * 2, T2)
        self._put(transaction.call, transaction.data, transaction.place)
        wait = min(transaction.interval, max(transaction.until - now, 0.0))
        self._later(wait, lambda: self._again(branch, method))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), action))

    async def _run_timers(self) -> None:
        while True:
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
            await asyncio.sleep(0.01)

    def _invite_over(self, call: PeerCall, answer: Text | None) -> None:
        if answer is None:
            self._end(call, State.LOST)
            return
        call.status = answer.status
        if answer.status >= 300:
            call.state, call.ended = State.REFUSED, time.monotonic()
            call.reason, call.retry_after = answer.one("reason"), answer.one("retry-after")
            return
        call.answered = time.monotonic()
        call.remote = answer.one("to")
        contact = sip_text.uri(answer.one("contact"))
        if contact:
            call.target = contact
        call.state = State.UP
        self._learn_media(call, answer.body)
        if call.stream:
            call.stream.speaks = self.speaks
        if self.acknowledges:
            self._acknowledge(call, answer)

    def _acknowledge(self, call: PeerCall, answer: Text) -> None:
        self._put(call, self._octets("ACK", call, self._branch(), "", answer.cseq))

    def _bye_over(self, call: PeerCall, answer: Text | None) -> None:
        call.bye_status = answer.status if answer else 408
        if call.state is State.CLOSING:
            self._end(call, State.ENDED if call.bye_status < 300 else State.LOST)

    def _end(self, call: PeerCall, state: State) -> None:
        call.state, call.ended = state, time.monotonic()
        if call.stream and self.media:
            self.media.end(call.stream)
        if self._own_connections and isinstance(self.wire, TcpWire):
            self.wire.drop(call.place, call.call_id)

    def _learn_media(self, call: PeerCall, body: str) -> None:
        if call.stream and self.media and body:
            place = sip_text.media_place(body)
            if place[0]:
                self.media.towards(call.stream, place)

    # ---- what comes

    def _came(self, data: bytes, source: tuple[str, int]) -> None:
        message = sip_text.read(data)
        if message is None:
            self.received["no SIP"] += 1
            return
        if message.is_response:
            self.received[str(message.status)] += 1
            self._on_response(message)
        else:
            self.received[message.method] += 1
            if self.answers_requests:
                self._on_request(message, source)

    def _on_response(self, message: Text) -> None:
        key = (message.branch, message.method)
        transaction = self._transactions.get(key)
        call = self.calls.get(message.call_id)
        if call is None and self.on_response:
            self.on_response(message)
            return
        if transaction is None:
            self._late_response(message, call)
            return
        if call and not call.heard:
            call.heard = time.monotonic()
        if message.status < 200:
            transaction.provisional = True
            if call and call.state is State.CALLING and message.status > 100:
                call.state = State.RINGING
            return
        del self._transactions[key]
        if message.method == "INVITE" and message.status >= 300 and call:
            self._refused(call, message)
        transaction.done(message)

    def _late_response(self, message: Text, call: PeerCall | None) -> None:
        """A 2xx or a refusal that came again: its ACK was lost."""
        if call is None or message.method != "INVITE" or message.status < 200 or not self.acknowledges:
            return
        if message.status >= 300:
            self._refused(call, message)
        elif sip_text.tag(message.one("to")) == sip_text.tag(call.remote):
            self._acknowledge(call, message)
        else:
            call.notes.append("a second 2xx with another tag")

    def _refused(self, call: PeerCall, message: Text) -> None:
        remote, call.remote = call.remote, message.one("to")
        data = self._octets("ACK", call, message.branch, "", message.cseq)
        call.remote = remote
        self._put(call, data)

    def _on_request(self, message: Text, source: tuple[str, int]) -> None:
        if message.method == "ACK":
            self._unacknowledged.pop(message.call_id, None)
            call = self.calls.get(message.call_id)
            if call and call.state is State.RINGING and not call.ours and call.status and call.status < 300:
                call.state, call.answered = State.UP, time.monotonic()
            return
        key = (message.branch, message.method, message.call_id)
        known = self._answers.get(key)
        if known is not None:
            self.repeated += 1
            call = self.calls.get(message.call_id)
            if call and message.method == "INVITE":
                call.invites += 1
            if known:
                self._reply_octets(known, source, message)
            return
        self._answers[key] = b""
        handler = {
            "INVITE": self._on_invite, "BYE": self._on_bye, "CANCEL": self._on_cancel, "UPDATE": self._on_change,
            "OPTIONS": self._on_other, "INFO": self._on_other, "NOTIFY": self._on_other, "MESSAGE": self._on_other,
        }.get(message.method)  # fmt: skip
        if handler is None:
            self._answer(message, source, 405)
        else:
            handler(message, source)

    def _reply_octets(self, data: bytes, source: tuple[str, int], message: Text) -> None:
        if isinstance(self.wire, TcpWire):
            self.wire.reply(data, source)
        else:
            self.wire.send(data, source)

    def _answer(self, message: Text, source: tuple[str, int], status: int, body: str = "", to_tag: str = "") -> bytes:
        to = message.one("to")
        if status > 100 and not sip_text.tag(to):
            to += f";tag={to_tag or 'peer'}"
        headers = [
            *(("Via", each) for each in message.all("via")),
            *(("Record-Route", each) for each in message.all("record-route")),
            ("From", message.one("from")),
            ("To", to),
            ("Call-ID", message.call_id),
            ("CSeq", message.one("cseq")),
            ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO"),
        ]
        if status > 100 and message.method == "INVITE":
            headers += self.extra if status >= 200 else []
        if not any(name == "Contact" for name, _ in headers):
            headers.append(("Contact", f"<sip:peer@{self.address}{';transport=tcp' if self.tcp else ''}>"))
        data = sip_text.write(f"SIP/2.0 {status} {'OK' if status < 300 else 'No'}", headers, body)
        self._answers[message.branch, message.method, message.call_id] = data
        self._reply_octets(data, source, message)
        return data

    def _on_invite(self, message: Text, source: tuple[str, int]) -> None:
        call = self.calls.get(message.call_id)
        if sip_text.tag(message.one("to")):
            self._on_change(message, source)
            return
        if call is not None and self.status >= 300:  # again, with credentials or at another place
            call.invites += 1
            self._answer(message, source, self.status)
            return
        if call is not None:
            call.notes.append("a second INVITE with its Call-ID")
            self._answer(message, source, 482)
            return
        tag = self.dice.randbytes(8).hex()
        call = PeerCall(message.call_id, f"{message.one('to')};tag={tag}", message.one("from"), ours=False)
        call.user = sip_text.uri(message.one("to")).partition("@")[0].removeprefix("sip:")
        call.target = sip_text.uri(message.one("contact"))
        call.routes = message.all("record-route")
        try:
            call.place = source if self.tcp else sip_text.place(call.target)
        except ValueError:
            call.place = source
        call.invite, call.invites, call.state = message, 1, State.RINGING
        self.calls[call.call_id] = call
        if self.media:
            call.stream = self.media.open()
            call.stream.speaks = self.speaks
            self._learn_media(call, message.body)
        self._answer(message, source, 180, to_tag=tag)
        if self.ring_time >= 0:
            self._later(self.ring_time, lambda: self._take(call, source))

    def _take(self, call: PeerCall, source: tuple[str, int]) -> None:
        """Give a call that came its final answer."""
        if call.state is not State.RINGING or call.invite is None:
            return
        call.status = self.status
        tag = sip_text.tag(call.local)
        if self.status >= 300:
            call.state = State.REFUSED
            self._answer(call.invite, source, self.status, to_tag=tag)
            return
        body = self._description()
        data = self._answer(call.invite, source, self.status, body, tag)
        self._unacknowledged[call.call_id] = (data, source)
        if not self.tcp:
            self._later(T1, lambda: self._repeat_answer(call, source, T1, time.monotonic() + GIVEN_UP))

    def _repeat_answer(self, call: PeerCall, source: tuple[str, int], interval: float, until: float) -> None:
        waiting = self._unacknowledged.get(call.call_id)
        if waiting is None or call.over:
            return
        if time.monotonic() > until:
            call.notes.append("our 2xx was never acknowledged")
            self._end(call, State.LOST)
            return
        self._put(call, waiting[0], source)
        interval = min(2 * interval, T2)
        self._later(interval, lambda: self._repeat_answer(call, source, interval, until))

    def _on_change(self, message: Text, source: tuple[str, int]) -> None:
        call = self.calls.get(message.call_id)
        if call is None or call.over:
            self._answer(message, source, 481)
            return
        call.updates += 1
        contact = sip_text.uri(message.one("contact"))
        if contact:
            call.target = contact
        self._learn_media(call, message.body)
        needs = bool(message.body) or message.method == "INVITE"
        body = self._description(1 + call.updates)
        self._answer(message, source, 200, body if needs else "")

    def _on_bye(self, message: Text, source: tuple[str, int]) -> None:
        call = self.calls.get(message.call_id)
        if call is None or call.over:
            self._answer(message, source, 481)
            return
        call.reason = message.one("reason")
        self._answer(message, source, 200)
        self._end(call, State.ENDED)

    def _on_cancel(self, message: Text, source: tuple[str, int]) -> None:
        call = self.calls.get(message.call_id)
        if call is None or call.invite is None:
            self._answer(message, source, 481)
            return
        self._answer(message, source, 200)
        if call.state is State.RINGING and not call.status:
            call.reason = message.one("reason")
            call.status = 487
            self._answer(call.invite, source, 487, to_tag=sip_text.tag(call.local))
            self._end(call, State.REFUSED)

    def _on_other(self, message: Text, source: tuple[str, int]) -> None:
        self._answer(message, source, 200)
