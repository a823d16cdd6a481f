"""The states of one call and what may happen in each, as a table (RFC 3261 sections 9, 13, 14 and 15).

Knows no messages; the parts of the session carry out what a step means.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class SessionState(IntEnum):
    """Where a call stands."""

    IDLE = 0
    """Made, but `invite` was not called yet."""
    CALLING = 1
    """Our INVITE is out, nothing came back."""
    PROCEEDING = 2
    """A 100 came back."""
    EARLY = 3
    """A 101-199 came back."""
    RINGING = 4
    """The peer's INVITE waits for our answer."""
    ACCEPTED = 5
    """We sent 2xx and wait for the ACK."""
    CONFIRMED = 6
    """The call is up."""
    TERMINATING = 7
    """Our CANCEL or BYE is on its way."""
    TERMINATED = 8
    """The call is over; transactions may still absorb repeated messages."""


class SessionInput(IntEnum):
    """What moves a call from state to state."""

    INVITE = 1
    """Our command."""
    INVITED = 2
    """The peer's INVITE."""
    TRYING = 3
    RING = 4
    """A 101-199 to our INVITE."""
    ANSWER = 5
    """A 2xx to our INVITE."""
    FAILURE = 6
    """A final failure, or silence, for our INVITE."""
    CANCEL = 7
    """Our command."""
    ACCEPT = 8
    """Our command."""
    REJECT = 9
    """Our command, or the peer's CANCEL, or silence about a reliable 1xx."""
    ACK = 10
    BYE = 11
    """Our command, or what makes us send one."""
    PEER_BYE = 12
    """The peer's BYE, or news that the dialog is gone."""
    DONE = 13
    """Our BYE or CANCEL has had its effect."""
    RETRY = 14
    """Our command: the first INVITE once more, with the credentials that it lacked."""


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
"""One call by turns; an absent pair is ignored, or a LocalProtocolError when it is a command of ours."""
