"""The base classes of what runs in a call worker: a call, a registration, a media port.

The loop, the outbox and the tables use these classes only. They are base classes instead of protocols, so that a class
declares that it is one of them and its duties stand in one place.
"""

from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ..diagnosis.request_loss import Loss


class Guarded:
    """An object that the crash boundary (`ActorLoop.guarded`) can end alone, when code that runs for it fails."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Name of the object in logs."""
        raise NotImplementedError

    def ended_by(self, error: BaseException) -> bool:
        """Whether an error only reports that the object ended in the same moment: an outcome, not a fault."""
        return False

    def crashed(self, now: float, error: BaseException) -> None:
        """End it, and everything that waits for it: the program's code, or its user's, failed on it.

        Args:
            now: monotonic seconds.
        """
        raise NotImplementedError


class Actor(Guarded):
    """One call or one registration: it takes messages and time until it is finished."""

    __slots__ = ()

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        """Whether nothing needs it any more."""
        raise NotImplementedError

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take one of its SIP messages.

        Args:
            source: where the message came from.
            flow: number of its connection, 0 for UDP.
            now: monotonic seconds.
        """
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        raise NotImplementedError

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of a message that was not sent, or may be lost (RFC 3261 section 17.1.4).

        Args:
            branch: of the request; empty for a 2xx to an INVITE.
        """
        raise NotImplementedError

    def connections_lost(self, now: float) -> None:
        """Take the loss of every connection: what waits for its first response over one is sent again."""
        raise NotImplementedError


class OctetActor(Actor):
    """An actor that gets its messages as they came, those included that no parser takes. Its key is its Call-ID."""

    __slots__ = ()

    def receive_octets(self, data: bytes, flow: int, now: float) -> None:
        """Take one of its SIP messages.

        Args:
            data: the whole message.
            flow: number of the connection that it came by, 0 for UDP.
            now: monotonic seconds.
        """
        raise NotImplementedError


class StreamOwner(Guarded):
    """The owner of a media stream: a call, or a port that was leased before its call."""

    __slots__ = ()

    def media_event(self, event: Any, now: float) -> None:
        """Take an event of one of its streams."""
        raise NotImplementedError

    def media_lost(self, worker: int, reason: str, now: float) -> None:
        """Take the loss of streams: a media worker is gone, or accepted no command.

        An owner that can go on elsewhere adds itself to `Outbox.unplaced`; then `media_found` or `media_missing` comes.

        Args:
            worker: its index.
        """
        raise NotImplementedError

    def media_found(self, now: float) -> None:
        """Open streams again: a media worker is there."""

    def media_missing(self, now: float) -> None:
        """Give up: no media worker came."""
