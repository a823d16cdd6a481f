"""What each notice of a call's actor means for its user: futures resolved and callbacks invoked, in the stated order.

The order of the man page's callbacks (CALL.md section 1, "Ordering summary") is held here and nowhere else.
"""

import errno
from collections.abc import Mapping
from typing import Any, Final

from sipswarm.sipcore.message.headers import key_of
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import Cause

from ..call.notices import (
    Acknowledged,
    Answered,
    Closed,
    Digit,
    DigitsDone,
    FramesAsked,
    FramesCame,
    Incoming,
    MediaDone,
    MediaRefused,
    MediaSilent,
    Notice,
    Over,
    PeerRequest,
    Progress,
    Refused,
    RequestDone,
    SourceDone,
    TransferAsked,
    TransferNews,
)
from ..call.state import TRANSPORT_FAILED, State
from ..diagnosis.failure_reasons import MEDIA_REFUSED, cause_of, reason_of
from ..errors import CallEnded, CallRejected, CallTimeout, MediaError
from .call import Call

_TIMEOUTS: Final = (Cause.TIMEOUT, Cause.NO_ANSWER)
_NOT_THE_USERS: Final = frozenset(
    (
        *("via", "from", "to", "call-id", "cseq", "record-route", "timestamp", "content-length", "content-type"),
        *("require", "rseq", "session-expires", "max-forwards", "route"),
    )
)
"""headers of a response that the transaction, the dialog or the description decides, not who answers (C18)"""


def take(call: Call, notice: Notice) -> None:
    """Deal with one notice of the call's actor."""
    _HANDLERS[notice.__class__](call, notice)


def _resolve(future: Any, result: Any = None) -> None:
    if future is not None and not future.done():
        future.set_result(result)


# ---- set-up


def _on_incoming(call: Call, notice: Incoming) -> None:
    param = call.param
    param.sdp_peer = call.actor.media.exchange.pending or param.sdp_peer
    if not notice.reinvite:
        call.invite_request = notice.request
        if not call.actor.awaits_answer:
            return  # its caller has given up already
        call.owner.call_came(call, notice.request)
        return
    if param.clear_sdp:
        call.clear_sdp()
    answer_invite(call, notice)


def answer_invite(call: Call, notice: Incoming) -> None:
    """Answer an INVITE as `cb_invite` says: a Response it returns decides, anything else is 200 (C18).

    What the callback did by itself (`accept`, `reject`, `ring`) is the answer; then none follows.
    """
    rung = call.actor.rung
    call.decide(
        call.param.cb_invite,
        *(call, notice.request),
        then=lambda reply: _answer_with(call, reply, rung),
        refuse=lambda: call.reject(500) if call.actor.awaits_answer else None,
    )


def _answer_with(call: Call, reply: Any, rung: int) -> None:
    """Send what a callback returned. rung: how often the call had rung before it."""
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


def _on_progress(call: Call, notice: Progress) -> None:
    if call.param.cb_preliminary is not None:
        call.call_back(call.param.cb_preliminary, call, notice.response.status, notice.response)


def _on_answered(call: Call, notice: Answered) -> None:
    param = call.param
    param.sdp_peer = call.actor.media.exchange.remote
    call.waiters.forgive()
    if param.cb_final is not None:
        call.call_back(param.cb_final, "OK", call, {"packet": notice.response})
    _start_media(call)
    call.waiters.accepted()
    call.owner.call_answered(call)
    if not notice.reinvite and call.on_up is not None:
        call.on_up(call)


def _on_acknowledged(call: Call, notice: Acknowledged) -> None:
    param = call.param
    param.sdp_peer = call.actor.media.exchange.remote or param.sdp_peer
    if param.cb_established is not None:
        call.call_back(param.cb_established, "OK", call)
    _start_media(call)
    if not notice.reinvite:
        call.waiters.accepted()
        if call.on_up is not None:
            call.on_up(call)


def _start_media(call: Call) -> None:
    if call.state is State.OVER:
        return
    if call.param.init_media is not None:
        call.ports.show(call.param)
        call.call_back(call.param.init_media, call, call.param)
    else:
        call.restart_media()


def _on_refused(call: Call, notice: Refused) -> None:
    param, cause = call.param, notice.cause
    error: CallTimeout | CallRejected | CallEnded | MediaError
    if call.actor.crash is not None:
        error = call.waiters.ended()
    elif MEDIA_REFUSED in (reason_of(call.cause), reason_of(notice.reason)):
        error = MediaError(call.media_error)
    elif cause in _TIMEOUTS:
        error = CallTimeout(f"no final answer ({cause.value})")
        if call.actor.unread:
            error = CallTimeout(
                f"no final answer ({cause.value}); one that came could not be read: {call.actor.unread}"
            )
    elif cause is Cause.CANCELLED or (cause is Cause.BAD_DESCRIPTION and not notice.reinvite):
        error = CallEnded(cause.value)
    else:
        error = CallRejected(notice.status, notice.reason, notice.response)
    call.waiters.failed(error)
    if param.cb_final is not None:
        call.call_back(param.cb_final, "FAIL", call, _failure_info(notice))
    if cause is Cause.NO_ANSWER and param.cb_noanswer is not None:
        call.call_back(param.cb_noanswer, "NOANSWER", call, _failure_info(notice))
    call.waiters.refused(error)


def _failure_info(notice: Refused) -> dict[str, Any]:
    """The `%INFO` of the man page's FAIL: code and packet with a response, errno in any case (C15)."""
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


def _on_peer_request(call: Call, notice: PeerRequest) -> None:
    request = notice.request
    if request.method == "NOTIFY" and call.param.cb_notify is not None:
        call.call_back(call.param.cb_notify, call, request)
    if notice.request_id:
        call.actor.respond(notice.request_id, 200, (), call.actor_loop.now())


def _on_request_done(call: Call, notice: RequestDone) -> None:
    if notice.method in ("BYE", "CANCEL"):
        if notice.method == "BYE":
            told, call.bye_arguments = call.bye_arguments, ()
        else:
            told, call.cancel_arguments = call.cancel_arguments, ()
        for arguments in told or ({},):
            _tell_end(call, notice.method, arguments)
        return
    callback, future = call.requests.pop(notice.request_id, (None, None))
    good = notice.response is not None and notice.status < 300
    if notice.request_id in call.transfers and good and _will_report(notice.response):
        call.requests[notice.request_id] = (callback, future)  # the peer's reports decide
        return
    if callback is not None:
        lost = errno.EHOSTUNREACH if notice.status == TRANSPORT_FAILED else errno.ETIMEDOUT
        info = {"code": notice.status, "packet": notice.response} if notice.response else {"errno": lost}
        call.call_back(callback, "OK" if good else "FAIL", call, info)
    if future is None or future.done():
        return
    if notice.response is None and notice.status == TRANSPORT_FAILED:
        future.set_exception(CallRejected(notice.status, f"{notice.method} could not be sent"))
    elif notice.response is None:
        future.set_exception(CallTimeout(f"no answer to {notice.method}"))
    elif good:
        future.set_result(notice.response)
    else:
        same = notice.status == notice.response.status  # else a 2xx to an UPDATE without an answer of any use
        reason = notice.response.reason if same else Cause.BAD_DESCRIPTION.value
        future.set_exception(CallRejected(notice.status, reason))


def _will_report(accepted: Response | None) -> bool:
    """Whether the peer reports how its transfer goes: not after `Refer-Sub: false` (RFC 4488 section 4)."""
    said = accepted.headers.get("Refer-Sub") if accepted is not None else None
    return (said or "").partition(";")[0].strip().lower() != "false"


def _tell_end(call: Call, method: str, arguments: Mapping[str, Any]) -> None:
    """Our BYE or CANCEL has its final response, or never gets one (C13, C32, C33)."""
    param = call.param
    default = param.send_bye if method == "BYE" or param.send_cancel is None else param.send_cancel
    more = {name: value for name, value in arguments.items() if name != "cb_final"}
    given = arguments.get("cb_final")
    callback = default if given is None else given  # a variable that is not set yet is false
    if callback is not None:
        call.call_back(callback, param.merged(more))


def _on_transfer_asked(call: Call, notice: TransferAsked) -> None:
    call.owner.transfer_asked(call, notice.request_id, notice.request)


def _on_transfer_news(call: Call, notice: TransferNews) -> None:
    if not notice.final:
        return
    _, future = call.requests.pop(notice.request_id, (None, None))
    if future is None or future.done():
        return
    if notice.status < 300:
        future.set_result(Response.build(notice.status, notice.reason, ()))
    else:
        future.set_exception(CallRejected(notice.status, notice.reason))


def _on_digit(call: Call, notice: Digit) -> None:
    keypad = call.keypad
    keypad.came(notice.event, notice.mode)
    if notice.mode == "info":
        call.owner.digit_came(notice.mode)
    ended_play = call.media_requests.digit(notice.event) if call.media_requests is not None else False
    if not ended_play and keypad.keep(notice.event):
        call.owner.digit_dropped()
    if call.param.cb_dtmf is not None:
        call.call_back(call.param.cb_dtmf, notice.event, notice.duration_ms)
    keypad.wake()


def _on_digits_done(call: Call, notice: DigitsDone) -> None:
    call.keypad.done(notice)


def _on_source_done(call: Call, notice: SourceDone) -> None:
    _, failed, why = notice.reason.partition("error: ")
    if failed:
        _on_media_refused(call, MediaRefused("SetSource", why, notice.request_id))
    elif not notice.request_id:
        _source_ended(call)
    elif call.media_requests is not None and call.media_requests.ended(notice.request_id):
        _tell_done(call)


def _source_ended(call: Call, why: str = "") -> None:
    """What the call sends has no more, or cannot be had: that is `cb_rtp_done`'s, or else the end of the call."""
    call.actor.media.source_ended()
    if call.param.cb_rtp_done is not None:
        _tell_done(call)
    elif why:
        call.actor.hang_up(call.actor_loop.now(), f"{MEDIA_REFUSED}: {why}")
        call.actor_loop.touch(call.actor)
    elif call.handler is not None:
        call.hang_up()


def _tell_done(call: Call) -> None:
    if call.param.cb_rtp_done is not None:
        call.call_back(call.param.cb_rtp_done, call)


def _on_frames_asked(call: Call, notice: FramesAsked) -> None:
    """Ask a callback source for frames, in order, up to what is wanted."""
    read = call.handler.read if call.handler is not None else None
    frames = []
    end = read is None
    for index in range(notice.wanted if read is not None else 0):
        assert read is not None
        frame = read((notice.first_sequence_number + index) & 0xFFFF, notice.line)
        if not frame:
            end = True
            break
        if isinstance(frame, bytes):
            frames.append((frame, -1, 0, -1))
        else:
            payload, payload_type, marker, timestamp = (*frame, -1, 0, -1)[:4] if len(frame) < 4 else frame[:4]
            stamp = -1 if timestamp is None else timestamp
            frames.append((payload, -1 if payload_type is None else payload_type, int(marker or 0), stamp))
    call.actor.media.provide(notice.line, tuple(frames), end)
    call.actor_loop.flush_soon()


def _on_frames_came(call: Call, notice: FramesCame) -> None:
    write = call.handler.write if call.handler is not None else None
    if write is not None:
        for payload, sequence_number, timestamp, payload_type, _ in notice.frames:
            write(payload, sequence_number, timestamp, notice.line, payload_type)


def _on_silent(call: Call, notice: MediaSilent) -> None:
    if notice.level == "limit":
        call.failure = call.failure or "silent"
    call.owner.media_silent(call, notice.level, notice.seconds)


def _on_media_refused(call: Call, notice: MediaRefused) -> None:
    """Log and count it; tell whoever waits for it, else it is the call's failure and the end of its source."""
    command, reason, number = notice.command, notice.reason, notice.request_id
    call.owner.media_refused(call, command, reason)
    if command == "OpenStream":  # the actor ends the call
        call.media_error = reason
        if reason_of(cause_of(reason)) == MEDIA_REFUSED:
            call.failure = call.failure or MEDIA_REFUSED
        return
    if command not in ("SetSource", "SetSink", "ConfigureStream") or reason == "unknown_stream":
        return
    call.media_error = reason
    requests = call.media_requests
    is_play = requests is not None and requests.plays(number)
    replaced = number > 0 and (requests is None or not requests.waits(number))
    awaited = requests is not None and requests.failed(number, reason)
    if not awaited:
        call.failure = call.failure or MEDIA_REFUSED
    if command == "SetSource" and is_play:
        _tell_done(call)
    elif command == "SetSource" and not (awaited or replaced) and call.state is not State.OVER:
        _source_ended(call, reason)


def _on_media_done(call: Call, notice: MediaDone) -> None:
    if call.media_requests is not None:
        call.media_requests.done(notice.request_id)


# ---- the end


def _on_over(call: Call, notice: Over) -> None:
    if call.state is not State.OVER:
        return  # `cb_final` has sent its INVITE once more (C31)
    call.waiters.fail()
    if not call.actor.media.running:
        call.keypad.fail()  # else the stream says at its end what is out
    if call.media_requests is not None:
        call.media_requests.close()
        call.media_requests = None  # it holds what makes futures of this call
    call.requests = {number: each for number, each in call.requests.items() if each[0] is not None}
    call.bound_tasks()
    if notice.by == "remote":
        _clean_up(call)
        if call.param.recv_bye is not None and (call.times.answered or not call.is_uac):
            call.call_back(call.param.recv_bye, call.param)


def _on_closed(call: Call, notice: Closed) -> None:
    if call.closed or call.state is not State.OVER:
        return
    call.closed = True
    call.keypad.fail()
    try:
        _clean_up(call)
    finally:  # a callback that fails must not keep the call for ever
        call.owner.call_settled(call)
    for waiter in call.over_waiters:
        _resolve(waiter)
    if call.on_over is not None:
        call.on_over(call)


def _clean_up(call: Call) -> None:
    """Run `cb_cleanup`, once."""
    callback, call.param.cb_cleanup = call.param.cb_cleanup, None
    if callback is not None:
        call.call_back(callback, call)


_HANDLERS: Final[dict[type, Any]] = {
    Incoming: _on_incoming,
    Progress: _on_progress,
    Answered: _on_answered,
    Acknowledged: _on_acknowledged,
    Refused: _on_refused,
    PeerRequest: _on_peer_request,
    RequestDone: _on_request_done,
    TransferAsked: _on_transfer_asked,
    TransferNews: _on_transfer_news,
    Digit: _on_digit,
    DigitsDone: _on_digits_done,
    SourceDone: _on_source_done,
    FramesAsked: _on_frames_asked,
    FramesCame: _on_frames_came,
    MediaSilent: _on_silent,
    MediaRefused: _on_media_refused,
    MediaDone: _on_media_done,
    Over: _on_over,
    Closed: _on_closed,
}
