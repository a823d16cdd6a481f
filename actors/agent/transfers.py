"""Transfers that a peer asks for (RFC 3515, 5589).

A REFER is taken on only by a user agent that says so. What the messages say is `sipcore.session.refer`'s, who is called
is decided here; calls that take over another one are `replacements`'.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.refer import TransferTarget, target_of

from ..errors import CallEnded, CallError, CallRejected, CallTimeout, ConfigurationError
from ..runtime.callbacks import Callback

if TYPE_CHECKING:
    from ..call_worker.worker import CallWorker
    from ..handle.call import Call

Consent = Callback
"""called as (call, URI of the target); false declines the transfer"""


def take_on(worker: "CallWorker", place: "Callable[[TransferTarget], Any]", consent: Consent) -> None:
    """Take on the transfers that peers ask for, when `consent` agrees; `place` places the new call, not awaited yet."""

    def on_transfer(call: "Call", request_id: int, request: Request) -> None:
        now = worker.actor_loop.now()
        try:
            target = target_of(request)
        except ParseError:
            call.actor.respond(request_id, 400, (), now)
            return
        call.decide(
            consent,
            call,
            target.uri,
            then=partial(answer, call, request_id, target),
            refuse=partial(fail, call, request_id),
        )

    def fail(call: "Call", request_id: int) -> None:
        call.actor.respond(request_id, 500, (), worker.actor_loop.now())
        worker.actor_loop.touch(call.actor)

    def answer(call: "Call", request_id: int, target: TransferTarget, agreed: Any) -> None:
        now = worker.actor_loop.now()
        if not call.actor.session.awaits(request_id):
            return  # the call has ended meanwhile
        if agreed:
            call.actor.accept_transfer(request_id, now)
            worker.actor_loop.spawn(_carry_out(call, request_id, place(target)))
        else:
            call.actor.respond(request_id, 603, (), now)
        worker.actor_loop.touch(call.actor)

    worker.on_transfer = on_transfer


def taken_over(session: InviteSession) -> tuple[str, Replaces]:
    """Whom the peer of a transfer is to call so that it takes over a call of ours, and by which Replaces.

    Raises:
        CallError: that call is not up.
    """
    replaces, dialog = session.replaces_of(), session.dialog
    if replaces is None or dialog is None:
        raise CallError("the other call is not up, so nobody can take it over")
    return dialog.remote_target, replaces


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
    call.actor.report_transfer(request_id, status, reason, call.worker.actor_loop.now())
    call.worker.actor_loop.touch(call.actor)
