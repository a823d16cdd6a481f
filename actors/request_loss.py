"""What became of a request of ours that did not get out, as far as it matters for whose fault it is. Pure data."""

from enum import Enum


class Loss(Enum):
    """Why a transaction can only take its request as failed (RFC 3261 section 17.1.4)."""

    LOCAL = "local_transport"
    """this machine could not send it: no descriptor, memory, local address, route or room in a queue"""
    UNREACHABLE = "unreachable"
    """no connection to the peer came about, or its name has no address"""
    REFUSED = "refused"
    """the datagram left, and ICMP says that it did not arrive"""
    LOST = "transport"
    """the connection closed before an answer came; the peer may have the request"""
