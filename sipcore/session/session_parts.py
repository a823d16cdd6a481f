"""SessionParts: the parts of one call, and the way of responses and ended requests through them (RFC 3261 8.1.3).

A part gets the parts that are made before it, and never the one that made it. Those that few calls need are made at
their first use.

A local request comes to its end by a final response, a timeout or a failed transport. Each end is offered to a list of
parts in order. The first that settles it, by sending the request again or waiting to do so, keeps it. When no part
takes it, the request ends. A cancelled INVITE is offered to no part: it must never be sent again.
"""

from __future__ import annotations

from typing import final

from ..message.messages import Response
from .failover import Failover
from .in_dialog import InDialog
from .incoming_requests import IncomingRequests
from .invite_uac import InviteUac
from .invite_uas import InviteUas
from .invites import CancelState, OutgoingInvite
from .open_requests import ClientRequest, FinalHandler
from .refer_usage import ReferUsage
from .renegotiation import Renegotiation
from .request_sender import RequestSender
from .session_core import SessionCore


@final
class SessionParts:
    """The parts of one call.

    Args:
        core: of the call.
        from_, to, uri: as for InviteUac.
    """

    __slots__ = (
        "_core",
        "in_dialog",
        "made_failover",
        "made_refer",
        "made_renegotiation",
        "made_requests",
        "sender",
        "uac",
        "uas",
    )

    def __init__(self, core: SessionCore, from_: str, to: str, uri: str) -> None:
        sender = RequestSender(core)
        in_dialog = InDialog(core, sender)
        self._core = core
        self.sender = sender
        self.in_dialog = in_dialog
        self.uac = InviteUac(core, sender, in_dialog, from_, to, uri)
        self.uas = InviteUas(core, in_dialog)
        # None until their first use.
        self.made_requests: IncomingRequests | None = None
        self.made_renegotiation: Renegotiation | None = None
        self.made_refer: ReferUsage | None = None
        self.made_failover: Failover | None = None

    @property
    def requests(self) -> IncomingRequests:
        """The part that takes the peer's requests."""
        part = self.made_requests
        if part is None:
            part = self.made_requests = IncomingRequests(self._core, self.uas, self.in_dialog, self.refer)
        return part

    @property
    def renegotiation(self) -> Renegotiation:
        """The part that changes and refreshes the session."""
        part = self.made_renegotiation
        if part is None:
            part = self.made_renegotiation = Renegotiation(self._core, self.sender, self.in_dialog, self.uac)
        return part

    @property
    def refer(self) -> ReferUsage:
        """The part that transfers."""
        part = self.made_refer
        if part is None:
            part = self.made_refer = ReferUsage(self._core, self.sender)
        return part

    @property
    def failover(self) -> Failover:
        """The part that sends a failed INVITE elsewhere."""
        part = self.made_failover
        if part is None:
            part = self.made_failover = Failover(self._core, self.uac)
        return part

    def take_response(self, response: Response, host: str, now: float) -> None:
        """Take a response of this call.

        Args:
            host: it came from.
            now: seconds.

        Raises:
            ParseError: the response is malformed.
        """
        core = self._core
        client = core.requests.take(response, host, core.hop.host, now)
        if client is None:
            self.uac.take_late(response, now)
            return
        if isinstance(client, OutgoingInvite):
            if not self.uac.receive(client, response, now):
                self._end_invite(client, response, response.status, now)
        elif response.status >= 200:
            self._end(client, response, response.status, now)

    def run_timers(self, now: float) -> None:
        """Let the timers of local requests that are due fire, and forget those that are over."""
        requests = self._core.requests
        for client in requests.clients[:]:
            while client.transaction.due <= now:
                self._on_over(client, requests.run_timer(client, now), now)

    def fail(self, client: ClientRequest, now: float) -> None:
        """Note that a local request could not be sent."""
        self._on_over(client, self._core.requests.fail(client, now), now)

    def _on_over(self, client: ClientRequest, status: int | None, now: float) -> None:
        """End a local request whose timer or transport has ended it: see `OpenRequests.run_timer`."""
        if status == 0 and client is self._core.invite:
            status = 408  # an INVITE whose 2xx could not be read counts as not answered
        if not status:
            return
        if not isinstance(client, OutgoingInvite):
            self._end(client, None, status, now)
        elif not client.final:
            self._end_invite(client, None, status, now)

    def _end_invite(self, client: OutgoingInvite, response: Response | None, status: int, now: float) -> None:
        """End a local INVITE that has failed (RFC 3261 sections 13.2.2.2, 13.2.2.3)."""
        if client.cancel is CancelState.NONE:
            for handler in self._handlers(client.method):
                if handler.take_final(client, response, status, now):
                    return
        self.uac.give_up(client, response, status, now)

    def _end(self, client: ClientRequest, response: Response | None, status: int, now: float) -> None:
        """End any other local request."""
        for handler in self._handlers(client.method):
            if handler.take_final(client, response, status, now):
                return
        self.in_dialog.finish(client, response, status, now)

    def _handlers(self, method: str) -> tuple[FinalHandler, ...]:
        """The parts that may settle the end of a request, in the order in which it is offered to them."""
        if method == "INVITE":
            return (self.uac, self.renegotiation, self.failover)
        if method in ("UPDATE", "OPTIONS"):
            return (self.sender, self.renegotiation)
        if method in ("REFER", "NOTIFY"):
            return (self.sender, self.refer)
        if method == "CANCEL":
            return (self.uac,)
        return (self.sender,)
