"""The call as its user holds it: awaiting forms over a `CallActor`.

A live call is owned by its worker: dropping the handle loses nothing. When the call is over, every pending and later
await on it raises `CallEnded`. Commands act at once; what they put out leaves with the worker's next flush.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from media.messages import Source, StreamStatistics
from sipcore.events import Cause
from sipcore.message import Request

from .call_actor import (
    CallActor,
    CallTimes,
    Closed,
    Digit,
    DigitsDone,
    Incoming,
    MediaSilent,
    Notice,
    Over,
    Progress,
    Refused,
    State,
    Up,
)
from .errors import CallEnded, CallError, CallRejected, CallTimeout

if TYPE_CHECKING:
    from .call_worker import CallWorker

DIGITS: Final = frozenset("0123456789ABCD*#")
UNREAD_DIGITS: Final = 64
"""received digits kept for a user who does not read; beyond, the oldest is dropped and counted"""
METHODS: Final = {"rfc2833": "rfc4733", "rfc4733": "rfc4733", "audio": "inband"}


class Call:
    """One call. Made by `UserAgent.invite` or handed to a robot; not constructed by users.

    Attributes:
        digits_sent, digits_received: strings of the digits of this call, in order.
        error: the exception that ended the set-up, if any.
    """

    def __init__(self, worker: "CallWorker", actor: CallActor, scenario: str) -> None:
        self._worker = worker
        self.actor = actor
        """the call's decisions; not for users"""
        self.scenario = scenario
        self.request: Request | None = None
        """the INVITE of a call that came in"""
        self.error: CallError | None = None
        self.failure = ""
        """the expectation that was missed, by name"""
        self.digits_sent = ""
        self.digits_received = ""
        self.expected_digits = ""
        """what the peer should send, for the judgement"""
        self.on_up: Callable[[Call], None] | None = None
        """called when the call is established"""
        self.judge: Callable[[Call], str] | None = None
        """asked for the missed expectation, by name, when every figure of the call is final"""
        self.planned: float | None = None
        """monotonic time at which a load wanted this call to start"""
        self.on_over: Callable[[Call], None] | None = None
        """called once, when every figure of the call is final"""
        self._unread: deque[str] = deque(maxlen=UNREAD_DIGITS)
        self._waiters: set[asyncio.Future[Any]] = set()
        self._over_waiters: list[asyncio.Future[None]] = []
        self._digit_waiter: asyncio.Future[None] | None = None
        self._up: asyncio.Future[None] | None = None
        self._sending: dict[int, asyncio.Future[None]] = {}
        self._closed = False
        self._request_number = 0

    # ---- reading

    @property
    def state(self) -> State:
        """How far the call has come."""
        return self.actor.state

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.actor.session.call_id

    @property
    def is_up(self) -> bool:
        """True while the call is established."""
        return self.actor.state is State.UP

    @property
    def cause(self) -> str:
        """Why the call ended; empty before."""
        return self.actor.cause

    @property
    def by(self) -> str:
        """Who ended it: local, remote, expired or transport; empty before."""
        return self.actor.by

    @property
    def times(self) -> CallTimes:
        """When things happened, in monotonic seconds."""
        return self.actor.times

    @property
    def status(self) -> int:
        """Final status of the INVITE; 0 = none yet."""
        return self.actor.answer_status

    @property
    def is_uac(self) -> bool:
        """True for a call that we placed."""
        return self.actor.is_uac

    @property
    def statistics(self) -> StreamStatistics | None:
        """Final figures of the media; None before the end of the call, or when it had none."""
        return self.actor.statistics

    # ---- a call that came in

    def ring(self, status: int = 180) -> None:
        """Send a provisional response (RFC 3261 section 13.3.1.1)."""
        self.actor.ring(status, self._worker.now())
        self._worker.flush_soon()

    async def answer(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Take the call: 200 with our answer; returns when the ACK is there.

        Raises:
            CallEnded: the caller gave up, or the offer could not be taken.
        """
        self._raise_if_over()
        self._up = self._future()
        self.accept(headers)
        await self._up

    def accept(self, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Take the call without waiting; `on_up` is called when the ACK is there."""
        self.actor.answer(tuple(headers), self._worker.now())
        self._worker.flush_soon()

    def reject(self, status: int = 486, reason: str = "", headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse the call with a final status from 300 to 699."""
        self.actor.reject(status, reason, tuple(headers), self._worker.now())
        self._worker.flush_soon()

    # ---- both directions

    async def established(self) -> None:
        """Wait until a call that we placed is up.

        Raises:
            CallRejected: the peer answered 300 to 699.
            CallTimeout: no final answer in time.
            CallEnded: the call was given up on our side.
        """
        if self.actor.state is State.UP:
            return
        self._raise_if_over()
        if self._up is None:
            self._up = self._future()
        await self._up

    async def bye(self) -> None:
        """End the call by what fits (BYE, CANCEL, refusal) and wait until its media figures are final."""
        self.hang_up()
        await self.over()

    def hang_up(self) -> None:
        """End the call without waiting; harmless when it is over."""
        self.actor.hang_up(self._worker.now())
        self._worker.flush_soon()

    async def over(self) -> None:
        """Wait until the call is over and its media figures are final; never raises `CallEnded`."""
        if not self._closed:
            waiter = asyncio.get_running_loop().create_future()
            self._over_waiters.append(waiter)
            await waiter

    async def dtmf(self, events: str, duration: int = 100, methods: str = "rfc2833,audio") -> None:
        """Send digits and return when all are out (man page `dtmf`, C35 to C38).

        events: 0-9 A-D * #; any other character is a pause of `duration`.
        duration: milliseconds per digit.
        methods: in order of preference, of rfc2833 (RTP events, RFC 4733) and audio (tones).

        Raises:
            CallError: no media runs, or no method can be used; nothing was sent.
            CallEnded: the call ended before all digits were out.
        """
        self._raise_if_over()
        modes = []
        for name in methods.split(","):
            if name.strip() not in METHODS:
                raise CallError(f"unknown DTMF method {name.strip()!r}; known are {', '.join(METHODS)}")
            modes.append(METHODS[name.strip()])
        refused = "no method given"
        for mode in modes:
            done: asyncio.Future[None] = self._future()
            self._request_number += 1
            self._sending[self._request_number] = done
            self.actor.send_digits(self._request_number, events, duration, mode)
            self._worker.flush_soon()
            try:
                await done
            except CallEnded:
                raise
            except CallError as error:
                refused = str(error)
                continue
            self.digits_sent += "".join(each for each in events if each in DIGITS)
            return
        raise CallError(f"digits were not sent: {refused}")

    async def digits(self, count: int, timeout: float | None = None) -> str:
        """The next `count` digits that come in; fewer when `timeout` seconds pass first.

        Raises:
            CallEnded: the call ended before that many came.
        """
        found = ""
        try:
            async with asyncio.timeout(timeout):
                while len(found) < count:
                    found += await self._next_digit()
        except TimeoutError:
            pass
        return found

    async def received_digits(self) -> AsyncIterator[str]:
        """Each digit as it comes in, until the call ends."""
        while True:
            try:
                digit = await self._next_digit()
            except CallEnded:
                return
            yield digit

    def play(self, source: Source) -> None:
        """Replace what is sent: see `media.messages` for the forms of a source."""
        self.actor.set_source(source)
        self._worker.flush_soon()

    def digits_missed_and_wrong(self) -> tuple[int, int]:
        """Expected digits that did not come in order, and digits that came and were not expected there."""
        expected, received = self.expected_digits, self.digits_received
        if not expected or expected == received:
            return 0, 0
        right = sum(block.size for block in SequenceMatcher(None, expected, received).get_matching_blocks())
        return len(expected) - right, len(received) - right

    # ---- notices of the actor

    def on_notice(self, notice: Notice) -> None:
        """Take a notice of the actor; called by the worker."""
        kind = notice.__class__
        if kind is Digit:
            self._on_digit(notice.event)  # type: ignore[union-attr]  # a Digit by its class
        elif kind is Up:
            self._resolve(self._up)
            if self.on_up is not None:
                self.on_up(self)
        elif kind is Refused:
            assert isinstance(notice, Refused)
            self._on_refused(notice)
        elif kind is DigitsDone:
            assert isinstance(notice, DigitsDone)
            self._on_digits_done(notice)
        elif kind is Over:
            self._on_over()
        elif kind is Closed:
            self._on_closed()
        elif kind is Incoming:
            assert isinstance(notice, Incoming)
            self.request = notice.request
            self._worker.call_came_in(self, notice.request)
        elif kind is MediaSilent:
            self.failure = self.failure or "silent"
            self._worker.on_silent(self)
        elif kind is Progress:
            pass

    def _on_digit(self, digit: str) -> None:
        self.digits_received += digit
        if len(self._unread) == UNREAD_DIGITS:
            self._worker.count_unread_dropped()
        self._unread.append(digit)
        self._resolve(self._digit_waiter)

    def _on_refused(self, notice: Refused) -> None:
        if notice.cause is Cause.TIMEOUT or notice.cause is Cause.NO_ANSWER:
            self.error = CallTimeout(f"no final answer ({notice.cause.value})")
        elif notice.cause is Cause.CANCELLED:
            self.error = None
        else:
            self.error = CallRejected(notice.status, notice.reason)
        if self.error is not None and self._up is not None and not self._up.done():
            self._up.set_exception(self.error)

    def _on_digits_done(self, notice: DigitsDone) -> None:
        done = self._sending.pop(notice.request_id, None)
        if done is None or done.done():
            return
        if notice.status == "OK":
            done.set_result(None)
        else:
            done.set_exception(CallError(notice.reason))

    def _on_over(self) -> None:
        ended = CallEnded(self.actor.cause)
        for waiter in list(self._waiters):
            if not waiter.done():
                waiter.set_exception(ended)
        self._sending.clear()

    def _on_closed(self) -> None:
        self._closed = True
        if self.judge is not None and not self.failure:
            self.failure = self.judge(self)
        self._worker.call_over(self)
        for waiter in self._over_waiters:
            self._resolve(waiter)
        if self.on_over is not None:
            self.on_over(self)

    # ---- waiting

    async def _next_digit(self) -> str:
        while not self._unread:
            self._raise_if_over()
            self._digit_waiter = self._future()
            await self._digit_waiter
        return self._unread.popleft()

    def _future(self) -> asyncio.Future[Any]:
        """A future that fails with `CallEnded` when the call ends first."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        future.add_done_callback(self._waiters.discard)
        return future

    def _resolve(self, future: "asyncio.Future[None] | None") -> None:
        if future is not None and not future.done():
            future.set_result(None)

    def _raise_if_over(self) -> None:
        if self.actor.state is State.OVER:
            raise self.error or CallEnded(self.actor.cause)
