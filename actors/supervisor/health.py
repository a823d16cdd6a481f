"""The answer of `/healthz`: the state of some nodes as a status of HTTP and a few lines.

healthy: every process sends heartbeats. degraded: one does not, because it is being replaced, hangs or is given up;
calls of the others go on. starting and draining: no new calls are taken. Only healthy is 200, so that a probe needs no
JSON. Pure.
"""

from collections.abc import Sequence
from typing import Any

from .node_totals import NodeTotals

OK = 200
UNAVAILABLE = 503
STATES = ("draining", "starting", "degraded", "healthy")
"""In the order in which they apply: the first that is true of any node."""


def health_of(nodes: Sequence[NodeTotals]) -> tuple[int, dict[str, Any]]:
    """Return status code and body: status, live_calls, and each process with up, down or given up."""
    words: dict[str, str] = {}
    states = set()
    live = 0
    for node in nodes:
        view = node.view()
        heartbeats = view.up(node.clock())
        states.add(node.state if node.state != "running" else "healthy" if all(heartbeats.values()) else "degraded")
        words.update({name: "up" if is_up else "down" for name, is_up in heartbeats.items()})
        words.update(dict.fromkeys(view.given_up(), "given up"))
        live += view.live()
    status = next((each for each in STATES if each in states), "starting")
    body = {
        "status": status,
        "live_calls": live,
        "processes": dict(sorted(words.items())),
    }
    return OK if status == "healthy" else UNAVAILABLE, body
