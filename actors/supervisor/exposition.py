"""`/metrics` and `/healthz` over HTTP, on threads of their own. The only importer of prometheus_client.

A scrape takes the nodes' immutable views and does all its work in the server's threads. So neither a slow client nor an
exception delays the supervisor. The text is kept for a second, whatever the number of clients; connections are bounded.
It must never change a figure, nor wait for the supervisor.
"""

import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from types import TracebackType
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ..config import format_host
from ..counting.table import METRICS, Metric
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError
from .health import health_of
from .node_totals import NodeTotals, merged_rows

__all__ = ["MetricsServer", "NodeCollector", "NodeTotals"]

PORTS_TRIED: Final = 100
"""Number of ports that are tried from the default one on."""
KEPT: Final = 1.0
"""Seconds for which the text of a scrape is sent again."""
LONGEST_LABEL: Final = 200
"""Characters of a label value."""
FORMS_KEPT: Final = 4
"""Content types, which a client chooses, whose text is kept."""
MAX_CONNECTIONS: Final = 16
"""Concurrent connections; more are closed at once."""
CLIENT_TIMEOUT: Final = 10.0
"""Seconds that a client may take to send its request or to read."""

_log = logging.getLogger(__name__)


class NodeCollector(Collector):
    """The figures of some nodes in the form that prometheus_client writes."""

    def __init__(
        self,
        nodes: Sequence[NodeTotals],
        *,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self._nodes = tuple(nodes)
        self._clock = clock
        self._unix_clock = unix_clock

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the table, with a series for every owner."""
        rows = merged_rows([node.view() for node in self._nodes], self._clock(), self._unix_clock())
        by_name: dict[str, list[tuple[tuple[str, ...], tuple[float, ...]]]] = {}
        for (name, labels), values in rows.items():
            by_name.setdefault(name, []).append((labels, values))
        for metric in METRICS:
            yield _family(metric, by_name.get(metric.name, []))


def _family(metric: Metric, series: list[tuple[tuple[str, ...], tuple[float, ...]]]) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        edges = [*map(str, map(float, metric.buckets)), "+Inf"]
        for labels, (total, *counts) in _shown(series):
            buckets = list(zip(edges, accumulate(counts), strict=True))
            histogram.add_metric(labels, buckets=buckets, sum_value=total)
        return histogram
    family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(
        metric.name, metric.help, labels=metric.labels
    )
    for labels, (value,) in _shown(series):
        family.add_metric(labels, value)
    return family


def _shown(
    series: list[tuple[tuple[str, ...], tuple[float, ...]]],
) -> Iterator[tuple[tuple[str, ...], tuple[float, ...]]]:
    """The series with label values that can be written; prometheus_client does the quoting."""
    return ((tuple(shown(each, LONGEST_LABEL) for each in labels), values) for labels, values in series)


class MetricsServer:
    """Serves until it is closed; use it as a context manager or call `close`.

    Args:
        host: an IP address without brackets.
        port: 0 = any free one.
        nodes: their figures are shown.
        moves: a busy port gives way to the next free one (a default port); otherwise it is an error (a given port).
        kept: seconds for which the text of a scrape is sent again.
        max_connections: concurrent ones.
        client_timeout: seconds.

    Raises:
        ConfigurationError: the address cannot be bound; the message names it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        nodes: Sequence[NodeTotals],
        *,
        moves: bool = False,
        kept: float = KEPT,
        max_connections: int = MAX_CONNECTIONS,
        client_timeout: float = CLIENT_TIMEOUT,
    ) -> None:
        self._server = _bind(host, port, PORTS_TRIED if moves and port else 1)
        self._server.nodes = tuple(nodes)
        self._server.collector = NodeCollector(nodes)
        self._server.kept = kept
        self._server.slots = threading.BoundedSemaphore(max_connections)
        self._server.client_timeout = client_timeout
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """URL of the metrics."""
        return f"http://{format_host(str(self._server.server_address[0]))}:{self.port}/metrics"

    def close(self) -> None:
        """Stop listening. Connections that are open end with their answer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "MetricsServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32
    nodes: tuple[NodeTotals, ...]
    collector: NodeCollector
    kept: float
    slots: threading.BoundedSemaphore
    client_timeout: float

    def __init__(self, address: tuple[str, int]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._lock = threading.Lock()
        self._texts: dict[str, tuple[float, bytes]] = {}
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without a name lookup, which the base class would do."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or close it when there are too many."""
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class; frees the connection's place afterwards."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error; the connection ends without an answer.

        A client that is slow or went away is logged at level debug.
        """
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _log.log(level, "metrics: no answer to %s", client_address, exc_info=True)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the exposition and its content type; made anew at most once in `kept` seconds per form."""
        encoder, content_type = choose_encoder(accept)
        with self._lock:
            made_at, text = self._texts.get(content_type, (0.0, b""))
            now = time.monotonic()
            if not text or now - made_at > self.kept:
                text = encoder(self.collector)
                if len(self._texts) >= FORMS_KEPT:
                    self._texts.clear()
                self._texts[content_type] = (now, text)
        return text, content_type


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "sipswarm"
    sys_version = ""

    def setup(self) -> None:
        """As the base class, with the server's timeout."""
        super().setup()
        self.connection.settimeout(self.server.client_timeout)

    def do_GET(self) -> None:
        """Answer /metrics and /healthz."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            body, content_type = self.server.text(self.headers.get("Accept", ""))
            self._answer(200, body, content_type)
        elif path == "/healthz":
            status, health = health_of(self.server.nodes)
            self._answer(status, json.dumps(health).encode() + b"\n", "application/json")
        else:
            self._answer(404, b"here are /metrics and /healthz\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log requests at level debug."""
        _log.debug(format, *args)

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _bind(host: str, port: int, tries: int) -> _Server:
    for candidate in range(port, min(port + tries, 65536)):
        try:
            return _Server((host, candidate))
        except OSError as error:
            failed = error
    where = f"{format_host(host)}:{port}"
    last = f" (nor the {tries - 1} ports after it)" if tries > 1 else ""
    raise ConfigurationError(
        f"metrics address {where}{last} cannot be used: {failed.strerror}; "
        "give another one with --metrics, or --metrics off"
    ) from failed
