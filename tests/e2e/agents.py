"""What the tests of the man page share: two user agents of ours, and a SIP peer made of sipcore. Not a test."""

import asyncio
import os
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo
from sipswarm.sipcore.auth.digest_server import DigestServer
from sipswarm.sipcore.message.hop import bracketed
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.message.tokens import Tokens

SDP = "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
_PORTS = count(20000, 400)


def rtp_ports() -> tuple[int, int]:
    """A range of RTP ports of one's own, because ports rest after use."""
    low = 20000 + (next(_PORTS) - 20000) % 12000
    return low, low + 398


def agent(from_: str = "sip:alice@127.0.0.1", *legs: str, **options: Any) -> UserAgent:
    """A user agent on free ports."""
    return UserAgent(from_, legs=legs or ("udp:127.0.0.1:0",), rtp_ports=rtp_ports(), **options)


def address_of(ua: UserAgent, user: str = "bob", leg: int = 0) -> str:
    """The SIP URI under which it listens."""
    return f"sip:{user}@{str(ua.legs[leg]).partition(':')[2]}"


def note(log: list[Any], item: Any) -> bool:
    """Remember something; true, so that a filter or `cb_create` made of it accepts."""
    log.append(item)
    return True


def start_echo(call: Call, param: object) -> bool:
    """An `init_media` that may be joined to a note by `and`."""
    echo()(call, param)
    return True


def run(scenario: Callable[[UserAgent, UserAgent], Any], *legs: str) -> None:
    """Run a scenario with two user agents, alice and bob."""

    async def main() -> None:
        alice, bob = agent("sip:alice@127.0.0.1", *legs), agent("sip:bob@127.0.0.1", *legs)
        async with asyncio.timeout(50), alice, bob:
            await scenario(alice, bob)

    asyncio.run(main())


class Repetitions:
    """Which requests have come before: the same method with the same branch of the same sender (RFC 3261 17.2.3).

    A machine that stops for half a second sends a request twice (17.1.1.2, 17.1.2.2), which is one request all the
    same.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str | None, str, int | None, str], list[bytes]] = {}

    def answers(self, request: Request, fresh: Callable[[], list[bytes]]) -> list[bytes]:
        """What to send: at the first copy what `fresh` says, at a later one the newest answer to the request again.

        A 2xx to INVITE is not sent again for a copy (RFC 6026 7.1).
        """
        via = request.via
        key = (via.branch, via.host, via.port, request.method)
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = fresh()
            return known
        if request.method != "INVITE":
            return known[:1]  # what else was sent answers another request
        return [] if any(each.startswith(b"SIP/2.0 2") for each in known) else known[-1:]


class Peer(asyncio.DatagramProtocol):
    """A UDP peer that answers each request as a function says, and remembers what came.

    answer: gives the responses to a request. hears_all: it is also asked about every repetition of a request, which
    else gets what the first one got, and is nothing new. host, port: its address.
    """

    def __init__(
        self,
        answer: Callable[[Request], Sequence[Response]],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        hears_all: bool = False,
    ) -> None:
        self._answer = answer
        self.host = host
        self._wanted = port
        self._repetitions = None if hears_all else Repetitions()
        self.requests: list[Request] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, self._wanted))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    @property
    def port(self) -> int:
        """Its UDP port."""
        return int(self._transport.get_extra_info("sockname")[1])

    def uri(self, user: str = "peer") -> str:
        """Its SIP URI."""
        return f"sip:{user}@{bracketed(self.host)}:{self.port}"

    def methods(self) -> list[str]:
        """The methods that came, in order, ACK left out."""
        return [request.method for request in self.requests if request.method != "ACK"]

    def send(self, response: Response, request: Request, place: tuple[str, int] | None = None) -> None:
        """Send a response later, to a place, or to where a request's Via says."""
        self._transport.sendto(response.to_bytes(), place or (request.via.host, request.via.port or 5060))

    def send_octets(self, data: bytes, request: Request) -> None:
        """Send anything to where a request came from."""
        self._transport.sendto(data, (request.via.host, request.via.port or 5060))

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Part of asyncio's protocol."""
        message = parse(data)
        if not isinstance(message, Request):
            return

        def fresh() -> list[bytes]:
            self.requests.append(message)
            return [self.octets(response, message) for response in self._answer(message)]

        for octets in fresh() if self._repetitions is None else self._repetitions.answers(message, fresh):
            self._transport.sendto(octets, addr)

    def octets(self, response: Response, request: Request) -> bytes:
        """A response as it leaves."""
        return response.to_bytes()


def reply(request: Request, status: int, *extra: tuple[str, str], peer: Peer | None = None) -> Response:
    """A response with a tag; a 2xx to INVITE also has a contact and a description."""
    if request.method == "INVITE" and 200 <= status < 300 and peer is not None:
        body = SDP.format(port=9)
        if ":" in peer.host:
            body = body.replace("IP4 127.0.0.1", f"IP6 {peer.host}")
        contact = ("Contact", f"<{peer.uri()}>")
        return Response.to_request(
            request, status, to_tag="peer", extra=(contact, *extra), body=body.encode(), content_type="application/sdp"
        )
    return Response.to_request(request, status, to_tag="" if status == 100 else "peer", extra=extra)


def gate(realm: str = "test", user: str = "alice", password: str = "secret") -> Callable[[Request], Response | None]:
    """A function that challenges: None for a request with the right password, else its 401."""
    server = DigestServer(os.urandom(16), realm, Tokens(os.urandom), window=1)

    def judge(request: Request) -> Response | None:
        now = asyncio.get_running_loop().time()
        verdict = server.verify(request, {user: password}.get, now)
        if verdict.ok:
            return None
        status, headers = server.refusal(verdict, now)
        return reply(request, status, *headers)

    return judge
