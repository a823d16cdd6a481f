"""Local offers in an UPDATE (RFC 3311 section 5): sent in one call of the session, settled with its final response.

An UPDATE can change a session before it is answered, where a reliable 1xx has agreed on one. Afterwards it needs no
decision of the remote user. Its offer is pending in the call's media until the answer, as that of a re-INVITE is; a
failure leaves the earlier agreement.
"""

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.sdp.offer_answer import Hold, State
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.invite_session import InviteSession

from .media import CallMedia


class OwnUpdate:
    """The local UPDATE of a call that has no answer yet, if there is one.

    Args:
        session: sends it.
        media: makes the offer and takes the answer.
    """

    __slots__ = ("_media", "_number", "_session")

    def __init__(self, session: InviteSession, media: CallMedia) -> None:
        self._session = session
        self._media = media
        self._number = 0
        """Number of its request; 0 = none is open."""

    @property
    def is_open(self) -> bool:
        """Whether its offer has no answer yet."""
        return self._number != 0

    def send(self, headers: tuple[tuple[str, str], ...], now: float, *, hold: Hold = "", moved: bool = False) -> int:
        """Send an offer, to the first fork before the answer; return the number of its `RequestFinished`.

        Args:
            moved: it is the description in force with other ports.

        Raises:
            LocalProtocolError: nothing is agreed yet, an offer is open, or it has more lines than the call has ports.
        """
        session, media = self._session, self._media
        in_force = media.forks.number
        if session.dialog is not None:
            media.forks.enter(session.dialog.number)
        try:
            self._check()
            body = media.offer_moved() if moved else media.offer(hold)
            try:
                self._number = session.update(now, body, headers=headers)
            except LocalProtocolError:
                media.exchange.reject()
                raise
        except LocalProtocolError:
            media.forks.enter(in_force)
            raise
        return self._number

    def answered(self) -> None:
        """Note its answer, which holds even if an open local INVITE fails."""
        self._number = 0
        self._media.forks.keep()

    def settled(self, event: sip.RequestFinished) -> int:
        """Return the status of a final response, but 488 for a 2xx to the open UPDATE that did not answer its offer."""
        if event.method != "UPDATE" or event.request_id != self._number or not self._number:
            return event.status
        self._number = 0
        if self._media.exchange.state is State.LOCAL_OFFER:
            self._media.exchange.reject()
        return 488 if event.status < 300 else event.status

    def _check(self) -> None:
        """Check that the dialog in force can take a local offer now.

        Raises:
            LocalProtocolError: it cannot.
        """
        media, exchange = self._media, self._media.exchange
        if exchange.local is None or exchange.remote is None or not media.ready:
            raise LocalProtocolError("an UPDATE with an offer needs a session that is agreed (RFC 3311 section 5.1)")
        if exchange.pending is not None:
            raise LocalProtocolError(
                "an UPDATE with an offer has to wait: another offer is open (RFC 3311 section 5.1)"
            )
        if media.given is not None and len(media.given.media) > len(media.lines):
            raise LocalProtocolError("an UPDATE opens no port for a further media line; use a re-INVITE")
