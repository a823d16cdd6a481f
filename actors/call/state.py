"""The progress of a call: its state, the step that waits for a port, and the times of its events.

`CallTimes` only notes times; the actor decides which event each time belongs to. All of them are monotonic seconds.
"""

from enum import Enum
from typing import Final, NamedTuple

from sipswarm.sipcore.session.invite_session import SessionState

TRANSPORT_FAILED: Final = 503
"""The final status that a session reports for a lost request (RFC 3261 section 8.1.3.1)."""


class State(Enum):
    """The state of a call as its user sees it."""

    IDLE = "idle"
    """Nothing was sent or received yet."""
    CALLING = "calling"
    """The local INVITE is sent, or waits for its media port."""
    INCOMING = "incoming"
    """An INVITE waits for an answer."""
    ANSWERING = "answering"
    """The local answer waits for its media port, or for the ACK."""
    UP = "up"
    """Established."""
    OVER = "over"
    """Ended, refused or failed."""


TAKEN_OVER: Final = {
    SessionState.CALLING: State.CALLING,
    SessionState.EARLY: State.CALLING,
    SessionState.RINGING: State.INCOMING,
    SessionState.ACCEPTED: State.ANSWERING,
    SessionState.CONFIRMED: State.UP,
}
"""The state of a call by that of its restored session."""


class Pending(Enum):
    """The step that follows as soon as every stream has its port."""

    NOTHING = "nothing"
    INVITE = "invite"
    NEXT_PLACE = "next place"
    """The first INVITE again, to a place of the other IP version."""
    REINVITE = "reinvite"
    ACCEPT = "accept"
    """The first INVITE of the peer, or a later one."""
    EARLY_MEDIA = "early media"
    PRACK = "prack"
    """The answers to offers in reliable 1xx."""
    ACK = "ack"
    """The answer to an offer in a 2xx."""
    USER_ACK = "user ack"
    """The same, which the user decides; no port is awaited before that."""


class CallTimes:
    """The times of a call's events, in monotonic seconds; 0.0 = it did not happen yet."""

    __slots__ = (
        "alerted",
        "answered",
        "begun",
        "bye_answered",
        "bye_done",
        "bye_sent",
        "bye_status",
        "counted",
        "ended",
        "first_response",
        "invited",
        "peer_bye",
    )

    def __init__(self) -> None:
        self.begun = 0.0
        """When the local side began to place the call, before its INVITE; of an incoming call, when its INVITE came."""
        self.invited = self.first_response = self.alerted = self.answered = 0.0
        self.bye_sent = self.bye_answered = self.bye_done = self.peer_bye = self.ended = 0.0
        self.bye_status = 0
        """Of the final response to the local BYE; 408 and 503 also without a response."""
        self.counted = False
        """Its answer or its failure is counted in a `CallSlice`."""

    @staticmethod
    def between(earlier: float, later: float) -> float:
        """Return the seconds from one time to another; -1.0 when one of them is missing."""
        return max(0.0, later - earlier) if earlier and later else -1.0

    def go_on(self, begun: float, invited: float, answered: float) -> None:
        """Note the times that another process has seen; it has counted their call as begun."""
        self.begun, self.invited, self.answered = begun, invited, answered
        self.counted = answered > 0.0

    def began(self, now: float) -> None:
        """Note that the user placed the call; its INVITE leaves as soon as there is a media port."""
        self.begun = now

    def sent_invite(self, now: float) -> None:
        """Note that the local INVITE, or a later one, is sent."""
        self.invited = now

    def came(self, now: float) -> None:
        """Note the first INVITE of an incoming call."""
        self.begun = self.invited = now

    def responded(self, status: int, now: float) -> None:
        """Note a response to the local INVITE: the first one of all, and the first one from 180 on."""
        if not self.first_response:
            self.first_response = now
        if not self.alerted and status >= 180:
            self.alerted = now

    def accepted(self, now: float) -> None:
        """Note the 2xx to the INVITE, sent or received."""
        self.answered = now

    def sent_bye(self, now: float) -> None:
        """Note that the local BYE is sent."""
        self.bye_sent = now

    def got_bye(self, now: float) -> None:
        """Note the peer's BYE."""
        self.peer_bye = now

    def bye_over(self, status: int, now: float, *, answered: bool) -> None:
        """Note the outcome of the local BYE.

        Args:
            answered: whether a response came; else the status stands for its absence.
        """
        self.bye_done, self.bye_status = now, status
        if answered:
            self.bye_answered = now

    def over(self, now: float) -> None:
        """Note the end of the call."""
        self.ended = now

    def count(self) -> bool:
        """Note that a `CallSlice` counts its answer or failure; False when one did before."""
        fresh, self.counted = not self.counted, True
        return fresh

    def count_again(self) -> None:
        """Note that another attempt of the same call has an outcome of its own."""
        self.counted = False


class Planned(NamedTuple):
    """The place of a call in the plan of a load; the first call of a scenario's run has that of the run."""

    at: float
    """Monotonic time at which its arrival was due."""
    own: float = 0.0
    """Seconds from the start of its run until that placed it. They are the scenario's, and no lateness."""
    line: int = 0
    """Line in the file of `--data` of its row; 0 = it has none."""

    def lateness(self, times: CallTimes) -> float:
        """Return the seconds by which its INVITE left late, or it began late where none left; never less than 0."""
        return max(0.0, (times.invited or times.begun) - self.at - self.own)
