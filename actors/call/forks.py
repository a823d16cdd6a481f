"""The offers and answers of one call in each of its dialogs, and which dialog is in force.

Each fork of the local INVITE has an exchange of its own (RFC 6337 section 3.1), which begins where the INVITE left. A
failed local re-INVITE undoes the changes that it made before its final response (RFC 6141 section 3.4).
"""

from collections.abc import Sequence

from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.sdp.offer_answer import NegotiatedLine, OfferAnswer, State

Address = tuple[str, int]


class Forks:
    """The exchanges of one call.

    Attributes:
        exchange: the descriptions that hold, and the offer that waits, in the dialog in force.
        number: of that dialog.
    """

    __slots__ = ("_aside", "_before", "_described", "_offered", "_others", "exchange", "number")

    def __init__(self) -> None:
        self.exchange = self._offered = OfferAnswer()
        self.number = 0
        self._others: dict[int, OfferAnswer] = {}
        """The exchanges of the dialogs that are not in force."""
        self._described: dict[int, frozenset[Address]] = {}
        """Where each dialog of the peer has its media, also by answers that were only previewed."""
        self._before: OfferAnswer | None = None
        """The exchange before the local re-INVITE."""
        self._aside: SessionDescription | None = None
        """The local offer that made way for one of the peer."""

    def go_on_with(self, exchange: OfferAnswer, number: int) -> None:
        """Begin with the agreement of another process.

        Args:
            number: of the dialog.
        """
        self.exchange = self._offered = exchange
        self.number = number

    @property
    def owes_answer(self) -> bool:
        """Whether an offer of the peer waits for the local answer."""
        return self.exchange.state is State.REMOTE_OFFER

    def invited(self) -> None:
        """Note that the local INVITE is sent: where its forks begin, and what a failed re-INVITE falls back to."""
        self._aside = None
        if self.exchange.local is None:
            self._offered = self.exchange.copy()
        else:
            self._before = self.exchange.copy()

    def enter(self, number: int) -> bool:
        """Put the exchange of a dialog in force; return whether another one was."""
        if number == self.number:
            return False
        self._others[self.number] = self.exchange
        begun = self._others.pop(number, None)
        self.exchange = self._offered.copy() if begun is None else begun
        self.number = number
        return True

    def agreed(self, lines: Sequence[NegotiatedLine]) -> None:
        """Note where the dialog in force has its media."""
        self._described[self.number] = frozenset((each.remote_address, each.remote_port) for each in lines)

    @property
    def strangers(self) -> frozenset[Address]:
        """Where the other dialogs have their media: not that of the dialog in force (RFC 3261 section 12.1)."""
        described = self._described
        if len(described) < 2:
            return frozenset()
        return frozenset().union(*described.values()) - described.get(self.number, frozenset())

    def keep(self) -> None:
        """Keep the current agreement even if an open local INVITE fails."""
        self._before = None

    def fall_back(self) -> bool:
        """Restore the exchange before a failed local re-INVITE (RFC 6141 section 3.4); return whether it differs."""
        before, self._before = self._before, None
        self._aside = None
        exchange = self.exchange
        if exchange.pending is not None:
            exchange.reject()
        if before is None or (before.local is exchange.local and before.remote is exchange.remote):
            return False
        if before.pending is not None:
            before.reject()
        self.exchange = before
        return True

    def make_way(self) -> None:
        """Let the peer's offer go first: the local re-INVITE waits, else the session would have refused that offer."""
        exchange = self.exchange
        if exchange.state is State.LOCAL_OFFER and exchange.local is not None:  # RFC 3261 section 14.2
            self._aside = exchange.pending
            exchange.reject()

    def repeat_offer(self) -> None:
        """Make an offer pending that the peer's answer belongs to.

        It answers a re-INVITE that waited, or a refresh, which offers the descriptions in force.
        """
        offer, self._aside = self._aside or self.exchange.local, None
        if offer is not None:
            self.exchange.local_offer(offer)
