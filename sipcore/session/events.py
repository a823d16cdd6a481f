"""Events of a call engine for its owner: one small record for each.

Every record is a NamedTuple whose fields explain themselves. An event never acts, and must never refer back to the
session, so that a drained event keeps no call alive. Sources: RFC 3261, 3262, 3264, 3311, 3515, 4028.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..message.hop import Hop
from ..message.messages import Request, Response


class By(Enum):
    """The side that ended a call."""

    LOCAL = "local"
    """The local user, by bye, cancel or reject."""
    REMOTE = "remote"
    """The peer, by BYE, CANCEL or a failure response."""
    EXPIRED = "expired"
    """Time: no answer, no ACK, no session refresh."""
    TRANSPORT = "transport"
    """The network: a message could not be sent."""


class Cause(Enum):
    """Why a call ended or an INVITE failed."""

    BYE = "bye"
    """One side hung up an established call (RFC 3261 section 15)."""
    CANCELLED = "cancelled"
    """The UAC gave up before the answer (section 9)."""
    REJECTED = "rejected"
    """The UAS answered 300 to 699."""
    REDIRECTED = "redirected"
    """A 3xx that the redirect policy does not follow, or whose targets are used up (section 8.1.3.4)."""
    UNAUTHORIZED = "unauthorized"
    """A 401 or 407 without credentials for it, or whose credentials were refused (section 22)."""
    NO_ANSWER = "no_answer"
    """The ring timeout passed, and the UAC cancelled; without any 1xx the CANCEL still waits for one (section 9.1)."""
    TIMEOUT = "timeout"
    """No response at all within 64*T1 (timer B or F)."""
    NO_ACK = "no_ack"
    """The 2xx was never acknowledged (section 13.3.1.4)."""
    NO_PRACK = "no_prack"
    """The reliable provisional response was never acknowledged (RFC 3262 section 3)."""
    SESSION_EXPIRED = "session_expired"
    """Neither side refreshed the session in time (RFC 4028 section 10)."""
    MAX_CALL_TIME = "max_call_time"
    """The call was as old as the local side lets any become."""
    DIALOG_GONE = "dialog_gone"
    """The peer answered 481 or 408 within the dialog (section 12.2.1.2)."""
    BAD_DESCRIPTION = "bad_description"
    """A 2xx without the answer that it must carry (section 13.2.1)."""
    TRANSPORT = "transport"
    """The transport failed."""
    REPLACED = "replaced"
    """Another call replaced this one (RFC 3891)."""
    GLARE = "glare"
    """A local request met one of the peer's, and all repetitions did too (section 14.1)."""


class InviteReceived(NamedTuple):
    """A new call came in; 100 is on its way, `ring`, `accept` or `reject` is expected."""

    request: Request
    """The INVITE; `request.replaces` names a dialog to take over (RFC 3891)."""
    offer: bytes | None
    """The session description it carries, None for a delayed offer."""


class Provisional(NamedTuple):
    """A 1xx to a local INVITE, 100 included."""

    response: Response
    """The response."""
    reliable: bool
    """True when it came by RFC 3262; its PRACK is sent already, unless `OfferReceived(in_="1xx")` follows."""


class OfferReceived(NamedTuple):
    """The peer offers a session description, and waits for an answer."""

    description: bytes
    """The body."""
    in_: str
    """``"INVITE"`` (answer with `accept` or a reliable `ring`), ``"2xx"`` (`ack`), ``"1xx"`` (`prack`),
    ``"UPDATE"`` or ``"PRACK"`` (`respond`)."""
    request_id: int
    """For UPDATE and PRACK the argument of `respond`, else 0."""
    fork: int = 0
    """Number of the dialog: each fork of the INVITE has an exchange of its own (RFC 6337 section 3.1)."""


class AnswerReceived(NamedTuple):
    """The peer answers the local offer."""

    description: bytes
    """The body."""
    in_: str
    """``"2xx"``, ``"1xx"``, ``"ACK"``, ``"PRACK"`` or ``"UPDATE"``."""
    final: bool
    """False for a preview in an unreliable 1xx, which the 2xx repeats (RFC 3261 13.2.1, RFC 6337 section 2)."""
    fork: int = 0
    """Number of the dialog, as in OfferReceived."""


class Answered(NamedTuple):
    """A local INVITE or re-INVITE was accepted; the ACK is sent, except after a delayed offer, where `ack` sends it."""

    response: Response
    """The 2xx."""
    reinvite: bool
    """False for the INVITE that sets the call up."""
    fork: int = 0
    """Number of the dialog that answered: its agreement holds, whatever other forks agreed on later."""


class Established(NamedTuple):
    """The ACK for a local 2xx arrived; once for each INVITE or re-INVITE that was accepted, never for a failure."""

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
    """A local INVITE (or re-INVITE) failed. After the first INVITE the call is over, after a re-INVITE it goes on."""

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
    authorized: bool = False
    """The INVITE carried credentials for the challenge, 401 or 407, that this is."""


class RequestReceived(NamedTuple):
    """A request of the peer within the dialog waits for `respond`."""

    request_id: int
    """Argument of `respond`; 0 when the request is answered already."""
    request: Request
    """The request: INFO, MESSAGE, NOTIFY, SUBSCRIBE, or any method that the configuration allows."""


class RequestFinished(NamedTuple):
    """A local request other than INVITE came to its end; BYE and CANCEL included."""

    request_id: int
    """The value that the command returned."""
    method: str
    """Its method."""
    response: Response | None
    """The final response; None after a timeout or transport failure."""
    status: int
    """The status; 408 for a timeout and 503 for a transport failure."""


class CancelReceived(NamedTuple):
    """The UAC gave up: its CANCEL is answered, and so is the INVITE, by 487 (RFC 3261 section 9.2)."""

    request: Request
    """The CANCEL; its Reason header may have the cause (RFC 3326)."""


class Ended(NamedTuple):
    """The call is over; media stops now.

    It comes exactly once. Only RequestFinished and ByeCrossed may still follow.
    """

    cause: Cause
    """Why."""
    by: By
    """The side that ended it."""
    message: Request | Response | None
    """The BYE, CANCEL or response that ended it, when one did."""
    refused_with: int = 0
    """Status by which the session has refused the peer's INVITE by itself (RFC 3261 section 8.2); 0 = it has not."""


class ByeCrossed(NamedTuple):
    """The peer's BYE came after the local one had gone (RFC 5407 section 3.2).

    The end is confirmed, whatever becomes of the local BYE.
    """

    request: Request
    """The peer's BYE, answered 200."""


class TransferRequested(NamedTuple):
    """The peer requests a call to a third party (REFER, RFC 3515).

    `accept_transfer` or `respond` is expected.
    """

    request_id: int
    """Argument of `accept_transfer` and `respond`."""
    request: Request
    """The REFER; `refer_to`, `referred_by` and the Replaces in its URI have the rest."""


class TransferProgress(NamedTuple):
    """News about a transfer that was requested (NOTIFY with a sipfrag, RFC 3515 2.4.5), already answered 200."""

    request_id: int
    """The value that `refer` returned."""
    status: int
    """Status of the call to the transfer target as reported."""
    reason: str
    """Its reason phrase."""
    final: bool
    """True when no more will come."""


class Redirected(NamedTuple):
    """A 3xx was followed (RFC 3261 8.1.3.4)."""

    target: str
    """The URI that is called now."""
    response: Response
    """The 3xx."""
    hop: Hop
    """Where the INVITE goes now."""


class NextPlace(NamedTuple):
    """A first INVITE has failed, and its next place is of the other IP version (RFC 3263 section 4.3).

    `InviteSession.invite` sends it there, with an offer that has addresses of that version.
    """

    hop: Hop
    """The place."""


class Refreshed(NamedTuple):
    """The session was refreshed (RFC 4028)."""

    expires: int
    """Seconds until it expires unless it is refreshed again, 0 when it no longer expires."""


class ForkEnded(NamedTuple):
    """A further fork of the INVITE answered 2xx; it got its ACK and a BYE (RFC 3261 section 13.2.2.4)."""

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
    | NextPlace
    | Refreshed
    | ForkEnded
)
"""Every record that `InviteSession.drain` may return."""
