"""Open files: a command sees before it starts anything that the kernel lets it have as many as it needs.

Without them libuv and ZeroMQ abort the process, and Python ends in a traceback. The figures were measured: the highest
descriptor of each process of `load`, `answer`, `demo` and `call`, with one to seven processes and one call; the
supervisor has the most of them. What calls need beyond that is theirs: `no_descriptor` names it.
"""

from typing import Final

from ..errors import ConfigurationError
from . import kernel

ITSELF: Final = 20
"""Descriptors of a supervisor without processes: 14, and room for records, results, /metrics and one reader of it."""
NODE: Final = 17
"""Of each node: its run directory, its context of ZeroMQ, a pipe that its call workers hold, its black boxes, one
listener, and the standard streams and the pidfd of its starter."""
PROCESS: Final = 7
"""Of each process: its standard streams, its pidfd, its connection, and the memory of its ledger and roll."""
CALL: Final = 40
"""Of a call without processes of its own: 33 with TCP, a played file, a recording, a trace and records."""

HTTP: Final = 64
"""Connections of the HTTP server of probes."""


def need_for_node(processes: int, *, nodes: int = 1, listeners: int = 1) -> None:
    """Raise the soft limit, and see that it is enough for the processes of a node.

    Args:
        processes: call workers, media workers and dispatchers of all nodes.
        nodes: supervisors in this process.
        listeners: addresses where calls come.

    Raises:
        ConfigurationError: the hard limit is too low, with how to raise it.
    """
    wanted = ITSELF + NODE * nodes + PROCESS * processes + listeners - 1
    _need(wanted, f"for {processes} processes", ", or give fewer --call-workers and --media-workers")


def need_for_call() -> None:
    """Raise the soft limit, and see that it is enough for one call in this process.

    Raises:
        ConfigurationError: the hard limit is too low, with how to raise it.
    """
    _need(CALL, "for a call", "")


def need_for_probes(most: int) -> None:
    """Raise the soft limit, and see that it is enough for the probes of a service, each with a user agent of its own.

    Args:
        most: probes at once.

    Raises:
        ConfigurationError: the hard limit is too low, with how to raise it.
    """
    _need(ITSELF + HTTP + CALL * most, f"for {most} probes", ", or give a lower --max-probes")


def _need(wanted: int, purpose: str, other: str) -> None:
    there = kernel.raise_descriptor_limit()
    if 0 <= there < wanted:  # -1 = no limit
        raise ConfigurationError(
            f"at most {there} files may be open, and {wanted} are needed {purpose}; raise the limit (ulimit -Hn 65536, "
            f"or LimitNOFILE=65536 in the unit){other}"
        )
