"""What a batch of inputs produced, for all actors of a worker: messages, media commands, notices. Knows no call."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from sipswarm.media import messages as media
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message.hop import Hop, Transmit

from .actor import StreamOwner

N = TypeVar("N")
Remark = Leniency | str
"""a leniency by which a description was read, or why it was dropped"""


class Departure(NamedTuple):
    """One message on its way out, as `sipcore.message.hop.Transmit`, with the listener that it leaves from."""

    data: bytes
    hop: Hop
    flow: int
    local: Hop
    """the address of the socket; another listener is taken where this one cannot reach the hop"""


class Outbox(Generic[N]):
    """What a batch of inputs produced. N: a notice, with whom it is for."""

    __slots__ = ("_last_stream", "media", "notices", "remarks", "streams", "transmits")

    def __init__(self, media_workers: int) -> None:
        self.transmits: list[Departure] = []
        self.media: list[list[media.Command]] = [[] for _ in range(max(1, media_workers))]
        """commands by media worker; emptied in place"""
        self.notices: list[N] = []
        self.remarks: list[Remark] = []
        """on the descriptions of the message that is dealt with"""
        self.streams: dict[int, StreamOwner] = {}
        """whose each open stream is"""
        self._last_stream = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to go out."""
        return not (self.transmits or self.notices or any(self.media))

    def send(self, transmits: Iterable[Transmit], local: Hop) -> None:
        """Put messages on their way from the listener whose address is `local`."""
        self.transmits += [Departure(data, hop, flow, local) for data, hop, flow in transmits]

    def take_transmits(self) -> list[Departure]:
        """The messages that wait, which are the caller's from now on."""
        taken, self.transmits = self.transmits, []
        return taken

    def take_notices(self) -> list[N]:
        """The notices that wait, which are the caller's from now on."""
        taken, self.notices = self.notices, []
        return taken

    def new_stream_id(self) -> int:
        """An id that no stream of this worker had before."""
        self._last_stream += 1
        return self._last_stream
