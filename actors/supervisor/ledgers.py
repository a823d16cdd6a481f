"""The ledgers of the slots: made once, given to each call worker of a slot in turn, gone with this process."""

import logging
import os
import secrets

from ..host.shared_memory import new_memory
from ..ledger import memory

_logger = logging.getLogger(__name__)


class Ledgers:
    """The ledgers of one node.

    Args:
        calls: live at a time in one slot at most.
    """

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._descriptors: dict[int, int] = {}

    def of(self, slot: int) -> int:
        """Return the descriptor of a slot's ledger; -1 when it cannot be made, and the calls go with their process."""
        if slot not in self._descriptors:
            try:
                descriptor = new_memory(f"ledger-{slot}", memory.octets_for(self._calls))
                self._descriptors[slot] = descriptor
                memory.prepare(descriptor, self._calls, secrets.token_bytes(16))
            except OSError as error:
                _logger.error("calls of call-%d will not outlive their process: %s", slot, error)
        return self._descriptors.get(slot, -1)

    def close(self) -> None:
        """Let go of the memory, and of what it has."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
