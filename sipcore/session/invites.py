"""Records of INVITEs: a local one with its forks, one of the peer with its reliable 1xx (RFC 3261 9.1, 13, RFC 3262).

`Fork` keeps offer and answer of one INVITE in one dialog, `OutgoingInvite` an INVITE with all its forks.
`ReliableSender` keeps the 1xx of `IncomingInvite` until their PRACK. They must decide nothing and send nothing;
`invite_uac`, `failover` and `invite_uas` do.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from math import inf
from typing import Final, NamedTuple, final

from ..leniency import Leniency
from ..message.fields import RAck
from ..message.header_lines import merged
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..transaction.reply import Reply
from ..transaction.server_transaction import ServerTransaction
from .dialog import Dialog, DialogState, OfferInput, OfferState
from .events import Cause
from .open_requests import ClientRequest, ServerRequest
from .redirection import Target, request_of
from .session_timer import supports

OPTION_TAG: Final = "100rel"


class CancelState(Enum):
    """Progress of cancelling an INVITE (RFC 3261 section 9.1)."""

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
    """One dialog in which the local INVITE is answered, and the progress of its offer and answer there.

    RSeq, offer and answer belong to one INVITE in one dialog (RFC 3262 section 3, RFC 6337 section 3.1). So each fork
    of a first INVITE has its own, and each re-INVITE begins anew.
    """

    __slots__ = ("before", "dialog", "preview", "rack", "rseq", "settled")

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.rseq = 0
        """RSeq of the last reliable 1xx in order, 0 before the first (RFC 3262 section 4)."""
        self.settled = False
        """True once a reliable 1xx has brought the answer to the local offer, or the peer's offer; the 2xx has
        neither."""
        self.preview = b""
        """The newest description of an unreliable 1xx, which is the answer when the 2xx repeats none."""
        self.rack = ""
        """RAck line of the PRACK that waits for the local answer to the offer of a reliable 1xx."""
        self.before = dialog.description
        """The local description that holds again when a re-INVITE fails."""

    def description_in(self, response: Response) -> bytes:
        """Return the offer or answer of a 2xx, empty where a reliable 1xx has settled that.

        RFC 3261 section 13.2.1: the 2xx has the answer, but the first one that came counts: some peers send it only
        once. A strict reading takes that of the 2xx alone.
        """
        if self.settled:
            return b""
        body = response.description
        if not body and self.preview and not response.headers.reading.strict:
            response.headers.note(Leniency.EARLY_ANSWER)
            return self.preview
        return body


@final
class OutgoingInvite(ClientRequest):
    """A local INVITE: the request, its forks, and the decisions about it."""

    __slots__ = (
        "acks",
        "cancel",
        "cancel_id",
        "cancel_lines",
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
        """True for a re-INVITE that only keeps the session alive; the local user gets no event of it."""
        self.has_offer = False
        self.final = False
        """True once a final response was reported, or the INVITE is sent again in another record."""
        self.cancel = _NOT_CANCELLED
        self.cancel_id = 0
        self.cancel_lines = ""
        """Header lines of the CANCEL, such as its Reason, and of the BYE when a 2xx wins the race against it."""
        self.cause = _CANCELLED
        """Cause of its cancelling."""
        self.forks: dict[str, Fork] = {}
        """The dialogs of its responses, by To tag, empty for none; a re-INVITE has one."""
        self.acks: dict[str, Transmit] = {}
        """The ACK of each fork's 2xx, by To tag, for sending again (RFC 3261 13.2.2.4)."""
        self.ring_at = inf
        self.redirects = 0
        """Number of targets of 3xx that were tried."""
        self.visited: tuple[str, ...] = ()
        """The URIs tried so far, as 3xx have named them."""
        self.targets: tuple[Target, ...] = ()
        """Further targets that 3xx have named, the next one first (RFC 3261 8.1.3.4)."""
        self.embedded = ""
        """Header lines that the target's URI demands."""

    def obey_uri(self) -> None:
        """Take the header lines that the callee's URI asks for, unless the user gives them, and its Request-URI."""
        self.uri, lines = request_of(self.uri)
        if lines:
            self.embedded = merged(lines, self.extra)

    def again(self) -> OutgoingInvite:
        """Make the record for sending the same INVITE once more; this one stays to absorb repeated responses."""
        new = self._copy_to(OutgoingInvite(self.request_id, self.uri, self.dialog, self.hop))
        new.has_offer = self.has_offer
        new.cancel = self.cancel
        new.cancel_id = self.cancel_id
        new.cancel_lines = self.cancel_lines
        new.cause = self.cause
        new.ring_at = self.ring_at
        new.redirects = self.redirects
        new.visited = self.visited
        new.targets = self.targets
        new.embedded = self.embedded
        new.refresh = self.refresh
        self.final = True
        return new

    def end_exchange(self) -> None:
        """Undo an INVITE that has failed.

        Its early dialogs are gone, and a re-INVITE has changed nothing (14.1, RFC 6141).
        """
        dialog = self.dialog
        if dialog is None:
            for fork in self.forks.values():
                fork.dialog.state = DialogState.TERMINATED
                fork.rack = ""
            return
        begun = self.forks.get(dialog.remote_tag)
        if begun is not None:
            dialog.description = begun.before
        if begun is None or not begun.settled:
            open_offer = self.has_offer and dialog.offer is OfferState.LOCAL_OFFER
        else:
            open_offer, begun.rack = bool(begun.rack), ""
        if open_offer:
            dialog.negotiate(OfferInput.REJECT)

    def bound_wait(self, now: float, t1: float) -> None:
        """Bound the wait for a final response that is needed no more: timer B has ended with a 1xx.

        Args:
            now, t1: seconds.
        """
        self.ring_at = inf
        if self.transaction.end_at == inf:
            self.transaction.give_up_at(now + 64.0 * t1)


class PendingProvisional(NamedTuple):
    """A reliable 1xx that waits for its turn, as it will be written."""

    status: int
    reason: str
    extra: str
    """Whole header lines without RSeq and Require."""
    body: bytes
    content_type: str


@final
class ReliableSender:
    """The reliable 1xx responses of one INVITE, one unacknowledged at a time (RFC 3262 section 3).

    Args:
        first: the RSeq of the first, 1 to 2**31 - 1, chosen at random.
        t1: seconds.
    """

    __slots__ = (
        "give_up_at",
        "has_description",
        "interval",
        "outstanding",
        "queue",
        "repeat_at",
        "rseq",
        "t1",
        "unacked",
    )

    def __init__(self, first: int, t1: float) -> None:
        self.rseq = first
        """Number of the response that is out, or of the next when none is."""
        self.t1 = t1
        self.unacked: Transmit | None = None
        """The response that waits for its PRACK, and is repeated."""
        self.outstanding = False
        """True until that PRACK comes, also when a 2xx has ended the repeating (section 3)."""
        self.has_description = False
        """True when it carries a session description, so that a 2xx has to wait (section 3)."""
        self.queue: deque[PendingProvisional] = deque()
        """Responses to send after it."""
        self.interval = t1
        self.repeat_at = inf
        self.give_up_at = inf

    @property
    def due(self) -> float:
        """Time of the next repetition or of giving up, infinite when nothing is out."""
        return min(self.repeat_at, self.give_up_at)

    def sent(self, transmit: Transmit, has_description: bool, now: float) -> None:
        """Note that a response went out under the present RSeq."""
        self.unacked = transmit
        self.outstanding = True
        self.has_description = has_description
        self.interval = self.t1
        self.repeat_at = now + self.t1
        self.give_up_at = now + 64.0 * self.t1

    def repeated(self, now: float) -> None:
        """Double the interval: there is no upper limit but 64*T1 (section 3)."""
        self.interval *= 2.0
        planned = self.repeat_at + self.interval
        self.repeat_at = planned if planned > now else now + self.interval

    def acknowledge(self, rack: RAck, cseq: int) -> bool:
        """Take a PRACK; False when no response that is out has its numbers, which gets 481 (section 3)."""
        if not self.outstanding or rack != (self.rseq, cseq, "INVITE"):
            return False
        self.stop()
        self.outstanding = False
        self.rseq += 1
        return True

    def stop(self) -> None:
        """Stop repeating: acknowledged, or a final response is out. A PRACK is still taken (section 3)."""
        self.unacked = None
        self.repeat_at = self.give_up_at = inf


class HeldAccept(NamedTuple):
    """A 2xx that waits for a PRACK (RFC 3262 section 3)."""

    description: bytes | None
    extra: str
    content_type: str
    status: int


@final
class IncomingInvite(ServerRequest):
    """An INVITE of the peer: its dialog, its reliable responses, and the 2xx that waits for its ACK."""

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
        """The local offer that waits for its answer: in the PRACK of its reliable 1xx, or in the ACK of its 2xx."""
        self.reliable: ReliableSender | None = None
        self.held: HeldAccept | None = None
        self.success: Transmit | None = None
        """The local 2xx, kept for sending again."""
        self.expires_at = inf
        """When the invitation runs out, infinite without Expires (RFC 3261 section 13.3.1)."""
        self.interval = 0.0
        self.repeat_at = inf
        self.give_up_at = inf

    @property
    def supports_reliable(self) -> bool:
        """True when the UAC takes reliable provisional responses (RFC 3262 section 3)."""
        return supports(self.request, OPTION_TAG)


def in_order(last: int, rseq: int) -> bool:
    """Return whether a reliable 1xx is the next one; `last` is 0 before the first (RFC 3262 section 4)."""
    return rseq > 0 and last in (0, rseq - 1)
