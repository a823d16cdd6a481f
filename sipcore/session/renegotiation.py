"""Renegotiation: local re-INVITEs, glare, and keeping the session alive (RFC 3261 14.1, RFC 4028 section 10).

It lines re-INVITEs up after any open INVITE or offer, repeats after 491, and refreshes by UPDATE or re-INVITE. Two
offers must never be open at once. The arithmetic of session timers is in `session_timer`.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import final

from ..message.header_lines import HeaderPairs, lines_of
from ..message.messages import Response
from ..transaction.repeats import Why
from .dialog import Dialog, OfferInput, OfferState
from .events import By, Cause, Failed, RequestFinished
from .in_dialog import InDialog
from .invite_uac import InviteUac
from .invites import OutgoingInvite
from .open_requests import ClientRequest, FinalHandler
from .request_sender import RequestSender
from .session_core import SDP, SessionCore
from .session_state import SessionState


@final
class Renegotiation(FinalHandler):
    """Changes and refreshes the session of a call.

    Args:
        core: of the call.
        sender: of its requests.
        in_dialog: ends the call.
        uac: sends INVITEs.
    """

    __slots__ = ("_core", "_in_dialog", "_sender", "_uac", "backing_off", "queued", "ring_time")

    def __init__(self, core: SessionCore, sender: RequestSender, in_dialog: InDialog, uac: InviteUac) -> None:
        self._core = core
        self._sender = sender
        self._in_dialog = in_dialog
        self._uac = uac
        self.ring_time = 0.0
        """Seconds without a final answer until a re-INVITE is cancelled; 0 = the configuration's."""
        self.queued: deque[OutgoingInvite] | None = None
        """Re-INVITEs that wait for their turn."""
        self.backing_off: list[tuple[float, ClientRequest]] | None = None
        """Requests that met one of the peer's, and when they are sent again."""

    def reinvite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Change the session by a re-INVITE (RFC 3261 section 14.1).

        It waits while another INVITE of either side or an offer is open. Arguments as for `invite`; None is a delayed
        offer, answered by `ack`.

        Returns:
            The number of the request.

        Raises:
            LocalProtocolError: without an established call.
        """
        dialog = self._core.live_dialog("a re-INVITE")
        client = self._new_reinvite(dialog, description, lines_of(headers), content_type)
        self._line_up(client, now)
        return client.request_id

    def _new_reinvite(self, dialog: Dialog, description: bytes | None, extra: str, content_type: str) -> OutgoingInvite:
        hop = self._sender.next_hop(dialog)
        client = OutgoingInvite(self._core.requests.next_id(), dialog.request_uri, dialog, hop)
        client.body = description or b""
        client.has_offer = description is not None
        client.content_type = content_type
        client.extra = extra
        return client

    def _line_up(self, client: OutgoingInvite, now: float) -> None:
        """Send a re-INVITE when its turn comes, at once where nothing is open."""
        if self.queued is None:
            self.queued = deque()
        self.queued.append(client)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Send the next re-INVITE in line when no INVITE or offer stands in its way (RFC 3261 section 14.1)."""
        queued = self.queued
        if not queued or self._core.state is not SessionState.CONFIRMED or not self.is_quiet:
            return
        self._send_reinvite(queued.popleft(), now)

    @property
    def is_quiet(self) -> bool:
        """True when no INVITE of either side and no offer is open."""
        core = self._core
        dialog = core.dialog
        return (
            dialog is not None
            and dialog.offer is OfferState.IDLE
            and core.invite is None
            and core.incoming is None
            and not core.accepted
            and core.unacked is None
        )

    def _send_reinvite(self, client: OutgoingInvite, now: float) -> None:
        dialog = client.dialog
        if dialog is None:
            return
        client.hop = self._sender.next_hop(dialog)
        client.flow = self._sender.flow_to(client.hop, dialog)
        timeout = self.ring_time or self._core.config.ring_timeout
        client.ring_at = now + timeout if timeout else inf
        self._uac.send_invite(client, now)

    def cancel(self, now: float, headers: HeaderPairs = ()) -> bool:
        """Give up the INVITE that is pending, or a re-INVITE that waits: there is nothing to CANCEL then.

        Arguments, result and errors as for `InviteUac.cancel`.
        """
        core = self._core
        if self._uac.cancel(now, headers):
            return True
        waiting = [client for _, client in self.backing_off or () if isinstance(client, OutgoingInvite)]
        client = next((each for each in (*waiting, *(self.queued or ())) if not each.refresh), None)
        if client is None or core.invite is not None:
            return False
        self.backing_off = [entry for entry in self.backing_off or () if entry[1] is not client]
        if self.queued:
            self.queued = deque(each for each in self.queued if each is not client)
        core.events.append(RequestFinished(core.requests.next_id(), "CANCEL", None, 200))
        core.events.append(Failed(487, "Request Terminated", None, Cause.CANCELLED, True))
        return True

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Take a 422, and the end of a probe, re-INVITE or UPDATE: another interval, a wait, or a refreshed session."""
        if client.method == "OPTIONS":
            return self._take_probed(client, response, status, now)
        if response is None:
            return False
        if isinstance(client, OutgoingInvite):
            if status == 422:
                return self._raise_interval(client, response, now)
            return client.reinvite and self._back_off(client, response, now)
        if client.method != "UPDATE":
            return False
        core = self._core
        timer = core.timer
        if timer is not None and client.dialog is core.dialog:
            confirmed = core.state is SessionState.CONFIRMED
            if status == 422 and not self._in_dialog.told:
                # An early one too: its interval is as much too small as that of any other (RFC 4028 section 6).
                if self._raise_interval(client, response, now):
                    return True
            elif confirmed and status < 300:
                core.restart_timer(timer, response, now)
            elif confirmed and not client.request_id and status in (405, 501) and core.dialog is not None:
                core.dialog.peer_updates = False
                self._refresh(now)
        return status in (491, 500) and self._back_off(client, response, now)

    def _raise_interval(self, client: ClientRequest, response: Response, now: float) -> bool:
        """Send a request again with the interval that a 422 demands; False when it was demanded before (7.3, 7.4)."""
        timer = self._core.timer
        if timer is None or not client.may_repeat(Why.INTERVAL) or not timer.raise_minimum(response):
            return False
        if isinstance(client, OutgoingInvite):
            client.end_exchange()
            self._uac.send_invite(client.again(), now)
            return True
        again = client.again()
        again.extra = timer.renewed(client.extra, self._core.config)
        self._sender.send_in_dialog(again, now)
        return True

    def _back_off(self, client: ClientRequest, response: Response, now: float) -> bool:
        """Wait after 491, longer for the owner of the Call-ID; after 500 as long as it demands (14.1, 14.2)."""
        core = self._core
        dialog = client.dialog
        if dialog is None or dialog is not core.dialog:
            return False
        if core.state is not SessionState.CONFIRMED:
            return False
        if response.status == 491:
            # 14.1 has units of 10 ms: the owner of the Call-ID waits 2.1-4 s, the other 0-2 s.
            low, high = (2.1, 4.0) if core.is_caller else (0.0, 2.0)
            wait = round(core.tokens.uniform(low, high), 2)
        elif response.status == 500 and response.retry_after is not None:
            wait = float(min(response.retry_after.seconds, 10))
        else:
            return False
        if not client.may_repeat(Why.GLARE):
            return False
        if isinstance(client, OutgoingInvite):
            client.end_exchange()
        elif client.body and dialog.offer is OfferState.LOCAL_OFFER:
            dialog.negotiate(OfferInput.REJECT)
        again = client.again()
        if client is core.invite:
            core.invite = None
        self._delay(now + wait, again)
        return True

    def _delay(self, at: float, client: ClientRequest) -> None:
        if self.backing_off is None:
            self.backing_off = []
        self.backing_off.append((at, client))

    @property
    def due(self) -> float:
        """When the next request is sent again, or the session is refreshed or given up; infinite without any."""
        timer = self._core.timer
        due = inf if timer is None else timer.due
        if self.backing_off:
            due = min(due, min([at for at, _ in self.backing_off]))
        return due

    def handle_timer(self, now: float) -> None:
        """Do what is due: the session timer, then requests that back off, then those lined up."""
        if self._core.timer is not None:
            self._handle_refresh(now)
        if self.backing_off:
            self._handle_back_off(now)
        if self.queued:
            self.pump(now)

    def _handle_back_off(self, now: float) -> None:
        core = self._core
        waiting = self.backing_off
        if not waiting:
            return
        due = [client for at, client in waiting if at <= now]
        if not due:
            return
        self.backing_off = [entry for entry in waiting if entry[0] > now]
        for client in due:
            if core.state is not SessionState.CONFIRMED:
                continue
            if not self.is_quiet:
                self._delay(now + round(core.tokens.uniform(0.1, 1.0), 2), client)
            elif isinstance(client, OutgoingInvite):
                self._send_reinvite(client, now)
            else:
                if client.body and client.dialog is not None:
                    client.dialog.negotiate(OfferInput.SEND_OFFER)
                self._sender.send_in_dialog(client, now)

    def _handle_refresh(self, now: float) -> None:
        """Refresh at half the interval, hang up before its end (RFC 4028 section 10)."""
        core = self._core
        timer = core.timer
        if timer is None or timer.due > now:
            return
        if core.state is not SessionState.CONFIRMED:
            timer.stop()
        elif timer.expires_at <= now:
            timer.stop()
            self._in_dialog.end_by_bye(Cause.SESSION_EXPIRED, By.EXPIRED, None, now)
        elif timer.over_at <= now:
            timer.stop()
            self._in_dialog.end_by_bye(Cause.MAX_CALL_TIME, By.LOCAL, None, now)
        elif timer.refresh_at <= now:
            timer.refresh_at = inf
            self._refresh(now)
        elif core.dialog is not None:
            timer.probing(now)
            self._sender.request(now, "OPTIONS", core.dialog, extra=core.config.tail).request_id = 0

    def _take_probed(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Take the outcome of a probe: the call ends when the peer is gone; False for any other OPTIONS."""
        core = self._core
        timer = core.timer
        if client.request_id or timer is None or client.dialog is not core.dialog or status == 481:
            return False
        over = timer.probed(status, answered=response is not None, now=now)
        if over and core.state is SessionState.CONFIRMED:
            timer.stop()
            self._in_dialog.end_by_bye(Cause.DIALOG_GONE, By.EXPIRED, response, now)
        return True

    def _refresh(self, now: float) -> None:
        """Keep the session alive, by UPDATE where the peer takes it (RFC 4028 section 7.4)."""
        core = self._core
        dialog, timer = core.dialog, core.timer
        if dialog is None or timer is None:
            return
        if dialog.peer_updates:
            extra = core.config.invite_tail + timer.request_lines(core.config)
            self._sender.request(now, "UPDATE", dialog, extra=extra).request_id = 0
            return
        client = self._new_reinvite(dialog, dialog.description, "", SDP)
        client.refresh = True
        self._line_up(client, now)
