"""What waits for something of one call: futures that fail with `CallEnded` when the call ends first.

Holds no handle, because the futures of a call must not keep its handle, and its parts need futures only.
"""

import asyncio
from typing import Any

from ..call.actor import CallActor
from ..call.state import State
from ..errors import CallEnded, CallError
from ..runtime.actor_loop import ActorLoop


class Waiters:
    """Those of one call.

    Attributes:
        error: what the last INVITE of ours failed with, if any.
        up: waits for the answer to our INVITE, or for the ACK to our answer.
    """

    __slots__ = ("_actor", "_actor_loop", "_ends", "_open", "error", "up")

    def __init__(self, actor: CallActor, actor_loop: ActorLoop) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._open: set[asyncio.Future[Any]] = set()
        self._ends: list[asyncio.Future[None]] = []
        """those of the end itself, which do not fail"""
        self.error: CallError | None = None
        self.up: asyncio.Future[None] | None = None

    def future(self, kind: "type[asyncio.Future[Any]]" = asyncio.Future) -> Any:
        """A future that fails with `CallEnded` when the call ends first."""
        future = kind(loop=self._actor_loop.loop)
        self._open.add(future)
        future.add_done_callback(self._settled)
        return future

    def renew_up(self, *, awaited: bool = True) -> None:
        """Another INVITE or answer of ours is on its way. awaited: `up` waits for it."""
        self.up = self.future() if awaited else None

    def is_up(self) -> "asyncio.Future[None]":
        """The future `up`, made where there is none."""
        if self.up is None:
            self.up = self.future()
        up: asyncio.Future[None] = self.up
        return up

    def accepted(self) -> None:
        """Our INVITE was accepted, or the ACK to our answer is there: `up` has its result."""
        if self.up is not None and not self.up.done():
            self.up.set_result(None)

    def failed(self, error: CallError) -> None:
        """Our INVITE failed; it may be sent once more."""
        self.error = error

    def refused(self, error: CallError) -> None:
        """Our INVITE is not sent once more: `up` fails."""
        if self.up is not None and not self.up.done():
            self.up.set_exception(error.again())

    def fail(self) -> None:
        """The call is over: everything that waits on it fails."""
        error = self.ended()
        for waiter in list(self._open):
            if not waiter.done():
                waiter.set_exception(error)

    def ended(self) -> CallEnded:
        """What awaits on this call raise at its end; with its cause, where our own code failed."""
        ending = self._actor.ending
        error = CallEnded(ending.cause, ending.detail)
        error.__cause__ = ending.crash
        return error

    def end(self, *, closed: bool) -> "asyncio.Future[None]":
        """A future that is done when every figure of the call is final. closed: they are."""
        future: asyncio.Future[None] = self._actor_loop.loop.create_future()
        if closed:
            future.set_result(None)
        else:
            self._ends.append(future)
        return future

    def closed(self) -> None:
        """Every figure of the call is final."""
        for each in self._ends:
            if not each.done():
                each.set_result(None)

    def raise_if_over(self) -> None:
        """Raise what ended the call, if it is over."""
        if self._actor.state is State.OVER:
            was_up = self._actor.times.answered > 0  # then an error is that of a re-INVITE
            raise self.ended() if was_up or self.error is None else self.error.again()

    def forgive(self) -> None:
        """The first INVITE is sent once more: it has not failed."""
        self.error = None

    def _settled(self, future: "asyncio.Future[Any]") -> None:
        self._open.discard(future)
        if future is self.up:
            self.up = None  # its error holds frames that hold the handle
        if not future.cancelled():
            future.exception()  # nobody has to wait: then nothing is reported as forgotten
