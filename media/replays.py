"""The streams of an engine that replay captures: each tick sends what is due of them, at the times of the capture.

Other sources give one packet for each packet interval, on the schedule of `pacing`. The packets of a capture have times
of their own, several at once among them, so they leave on the first tick that is not before their time. Sockets belong
to the endpoint.
"""

from collections.abc import Callable

from .captures import CaptureFiles, CaptureSource
from .context import Attempt
from .endpoint import StreamEndpoint
from .sender import end_failed, replay

_FAILED = "a packet of a capture could not be sent: its replay ends"


class Replays:
    """The streams of one engine.

    Args:
        attempt: as in `StreamContext`.
    """

    __slots__ = ("_attempt", "_endpoints", "_files")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._files = CaptureFiles()
        self._endpoints: dict[StreamEndpoint, None] = {}

    def source(self, path: str) -> CaptureSource:
        """A capture file to replay.

        Raises:
            SourceError: it cannot be replayed.
        """
        return self._files.source(path)

    @property
    def active(self) -> bool:
        """Whether any stream replays a capture."""
        return bool(self._endpoints)

    def follow(self, endpoint: StreamEndpoint) -> None:
        """Take that a stream may have another source than before."""
        if isinstance(endpoint.sender.source, CaptureSource):
            self._endpoints[endpoint] = None
        elif self._endpoints:
            self._endpoints.pop(endpoint, None)

    def leave(self, endpoint: StreamEndpoint) -> None:
        """Take that a stream is closed."""
        self._endpoints.pop(endpoint, None)

    def run(self, now: float, over: Callable[[StreamEndpoint], None]) -> None:
        """Send what is due.

        Args:
            now: seconds, monotonic.
            over: called with each stream whose capture is over, and that may have another source now.
        """
        for endpoint in tuple(self._endpoints):
            sender = endpoint.sender
            if not self._attempt(_FAILED, replay, sender, now):
                end_failed(sender)
            if not isinstance(sender.source, CaptureSource):
                over(endpoint)
