"""`sipswarm proxy --nat` with real processes: phones whose Contact and Via name an address of another network."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from sipswarm.sipcore.message.framing import StreamFramer
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse

from .servers import BOTH, Server, serving

PRIVATE = "10.9.9.9"
"""The address that a phone has in its own network, and that nothing here leads to."""
Message = Request | Response


class Phone:
    """A phone behind a NAT: it writes its private address, and sends from another one."""

    def __init__(self, name: str, transport: str, port: int) -> None:
        self.name = name
        self.transport = transport
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(1.0)
        self._socket.connect(("127.0.0.1", port))
        self._framer = StreamFramer(0.0)
        self._came: list[Message] = []
        self.contact = f"<sip:{name}@{PRIVATE}:5060;transport={transport}>"

    @property
    def port(self) -> int:
        """The port that its NAT gives it."""
        number: int = self._socket.getsockname()[1]
        return number

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(self, method: str, uri: str, *lines: str, number: int = 1, to: str = "") -> bytes:
        """A request of it, whose Via asks for no rport."""
        text = (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {PRIVATE}:5060;branch=z9hG4bK-{self.name}-{number}",
            *("Max-Forwards: 70", f"From: <sip:{self.name}@127.0.0.1>;tag={self.name}", f"To: {to or f'<{uri}>'}"),
            *("Call-ID: one-call", f"CSeq: {number} {method}", *lines, "Content-Length: 0"),
        )
        return "\r\n".join((*text, "", "")).encode()

    def heard(self, wanted: Callable[[Message], bool], repeated: bytes = b"") -> Message:
        """The first message of a kind that comes; what asks for it is repeated over UDP."""
        for _ in range(20):
            if repeated:
                self.send(repeated)
                repeated = repeated if self.transport == "udp" else b""
            with suppress(TimeoutError):
                while True:
                    while self._came:
                        each = self._came.pop(0)
                        if wanted(each):
                            return each
                    self._came += self._read()
        raise AssertionError(f"{self.name} has not heard it")

    def _read(self) -> list[Message]:
        data = self._socket.recv(65536)
        if self.transport == "udp":
            return [parse(data)]
        assert data, "the connection is closed"
        return [parse(each) for each in self._framer.feed(data, 0.0) if isinstance(each, bytes)]


@contextmanager
def phones(server: Server, *names: tuple[str, str]) -> Iterator[list[Phone]]:
    opened = [Phone(name, transport, server.ports[transport]) for name, transport in names]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


def is_answer(method: str, status: int) -> Callable[[Message], bool]:
    return lambda each: isinstance(each, Response) and (each.cseq.method, each.status) == (method, status)


def is_request(method: str) -> Callable[[Message], bool]:
    return lambda each: isinstance(each, Request) and each.method == method


@pytest.mark.parametrize("caller", ["udp", "tcp"])
@pytest.mark.parametrize("callee", ["udp", "tcp"])
def test_a_phone_behind_a_nat_is_registered_called_and_hung_up_by_either_side(caller: str, callee: str) -> None:
    with (
        serving("proxy", *BOTH, "--registrar", "--nat") as server,
        phones(server, ("alice", caller), ("bob", callee)) as (alice, bob),
    ):
        domain = f"127.0.0.1:{server.ports['udp']}"
        register = bob.request("REGISTER", f"sip:{domain}", f"Contact: {bob.contact}", to=f"<sip:bob@{domain}>")
        bob.heard(is_answer("REGISTER", 200), register)
        invite = alice.request("INVITE", f"sip:bob@{domain}", f"Contact: {alice.contact}", number=2)
        alice.send(invite)
        came = bob.heard(is_request("INVITE"))
        assert isinstance(came, Request)
        assert came.request_uri.host == PRIVATE
        contact = came.contacts[0].uri
        assert contact.host == PRIVATE
        answer = Response.to_request(came, 200, to_tag="bob", extra=[("Contact", bob.contact)])
        bob.send(answer.to_bytes())
        answered = alice.heard(is_answer("INVITE", 200))
        to = f"<sip:bob@{domain}>;tag=bob"
        recorded = answered.headers.values("record-route")
        route = f"Route: {', '.join(reversed(recorded))}"
        target = str(answered.contacts[0].uri)
        alice.send(alice.request("ACK", target, route, number=2, to=to))
        acked = bob.heard(is_request("ACK"))
        assert isinstance(acked, Request)
        assert acked.uri == bob.contact.strip("<>")
        back = f"Route: {', '.join(came.headers.values('record-route'))}"
        bye = bob.request("BYE", str(contact), back, number=3, to="<sip:alice@127.0.0.1>;tag=alice")
        bob.send(bye)
        ended = alice.heard(is_request("BYE"))
        assert isinstance(ended, Request)
        assert ended.uri == alice.contact.strip("<>")
        alice.send(Response.to_request(ended, 200).to_bytes())
        bob.heard(is_answer("BYE", 200))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


def test_without_the_option_the_contact_counts() -> None:
    with serving("proxy", *BOTH, "--registrar") as server, phones(server, ("bob", "tcp")) as (bob,):
        domain = f"127.0.0.1:{server.ports['tcp']}"
        contact = f"Contact: <sip:bob@{PRIVATE}:5060;transport=tls>"
        register = bob.request("REGISTER", f"sip:{domain}", contact, to=f"<sip:bob@{domain}>")
        bob.heard(is_answer("REGISTER", 200), register)
        bob.send(bob.request("OPTIONS", f"sip:bob@{domain}", number=2))
        bob.heard(is_answer("OPTIONS", 503))


def test_a_long_request_to_a_phone_behind_a_nat_leaves_by_udp_and_tries_no_connection() -> None:
    """A NAT lets no connection in, and one that nothing answers would keep the request for seconds."""
    with (
        serving("proxy", *BOTH, "--registrar", "--nat") as server,
        phones(server, ("bob", "udp"), ("alice", "tcp")) as (bob, alice),
        socket.create_server(("127.0.0.1", bob.port)) as same_port,
    ):
        same_port.setblocking(False)
        domain = f"127.0.0.1:{server.ports['udp']}"
        register = bob.request("REGISTER", f"sip:{domain}", f"Contact: {bob.contact}", to=f"<sip:bob@{domain}>")
        bob.heard(is_answer("REGISTER", 200), register)
        alice.send(alice.request("MESSAGE", f"sip:bob@{domain}", f"Subject: {'x' * 2000}", number=2))
        assert len(bob.heard(is_request("MESSAGE")).headers.get("Subject") or "") == 2000
        with pytest.raises(BlockingIOError):
            same_port.accept()
