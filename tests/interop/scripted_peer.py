"""A peer of a scenario file that does as a test says: a UDP socket that receives, answers and asks, in that order."""

import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .processes import LOOPBACK

PATIENCE = 8.0
"""Seconds in which a message must come that a test waits for."""


class ScriptedPeer:
    """One UDP socket, and the messages that it has received."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._other: tuple[str, int] | None = None
        self.messages: list[str] = []
        """What has come, Latin-1."""
        self.times: list[float] = []
        """When it came, in monotonic seconds."""

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def to(self, port: int) -> None:
        """Send to this port of loopback, before anything has come from there."""
        self._other = (LOOPBACK, port)

    def expect(self, seconds: float = PATIENCE) -> str:
        """Receive one message.

        Raises:
            AssertionError: none came in time.
        """
        self._socket.settimeout(seconds)
        try:
            octets, self._other = self._socket.recvfrom(65536)
        except TimeoutError:
            raise AssertionError(f"nothing came in {seconds:g} s; before: {self.names}") from None
        self.times.append(time.monotonic())
        self.messages.append(octets.decode("latin-1"))
        return self.messages[-1]

    def listen(self, seconds: float, most: int = 100) -> None:
        """Receive what comes in this time, at most so many messages."""
        until = time.monotonic() + seconds
        for _ in range(most):
            try:
                self.expect(max(0.001, until - time.monotonic()))
            except AssertionError:
                return

    def send(self, text: str) -> None:
        """Send a message as it is."""
        assert self._other is not None
        self._socket.sendto(text.encode("latin-1"), self._other)

    def respond(self, code: int, more: str = "", to: int = -1) -> None:
        """Answer a message that came.

        Args:
            more: further header lines, each with its line end.
            to: which one; -1 = the last.
        """
        self.send(response_to(self.messages[to], code, more))

    @property
    def names(self) -> list[str]:
        """Method or status code of each message."""
        return [name_of(each) for each in self.messages]


Play = Callable[[ScriptedPeer], None]
"""What a peer does in a test."""


def name_of(text: str) -> str:
    """Method or status code of a message."""
    words = text.split(" ", 2)
    return words[1] if words[0] == "SIP/2.0" else words[0]


def header(text: str, name: str) -> str:
    """The value of a header of a message."""
    found = [line.partition(":")[2].strip() for line in text.split("\r\n") if line.startswith(f"{name}:")]
    assert found, f"no {name} in {text!r}"
    return found[0]


def response_to(request: str, code: int, more: str = "") -> str:
    """A response; `more` are further header lines, each with its line end."""
    to = header(request, "To")
    tag = "" if ";tag=" in to else ";tag=peer"
    return (
        f"SIP/2.0 {code} Some\r\nVia: {header(request, 'Via')}\r\nFrom: {header(request, 'From')}\r\nTo: {to}{tag}\r\n"
        f"Call-ID: {header(request, 'Call-ID')}\r\nCSeq: {header(request, 'CSeq')}\r\n{more}"
        "Contact: <sip:b@127.0.0.1:5070>\r\nContent-Length: 0\r\n\r\n"
    )


def request(method: str, number: int = 1, more: str = "", call_id: str = "peer-1") -> str:
    """A request of the peer within its call."""
    return (
        f"{method} sip:a@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{method}{number}\r\n"
        f"From: <sip:b@127.0.0.1>;tag=peer\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {number} {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
