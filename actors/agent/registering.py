"""One `register` of a user agent: at every place of its registrar in turn, told to whoever waits, and taken back.

Man page `register` (CALL.md section 2), RFC 3261 section 10.2, RFC 3263 section 4.3. When a binding is refreshed is
decided by `sipcore.usage.registration`; what a whole worker keeps bound stands in `registration.keeper`.
"""

import errno
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.usage.registration import (
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    RegistrationSettings,
    RegistrationState,
    Unregistered,
)

from ..errors import CallRejected, CallTimeout, ConfigurationError
from ..registration.actor import RegistrationActor
from ..registration.keeper import Registrations
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, invoke

Bound = dict[tuple[str, str], tuple[RegistrationActor, list[Callable[[RegistrationEvent], None]]]]
"""what keeps a contact bound at a registrar, and who hears of it"""
_IDLE: Final = (RegistrationState.REGISTERED, RegistrationState.WAITING, RegistrationState.ENDED)
"""states in which a REGISTER can be sent"""


async def register(
    actor_loop: ActorLoop,
    registrations: Registrations,
    bound: Bound,
    settings: RegistrationSettings,
    hops: Sequence[Hop],
    *,
    expires: int,
    cb_final: Callback = None,
    challenge: Response | None = None,
) -> int:
    """Bind, refresh or remove a contact; the seconds granted, or with `cb_final` 0 at once.

    bound: the contacts of this user agent. hops: where the registrar is, in the order in which they are tried.
    expires: seconds, 0 removes. cb_final: see `report`. challenge: a 401 or 407 to be answered at once.

    Raises:
        CallRejected: the registrar refused. CallTimeout: it did not answer. ConfigurationError: no credentials for the
        challenge.
    """
    done = actor_loop.loop.create_future()
    places = deque(hops)
    further = len(places) - 1
    key = (settings.registrar, settings.contacts[0])

    def on_event(event: RegistrationEvent) -> None:
        nonlocal further
        unserved = isinstance(event, RegistrationFailed) and (event.response is None or event.status == 503)
        if unserved and further:
            further -= 1
            places.rotate(-1)
            actor = bound[key][0]
            actor.registration.register(actor_loop.now(), hop=places[0])
            actor.pump(actor_loop.now())
            actor_loop.touch(actor)
            return
        further = len(places) - 1
        if cb_final is not None:
            report(cb_final, event, actor_loop.spawn)
        if not done.done() and isinstance(event, Registered | RegistrationFailed | Unregistered):
            done.set_result(event)

    known = bound.pop(key, None)
    if known is not None and (not expires or _continues(known[0], settings, challenge)):
        actor, listeners = known
        listeners[:] = [on_event]
        if expires:
            actor.register(actor_loop.now())
            actor_loop.touch(actor)
    else:
        if known is not None:
            known[0].abandon()  # the new one binds the same contact
            actor_loop.touch(known[0])
        listeners = [on_event]
        actor = registrations.begin(settings, lambda event: listeners[0](event), challenge)
    if expires:
        bound[key] = actor, listeners
    else:
        actor.unregister(actor_loop.now())
        actor_loop.touch(actor)
    if cb_final is not None:
        return 0  # it is told
    event = await done
    if isinstance(event, RegistrationFailed):
        if event.response is None:
            raise CallTimeout(f"the registrar {settings.registrar} did not answer")
        raise CallRejected(event.status, event.response.reason, event.response)
    return event.expires if isinstance(event, Registered) else 0


def service_route(bound: Bound, address: str) -> tuple[str, ...]:
    """The route that the registrar of this address wants calls to take, as name-addrs; empty without (RFC 3608)."""
    for actor, _ in bound.values():
        registration = actor.registration
        if registration.settings.address == address and registration.service_route:
            return registration.service_route
    return ()


def _continues(actor: RegistrationActor, settings: RegistrationSettings, challenge: Response | None) -> bool:
    """Whether a registration that is there can go on under these settings."""
    registration = actor.registration
    return challenge is None and registration.settings == settings and registration.state in _IDLE


def report(callback: Callback, event: RegistrationEvent, spawn: Any) -> None:
    """Tell ("OK", seconds, response), or ("FAIL", {code or errno}, response)."""
    if isinstance(event, Registered):
        invoke(callback, "OK", event.expires, event.response, spawn=spawn)
    elif isinstance(event, Unregistered):
        invoke(callback, "OK", 0, event.response, spawn=spawn)
    elif isinstance(event, RegistrationFailed):
        number = errno.ETIMEDOUT if event.status == 408 else errno.EHOSTUNREACH
        info = {"code": event.status} if event.response is not None else {"errno": number}
        invoke(callback, "FAIL", info, event.response, spawn=spawn)


def places_from(hops: Sequence[Hop], local: Hop) -> list[Hop]:
    """The hops that a listener of ours reaches: its transport and IP version.

    Raises:
        ConfigurationError: none of them.
    """
    found = [hop for hop in hops if hop.transport == local.transport and (":" in hop.host) == (":" in local.host)]
    if not found:
        raise ConfigurationError(f"the leg {local} does not reach {hops[0]}; choose another leg")
    return found
