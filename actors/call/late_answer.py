"""What is left of a call that was forgotten before its callee answered: an ACK, a BYE, and the time until its answer.

It is no call: it has no user, no media and no row. Its session repeats the BYE (64*T1, RFC 3261 section 17.1.2) and
acknowledges the 2xx each time that it comes. Nothing else may start from here.
"""

from typing import Any

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.invite_session import InviteSession

from ..diagnosis.foreign_text import shown
from ..diagnosis.request_loss import Loss
from ..runtime.actor import Actor
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer


class LateAnswer(Actor):
    """The end of the dialogs of one forgotten call.

    Args:
        session: made by `InviteSession.late`.
        peer: where the 2xx came from, by which the hops are judged.
    """

    __slots__ = ("_crashed", "_outbox", "_peer", "_session")

    def __init__(self, session: InviteSession, outbox: Outbox[Any], peer: Peer) -> None:
        self._session = session
        self._outbox = outbox
        self._peer = peer
        self._crashed = False

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"late answer to call {shown(self._session.call_id)}"

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return None if self._crashed else self._session.deadline

    @property
    def finished(self) -> bool:
        """Whether no transaction is left."""
        return self._crashed or not self._session.sizes.transactions

    @property
    def ending(self) -> bool:
        """Whether the first BYE waits for its answer."""
        return not self._crashed and self._session.ending

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a 2xx, the answer to the BYE, or a request of the peer, whose BYE may cross."""
        if not self._crashed:
            self._session.receive(message, source, now, flow)
            self._pump()

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        self._session.handle_timer(now)
        self._pump()

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Take the loss of the BYE, which was not sent, or may be lost."""
        self._session.transport_failed(now, branch=branch)
        self._pump()

    def connections_lost(self, now: float) -> None:
        """Send a BYE again that waits for its first response over a connection."""
        self._session.connections_lost(now)

    def crashed(self, now: float, error: BaseException) -> None:
        """Stop after a failure of the program on it."""
        self._crashed = True

    def _pump(self) -> None:
        transmits, _ = self._session.drain()
        self._outbox.send(transmits, self._session.config.leaves_from, self._peer)
