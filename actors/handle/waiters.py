"""The futures of one call, which fail with `CallEnded` when the call ends first.

Each part of a handle takes its futures from here. `fail` ends all of them with the call; futures of the end itself are
done when every metric is final. Must hold no handle, because a future would keep it.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from ..call.actor import CallActor
from ..call.state import State
from ..errors import CallEnded, CallError
from ..runtime.actor_loop import ActorLoop

Result = TypeVar("Result")


class Settled(Coroutine[Any, Any, Result]):
    """The result of a method that has acted already, to be awaited or not.

    A task can be made of it, as of the coroutine that the method returns in its other form.
    """

    __slots__ = ("_result",)

    def __init__(self, result: Result) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, Any, Result]:
        yield from ()
        return self._result

    def send(self, value: Any) -> Any:
        """End at once with the result."""
        raise StopIteration(self._result)

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """Raise the exception."""
        raise kind if value is None else value

    def close(self) -> None:
        """Do nothing: there is nothing to end."""


class Waiters:
    """The futures of one call.

    Attributes:
        error: the exception of the last local INVITE, if any.
        up: waits for the answer to the local INVITE, or for the ACK to the local answer.
    """

    __slots__ = ("_actor", "_actor_loop", "_ends", "_for_ack", "_open", "error", "up")

    def __init__(self, actor: CallActor, actor_loop: ActorLoop) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._open: dict[asyncio.Future[Any], None] = {}
        self._ends: list[asyncio.Future[None]] = []
        """Futures of the end itself, which do not fail."""
        self.error: CallError | None = None
        self.up: asyncio.Future[None] | None = None
        self._for_ack = False
        """Whether `up` waits for the ACK to a local answer."""

    def future(self, kind: "type[asyncio.Future[Any]]" = asyncio.Future) -> Any:
        """Return a future that fails with `CallEnded` when the call ends first."""
        future = kind(loop=self._actor_loop.loop)
        self._open[future] = None
        future.add_done_callback(self._settled)
        return future

    def renew_up(self, *, for_ack: bool = False) -> None:
        """Begin to wait for another local INVITE or answer, which the actor has accepted.

        Args:
            for_ack: it is an answer.
        """
        self.up = self.future()
        self._for_ack = for_ack

    def is_up(self) -> "asyncio.Future[None]":
        """Return the future `up`, a new one where there is none."""
        if self.up is None:
            self.up = self.future()
        up: asyncio.Future[None] = self.up
        return up

    def accepted(self) -> None:
        """Complete `up`: the local INVITE was accepted, or the ACK to the local answer arrived."""
        if self.up is not None and not self.up.done():
            self.up.set_result(None)

    def answer_over(self, error: CallError | None = None) -> None:
        """End the wait for the ACK to the answer to a later INVITE, if there is one: it arrived, or never will.

        Args:
            error: why there is no such answer.
        """
        if self._for_ack and error is None:
            self.accepted()
        elif self._for_ack and error is not None:
            self.refused(error)

    def failed(self, error: CallError) -> None:
        """Note the failure of the local INVITE, which may be sent again."""
        self.error = error

    def refused(self, error: CallError) -> None:
        """Fail `up`: the local INVITE is not sent again."""
        if self.up is not None and not self.up.done():
            self.up.set_exception(error.again())

    def fail(self) -> None:
        """Fail every future: the call is over."""
        if not self._open:
            return
        error = self.ended()
        for waiter in list(self._open):
            if not waiter.done():
                waiter.set_exception(error)

    def ended(self) -> CallEnded:
        """Return the exception for awaits after the end of the call; its cause is the program's failure, if any."""
        ending = self._actor.ending
        error = CallEnded(ending.cause, ending.detail)
        error.__cause__ = ending.crash
        return error

    def end(self, *, closed: bool) -> "asyncio.Future[None]":
        """Return a future that is done when every metric of the call is final.

        Args:
            closed: they are.
        """
        future: asyncio.Future[None] = self._actor_loop.loop.create_future()
        if closed:
            future.set_result(None)
        else:
            self._ends.append(future)
        return future

    def closed(self) -> None:
        """Complete the futures of the end: every metric of the call is final."""
        for each in self._ends:
            if not each.done():
                each.set_result(None)

    def raise_if_over(self) -> None:
        """Raise the exception that ended the call, if it is over."""
        if self._actor.state is State.OVER:
            was_up = self._actor.times.answered > 0  # then an error is that of a re-INVITE
            raise self.ended() if was_up or self.error is None else self.error.again()

    def forgive(self) -> None:
        """Forget the failure of the INVITE: it is sent again, or was accepted."""
        self.error = None

    def _settled(self, future: "asyncio.Future[Any]") -> None:
        self._open.pop(future, None)
        if future is self.up:
            self.up = None  # its error holds frames that hold the handle
        if not future.cancelled():
            future.exception()  # not every user awaits it: then nothing is reported as forgotten
