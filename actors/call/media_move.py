"""The move of a call's media to another media worker, after the loss of the one that carried it.

Order: the streams are lost, others are opened in their place, and the peer gets their ports. A call that owes the peer
a description anyway puts the new ports there. Else it sends a re-INVITE, one for each loss, as soon as no other offer
is open (RFC 3264 section 4, RFC 3261 section 14.1); before the answer an UPDATE, where both sides can (RFC 3311 section
5). The streams are configured by the answer, so that nothing is sent that the peer would drop. A refusal, or no answer
in 64*T1, ends the call. This part must not end the call itself: the actor does.
"""

from enum import Enum, auto
from typing import Final

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.sdp.offer_answer import State as Exchange
from sipswarm.sipcore.session.invite_session import InviteSession

from .media import CallMedia
from .notices import MediaMoved
from .own_update import OwnUpdate

LOST: Final = "media_worker_lost"
"""Cause of a call whose media did not come back."""
REASONS: Final = {
    LOST: (("Reason", 'SIP;cause=500;text="media worker lost"'),),
    "media_overload": (("Reason", 'SIP;cause=500;text="media overload"'),),
}
"""Headers of the BYE of a call that ends by a cause of this side (RFC 3326)."""
PATIENCE: Final = 64
"""Times T1 within which the peer has to answer (RFC 3261 section 17.1.1.2)."""


class Step(Enum):
    """How far the move is."""

    DONE = auto()
    """The streams are where the peer sends to, or the peer knows no ports yet."""
    LOST = auto()
    """The streams are gone, or those in their place have no ports yet."""
    OWED = auto()
    """The streams have ports that the peer does not know."""
    OFFERED = auto()
    """The local re-INVITE with the new ports waits for its answer."""
    ANSWERED = auto()
    """Its 2xx is there; the description of it is about to be taken."""


class MediaMove:
    """The moves of one call, of which there is one at a time.

    Args:
        session: sends the offers.
        media: has the streams and the descriptions.
        update: sends an offer before the answer.

    Attributes:
        reason: why the last streams were lost.
        step: of the move.
    """

    __slots__ = (
        *("_again", "_deadline", "_media", "_session", "_since", "_update", "_update_number"),
        *("_ended", "has_sent", "is_refused", "reason", "seconds", "step"),
    )

    def __init__(self, session: InviteSession, media: CallMedia, update: OwnUpdate) -> None:
        self._session = session
        self._media = media
        self._update = update
        self._update_number = 0
        """Number of the UPDATE of this move; -1 = it failed."""
        self._since = 0.0
        """When media that had been agreed on was lost, or the peer began to send to ports that are gone; 0.0 = not."""
        self._again = False
        """The streams in the place of the lost ones were lost too, while the peer had not answered."""
        self._deadline: float | None = None
        self._ended = False
        """The streams were lost after the end of the call, before their final statistics."""
        self.reason = LOST
        self.seconds = 0.0
        """How long the peer's media had no stream, over all moves that have ended."""
        self.step = Step.DONE
        self.has_sent = False
        """Whether the last `go_on` has sent an offer."""
        self.is_refused = False
        """Whether the peer's answer cannot be used."""

    @property
    def deadline(self) -> float | None:
        """When the peer must have answered; None = nothing waits for it."""
        return self._deadline

    @property
    def is_due(self) -> bool:
        """Whether `go_on` may have something to do."""
        step = self.step
        return step is Step.ANSWERED or ((step is Step.LOST or step is Step.OWED) and self._media.ready)

    @property
    def is_offered(self) -> bool:
        """Whether the open local re-INVITE is that of the move, so that no user waits for it."""
        return self.step is Step.OFFERED

    @property
    def is_lost(self) -> bool:
        """Whether the media has no stream that the peer sends to, or its last figures were lost after the end."""
        return self._since > 0 or self._ended

    def seconds_until(self, ended: float) -> float:
        """Return how long the peer's media had no stream, in seconds, with a gap that the end of the call ended.

        Args:
            ended: when the call ended, in monotonic seconds.
        """
        return self.seconds + (max(0.0, ended - self._since) if self._since else 0.0)

    def lost_after_end(self) -> None:
        """Note that the streams are gone before they were closed; the call has ended."""
        self._ended = True

    def lost(self, reason: str, now: float) -> None:
        """Note that the streams are gone."""
        self.reason, self._update_number = reason, 0
        if not self._since and self._media.exchange.remote is not None:
            self._since = now
        self._again = self.step is Step.OFFERED or self.step is Step.ANSWERED
        if not self._again:  # else that offer gets its answer first
            self.step = Step.LOST

    def forget(self) -> None:
        """Begin anew: nothing is agreed on."""
        self.step, self._since, self._deadline, self._update_number = Step.DONE, 0.0, None, 0
        self._ended = False

    def go_on(self, now: float, *, up: bool, free: bool) -> MediaMoved | None:
        """Offer the new ports where that is due and permitted now.

        Args:
            up: whether the call is established, with its ACK.
            free: whether no command of the user waits for ports.

        Returns:
            The end of the gap, where this was it.
        """
        media, self.has_sent = self._media, False
        exchange = media.exchange
        if not self.is_due or exchange.local is None:
            return None
        if self.step is Step.ANSWERED and self._again:
            self.step, self._again = Step.LOST, False
            return self.go_on(now, up=up, free=free)
        if media.is_described:
            return self._settle(now)
        if self.step is Step.ANSWERED:
            self.is_refused = True  # the description of its 2xx is of no use
            return None
        self.step = Step.OWED
        self._since = self._since or now
        if exchange.state is not Exchange.STABLE or self._update.is_open:
            return None
        if not up:
            self._send_update(now)
        elif free and self._session.is_quiet:
            self._send_reinvite(now)
        return None

    def _settle(self, now: float) -> MediaMoved | None:
        self.step = Step.DONE
        if not self._since:
            return None
        gap, self._since = now - self._since, 0.0
        self.seconds += gap
        return MediaMoved(gap)

    def _send_reinvite(self, now: float) -> None:
        self._media.forks.invited()
        body = self._media.offer_moved()
        try:
            self._session.reinvite(now, body)
        except LocalProtocolError:
            self._media.exchange.reject()
            raise
        self.step, self.has_sent = Step.OFFERED, True
        self._deadline = now + PATIENCE * self._session.config.timers.t1

    def _send_update(self, now: float) -> None:
        """Send an UPDATE, once; where none is possible the re-INVITE follows after the answer."""
        dialog = self._session.dialog
        if self._update_number or dialog is None or not dialog.peer_updates:
            return
        self._update_number = -1
        try:
            self._update_number = self._update.send((), now, moved=True)
        except LocalProtocolError:
            return
        self.has_sent = True

    def updated(self, request_id: int) -> bool:
        """Whether a request that has its final response is the UPDATE of this move."""
        if not self._update_number or request_id != self._update_number:
            return False
        self._update_number = -1
        return True

    def is_overdue(self, now: float) -> bool:
        """Whether the peer should have answered by now."""
        return self._deadline is not None and self._deadline <= now

    def answered(self) -> None:
        """Take the 2xx to the re-INVITE."""
        self.step, self._deadline = Step.ANSWERED, None

    def failed(self) -> None:
        """Take the refusal of the re-INVITE, or its loss."""
        self.step, self._deadline = Step.OWED, None
