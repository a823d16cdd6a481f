"""Clients of the port of /metrics that are slow, many or broken: another client gets its answer all the same."""

import errno
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.supervisor.http_server import DROPPED, LONGEST_HEAD, Answer, Asked, HttpServer

TIMEOUT = 10.0
PLACES = 4
LARGE = b"x" * 20_000_000
"""More than the buffers of a connection take."""
PATIENCE = 20.0
"""Seconds after which a client that gets nothing makes its test fail."""
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.0\r\n\r\n"


class Scene:
    """A server with a few places, its clock, and its clients."""

    def __init__(self) -> None:
        self.now = 100.0
        self.fails = False
        self.entered = threading.Semaphore(0)
        self.goes_on = threading.Event()
        self.totals = Totals()
        self.server = HttpServer(
            ("127.0.0.1", 0),
            {
                "/metrics": lambda asked: Answer(200, LARGE),
                "/healthz": self.health,
                "/accept": lambda asked: Answer(200, asked.header("Accept").encode()),
                "/query": lambda asked: Answer(200, asked.query.encode()),
                "/stands-still": self.stand_still,
            },
            self.totals,
            max_connections=PLACES,
            client_timeout=TIMEOUT,
            clock=lambda: self.now,
        )
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.clients: list[socket.socket] = []

    def close(self) -> None:
        self.goes_on.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for each in self.clients:
            each.close()

    def health(self, asked: Asked) -> Answer:
        if self.fails:
            raise RuntimeError("no health")
        return Answer(200, b"fine", "application/json")

    def stand_still(self, asked: Asked) -> Answer:
        self.entered.release()
        assert self.goes_on.wait(PATIENCE)
        return Answer(200, b"late")

    def client(self, octets: bytes = b"", host: str = "127.0.0.1") -> socket.socket:
        """A client that has connected and sent something. Connections are accepted in the order of their making."""
        one = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (host, 0))
        self.clients.append(one)
        one.sendall(octets)
        return one

    def answer(self, client: socket.socket) -> bytes:
        """What a client reads until the server closes its connection."""
        octets = bytearray()
        try:
            while more := client.recv(1 << 20):
                octets += more
        except ConnectionResetError:
            pass
        return bytes(octets)

    def health_answer(self, host: str = "127.0.0.1") -> bytes:
        return self.answer(self.client(HEALTH, host))

    def is_open(self, client: socket.socket) -> bool:
        """Whether the server has not closed a connection, on which it sent nothing."""
        client.setblocking(False)
        try:
            return client.recv(1) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            client.settimeout(PATIENCE)

    def dropped(self, reason: str) -> float:
        return self.totals.cell(DROPPED.name, reason).value


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def test_clients_that_never_end_their_request_do_not_keep_others_out(scene: Scene) -> None:
    silent = [scene.client(b"G") for _ in range(PLACES)]
    assert scene.health_answer().endswith(b"\r\n\r\nfine")
    assert [scene.is_open(each) for each in silent] == [False, True, True, True]
    assert scene.dropped("displaced") == 1


def test_clients_that_do_not_read_their_metrics_do_not_keep_others_out(scene: Scene) -> None:
    readers = [scene.client(METRICS) for _ in range(PLACES)]
    assert [each.recv(8) for each in readers] == [b"HTTP/1.0"] * PLACES
    assert scene.health_answer().endswith(b"\r\n\r\nfine")
    assert [len(scene.answer(each)) > len(LARGE) for each in readers] == [False, True, True, True]


def test_every_answer_comes_while_the_table_is_filled_again_and_again(scene: Scene) -> None:
    for _ in range(10):
        for octets in (b"", b"GET /me", METRICS, b"GET /healthz HTTP/1.0\r\n"):
            scene.client(octets)
        assert scene.health_answer().endswith(b"\r\n\r\nfine")
    assert scene.dropped("displaced") >= 10 * PLACES - PLACES
    assert scene.dropped("refused") == 0


def test_one_clock_runs_for_the_whole_request_however_often_an_octet_comes(scene: Scene) -> None:
    slow = scene.client(b"GET /healthz")
    scene.health_answer()  # the slow one is accepted
    for _ in range(3):
        scene.now += TIMEOUT / 4
        slow.sendall(b"z")
        scene.health_answer()
    assert scene.is_open(slow)
    scene.now += TIMEOUT / 4
    assert scene.answer(slow) == b""
    assert scene.dropped("deadline") == 1


def test_one_clock_runs_for_the_whole_answer_however_often_an_octet_is_read(scene: Scene) -> None:
    slow = scene.client(METRICS)
    for _ in range(4):
        assert slow.recv(10)
        scene.now += TIMEOUT / 4
    for _ in range(2):  # the server looks at the deadlines after each accept
        scene.health_answer()
    assert scene.dropped("deadline") == 1
    assert len(scene.answer(slow)) < len(LARGE)


def test_the_source_with_the_most_connections_makes_room(scene: Scene) -> None:
    first = scene.client(b"G", "127.0.0.2")
    crowd = [scene.client(b"G", "127.0.0.3") for _ in range(PLACES - 1)]
    assert scene.health_answer("127.0.0.4").endswith(b"fine")
    assert scene.is_open(first)
    assert [scene.is_open(each) for each in crowd] == [False, True, True]


def test_a_thread_that_does_not_end_keeps_its_place(scene: Scene) -> None:
    """So that there are never more threads than places."""
    for _ in range(PLACES):
        scene.client(b"GET /stands-still HTTP/1.0\r\n\r\n")
    for _ in range(PLACES):
        assert scene.entered.acquire(timeout=PATIENCE)
    assert scene.health_answer() == b""
    assert scene.dropped("refused") == 1
    scene.goes_on.set()
    assert scene.health_answer().endswith(b"fine")


def test_without_a_descriptor_a_connection_makes_room(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = scene.client(b"G")
    scene.health_answer()  # the silent one is accepted
    refusals = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ECONNABORTED, "gone")]
    accept = ThreadingHTTPServer.get_request

    def get_request(server: ThreadingHTTPServer) -> tuple[socket.socket, Any]:
        if refusals:
            raise refusals.pop(0)
        return accept(server)

    monkeypatch.setattr(ThreadingHTTPServer, "get_request", get_request)
    assert scene.health_answer().endswith(b"fine")
    assert scene.answer(silent) == b""
    assert scene.dropped("no_descriptor") == 1


def test_a_request_without_end_is_too_long(scene: Scene) -> None:
    start = b"GET /healthz HTTP/1.0\r\nX: "
    endless = scene.client(start + b"y" * (LONGEST_HEAD + 1 - len(start)))
    assert scene.answer(endless).startswith(b"HTTP/1.0 431 ")


def test_many_headers_are_too_long(scene: Scene) -> None:
    lines = b"X: y\r\n" * 50
    assert b" 200 " in scene.answer(scene.client(b"GET /healthz HTTP/1.0\r\n" + lines + b"\r\n"))
    start = b"GET /healthz HTTP/1.0\r\n"
    line = b"X: " + b"y" * 1000 + b"\r\n"
    several = start + line * ((LONGEST_HEAD - len(start)) // len(line))
    endless = scene.client(several + b"z" * (LONGEST_HEAD + 1 - len(several)))
    assert scene.answer(endless).startswith(b"HTTP/1.0 431 ")


def test_a_request_line_without_end_gets_no_answer(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    assert scene.answer(scene.client(b"GET /" + b"y" * (LONGEST_HEAD - 4))) == b""
    assert not caplog.records


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (HEALTH, b"200", b"fine"),
        (b"GET /healthz?x=1 HTTP/1.1\n\n", b"200", b"fine"),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", b"200", b""),
        (b"GET /accept HTTP/1.0\r\naccept: a\r\nAccept:b;q=1\r\n\r\n", b"200", b"a, b;q=1"),
        (b"GET /query?a=b%20c&d HTTP/1.0\r\n\r\n", b"200", b"a=b%20c&d"),
        (
            b"GET / HTTP/1.0\r\n\r\n",
            b"404",
            b"here are /metrics and /healthz and /accept and /query and /stands-still\n",
        ),
    ],
)
def test_a_request_gets_the_answer_of_its_path(scene: Scene, request_: bytes, status: bytes, body: bytes) -> None:
    head, _, found = scene.answer(scene.client(request_)).partition(b"\r\n\r\n")
    assert (head.split(b" ")[1], found) == (status, body)


def test_another_method_is_refused(scene: Scene) -> None:
    assert scene.answer(scene.client(b"POST /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 501 ")


def test_a_page_that_raises_costs_its_connection_only(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.fails = True
    assert scene.health_answer() == b""
    assert "no health" in caplog.text
    scene.fails = False
    assert scene.health_answer().endswith(b"fine")


def test_clients_that_go_away_leave_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """More of them than there are places, and none is displaced."""
    for octets in (b"", b"GET /me", METRICS) * PLACES:
        gone = scene.client(octets)
        gone.shutdown(socket.SHUT_WR)
        scene.answer(gone)
        gone.close()
    reset = scene.client(METRICS)
    assert reset.recv(8) == b"HTTP/1.0"
    reset.close()
    assert scene.health_answer().endswith(b"fine")
    assert scene.dropped("deadline") == scene.dropped("displaced") == 0
    assert not caplog.records


def test_the_end_of_the_server_ends_its_connections(scene: Scene) -> None:
    silent, reader = scene.client(b"G"), scene.client(METRICS)
    assert reader.recv(8) == b"HTTP/1.0"
    scene.server.shutdown()
    scene.server.server_close()
    assert scene.answer(silent) == b""
    assert len(scene.answer(reader)) < len(LARGE)
