"""Transfers that a peer asks for (RFC 3515, 5589).

A REFER is taken on only by a user agent that says so. What the messages say is `sipcore.session.refer`'s, who is called
is decided here; calls that take over another one are `replacements`'.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.refer import TransferTarget, target_of

from ..errors import CallEnded, CallError, CallRejected, CallTimeout, ConfigurationError
from ..handle.call import Call
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback

Consent = Callback
"""called as (call, URI of the target); false declines the transfer"""


def taker(
    actor_loop: ActorLoop, place: Callable[[TransferTarget], Any], consent: Consent
) -> Callable[[Call, int, Request], None]:
    """What takes on the transfers that peers ask for, when `consent` agrees.

    place: places the new call, not awaited yet.
    """

    def on_transfer(call: Call, request_id: int, request: Request) -> None:
        now = actor_loop.now()
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

    def fail(call: Call, request_id: int) -> None:
        call.actor.respond(request_id, 500, (), actor_loop.now())
        actor_loop.touch(call.actor)

    def answer(call: Call, request_id: int, target: TransferTarget, agreed: Any) -> None:
        now = actor_loop.now()
        if not call.actor.session.awaits(request_id):
            return  # the call has ended meanwhile
        if agreed:
            call.actor.accept_transfer(request_id, now)
            actor_loop.spawn(_carry_out(actor_loop, call, request_id, place(target)))
        else:
            call.actor.respond(request_id, 603, (), now)
        actor_loop.touch(call.actor)

    return on_transfer


async def _carry_out(actor_loop: ActorLoop, call: Call, request_id: int, placing: Any) -> None:
    status, reason = 200, "OK"
    try:
        await placing
    except CallRejected as refused:
        status, reason = refused.status, refused.reason
    except CallTimeout:
        status, reason = 408, "Request Timeout"
    except (CallEnded, ConfigurationError, CallError):
        status, reason = 503, "Service Unavailable"
    call.actor.report_transfer(request_id, status, reason, actor_loop.now())
    actor_loop.touch(call.actor)
