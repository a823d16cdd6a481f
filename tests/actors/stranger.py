"""A stranger on a UDP socket who writes SIP by hand, to a user agent whose tables a test looks at. Not a test."""

import asyncio
import re
import socket
from collections.abc import Iterator
from typing import Self

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.worker import CallWorker
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.workers import worker_of

SDP = b"v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
NO_SDP = SDP.removeprefix(b"v=0\r\n")
FOREIGN_SDP = SDP.replace(b"RTP/AVP 0", b"RTP/AVP 100") + b"a=rtpmap:100 nobody-has-it/8000\r\n"


def invite(number: int, host: str, port: int, *headers: str, body: bytes = SDP, cseq: int = 1) -> bytes:
    """The INVITE of call `number`; the same arguments give the same octets."""
    kind = ("Content-Type: application/sdp",) if body else ()
    lines = (
        "INVITE sip:bob@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{number}-{cseq};rport",
        "Max-Forwards: 70",
        f"From: <sip:stranger@{host}>;tag=f{number}",
        "To: <sip:bob@127.0.0.1>",
        f"Call-ID: call-{number}@{host}",
        f"CSeq: {cseq} INVITE",
        f"Contact: <sip:stranger@{host}:{port}>",
        *headers,
        *kind,
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def follow_up(
    method: str, first: bytes, answer: Response | None = None, *, cseq: int = 0, branch: str = "", body: bytes = b""
) -> bytes:
    """A request that follows an INVITE: ACK of a failure and CANCEL as they must be, else one of the dialog.

    answer: gives the To tag. cseq, branch: in place of the INVITE's. body: a description.
    """
    text = first.partition(b"\r\n\r\n")[0].decode()
    if branch:
        text = re.sub(r"branch=[^;]+", f"branch={branch}", text)
    number = cseq or int(re.findall(r"CSeq: (\d+)", text)[0])
    text = re.sub(r"CSeq: [^\r]*", f"CSeq: {number} {method}", text)
    text = text.replace("INVITE sip:", f"{method} sip:", 1)
    if answer is not None and answer.to_tag:
        text = text.replace("To: <sip:bob@127.0.0.1>", f"To: <sip:bob@127.0.0.1>;tag={answer.to_tag}")
    kept = [each for each in text.split("\r\n") if not each.startswith(("Content-", "Require", "Session-", "Replaces"))]
    kind = ("Content-Type: application/sdp",) if body else ()
    return "\r\n".join((*kept, *kind, f"Content-Length: {len(body)}", "", "")).encode() + body


def within(method: str, first: bytes, answer: Response, cseq: int, body: bytes = b"") -> bytes:
    """A request of the dialog that an INVITE and its 2xx have made."""
    return follow_up(method, first, answer, cseq=cseq, branch=f"z9hG4bK-{method}-{cseq}", body=body)


class Stranger:
    """A UDP socket that sends octets to a user agent and reads what comes back."""

    def __init__(self, ua: UserAgent) -> None:
        self.worker: CallWorker = worker_of(ua)
        self.worker.actor_loop.now = asyncio.get_running_loop().time  # that of a virtual loop
        self._to = (ua.legs[0].host, ua.legs[0].port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(self, *messages: bytes) -> None:
        """Send datagrams, all before anybody reads one."""
        for each in messages:
            self._socket.sendto(each, self._to)

    async def exchange(self, *messages: bytes, seconds: float = 0.02) -> list[Request | Response]:
        """Send datagrams and let time pass; what came back."""
        self.send(*messages)
        await asyncio.sleep(seconds)
        return list(self._read())

    async def octets(self, *messages: bytes, seconds: float = 0.02) -> list[bytes]:
        """As `exchange`; the octets that came back, whether they can be read or not."""
        self.send(*messages)
        await asyncio.sleep(seconds)
        return list(self._datagrams())

    def _read(self) -> Iterator[Request | Response]:
        return map(parse, self._datagrams())

    def _datagrams(self) -> Iterator[bytes]:
        while True:
            try:
                yield self._socket.recv(65536)
            except BlockingIOError:
                return

    def invite(self, number: int, *headers: str, body: bytes = SDP, cseq: int = 1) -> bytes:
        """As `invite`, from this socket."""
        return invite(number, self.host, self.port, *headers, body=body, cseq=cseq)


def finals(messages: list[Request | Response], method: str = "INVITE") -> list[Response]:
    """The final responses among messages to requests of a method."""
    return [m for m in messages if isinstance(m, Response) and m.status >= 200 and m.cseq.method == method]


def statuses(messages: list[Request | Response], method: str = "INVITE") -> list[int]:
    """The statuses of responses to requests of a method, in order, repetitions left out."""
    found = [m.status for m in messages if isinstance(m, Response) and m.cseq.method == method]
    return list(dict.fromkeys(found))
