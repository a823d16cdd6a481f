"""SessionRecord: what another process needs to go on with a call, or to end it, after the one that had it is gone.

`record_of` writes it from the parts of a session, `restored` makes a session of it. A record is made of plain values
only. It has the dialog, the peer set, the session timer, and the one INVITE of either side that still needs a final
response or an ACK. It must not promise more: other requests that are under way, learnt nonces, reliable 1xx and the
subscriptions of transfers are not kept. Time is that of the writer, whose clock its reader must share.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

from ..message.hop import Hop, Transmit
from ..message.messages import Request
from ..message.parser import parse
from ..message.tokens import Tokens
from ..transaction.reply import Reply
from ..transaction.server_transaction import ServerTransaction, TransactionKey
from .dialog import Dialog, DialogState
from .invites import IncomingInvite, OutgoingInvite
from .session_config import SessionConfig
from .session_core import SessionCore
from .session_parts import SessionParts
from .session_state import SessionState
from .session_timer import Agreed

FIRST_STEP: Final = 10
"""What the CSeq number of the first request after a take-over is higher by: some may have left without a note of it."""
_ONCE_EACH: Final = ("ACK", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "REFER", "SUBSCRIBE", "UPDATE")
"""Methods whose request of a number that came already is a repetition. BYE is not one of them: peers exist whose BYE
has the number of their INVITE, and no call may stay up for that."""

PlainHop = tuple[str, str, int]


def _plain(hop: Hop) -> PlainHop:
    return (hop.transport, hop.host, hop.port)


class DialogRecord(NamedTuple):
    """The confirmed dialog, or that of the peer's INVITE; see `Dialog`."""

    local: str
    remote: str
    remote_tag: str
    remote_target: str
    route_set: tuple[str, ...]
    max_forwards: int
    number: int
    description: bytes
    answer_seen: bytes
    peer_updates: bool


class TimerRecord(NamedTuple):
    """The session timer; see `SessionTimer`."""

    interval: int
    we_refresh: bool
    min_se: int
    refresh_at: float
    expires_at: float
    probe_at: float
    over_at: float


class WaitingInvite(NamedTuple):
    """An INVITE of the peer that waits for its final response, or for the ACK of its 2xx."""

    key: tuple[str, ...]
    """Of its transaction, so that its repetitions are known."""
    uri: str
    head: str
    """The header lines that its responses share; see `Reply`."""
    plain_to: str
    to: str
    record_route: str
    to_tag: str
    hop: PlainHop
    flow: int
    reinvite: bool
    success: bytes
    """The local 2xx; empty = there is no final response yet."""
    offered: bytes
    """The local offer that the ACK answers."""
    give_up_at: float


class SentInvite(NamedTuple):
    """The local INVITE that waits for its final response: enough to cancel it, and to hang up what answers it."""

    head: bytes
    """The message without its body."""
    branch: str
    from_: str
    to: str
    number: int
    hop: PlainHop
    flow: int


class SessionRecord(NamedTuple):
    """One call. The nested records are empty tuples where there is nothing to keep."""

    call_id: str
    local_tag: str
    is_caller: bool
    state: int
    """A `SessionState`; TERMINATING for a call whose CANCEL or BYE is under way."""
    hop: PlainHop
    home: str
    domain: str
    flow: int
    heard: tuple[str, ...]
    contact: str
    """Of its configuration."""
    local_cseq: int
    remote_cseq: int
    dialog: tuple[object, ...]
    timer: tuple[object, ...]
    waiting: tuple[object, ...]
    sent: tuple[object, ...]


class SessionMarks(NamedTuple):
    """What changes with the record of a call. State and CSeq numbers may be written without the rest of it."""

    revision: tuple[object, ...]
    """Differs from before when another record has to be written."""
    waiting: TransactionKey
    """Names the peer's INVITE that waits in the record. A record serves without it when it waits no longer."""
    local_cseq: int
    remote_cseq: int


def marks_of(core: SessionCore) -> SessionMarks:
    """Return what tells whether the record of a call has to be written again, and how much of it."""
    dialog, invite, timer = core.dialog, core.invite, core.timer
    waiting: TransactionKey = ()
    if core.accepted:
        waiting = core.accepted[0].transaction.key
    elif core.incoming is not None and not core.incoming.reinvite:
        waiting = core.incoming.transaction.key
    if invite is not None and not invite.reinvite and not invite.final:
        return SessionMarks((invite.transaction.branch,), waiting, 0, -1)
    if dialog is None:
        return SessionMarks((), waiting, 0, -1)
    revision = (
        dialog,
        dialog.remote_target,
        dialog.route_set,
        dialog.description,
        core.flow,
        core.requests.heard,
        core.config,
        timer.moments if timer is not None else (),
    )
    return SessionMarks(revision, waiting, dialog.local_cseq, dialog.remote_cseq)


def record_of(core: SessionCore, parts: SessionParts) -> SessionRecord | None:
    """Return the record of a call; None before its first message and after its end."""
    state = core.state
    if state is SessionState.IDLE or state is SessionState.TERMINATED:
        return None
    dialog, invite = core.dialog, core.invite
    sent: tuple[object, ...] = ()
    if invite is not None and not invite.reinvite and not invite.final:
        sent = _sent(invite, parts)
        dialog = None
    elif dialog is None:
        return None
    waiting: tuple[object, ...] = ()
    if core.accepted:
        waiting = _waiting(core.accepted[0])
    elif core.incoming is not None and not core.incoming.reinvite:
        waiting = _waiting(core.incoming)
    timer = core.timer
    return SessionRecord(
        core.call_id,
        core.local_tag,
        core.is_caller,
        int(state),
        _plain(core.hop),
        core.home,
        core.domain,
        core.flow,
        core.requests.heard,
        core.config.contact,
        dialog.local_cseq if dialog is not None else 0,
        dialog.remote_cseq if dialog is not None else -1,
        _dialog(dialog) if dialog is not None else (),
        (*timer.agreed, timer.min_se, *timer.moments) if timer is not None else (),
        waiting,
        sent,
    )


def has_all(core: SessionCore, parts: SessionParts) -> bool:
    """Return whether the record of a call has all that is under way: no request of either side waits for its end.

    An INVITE whose 2xx waits for its ACK is in the record.
    """
    renegotiation = parts.renegotiation
    return (
        core.unacked is None
        and not renegotiation.queued
        and not renegotiation.backing_off
        and core.requests.all_answered
    )


def _dialog(dialog: Dialog) -> tuple[object, ...]:
    return (
        dialog.local,
        dialog.remote,
        dialog.remote_tag,
        dialog.remote_target,
        dialog.route_set,
        dialog.max_forwards,
        dialog.number,
        dialog.description,
        dialog.answer_seen,
        dialog.peer_updates,
    )


def _waiting(incoming: IncomingInvite) -> tuple[object, ...]:
    reply, success = incoming.reply, incoming.success
    return (
        incoming.transaction.key,
        incoming.request.uri,
        reply.head,
        reply.plain_to,
        reply.to,
        reply.record_route,
        reply.to_tag,
        _plain(reply.hop),
        reply.flow,
        incoming.reinvite,
        success.data if success is not None else b"",
        incoming.offered,
        incoming.give_up_at,
    )


def _sent(invite: OutgoingInvite, parts: SessionParts) -> tuple[object, ...]:
    head = invite.transaction.data.partition(b"\r\n\r\n")[0].rpartition(b"\r\n")[0]  # Content-Length is its last line
    return (
        head,
        invite.transaction.branch,
        *parts.uac.parties,
        invite.cseq,
        _plain(invite.hop),
        invite.flow,
    )


def restored(
    record: SessionRecord, config: SessionConfig, tokens: Tokens, now: float
) -> tuple[SessionCore, SessionParts]:
    """Return the data and the parts of a call that goes on as its record has it.

    A call that its side was ending is up again, or waits again, and has to be ended once more.

    Args:
        now: monotonic seconds, of the clock of the record.

    Raises:
        ParseError: the record's INVITE cannot be read.
    """
    sent = SentInvite(*record.sent) if record.sent else None  # type: ignore[arg-type]  # plain values, by their order
    core = SessionCore(config, tokens, record.call_id, record.local_tag, Hop(*record.hop), is_caller=record.is_caller)
    core.home, core.domain, core.flow = record.home, record.domain, record.flow
    core.requests.heard = record.heard
    parts = SessionParts(core, sent.from_ if sent else "", sent.to if sent else "", "")
    parts.uac.take_over()
    if record.timer:
        _restore_timer(core, TimerRecord(*record.timer))  # type: ignore[arg-type]  # as above
    if sent is not None:
        _restore_sent(core, parts, sent, now, rung=record.state != SessionState.CALLING)
        return core, parts
    _restore_dialog(core, record, DialogRecord(*record.dialog))  # type: ignore[arg-type]  # as above
    core.state = SessionState.CONFIRMED
    if record.waiting:
        _restore_waiting(core, WaitingInvite(*record.waiting), now)  # type: ignore[arg-type]  # as above
    return core, parts


def _restore_timer(core: SessionCore, kept: TimerRecord) -> None:
    timer = core.timer = core.new_timer()
    timer.agreed = Agreed(kept.interval, kept.we_refresh)
    timer.min_se, timer.refresh_at, timer.expires_at = kept.min_se, kept.refresh_at, kept.expires_at
    timer.probe_at, timer.over_at = kept.probe_at, kept.over_at
    if timer.agreed.interval and kept.we_refresh and kept.refresh_at == inf:
        timer.refresh_at = 0.0  # a refresh was under way, and its end is not known


def _restore_dialog(core: SessionCore, record: SessionRecord, kept: DialogRecord) -> None:
    dialog = core.dialog = Dialog(
        record.call_id,
        kept.local,
        record.local_tag,
        kept.remote,
        kept.remote_tag,
        kept.remote_target,
        kept.route_set,
        max_forwards=kept.max_forwards,
    )
    dialog.local_cseq = record.local_cseq + FIRST_STEP - 1
    dialog.remote_cseq, dialog.remote_methods = record.remote_cseq, _ONCE_EACH
    dialog.number = kept.number
    dialog.description, dialog.answer_seen = kept.description, kept.answer_seen
    dialog.peer_updates = kept.peer_updates
    dialog.state = DialogState.CONFIRMED


def _restore_waiting(core: SessionCore, kept: WaitingInvite, now: float) -> None:
    """File the peer's INVITE again: its 2xx is repeated until the ACK comes, or it waits for its final response."""
    dialog = core.dialog
    lines = f"INVITE {kept.uri} SIP/2.0\r\n{kept.head}\r\n{kept.plain_to}\r\nContent-Length: 0\r\n\r\n"
    request = parse(lines.encode("utf-8", "surrogateescape"))
    if dialog is None or not isinstance(request, Request):
        return
    hop, timers = Hop(*kept.hop), core.config.timers
    reply = Reply.again(kept.head, kept.plain_to, kept.to, kept.record_route, kept.to_tag, hop, kept.flow)
    transaction = ServerTransaction(kept.key, "INVITE", reliable=hop.transport != "udp", timers=timers, now=now)
    incoming = IncomingInvite(core.requests.next_id(), request, reply, transaction, dialog, kept.reinvite)
    core.requests.servers.append(incoming)
    if not kept.success:
        dialog.state = DialogState.EARLY
        core.state = SessionState.RINGING
        core.incoming = incoming
        return
    if not kept.reinvite:
        core.state = SessionState.ACCEPTED
    transaction.respond(200, kept.success, now)
    incoming.success = Transmit(kept.success, hop, kept.flow)
    incoming.offered = kept.offered
    incoming.interval = timers.t1
    incoming.repeat_at, incoming.give_up_at = now, kept.give_up_at
    core.accepted.append(incoming)


def _restore_sent(core: SessionCore, parts: SessionParts, kept: SentInvite, now: float, *, rung: bool) -> None:
    """File the local INVITE again, which is not repeated.

    Args:
        rung: a 1xx has come, so that a CANCEL may go (RFC 3261 section 9.1); else it waits for one.
    """
    uri = kept.head.split(b" ", 2)[1].decode("utf-8", "surrogateescape")
    client = OutgoingInvite(core.requests.next_id(), uri, None, Hop(*kept.hop))
    client.flow, client.cseq, client.has_offer = kept.flow, kept.number, True
    core.requests.send(client, kept.head + b"\r\nContent-Length: 0\r\n\r\n", kept.branch, now)
    core.requests.transmits.clear()
    parts.uac.number_from(kept.number)
    client.transaction.repeat_at = inf
    core.invite = client
    core.state = SessionState.CALLING
    if rung:
        client.transaction.ring()
        core.state = SessionState.EARLY
