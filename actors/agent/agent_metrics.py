"""The metrics of user code, as methods of a user agent; `own_metrics` has what they return."""

from collections.abc import Sequence

from ..counting.totals import DeclaredRow, SeriesRow
from . import own_metrics
from .bound_node import BoundNode
from .node import EmbeddedNode
from .own_metrics import OwnCounter, OwnGauge, OwnHistogram


class AgentMetrics:
    """Makes the counters, gauges and histograms of user code."""

    _node: EmbeddedNode | BoundNode

    def counter(self, name: str, help: str = "", labels: str | Sequence[str] = ()) -> OwnCounter:  # noqa: A002
        """Return a counter of your own, which `/metrics` shows as `robot_NAME_total`, added up over the call workers.

        The same name returns the same counter, also after a reload. Its value goes on when a call worker is replaced.

        Args:
            name: of a-z, 0-9 and _; `robot_` and `_total` may be left out.
            help: one line about it.
            labels: names of its labels, one or a list of at most 5. Their values are given with each amount, and should
                be few: no numbers, addresses or Call-IDs. From 100 series of a metric on, or 500 of all, further
                values count with every label `other`, and sipswarm_robot_labels_refused_total counts them.

        Raises:
            ConfigurationError: an argument is not valid, there are 100 metrics, or one of that name has another kind or
                other labels.
        """
        return own_metrics.counter(self._node.totals, name, help, labels)

    def gauge(self, name: str, help: str = "", labels: str | Sequence[str] = ()) -> OwnGauge:  # noqa: A002
        """Return a gauge of your own, shown as `robot_NAME`: the sum over the call workers that live.

        Args:
            name, help, labels: as for `counter`.

        Raises:
            ConfigurationError: as for `counter`.
        """
        return own_metrics.gauge(self._node.totals, name, help, labels)

    def histogram(
        self,
        name: str,
        help: str = "",  # noqa: A002
        labels: str | Sequence[str] = (),
        buckets: Sequence[float] = own_metrics.BUCKETS,
    ) -> OwnHistogram:
        """Return a histogram of your own, shown as `robot_NAME_bucket`, `_sum` and `_count`, added up as a counter.

        Args:
            name, help, labels: as for `counter`.
            buckets: upper edges, rising, 20 at most; the default is for seconds, from 0.005 to 60.

        Raises:
            ConfigurationError: as for `counter`.
        """
        return own_metrics.histogram(self._node.totals, name, help, labels, buckets)

    def counted(self) -> tuple[int, tuple[SeriesRow, ...], tuple[DeclaredRow, ...]]:
        """Return live calls, all that was counted, and the metrics of user code; not for users."""
        node, totals = self._node, self._node.totals
        live = 0 if node.ended else node.parts.update_gauges()
        return live, totals.snapshot(), totals.declared
