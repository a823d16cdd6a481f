"""The subscription of somebody else that a handler has accepted: its state, the NOTIFYs to it, and its end (RFC 6665).

`sipcore.usage.notifier` sends one NOTIFY after another, and answers refreshes by itself. Each await ends at the latest
when the NOTIFYs before it were answered or given up (timer F, 64*T1). The handle may be dropped: the subscription goes
on until it runs out.
"""

import asyncio
from typing import Any, Final

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.usage.notifier import MOST_WAITING, USUAL_EXPIRES, Delivered, NotifierEvent, State

from ..diagnosis.foreign_text import said, shown
from ..errors import CallRejected, CallTimeout, ConfigurationError, Overloaded, RequestEnded, WrongState
from ..handle.given_text import MOST_SECONDS, checked_request, checked_token, checked_whole
from ..requests.keeper import Requests
from ..requests.notifier_actor import NotifierActor
from ..runtime.actor_loop import ActorLoop

USUAL: Final = USUAL_EXPIRES
_STATES: Final = ("active", "pending")
_WORDS: Final = {
    State.PENDING: "pending",
    State.ACTIVE: "active",
    State.CLOSING: "terminated",
    State.TERMINATED: "terminated",
}


class ServedSubscription:
    """A subscription that a handler has accepted; `UserAgent.accept_subscription` makes it.

    Attributes:
        request: the SUBSCRIBE that made it.
        event: the event package, with its id if any.
        reason: of the end: that of the last NOTIFY, such as "timeout" when its time ran out or its subscriber ended it;
            "gone" when the subscriber took a NOTIFY no more; empty before.
    """

    def __init__(self, request: Request, actor_loop: ActorLoop, requests: Requests) -> None:
        self.request = request
        self.event = ""
        self.reason = ""
        self._actor_loop = actor_loop
        self._requests = requests
        self._actor: NotifierActor | None = None
        self._sent: dict[int, asyncio.Future[Delivered]] = {}
        self._over: asyncio.Future[None] = actor_loop.loop.create_future()

    def accept(self, expires: int, body: bytes | str, content_type: str | None, state: str) -> None:
        """Answer by 200 and send the first NOTIFY, as `UserAgent.accept_subscription` does."""
        if not isinstance(self.request, Request):
            raise ConfigurationError(f"request is {said(self.request)}; give the Request that the handler got")
        octets, kind = _checked_body(body, content_type)
        pending = _is_pending(state)
        checked_whole("expires", expires, 1, MOST_SECONDS)
        self._actor = actor = self._requests.accept(self.request, expires, self._happened, pending=pending)
        self.event = actor.notifier.event
        now = self._actor_loop.now()
        if actor.notifier.granted:
            self._actor_loop.guarded(actor, self._begin, actor, octets, kind, pending)
        else:  # RFC 6665 section 4.4.3: one state was asked for
            self._actor_loop.guarded(actor, actor.end, "timeout", now, octets, kind)

    def _begin(self, actor: NotifierActor, body: bytes, content_type: str, pending: bool) -> None:
        actor.notify(body, content_type, self._actor_loop.now(), pending=pending)

    @property
    def state(self) -> str:
        """The state: "pending", "active" or "terminated"."""
        return "terminated" if self._actor is None else _WORDS[self._actor.notifier.state]

    @property
    def expires(self) -> float:
        """Seconds until it runs out, unless it is refreshed; 0.0 after the end."""
        at = self._actor.notifier.expires_at if self._actor is not None else None
        return 0.0 if at is None else max(0.0, at - self._actor_loop.now())

    async def notify(self, body: bytes | str = "", *, content_type: str | None = None, state: str = "active") -> None:
        """Send the present state of the resource, and return when the subscriber has it.

        Args:
            body, content_type: of the NOTIFY, as for `UserAgent.request`. A refresh sends the newest one again.
            state: "active", or "pending" while the subscriber has to wait for a decision.

        Raises:
            WrongState: the subscription is over, or was active and is to be pending.
            CallRejected: the subscriber refused it.
            CallTimeout: no answer came; the subscription is over.
            RequestEnded: the subscription ended before it was sent.
            Overloaded: 64 NOTIFYs wait already.
            ConfigurationError: an argument is not valid.
        """
        octets, kind = _checked_body(body, content_type)
        pending = _is_pending(state)
        actor = self._actor
        if actor is None or actor.notifier.state not in (State.PENDING, State.ACTIVE):
            raise WrongState(f"the subscription to {shown(self.event)} is over ({self.reason or 'ending'})")
        if actor.notifier.waiting >= MOST_WAITING:
            raise Overloaded(f"{MOST_WAITING} NOTIFYs wait for the answers to those before; await each of them")
        try:
            number = actor.notify(octets, kind, self._actor_loop.now(), pending=pending)
        except LocalProtocolError as error:
            raise WrongState(f"the subscription to {shown(self.event)}: {error}") from error
        done = self._sent[number] = self._actor_loop.loop.create_future()
        self._actor_loop.touch(actor)
        try:
            delivered = await done
        finally:
            self._sent.pop(number, None)
        if delivered.response is None:
            what = f"NOTIFY of {shown(self.event)}"
            if delivered.status == 0:
                raise RequestEnded(f"the {what} was not sent: its subscription ended ({self.reason or 'gone'})")
            raise CallTimeout(f"no answer to {what}: look at the Contact of the subscriber")
        if delivered.status >= 300:
            raise CallRejected(delivered.status, delivered.response.reason, delivered.response)

    async def end(
        self, reason: str = "noresource", body: bytes | str | None = None, *, content_type: str | None = None
    ) -> None:
        """End the subscription, and return when its last NOTIFY was answered or given up; harmless twice.

        Args:
            reason: of Subscription-State (RFC 6665 section 4.1.3): "noresource" and "rejected" mean that the subscriber
                should not come back, "deactivated" that it should at once, "probation" later.
            body, content_type: of the last NOTIFY; None = the state that was sent last.
        """
        checked_token("reason", reason)
        octets, kind = (None, "") if body is None else _checked_body(body, content_type)
        actor = self._actor
        if actor is not None and not actor.is_over:
            self._actor_loop.guarded(actor, actor.end, reason, self._actor_loop.now(), octets, kind)
            self._actor_loop.touch(actor)
        await self.over()

    async def over(self) -> str:
        """Wait for the end, whoever brings it about; return its reason."""
        await asyncio.shield(self._over)
        return self.reason

    def _happened(self, event: NotifierEvent) -> None:
        if isinstance(event, Delivered):
            done = self._sent.get(event.number)
            if done is not None and not done.done():
                # the end, which decides how an unsent one is told, comes with the same batch of events
                self._actor_loop.loop.call_soon(_settle, done, event)
            return
        self.reason = event.reason
        if not self._over.done():
            self._over.set_result(None)


def _settle(done: asyncio.Future[Delivered], event: Delivered) -> None:
    if not done.done():
        done.set_result(event)


def _is_pending(state: Any) -> bool:
    if state not in _STATES:
        raise ConfigurationError(f"state is {said(state)}; write active or pending, and end() for terminated")
    return bool(state == "pending")


def _checked_body(body: bytes | str, content_type: str | None) -> tuple[bytes, str]:
    """Return octets and type of the body of a NOTIFY.

    Raises:
        ConfigurationError: they cannot be written.
    """
    octets, kind, _ = checked_request("NOTIFY", body, {} if content_type is None else {"content_type": content_type})
    return octets, kind
