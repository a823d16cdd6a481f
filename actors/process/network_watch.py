"""Watches the network of the host for a call worker: what the kernel says of interfaces goes to its `Outages`."""

import asyncio
import logging
import time
from collections.abc import Iterator

from ..bus.outages import Outages, Row
from ..host.netlink import NetworkChanges

_logger = logging.getLogger(__name__)


class NetworkWatch:
    """The socket of the kernel in the loop of one process; without one, as in a sandbox, no outage is known."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.outages = Outages()
        self._loop = loop
        self._changes: NetworkChanges | None = None
        try:
            self._changes = NetworkChanges(self.outages)
        except OSError as error:
            _logger.debug("the kernel does not tell changes of the network: %s", error)
        else:
            loop.add_reader(self._changes.fileno(), self._on_readable)

    def rows(self) -> Iterator[Row]:
        """Count and yield the metric of the outages."""
        self._on_readable()
        return self.outages.rows(time.monotonic())

    def close(self) -> None:
        """Watch no more."""
        if self._changes is not None:
            self._loop.remove_reader(self._changes.fileno())
            self._changes.close()
            self._changes = None

    def _on_readable(self) -> None:
        if self._changes is not None:
            self._changes.read(time.monotonic())
