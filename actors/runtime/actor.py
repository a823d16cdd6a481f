"""What runs in a call worker, as its loop, its outbox and its tables see it: a call, a registration, a media port.

Base classes instead of protocols: a class says that it is one of these, and what it must have is found in one place.
"""

from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ..diagnosis.request_loss import Loss


class Guarded:
    """What the crash boundary (`ActorLoop.guarded`) ends alone when code that runs for it fails."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """What logs call it."""
        raise NotImplementedError

    def ended_by(self, error: BaseException) -> bool:
        """Whether an error only says that it ended in the same moment, which is an outcome and not a fault."""
        return False

    def crashed(self, now: float, error: BaseException) -> None:
        """Our own code, or its user's, failed on it: end it, and whatever waits for it. now: monotonic seconds."""
        raise NotImplementedError


class Actor(Guarded):
    """One call or one registration: takes messages and time, and is finished some day."""

    __slots__ = ()

    @property
    def deadline(self) -> float | None:
        """When it next wants to be woken, in monotonic seconds."""
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        """Nothing needs it any more."""
        raise NotImplementedError

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """A SIP message of it. source: where it came from. flow: number of its connection, 0 for UDP."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Its deadline has come."""
        raise NotImplementedError

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """A message of it did not get out, or may be lost (RFC 3261 section 17.1.4).

        branch: of the request; empty for a 2xx to an INVITE.
        """
        raise NotImplementedError


class StreamOwner(Guarded):
    """What a media stream belongs to: a call, or a port that was leased before its call."""

    __slots__ = ()

    def media_event(self, event: Any, now: float) -> None:
        """An event of one of its streams."""
        raise NotImplementedError

    def media_lost(self, reason: str, now: float) -> None:
        """The media worker is gone, or took no command."""
        raise NotImplementedError
