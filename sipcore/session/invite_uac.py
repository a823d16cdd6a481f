"""InviteUac: the INVITEs and re-INVITEs of the UAC (RFC 3261 9.1, 12.1.2, 13.2, 14.1, RFC 3262 4).

The INVITE; early dialogs and forks, with a PRACK for reliable 1xx in order; the first 2xx that makes the call, and the
ACK of every 2xx; CANCEL; repetition with credentials; and the end of an INVITE that has failed, when no other part
sends it again. A CANCEL must never be sent before a 1xx has come. A description that a reliable 1xx has settled is
never looked at again in the 2xx.
"""

from __future__ import annotations

from math import inf
from typing import Final, final

from ..errors import LocalProtocolError
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.messages import Response
from ..transaction.client_transaction import ClientState, cancel_request
from .dialog import Dialog, DialogState, OfferInput, OfferState, ends_call, takes_update
from .events import (
    Answered,
    AnswerReceived,
    By,
    Cause,
    Failed,
    ForkEnded,
    OfferReceived,
    Provisional,
    RequestFinished,
)
from .in_dialog import InDialog
from .invites import OPTION_TAG, CancelState, Fork, OutgoingInvite, in_order
from .open_requests import ClientRequest, FinalHandler
from .request_sender import RequestSender
from .session_core import OVER, SDP, SessionCore
from .session_state import SessionInput, SessionState

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_INVITE: Final = SessionInput.INVITE
_TRYING: Final = SessionInput.TRYING
_RING: Final = SessionInput.RING
_ANSWER: Final = SessionInput.ANSWER
_RECEIVE_ANSWER: Final = OfferInput.RECEIVE_ANSWER
_NOT_CANCELLED: Final = CancelState.NONE
_CONFIRMED: Final = SessionState.CONFIRMED
_WANTED: Final = CancelState.WANTED
_LOCAL_OFFER: Final = OfferState.LOCAL_OFFER
_IDLE: Final = OfferState.IDLE
MOST_LATE: Final = 16
"""Dialogs of a call that are hung up because their 2xx came late; further ones are ignored."""


@final
class InviteUac(FinalHandler):
    """Sends the INVITEs of one call.

    Args:
        core: of the call.
        sender: of its requests.
        in_dialog: ends the call.
        from_, to: the header values without tags.
        uri: of the callee, with its headers; empty when the call came in.
    """

    __slots__ = (
        *(
            "_answered_by",
            "_core",
            "_fork_count",
            "_from",
            "_in_dialog",
            "_last_cseq",
            "_late",
            "_sender",
        ),
        *("_to", "_took_over", "_uri"),
        "refused",
    )

    def __init__(
        self, core: SessionCore, sender: RequestSender, in_dialog: InDialog, from_: str, to: str, uri: str
    ) -> None:
        self._core = core
        self._sender = sender
        self._in_dialog = in_dialog
        self._from = from_
        self._to = to
        self._uri = uri
        self._last_cseq = 0
        self._took_over = False
        self._answered_by: str | None = None
        """The To tag of the 2xx that made the call."""
        self._late: dict[str, OutgoingInvite] | None = None
        """What has the ACK of each 2xx that came when its INVITE was over, by To tag; None = none came."""
        self._fork_count = 0
        """Dialogs that responses to the first INVITE have made so far, in all of its attempts."""
        self.refused: OutgoingInvite | None = None
        """The first INVITE, when it failed for lack of credentials."""

    @property
    def parties(self) -> tuple[str, str]:
        """The From and To values of the first INVITE, without tags."""
        return self._from, self._to

    @property
    def is_through(self) -> bool:
        """Whether nothing is kept for a further INVITE, or for a 2xx that comes late or to another process."""
        return self.refused is None and self._late is None and not self._took_over

    def number_from(self, number: int) -> None:
        """Note the CSeq number of the last first INVITE, which another process has sent."""
        self._last_cseq = number

    def take_over(self) -> None:
        """Note that another process has sent INVITEs of this call: their 2xx may come, and need an ACK."""
        self._took_over = True

    def take_late(self, response: Response, now: float) -> None:
        """Take a response that no transaction takes: a 2xx to an INVITE gets its ACK (RFC 3261 section 13.2.2.4).

        A dialog that the call does not go on with is hung up: that of another fork, or of an INVITE that had failed.
        """
        number, method = response.cseq
        if method != "INVITE" or not 200 <= response.status < 300 or self._is_open(number):
            return
        core = self._core
        tag = response.to_tag or ""
        known = self._late.get(tag) if self._late is not None else None
        if known is not None:
            core.requests.retransmissions += 1
            core.config.counts.received("INVITE")
            core.config.counts.sent("ACK")
            core.requests.transmits.append(known.acks[tag])
            return
        dialog = core.dialog
        if dialog is not None and dialog.remote_tag == tag and (self._took_over or self._answered_by == tag):
            if self._took_over and dialog.state is DialogState.CONFIRMED and number <= dialog.local_cseq:
                self._acknowledge(dialog, number)
        elif core.is_caller and (number <= self._last_cseq or self._took_over):
            self._hang_up_late(response, now)

    def _is_open(self, number: int) -> bool:
        """Whether the local INVITE of this CSeq number waits for a 2xx, or takes further ones."""
        return any(
            isinstance(each, OutgoingInvite)
            and each.cseq == number
            and each.transaction.state is not ClientState.COMPLETED
            for each in self._core.requests.clients
        )

    def _hang_up_late(self, response: Response, now: float) -> None:
        """Acknowledge a 2xx that nobody waits for any more, and hang its dialog up."""
        core = self._core
        late = self._late = self._late or {}
        if len(late) >= MOST_LATE:
            return
        local = response.headers.mended("From") or f"{self._from};tag={core.local_tag}"
        dialog = Dialog.of_response(response, local, core.local_tag, core.config.max_forwards)
        dialog.confirm(response)
        dialog.remote_target = dialog.remote_target or self._uri or core.place
        if core.dialog is None and core.state in OVER:
            core.dialog = dialog
        core.config.counts.answered_late()
        late[dialog.remote_tag] = self._acknowledge(dialog, response.cseq.number)
        self._hang_up_fork(dialog, now)

    def _acknowledge(self, dialog: Dialog, number: int) -> OutgoingInvite:
        """Send the ACK of a 2xx to an INVITE of which no record is left, and return one that has it."""
        client = OutgoingInvite(0, dialog.request_uri, dialog, self._sender.next_hop(dialog))
        client.cseq = number
        self._sender.send_ack(client, dialog)
        return client

    def invite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send the INVITE that sets the call up (RFC 3261 section 13.2.1).

        Args:
            now: seconds.
            description: the offer, None for a delayed one (CALL.md C3).
            headers: further ones, repeated in later attempts.

        Returns:
            The request's number.

        Raises:
            LocalProtocolError: the session has one already. After one that failed for lack of credentials it may be
                sent again (`authorize`, RFC 3261 section 22.2).
        """
        core = self._core
        refused, self.refused = self.refused, None
        core.command(_INVITE if refused is None else SessionInput.RETRY, "invite")
        if refused is not None:
            self._in_dialog.told = False
            core.dialog = None
        if core.is_timed:
            core.timer = core.new_timer()
        uri, hop = (self._uri, core.hop) if refused is None else (refused.uri, refused.hop)
        client = OutgoingInvite(core.requests.next_id(), uri, None, hop)
        client.body = description or b""
        client.content_type = content_type
        client.has_offer = description is not None
        client.extra = lines_of(headers)
        if refused is None:
            client.obey_uri()
        else:
            client.embedded = refused.embedded
        client.visited = (client.uri,)
        timeout = core.config.ring_timeout
        client.ring_at = now + timeout if timeout else inf
        self.send_invite(client, now)
        return client.request_id

    @property
    def challenger(self) -> str:
        """The host for which the credentials of the next local request are (RELIABILITY S8)."""
        core = self._core
        hop = core.hop if core.dialog is None or self.refused is not None else self._sender.next_hop(core.dialog)
        return core.domain if hop.host == core.home else hop.host

    def cancel(self, now: float, headers: HeaderPairs = ()) -> bool:
        """Give up the pending INVITE; the CANCEL itself is held until a 1xx came (RFC 3261 section 9.1).

        The result comes as RequestFinished for CANCEL and Failed for the INVITE; a 2xx in the race gets ACK and BYE.

        Returns:
            False, and sends nothing, when no local INVITE waits for its final response.
        """
        return self.cancel_for(now, Cause.CANCELLED, lines_of(headers))

    @property
    def cancel_open(self) -> bool:
        """Whether the result of a CANCEL is still to come, as RequestFinished."""
        client = self._core.invite
        return client is not None and client.cancel in (_WANTED, CancelState.SENT)

    def ack(self, now: float, description: bytes | None, *, headers: HeaderPairs = (), content_type: str = SDP) -> None:
        """Answer the offer of a 2xx in its ACK (delayed offer, RFC 3261 section 13.2.1).

        Args:
            description: the answer; None when the offer is of no use, which leaves the session as it was.

        Raises:
            LocalProtocolError: no ACK is owed.
        """
        core = self._core
        if core.unacked is None:
            raise LocalProtocolError("no 2xx with an offer waits for its ACK")
        client, dialog = core.unacked
        dialog.negotiate(OfferInput.REJECT if description is None else OfferInput.SEND_ANSWER)
        core.unacked = None
        dialog.description = dialog.description if description is None else description
        self._sender.send_ack(client, dialog, lines_of(headers), description or b"", content_type)

    def prack(
        self,
        now: float,
        description: bytes,
        *,
        fork: int | None = None,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Answer the offer of a reliable 1xx in its PRACK (RFC 3262 section 5).

        Args:
            fork: the number in OfferReceived, None for the first that waits.

        Returns:
            The request's number.

        Raises:
            LocalProtocolError: no such PRACK is owed.
        """
        owing = self._owing_prack(fork)
        if owing is None:
            raise LocalProtocolError("no reliable 1xx with an offer waits for its PRACK")
        dialog = owing.dialog
        dialog.negotiate(OfferInput.SEND_ANSWER)
        extra, owing.rack = owing.rack + lines_of(headers), ""
        dialog.description = description
        return self._sender.request(
            now, "PRACK", dialog, extra=extra, body=description, content_type=content_type
        ).request_id

    def owes_prack(self, fork: int) -> bool:
        """True while the offer of a reliable 1xx in this dialog waits for `prack`."""
        return self._owing_prack(fork) is not None

    def _owing_prack(self, fork: int | None) -> Fork | None:
        for client in self._core.requests.clients:
            if isinstance(client, OutgoingInvite):
                for each in client.forks.values():
                    if each.rack and (fork is None or each.dialog.number == fork):
                        return each
        return None

    def send_invite(self, client: OutgoingInvite, now: float) -> None:
        """Write the INVITE with a new CSeq number and branch, and send it."""
        core = self._core
        core.invite = client
        config = self._sender.way(client.hop)
        if client.dialog is None and config is not core.config:
            core.use(config)  # what follows in the call leaves by the way of its first INVITE
        branch = core.tokens.branch()
        dialog = client.dialog
        if dialog is not None:
            client.uri = dialog.request_uri
            if client.has_offer and dialog.offer is _IDLE:
                dialog.negotiate(OfferInput.SEND_OFFER)
        else:
            core.dialog = None  # one of an attempt before
        own = merged(client.extra, client.embedded) + client.embedded if client.embedded else client.extra
        tail = (merged(config.invite_tail, own) if own else config.invite_tail) + own
        if core.timer is not None:
            tail += core.timer.request_lines(config)
        if self._sender.digest is not None:
            tail += self._sender.credentials_for(client)
        if dialog is not None:
            client.cseq = dialog.next_cseq()
            data = dialog.write(
                "INVITE", client.cseq, f"{config.via_start}{branch};rport", tail, client.body, client.content_type
            )
        else:
            client.cseq = self._last_cseq = self._last_cseq + 1
            routes = "".join([f"Route: {route}\r\n" for route in config.route]) if config.route else ""
            kind = f"Content-Type: {client.content_type}\r\n" if client.body else ""
            data = (
                f"INVITE {client.uri} SIP/2.0\r\n{config.via_start}{branch};rport\r\n"
                f"Max-Forwards: {config.max_forwards}\r\n{routes}From: {self._from};tag={core.local_tag}\r\n"
                f"To: {self._to}\r\nCall-ID: {core.call_id}\r\nCSeq: {client.cseq} INVITE\r\n{tail}{kind}"
                f"Content-Length: {len(client.body)}\r\n\r\n"
            ).encode("utf-8", "surrogateescape") + client.body
        core.requests.send(client, data, branch, now)

    def cancel_for(self, now: float, cause: Cause, extra: str = "") -> bool:
        """Give up the pending INVITE for a cause.

        Args:
            extra: header lines of the CANCEL, or of the BYE when a 2xx wins the race.

        Returns:
            False when none waits.
        """
        core = self._core
        client = core.invite
        if client is None or client.final or client.cancel is not _NOT_CANCELLED:
            return False
        client.cause = cause
        client.ring_at = inf
        client.cancel_lines = extra or core.parting
        client.cancel_id = core.requests.next_id()
        if not client.reinvite:
            core.move(SessionInput.CANCEL)
        if client.transaction.state is ClientState.PROCEEDING:
            self._send_cancel(client, now)
        else:
            client.cancel = _WANTED
        return True

    def _send_cancel(self, client: OutgoingInvite, now: float) -> None:
        """Send the CANCEL, and bound the wait for the INVITE's own final response (RFC 3261 section 9.1)."""
        core = self._core
        client.cancel = CancelState.SENT
        transaction = client.transaction
        cancel = ClientRequest(client.cancel_id, "CANCEL", client.uri, client.dialog, client.hop)
        cancel.flow = client.flow
        core.requests.send(cancel, cancel_request(transaction.data, client.cancel_lines), transaction.branch, now)
        transaction.give_up_at(now + 64.0 * core.config.timers.t1)

    def receive(self, client: OutgoingInvite, response: Response, now: float) -> bool:
        """Take a response; False for a failure, which other parts may handle."""
        status = response.status
        if 200 <= status < 300:
            self._on_success(client, response, now)
        elif client.final:
            self._core.requests.ignored += 1
        elif status < 200:
            self._on_provisional(client, response, now)
        else:
            return False
        return True

    def _on_provisional(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """Take a 1xx: an early dialog, perhaps a description; the CANCEL that waited may go (13.2.2.1, 9.1)."""
        core = self._core
        to_tag = response.to_tag
        if not client.reinvite:
            core.move(_RING if response.status > 100 else _TRYING)
        if client.cancel is _WANTED:
            self._send_cancel(client, now)
        if client.cancel is not _NOT_CANCELLED:
            return
        if client.reinvite and core.state is not _CONFIRMED:
            core.requests.ignored += 1  # the local BYE has overtaken it
            client.bound_wait(now, core.config.timers.t1)
            return
        if response.status == 100:
            core.events.append(Provisional(response, False))
            return
        # 12.1.2: without a tag it is the dialog of the null tag.
        self._on_ringing(client, self._fork(client, response, to_tag or ""), response, now)

    def _on_ringing(self, client: OutgoingInvite, fork: Fork, response: Response, now: float) -> None:
        """Take a 101-199 with its dialog: reliable ones get a PRACK, in order (RFC 3262 section 4)."""
        core = self._core
        dialog = fork.dialog
        body = b"" if fork.settled else response.description
        rseq = response.rseq if "rseq" in response.headers.keys and response.requires(OPTION_TAG) else None
        if not rseq:  # 0 is none (RFC 3262 section 7.1): as one that cannot be read, it makes no 1xx reliable
            core.events.append(Provisional(response, False))
            if body and client.has_offer:
                fork.preview = body
                core.events.append(AnswerReceived(body, "1xx", False, dialog.number))
            return
        if not in_order(fork.rseq, rseq):
            core.requests.ignored += 1
            return
        fork.rseq = rseq
        if "allow" in response.headers.keys:
            dialog.peer_updates = takes_update(response)  # RFC 3311 section 4
        dialog.refresh_target(response)
        core.events.append(Provisional(response, True))
        rack = f"RAck: {rseq} {client.cseq} INVITE\r\n"
        if body and not client.has_offer and dialog.offer is _IDLE:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            fork.settled = True
            fork.rack = rack
            core.events.append(OfferReceived(body, "1xx", 0, dialog.number))
            return
        if body and client.has_offer:
            dialog.negotiate(_RECEIVE_ANSWER)
            fork.settled = True
            dialog.description = client.body
            dialog.answer_seen = body
            core.events.append(AnswerReceived(body, "1xx", True, dialog.number))
        self._sender.request(now, "PRACK", dialog, extra=rack).request_id = 0

    def _fork(self, client: OutgoingInvite, response: Response, to_tag: str) -> Fork:
        """Return the dialog of a response, made at its first one (RFC 3261 sections 12.1.2, 13.2.2.4)."""
        core = self._core
        dialog = client.dialog
        if dialog is not None:
            to_tag = dialog.remote_tag  # a re-INVITE does not fork
        fork = client.forks.get(to_tag)
        if fork is not None:
            return fork
        if dialog is None:
            local = f"{self._from};tag={core.local_tag}"
            dialog = Dialog.of_response(response, local, core.local_tag, core.config.max_forwards)
            dialog.number = self._fork_count
            self._fork_count += 1
            if not dialog.remote_target:
                dialog.remote_target = client.uri
            if client.has_offer:
                dialog.offer = _LOCAL_OFFER
            if core.dialog is None or not core.dialog.remote_tag:
                core.dialog = dialog
        fork = client.forks[to_tag] = Fork(dialog)
        return fork

    def _fork_of_success(self, client: OutgoingInvite, response: Response, to_tag: str) -> Fork:
        """Return the dialog that a 2xx confirms.

        A callee whose 1xx had no tag, and whose 2xx relies on the description in it, is one callee.
        """
        nameless = client.forks.get("")
        described = nameless is not None and (nameless.settled or nameless.preview)
        if nameless is not None and described and to_tag not in client.forks and not response.description:
            del client.forks[""]
            nameless.dialog.name_peer(response)
            client.forks[to_tag] = nameless
        return self._fork(client, response, to_tag)

    def _on_success(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """Take a 2xx: ACK every one; the first makes the call, further forks are hung up (13.2.2.4)."""
        core = self._core
        to_tag = response.to_tag or ""
        known = client.acks.get(to_tag)
        if known is not None:
            core.requests.retransmissions += 1
            core.config.counts.received("INVITE")
            core.config.counts.sent("ACK")
            core.requests.transmits.append(known)
            return
        if core.unacked is not None and core.unacked[1].remote_tag == to_tag:
            core.requests.ignored += 1
            core.config.counts.received("INVITE")
            return
        fork = self._fork_of_success(client, response, to_tag)
        dialog = fork.dialog
        dialog.confirm(response)
        if client.final:
            self._sender.send_ack(client, dialog)
            self._hang_up_fork(dialog, now, client.cancel_lines)
            core.events.append(ForkEnded(response))
            return
        client.final = True
        client.ring_at = inf
        core.invite = None
        if client.cancel is _WANTED:  # no 1xx has let it go
            core.events.append(RequestFinished(client.cancel_id, "CANCEL", response, response.status))
        core.dialog = dialog
        if not client.reinvite:
            self._answered_by = to_tag
            core.move(_ANSWER)
        if client.cancel is not _NOT_CANCELLED and not client.reinvite:
            self._sender.send_ack(client, dialog)
            self._give_up(client, response, now)
            return
        if core.state is not _CONFIRMED:
            # The local BYE has overtaken the answer to the re-INVITE.
            self._sender.send_ack(client, dialog)
            return
        self._settle_timer(response, now)
        self._take_success(client, fork, response, now)

    def _take_success(self, client: OutgoingInvite, fork: Fork, response: Response, now: float) -> None:
        """Take the first 2xx: its description, its ACK, and the events (RFC 3261 sections 13.2.1, 13.2.2.4).

        An agreement by a reliable 1xx of this INVITE in this dialog holds; the description of the 2xx is not looked at
        then (RFC 3262 section 5).
        """
        core = self._core
        dialog = fork.dialog
        if fork.rack and client.cancel is not _NOT_CANCELLED:
            fork.rack = ""  # cancelled for its offer, too late
            dialog.negotiate(OfferInput.REJECT)
        body = fork.description_in(response)
        events = core.events
        number = dialog.number
        if client.has_offer and not fork.settled:
            self._sender.send_ack(client, dialog)
            if not body:
                self._take_no_answer(client, dialog, response, now)
                return
            dialog.negotiate(_RECEIVE_ANSWER)
            dialog.description = client.body
            changed = body != dialog.answer_seen
            dialog.answer_seen = body
            if not client.refresh:
                events.append(Answered(response, client.reinvite, number))
            if changed or not client.refresh:
                events.append(AnswerReceived(body, "2xx", True, number))
            return
        if body and not client.has_offer and dialog.offer is _IDLE:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            core.unacked = (client, dialog)
            events.append(Answered(response, client.reinvite, number))
            events.append(OfferReceived(body, "2xx", 0, number))
            return
        self._sender.send_ack(client, dialog)
        if not client.refresh:
            events.append(Answered(response, client.reinvite, number))

    def _take_no_answer(self, client: OutgoingInvite, dialog: Dialog, response: Response, now: float) -> None:
        """Take a 2xx without the answer: a call that was not up cannot be, one that was goes on as before (14.1)."""
        dialog.negotiate(OfferInput.REJECT)
        if not client.refresh:
            reason, cause = response.reason, Cause.BAD_DESCRIPTION
            self._core.events.append(Failed(response.status, reason, response, cause, client.reinvite))
        if not client.reinvite:
            self._in_dialog.end_by_bye(Cause.BAD_DESCRIPTION, By.LOCAL, response, now)

    def _settle_timer(self, response: Response, now: float) -> None:
        """Start the session timer by the headers of a 2xx (RFC 4028 section 7.2)."""
        core = self._core
        timer = core.timer
        if timer is None:
            if "session-expires" not in response.headers.keys:
                return
            timer = core.timer = core.new_timer()
        if core.dialog is not None and "allow" in response.headers.keys:
            core.dialog.peer_updates = takes_update(response)
        core.restart_timer(timer, response, now)

    def ack_failed(self, branch: str, now: float) -> None:
        """Note that a local request could not be sent: where it is the ACK of a 2xx, the call ends.

        The peer will take its 2xx for lost, however often it comes, and hang up (RFC 3261 sections 13.3.1.4, 14.2).
        """
        core = self._core
        dialog = core.dialog
        if dialog is None or core.state is not _CONFIRMED:
            return
        mark = f";branch={branch};".encode()
        for client in core.requests.clients:
            if isinstance(client, OutgoingInvite):
                ack = client.acks.get(dialog.remote_tag)
                if ack is not None and mark in ack.data:
                    self._in_dialog.end_by_bye(Cause.TRANSPORT, By.TRANSPORT, None, now)
                    return

    def _give_up(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """Hang up: a 2xx won the race against the CANCEL (RFC 3261 section 9.1)."""
        if not self._in_dialog.told:
            self._core.events.append(Failed(487, "Request Terminated", response, client.cause, False))
        by = By.EXPIRED if client.cause is Cause.NO_ANSWER else By.LOCAL
        self._in_dialog.end_by_bye(client.cause, by, response, now, client.cancel_lines)

    def _hang_up_fork(self, dialog: Dialog, now: float, lines: str = "") -> None:
        """Send a BYE with header lines on a fork that is of no use (RFC 3261 section 13.2.2.4)."""
        dialog.state = DialogState.TERMINATED
        self._sender.request(now, "BYE", dialog, extra=lines or self._core.parting).request_id = 0

    def handle_timer(self, now: float) -> None:
        """When the ring timeout has passed, give the INVITE up, and release the local user.

        A CANCEL that could be sent has T1 for its effect, so that the failure carries the 487. Without a 1xx no CANCEL
        may go (RFC 3261 section 9.1). Then the call ends here for the local user. The transaction goes on until timer
        B, or until a late response, which gets its CANCEL, or its ACK and BYE.
        """
        core = self._core
        client = core.invite
        if client is None or client.ring_at > now:
            return
        if self.cancel_for(now, Cause.NO_ANSWER) and client.cancel is CancelState.SENT and not client.reinvite:
            client.ring_at = now + core.config.timers.t1
            return
        client.ring_at = inf
        if not client.reinvite and not self._in_dialog.told:
            core.events.append(Failed(408, "Request Timeout", None, Cause.NO_ANSWER, False))
            self._in_dialog.report(Cause.NO_ANSWER, By.EXPIRED, None)

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Send an INVITE again with credentials after a 401 or 407 (RFC 3261 sections 22.2, 22.3).

        Also takes the end of a CANCEL.
        """
        invite = self._core.invite
        if isinstance(client, OutgoingInvite):
            if status not in (401, 407) or response is None or not self._sender.learns(client, response):
                return False
            client.end_exchange()
            self.send_invite(client.again(), now)
            return True
        if client.method == "CANCEL" and invite is not None:
            if response is None and status == 503:
                # A peer that no CANCEL reaches will not report that it has stopped: the wait of RFC 3261 9.1 is for
                # nothing.
                invite.transaction.give_up_at(now)
            if invite.cancel_id == client.request_id:
                invite.cancel = CancelState.ANSWERED
        return False

    def give_up(self, client: OutgoingInvite, response: Response | None, status: int, now: float) -> None:
        """End an INVITE that failed with a 300-699, or without a response: it is not sent again (13.2.2.2, 8.1.3.1)."""
        if client.cancel is not _NOT_CANCELLED:
            cause, by = client.cause, By.EXPIRED if client.cause is Cause.NO_ANSWER else By.LOCAL
        elif response is None:
            cause, by = (Cause.TIMEOUT, By.EXPIRED) if status == 408 else (Cause.TRANSPORT, By.TRANSPORT)
        elif status in (401, 407):
            cause, by = Cause.UNAUTHORIZED, By.REMOTE
        elif status < 400:
            cause, by = Cause.REDIRECTED, By.REMOTE
        elif status == 491 and client.reinvite:
            cause, by = Cause.GLARE, By.REMOTE
        else:
            cause, by = Cause.REJECTED, By.REMOTE
        if response is not None:
            reason = response.reason
        else:
            reason = "Request Timeout" if status == 408 else "Service Unavailable"
        self._fail(client, status, reason, response, cause, by, now)

    def _fail(
        self,
        client: OutgoingInvite,
        status: int,
        reason: str,
        response: Response | None,
        cause: Cause,
        by: By,
        now: float,
    ) -> None:
        """Report that an INVITE failed; the first one ends the call."""
        core = self._core
        client.final = True
        client.ring_at = inf
        core.invite = None
        if client.cancel is _WANTED:
            core.events.append(RequestFinished(client.cancel_id, "CANCEL", response, status))
            client.cancel = _NOT_CANCELLED
        client.end_exchange()
        if not client.reinvite:
            self.refused = client if cause is Cause.UNAUTHORIZED else None
            if not self._in_dialog.told:
                sent = self._sender.was_authorized(client, status)
                core.events.append(Failed(status, reason, response, cause, False, sent))
            if core.move(SessionInput.FAILURE):
                self._in_dialog.report(cause, by, response)
            return
        if core.state is not _CONFIRMED:
            return
        if not client.refresh:
            core.events.append(Failed(status, reason, response, cause, True))
        if ends_call("INVITE", status):
            self._in_dialog.end_by_bye(Cause.DIALOG_GONE, By.REMOTE if response else By.EXPIRED, response, now)
