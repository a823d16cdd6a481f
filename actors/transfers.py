"""Transfers that a peer asks for, and calls that take over another one (RFC 3515, 3891, 5589).

A REFER is taken on only by a user agent that says so; an INVITE with Replaces is part of what every call worker says
it supports. What the messages say is `sipcore.transfer`'s, who is called is decided here.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipcore.errors import ParseError
from sipcore.message import Request
from sipcore.transfer import TransferTarget, target_of

from .errors import CallEnded, CallError, CallRejected, CallTimeout, ConfigurationError

if TYPE_CHECKING:
    from .call import Call
    from .call_worker import CallWorker

Consent = Callable[["Call", str], Any]
"""called as (call, URI of the target); false declines the transfer"""


def take_on(worker: "CallWorker", place: "Callable[[TransferTarget], Any]", consent: Consent) -> None:
    """Take on the transfers that peers ask for, when `consent` agrees; `place` places the new call, not awaited yet."""

    def on_transfer(call: "Call", request_id: int, request: Request) -> None:
        now = worker.now()
        try:
            target = target_of(request)
        except ParseError:
            call.actor.respond(request_id, 400, (), now)
            return
        if not consent(call, target.uri):
            call.actor.respond(request_id, 603, (), now)
            return
        call.actor.accept_transfer(request_id, now)
        worker.spawn(_carry_out(call, request_id, place(target)))

    worker.on_transfer = on_transfer


async def _carry_out(call: "Call", request_id: int, placing: Any) -> None:
    status, reason = 200, "OK"
    try:
        await placing
    except CallRejected as refused:
        status, reason = refused.status, refused.reason
    except CallTimeout:
        status, reason = 408, "Request Timeout"
    except (CallEnded, ConfigurationError, CallError):
        status, reason = 503, "Service Unavailable"
    call.actor.report_transfer(request_id, status, reason, call.worker.now())
    call.worker.flush_soon()


def take_over(call: "Call", request: Request) -> bool:
    """Answer an INVITE with Replaces: it takes over the call that it names, or is refused (RFC 3891 section 3).

    True when the INVITE has been dealt with.
    """
    replaces = request.replaces
    if replaces is None:
        return False
    named = (replaces.call_id, replaces.to_tag)
    found = [each for each in call.worker.live.values() if (each.call_id, each.actor.session.local_tag) == named]
    status = found[0].actor.session.may_be_replaced(replaces) if found else 481
    if status != 200:
        call.reject(status)
        return True
    old = found[0]
    call.param.init_media = call.param.init_media or old.param.init_media
    call.on_up = lambda _: old.hang_up()
    call.accept()
    return True
