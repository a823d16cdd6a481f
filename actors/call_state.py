"""How far a call has come, what it waits for, and when things happened to it."""

from enum import Enum


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
    ACK = "ack"
    """the answer to an offer in a 2xx"""


class CallTimes:
    """When things happened, in monotonic seconds; 0.0 = not yet."""

    __slots__ = (
        "alerted",
        "answered",
        "bye_answered",
        "bye_done",
        "bye_sent",
        "bye_status",
        "ended",
        "first_response",
        "invited",
    )

    def __init__(self) -> None:
        self.invited = self.first_response = self.alerted = self.answered = 0.0
        self.bye_sent = self.bye_answered = self.bye_done = self.ended = 0.0
        self.bye_status = 0
        """of the final response to our BYE; 408 and 503 also when nothing came"""

    def responded(self, status: int, now: float) -> None:
        """A response to our INVITE: a final one was the first sign of the peer when nothing came before it."""
        if not self.first_response:
            self.first_response = now
        if not self.alerted and status >= 180:
            self.alerted = now
