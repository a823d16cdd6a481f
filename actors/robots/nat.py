"""Phones behind a NAT at a registrar or proxy: answered, and reached, where their messages came from.

It stands before the other servers of the node, and remembers the source of the message that is handled now: the
handler of a REGISTER gets no more than the request. The decisions are those of `sipcore.server.nat`.
"""

from contextlib import suppress
from dataclasses import replace

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.server.nat import Reached, answer_by_source

from ..bus.messages import SipReceived
from ..call_worker.application import Relay
from ..call_worker.out_of_dialog import Arrivals


class NatSources:
    """The sources of the messages of one node.

    Args:
        arrivals: of incoming messages.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._next: Relay | None = None
        self._came: tuple[Request, Reached] | None = None

    def install(self) -> None:
        """Stand before what takes messages first now; called when the servers are made."""
        self._next = self._arrivals.policy.relay
        self._arrivals.serve(replace(self._arrivals.policy, relay=self._take_first))

    def source_of(self, request: Request) -> Reached | None:
        """Return where the request came from that is handled now; None for another one."""
        return self._came[1] if self._came is not None and self._came[0] is request else None

    def _take_first(self, message: Request | Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Note the source of a request, and have it answered there; what is next gets every message."""
        if isinstance(message, Request):
            with suppress(ParseError):  # it is refused where it is read
                answer_by_source(message, source)
            self._came = message, Reached(source, record.flow)
        return self._next is not None and self._next(message, source, record, now)
