"""`/metrics` and `/healthz` over HTTP, on threads of their own. The only importer of prometheus_client.

A scrape takes the nodes' immutable views and does all its work in the server's threads (`http_server`). So neither a
slow client nor an exception delays the supervisor, or the answer to another client. The text is kept for a second,
whatever the number of clients. It must never change a figure, nor wait for the supervisor.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from types import TracebackType
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ..config import format_host
from ..counting.table import METRICS, Metric
from ..counting.totals import Totals
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError
from .health import health_of
from .http_server import CLIENT_TIMEOUT, MAX_CONNECTIONS, POLL_INTERVAL, Answer, Asked, HttpServer, Page
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


class NodeCollector(Collector):
    """The figures of some nodes in the form that prometheus_client writes.

    Args:
        nodes: their figures are shown, those of several added up.
        own: what the server counts, which belongs to no node.
        clock, unix_clock: seconds, monotonic and since 1970.
    """

    def __init__(
        self,
        nodes: Sequence[NodeTotals],
        *,
        own: Totals | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self._nodes = tuple(nodes)
        self._own = own or Totals()
        self._clock = clock
        self._unix_clock = unix_clock

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the table, with a series for every owner, and those of user code.

        Without nodes only those that have a series.
        """
        views = [node.view() for node in self._nodes]
        rows = merged_rows(views, self._clock(), self._unix_clock())
        rows |= {(name, labels): values for name, labels, values in self._own.snapshot()}
        by_name: dict[str, list[tuple[tuple[str, ...], tuple[float, ...]]]] = {}
        for (name, labels), values in rows.items():
            by_name.setdefault(name, []).append((labels, values))
        for metric in METRICS:
            if self._nodes or metric.name in by_name:
                yield _family(metric, by_name.get(metric.name, []))
        declared = {name: metric for view in reversed(views) for name, metric in view.declared.items()}
        for name, metric in declared.items():
            yield _family(metric, [each for each in by_name.get(name, []) if _is_of(metric, *each)])


def _is_of(metric: Metric, labels: tuple[str, ...], values: tuple[float, ...]) -> bool:
    """Whether a series belongs to a metric: another node may have declared one of its name in another way."""
    return len(labels) == len(metric.labels) and len(values) == metric.width


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
        max_connections: concurrent ones; one more shuts down another one.
        client_timeout: seconds from the accept of a connection to the last octet of its answer.
        pages: further pages by their paths, or others instead of /healthz.
        totals: what the server and its further pages count; shown beside the nodes.
        option: of the command line, for the message.

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
        pages: Mapping[str, Page] | None = None,
        totals: Totals | None = None,
        option: str = "--metrics",
    ) -> None:
        totals = totals or Totals()
        self._nodes = tuple(nodes)
        self._collector = NodeCollector(nodes, own=totals)
        self._kept = kept
        self._lock = threading.Lock()
        self._texts: dict[str, tuple[float, bytes]] = {}
        self._server = _bind(
            host,
            port,
            PORTS_TRIED if moves and port else 1,
            partial(
                HttpServer,
                pages={"/metrics": self._metrics, "/healthz": self._health, **(pages or {})},
                totals=totals,
                max_connections=max_connections,
                client_timeout=client_timeout,
            ),
            option,
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": POLL_INTERVAL}, name="metrics", daemon=True
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
        """Stop listening, and close what is open."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "MetricsServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _metrics(self, asked: Asked) -> Answer:
        """Return the exposition; made anew at most once in `kept` seconds per form."""
        encoder, content_type = choose_encoder(asked.header("Accept"))
        with self._lock:
            made_at, text = self._texts.get(content_type, (0.0, b""))
            now = time.monotonic()
            if not text or now - made_at > self._kept:
                text = encoder(self._collector)
                if len(self._texts) >= FORMS_KEPT:
                    self._texts.clear()
                self._texts[content_type] = (now, text)
        return Answer(200, text, content_type)

    def _health(self, asked: Asked) -> Answer:
        status, health = health_of(self._nodes)
        return Answer(status, json.dumps(health).encode() + b"\n", "application/json")


def _bind(
    host: str, port: int, tries: int, server_at: Callable[[tuple[str, int]], HttpServer], option: str
) -> HttpServer:
    for candidate in range(port, min(port + tries, 65536)):
        try:
            return server_at((host, candidate))
        except OSError as error:
            failed = error
    where = f"{format_host(host)}:{port}"
    last = f" (nor the {tries - 1} ports after it)" if tries > 1 else ""
    raise ConfigurationError(
        f"{option.lstrip('-')} address {where}{last} cannot be used: {failed.strerror}; "
        f"give another one with {option}, or {option} off"
    ) from failed
