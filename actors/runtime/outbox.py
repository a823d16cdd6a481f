"""What a batch of inputs produced, for all calls of a worker: messages, media commands, notices."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from sipswarm.media import messages as media
from sipswarm.sipcore.message.hop import Hop, Transmit

from ..call.media import Remark
from ..call.notices import Notice

if TYPE_CHECKING:
    from ..call.actor import CallActor
    from ..handle.media_lease import MediaLease


class Departure(NamedTuple):
    """One message on its way out, as `sipcore.message.hop.Transmit`, with the listener that it leaves from."""

    data: bytes
    hop: Hop
    flow: int
    local: Hop
    """the address of the socket; another listener is taken where this one cannot reach the hop"""


class Outbox:
    """What a batch of inputs produced, for all calls of a worker."""

    __slots__ = ("_last_stream", "media", "notices", "remarks", "streams", "transmits")

    def __init__(self, media_workers: int) -> None:
        self.transmits: list[Departure] = []
        self.media: list[list[media.Command]] = [[] for _ in range(max(1, media_workers))]
        """commands by media worker; emptied in place"""
        self.notices: list[tuple[CallActor, Notice]] = []
        self.remarks: list[Remark] = []
        """what reading the descriptions of the message that is dealt with took, and why one was dropped"""
        self.streams: dict[int, CallActor | MediaLease] = {}
        """whose each open stream is"""
        self._last_stream = 0

    def send(self, transmits: Iterable[Transmit], local: Hop) -> None:
        """Put messages on their way from the listener whose address is `local`."""
        self.transmits += [Departure(data, hop, flow, local) for data, hop, flow in transmits]

    def new_stream_id(self) -> int:
        """An id that no stream of this worker had before."""
        self._last_stream += 1
        return self._last_stream
