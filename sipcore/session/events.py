"""What a call engine tells its owner: one small record for each thing that has happened.

Every record is a NamedTuple whose fields explain themselves. Nothing here acts, and nothing refers back to the
session, so that a drained event keeps no call alive. Sources: RFC 3261, 3262, 3264, 3311, 3515, 4028.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..message.messages import Request, Response


class By(Enum):
    """Who ended a call."""

    LOCAL = "local"
    """Our own user, by bye, cancel or reject."""
    REMOTE = "remote"
    """The peer, by BYE, CANCEL or a failure response."""
    EXPIRED = "expired"
    """Time: no answer, no ACK, no session refresh."""
    TRANSPORT = "transport"
    """The network: what we had to send could not be sent."""


class Cause(Enum):
    """Why a call ended or an INVITE failed."""

    BYE = "bye"
    """One side hung up an established call (RFC 3261 section 15)."""
    CANCELLED = "cancelled"
    """The caller gave up before the answer (section 9)."""
    REJECTED = "rejected"
    """The called side answered 300 to 699."""
    REDIRECTED = "redirected"
    """A 3xx that the redirect policy does not follow, or whose targets are used up (section 8.1.3.4)."""
    UNAUTHORIZED = "unauthorized"
    """A 401 or 407 for which we have no credentials, or whose credentials were refused (section 22)."""
    NO_ANSWER = "no_answer"
    """The ring timeout passed, and we cancelled; without any 1xx the CANCEL still waits for one (section 9.1)."""
    TIMEOUT = "timeout"
    """No response at all within 64*T1 (timer B or F)."""
    NO_ACK = "no_ack"
    """Our 2xx was never acknowledged (section 13.3.1.4)."""
    NO_PRACK = "no_prack"
    """Our reliable provisional response was never acknowledged (RFC 3262 section 3)."""
    SESSION_EXPIRED = "session_expired"
    """Nobody refreshed the session in time (RFC 4028 section 10)."""
    DIALOG_GONE = "dialog_gone"
    """The peer answered 481 or 408 within the dialog (section 12.2.1.2)."""
    BAD_DESCRIPTION = "bad_description"
    """A 2xx without the answer that it must carry (section 13.2.1)."""
    TRANSPORT = "transport"
    """The transport failed."""
    REPLACED = "replaced"
    """Another call took this one's place (RFC 3891)."""
    GLARE = "glare"
    """A request of ours met one of the peer's, and all repetitions did too (section 14.1)."""


class InviteReceived(NamedTuple):
    """A new call came in; 100 is on its way, `ring`, `accept` or `reject` is expected."""

    request: Request
    """The INVITE; `request.replaces` names a dialog to take over (RFC 3891)."""
    offer: bytes | None
    """The session description it carries, None for a delayed offer."""


class Provisional(NamedTuple):
    """A 1xx to our INVITE, 100 included."""

    response: Response
    """The response."""
    reliable: bool
    """True when it came by RFC 3262; its PRACK is sent already, unless `OfferReceived(in_="1xx")` follows."""


class OfferReceived(NamedTuple):
    """The peer offers a session description, and waits for our answer."""

    description: bytes
    """The body."""
    in_: str
    """``"INVITE"`` (answer with `accept` or a reliable `ring`), ``"2xx"`` (`ack`), ``"1xx"`` (`prack`),
    ``"UPDATE"`` or ``"PRACK"`` (`respond`)."""
    request_id: int
    """For UPDATE and PRACK what `respond` wants, else 0."""
    fork: int = 0
    """Number of the dialog: each fork of our INVITE has an exchange of its own (RFC 6337 section 3.1)."""


class AnswerReceived(NamedTuple):
    """The peer answers our offer."""

    description: bytes
    """The body."""
    in_: str
    """``"2xx"``, ``"1xx"``, ``"ACK"``, ``"PRACK"`` or ``"UPDATE"``."""
    final: bool
    """False for a preview in an unreliable 1xx, which the 2xx repeats (RFC 3261 13.2.1, RFC 6337 section 2)."""
    fork: int = 0
    """Number of the dialog, as in OfferReceived."""


class Answered(NamedTuple):
    """Our INVITE or re-INVITE was accepted; the ACK is sent, except after a delayed offer, where `ack` sends it."""

    response: Response
    """The 2xx."""
    reinvite: bool
    """False for the INVITE that sets the call up."""
    fork: int = 0
    """Number of the dialog that answered: what was agreed in it holds, whatever other forks agreed on later."""


class Established(NamedTuple):
    """The ACK for our 2xx arrived; once for each INVITE or re-INVITE that we accepted, never for a failure."""

    request: Request
    """The ACK."""
    reinvite: bool
    """False for the INVITE that sets the call up."""


class ReinviteReceived(NamedTuple):
    """The peer re-INVITEs; 100 is on its way, `accept` or `reject` is expected (RFC 3261 14.2)."""

    request: Request
    """The INVITE within the dialog."""
    offer: bytes | None
    """The session description it carries, None for a delayed offer."""


class Failed(NamedTuple):
    """Our INVITE (or re-INVITE) failed. After the first INVITE the call is over, after a re-INVITE it goes on."""

    status: int
    """Status of the response; 408 for a timeout and 503 for a transport failure (RFC 3261 8.1.3.1)."""
    reason: str
    """Its reason phrase."""
    response: Response | None
    """The response, None when none came."""
    cause: Cause
    """Why."""
    reinvite: bool
    """False for the INVITE that sets the call up."""


class RequestReceived(NamedTuple):
    """A request of the peer within the dialog waits for `respond`."""

    request_id: int
    """What `respond` wants; 0 when the request is answered already."""
    request: Request
    """The request: INFO, MESSAGE, NOTIFY, SUBSCRIBE, or any method that the configuration allows."""


class RequestFinished(NamedTuple):
    """A request of ours other than INVITE came to its end; BYE and CANCEL included."""

    request_id: int
    """What the command returned."""
    method: str
    """Its method."""
    response: Response | None
    """The final response; None after a timeout or transport failure."""
    status: int
    """The status; 408 for a timeout and 503 for a transport failure."""


class CancelReceived(NamedTuple):
    """The caller gave up: its CANCEL is answered, and so is the INVITE, by 487 (RFC 3261 9.2)."""

    request: Request
    """The CANCEL; its Reason header may say more (RFC 3326)."""


class Ended(NamedTuple):
    """The call is over; media stops now. Told exactly once. Only RequestFinished and ByeCrossed may still follow."""

    cause: Cause
    """Why."""
    by: By
    """Who."""
    message: Request | Response | None
    """The BYE, CANCEL or response that ended it, when one did."""


class ByeCrossed(NamedTuple):
    """The peer's BYE came after ours had gone (RFC 5407 3.2): the end is confirmed, whatever becomes of ours."""

    request: Request
    """The peer's BYE, answered 200."""


class TransferRequested(NamedTuple):
    """The peer asks us to call somebody else (REFER, RFC 3515); `accept_transfer` or `respond` is expected."""

    request_id: int
    """What `accept_transfer` and `respond` want."""
    request: Request
    """The REFER; `refer_to`, `referred_by` and the Replaces in its URI say the rest."""


class TransferProgress(NamedTuple):
    """News about a transfer that we asked for (NOTIFY with a sipfrag, RFC 3515 2.4.5), already answered 200."""

    request_id: int
    """What `refer` returned."""
    status: int
    """Status of the call to the transfer target as reported."""
    reason: str
    """Its reason phrase."""
    final: bool
    """True when nothing more will come."""


class Redirected(NamedTuple):
    """A 3xx was followed (RFC 3261 8.1.3.4)."""

    target: str
    """The URI that is called now."""
    response: Response
    """The 3xx."""


class Refreshed(NamedTuple):
    """The session was refreshed (RFC 4028)."""

    expires: int
    """Seconds until it expires unless it is refreshed again, 0 when it no longer expires."""


class ForkEnded(NamedTuple):
    """A further fork of our INVITE answered 2xx; it got its ACK and a BYE (RFC 3261 13.2.2.4)."""

    response: Response
    """Its 2xx."""


Event = (
    InviteReceived
    | Provisional
    | OfferReceived
    | AnswerReceived
    | Answered
    | Established
    | ReinviteReceived
    | Failed
    | RequestReceived
    | RequestFinished
    | CancelReceived
    | Ended
    | ByeCrossed
    | TransferRequested
    | TransferProgress
    | Redirected
    | Refreshed
    | ForkEnded
)
"""Everything that `InviteSession.drain` may hand out."""
