"""The gate for messages that have ended a process again and again: they are turned away before they are read.

So are INVITEs of a caller whose calls did, once From and To are read. A request gets 500 with a Reason (RFC 3326) as
far as it can be answered from its octets; an ACK or a response is dropped. Each of them is counted, and each digest
logged once. The supervisor decides which they are (`supervisor.poison`); the lists come through the black box of the
process.
"""

import logging
from typing import Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.transaction import stateless

from ..bus.messages import SipReceived
from ..counting.totals import Totals
from ..diagnosis.black_box import BlackBox, digest

REASON: Final = ("Reason", 'SIP;cause=500;text="this message has ended a process"')
_logger = logging.getLogger(__name__)


def caller_of(request: Request, host: str) -> int:
    """Return the digest of the caller of an INVITE: its source host, the URIs of From and To, and the Request-URI.

    Returns:
        0 when From or To cannot be read.
    """
    try:
        named = f"{host} {request.from_.uri} {request.to.uri} {request.uri}"
    except ParseError:
        return 0
    return digest(named.encode("utf-8", "surrogateescape"))


class PoisonGate:
    """The gate of one process.

    Args:
        box: has the digests.

    Attributes:
        box: names the message that is handled.
    """

    __slots__ = ("_logged", "_turned_away", "box")

    def __init__(self, box: BlackBox, totals: Totals) -> None:
        self.box = box
        self._logged: frozenset[int] = frozenset()
        self._turned_away = totals.cell("sipswarm_poison_messages_total")

    def stops(self, data: bytes, host: str, port: int, found: int = 0) -> bool:
        """Whether a message is turned away; then it is counted.

        Args:
            host, port: its source.
            found: its digest, or that of its caller; 0 = that of the message is to be computed.
        """
        poison = self.box.poison
        if not poison:
            return False
        found = found or digest(data)
        if found not in poison:
            return False
        self._turned_away.value += 1
        if found not in self._logged:
            self._logged = (self._logged & poison) | {found}
            _logger.error("a message of %s:%d is refused: processes died at %016x", host, port, found)
        return True

    def answer(self, record: SipReceived) -> bytes | None:
        """Return the answer to a message that is turned away; None when it takes none."""
        return stateless.refuse(record.data, status=500, extra=(REASON,), source=(record.host, record.port))
