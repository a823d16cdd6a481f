"""Transfers that a remote side requests (RFC 3515, 5589).

Only a user agent whose `take_transfers` was called accepts a REFER. `sipcore.session.refer` reads and writes the
messages, this file decides which target is called. Calls that replace another one are handled by
`call_worker.replacements`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sipswarm.sipcore.errors import ParseError, RemoteProtocolError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.session.refer import TransferTarget, target_of

from ..errors import CallEnded, CallError, CallRejected, CallTimeout, ConfigurationError
from ..handle.call import Call
from ..handle.given_text import checked_callback
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback

Consent = Callback
"""Called as (call, URI of the target); false declines the transfer."""


def taker(
    actor_loop: ActorLoop, place: Callable[[TransferTarget, Call], Any], consent: Consent
) -> Callable[[Call, int, Request], None]:
    """Return the function that carries out a requested transfer when `consent` agrees.

    Args:
        place: returns an awaitable that places the new call; it gets the target, and the call whose peer named it.

    Raises:
        ConfigurationError: `consent` is no callback.
    """
    checked_callback("consent", consent, ("call", "target"))

    def on_transfer(call: Call, request_id: int, request: Request) -> None:
        now = actor_loop.now()
        try:
            target = target_of(request)
        except (ParseError, RemoteProtocolError) as error:
            call.actor.respond(request_id, error.status_hint, (), now)
            return
        call.decide(
            "the consent to a transfer",
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
            actor_loop.spawn(_carry_out(actor_loop, call, request_id, place(target, call)))
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
