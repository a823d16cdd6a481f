"""The addresses that one call sends to, judged by the peer that has named them.

The actor sends its messages with the peer, and the output asks (`call_worker.destinations`). The media of the call ask
here, because a description is refused before anything is sent. What has slipped into an agreement, such as a second
line or the address of RTCP, is taken out before it reaches a media worker.
"""

from collections.abc import Sequence

from sipswarm.sipcore.sdp.offer_answer import NegotiatedLine

from ..runtime.peer import MaySend, Peer
from .stream_configuration import is_sendable, is_unspecified

MEDIA = "media"


class Reach:
    """The reach of one call.

    Args:
        peer: its remote side.
        may_send: judges addresses; None = all may be sent to.
    """

    __slots__ = ("_may_send", "peer")

    def __init__(self, peer: Peer | None = None, may_send: MaySend | None = None) -> None:
        self.peer = Peer() if peer is None else peer
        self._may_send = may_send

    def is_sendable(self, there: str, local_address: str) -> bool:
        """Whether a stream at a local address can and may send to an address of a description, or sends nothing."""
        if not is_sendable(there, local_address):
            return False
        return self._may_send is None or is_unspecified(there) or self._may_send(there, self.peer, "")

    def refuses(self, there: str) -> bool:
        """Whether media may not go to an address of a description; counted."""
        if self._may_send is None or not there or is_unspecified(there):
            return False
        return not self._may_send(there, self.peer, MEDIA)

    def within(self, lines: Sequence[NegotiatedLine]) -> Sequence[NegotiatedLine]:
        """Return the lines without addresses that may not be sent to: nothing is sent there, as on hold."""
        within = []
        for line in lines:
            if self.refuses(line.remote_address):
                within.append(line._replace(remote_address="", remote_rtcp_address=""))
            elif self.refuses(line.remote_rtcp_address):
                within.append(line._replace(remote_rtcp_address=""))
            else:
                within.append(line)
        return within

    def follow(self, host: str) -> None:
        """Note that the INVITE goes to another host now, which a 3xx has named."""
        self.peer = self.peer.joined_by(host)
