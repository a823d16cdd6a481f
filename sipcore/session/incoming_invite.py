"""IncomingInvite: the record of one INVITE or re-INVITE of the peer (RFC 3261 13.3, RFC 3262 section 3).

Decides nothing; `invite_uas` does.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple, final

from ..message.hop import Transmit
from ..message.messages import Request
from ..transaction.reply import Reply
from ..transaction.server_transaction import ServerTransaction
from .dialog import Dialog
from .provisional_reliability import ReliableSender
from .transaction_user import ServerRequest


class HeldAccept(NamedTuple):
    """A 2xx that waits for a PRACK (RFC 3262 section 3)."""

    description: bytes | None
    extra: str
    content_type: str
    status: int


@final
class IncomingInvite(ServerRequest):
    """An INVITE of the peer: its dialog, what was sent reliably, and the 2xx that waits for its ACK."""

    __slots__ = (
        "dialog",
        "expires_at",
        "give_up_at",
        "held",
        "interval",
        "negotiated",
        "offered",
        "reinvite",
        "reliable",
        "repeat_at",
        "success",
    )

    def __init__(
        self,
        request_id: int,
        request: Request,
        reply: Reply,
        transaction: ServerTransaction,
        dialog: Dialog,
        reinvite: bool,
    ) -> None:
        super().__init__(request_id, request, reply, transaction)
        self.dialog = dialog
        self.reinvite = reinvite
        self.negotiated = False
        """True once offer and answer are complete within this INVITE, in a reliable 1xx."""
        self.offered = b""
        """Our offer that waits for its answer: in the PRACK of its reliable 1xx, or in the ACK of its 2xx."""
        self.reliable: ReliableSender | None = None
        self.held: HeldAccept | None = None
        self.success: Transmit | None = None
        """Our 2xx, kept for sending again."""
        self.expires_at = inf
        """When the invitation runs out, infinite when it does not say (RFC 3261 section 13.3.1)."""
        self.interval = 0.0
        self.repeat_at = inf
        self.give_up_at = inf
