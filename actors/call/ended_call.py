"""What is left of a call that is over for its user: its last transactions, without session, media and handle.

It repeats what a peer has not got, for 32 s at most (RFC 3261 section 17). It is no call: it has no user, and its row
has been reported. Nothing else may start from here.
"""

from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.ended_session import EndedSession

from ..diagnosis.foreign_text import shown
from ..diagnosis.request_loss import Loss
from ..runtime.actor import Actor
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer


class EndedCall(Actor):
    """The rest of one call.

    Args:
        local: the address of the socket that its messages leave from.
        peer: the remote side, by which the hops are judged.
    """

    __slots__ = ("_crashed", "_local", "_outbox", "_peer", "session")

    def __init__(self, session: EndedSession, outbox: Outbox[Any], local: Hop, peer: Peer | None) -> None:
        self.session = session
        self._outbox = outbox
        self._local = local
        self._peer = peer
        self._crashed = False

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"ended call {shown(self.session.call_id)}"

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return None if self._crashed else self.session.deadline

    @property
    def finished(self) -> bool:
        """Whether no transaction is left."""
        return self._crashed or self.session.finished

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take what the peer sends again, or a request that comes too late."""
        if not self._crashed:
            self.session.receive(message, source, now, flow)
            self._pump()

    def let_go(self) -> None:
        """Send no notices: there is no handle."""

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        self.session.handle_timer(now)
        self._pump()

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of a response or an ACK: the peer sends its message again."""

    def connections_lost(self, now: float) -> None:
        """Take the loss of every connection: each request has its final response."""

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self._crashed = True

    def _pump(self) -> None:
        transmits = self.session.drain()
        if transmits:
            self._outbox.send(transmits, self._local, self._peer)
