"""The calls whose media a proxy relays: their descriptions name ports of a media worker, one pair toward each side.

A call is found by its Call-ID and the tag of the side that began it, so the messages of its dialogs are those of one
call, in both directions. Every description in them (INVITE, 18x, 2xx, ACK, PRACK, UPDATE; RFC 3264, RFC 3262, RFC
3311) is written anew before the message leaves. A description takes effect at once; the offer of a later change when
its answer comes, and not at all when it is refused. While ports are opened the messages of their call wait, in order. A
call ends with the answer to BYE, with a refused INVITE, and when all of its lines were silent. This table is all that a
proxy keeps of calls. Nothing is sent from here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.relayed import MediaPlace, media_places, relayed
from sipswarm.sipcore.server.proxy import Forward

from ..counting.totals import Cell
from ..handle.media_lease import MediaLease
from ..runtime.peer import MaySend, Peer

MOST_WAITING: Final = 16
"""Messages of one call that wait for its ports; their senders repeat further ones."""
CHALLENGES: Final = (401, 407)
DESCRIBING: Final = frozenset(("INVITE", "ACK", "PRACK", "UPDATE"))
"""Methods whose requests and responses have offers and answers."""
_FAILED: Final = "a message of a relayed call could not be sent on"
Places = tuple[MediaPlace | None, ...]
"""The places of a description, by media line."""
Facing = tuple[str, str]
"""A local address: that which the peer sees, and that of the socket."""


class Passing(NamedTuple):
    """A message on its way through the proxy."""

    message: Request | Response
    """As it came."""
    onward: Forward
    """As it goes on, without relay."""
    source: str
    """The host that it came from."""
    here: Facing
    """The address toward its sender."""
    there: Facing
    """The address toward its receiver."""
    send: Callable[[Forward], None]
    """Sends it on."""
    refuse: Callable[[], None]
    """Answers a request that cannot be relayed."""


class _Offer(NamedTuple):
    """A description that waits for its answer."""

    cseq: int
    method: str
    side: int
    places: Places
    source: str


class _Line:
    """One media line of a call: a port toward each side, and what is known of the sides."""

    __slots__ = ("known", "ports")

    def __init__(self, ports: tuple[MediaLease, MediaLease]) -> None:
        self.ports = ports
        self.known: list[tuple[MediaPlace, str] | None] = [None, None]

    def close(self) -> None:
        """Release both ports."""
        for port in self.ports:
            port.release()


class _Call:
    """One relayed call. Side 0 is the caller."""

    __slots__ = ("addresses", "answered", "caller", "first", "key", "lines", "offer", "opening", "waiting")

    def __init__(self, call_id: str, caller: str, addresses: tuple[Facing, Facing]) -> None:
        self.key = call_id, caller
        self.caller = caller
        self.addresses = addresses
        """The local address toward each side."""
        self.lines: dict[int, _Line] = {}
        self.waiting: deque[Passing] = deque()
        self.opening: list[int] = []
        """Media lines whose ports are being opened."""
        self.offer: _Offer | None = None
        self.first = -1
        """CSeq of the INVITE that began the call; -1 = it was not seen."""
        self.answered: set[str] = set()
        """Tags of the callees that have accepted it."""

    def sender_of(self, message: Request | Response) -> int:
        """Return the side that has sent a message."""
        return 0 if ((message.from_tag or "") == self.caller) is isinstance(message, Request) else 1

    def knows(self, side: int, places: Places) -> bool:
        """Whether a line of these was described by a side before."""
        return any(
            place is not None and number in self.lines and self.lines[number].known[side] is not None
            for number, place in enumerate(places)
        )


class RelayedCalls:
    """The relayed calls of one proxy.

    Args:
        lease: opens a media port: the address that peers see, that of the socket, and what is called with the cause
            when it is gone, "silent" among them.
        most: calls at a time; further ones are refused.
        limit: seconds without a packet after which a line is released.
        may_send: judges the addresses that descriptions name.
        attempt: runs code whose failure must not stop the rest, after a text for the log.
        count: called with how a call ended: bye, failed, silent, lost or refused.
        active: shows the number of calls.
        dropped: called for each message that found no place among those that wait.
        flush_soon: sends soon what was produced.
    """

    def __init__(
        self,
        lease: Callable[[str, str, Callable[[str], None]], MediaLease],
        *,
        most: int,
        limit: float,
        may_send: MaySend | None,
        attempt: Callable[..., bool],
        count: Callable[[str], None],
        active: Cell,
        dropped: Callable[[], None],
        flush_soon: Callable[[], None],
    ) -> None:
        self._lease = lease
        self._most = most
        self._limit = limit
        self._may_send = may_send
        self._attempt = attempt
        self._count = count
        self._active = active
        self._dropped = dropped
        self._flush_soon = flush_soon
        self._calls: dict[tuple[str, str], _Call] = {}
        self._ours: set[tuple[str, int]] = set()
        """The ports of all lines, as peers see them."""

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, passing: Passing) -> None:
        """Send a message on with its description for the relay; it waits when ports are to be opened first."""
        try:
            call = self._find(passing.message)
        except ParseError:
            passing.send(passing.onward)
            return
        if call is None or not call.opening:
            self._try(call, passing)
        elif len(call.waiting) < MOST_WAITING:
            call.waiting.append(passing)
        else:
            self._dropped()

    def _find(self, message: Request | Response) -> _Call | None:
        call_id, calls = message.call_id, self._calls
        return calls.get((call_id, message.from_tag or "")) or calls.get((call_id, message.to_tag or ""))

    def _try(self, call: _Call | None, passing: Passing) -> None:
        """Take a message; one that cannot be read goes on as it is."""
        try:
            self._take(call, passing)
        except ParseError:
            passing.send(passing.onward)

    def _take(self, call: _Call | None, passing: Passing) -> None:
        description = _description(passing.message)
        places: Places = () if description is None else self._relayable(description)
        missing = [number for number, place in enumerate(places) if place is not None]
        if call is None and missing:
            if len(self._calls) >= self._most:
                self._count("refused")
                self._refuse(passing)
                return
            call = self._new(passing)
        if call is None:
            passing.send(passing.onward)
            return
        missing = [number for number in missing if number not in call.lines]
        if missing:
            self._open(call, passing, missing)
        else:
            self._pass(call, passing, description, places)

    def _relayable(self, description: SessionDescription) -> Places:
        """Return the places of a description, without those that are ports of ours: it came by here before."""
        return tuple(
            None if place is None or (place.address, place.port) in self._ours else place
            for place in media_places(description)
        )

    def _new(self, passing: Passing) -> _Call:
        message = passing.message
        sides = (passing.here, passing.there)
        is_request = isinstance(message, Request)
        call = _Call(message.call_id, message.from_tag or "", sides if is_request else sides[::-1])
        self._calls[call.key] = call
        self._active.value = len(self._calls)
        return call

    @staticmethod
    def _refuse(passing: Passing) -> None:
        """Refuse a request; what cannot be refused goes on with the addresses that it has."""
        if isinstance(passing.message, Request) and passing.message.method != "ACK":
            passing.refuse()
        else:
            passing.send(passing.onward)

    # ---- ports

    def _open(self, call: _Call, passing: Passing, missing: list[int]) -> None:
        """Open the ports of media lines, for a message that waits for them before all others."""
        call.opening = missing
        call.waiting.appendleft(passing)
        for number in missing:
            gone = partial(self._gone, call, number)
            one, two = (self._lease(*facing, gone) for facing in call.addresses)
            call.lines[number] = _Line((one, two))
        for number in missing:
            for port in call.lines[number].ports:
                port.ready.add_done_callback(lambda _: self._attempt(_FAILED, self._look, call))

    def _look(self, call: _Call) -> None:
        """Go on with what waits for the ports of a call, when all of them have their answer."""
        lines = [(number, call.lines[number]) for number in call.opening]
        ports = [port for _, line in lines for port in line.ports]
        if not lines or not all(port.ready.done() for port in ports):
            return
        call.opening = []
        first = call.waiting.popleft()
        failed = any(port.ready.exception() or port.line.closed for port in ports)
        if failed or len({port.worker for port in ports}) > 1:
            for number, _ in lines:
                self._close(call, number)
            if not call.lines:
                self._forget(call, "refused")
            self._refuse(first)
        else:
            self._ours.update((port.address, port.port) for port in ports)
            self._attempt(_FAILED, self._try, call, first)
        while call.waiting and not call.opening:
            self._attempt(_FAILED, self.take, call.waiting.popleft())
        self._flush_soon()

    def _gone(self, call: _Call, number: int, cause: str) -> None:
        """Take the end of a port, or the silence of a line: its ports are released, and the next offer opens others."""
        line = call.lines.get(number)
        if line is None or number in call.opening:
            return
        self._close(call, number)
        if not call.lines:
            self._forget(call, "silent" if cause == "silent" else "lost")

    def _close(self, call: _Call, number: int) -> None:
        line = call.lines.pop(number)
        self._ours.difference_update((port.address, port.port) for port in line.ports)
        line.close()

    def _forget(self, call: _Call, end: str) -> None:
        for number in list(call.lines):
            self._close(call, number)
        if self._calls.pop(call.key, None) is not None:
            self._active.value = len(self._calls)
            self._count(end)

    # ---- messages whose ports are there

    def _pass(self, call: _Call, passing: Passing, description: SessionDescription | None, places: Places) -> None:
        """Send a message of a call on, and take what it means for the relay."""
        onward = passing.onward
        sender = call.sender_of(passing.message)
        ports = {
            number: call.lines[number].ports[1 - sender].port
            for number, place in enumerate(places)
            if place is not None
        }
        if description is not None and ports:
            onward = _rewritten(passing, description, call.addresses[1 - sender][0], ports)
        if isinstance(passing.message, Request):
            self._note_request(call, passing.message, sender, places, passing.source)
        else:
            self._note_response(call, passing.message, sender, places, passing.source)
        passing.send(onward)

    def _note_request(self, call: _Call, request: Request, sender: int, places: Places, source: str) -> None:
        if request.method == "INVITE" and request.to_tag is None:
            call.first = request.cseq.number
        if request.method != "ACK" and call.knows(sender, places):
            call.offer = _Offer(request.cseq.number, request.method, sender, places, source)
        else:
            self._apply(call, sender, places, source)

    def _note_response(self, call: _Call, response: Response, sender: int, places: Places, source: str) -> None:
        self._apply(call, sender, places, source)
        cseq, status, offer = response.cseq, response.status, call.offer
        if offer is not None and (offer.cseq, offer.method, 1 - offer.side) == (cseq.number, cseq.method, sender):
            if 200 <= status < 300 or (status < 200 and any(places)):
                self._apply(call, offer.side, offer.places, offer.source)
            if status >= 200 or any(places):
                call.offer = None
        tag = response.to_tag or ""
        if cseq.method == "INVITE" and 200 <= status < 300:
            call.answered.add(tag if sender else response.from_tag or "")
        elif cseq.method == "INVITE" and status >= 300 and not call.answered and call.first == cseq.number:
            self._forget(call, "failed")
        elif cseq.method == "BYE" and status >= 200 and status not in CHALLENGES:
            call.answered.discard(tag if sender else response.from_tag or "")
            if not call.answered:
                self._forget(call, "bye")

    def _apply(self, call: _Call, side: int, places: Places, source: str) -> None:
        """Tell the media worker where a side receives. A hold does not say where, and changes nothing."""
        for number, place in enumerate(places):
            line = call.lines.get(number)
            if place is None or line is None:
                continue
            known = line.known[side]
            if known == (place, source) or (known is not None and not place.address):
                continue
            line.known[side] = place, source
            port = line.ports[side]
            permitted = self._permitted(place, port.address, source)
            port.relay(line.ports[1 - side], permitted, source, self._limit)

    def _permitted(self, place: MediaPlace, local: str, source: str) -> MediaPlace:
        """Return a place without addresses that cannot or must not be sent to; a packet that comes shows one then.

        Args:
            local: the address of the port.
            source: the host that has named the place.
        """
        for host in (place.address, place.rtcp_address):
            unlike = bool(host) and (":" in host) != (":" in local)
            if unlike or (host and self._may_send is not None and not self._may_send(host, Peer((source,)), "media")):
                return place._replace(address="", rtcp_address="")
        return place


def _description(message: Request | Response) -> SessionDescription | None:
    """Return the offer or answer of a message; None for one without, or with one that cannot be read."""
    if isinstance(message, Response) and message.status >= 300:
        return None  # it says what would be accepted (RFC 3261 section 21.4.26)
    body = message.description
    if not body or message.cseq.method not in DESCRIBING:
        return None
    try:
        return SessionDescription.parse(body)
    except ParseError:
        return None


def _rewritten(passing: Passing, description: SessionDescription, address: str, ports: Mapping[int, int]) -> Forward:
    """Return a message as it goes on, with the places of the relay in its description."""
    message = parse(passing.onward.data)
    body = message.body.replace(message.description, relayed(description, address, ports), 1)
    onward = passing.onward
    if isinstance(message, Request):
        return onward._replace(data=Request(message.method, message.uri, message.headers, body).to_bytes())
    return onward._replace(data=Response(message.status, message.reason, message.headers, body).to_bytes())
