"""A 2xx that comes when its INVITE is over is acknowledged and hung up, while the load that placed the call goes on."""

import socket
import socketserver
import threading
import time
from contextlib import suppress
from pathlib import Path

from sipswarm.actors.cli import main
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse

WORKERS = ["--call-workers", "1", "--media-workers", "1", "--quiet"]


class TwoMinds(socketserver.ThreadingTCPServer):
    """A callee over TCP that refuses each INVITE, and then accepts it all the same; its 200 comes `times` times."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, times: int) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.StreamRequestHandler)
        self.port = self.server_address[1]
        self.contact = f"sip:late@127.0.0.1:{self.port};transport=tcp"
        self.times = times
        self.requests: list[Request] = []

    def __enter__(self) -> "TwoMinds":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def finish_request(self, request: object, client_address: object) -> None:
        """Serve a connection; part of socketserver."""
        assert isinstance(request, socket.socket)
        octets = request.makefile("rb")
        while head := b"".join(iter(octets.readline, b"\r\n")):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            message = parse(head + b"\r\n" + octets.read(length))
            assert isinstance(message, Request)
            self.requests.append(message)
            for each in self._answers(message):
                with suppress(OSError):  # the run is over
                    request.sendall(each.to_bytes())

    def _answers(self, message: Request) -> list[Response]:
        if message.method == "INVITE":
            return [Response.to_request(message, 486, to_tag="a")]
        if message.method == "ACK" and message.to_tag == "a":
            time.sleep(0.3)  # the INVITE is over at once: timer D is zero over TCP
            invite = next(each for each in self.requests if each.call_id == message.call_id)
            contact = (("Contact", f"<{self.contact}>"),)
            return [Response.to_request(invite, 200, to_tag="b", extra=contact)] * self.times
        return [Response.to_request(message, 200)] if message.method == "BYE" else []


def test_a_load_over_tcp_hangs_up_a_callee_that_answers_after_its_refusal(tmp_path: Path) -> None:
    with TwoMinds(times=2) as peer:
        target = f"sip:peer@127.0.0.1:{peer.port};transport=tcp"
        arguments = ["load", target, "-m", "3", "-r", "1", "--out", str(tmp_path), *WORKERS, "--expect-code", "486"]
        assert main(arguments) == 0
        requests = list(peer.requests)
    first = [each for each in requests if each.call_id == requests[0].call_id]
    assert [(each.method, each.to_tag) for each in first[:4]] == [
        ("INVITE", None),
        ("ACK", "a"),
        ("ACK", "b"),
        ("BYE", "b"),
    ]
    assert ("ACK", "b") in [(each.method, each.to_tag) for each in first[4:]]  # of the second copy
    assert {each.uri for each in first[2:]} == {peer.contact}
