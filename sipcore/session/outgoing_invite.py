"""OutgoingInvite: the record of one INVITE or re-INVITE of ours and its forks (RFC 3261 9.1, 13.2).

Decides nothing; `invite_uac` does.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final, final

from ..message.hop import Hop, Transmit
from .dialog import Dialog
from .events import Cause
from .redirection import Target
from .transaction_user import ClientRequest


class CancelState(Enum):
    """How far the cancelling of an INVITE has come (RFC 3261 9.1)."""

    NONE = 0
    WANTED = 1
    """Decided, but no 1xx has come that would allow the CANCEL."""
    SENT = 2
    ANSWERED = 3
    """It has its final response, or never gets one; the INVITE still waits for its own."""


# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_NOT_CANCELLED: Final = CancelState.NONE
_CANCELLED: Final = Cause.CANCELLED


@final
class Fork:
    """One dialog in which our INVITE is answered, and how far offer and answer of this INVITE have come there.

    RSeq, offer and answer belong to one INVITE in one dialog (RFC 3262 section 3, RFC 6337 section 3.1): each fork of
    a first INVITE has its own, and each re-INVITE begins anew.
    """

    __slots__ = ("before", "dialog", "preview", "rack", "rseq", "settled")

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.rseq = 0
        """RSeq of the last reliable 1xx in order, 0 before the first (RFC 3262 section 4)."""
        self.settled = False
        """True once a reliable 1xx has brought the answer to our offer, or the peer's offer; the 2xx has neither."""
        self.preview = b""
        """The newest description of an unreliable 1xx, which is the answer when the 2xx repeats none."""
        self.rack = ""
        """RAck line of the PRACK that waits for our answer to the offer of a reliable 1xx."""
        self.before = dialog.description
        """Our description that holds again when a re-INVITE fails."""


@final
class OutgoingInvite(ClientRequest):
    """An INVITE of ours: the request, its forks, and what was decided about it."""

    __slots__ = (
        "acks",
        "cancel",
        "cancel_id",
        "cause",
        "embedded",
        "final",
        "forks",
        "has_offer",
        "redirects",
        "refresh",
        "reinvite",
        "ring_at",
        "targets",
        "visited",
    )

    def __init__(self, request_id: int, uri: str, dialog: Dialog | None, hop: Hop) -> None:
        super().__init__(request_id, "INVITE", uri, dialog, hop)
        self.reinvite = dialog is not None
        self.refresh = False
        """True for a re-INVITE that only keeps the session alive; our user is not troubled with it."""
        self.has_offer = False
        self.final = False
        """True once a final response was told, or the INVITE is sent again in another record."""
        self.cancel = _NOT_CANCELLED
        self.cancel_id = 0
        self.cause = _CANCELLED
        """Why it was cancelled."""
        self.forks: dict[str, Fork] = {}
        """The dialogs of its responses, by To tag, empty for none; a re-INVITE has one."""
        self.acks: dict[str, Transmit] = {}
        """The ACK of each fork's 2xx, by To tag, for sending again (RFC 3261 13.2.2.4)."""
        self.ring_at = inf
        self.redirects = 0
        """How many targets of 3xx were tried."""
        self.visited: tuple[str, ...] = ()
        """The URIs tried so far, as 3xx have named them."""
        self.targets: tuple[Target, ...] = ()
        """Further targets that 3xx have named, the next one first (RFC 3261 8.1.3.4)."""
        self.embedded = ""
        """Header lines that the target's URI asks for."""

    def again(self) -> OutgoingInvite:
        """Make the record for sending the same INVITE once more; this one stays to absorb repeated responses."""
        new = self._copy_to(OutgoingInvite(self.request_id, self.uri, self.dialog, self.hop))
        new.has_offer = self.has_offer
        new.cancel = self.cancel
        new.cancel_id = self.cancel_id
        new.cause = self.cause
        new.ring_at = self.ring_at
        new.redirects = self.redirects
        new.visited = self.visited
        new.targets = self.targets
        new.embedded = self.embedded
        new.refresh = self.refresh
        self.final = True
        return new
