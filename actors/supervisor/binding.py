"""Binds the listeners of a node, and waits for the ports of a node that is about to end.

A node whose supervisor was killed holds its ports until its last call is hung up, which takes up to three seconds. A
service manager starts the next one earlier. Nothing else that holds a port is worth waiting for.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from typing import Final

from ..config import Listener
from ..host import running_node
from ..transport import listeners
from ..transport.listeners import PortBusy

LONGEST: Final = 5.0
"""Seconds that a start waits for the ports of a node that ends."""
NOTICED: Final = 0.3
"""Seconds in which the processes of a node notice that their supervisor is gone."""
EVERY: Final = 0.05
"""Seconds between two attempts."""
_logger = logging.getLogger(__name__)


async def bind_all(wanted: Sequence[Listener]) -> tuple[list[socket.socket], tuple[Listener, ...]]:
    """Bind every listener, as `transport.listeners.bind_all` does; wait for a node that ends.

    Raises:
        ConfigurationError: an address is busy, not one of this host, or not permitted; nothing stays bound.
    """
    began = time.monotonic()
    said = False
    while True:
        try:
            return listeners.bind_all(wanted)
        except PortBusy as error:
            waited = time.monotonic() - began
            names = running_node.holders(error.port)
            ends = any(name.startswith(running_node.ENDS) for name in names)
            if not names or waited > LONGEST or not (ends or waited < NOTICED):
                raise
            if ends and not said:
                said = True
                _logger.warning(
                    "port %d is still held by a node that ends; waiting for it, %g s at most", error.port, LONGEST
                )
        await asyncio.sleep(EVERY)
