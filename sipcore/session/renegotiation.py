"""RenegotiatingSide: re-INVITEs of ours, glare, and keeping the session alive (RFC 3261 14.1, RFC 4028 section 10).

Lines re-INVITEs up behind whatever is open, repeats after 491, and refreshes by UPDATE or re-INVITE. The
arithmetic of session timers is in `session_timer`.
"""

from __future__ import annotations

from collections import deque
from math import inf

from ..message.header_lines import HeaderPairs, lines_of
from ..message.hop import Hop
from ..message.messages import Response
from ..message.tokens import Tokens
from ..transaction.repeats import Why
from .dialog import Dialog, OfferInput, OfferState
from .events import By, Cause, Failed, Refreshed, RequestFinished
from .in_dialog import DialogSide
from .invite_uac import SDP
from .outgoing_invite import OutgoingInvite
from .session_config import SessionConfig
from .session_state import SessionState
from .session_timer import settled, without_timer
from .transaction_user import ClientRequest


class RenegotiatingSide(DialogSide):
    """The part of a session that changes and refreshes it. Arguments as for CallingSide."""

    __slots__ = ("_backing_off", "_is_caller", "_queued")

    def __init__(
        self,
        config: SessionConfig,
        tokens: Tokens,
        call_id: str,
        local_tag: str,
        from_: str,
        to: str,
        uri: str,
        hop: Hop,
        *,
        is_caller: bool,
    ) -> None:
        super().__init__(config, tokens, call_id, local_tag, from_, to, uri, hop)
        self._is_caller = is_caller
        self._queued: deque[OutgoingInvite] | None = None
        """Re-INVITEs that wait for their turn."""
        self._backing_off: list[tuple[float, ClientRequest]] | None = None
        """Requests that met one of the peer's, and when they are sent again."""

    @property
    def is_caller(self) -> bool:
        """True when the call was made by us."""
        return self._is_caller

    def reinvite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Change the session by a re-INVITE (RFC 3261 14.1).

        Arguments as for `invite`; None is a delayed offer, answered by `ack`. It waits while another INVITE of
        either side or an offer is open. Returns the number of the request. Raises LocalProtocolError without
        an established call.
        """
        dialog = self._live_dialog("a re-INVITE")
        client = self._new_reinvite(dialog, description, lines_of(headers), content_type)
        if self._queued is None:
            self._queued = deque()
        self._queued.append(client)
        self._pump(now)
        return client.request_id

    def _new_reinvite(self, dialog: Dialog, description: bytes | None, extra: str, content_type: str) -> OutgoingInvite:
        hop = self._next_hop(dialog)
        client = OutgoingInvite(self._next_id(), dialog.request_uri, dialog, hop)
        client.body = description or b""
        client.has_offer = description is not None
        client.content_type = content_type
        client.extra = extra
        return client

    def _pump(self, now: float) -> None:
        """Send the next re-INVITE in line when nothing stands in its way (RFC 3261 14.1)."""
        queued = self._queued
        if not queued or self.state is not SessionState.CONFIRMED or not self._is_quiet():
            return
        self._send_reinvite(queued.popleft(), now)

    def _is_quiet(self) -> bool:
        """True when no INVITE of either side and no offer is open."""
        dialog = self.dialog
        return (
            dialog is not None
            and dialog.offer is OfferState.IDLE
            and self._invite is None
            and self._incoming is None
            and not self._accepted
            and self._unacked is None
        )

    def _send_reinvite(self, client: OutgoingInvite, now: float) -> None:
        dialog = client.dialog
        if dialog is None:
            return
        client.hop = self._next_hop(dialog)
        client.flow = self._flow_to(client.hop, dialog)
        timeout = self.ring_time or self.config.ring_timeout
        client.ring_at = now + timeout if timeout else inf
        self._send_invite(client, now)

    # Glare

    def _back_off(self, client: ClientRequest, response: Response, now: float) -> bool:
        """Wait after 491, longer for the owner of the Call-ID; after 500 as long as it says (14.1, 14.2)."""
        dialog = client.dialog
        if dialog is None or dialog is not self.dialog:
            return False
        if self.state is not SessionState.CONFIRMED:
            return False
        if response.status == 491:
            # 14.1 speaks of units of 10 ms: the owner of the Call-ID waits 2.1-4 s, the other 0-2 s.
            low, high = (2.1, 4.0) if self._is_caller else (0.0, 2.0)
            wait = round(self.tokens.uniform(low, high), 2)
        elif response.status == 500 and response.retry_after is not None:
            wait = float(min(response.retry_after.seconds, 10))
        else:
            return False
        if not client.may_repeat(Why.GLARE):
            return False
        if isinstance(client, OutgoingInvite):
            self._end_exchange(client)
        elif client.body and dialog.offer is OfferState.LOCAL_OFFER:
            dialog.negotiate(OfferInput.REJECT)
        again = client.again()
        if client is self._invite:
            self._invite = None
        self._delay(now + wait, again)
        return True

    def _cancel(self, now: float, cause: Cause, extra: str = "") -> bool:
        """Also give up a re-INVITE that waits for its turn, or to be sent again: there is nothing to CANCEL then."""
        if super()._cancel(now, cause, extra):
            return True
        waiting = [client for _, client in self._backing_off or () if isinstance(client, OutgoingInvite)]
        client = next((each for each in (*waiting, *(self._queued or ())) if not each.refresh), None)
        if client is None or self._invite is not None:
            return False
        self._backing_off = [entry for entry in self._backing_off or () if entry[1] is not client]
        if self._queued:
            self._queued = deque(each for each in self._queued if each is not client)
        self._events.append(RequestFinished(self._next_id(), "CANCEL", None, 200))
        self._events.append(Failed(487, "Request Terminated", None, cause, True))
        return True

    def _delay(self, at: float, client: ClientRequest) -> None:
        if self._backing_off is None:
            self._backing_off = []
        self._backing_off.append((at, client))

    def _handle_back_off(self, now: float) -> None:
        waiting = self._backing_off
        if not waiting:
            return
        due = [client for at, client in waiting if at <= now]
        if not due:
            return
        self._backing_off = [entry for entry in waiting if entry[0] > now]
        for client in due:
            if self.state is not SessionState.CONFIRMED:
                continue
            if not self._is_quiet():
                self._delay(now + round(self.tokens.uniform(0.1, 1.0), 2), client)
            elif isinstance(client, OutgoingInvite):
                self._send_reinvite(client, now)
            else:
                if client.body and client.dialog is not None:
                    client.dialog.negotiate(OfferInput.SEND_OFFER)
                self._send_in_dialog(client, now)

    # Session timer

    def _handle_refresh(self, now: float) -> None:
        """Refresh at half the interval, hang up before its end (RFC 4028 section 10)."""
        timer = self._timer
        if timer is None or timer.due > now:
            return
        if self.state is not SessionState.CONFIRMED:
            timer.stop()
        elif timer.expires_at <= now:
            timer.stop()
            self._end_by_bye(Cause.SESSION_EXPIRED, By.EXPIRED, None, now)
        else:
            timer.refresh_at = inf
            self._refresh(now)

    def _refresh(self, now: float) -> None:
        """Keep the session alive, by UPDATE where the peer takes it (RFC 4028 7.4)."""
        dialog, timer = self.dialog, self._timer
        if dialog is None or timer is None:
            return
        if dialog.peer_updates:
            extra = self.config.invite_tail + timer.request_lines(self.config)
            self._request(now, "UPDATE", dialog, extra=extra).request_id = 0
            return
        client = self._new_reinvite(dialog, dialog.description, "", SDP)
        client.refresh = True
        if self._queued is None:
            self._queued = deque()
        self._queued.append(client)
        self._pump(now)

    def _on_final(self, client: ClientRequest, response: Response, now: float) -> None:
        timer = self._timer
        confirmed = self.state is SessionState.CONFIRMED
        if client.method == "UPDATE" and timer is not None and client.dialog is self.dialog:
            if response.status == 422 and not self._told:
                # An early one too: its interval is as much too small as that of any other (RFC 4028 section 6).
                if client.may_repeat(Why.INTERVAL) and timer.raise_minimum(response):
                    again = client.again()
                    again.extra = without_timer(client.extra) + timer.request_lines(self.config)
                    self._send_in_dialog(again, now)
                    return
            elif confirmed and response.status < 300:
                timer.start(settled(response), now)
                self._events.append(Refreshed(timer.agreed.interval))
            elif confirmed and not client.request_id and response.status in (405, 501) and self.dialog is not None:
                self.dialog.peer_updates = False
                self._refresh(now)
        super()._on_final(client, response, now)
