"""The output of a batch of inputs, for all actors of a worker: messages, media commands, notices."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from sipswarm.media import messages as media
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message.hop import Hop, Transmit

from .actor import Actor, StreamOwner
from .media_workers import MediaWorkers
from .peer import Peer

N = TypeVar("N")
STREAMS_BITS = 40
"""Bits of a stream id that count the streams of one incarnation of a slot."""
Remark = Leniency | str
"""A leniency by which a description was read, or the reason why it was dropped."""


class Departure(NamedTuple):
    """One message to be sent, as `sipcore.message.hop.Transmit`, with the listener that it leaves from."""

    data: bytes
    hop: Hop
    flow: int
    local: Hop
    """The address of the socket; another listener is chosen where this one cannot reach the hop."""
    peer: Peer | None = None
    """The remote side, which may have named the hop; None = the user chose it."""


class Outbox(Generic[N]):
    """The output of a batch of inputs. N: a notice with its receiver.

    Args:
        incarnation: of the process, from 1: streams of the one before may live on.
    """

    __slots__ = (
        *("_last_stream", "changed", "media", "notices", "remarks", "streams", "transmits", "unplaced", "workers"),
    )

    def __init__(self, media_workers: int, incarnation: int = 1) -> None:
        self.changed: dict[Actor, None] = {}
        """Actors whose call may have changed, in order: the ledger is written before their messages leave."""
        self.transmits: list[Departure] = []
        self.media: list[list[media.Command]] = [[] for _ in range(max(1, media_workers))]
        """Commands by media worker; emptied in place."""
        self.notices: list[N] = []
        self.remarks: list[Remark] = []
        """Remarks on the descriptions of the message that is handled now."""
        self.streams: dict[int, StreamOwner] = {}
        """The owner of each open stream."""
        self.unplaced: list[StreamOwner] = []
        """The owners of lost streams, which wait for another media worker."""
        self.workers = MediaWorkers(media_workers)
        """The media workers, by the same numbers as `media`."""
        self._last_stream = (incarnation - 1) << STREAMS_BITS

    def send(self, transmits: Iterable[Transmit], local: Hop, peer: Peer | None = None) -> None:
        """Add messages that leave from the listener whose address is `local`.

        Args:
            peer: the remote side, by which the hops are judged; None = the user chose them.
        """
        self.transmits += [Departure(data, hop, flow, local, peer) for data, hop, flow in transmits]

    def take(self) -> tuple[list[Departure], list[N]] | None:
        """Return the messages and the notices that wait, and keep them no longer; None when no command waits either."""
        transmits, notices = self.transmits, self.notices
        if not (transmits or notices or self.unplaced or any(self.media)):
            return None
        if transmits:
            self.transmits = []
        if notices:
            self.notices = []
        return transmits, notices

    def put_back(self, notices: list[N]) -> bool:
        """Keep notices that were taken, before those that came since; return whether there are any."""
        self.notices[:0] = notices
        return bool(notices)

    def place(self, preferred: int) -> tuple[int, list[media.Command]]:
        """Return a media worker that is there, the preferred one if it is, and where its commands are appended."""
        worker = self.workers.choose(preferred)
        return worker, self.media[worker]

    def take_changed(self) -> dict[Actor, None]:
        """Return the actors that may have changed, and keep them no longer."""
        changed = self.changed
        if changed:
            self.changed = {}
        return changed

    def new_stream_id(self) -> int:
        """Return an id that no stream of this worker, or of one of its slot before, had."""
        self._last_stream += 1
        return self._last_stream
