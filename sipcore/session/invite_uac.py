"""CallingSide: an INVITE or re-INVITE as the caller lives through it (RFC 3261 sections 9.1, 13.2, 14.1, 8.1.3.4).

Provisional responses and early dialogs, forks, the 2xx and its ACK, CANCEL, redirection, repetition after 401,
407, 422 and 491. What the called side does is in `invite_uas`; what follows within the dialog is in `invite_session`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from math import inf
from typing import Final

from ..auth.digest import CredentialsLookup, DigestClient
from ..errors import LocalProtocolError
from ..leniency import Leniency
from ..message.header_lines import HeaderPairs, lines_of, merged
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..message.tokens import Tokens
from ..transaction.client_transaction import ClientState, cancel_request
from ..transaction.repeats import NEVER, Why
from .dialog import Dialog, DialogState, OfferInput, OfferState, contact_uri, ends_call, takes_update
from .events import (
    Answered,
    AnswerReceived,
    By,
    Cause,
    Ended,
    Failed,
    ForkEnded,
    OfferReceived,
    Provisional,
    Redirected,
    Refreshed,
    RequestFinished,
)
from .outgoing_invite import CancelState, Fork, OutgoingInvite
from .provisional_reliability import OPTION_TAG, in_order
from .redirection import Target, with_targets
from .session_config import SessionConfig
from .session_state import SESSION_TABLE, SessionInput, SessionState
from .session_timer import SessionTimer, settled
from .transaction_user import ClientRequest, TransactionUser

SDP = "application/sdp"

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_NOT_CANCELLED: Final = CancelState.NONE
_CONFIRMED: Final = SessionState.CONFIRMED
_WANTED: Final = CancelState.WANTED
_LOCAL_OFFER: Final = OfferState.LOCAL_OFFER
_IDLE: Final = OfferState.IDLE


class CallingSide(TransactionUser):
    """The part of a session that sends INVITEs.

    Arguments as for TransactionUser, and `from_`, `to` the header values without tags, `uri` the Request-URI,
    `hop` where the first INVITE goes.
    """

    __slots__ = (
        "_fork_count",
        "_from",
        "_invite",
        "_last_cseq",
        "_refused",
        "_timer",
        "_to",
        "_told",
        "_unacked",
        "_uri",
        "ack_lines",
        "ring_time",
        "state",
    )

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
    ) -> None:
        super().__init__(config, tokens, call_id, local_tag, hop)
        self.state = SessionState.IDLE
        """Where the call stands."""
        self._from = from_
        self._to = to
        self._uri = uri
        self._last_cseq = 0
        self._invite: OutgoingInvite | None = None
        """Our INVITE that waits for its final response."""
        self._unacked: tuple[OutgoingInvite, Dialog, Response] | None = None
        """The 2xx with an offer that waits for `ack`."""
        self._fork_count = 0
        """Dialogs that responses to our first INVITE have made so far, in all of its attempts."""
        self._told = False
        """True once Ended was told."""
        self.ring_time = 0.0
        """Seconds without a final answer until a re-INVITE is cancelled; 0 = the configuration's."""
        self.ack_lines = ""
        """Further header lines of each ACK to a 2xx."""
        self._refused: OutgoingInvite | None = None
        """The first INVITE, when it failed for want of credentials."""
        self._timer: SessionTimer | None = None
        """The session timer, None while nobody has asked for one."""

    # Commands

    def arrange_invites(self, *, ring_time: float | None = None, ack_lines: str | None = None) -> None:
        """How later INVITEs of ours go: None leaves what holds.

        Arguments: `ring_time`, seconds without a final answer before CANCEL, 0 = as configured; `ack_lines`, further
        header lines of the ACK to a 2xx.
        """
        if ring_time is not None:
            self.ring_time = ring_time
        if ack_lines is not None:
            self.ack_lines = ack_lines

    def invite(
        self,
        now: float,
        description: bytes | None = None,
        *,
        headers: HeaderPairs = (),
        content_type: str = SDP,
    ) -> int:
        """Send the INVITE that sets the call up (RFC 3261 13.2.1).

        Arguments: `now` in seconds; `description` the offer, None for a delayed one (CALL.md C3); further
        `headers`, repeated in later attempts. Returns the request's number. Raises LocalProtocolError when
        the session has one already. After one that failed for want of credentials it may be sent again
        (`authorize`, RFC 3261 22.2).
        """
        refused, self._refused = self._refused, None
        self._command(SessionInput.INVITE if refused is None else SessionInput.RETRY, "invite")
        if refused is not None:
            self._told = False
            self.dialog = None
        if self.config.session_expires:
            self._timer = SessionTimer(self.config.min_se)
        uri, hop = (self._uri, self._hop) if refused is None else (refused.uri, refused.hop)
        client = OutgoingInvite(self._next_id(), uri, None, hop)
        client.body = description or b""
        client.content_type = content_type
        client.has_offer = description is not None
        client.extra = lines_of(headers)
        client.visited = (uri,)
        client.embedded = "" if refused is None else refused.embedded
        timeout = self.config.ring_timeout
        client.ring_at = now + timeout if timeout else inf
        self._send_invite(client, now)
        return client.request_id

    def authorize(self, challenge: Response | None, credentials: CredentialsLookup) -> bool:
        """Take other credentials, and a 401 or 407 that the next request answers at once (CALL.md C31).

        Returns False, and changes nothing, when they are not for the challenge.
        """
        digest = DigestClient(credentials, self.tokens)
        if challenge is not None and not digest.learn(challenge, host=self.challenger):
            return False
        self.config = replace(self.config, credentials=credentials)
        self._digest = digest
        return True

    @property
    def challenger(self) -> str:
        """The host that the credentials of our next request are for (RELIABILITY S8)."""
        hop = self._hop if self.dialog is None or self._refused is not None else self._next_hop(self.dialog)
        return self._domain if hop.host == self._home else hop.host

    @property
    def was_challenged(self) -> bool:
        """True while the first INVITE has failed for want of credentials and nothing else."""
        return self._refused is not None

    def cancel(self, now: float, headers: HeaderPairs = ()) -> bool:
        """Give up the pending INVITE; the CANCEL itself is held until a 1xx came (RFC 3261 9.1).

        Returns False, and sends nothing, when no INVITE of ours waits for its final response. The result
        comes as RequestFinished for CANCEL and Failed for the INVITE; a 2xx in the race gets ACK and BYE.
        """
        return self._cancel(now, Cause.CANCELLED, lines_of(headers))

    @property
    def cancel_open(self) -> bool:
        """Whether the result of a CANCEL is still to come, as RequestFinished."""
        client = self._invite
        return client is not None and client.cancel in (_WANTED, CancelState.SENT)

    def ack(self, now: float, description: bytes | None, *, headers: HeaderPairs = (), content_type: str = SDP) -> None:
        """Answer the offer of a 2xx in its ACK (delayed offer, RFC 3261 13.2.1).

        Arguments: `description` the answer; None when the offer is of no use, which leaves the session as it was.
        Raises LocalProtocolError when no ACK is owed.
        """
        if self._unacked is None:
            raise LocalProtocolError("no 2xx with an offer waits for its ACK")
        client, dialog, response = self._unacked
        dialog.negotiate(OfferInput.REJECT if description is None else OfferInput.SEND_ANSWER)
        self._unacked = None
        dialog.description = dialog.description if description is None else description
        self._send_ack(client, dialog, response, lines_of(headers), description or b"", content_type)

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

        Arguments: `fork` the number in OfferReceived, None for the first that waits. Returns the request's number.
        Raises LocalProtocolError when no such PRACK is owed.
        """
        owing = self._owing_prack(fork)
        if owing is None:
            raise LocalProtocolError("no reliable 1xx with an offer waits for its PRACK")
        dialog = owing.dialog
        dialog.negotiate(OfferInput.SEND_ANSWER)
        extra, owing.rack = owing.rack + lines_of(headers), ""
        dialog.description = description
        return self._request(now, "PRACK", dialog, extra=extra, body=description, content_type=content_type).request_id

    def owes_prack(self, fork: int) -> bool:
        """True while the offer of a reliable 1xx in this dialog waits for `prack`."""
        return self._owing_prack(fork) is not None

    def _owing_prack(self, fork: int | None) -> Fork | None:
        for client in self._clients:
            if isinstance(client, OutgoingInvite):
                for each in client.forks.values():
                    if each.rack and (fork is None or each.dialog.number == fork):
                        return each
        return None

    # Sending

    def _command(self, what: SessionInput, name: str) -> None:
        """Move by a command of our user. Raises LocalProtocolError when the state forbids it."""
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            raise LocalProtocolError(f"{name} is not possible in state {self.state.name}")
        self.state = entered

    def _move(self, what: SessionInput) -> bool:
        """Move by what happened; False when it changes nothing in this state."""
        entered = SESSION_TABLE.get((self.state, what))
        if entered is None:
            return False
        self.state = entered
        return True

    def _tell_end(self, cause: Cause, by: By, message: Request | Response | None) -> None:
        """Tell that the call is over, once."""
        if not self._told:
            self._told = True
            self._events.append(Ended(cause, by, message))

    def _send_invite(self, client: OutgoingInvite, now: float) -> None:
        """Write the INVITE with a new CSeq number and branch, and send it."""
        self._invite = client
        config = self._way(client.hop)
        if client.dialog is None:
            self.config = config  # what follows in the call leaves by the way of its first INVITE
        branch = self.tokens.branch()
        dialog = client.dialog
        if dialog is not None:
            client.uri = dialog.request_uri
            if client.has_offer and dialog.offer is _IDLE:
                dialog.negotiate(OfferInput.SEND_OFFER)
        else:
            self.dialog = None  # one of an attempt before
        own = merged(client.extra, client.embedded) + client.embedded if client.embedded else client.extra
        tail = (merged(config.invite_tail, own) if own else config.invite_tail) + own
        if self._timer is not None:
            tail += self._timer.request_lines(config)
        if self._digest is not None:
            tail += self._credentials_for(client)
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
                f"Max-Forwards: {config.max_forwards}\r\n{routes}From: {self._from};tag={self.local_tag}\r\n"
                f"To: {self._to}\r\nCall-ID: {self.call_id}\r\nCSeq: {client.cseq} INVITE\r\n{tail}{kind}"
                f"Content-Length: {len(client.body)}\r\n\r\n"
            ).encode("utf-8", "surrogateescape") + client.body
        self._send(client, data, branch, now)

    def _send_ack(
        self,
        client: OutgoingInvite,
        dialog: Dialog,
        response: Response,
        extra: str = "",
        body: bytes = b"",
        content_type: str = SDP,
    ) -> None:
        """Acknowledge a 2xx: a new branch, the INVITE's CSeq number, no transaction (RFC 3261 13.2.2.4, 17.1)."""
        if self.ack_lines:
            extra += self.ack_lines
        hop = self._next_hop(dialog)
        data = dialog.write(
            "ACK",
            client.cseq,
            f"{self._way(hop).via_start}{self.tokens.branch()};rport",
            # 22.1: the ACK carries the credentials of its INVITE.
            extra + lines_of(client.credentials) if client.credentials else extra,
            body,
            content_type,
        )
        transmit = Transmit(data, hop, self._flow_to(hop, dialog))
        client.acks[dialog.remote_tag] = transmit
        self._transmits.append(transmit)

    def _cancel(self, now: float, cause: Cause, extra: str = "") -> bool:
        client = self._invite
        if client is None or client.final or client.cancel is not _NOT_CANCELLED:
            return False
        client.cause = cause
        client.ring_at = inf
        client.cancel_id = self._next_id()
        if not client.reinvite:
            self._move(SessionInput.CANCEL)
        if client.transaction.state is ClientState.PROCEEDING:
            self._send_cancel(client, now, extra)
        else:
            client.cancel = _WANTED
        return True

    def _send_cancel(self, client: OutgoingInvite, now: float, extra: str = "") -> None:
        """Send the CANCEL, and bound the wait for the INVITE's own final response (RFC 3261 9.1)."""
        client.cancel = CancelState.SENT
        transaction = client.transaction
        cancel = ClientRequest(client.cancel_id, "CANCEL", client.uri, client.dialog, client.hop)
        cancel.flow = client.flow
        self._send(cancel, cancel_request(transaction.data, extra), transaction.branch, now)
        transaction.give_up_at(now + 64.0 * self.config.timers.t1)

    def _bound_wait(self, client: OutgoingInvite, now: float) -> None:
        """Wait 64*T1 for the final response of an INVITE that nobody wants any more: timer B has ended with a 1xx."""
        client.ring_at = inf
        if client.transaction.end_at == inf:
            client.transaction.give_up_at(now + 64.0 * self.config.timers.t1)

    # Responses

    def _on_invite_response(self, client: OutgoingInvite, response: Response, now: float) -> None:
        status = response.status
        if 200 <= status < 300:
            self._on_success(client, response, now)
        elif client.final:
            self.ignored += 1
        elif status < 200:
            self._on_provisional(client, response, now)
        else:
            self._on_failure(client, response, now)

    def _on_provisional(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """A 1xx: an early dialog, perhaps a description; the CANCEL that waited may go (13.2.2.1, 9.1)."""
        to_tag = response.to_tag
        if not client.reinvite:
            self._move(SessionInput.RING if response.status > 100 else SessionInput.TRYING)
        if client.cancel is _WANTED:
            self._send_cancel(client, now)
        if client.cancel is not _NOT_CANCELLED:
            return
        if client.reinvite and self.state is not _CONFIRMED:
            self.ignored += 1  # our BYE has overtaken it
            self._bound_wait(client, now)
            return
        if response.status == 100:
            self._events.append(Provisional(response, False))
            return
        # 12.1.2: without a tag it is the dialog of the null tag.
        self._on_ringing(client, self._fork(client, response, to_tag or ""), response, now)

    def _on_ringing(self, client: OutgoingInvite, fork: Fork, response: Response, now: float) -> None:
        """A 101-199 with its dialog: reliable ones get a PRACK, in order (RFC 3262 section 4)."""
        dialog = fork.dialog
        body = b"" if fork.settled else response.description
        rseq = response.rseq if "rseq" in response.headers.keys and response.requires(OPTION_TAG) else None
        if rseq is None:
            self._events.append(Provisional(response, False))
            if body and client.has_offer:
                fork.preview = body
                self._events.append(AnswerReceived(body, "1xx", False, dialog.number))
            return
        if not in_order(fork.rseq, rseq):
            self.ignored += 1
            return
        fork.rseq = rseq
        dialog.refresh_target(response)
        self._events.append(Provisional(response, True))
        rack = f"RAck: {rseq} {client.cseq} INVITE\r\n"
        if body and not client.has_offer and dialog.offer is _IDLE:
            dialog.negotiate(OfferInput.RECEIVE_OFFER)
            fork.settled = True
            fork.rack = rack
            self._events.append(OfferReceived(body, "1xx", 0, dialog.number))
            return
        if body and client.has_offer:
            dialog.negotiate(OfferInput.RECEIVE_ANSWER)
            fork.settled = True
            dialog.description = client.body
            dialog.answer_seen = body
            self._events.append(AnswerReceived(body, "1xx", True, dialog.number))
        self._request(now, "PRACK", dialog, extra=rack).request_id = 0

    def _fork(self, client: OutgoingInvite, response: Response, to_tag: str) -> Fork:
        """Return the dialog of a response, made at its first one (RFC 3261 12.1.2, 13.2.2.4)."""
        dialog = client.dialog
        if dialog is not None:
            to_tag = dialog.remote_tag  # a re-INVITE does not fork
        fork = client.forks.get(to_tag)
        if fork is not None:
            return fork
        if dialog is None:
            local = f"{self._from};tag={self.local_tag}"
            dialog = Dialog.of_response(response, local, self.local_tag, self.config.max_forwards)
            dialog.number = self._fork_count
            self._fork_count += 1
            if not dialog.remote_target:
                dialog.remote_target = client.uri
            if client.has_offer:
                dialog.offer = _LOCAL_OFFER
            if self.dialog is None or not self.dialog.remote_tag:
                self.dialog = dialog
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
        """A 2xx: ACK each and every one; the first makes the call, further forks are hung up (13.2.2.4)."""
        to_tag = response.to_tag or ""
        known = client.acks.get(to_tag)
        if known is not None:
            self.retransmissions += 1
            self.config.counts.received("INVITE")
            self.config.counts.sent("ACK")
            self._transmits.append(known)
            return
        if self._unacked is not None and self._unacked[1].remote_tag == to_tag:
            self.ignored += 1
            self.config.counts.received("INVITE")
            return
        fork = self._fork_of_success(client, response, to_tag)
        dialog = fork.dialog
        dialog.confirm(response)
        if not contact_uri(response):
            response.headers.note(Leniency.NO_CONTACT)
        if client.final:
            self._send_ack(client, dialog, response)
            self._hang_up_fork(dialog, now)
            self._events.append(ForkEnded(response))
            return
        client.final = True
        client.ring_at = inf
        self._invite = None
        if client.cancel is _WANTED:  # no 1xx has let it go
            self._events.append(RequestFinished(client.cancel_id, "CANCEL", response, response.status))
        self.dialog = dialog
        if not client.reinvite:
            self._move(SessionInput.ANSWER)
        if client.cancel is not _NOT_CANCELLED and not client.reinvite:
            self._send_ack(client, dialog, response)
            self._give_up(client, response, now)
            return
        if self.state is not _CONFIRMED:
            # Our BYE has overtaken the answer to our re-INVITE.
            self._send_ack(client, dialog, response)
            return
        self._settle_timer(response, now)
        self._take_success(client, fork, response, now)

    def _take_success(self, client: OutgoingInvite, fork: Fork, response: Response, now: float) -> None:
        """The first 2xx: its description, its ACK, and the news (RFC 3261 13.2.1, 13.2.2.4).

        What a reliable 1xx of this INVITE has settled in this dialog holds; the description of the 2xx is not
        looked at then (RFC 3262 section 5).
        """
        dialog = fork.dialog
        if fork.rack and client.cancel is not _NOT_CANCELLED:
            fork.rack = ""  # cancelled for its offer, too late
            dialog.negotiate(OfferInput.REJECT)
        # 13.2.1: the 2xx has the answer, but the first description that came counts: some peers send it only once.
        body = b"" if fork.settled else response.description
        if not body and fork.preview and not fork.settled:
            body = fork.preview
            response.headers.note(Leniency.EARLY_ANSWER)
        events = self._events
        number = dialog.number
        if client.has_offer and not fork.settled:
            self._send_ack(client, dialog, response)
            if not body:
                self._take_no_answer(client, dialog, response, now)
                return
            dialog.negotiate(OfferInput.RECEIVE_ANSWER)
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
            self._unacked = (client, dialog, response)
            events.append(Answered(response, client.reinvite, number))
            events.append(OfferReceived(body, "2xx", 0, number))
            return
        self._send_ack(client, dialog, response)
        if not client.refresh:
            events.append(Answered(response, client.reinvite, number))

    def _take_no_answer(self, client: OutgoingInvite, dialog: Dialog, response: Response, now: float) -> None:
        """A 2xx without the answer: a call that was not up cannot be, one that was goes on as before (14.1)."""
        dialog.negotiate(OfferInput.REJECT)
        if not client.refresh:
            reason, cause = response.reason, Cause.BAD_DESCRIPTION
            self._events.append(Failed(response.status, reason, response, cause, client.reinvite))
        if not client.reinvite:
            self._end_by_bye(Cause.BAD_DESCRIPTION, By.LOCAL, response, now)

    def _settle_timer(self, response: Response, now: float) -> None:
        """Start the session timer by what a 2xx says (RFC 4028 7.2)."""
        timer = self._timer
        if timer is None:
            if "session-expires" not in response.headers.keys:
                return
            timer = self._timer = SessionTimer(self.config.min_se)
        timer.start(settled(response), now)
        if self.dialog is not None and "allow" in response.headers.keys:
            self.dialog.peer_updates = takes_update(response)
        self._events.append(Refreshed(timer.agreed.interval))

    def _on_failure(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """A 300-699: try again where a rule says so, else the INVITE has failed (RFC 3261 13.2.2.2, 13.2.2.3)."""
        status = response.status
        # 8.1.3.4: a failure of one target leads to the next; 6xx speaks for all of them (16.7, step 5).
        if client.cancel is _NOT_CANCELLED and (
            self._try_again(client, response, now) or (status < 600 and self._try_next_target(client, now))
        ):
            return
        if client.cancel is not _NOT_CANCELLED:
            cause, by = client.cause, By.EXPIRED if client.cause is Cause.NO_ANSWER else By.LOCAL
        elif status in (401, 407):
            cause, by = Cause.UNAUTHORIZED, By.REMOTE
        elif status < 400:
            cause, by = Cause.REDIRECTED, By.REMOTE
        elif status == 491 and client.reinvite:
            cause, by = Cause.GLARE, By.REMOTE
        else:
            cause, by = Cause.REJECTED, By.REMOTE
        self._fail(client, status, response.reason, response, cause, by, now)

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
        """Tell that an INVITE failed; the first one takes the call with it."""
        client.final = True
        client.ring_at = inf
        self._invite = None
        if client.cancel is _WANTED:
            self._events.append(RequestFinished(client.cancel_id, "CANCEL", response, status))
            client.cancel = _NOT_CANCELLED
        self._end_exchange(client)
        if not client.reinvite:
            self._refused = client if cause is Cause.UNAUTHORIZED else None
            if not self._told:
                self._events.append(Failed(status, reason, response, cause, False))
            if self._move(SessionInput.FAILURE):
                self._tell_end(cause, by, response)
            return
        if self.state is not _CONFIRMED:
            return
        if not client.refresh:
            self._events.append(Failed(status, reason, response, cause, True))
        if ends_call("INVITE", status):
            self._end_by_bye(Cause.DIALOG_GONE, By.REMOTE if response else By.EXPIRED, response, now)

    def _try_again(self, client: OutgoingInvite, response: Response, now: float) -> bool:
        """Send the INVITE again where a 3xx, 401, 407, 422 or 491 asks for it; False when it does not."""
        status = response.status
        if status in (401, 407):
            repeat = self._challenged(client, response)
        elif status == 422:
            timer = self._timer
            repeat = timer is not None and client.may_repeat(Why.INTERVAL) and timer.raise_minimum(response)
        elif 300 <= status < 400 and not client.reinvite:
            return self._redirect(client, response, now)
        else:
            return client.reinvite and self._back_off(client, response, now)
        if repeat:
            self._end_exchange(client)
            self._send_invite(client.again(), now)
        return repeat

    def _settle_description(self, dialog: Dialog, description: bytes) -> None:
        """Our description holds by an UPDATE, whatever becomes of a re-INVITE of ours that is open (RFC 6141)."""
        dialog.description = description
        begun = self._invite.forks.get(dialog.remote_tag) if self._invite is not None else None
        if begun is not None:
            begun.before = description

    def _end_exchange(self, client: OutgoingInvite) -> None:
        """An INVITE has failed: its early dialogs are gone, and a re-INVITE has changed nothing (14.1, RFC 6141)."""
        dialog = client.dialog
        if dialog is None:
            for fork in client.forks.values():
                fork.dialog.state = DialogState.TERMINATED
                fork.rack = ""
            return
        begun = client.forks.get(dialog.remote_tag)
        if begun is not None:
            dialog.description = begun.before
        if begun is None or not begun.settled:
            open_offer = client.has_offer and dialog.offer is _LOCAL_OFFER
        else:
            open_offer, begun.rack = bool(begun.rack), ""
        if open_offer:
            dialog.negotiate(OfferInput.REJECT)

    def _redirect(self, client: OutgoingInvite, response: Response, now: float) -> bool:
        """Follow a 3xx as far as the policy allows (RFC 3261 8.1.3.4)."""
        if client.redirects >= self.config.redirects:
            return False
        client.targets = with_targets(client.targets, response, client.visited, self.config)
        return self._try_next_target(client, now)

    def _try_next_target(self, client: OutgoingInvite, now: float) -> bool:
        """Call the next target that a 3xx has named; False when there is none or the policy forbids it."""
        if not client.targets or client.redirects >= self.config.redirects:
            return False
        self._end_exchange(client)
        again = client.again()
        target, *rest = client.targets
        again.targets = tuple(rest)
        again.redirects += 1
        again.visited = (*client.visited, target.named)
        again.uri = target.uri
        again.hop = target.hop
        again.embedded = target.lines
        again.repeats = NEVER
        self._enter(target)
        self._events.append(Redirected(target.uri, target.response))
        self._send_invite(again, now)
        return True

    def _enter(self, target: Target) -> None:
        """The call goes to another target from now on."""
        self._hop = target.hop

    def _on_no_invite_response(self, client: OutgoingInvite, status: int, now: float) -> None:
        """Timer B, the end of the wait after CANCEL, or a transport failure (RFC 3261 8.1.3.1)."""
        if client.final or (client.cancel is _NOT_CANCELLED and self._try_next_target(client, now)):
            return
        if client.cancel is not _NOT_CANCELLED:
            cause, by = client.cause, By.EXPIRED if client.cause is Cause.NO_ANSWER else By.LOCAL
        elif status == 408:
            cause, by = Cause.TIMEOUT, By.EXPIRED
        else:
            cause, by = Cause.TRANSPORT, By.TRANSPORT
        reason = "Request Timeout" if status == 408 else "Service Unavailable"
        self._fail(client, status, reason, None, cause, by, now)

    def _on_over(self, client: ClientRequest, now: float) -> None:
        """The transaction is over: an INVITE whose 2xx could not be read was never answered for us."""
        if client is self._invite:
            self._on_no_invite_response(self._invite, 408, now)

    # What the layers above fill in

    def _give_up(self, client: OutgoingInvite, response: Response, now: float) -> None:
        """A 2xx won the race against our CANCEL: hang up (RFC 3261 9.1)."""
        if not self._told:
            self._events.append(Failed(487, "Request Terminated", response, client.cause, False))
        by = By.EXPIRED if client.cause is Cause.NO_ANSWER else By.LOCAL
        self._end_by_bye(client.cause, by, response, now)

    def _hang_up_fork(self, dialog: Dialog, now: float) -> None:
        """Send a BYE on a fork that nobody wants (RFC 3261 13.2.2.4)."""
        dialog.state = DialogState.TERMINATED
        self._request(now, "BYE", dialog).request_id = 0

    @abstractmethod
    def _end_by_bye(self, cause: Cause, by: By, message: Request | Response | None, now: float) -> None:
        """End the call, with a BYE where there is a dialog."""

    @abstractmethod
    def _back_off(self, client: ClientRequest, response: Response, now: float) -> bool:
        """A request within the dialog met one of the peer's: True when it will be sent again (14.1)."""
