"""Requests and subscriptions of a user agent outside of calls: identity, ways and outcome of each.

It checks the texts first, then looks up the target's hops as for a call, and gives the request to the worker's
`Requests`, which owns it. The final response, silence or the end of the node becomes the result, an exception, or the
arguments of `cb_final`. A request that cannot be written must be refused before anything is sent.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.fields import Event
from sipswarm.sipcore.message.headers import key_of
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.transaction.client_exchange import Finished
from sipswarm.sipcore.usage.standalone_request import WITHOUT_CONTACT, RequestSettings
from sipswarm.sipcore.usage.subscription import SubscriptionSettings

from ..diagnosis.foreign_text import said, shown
from ..diagnosis.request_loss import told_loss
from ..errors import CallRejected, CallTimeout, ConfigurationError, HostUnreachable, RequestEnded
from ..handle.given_text import (
    MOST_SECONDS,
    check_headers,
    checked_callback,
    checked_list,
    checked_media_range,
    checked_request,
    checked_seconds,
    checked_text,
    checked_token,
    checked_whole,
)
from ..requests.keeper import Requests
from ..requests.request_actor import OnEnd, RequestActor
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, takes
from .destinations import Destinations, Target
from .own_identity import name_addr, uri_in
from .subscription import Subscription

Send = Callable[[OnEnd], Awaitable[RequestActor]]
_WITHIN_CALLS: Final = ("BYE", "PRACK", "UPDATE")
"""Methods of which no handler outside of calls is called."""
_OF_CALLS: Final = {"INVITE": "ua.invite()", "ACK": "the call itself", "CANCEL": "call.cancel()"}
_KNOWN: Final = frozenset(
    ("OPTIONS", "MESSAGE", "NOTIFY", "PUBLISH", "INFO", "SUBSCRIBE", "REFER", "REGISTER", *_OF_CALLS)
)
MOST_FORWARDS: Final = 255
OF_REQUEST: Final = (
    "method", "to", "body", "content_type", "cb_final", "timeout", "from_", "auth", "leg", "max_forwards",
)  # fmt: skip
OF_SUBSCRIBE: Final = (
    "to", "event", "expires", "body", "content_type", "accept", "cb_notify", "from_", "auth", "leg",
)  # fmt: skip


def checked_method(method: Any) -> str:
    """Return the method of a request outside of calls, or of a handler of them.

    Raises:
        ConfigurationError: it is no token, one of a call, or a known one in the wrong case.
    """
    name = checked_token("method", method)
    upper = name.upper()
    if upper in _OF_CALLS:
        raise ConfigurationError(f"method {said(name)} belongs to a call: {_OF_CALLS[upper]}")
    if upper in _KNOWN and name != upper:
        raise ConfigurationError(f"method {said(name)}: methods are written in upper case; write {upper}")
    return name


def checked_handler(method: str, handler: Callback) -> Callback:
    """Return the handler of requests of a method that `checked_method` accepts.

    Raises:
        ConfigurationError: the method is one of a dialog, or the handler cannot be called with a request.
    """
    if method in _WITHIN_CALLS:
        raise ConfigurationError(f"method {method} belongs to a call, which answers it by itself")
    checked_callback("handler", handler)
    if not takes(handler, 1):
        raise ConfigurationError(f"the handler of {method} is called as (request); give it one parameter")
    return handler


class Requesting:
    """The requests of one user agent.

    Args:
        destinations: finds where a request goes.
    """

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    def begin(self, actor_loop: ActorLoop, requests: Requests) -> None:
        """Take what a running node provides."""
        self._actor_loop = actor_loop
        self._requests = requests

    async def request(
        self,
        method: str,
        to: Target,
        body: bytes | str,
        headers: dict[str, str],
        *,
        cb_final: Callback,
        timeout: float | None,
        context: Mapping[str, Any],
        leg: int | str | None,
        max_forwards: int,
    ) -> Response | None:
        """Send a request, as `UserAgent.request` does.

        Args:
            headers: with `content_type`, if the user gave one.
            context: the fields that replace those of `to`.
        """
        checked_method(method)
        check_headers("request", headers, OF_REQUEST)
        octets, kind, pairs = checked_request(method, body, headers)
        checked_callback("cb_final", cb_final, ("status", "result"))
        checked_whole("max_forwards", max_forwards, 0, MOST_FORWARDS)
        seconds = 0.0 if timeout is None else checked_seconds("timeout", timeout, above=0.0)
        if method == "OPTIONS" and not any(key_of(name) == "accept" for name, _ in pairs):
            pairs = (*pairs, ("Accept", "application/sdp"))  # RFC 3261 section 11.1
        has_none = method == "REGISTER" or method in WITHOUT_CONTACT  # which asks for the bindings (RFC 3261 10.2.3)
        has_own = any(key_of(name) == "contact" for name, _ in pairs)
        plain = self._destinations.target(to, context)

        async def send(on_end: OnEnd) -> RequestActor:
            there = await self._destinations.find(*plain, leg, with_contact=not (has_own or has_none))
            settings = RequestSettings(
                method,
                there.target,
                there.identity.from_,
                there.ways,
                headers=(*there.identity.headers, *pairs),
                body=octets,
                content_type=kind,
                timeout=seconds,
                credentials=there.identity.credentials,
                route=there.identity.route,
                user_agent="sipswarm",
                max_forwards=max_forwards,
                redirects=there.identity.redirects,
                proxied=there.identity.outgoing_proxy is not None,
                reach=there.reach,
            )
            return self._requests.send(settings, there.peer, on_end, there.call_id)

        if cb_final is not None:
            self._actor_loop.spawn(self._report(send, cb_final, method))
            return None
        return await self._wait(send, method, plain[1])

    async def _wait(self, send: Send, method: str, target: str) -> Response:
        done: asyncio.Future[Finished | None] = self._actor_loop.loop.create_future()
        actor = await send(lambda _, finished: None if done.done() else done.set_result(finished))
        try:
            finished = await done
        except asyncio.CancelledError:
            self._requests.give_up(actor)  # nobody waits for its answer any more
            raise
        return result_of(method, target, actor, finished)

    async def _report(self, send: Send, callback: Callback, method: str) -> None:
        """Send, and call back with the outcome."""

        def tell(word: str, result: Mapping[str, Any]) -> None:
            self._actor_loop.inform(f"the callback cb_final of a {shown(method)}", callback, word, result)

        def on_end(actor: RequestActor, finished: Finished | None) -> None:
            if finished is not None and finished.response is not None:
                word = "OK" if finished.status < 300 else "FAIL"
                tell(word, {"code": finished.status, "packet": finished.response})
            elif finished is not None:
                tell("FAIL", {"errno": errno.ETIMEDOUT if finished.status == 408 else errno.EHOSTUNREACH})
            else:
                tell("FAIL", {"errno": errno.ECANCELED})

        try:
            await send(on_end)
        except HostUnreachable:
            tell("FAIL", {"errno": errno.EHOSTUNREACH})

    # ---- subscriptions

    async def subscribe(
        self,
        to: Target,
        event: str,
        body: bytes | str,
        headers: dict[str, str],
        *,
        expires: int,
        accept: str | Sequence[str],
        cb_notify: Callback,
        context: Mapping[str, Any],
        leg: int | str | None,
    ) -> Subscription:
        """Subscribe, as `UserAgent.subscribe` does; arguments as for `request`."""
        check_headers("subscribe", headers, OF_SUBSCRIBE)
        octets, kind, pairs = checked_request("SUBSCRIBE", body, headers)
        checked_callback("cb_notify", cb_notify, ("notified",))
        checked_whole("expires", expires, 0, MOST_SECONDS)
        try:
            Event.parse(checked_text("event", event))
        except ParseError as error:
            raise ConfigurationError(
                f"event {said(event)} is no event package; give one, such as presence or message-summary"
            ) from error
        texts = [checked_text("accept", each) for each in checked_list("accept", accept)]
        types = tuple(checked_media_range("accept", each.strip()) for text in texts for each in text.split(","))
        plain = self._destinations.target(to, context)
        there = await self._destinations.find(*plain, leg, with_contact=True)
        first, *others = there.ways
        target = str(uri_in(there.target))
        settings = SubscriptionSettings(
            target,
            name_addr(there.target),
            name_addr(there.identity.from_),
            first.contacts[0],
            event,
            first.local,
            first.hop,
            accept=types,
            expires=expires,
            credentials=there.identity.credentials,
            credentials_host=first.hop.host if there.identity.outgoing_proxy is not None else "",
            route=there.identity.route,
            headers=(*there.identity.headers, *pairs),
            bound=first.bound,
            spare=tuple(others),
            body=octets,
            content_type=kind,
            user_agent="sipswarm",
            redirects=there.identity.redirects,
            proxied=there.identity.outgoing_proxy is not None,
            reach=there.reach,
        )
        handle = Subscription(there.target, event, self._actor_loop, self._requests, cb_notify)
        await handle.begin(settings, there.peer)
        return handle


def result_of(method: str, target: str, actor: RequestActor, finished: Finished | None) -> Response:
    """Return the response that ended a request.

    Raises:
        CallRejected, CallTimeout, RequestEnded: it was no 2xx.
    """
    what = f"{shown(method)} to {shown(target)}"
    if finished is None:
        raise RequestEnded(f"the {what} has no answer: its node ended")
    status, response = finished
    if response is not None:
        if status < 300:
            return response
        raise CallRejected(status, response.reason, response)
    hop = actor.way.hop
    place = f"{hop.transport} {hop.host} port {hop.port}"
    if status != 408:
        why = f" ({told_loss(actor.loss)})" if actor.loss is not None else ""
        raise CallRejected(status, f"{method} could not be sent to {place}{why}")
    raise CallTimeout(
        f"no answer to {what} from {place}: look at address and port, at the transport (;transport=tcp in the URI), "
        "and for a firewall in between"
    )
