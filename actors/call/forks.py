"""The offers and answers of one call in each of its dialogs, and which dialog is in force.

Each fork of our INVITE has an exchange of its own (RFC 6337 section 3.1), which begins where the INVITE left. What a
re-INVITE of ours has changed before its final response is taken back when it fails (RFC 6141 section 3.4).
"""

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import OfferAnswer, State


class Forks:
    """Those of one call.

    Attributes:
        exchange: the descriptions that hold, and the offer that waits, in the dialog that is in force.
        number: of that dialog.
    """

    __slots__ = ("_aside", "_before", "_by_number", "_offered", "exchange", "number")

    def __init__(self) -> None:
        self.exchange = self._offered = OfferAnswer()
        self.number = 0
        self._by_number = {0: self.exchange}
        self._before: OfferAnswer | None = None
        """what held before our re-INVITE"""
        self._aside: SessionDescription | None = None
        """our offer that had to make way for one of the peer"""

    @property
    def owes_answer(self) -> bool:
        """An offer of the peer waits for our answer."""
        return self.exchange.state is State.REMOTE_OFFER

    def invited(self) -> None:
        """Our INVITE goes out: where each of its forks begins, and what holds again when a re-INVITE fails."""
        self._aside = None
        if self.exchange.local is None:
            self._offered = self.exchange.copy()
        else:
            self._before = self.exchange.copy()

    def enter(self, number: int) -> bool:
        """Put the exchange of a dialog in force; True when it was that of another one."""
        if number == self.number:
            return False
        self.exchange = self._by_number.setdefault(number, self._offered.copy())
        self.number = number
        return True

    def keep(self) -> None:
        """What is agreed now holds, whatever becomes of an INVITE of ours that is open."""
        self._before = None

    def fall_back(self) -> bool:
        """Our re-INVITE has failed: what held before it holds again; True when it had changed that (RFC 6141)."""
        before, self._before = self._before, None
        self._aside = None
        exchange = self.exchange
        if exchange.pending is not None:
            exchange.reject()
        if before is None or (before.local is exchange.local and before.remote is exchange.remote):
            return False
        if before.pending is not None:
            before.reject()
        self.exchange = self._by_number[self.number] = before
        return True

    def make_way(self) -> None:
        """The peer's offer goes first: our re-INVITE waits for its turn, else the session would have refused that."""
        exchange = self.exchange
        if exchange.state is State.LOCAL_OFFER and exchange.local is not None:  # RFC 3261 section 14.2
            self._aside = exchange.pending
            exchange.reject()

    def repeat_offer(self) -> None:
        """The peer answers a re-INVITE that had to wait, or a refresh, which offers what holds: that is pending."""
        offer, self._aside = self._aside or self.exchange.local, None
        if offer is not None:
            self.exchange.local_offer(offer)
