"""A request that came outside of a call, and the user's handler that answers it.

Its server transaction (RFC 3261 section 17.2.2) knows repetitions: the handler is called once, and the response is sent
again. A handler that is a coroutine function has until timer F of the sender, 64*T1; a 100 goes out meanwhile (RFC 4320
section 4.1). Another request with the same Call-ID, From tag and CSeq came by another way, and gets 482 (RFC 3261
section 8.2.2.2). A handler that fails costs its request only, which gets 500.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from sipswarm.sipcore.message.headers import key_of
from sipswarm.sipcore.message.hop import Hop, Transmit
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.reply import Reply, timestamp_line
from sipswarm.sipcore.transaction.server_transaction import ServerAction, ServerTransaction, transaction_key
from sipswarm.sipcore.transaction.timers import TimerSettings

from ..diagnosis.foreign_text import said, shown
from ..diagnosis.request_loss import Loss
from ..diagnosis.user_code import USER_FAILURES, where_failed
from ..errors import ConfigurationError
from ..identity import contact_at
from ..runtime.actor import Actor
from ..runtime.actor_loop import ActorLoop
from ..runtime.callbacks import Callback, ask
from ..runtime.outbox import Outbox
from ..runtime.steps import Steps
from .metrics import ENDED, TIMEOUT, RequestMetrics

NOT_THE_USERS: Final = frozenset(
    (
        *("via", "from", "to", "call-id", "cseq", "record-route", "timestamp"),
        *("content-length", "content-type", "max-forwards", "route"),
    )
)
"""Headers of a handler's Response that the transaction decides, or that belong to the body."""


_WHAT: Final = "a handler of requests"
"""What it is in log lines."""
DIALOG_FORMING: Final = ("SUBSCRIBE", "REFER", "NOTIFY")
"""Methods whose 2xx has a Contact (RFC 6665 section 4.2.1.1, RFC 3515 section 2.2)."""


class Arrival(NamedTuple):
    """How a request came."""

    source: Hop
    flow: int
    """Number of its connection, 0 for UDP."""
    seen: Hop
    """The local address that it came to, as its sender sees it."""
    local: Hop
    """That address on the socket, from which the response leaves."""
    tag: str
    """For the To of the responses."""
    contact: str
    """For a 2xx to a request that forms a dialog; empty = the user that was asked for, at the local address."""


class IncomingRequest(Actor):
    """One request.

    Args:
        handler: the user's, called as (request).
        on_end: called when the request is answered, or its time is over.
    """

    __slots__ = (
        *("_actor_loop", "_arrival", "_begun", "_handler", "_metrics", "_is_stopped", "_on_end", "_outbox", "_reply"),
        *("_task", "_transaction", "is_pending", "request"),
    )

    def __init__(
        self,
        request: Request,
        arrival: Arrival,
        handler: Callback,
        outbox: Outbox[Any],
        actor_loop: ActorLoop,
        metrics: RequestMetrics,
        on_end: Callable[[], None],
    ) -> None:
        self.request = request
        self._arrival = arrival
        self._handler = handler
        self._outbox = outbox
        self._actor_loop = actor_loop
        self._metrics = metrics
        self._on_end = on_end
        self._reply = Reply(request, arrival.source, arrival.flow, arrival.tag)
        self._begun = actor_loop.now()
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        """The handler was cancelled from here."""
        self._transaction = ServerTransaction(
            transaction_key(request),
            request.method,
            reliable=arrival.source.is_reliable,
            timers=TimerSettings(),
            now=self._begun,
        )
        self.is_pending = True
        """It has no final response yet."""
        metrics.begun("received", request.method)

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"{shown(self.request.method)} {shown(self.request.call_id)}"

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        return self._transaction.deadline

    @property
    def finished(self) -> bool:
        """Whether its transaction is over."""
        return not self.is_pending and self._transaction.deadline is None

    # ---- the handler

    def begin(self) -> None:
        """Call the handler, and answer as it decides."""
        try:
            ask_user = partial(ask, self._handler, self.request)
            result = self._actor_loop.turns.call(_WHAT, self._handler, ask_user)
            if isinstance(result, Awaitable):
                mark = partial(self._actor_loop.mark_of, self)
                work = self._actor_loop.steps(self._later(result), mark, _WHAT, self._handler)
                self._task = self._actor_loop.loop.create_task(_carried(work))
            else:
                self._answer_with(result)
        except USER_FAILURES as error:
            self._failed(error)

    async def _later(self, result: Awaitable[Any]) -> None:
        try:
            self._answer_with(await result)
        except USER_FAILURES as error:
            if isinstance(error, asyncio.CancelledError) and self._is_stopped:
                raise
            self._failed(error)
        finally:
            self._task = None
            self._actor_loop.touch(self)

    def _failed(self, error: BaseException) -> None:
        text = f"the handler of {self.name}{_place_of(self._handler)} failed, and the request gets 500"
        self._actor_loop.crashes.tell(text, error, where_failed(error, self._handler))
        self._answer(500)

    def _answer_with(self, result: Any) -> None:
        """Answer by the value that a handler returned.

        Raises:
            ConfigurationError: it is none of the permitted values.
        """
        if result is None:
            self._answer(200)
        elif isinstance(result, Response) and result.status >= 200:
            headers = [pair for pair in result.headers.items() if key_of(pair[0]) not in NOT_THE_USERS]
            kind = result.headers.get("Content-Type") or ""
            self._answer(result.status, result.reason, headers, result.body, kind)
        elif isinstance(result, int) and not isinstance(result, bool) and 200 <= result < 700:
            self._answer(result)
        else:
            raise ConfigurationError(
                f"a handler returned {said(result)}; return a Response, a status from 200 to 699, or None for 200"
            )

    def _answer(
        self,
        status: int,
        reason: str = "",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> None:
        if not self.is_pending:
            return
        now = self._actor_loop.now()
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if self.request.method in DIALOG_FORMING and status < 300:  # RFC 3261 section 12.1.1
            contact = "" if "contact" in map(key_of, dict(headers)) else f"Contact: {self._contact()}\r\n"
            extra = f"{self._reply.record_route}{contact}{extra}"
        data = self._reply.to_bytes(status, reason, extra, body, content_type)
        if self._transaction.respond(status, data, now) is ServerAction.SEND:
            self._send(data)
        self._end(str(status), now)
        self._actor_loop.touch(self)

    def _contact(self) -> str:
        return self._arrival.contact or contact_at(self.request.request_uri.user or "", self._arrival.seen)

    def _end(self, code: str, now: float) -> None:
        if self.is_pending:
            self.is_pending = False
            self._metrics.ended("received", self.request.method, code, now - self._begun)
            self._on_end()

    def _send(self, data: bytes, reply: Reply | None = None) -> None:
        to = reply or self._reply
        self._outbox.send([Transmit(data, to.hop, to.flow)], self._arrival.local)

    # ---- a subscription that the handler accepts

    @property
    def arrival(self) -> Arrival:
        """How it came."""
        return self._arrival

    @property
    def contact(self) -> str:
        """Where further requests of its sender reach us, as in a 2xx to it."""
        return self._contact()

    def accept(self, expires: int) -> None:
        """Answer a SUBSCRIBE by 200, while its handler goes on.

        Args:
            expires: seconds that are granted.
        """
        self._answer(200, "", [("Expires", str(expires))])

    # ---- messages and time

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Take a repetition of the request, its CANCEL, or another request with the same Call-ID, From tag and CSeq."""
        if not isinstance(message, Request) or message.method == "ACK":
            return
        transaction = self._transaction
        key = transaction_key(message)
        if key == transaction.key:
            if transaction.receive(message, now) is ServerAction.SEND:
                self._send(transaction.last)
            return
        cancels = (
            message.method == "CANCEL" and message.branch == self.request.branch
        )  # RFC 3261 section 9.2: no effect
        reply = Reply(message, source, flow, self._arrival.tag)
        self._send(reply.to_bytes(200 if cancels else 481 if message.method == "CANCEL" else 482, ""), reply)

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        transaction = self._transaction
        while transaction.due <= now:
            action = transaction.handle_timer(now)
            if action is ServerAction.SEND_TRYING:
                data = self._reply.trying(timestamp_line(self.request, now - self._begun))
                if transaction.respond(100, data, now) is ServerAction.SEND:
                    self._send(data)
            elif action is ServerAction.END and self.is_pending:
                self._end(TIMEOUT, now)
                self._stop()

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Do nothing: the sender repeats its request."""

    def connections_lost(self, now: float) -> None:
        """Do nothing: the sender repeats its request over another connection."""

    def crashed(self, now: float, error: BaseException) -> None:
        """Answer 500: the program failed on it."""
        self._stop()
        self._answer(500)

    def abandon(self) -> None:
        """Answer 503 and stop the handler: the node ends."""
        self._stop()
        if self.is_pending:
            self._answer(503)
            self._end(ENDED, self._actor_loop.now())

    def _stop(self) -> None:
        if self._task is not None:
            self._is_stopped = True
            self._task.cancel()


async def _carried(work: Steps) -> None:
    await work


def _place_of(handler: Callback) -> str:
    """Return file and line of the function of a handler, in parentheses; empty where it has none."""
    while isinstance(handler, tuple | list) and handler:
        handler = handler[0]
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
