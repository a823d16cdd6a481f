"""The HTTP server of the standard library, with bounds for slow clients.

Each connection gets one answer, on a thread of its own (HTTP/1.0, RFC 1945). One clock runs from its accept to the last
octet of its answer. Where the table of connections is full, the oldest connection of the source with the most of them
is shut down; its thread ends, and the new one takes its place. So a new connection always gets in, and has as long as
the others take to fill the table. The thread that accepts must never wait for a client.
"""

import errno
import logging
import math
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from socketserver import TCPServer
from typing import Any, Final, NamedTuple

from ..counting.table import BY_NAME
from ..counting.totals import Totals
from ..transport.networks import source_of

MAX_CONNECTIONS: Final = 64
"""Concurrent connections, each with a thread; one more shuts down another one."""
CLIENT_TIMEOUT: Final = 10.0
"""Seconds from the accept of a connection to the last octet of its answer."""
POLL_INTERVAL: Final = 0.1
"""Seconds between looks at the deadlines, and without accepting after the system has refused to."""
LONGEST_HEAD: Final = 16384
"""Octets of a request line with its headers; the library would keep 6.5 MB."""
DROPPED: Final = BY_NAME["sipswarm_http_connections_dropped_total"]
_PATIENCE: Final = 1.0
"""Seconds for the thread of a connection that was shut down to end; then the new one is refused."""
_ENDING: Final = (math.inf, "")
"""The place of a connection that was shut down and whose thread has not ended."""
_NO_ROOM: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

_log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Asked(NamedTuple):
    """What a request asks for, besides its path."""

    query: str
    """What follows the question mark, as it came."""
    headers: Mapping[str, str]
    """By names in small letters; values of the same name are joined (RFC 9110 section 5.3)."""

    def header(self, name: str) -> str:
        """Return the value of a header; empty = it is not there."""
        return self.headers.get(name.lower(), "")


Page = Callable[[Asked], Answer]
"""Makes the answer of one path, in the thread of its connection."""


class HttpServer(ThreadingHTTPServer):
    """Answers GET and HEAD; `serve_forever` in a thread of its own until `shutdown`.

    Args:
        address: IP address without brackets, and port; 0 = any free one. Nothing is looked up.
        pages: the pages by their paths; one that raises costs its connection only.
        totals: counts connections that were closed without their answer, by reason.
        max_connections: concurrent ones.
        client_timeout: seconds from the accept of a connection to the end of its answer.
        clock: monotonic seconds.

    Raises:
        OSError: the address cannot be bound.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_port = False  # newer libraries would share the port with another node

    def __init__(
        self,
        address: tuple[str, int],
        pages: Mapping[str, Page],
        totals: Totals,
        *,
        max_connections: int = MAX_CONNECTIONS,
        client_timeout: float = CLIENT_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.pages = dict(pages)
        self._dropped = {reason: totals.cell(DROPPED.name, reason) for reason in DROPPED.closed["reason"]}
        self._max_connections = max_connections
        self._client_timeout = client_timeout
        self._clock = clock
        self._places: dict[socket.socket, tuple[float, str]] = {}
        """Deadline and source of each connection that has a thread, the oldest first."""
        self._changed = threading.Condition()
        """Guards the places; notified when one is free."""
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the name lookup of HTTPServer."""
        TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; without a descriptor, make one free and pause: the listener stays readable."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._make_room("no_descriptor")
                time.sleep(POLL_INTERVAL)
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Give the connection a place, that of another one if all are taken."""
        with self._changed:
            if len(self._places) >= self._max_connections:
                self._make_room("displaced")
            if not self._changed.wait_for(lambda: len(self._places) < self._max_connections, _PATIENCE):
                self._dropped["refused"].value += 1
                return False
            self._places[request] = (self._clock() + self._client_timeout, source_of(str(client_address[0])))
        return True

    def service_actions(self) -> None:
        """Shut down the connections whose time is over."""
        with self._changed:
            now = self._clock()
            for each in [each for each, (deadline, _) in self._places.items() if deadline <= now]:
                self._drop(each, "deadline")

    def shutdown_request(self, request: Any) -> None:
        """Close the connection; its place is free before its client can know."""
        with self._changed:
            self._places.pop(request, None)
            self._changed.notify_all()
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the listener, and shut down what is open."""
        super().server_close()
        with self._changed:
            for each in self._places:
                _shut_down(each)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error; the connection ends without an answer.

        A client that is slow, went away or wrote too much is logged at level debug.
        """
        level = logging.DEBUG if isinstance(sys.exception(), OSError | HTTPException) else logging.ERROR
        _log.log(level, "http: no answer to %s", client_address, exc_info=True)

    def _make_room(self, reason: str) -> None:
        """Shut down the oldest connection of the source with the most of them."""
        with self._changed:
            up = {each: source for each, (_, source) in self._places.items() if source}
            if up:
                crowded = Counter(up.values()).most_common(1)[0][0]
                self._drop(next(each for each, source in up.items() if source == crowded), reason)

    def _drop(self, request: socket.socket, reason: str) -> None:
        self._dropped[reason].value += 1
        self._places[request] = _ENDING
        _shut_down(request)


def _shut_down(request: socket.socket) -> None:
    """Wake the thread of a connection, which reads or writes; only that thread closes it."""
    with suppress(OSError):  # the client has gone
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    server_version = "sipswarm"
    sys_version = ""

    def setup(self) -> None:
        """As the base class, with a bound for the request."""
        super().setup()
        self.rfile = _Head(self.rfile.detach())

    def do_GET(self) -> None:
        """Answer with the page of the path."""
        path, _, query = self.path.partition("?")
        page = self.server.pages.get(path)
        if page is None:
            answer = Answer(404, f"here are {' and '.join(self.server.pages)}\n".encode())
        else:
            headers: dict[str, str] = {}
            for name, value in self.headers.items():
                key = name.lower()
                headers[key] = f"{headers[key]}, {value}" if key in headers else value
            answer = page(Asked(query, headers))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log requests at level debug."""
        _log.debug(format, *args)


class _Head(BufferedReader):
    _left = LONGEST_HEAD

    def readline(self, size: int | None = -1, /) -> bytes:
        """As the base class, up to `LONGEST_HEAD` octets in all.

        Raises:
            LineTooLong: there are more; headers get a 431.
        """
        line = super().readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request")
        return line
