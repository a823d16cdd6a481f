"""What each notice of a call's actor means for its user: futures completed and callbacks invoked, in the stated order.

The handler of an accepted INVITE updates the parameters, invokes the callback, starts the media, completes the futures,
and then informs the owner. The order of the man page's callbacks is held here and nowhere else. A callback that fails
must not keep the call from its end: `_on_closed` settles it in any case.
"""

import errno
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sipswarm.media.refusal import Refusal
from sipswarm.sipcore.message.headers import key_of
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import Cause

from ..call.notices import (
    AnswerDropped,
    Answered,
    Closed,
    CommandDone,
    CommandRefused,
    DigitsSent,
    DtmfReceived,
    Ended,
    Established,
    Failed,
    FramesReceived,
    FramesWanted,
    InviteReceived,
    MediaMoved,
    Notice,
    OfferWaits,
    Provisional,
    RequestFinished,
    RequestReceived,
    SourceFinished,
    StreamSilent,
    TransferProgress,
    TransferRequested,
)
from ..call.state import State
from ..diagnosis.failure_reasons import FILE_REFUSALS, MEDIA_REFUSED
from ..diagnosis.foreign_text import shown
from ..errors import CallEnded, CallRejected, CallTimeout, MediaError
from ..runtime.callbacks import Callback
from .call import Call
from .media_handlers import MediaHandler

_TIMEOUTS: Final = (Cause.TIMEOUT, Cause.NO_ANSWER)
_NOT_THE_USERS: Final = frozenset(
    (
        *("via", "from", "to", "call-id", "cseq", "record-route", "timestamp", "content-length", "content-type"),
        *("require", "rseq", "session-expires", "max-forwards", "route"),
    )
)
"""Headers of a response that the transaction, the dialog or the description decides, not the user."""


def take(call: Call, notice: Notice) -> None:
    """Handle one notice of the call's actor."""
    _HANDLERS[notice.__class__](call, notice)


# ---- set-up


def _on_invite_received(call: Call, notice: InviteReceived) -> None:
    param = call.param
    param.peer_described(call.actor.media.exchange.pending or param.sdp_peer)
    if not notice.reinvite:
        call.came(notice.request)
        if not call.actor.awaits_answer:
            return  # the remote side has given up already
        call.owner.call_came(call, notice.request)
        return
    if param.clear_sdp:
        call.clear_sdp()
    answer_invite(call, notice)


def answer_invite(call: Call, notice: InviteReceived) -> None:
    """Answer an INVITE as `cb_invite` decides: a Response that it returns is sent, any other value means 200.

    An answer that the callback gave by itself (`accept`, `reject`, `ring`) counts; then no other follows.
    """
    rung = call.actor.rung
    call.decide(
        "the callback cb_invite",
        call.param.cb_invite,
        *(call, notice.request),
        then=lambda reply: _answer_with(call, reply, rung),
        refuse=lambda: call.reject(500) if call.actor.awaits_answer else None,
    )


def _answer_with(call: Call, reply: Any, rung: int) -> None:
    """Answer by the value that a callback returned.

    Args:
        rung: how often the call had rung before it.
    """
    if not call.actor.awaits_answer:
        return
    if isinstance(reply, Response):
        headers = tuple(pair for pair in reply.headers.items() if key_of(pair[0]) not in _NOT_THE_USERS)
        if reply.status < 200:
            call.ring(reply.status, headers)
        elif reply.status < 300:
            call.accept(headers)
        else:
            call.reject(reply.status, reply.reason, headers)
    elif call.actor.rung == rung:
        call.accept()


def _on_provisional(call: Call, notice: Provisional) -> None:
    if call.param.cb_preliminary is not None:
        call.call_back("cb_preliminary", call.param.cb_preliminary, call, notice.response.status, notice.response)


def _on_answered(call: Call, notice: Answered) -> None:
    param = call.param
    param.peer_described(call.actor.media.exchange.remote)
    call.waiters.forgive()
    if param.cb_final is not None:
        call.call_back("cb_final", param.cb_final, "OK", call, {"packet": notice.response})
    _start_media(call)
    call.waiters.accepted()
    call.owner.call_answered(call)
    if not notice.reinvite and call.on_up is not None:
        call.on_up(call)


def _on_offer_waits(call: Call, notice: OfferWaits) -> None:
    """Have `cb_ack` decide the answer in the ACK; its failure ends the call, by ACK and BYE."""
    offer = call.actor.media.exchange.pending
    call.param.peer_described(offer)
    call.decide(
        "the callback cb_ack", call.param.cb_ack, call, offer, then=lambda described: _acknowledge(call, described)
    )


def _acknowledge(call: Call, described: Any) -> None:
    """Send the ACK that waits, with the description that `cb_ack` returned."""
    if call.state is State.OVER:
        return
    if described is not None:
        call.set_param(sdp=described)
        call.ports.take_over(call.param)
    call.actor.acknowledge(call.actor_loop.now())
    call.actor_loop.touch(call.actor)


def _on_established(call: Call, notice: Established) -> None:
    param = call.param
    param.peer_described(call.actor.media.exchange.remote or param.sdp_peer)
    if param.cb_established is not None:
        call.call_back("cb_established", param.cb_established, "OK", call)
    _start_media(call)
    if notice.reinvite:
        call.waiters.answer_over()
        return
    call.waiters.accepted()
    if call.on_up is not None:
        call.on_up(call)


def _on_answer_dropped(call: Call, notice: AnswerDropped) -> None:
    call.waiters.answer_over(None if notice.status == 487 else CallRejected(notice.status, ""))


def _start_media(call: Call) -> None:
    if call.state is State.OVER:
        return
    if isinstance(call.param.init_media, MediaHandler):
        call.ports.show(call.param)
        call.start_under_plays(call.param.init_media)
    elif call.param.init_media is not None:
        call.ports.show(call.param)
        call.call_back("init_media", call.param.init_media, call, call.param)
    else:
        call.media_work.restart()


def _on_failed(call: Call, notice: Failed) -> None:
    param, cause = call.param, notice.cause
    error: CallTimeout | CallRejected | CallEnded | MediaError
    if call.actor.ending.crash is not None:
        error = call.waiters.ended()
    elif call.cause_name == MEDIA_REFUSED:
        error = MediaError(call.media_error)
    elif cause in _TIMEOUTS:
        error = CallTimeout(f"no final answer ({cause.value}){_hint(call, notice)}")
    elif cause is Cause.CANCELLED or (cause is Cause.BAD_DESCRIPTION and not notice.reinvite):
        error = CallEnded(cause.value)
    else:
        error = CallRejected(notice.status, notice.reason, notice.response, _unsent(call, notice))
    call.waiters.failed(error)
    if param.cb_final is not None:
        call.call_back("cb_final", param.cb_final, "FAIL", call, _failure_info(notice))
    if cause is Cause.NO_ANSWER and param.cb_noanswer is not None:
        call.call_back("cb_noanswer", param.cb_noanswer, "NOANSWER", call, _failure_info(notice))
    call.waiters.refused(error)


def _hint(call: Call, notice: Failed) -> str:
    """Return what to look at where no final response came."""
    if call.actor.unread:
        return f"; one that came could not be read: {call.actor.unread}"
    if notice.reinvite or call.times.first_response:
        return ""
    return f"; nothing came back from {shown(call.to)}: look at its address, port and transport, and at firewalls"


def _unsent(call: Call, notice: Failed) -> str:
    """Return why the INVITE was not sent, where that is what failed (RFC 3261 section 8.1.3.1)."""
    ending = call.actor.ending
    if notice.response is not None or notice.cause is not Cause.TRANSPORT or not ending.was_lost:
        return ""
    return f"the INVITE could not be sent to {shown(call.to)}: {ending.cause_of_loss}"


def _failure_info(notice: Failed) -> dict[str, Any]:
    """Return the `%INFO` of the man page's FAIL: code and packet with a response, errno in any case."""
    if notice.response is None:
        if notice.cause is Cause.CANCELLED:
            return {"errno": errno.ECANCELED}
        return {"errno": errno.ETIMEDOUT if notice.cause in _TIMEOUTS else errno.EHOSTUNREACH}
    if notice.cause is Cause.BAD_DESCRIPTION:
        return {}
    number = errno.EPERM if notice.cause is Cause.UNAUTHORIZED else errno.EINVAL
    if notice.cause is Cause.REDIRECTED:
        number = errno.EFAULT
    return {"code": notice.status, "packet": notice.response, "errno": number}


# ---- within the call


def _on_request_received(call: Call, notice: RequestReceived) -> None:
    request = notice.request
    if request.method == "NOTIFY" and call.param.cb_notify is not None:
        call.call_back("cb_notify", call.param.cb_notify, call, request)
    if notice.request_id:
        call.actor.respond(notice.request_id, 200, (), call.actor_loop.now())


def _on_request_finished(call: Call, notice: RequestFinished) -> None:
    if notice.method in ("BYE", "CANCEL"):
        for arguments in call.requests.end_of(notice.method):
            _tell_end(call, notice.method, arguments)
    else:
        call.requests.done(notice, partial(_tell_outcome, call))


def _tell_outcome(call: Call, callback: Callback, good: bool, info: Mapping[str, Any]) -> None:
    """Invoke the callback of a local request that has ended."""
    call.call_back("cb_final", callback, "OK" if good else "FAIL", call, info)


def _tell_end(call: Call, method: str, arguments: Mapping[str, Any]) -> None:
    """Invoke the callback of a local BYE or CANCEL, which has its final response, or never gets one."""
    more = {name: value for name, value in arguments.items() if name != "cb_final"}
    merged = call.param.merged(more)
    chosen = ("cb_final", arguments.get("cb_final"))
    for name in ("send_cancel", "send_bye") if method == "CANCEL" else ("send_bye",):
        if chosen[1] is None:  # a variable that is not set yet is false
            chosen = name, merged.get(name)
    if chosen[1] is not None:
        call.call_back(*chosen, merged)


def _on_transfer_requested(call: Call, notice: TransferRequested) -> None:
    call.owner.transfer_asked(call, notice.request_id, notice.request)


def _on_transfer_progress(call: Call, notice: TransferProgress) -> None:
    call.requests.transfer_progress(notice)


def _on_dtmf_received(call: Call, notice: DtmfReceived) -> None:
    keypad = call.keypad
    if not keypad.came(notice.event, notice.mode, notice.duration_ms):
        return
    if notice.mode == "info":
        call.owner.digit_came(notice.mode)
    if not call.media_work.digit(notice.event) and keypad.keep(notice.event):
        call.owner.digit_dropped()
    if call.param.cb_dtmf is not None:
        call.call_back("cb_dtmf", call.param.cb_dtmf, notice.event, notice.duration_ms)
    keypad.wake()


def _on_digits_sent(call: Call, notice: DigitsSent) -> None:
    call.keypad.done(notice)


def _on_source_finished(call: Call, notice: SourceFinished) -> None:
    if notice.reason != "end":
        _on_command_refused(call, CommandRefused("SetSource", *notice))
    elif not notice.request_id:
        _source_ended(call)
    elif call.media_work.play_ended(notice.request_id):
        _tell_done(call)


def _source_ended(call: Call, why: str = "") -> None:
    """Take the end or the loss of the call's source: `cb_rtp_done` decides, else the call ends."""
    call.actor.media.source_ended()
    if call.param.cb_rtp_done is not None:
        _tell_done(call)
    elif why:
        call.actor.hang_up(call.actor_loop.now(), MEDIA_REFUSED, why)
        call.actor_loop.touch(call.actor)
    elif call.media_work.handler is not None:
        call.hang_up()


def _tell_done(call: Call) -> None:
    if call.param.cb_rtp_done is not None:
        call.call_back("cb_rtp_done", call.param.cb_rtp_done, call)


def _on_frames_wanted(call: Call, notice: FramesWanted) -> None:
    call.media_work.frames_wanted(notice)


def _on_frames_received(call: Call, notice: FramesReceived) -> None:
    call.media_work.frames_received(notice)


def _on_stream_silent(call: Call, notice: StreamSilent) -> None:
    if notice.level == "limit":
        call.miss("silent")
    call.owner.media_silent(call, notice.level, notice.seconds)


def _on_command_refused(call: Call, notice: CommandRefused) -> None:
    """Log and count a refusal, and pass it on.

    A future that waits for it fails. Without one it is the call's failure and the end of its source.
    """
    command, reason = notice.command, notice.reason
    call.owner.media_refused(call, command, reason, notice.detail)
    if command == "OpenStream":  # the actor ends the call
        call.media_work.failed(notice.text)
        if reason in FILE_REFUSALS:
            call.miss(MEDIA_REFUSED)
        return
    if command not in ("SetSource", "SetSink", "ConfigureStream") or reason == Refusal.UNKNOWN_STREAM.value:
        return
    refused = call.media_work.refused(notice.request_id, notice.text)
    if not refused.awaited:
        call.miss(MEDIA_REFUSED)
    if command == "SetSource" and refused.is_play:
        _tell_done(call)
    elif command == "SetSource" and not (refused.awaited or refused.replaced) and call.state is not State.OVER:
        _source_ended(call, notice.text)


def _on_command_done(call: Call, notice: CommandDone) -> None:
    call.media_work.done(notice.request_id)


def _on_media_moved(call: Call, notice: MediaMoved) -> None:
    call.owner.media_moved(call, notice.seconds)
    if call.param.cb_media_moved is not None:
        call.call_back("cb_media_moved", call.param.cb_media_moved, call, notice.seconds)


# ---- the end


def _on_ended(call: Call, notice: Ended) -> None:
    if call.state is not State.OVER:
        return  # `cb_final` has sent the INVITE again
    call.waiters.fail()
    if not call.actor.media.running:
        call.keypad.fail()  # else the stream reports at its end which digits were sent
    call.media_work.close()
    call.requests.over()
    call.tasks.bound(call.grace)
    if notice.by == "remote":
        _clean_up(call)
        if call.param.recv_bye is not None and (call.times.answered or not call.is_uac):
            call.call_back("recv_bye", call.param.recv_bye, call.param)


def _on_closed(call: Call, notice: Closed) -> None:
    if not call.close():
        return
    call.keypad.fail()
    try:
        _clean_up(call)
    finally:  # a callback that fails must not keep the call, nor what waits for its end, for ever
        call.owner.call_settled(call)
        call.waiters.closed()
        if call.on_over is not None:
            call.on_over(call)


def _clean_up(call: Call) -> None:
    """Run `cb_cleanup` and what was added to it, once; one that fails costs no other."""
    for callback in call.param.take_cleanup():
        call.actor_loop.guarded(call.actor, call.call_back, "cb_cleanup", callback, call)


_HANDLERS: Final[dict[type, Any]] = {
    InviteReceived: _on_invite_received,
    Provisional: _on_provisional,
    Answered: _on_answered,
    OfferWaits: _on_offer_waits,
    Established: _on_established,
    AnswerDropped: _on_answer_dropped,
    Failed: _on_failed,
    RequestReceived: _on_request_received,
    RequestFinished: _on_request_finished,
    TransferRequested: _on_transfer_requested,
    TransferProgress: _on_transfer_progress,
    DtmfReceived: _on_dtmf_received,
    DigitsSent: _on_digits_sent,
    SourceFinished: _on_source_finished,
    FramesWanted: _on_frames_wanted,
    FramesReceived: _on_frames_received,
    StreamSilent: _on_stream_silent,
    CommandRefused: _on_command_refused,
    CommandDone: _on_command_done,
    MediaMoved: _on_media_moved,
    Ended: _on_ended,
    Closed: _on_closed,
}
