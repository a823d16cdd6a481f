"""Server transactions: the INVITE and the non-INVITE machine (RFC 3261 17.2, RFC 6026 section 7.1, RFC 4320).

A transaction recognises a repeated request, repeats the last response and measures time. It is two tables. It
has no dialogs and must not send: every input returns an `Action`, and the owner carries it out.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import Final, final

from ..errors import LocalProtocolError
from ..message.messages import Request
from ..message.tokens import MAGIC_COOKIE
from .timers import TimerSettings

TransactionKey = tuple[str, ...]


class ServerState(IntEnum):
    """Where a server transaction stands (RFC 3261 figures 7 and 8, RFC 6026 figure 5)."""

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    CONFIRMED = 4
    ACCEPTED = 5
    TERMINATED = 6


class ServerInput(IntEnum):
    """What can happen to a server transaction."""

    REQUEST = 1
    """The request came again."""
    ACK = 2
    PROVISIONAL = 3
    """We answer 1xx."""
    SUCCESS = 4
    """We answer 2xx."""
    FAILURE = 5
    """We answer 300 to 699."""
    RETRANSMIT = 6
    """Timer G."""
    TIMEOUT = 7
    """Timer H, or no local answer to a non-INVITE request within timer F of the client."""
    EXPIRY = 8
    """Timer I, J or L."""
    SLOW = 9
    """The client's timer E has reached T2 and we have not answered (RFC 4320 4.1)."""
    TRANSPORT_ERROR = 10


class ServerAction(IntEnum):
    """What the owner of a server transaction has to do now."""

    IGNORE = 0
    """Nothing: absorbed, or out of place."""
    SEND = 1
    """Send `ServerTransaction.last`: new, or once more."""
    DELIVER_ACK = 2
    """Look at the ACK: it confirms a 2xx."""
    CONFIRM = 3
    """The ACK of a failure came; nothing to send."""
    SEND_TRYING = 4
    """Answer 100 now (RFC 4320 4.1)."""
    TIME_OUT = 5
    """No ACK for the failure came."""
    FAIL = 6
    """The transport failed."""
    END = 7
    """The transaction is over, forget it."""


_S, _I, _A = ServerState, ServerInput, ServerAction

INVITE_TABLE: Final[dict[tuple[ServerState, ServerInput], tuple[ServerState, ServerAction]]] = {
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, _A.SEND),  # 3261 17.2.1 ¶3
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, _A.SEND),  # 3261 17.2.1 ¶3
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, _A.SEND),  # 6026 7.1
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, _A.SEND),  # 3261 17.2.1 ¶5
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.PROCEEDING, _A.FAIL),  # 6026 8.9: stays where it is
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, _A.SEND),  # 3261 17.2.1 ¶6
    (_S.COMPLETED, _I.RETRANSMIT): (_S.COMPLETED, _A.SEND),  # 3261 17.2.1 ¶5, timer G
    (_S.COMPLETED, _I.ACK): (_S.CONFIRMED, _A.CONFIRM),  # 3261 17.2.1 ¶7
    (_S.COMPLETED, _I.TIMEOUT): (_S.TERMINATED, _A.TIME_OUT),  # 3261 17.2.1 ¶8, timer H
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.COMPLETED, _A.FAIL),  # 6026 8.9
    (_S.CONFIRMED, _I.REQUEST): (_S.CONFIRMED, _A.IGNORE),  # 3261 17.2.1 ¶9: absorbed
    (_S.CONFIRMED, _I.ACK): (_S.CONFIRMED, _A.IGNORE),  # 3261 17.2.1 ¶9: absorbed
    (_S.CONFIRMED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 3261 17.2.1 ¶9, timer I
    (_S.ACCEPTED, _I.REQUEST): (_S.ACCEPTED, _A.IGNORE),  # 6026 7.1: absorbed, the user repeats its 2xx
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, _A.SEND),  # 6026 7.1: the user repeats its 2xx
    (_S.ACCEPTED, _I.ACK): (_S.ACCEPTED, _A.DELIVER_ACK),  # 6026 7.1
    (_S.ACCEPTED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 6026 7.1, timer L
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): (_S.ACCEPTED, _A.FAIL),  # 6026 8.9
}
"""The INVITE server transaction; an absent pair is ignored, or a LocalProtocolError when it is an answer."""

NON_INVITE_TABLE: Final[dict[tuple[ServerState, ServerInput], tuple[ServerState, ServerAction]]] = {
    (_S.TRYING, _I.REQUEST): (_S.TRYING, _A.IGNORE),  # 3261 17.2.2 ¶2: discarded
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, _A.SEND),  # 3261 17.2.2 ¶2
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, _A.SEND),  # 3261 17.2.2 ¶2
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, _A.SEND),  # 3261 17.2.2 ¶2
    (_S.TRYING, _I.SLOW): (_S.TRYING, _A.SEND_TRYING),  # 4320 4.1
    (_S.TRYING, _I.TIMEOUT): (_S.TERMINATED, _A.END),  # 4320 4.2: never a 408, so nothing
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TRYING, _A.FAIL),  # 6026 8.9
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, _A.SEND),  # 3261 17.2.2 ¶3
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, _A.SEND),  # 3261 17.2.2 ¶3
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, _A.SEND),  # 3261 17.2.2 ¶3
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, _A.SEND),  # 3261 17.2.2 ¶3
    (_S.PROCEEDING, _I.TIMEOUT): (_S.TERMINATED, _A.END),  # 4320 4.2
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.PROCEEDING, _A.FAIL),  # 6026 8.9
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, _A.SEND),  # 3261 17.2.2 ¶4
    (_S.COMPLETED, _I.EXPIRY): (_S.TERMINATED, _A.END),  # 3261 17.2.2 ¶5, timer J
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.COMPLETED, _A.FAIL),  # 6026 8.9
}
"""The non-INVITE server transaction; an absent pair is ignored, or a LocalProtocolError when it is an answer."""

# Members that every call needs, under names of their own: before Python 3.12 reading one off its class is slow.
_TRYING: Final = ServerState.TRYING
_PROCEEDING: Final = ServerState.PROCEEDING
_COMPLETED: Final = ServerState.COMPLETED
_CONFIRMED: Final = ServerState.CONFIRMED
_ACCEPTED: Final = ServerState.ACCEPTED
_PROVISIONAL: Final = ServerInput.PROVISIONAL
_SUCCESS: Final = ServerInput.SUCCESS
_FAILURE: Final = ServerInput.FAILURE


def transaction_key(request: Request) -> TransactionKey:
    """Return what names the server transaction of a request; an ACK has the key of its INVITE.

    Branch, sent-by and method (RFC 3261 17.2.3); for a client of RFC 2543, whose branch lacks the magic cookie,
    Request-URI, From tag, Call-ID, CSeq number and the whole top Via. To tags are left out there, because the
    ACK of a failure has one and its INVITE has none.
    """
    method = request.method
    if method == "ACK":
        method = "INVITE"
    branch = request.branch
    if branch.startswith(MAGIC_COOKIE):
        # The sent-by as written, up to the first parameter: a client writes its own the same way every time.
        headers = request.headers
        line = headers.lines[headers.keys.index("via")]
        return (branch, line.partition(";")[0].rpartition(" ")[2].lower(), method)
    return (
        request.uri,
        request.from_tag or "",
        request.call_id,
        str(request.cseq.number),
        request.headers.get("Via") or "",
        method,
    )


@final
class ServerTransaction:
    """One request that we answer.

    Arguments: `key` from `transaction_key`; `method`; `reliable` True for TCP and TLS (no timer G; I and J are
    zero); `timers` the T values in seconds; `now` the time of arrival. Source: RFC 3261 17.2.
    """

    __slots__ = (
        "_interval",
        "end_at",
        "ignored",
        "key",
        "last",
        "method",
        "reliable",
        "repeat_at",
        "state",
        "status",
        "timers",
    )

    def __init__(self, key: TransactionKey, method: str, *, reliable: bool, timers: TimerSettings, now: float) -> None:
        self.key = key
        self.method = method
        self.reliable = reliable
        self.timers = timers
        self.last = b""
        """The response sent last, whole; empty before the first."""
        self.status = 0
        """Its status, 0 before the first."""
        self.ignored = 0
        """Inputs of the peer that the table has no row for, or absorbs."""
        self._interval = timers.t1
        self.repeat_at = inf
        """Time of timer G, or when a 100 is due; infinite when neither is."""
        self.end_at = inf
        """Time of timer H, I, J or L, or of giving up on a local answer; infinite when none runs."""
        if method == "INVITE":
            self.state = _PROCEEDING
        else:
            self.state = _TRYING
            self.repeat_at = now + timers.until_t2
            self.end_at = now + 64.0 * timers.t1

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
    def answered(self) -> bool:
        """True once a final response was given."""
        return self.status >= 200

    def respond(self, status: int, data: bytes, now: float) -> ServerAction:
        """Answer with whole response bytes; returns SEND when they are to be sent now.

        A 408 to a non-INVITE request is kept to ourselves (RFC 4320 4.2).

        Raises:
            LocalProtocolError: an answer the state forbids, such as a second final one, or a 1xx above 100 to a
                non-INVITE (RFC 4320 4.1).
        """
        invite = self.method == "INVITE"
        if not invite:
            if 100 < status < 200:
                raise LocalProtocolError(f"only 100 may precede the answer to {self.method} (RFC 4320 4.1)")
            if status == 408 and not self.answered:
                self.status = status
                self.state = ServerState.TERMINATED
                self.repeat_at = self.end_at = inf
                return ServerAction.END
        if status >= 300:
            what = _FAILURE
        elif status >= 200:
            what = _SUCCESS
        else:
            what = _PROVISIONAL
        row = (INVITE_TABLE if invite else NON_INVITE_TABLE).get((self.state, what))
        if row is None:
            raise LocalProtocolError(f"{status} cannot be sent to {self.method} in state {self.state.name}")
        self.last = data
        self.status = status
        entered, action = row
        if entered is not self.state:
            self.state = entered
            self._enter(entered, invite, now)
        return action

    def receive(self, request: Request, now: float) -> ServerAction:
        """Take the request once more, or its ACK; returns SEND when the last response is to be repeated."""
        what = ServerInput.ACK if request.method == "ACK" else ServerInput.REQUEST
        action = self._step(what, now)
        if action is ServerAction.SEND and not self.last:
            action = ServerAction.IGNORE
        if action is ServerAction.IGNORE:
            self.ignored += 1
        return action

    def handle_timer(self, now: float) -> ServerAction:
        """Let the next timer that is due fire; the owner repeats this while `due` is not after `now`."""
        if self.end_at <= now:
            if self.status < 200 or (self.state is _COMPLETED and self.method == "INVITE"):
                return self._step(ServerInput.TIMEOUT, now)
            return self._step(ServerInput.EXPIRY, now)
        if self.repeat_at <= now:
            if self.method == "INVITE":
                return self._step(ServerInput.RETRANSMIT, now)
            self.repeat_at = inf
            return self._step(ServerInput.SLOW, now)
        return ServerAction.IGNORE

    def transport_failed(self, now: float) -> ServerAction:
        """Note that the response could not be sent (RFC 3261 17.2.4, RFC 6026 8.9)."""
        return self._step(ServerInput.TRANSPORT_ERROR, now)

    def drop_unused(self) -> None:
        """Forget a final response that no input sends again: a 2xx to an INVITE, and a failure that has its ACK."""
        if self.state is not _COMPLETED:
            self.last = b""

    def _step(self, what: ServerInput, now: float) -> ServerAction:
        """Move by the table, and set the timers of the state that was entered."""
        invite = self.method == "INVITE"
        row = (INVITE_TABLE if invite else NON_INVITE_TABLE).get((self.state, what))
        if row is None:
            return ServerAction.IGNORE
        entered, action = row
        if what is ServerInput.RETRANSMIT:
            self._interval = min(2.0 * self._interval, self.timers.t2)
            planned = self.repeat_at + self._interval
            self.repeat_at = planned if planned > now else now + self._interval
        elif entered is not self.state:
            self.state = entered
            self._enter(entered, invite, now)
        return action

    def _enter(self, entered: ServerState, invite: bool, now: float) -> None:
        """Set the timers of a state that was just entered."""
        timers = self.timers
        if entered is _COMPLETED:
            if invite:
                self.repeat_at = inf if self.reliable else now + timers.t1
                self.end_at = now + 64.0 * timers.t1
            else:
                self.repeat_at = inf
                self.end_at = now if self.reliable else now + 64.0 * timers.t1
        elif entered is _CONFIRMED:
            self.repeat_at = inf
            self.end_at = now if self.reliable else now + timers.t4
        elif entered is _ACCEPTED:
            self.repeat_at = inf
            self.end_at = now + 64.0 * timers.t1
        elif entered is _PROCEEDING:
            self.repeat_at = inf
        else:
            self.repeat_at = self.end_at = inf
