"""The states of one call and the steps of each, as a table (RFC 3261 sections 9, 13, 14 and 15).

It uses no messages; the parts of the session carry out a step.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class SessionState(IntEnum):
    """The states of a call."""

    IDLE = 0
    """Made, but `invite` was not called yet."""
    CALLING = 1
    """The local INVITE is out, no response came."""
    PROCEEDING = 2
    """A 100 came back."""
    EARLY = 3
    """A 101-199 came back."""
    RINGING = 4
    """The peer's INVITE waits for the local answer."""
    ACCEPTED = 5
    """The local 2xx is out, and waits for its ACK."""
    CONFIRMED = 6
    """The call is up."""
    TERMINATING = 7
    """The local CANCEL or BYE is on its way."""
    TERMINATED = 8
    """The call is over; transactions may still absorb repeated messages."""


class SessionInput(IntEnum):
    """The inputs that move a call from state to state."""

    INVITE = 1
    """Local command."""
    INVITED = 2
    """The peer's INVITE."""
    TRYING = 3
    RING = 4
    """A 101-199 to the local INVITE."""
    ANSWER = 5
    """A 2xx to the local INVITE."""
    FAILURE = 6
    """A final failure, or silence, for the local INVITE."""
    CANCEL = 7
    """Local command."""
    ACCEPT = 8
    """Local command."""
    REJECT = 9
    """Local command, or the peer's CANCEL, or silence about a reliable 1xx."""
    ACK = 10
    BYE = 11
    """Local command, or the reason for a local BYE."""
    PEER_BYE = 12
    """The peer's BYE, or news that the dialog is gone."""
    DONE = 13
    """The local BYE or CANCEL has had its effect."""
    RETRY = 14
    """Local command: the first INVITE once more, with the credentials that it lacked."""


_S, _I = SessionState, SessionInput

SESSION_TABLE: Final[dict[tuple[SessionState, SessionInput], SessionState]] = {
    (_S.IDLE, _I.INVITE): _S.CALLING,  # 13.2.1
    (_S.IDLE, _I.INVITED): _S.RINGING,  # 13.3.1
    (_S.CALLING, _I.TRYING): _S.PROCEEDING,  # 13.2.2.1
    (_S.CALLING, _I.RING): _S.EARLY,  # 13.2.2.1
    (_S.CALLING, _I.ANSWER): _S.CONFIRMED,  # 13.2.2.4
    (_S.CALLING, _I.FAILURE): _S.TERMINATED,  # 13.2.2.3
    (_S.CALLING, _I.CANCEL): _S.TERMINATING,  # 9.1: held until a 1xx
    (_S.PROCEEDING, _I.TRYING): _S.PROCEEDING,  # 13.2.2.1
    (_S.PROCEEDING, _I.RING): _S.EARLY,  # 13.2.2.1
    (_S.PROCEEDING, _I.ANSWER): _S.CONFIRMED,  # 13.2.2.4
    (_S.PROCEEDING, _I.FAILURE): _S.TERMINATED,  # 13.2.2.3
    (_S.PROCEEDING, _I.CANCEL): _S.TERMINATING,  # 9.1
    (_S.EARLY, _I.TRYING): _S.EARLY,  # 13.2.2.1: a late 100 changes nothing
    (_S.EARLY, _I.RING): _S.EARLY,  # 13.2.2.1
    (_S.EARLY, _I.ANSWER): _S.CONFIRMED,  # 13.2.2.4
    (_S.EARLY, _I.FAILURE): _S.TERMINATED,  # 13.2.2.3
    (_S.EARLY, _I.CANCEL): _S.TERMINATING,  # 9.1
    (_S.RINGING, _I.ACCEPT): _S.ACCEPTED,  # 13.3.1.4
    (_S.RINGING, _I.REJECT): _S.TERMINATED,  # 13.3.1.2, 13.3.1.3, 9.2
    (_S.RINGING, _I.PEER_BYE): _S.TERMINATED,  # 15.1.2: the pending INVITE gets 487
    (_S.ACCEPTED, _I.ACK): _S.CONFIRMED,  # 13.3.1.4
    (_S.ACCEPTED, _I.BYE): _S.TERMINATING,  # 15: the BYE itself waits for the ACK
    (_S.ACCEPTED, _I.PEER_BYE): _S.TERMINATED,  # 15.1.2, RFC 5407 3.1.4: BYE overtook the ACK
    (_S.CONFIRMED, _I.BYE): _S.TERMINATING,  # 15.1.1
    (_S.CONFIRMED, _I.PEER_BYE): _S.TERMINATED,  # 15.1.2
    (_S.TERMINATING, _I.TRYING): _S.TERMINATING,  # 9.1: now the CANCEL may go
    (_S.TERMINATING, _I.RING): _S.TERMINATING,  # 9.1: now the CANCEL may go
    (_S.TERMINATING, _I.ANSWER): _S.TERMINATING,  # 9.1: the 2xx won the race, BYE follows
    (_S.TERMINATING, _I.FAILURE): _S.TERMINATED,  # 9.1: 487
    (_S.TERMINATING, _I.ACK): _S.TERMINATING,  # 15: now the BYE may go
    (_S.TERMINATING, _I.BYE): _S.TERMINATING,  # 9.1: the 2xx won the race, BYE follows
    (_S.TERMINATING, _I.PEER_BYE): _S.TERMINATED,  # RFC 5407 3.2: BYEs cross
    (_S.TERMINATING, _I.DONE): _S.TERMINATED,  # 15.1.1
    (_S.TERMINATED, _I.RETRY): _S.CALLING,  # 22.2
}
"""One call by turns; an absent pair is ignored, or a LocalProtocolError when it is a local command."""
