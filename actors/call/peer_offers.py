"""The offers of the peer in one call: in INVITE, in UPDATE and PRACK, and in responses to an INVITE without an offer.

An offer that is unreadable or does not fit is refused in the message that answers it (RFC 3261 section 13.3.1.3, RFC
3311 section 5.2). The offer of a response is answered in the PRACK of its 1xx or the ACK of its 2xx, when the media
ports are open (RFC 3261 section 13.2.1, RFC 3262 section 5). This part must not end the call: the actor decides that.
"""

from sipswarm.sipcore.errors import ParseError, RemoteProtocolError
from sipswarm.sipcore.sdp.offer_answer import Hold, NothingFits
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.invite_session import InviteSession

from ..diagnosis.offer_warnings import UNREADABLE, warning
from .media import CallMedia


class PeerOffers:
    """Takes, answers and refuses the offers of the peer.

    Args:
        session: sends the answers.
        media: reads the offers and makes the answers.
    """

    __slots__ = ("_media", "_session", "_unpracked", "asks")

    def __init__(self, session: InviteSession, media: CallMedia) -> None:
        self._session = session
        self._media = media
        self._unpracked: tuple[int, ...] = ()
        """Forks whose 1xx has an offer that a PRACK will answer."""
        self.asks = False
        """Whether the user decides the answer to the offer of a 2xx."""

    @property
    def misfit(self) -> tuple[tuple[str, str], ...]:
        """Headers of the refusal of an offer without any acceptable line (RFC 3261 section 20.43)."""
        return warning(self._session.config.local, *self._media.misfit)

    def take(self, offer: bytes | None, now: float) -> bool:
        """Keep the offer of an INVITE; False after the refusal of one that is unreadable or does not fit."""
        if offer is None:
            return True
        try:
            self._media.take_offer(offer)
        except ParseError as error:
            self._session.reject(now, 488, headers=warning(self._session.config.local, UNREADABLE, str(error)))
        except RemoteProtocolError as error:
            self._session.reject(now, error.status_hint)
        else:
            return True
        return False

    def answer(self, event: sip.OfferReceived, now: float, *, up: bool) -> None:
        """Answer or refuse the offer of an UPDATE or a PRACK.

        Args:
            up: whether the call is up; then the offer of a fork without the 2xx gets its answer, and no media.
        """
        session, forks = self._session, self._media.forks
        in_force = forks.number
        forks.enter(event.fork)
        try:
            self._media.take_offer(event.description)
            answer = self._media.answer()
        except (ParseError, RemoteProtocolError, NothingFits) as error:
            status = error.status_hint if isinstance(error, RemoteProtocolError) else 488
            session.respond(now, event.request_id, status)
            forks.enter(in_force)
            return
        session.respond(now, event.request_id, 200, body=answer, content_type="application/sdp")
        if not (up and forks.enter(in_force)):
            self._media.configure(self._media.agreed())

    def take_delayed(self, event: sip.OfferReceived) -> bool:
        """Keep the offer of a response to an INVITE without one, for `prack` or `ack`; False when it is unusable."""
        self._media.forks.enter(event.fork)
        if self._media.forks.owes_answer:
            self._media.exchange.reject()  # of an attempt before, which has failed
        try:
            self._media.take_offer(event.description)
        except (ParseError, RemoteProtocolError):
            return False
        if event.in_ == "1xx":
            self._unpracked = (*self._unpracked, event.fork)
        return True

    def ask(self, asks: bool) -> None:
        """Set whether the user decides the answer to the offer of a 2xx."""
        self.asks = asks

    def drop_pending(self) -> None:
        """Drop the offer that has no answer, of either side, if there is one: the earlier agreement holds."""
        if self._media.exchange.pending is not None:
            self._media.exchange.reject()

    def forget_delayed(self) -> None:
        """Forget the offers of provisional responses: their INVITE has failed."""
        self._unpracked = ()

    def prack(self, hold: Hold, now: float) -> bool:
        """Answer the offers of provisional responses by PRACK; False when nothing fits one of them."""
        unpracked, self._unpracked = self._unpracked, ()
        for fork in unpracked:
            if not self._session.owes_prack(fork):
                continue  # its INVITE has failed, or was sent again
            self._media.forks.enter(fork)
            try:
                body = self._media.answer(hold, lasting=False)
            except NothingFits:
                return False
            self._media.configure(self._media.agreed())
            self._session.prack(now, body, fork=fork)
        return True

    def ack(self, hold: Hold, now: float) -> bool:
        """Answer the offer of a 2xx by ACK; False when nothing of it fits."""
        try:
            body = self._media.answer(hold)
        except NothingFits:
            return False
        self._media.configure(self._media.agreed())
        self._session.ack(now, body, headers=())
        return True
