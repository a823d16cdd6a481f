"""How far a call has come, what it waits for, and when things happened to it."""

from enum import Enum
from typing import Final

TRANSPORT_FAILED: Final = 503
"""what a session gives for the final status of a request that was lost (RFC 3261 section 8.1.3.1)"""


class State(Enum):
    """How far a call has come, as its user sees it."""

    IDLE = "idle"
    """nothing was sent or received yet"""
    CALLING = "calling"
    """our INVITE is out, or waits for its media port"""
    INCOMING = "incoming"
    """an INVITE waits for an answer"""
    ANSWERING = "answering"
    """our answer waits for its media port, or for the ACK"""
    UP = "up"
    """established"""
    OVER = "over"
    """ended, refused or failed"""


class Pending(Enum):
    """What goes on as soon as every stream has its port."""

    NOTHING = "nothing"
    INVITE = "invite"
    REINVITE = "reinvite"
    ACCEPT = "accept"
    """the first INVITE of the peer, or a later one"""
    EARLY_MEDIA = "early media"
    PRACK = "prack"
    """the answers to offers in reliable 1xx"""
    ACK = "ack"
    """the answer to an offer in a 2xx"""


class CallTimes:
    """When things happened, in monotonic seconds; 0.0 = it did not happen yet."""

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
        """when we began to place the call, before its INVITE could leave; of a call that came in, its INVITE"""
        self.invited = self.first_response = self.alerted = self.answered = 0.0
        self.bye_sent = self.bye_answered = self.bye_done = self.peer_bye = self.ended = 0.0
        self.bye_status = 0
        """of the final response to our BYE; 408 and 503 also when nothing came"""
        self.counted = False
        """its answer or its failure stands in a `CallSlice`"""

    @staticmethod
    def between(earlier: float, later: float) -> float:
        """Seconds from one moment to another; -1.0 when one of them did not come."""
        return max(0.0, later - earlier) if earlier and later else -1.0

    def began(self, now: float) -> None:
        """The user wants the call; its INVITE leaves as soon as there is a media port."""
        self.begun = now

    def sent_invite(self, now: float) -> None:
        """Our INVITE, or a later one of ours, is out."""
        self.invited = now

    def came(self, now: float) -> None:
        """The first INVITE of a call that came in is there."""
        self.begun = self.invited = now

    def responded(self, status: int, now: float) -> None:
        """A response to our INVITE: a final one was the first sign of the peer when nothing came before it."""
        if not self.first_response:
            self.first_response = now
        if not self.alerted and status >= 180:
            self.alerted = now

    def accepted(self, now: float) -> None:
        """The INVITE has its 2xx, ours or the peer's."""
        self.answered = now

    def sent_bye(self, now: float) -> None:
        """Our BYE is out."""
        self.bye_sent = now

    def got_bye(self, now: float) -> None:
        """The peer's BYE is there."""
        self.peer_bye = now

    def bye_over(self, status: int, now: float, *, answered: bool) -> None:
        """Our BYE has its outcome. answered: by a response; else the status stands for its absence."""
        self.bye_done, self.bye_status = now, status
        if answered:
            self.bye_answered = now

    def over(self, now: float) -> None:
        """The call is."""
        self.ended = now

    def count(self) -> bool:
        """Its answer or its failure goes into a `CallSlice`; False when it did before."""
        fresh, self.counted = not self.counted, True
        return fresh

    def count_again(self) -> None:
        """Another attempt of the same call has an outcome of its own."""
        self.counted = False
