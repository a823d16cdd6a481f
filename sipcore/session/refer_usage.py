"""ReferUsage: REFER and its subscription, both ways, and the rules of Replaces (RFC 3515, 3891, 4488, 5589).

A local REFER opens a subscription before it leaves; NOTIFYs report its progress until one is final. A REFER of the peer
waits for the local user, and its subscription carries the reports. Headers and bodies are read and written in `refer`.
The new call must not be placed here: that is the local user's business.
"""

from __future__ import annotations

from math import inf
from typing import final

from ..errors import LocalProtocolError, ParseError, RemoteProtocolError
from ..message.fields import Replaces
from ..message.header_lines import HeaderPairs, lines_of
from ..message.messages import Request, Response
from .dialog import Dialog, DialogState
from .events import RequestReceived, TransferProgress, TransferRequested
from .open_requests import ClientRequest, FinalHandler, ServerRequest
from .refer import SIPFRAG, SUBSCRIPTION_SECONDS, Transferred, Transferring, progress_of, refer_to, sipfrag, target_of
from .request_sender import RequestSender
from .session_core import OVER, SessionCore
from .session_state import SessionState


@final
class ReferUsage(FinalHandler):
    """Transfers, and is transferred.

    Args:
        core: of the call.
        sender: of its requests.
    """

    __slots__ = ("_core", "_sender", "_transferred", "_transferring")

    def __init__(self, core: SessionCore, sender: RequestSender) -> None:
        self._core = core
        self._sender = sender
        self._transferring: list[Transferring] | None = None
        """Transfers that were requested here."""
        self._transferred: list[Transferred] | None = None
        """Transfers that the peer requested."""

    def refer(
        self,
        now: float,
        target: str,
        *,
        replaces: Replaces | None = None,
        referred_by: str = "",
        notify: bool = True,
        headers: HeaderPairs = (),
    ) -> int:
        """Request that the peer calls a third party (REFER, RFC 3515 section 2.4.1).

        Args:
            target: URI or name-addr.
            replaces: the dialog that the new call takes over (attended transfer, RFC 5589 section 7; see
                `replaces_of`).
            referred_by: a name-addr (RFC 3892).
            notify: False declines progress reports (RFC 4488).

        Returns:
            The number under which RequestFinished and TransferProgress come.

        Raises:
            LocalProtocolError: without a dialog.
        """
        core = self._core
        dialog = core.live_dialog("REFER")
        extra = self._sender.own_lines(headers) + f"Refer-To: {refer_to(target, replaces)}\r\n"
        if referred_by:
            extra += lines_of((("Referred-By", referred_by),))
        if not notify:
            extra += "Refer-Sub: false\r\nSupported: norefersub\r\n"
        number = core.requests.next_id()
        subscription = None
        if notify:
            # The NOTIFY may overtake the 202, so the subscription is there from now on (RFC 3515 2.4.4).
            if self._transferring is None:
                self._transferring = []
            subscription = Transferring(number, now + SUBSCRIPTION_SECONDS)
            self._transferring.append(subscription)
        self._sender.request(now, "REFER", dialog, extra=extra, request_id=number, subscription=subscription)
        return number

    def accept_transfer(self, now: float, request_id: int) -> None:
        """Answer a REFER with 202 and report 100 (RFC 3515 sections 2.4.2, 2.4.4).

        `notify_transfer` reports the rest.

        Raises:
            LocalProtocolError: no such REFER waits.
        """
        core = self._core
        server = core.requests.waiting(request_id)
        request = server.request
        if request.method != "REFER":
            raise LocalProtocolError(f"request {request_id} is no REFER")
        silent = (request.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
        extra = core.config.reply_tail + ("Refer-Sub: false\r\n" if silent else "")
        core.requests.respond(server, 200 if silent else 202, now, extra=extra)
        if self._transferred is None:
            self._transferred = []
        ends_at = now + SUBSCRIPTION_SECONDS
        self._transferred.append(Transferred(request_id, request.cseq.number, ends_at, silent))
        if not silent:
            self.notify_transfer(now, request_id, 100)

    def notify_transfer(self, now: float, request_id: int, status: int, reason: str = "") -> bool:
        """Report the progress of the call to the transfer target (NOTIFY with sipfrag, RFC 3515 sections 2.4.4, 2.4.5).

        Args:
            status: 200 or more ends the subscription.

        Returns:
            False when the peer has no subscription any more.
        """
        core = self._core
        subscription = next((each for each in self._transferred or () if each.request_id == request_id), None)
        dialog = core.dialog
        if subscription is None or dialog is None:
            return False
        final = status >= 200
        if final and self._transferred is not None:
            self._transferred.remove(subscription)
        if subscription.silent:
            return False
        left = max(0, int(subscription.ends_at - now))
        state = "terminated;reason=noresource" if final else f"active;expires={left}"
        extra = f"Event: refer;id={subscription.cseq}\r\nSubscription-State: {state}\r\n{core.config.tail}"
        client = self._sender.request(
            now, "NOTIFY", dialog, extra=extra, body=sipfrag(status, reason), content_type=SIPFRAG
        )
        client.request_id = 0
        return True

    def replaces_of(self) -> Replaces | None:
        """Return the Replaces by which another call names this one, tags as the peer has them (RFC 3891 6.1)."""
        core = self._core
        dialog = core.dialog
        if dialog is None or not dialog.remote_tag:
            return None
        return Replaces(core.call_id, dialog.remote_tag, dialog.local_tag)

    def may_be_replaced(self, replaces: Replaces) -> int:
        """Return 200 when an INVITE with this Replaces may take the call over, else its refusal (RFC 3891 3)."""
        core = self._core
        dialog = core.dialog
        named = (replaces.call_id, replaces.to_tag, replaces.from_tag)
        if dialog is None or named != (core.call_id, core.local_tag, dialog.remote_tag):
            return 481
        if core.state in OVER:
            return 603
        if core.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            return 486 if replaces.early_only else 200
        # An early dialog may be replaced only at the side that sent its INVITE.
        return 200 if core.is_caller else 481

    def receive_refer(self, server: ServerRequest, now: float) -> None:
        """Take a REFER: the local user accepts it, or not (RFC 3515 section 2.4.2)."""
        core = self._core
        try:
            target_of(server.request)
        except (ParseError, RemoteProtocolError) as error:
            core.requests.respond(server, error.status_hint, now)
            return
        core.events.append(TransferRequested(server.request_id, server.request))

    def receive_notify(self, server: ServerRequest, dialog: Dialog, now: float) -> None:
        """Answer a NOTIFY with 200 and report it.

        It is progress of a local transfer, or reported as it is (RFC 3515 section 2.4.4, C20). One without progress
        that can be read changes nothing, and neither may a refusal end the subscription (RFC 6665 section 4.2.2).
        """
        core = self._core
        request = server.request
        subscription = self._subscription_of(request)
        if subscription is None:
            if dialog.state is DialogState.TERMINATED:
                core.requests.respond(server, 481, now)
                return
            core.requests.respond(server, 200, now, extra=core.config.reply_tail)
            core.events.append(RequestReceived(0, request))
            return
        state = request.subscription_state
        terminated = state is not None and state.state == "terminated"
        progress = progress_of(request)
        if progress is None and not terminated:
            core.requests.respond(server, 200, now, extra=core.config.reply_tail)
            return
        status, reason = progress or (100, "")
        if terminated and status < 200:
            # RFC 6665 4.1.3: the state ends the subscription, whatever the body. After a 1xx the outcome is open (RFC
            # 3515 2.4.5), and it stays so: no success.
            status, reason = 408, "Terminated Without a Result"
        core.requests.respond(server, 200, now, extra=core.config.reply_tail)
        final = status >= 200 or terminated
        if final and self._transferring is not None:
            self._transferring.remove(subscription)
        core.events.append(TransferProgress(subscription.request_id, status, reason, final))

    def _subscription_of(self, request: Request) -> Transferring | None:
        """Find the transfer that a NOTIFY reports on; without id it is the first (RFC 3515 section 2.4.6)."""
        event = request.event
        if not self._transferring or event is None or event.package.lower() != "refer":
            return None
        wanted = event.id
        for each in self._transferring:
            if wanted is None or wanted == str(each.cseq):
                return each
        return None

    def outlives_call(self, request: Request) -> bool:
        """True for a request that belongs to a subscription which goes on after the call (RFC 5057)."""
        return request.method == "NOTIFY" and self._subscription_of(request) is not None

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """End the subscription of a REFER or NOTIFY that has failed (RFC 3515 section 2.4.4, RFC 4488)."""
        if client.method == "REFER" and self._transferring:
            silent = response is not None and (response.headers.get("Refer-Sub") or "").strip().lower() == "false"
            if status >= 300 or silent:
                self._drop_transferring(client.request_id)
        elif client.method == "NOTIFY" and response is not None and status in (408, 481) and self._transferred:
            self._transferred.clear()
        return False

    def _drop_transferring(self, request_id: int) -> None:
        self._transferring = [each for each in self._transferring or () if each.request_id != request_id]

    @property
    def is_open(self) -> bool:
        """True while a subscription of either side is left."""
        return bool(self._transferring or self._transferred)

    @property
    def due(self) -> float:
        """When the next subscription runs out, infinite without any."""
        due = inf
        for asked in self._transferring or ():
            due = min(due, asked.ends_at)
        for told in self._transferred or ():
            due = min(due, told.ends_at)
        return due

    def handle_timer(self, now: float) -> None:
        """Forget subscriptions that have run out, with a last event for local transfers (RFC 3515 section 2.4.4)."""
        if self._transferred:
            self._transferred = [each for each in self._transferred if each.ends_at > now]
        for each in [each for each in self._transferring or () if each.ends_at <= now]:
            self._drop_transferring(each.request_id)
            self._core.events.append(TransferProgress(each.request_id, 408, "Request Timeout", True))
