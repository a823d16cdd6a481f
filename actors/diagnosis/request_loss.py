"""What became of a request that did not get out, as far as it decides which side is to blame. Pure data."""

from enum import Enum

from sipswarm.sipcore.message import peek


class Loss(Enum):
    """Why a transaction can only take its request as failed (RFC 3261 section 17.1.4)."""

    LOCAL = "local_transport"
    """This machine could not send it: no descriptor, memory, local address or room in a queue."""
    TOO_LONG = "too_long"
    """It is longer than a datagram can be, and its peer takes no TCP at that port."""
    NO_WAY = "no_way"
    """Nothing leads there from here: no listener of its transport and IP version, no route, or no address of a host."""
    FORBIDDEN = "forbidden"
    """The peer has named an address in a network that is not sent to."""
    UNREACHABLE = "unreachable"
    """No connection to the peer came about, or its name has no address."""
    REFUSED = "refused"
    """The datagram left, and ICMP reports that it did not arrive."""
    LOST = "transport"
    """The connection closed before an answer came; the peer may have the request."""


def is_told(data: bytes) -> bool:
    """Whether a message that did not get out is reported to its call: all requests, and a 2xx to INVITE.

    Its call waits for the ACK of that 2xx; a 2xx whose ACK cannot go is repeated by the peer for nothing, until it
    gives up (RFC 3261 13.3.1.4).
    """
    return peek.accepts_invite(data) if data.startswith(b"SIP/2.0 ") else True


def may_have_arrived(data: bytes) -> bool:
    """Whether a message has done its work once it is on an open connection: a response, and an ACK.

    No answer is waited for; when one is lost all the same, the repeated 2xx or ACK brings it back.
    """
    return data.startswith((b"SIP/2.0 ", b"ACK "))


def told_loss(loss: Loss) -> str:
    """Return the name of a loss, with what helps against it where that is a thing of the request."""
    name = str(loss.value)
    if loss is Loss.TOO_LONG:
        return f"{name}: no datagram has room for it; send it over TCP, as with ;transport=tcp"
    return name
