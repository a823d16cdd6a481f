"""Client transactions: the INVITE and the non-INVITE machine (RFC 3261 17.1, RFC 6026 section 7.2, RFC 4320).

A transaction repeats a request, sorts the responses and measures time. It is two tables. It builds only the
ACK for a failed INVITE (17.1.1.3); it has no dialogs and no destinations, and must not send: every input returns
an `Action`, and the owner carries it out.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Final, final

from ..errors import LocalProtocolError
from ..message.messages import Request, Response
from ..message.parser import parse
from .timers import TimerSettings


class ClientState(IntEnum):
    """Where a client transaction stands (RFC 3261 figures 5 and 6, RFC 6026 figure 3)."""

    CALLING = 1
    TRYING = 2
    PROCEEDING = 3
    COMPLETED = 4
    ACCEPTED = 5
    TERMINATED = 6


class ClientInput(IntEnum):
    """What can happen to a client transaction."""

    PROVISIONAL = 1
    SUCCESS = 2
    FAILURE = 3
    RETRANSMIT = 4
    """Timer A or E."""
    TIMEOUT = 5
    """Timer B or F."""
    EXPIRY = 6
    """Timer D, K or M."""
    TRANSPORT_ERROR = 7


class ClientAction(IntEnum):
    """What the owner of a client transaction has to do now."""

    IGNORE = 0
    """Nothing: a repeated or late response."""
    DELIVER = 1
    """Look at the response."""
    DELIVER_AND_ACK = 2
    """Send `ClientTransaction.ack`, then look at the response."""
    ACK = 3
    """Send `ClientTransaction.ack` again."""
    SEND = 4
    """Send `ClientTransaction.data` again."""
    TIME_OUT = 5
    """No final response came: treat as 408 (RFC 3261 8.1.3.1)."""
    FAIL = 6
    """The transport failed: treat as 503 (RFC 3261 8.1.3.1)."""
    END = 7
    """The transaction is over, forget it."""


_S, _I, _A = ClientState, ClientInput, ClientAction

INVITE_TABLE: Final[dict[tuple[ClientState, ClientInput], tuple[ClientState, ClientAction]]] = {
    (_S.CALLING, _I.PROVISIONAL): (_S.PROCEEDING, _A.DELIVER),  # 3261 17.1.1.2 ¶5
    (_S.CALLING, _I.SUCCESS): (_S.ACCEPTED, _A.DELIVER),  # 6026 7.2, 8.4
    (_S.CALLING, _I.FAILURE): (_S.COMPLETED, _A.DELIVER_AND_ACK),  # 3261 17.1.1.2 ¶6
    (_S.CALLING, _I.RETRANSMIT): (_S.CALLING, _A.SEND),  # 3261 17.1.1.2 ¶2, timer A
    (_S.CALLING, _I.TIMEOUT): (_S.TERMINATED, _A.TIME_OUT),  # 3261 17.1.1.2 ¶4, timer B
    (_S.CALLING, _I.TRANSPORT_ERROR): (_S.TERMINATED, _A.FAIL),  # 3261 17.1.4
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, _A.DELIVER),  # 3261 17.1.1.2 ¶5
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, _A.DELIVER),  # 6026 7.2, 8.4
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, _A.DELIVER_AND_ACK),  # 3261 17.1.1.2 ¶6
    (_S.PROCEEDING, _I.TIMEOUT): (_S.TERMINATED, _A.TIME_OUT),  # 3261 9.1: 64*T1 after a CANCEL
    (_S.COMPLETED, _I.FAILURE): (_S.COMPLETED, _A.ACK),  # 3261 17.1.1.2 ¶7
    (_S.COMPLETED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 3261 17.1.1.2 ¶8, timer D
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, _A.END),  # 3261 17.1.1.2 ¶9: the response is known
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, _A.DELIVER),  # 6026 7.2: each 2xx goes up, for its ACK
    (_S.ACCEPTED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 6026 7.2, timer M
}
"""The INVITE client transaction; an absent pair is ignored."""

NON_INVITE_TABLE: Final[dict[tuple[ClientState, ClientInput], tuple[ClientState, ClientAction]]] = {
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, _A.DELIVER),  # 3261 17.1.2.2 ¶4
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, _A.DELIVER),  # 3261 17.1.2.2 ¶5
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, _A.DELIVER),  # 3261 17.1.2.2 ¶5
    (_S.TRYING, _I.RETRANSMIT): (_S.TRYING, _A.SEND),  # 3261 17.1.2.2 ¶2, timer E
    (_S.TRYING, _I.TIMEOUT): (_S.TERMINATED, _A.TIME_OUT),  # 3261 17.1.2.2 ¶3, timer F
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TERMINATED, _A.FAIL),  # 3261 17.1.4
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, _A.DELIVER),  # 3261 figure 6
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, _A.DELIVER),  # 3261 17.1.2.2 ¶5
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, _A.DELIVER),  # 3261 17.1.2.2 ¶5
    (_S.PROCEEDING, _I.RETRANSMIT): (_S.PROCEEDING, _A.SEND),  # 3261 17.1.2.2 ¶4, timer E at T2
    (_S.PROCEEDING, _I.TIMEOUT): (_S.TERMINATED, _A.TIME_OUT),  # 3261 17.1.2.2 ¶4: timer F goes on after a 1xx
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, _A.FAIL),  # 3261 17.1.4
    (_S.COMPLETED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 3261 17.1.2.2 ¶6, timer K
}
"""The non-INVITE client transaction; an absent pair is ignored."""

_CLASSES: Final = (
    _I.FAILURE,
    _I.PROVISIONAL,
    _I.SUCCESS,
    _I.FAILURE,
    _I.FAILURE,
    _I.FAILURE,
    _I.FAILURE,
)

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_CALLING: Final = ClientState.CALLING
_TRYING: Final = ClientState.TRYING
_PROCEEDING: Final = ClientState.PROCEEDING
_COMPLETED: Final = ClientState.COMPLETED
_ACCEPTED: Final = ClientState.ACCEPTED
_RETRANSMIT: Final = ClientInput.RETRANSMIT
_DELIVER_AND_ACK: Final = ClientAction.DELIVER_AND_ACK


@final
class ClientTransaction:
    """One request on its way to a final response.

    Arguments: `data` the request as sent; `method` and `branch` as written in it; `reliable` True for TCP and
    TLS (no timers A, E; D and K are zero); `timers` the T values in seconds; `now` the time of the first
    sending, which the owner does itself. Source: RFC 3261 17.1.
    """

    __slots__ = (
        "_ack",
        "_interval",
        "branch",
        "data",
        "end_at",
        "ignored",
        "method",
        "reliable",
        "repeat_at",
        "state",
        "timers",
    )

    def __init__(
        self, data: bytes, method: str, branch: str, *, reliable: bool, timers: TimerSettings, now: float
    ) -> None:
        self.data = data
        self.method = method
        self.branch = branch
        self.reliable = reliable
        self.timers = timers
        self.state = _CALLING if method == "INVITE" else _TRYING
        self.ignored = 0
        """Responses that the table has no row for."""
        self._ack = b""
        self._interval = t1 = timers.t1
        self.repeat_at = inf if reliable else now + t1
        """Time of timer A or E, infinite when it does not run."""
        self.end_at = now + 64.0 * t1
        """Time of timer B, D, F, K or M, infinite when none runs."""

    @property
    def key(self) -> tuple[str, str]:
        """What a response must carry to belong here: branch and CSeq method (RFC 3261 17.1.3)."""
        return (self.branch, self.method)

    @property
    def due(self) -> float:
        """Time of the next timer, infinite when none runs."""
        return self.repeat_at if self.repeat_at < self.end_at else self.end_at

    @property
    def deadline(self) -> float | None:
        """Time of the next timer, None when none runs."""
        due = self.due
        return None if due == inf else due

    @property
    def ack(self) -> bytes:
        """The ACK for the failed INVITE, empty before there is one (RFC 3261 17.1.1.3)."""
        return self._ack

    def matches(self, response: Response) -> bool:
        """Return whether a response belongs to this transaction (RFC 3261 17.1.3)."""
        return response.branch == self.branch and response.cseq.method == self.method

    def receive(self, response: Response, now: float) -> ClientAction:
        """Take a response that matches; returns what the owner does with it (RFC 3261 17.1.1.2, 17.1.2.2)."""
        invite = self.method == "INVITE"
        row = (INVITE_TABLE if invite else NON_INVITE_TABLE).get((self.state, _CLASSES[response.status // 100]))
        if row is None:
            self.ignored += 1
            return ClientAction.IGNORE
        entered, action = row
        if entered is not self.state:
            self.state = entered
            self._enter(entered, invite, now)
        if action is _DELIVER_AND_ACK:
            self._ack = failure_ack(self.data, response)
        return action

    def handle_timer(self, now: float) -> ClientAction:
        """Let the next timer that is due fire; the owner repeats this while `due` is not after `now`."""
        if self.end_at <= now:
            if self.state is _COMPLETED or self.state is _ACCEPTED:
                return self._step(ClientInput.EXPIRY, now)
            return self._step(ClientInput.TIMEOUT, now)
        if self.repeat_at <= now:
            return self._step(_RETRANSMIT, now)
        return ClientAction.IGNORE

    def transport_failed(self, now: float) -> ClientAction:
        """Note that the request could not be sent (RFC 3261 17.1.4)."""
        return self._step(ClientInput.TRANSPORT_ERROR, now)

    def connections_lost(self, now: float) -> None:
        """Note that every connection is gone: a request without any response is due once more, on a new one.

        The peer takes it for a repetition by its branch (RFC 3261 17.2.3). After a provisional response the final one
        comes by a connection of the peer's to the address in Via (18.2.2). Over UDP nothing changes.
        """
        if self.reliable and self.state in (_CALLING, _TRYING):
            self.repeat_at = now

    def drop_request(self) -> None:
        """Forget the octets of a request that has its final response: only its ACK is sent again."""
        self.data = b""

    def give_up_at(self, moment: float) -> None:
        """Bound the wait for a final response, as after a CANCEL (RFC 3261 9.1: 64*T1)."""
        if self.state in (_CALLING, _PROCEEDING, _TRYING):
            self.end_at = moment

    def ring(self) -> None:
        """Note that a 1xx came to the INVITE in another process (RFC 3261 17.1.1.2)."""
        self.state = _PROCEEDING
        self._enter(_PROCEEDING, True, inf)

    def _step(self, what: ClientInput, now: float) -> ClientAction:
        """Move by the table, and set the timers of the state that was entered."""
        invite = self.method == "INVITE"
        row = (INVITE_TABLE if invite else NON_INVITE_TABLE).get((self.state, what))
        if row is None:
            return ClientAction.IGNORE
        entered, action = row
        if what is _RETRANSMIT:
            if self.reliable:  # after `connections_lost`, and once
                self.repeat_at = inf
                return action
            if invite:
                self._interval *= 2.0
            elif entered is _PROCEEDING:
                self._interval = self.timers.t2
            else:
                self._interval = min(2.0 * self._interval, self.timers.t2)
            # From the planned moment while that is ahead: no drift, and no burst after a stall.
            planned = self.repeat_at + self._interval
            self.repeat_at = planned if planned > now else now + self._interval
        elif entered is not self.state:
            self.state = entered
            self._enter(entered, invite, now)
        return action

    def _enter(self, entered: ClientState, invite: bool, now: float) -> None:
        """Set the timers of a state that was just entered."""
        if entered is _PROCEEDING:
            if invite:
                self.repeat_at = self.end_at = inf
            elif not self.reliable:
                # Timer E already armed fires as planned and is reset to T2 from then on (17.1.2.2 ¶4).
                self._interval = self.timers.t2
        elif entered is _COMPLETED:
            self.repeat_at = inf
            if self.reliable:
                self.end_at = now
            else:
                self.end_at = now + (self.timers.d if invite else self.timers.t4)
        elif entered is _ACCEPTED:
            self.repeat_at = inf
            self.end_at = now + 64.0 * self.timers.t1
        else:
            self.repeat_at = self.end_at = inf


def failure_ack(invite: bytes, response: Response) -> bytes:
    """Build the ACK of the transaction layer from the INVITE as sent and its 300-699 (RFC 3261 17.1.1.3)."""
    request = parse(invite)
    if not isinstance(request, Request):
        raise LocalProtocolError("an ACK answers a response to an INVITE")
    return _echo(request, "ACK", response.headers.get("To") or "", "")


def cancel_request(invite: bytes, extra: str = "") -> bytes:
    """Build the CANCEL of an INVITE as sent (RFC 3261 9.1); `extra` are whole header lines, such as Reason."""
    request = parse(invite)
    if not isinstance(request, Request):
        raise LocalProtocolError("a CANCEL cancels a request")
    return _echo(request, "CANCEL", request.headers.get("To") or "", extra)


def _echo(invite: Request, method: str, to: str, extra: str) -> bytes:
    """Write ACK or CANCEL with the INVITE's top Via, routes, From, Call-ID and CSeq number."""
    headers = invite.headers
    routes = "".join(f"Route: {value}\r\n" for value in headers.get_all("Route"))
    return (
        f"{method} {invite.uri} SIP/2.0\r\n"
        f"Via: {headers.get('Via')}\r\n"
        f"Max-Forwards: {headers.get('Max-Forwards') or '70'}\r\n"
        f"{routes}From: {headers.get('From')}\r\nTo: {to}\r\nCall-ID: {invite.call_id}\r\n"
        f"CSeq: {invite.cseq.number} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode("utf-8", "surrogateescape")
