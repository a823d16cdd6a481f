"""What a call keeps of the messages it received, for keywords of later messages.

Route set and remote target are kept once, from the first message with `rrs="true"`, as in SIPp: a target refresh
(RFC 3261 section 12.2.1.2) changes nothing.
"""

import re
from typing import Final, final

from sipswarm.sipcore.message.grammar import cut_commas

from .described import Descriptions
from .received import Received, uri_of
from .statistics import RunError

_LOOSE: Final = re.compile(r";[ \t]*lr(?![A-Za-z0-9])", re.IGNORECASE)
_CHALLENGES: Final = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


@final
class Dialog:
    """Kept parts of received messages.

    Args:
        base_cseq: the first `[cseq]`.
    """

    __slots__ = (
        "ack_pending",
        "challenge",
        "challenge_header",
        "cseq",
        "descriptions",
        "established",
        "invite_cseq",
        "last",
        "next_url",
        "peer_tag",
        "routes",
    )

    def __init__(self, base_cseq: int) -> None:
        self.last: Received | None = None
        """The last received message that the call went on with."""
        self.cseq = base_cseq - 1
        """`[cseq]`: of the last request sent, or a higher one that was received."""
        self.invite_cseq: int | None = None
        """CSeq number of the last INVITE received."""
        self.peer_tag = ""
        """Tag of the To of the last response."""
        self.routes: tuple[str, ...] | None = None
        """`[routes]`, in the order in which they are written; None = none were kept."""
        self.next_url = ""
        """`[next_url]`: Contact of the message that was kept, empty when none was."""
        self.challenge = ""
        """Value of the header that has the challenge for `[authentication]`; empty = none was kept."""
        self.challenge_header = ""
        """Name of the header that answers it."""
        self.established = False
        """An ACK was sent or received."""
        self.ack_pending = False
        """A 200 has come and no ACK was sent since."""
        self.descriptions: Descriptions | None = None
        """The media that both sides have described; None = nobody wants to know."""

    def came(self, message: Received) -> None:
        """Take what counts of every message, expected or not."""
        if message.code and (tag := message.to_tag):
            self.peer_tag = tag
        if message.method == "ACK":
            self.established = True

    def passed(self, message: Received) -> None:
        """Take what counts of an expected message."""
        if message.code == 200:
            self.ack_pending = True
        elif message.method:
            number = message.cseq_number
            self.cseq = max(self.cseq, number)
            if message.method == "INVITE":
                self.invite_cseq = number

    def remember(self, message: Received) -> None:
        """Let keywords speak of a message from now on."""
        self.last = message

    def read_media(self) -> None:
        """Keep from now on what both sides describe."""
        self.descriptions = Descriptions()

    def begins_request(self) -> None:
        """Take the next `[cseq]`."""
        self.cseq += 1

    def acknowledged(self) -> None:
        """An ACK was sent."""
        self.established, self.ack_pending = True, False

    def keep_routes(self, message: Received) -> None:
        """Keep route set and remote target of a message, unless they are kept (RFC 3261 sections 12.1.1, 12.1.2).

        In front of a strict router its URI is the target, and the remote target the last route (section 12.2.1.1).
        """
        if self.routes is not None:
            return
        routes = routes_of(message)
        contact = message.value("Contact")
        target = uri_of(contact)
        if routes and not _LOOSE.search(routes[0]):
            target, routes = uri_of(routes[0]), (*routes[1:], f"<{target}>")
        self.routes = routes
        self.next_url = target

    def keep_challenge(self, message: Received) -> None:
        """Keep the challenge of a 401 or 407; another response has none.

        Raises:
            RunError: it has none.
        """
        names = _CHALLENGES.get(message.code)
        if names is None:
            return
        header, self.challenge_header = names
        self.challenge = message.value(header)
        if not self.challenge:
            raise RunError(f"the {message.code} has no {header}")


def routes_of(message: Received) -> tuple[str, ...]:
    """The route set that a message makes: of a request in the order of Record-Route, of a response reversed."""
    cut = [each.strip() for value in message.values("Record-Route") for each in cut_commas(value)]
    routes = [route for route in cut if route]
    return tuple(routes if message.method else reversed(routes))
