"""The digits of a call: sent by the first usable method, read one by one (man page `dtmf`).

Sending tries the modes in order: RTP events or tones by the media worker, or SIP INFO (`call.info_dtmf`). Each digit
counts as sent when the media worker, or the response to its INFO, reports it. Digits that wait too long are taken back,
so that none is sent later. Received digits are kept up to a bound for the user; the ledger has those that were not
returned, for the next process of the slot. This part must not hold the handle: a
coroutine that waits for a digit would keep it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from difflib import SequenceMatcher
from itertools import chain
from typing import Any, Final, NamedTuple

from sipswarm.media.digits.digit_packet import EVENTS
from sipswarm.media.digits.dtmf import MAX_DIGIT_MS, QUEUE_BOUND

from ..call.actor import CallActor
from ..call.info_dtmf import DTMF, DTMF_RELAY, NOT_UNDERSTOOD, body_of
from ..call.notices import DigitsSent
from ..call.state import State
from ..diagnosis.foreign_text import said
from ..errors import CallEnded, CallError, CallRejected, ConfigurationError, UnusableDigits
from ..runtime.actor_loop import ActorLoop
from .dtmf_methods import dtmf_modes
from .given_text import checked_seconds, checked_whole
from .media_values import MOST
from .waiters import Waiters

UNREAD_DIGITS: Final = 64
"""Received digits kept for a user who does not read them; beyond, each new one drops the oldest, which is counted.

Only what cancelled readers give back, at most `MOST_DIGITS` each, may be more.
"""
MOST_DIGITS: Final = 1000
"""Digits that one `Call.digits` returns."""
DIGITS: Final = frozenset("0123456789ABCD*#")
INFO_TYPES: Final = {"info": (DTMF_RELAY, DTMF), "dtmf-relay": (DTMF_RELAY,), "dtmf": (DTMF,)}
"""Content types that a method by SIP INFO may use, in order of preference."""
_INFO_SPACING: Final = 0.05
"""Seconds between two digits sent by SIP INFO."""
SPACING: Final = 0.25
"""Seconds between two digits on the media stream at most: the gap, and end packets of long packet intervals."""
MARGIN: Final = 0.5
"""Seconds that one request of digits may take beyond its digits."""
GRACE: Final = 2.0
"""Seconds beyond `time_of` after which waiting digits are taken back: the peer holds the call."""
_STOPPED: Final = "stopped"
_REASONS: Final = {
    "queue_full": f"queue_full: more than {QUEUE_BOUND} digits and pauses would wait; await those before them",
    "not_negotiated": "not_negotiated: the peer's description has no telephone-event (rfc2833)",
    "not_listed": "not_listed: the peer's a=fmtp does not list all of their telephone-events",
    "no_tone_codec": "no_tone_codec: tones (audio) need PCMU or PCMA",
    _STOPPED: "the digits that waited were dropped",
}
"""Refusals of the media worker that are written out for the user."""
_OTHER_WAY: Final = 0.5
"""Seconds between the report of a digit by one way and the start or the report of the same press by the other."""
_LONGEST_PRESS: Final = 10_000
"""Milliseconds of a digit that a peer may name."""
_MOST_PRESSES: Final = 32
"""Digits by one way for which a copy is looked for."""
_LOOK: Final = 0.2
"""Seconds between two checks whether the peer permits sending."""
_HELD: Final = "the peer lets us send nothing now (a=sendonly, a=inactive, hold or port 0)"

Request = Callable[..., Awaitable[object]]
"""As `Call.request`."""


def checked(events: str, duration: int, methods: str | Iterable[str]) -> tuple[str, ...]:
    """Return the modes by which digits are to be sent.

    Args:
        events: the digits and pauses.
        duration: milliseconds per digit.
        methods: as for `dtmf_modes`.

    Raises:
        UnusableDigits: an unknown method, or digits that can never be sent: too many, or of an impossible length.
        ConfigurationError: an argument has another type.
    """
    modes = dtmf_modes(methods)
    if not isinstance(events, str):
        raise ConfigurationError(f"events is {type(events).__name__}, not a text of digits: {said(events)}")
    if isinstance(duration, bool) or not isinstance(duration, int):
        raise ConfigurationError(f"duration {said(duration)} is no whole number of milliseconds")
    if len(events) > QUEUE_BOUND:
        raise UnusableDigits(
            f"{len(events)} digits and pauses are too many: at most {QUEUE_BOUND} at a time; send them in parts"
        )
    if not 1 <= duration <= MAX_DIGIT_MS:
        raise UnusableDigits(f"duration {said(duration)} is not between 1 and {MAX_DIGIT_MS} ms")
    return modes


def checked_digits(what: str, given: Any) -> str:
    """Return digits that end an input or a play, in upper case.

    Raises:
        ConfigurationError: a character is no digit, and would end nothing.
    """
    if not isinstance(given, str) or not DIGITS.issuperset(given.upper()):
        raise ConfigurationError(f"{what} {said(given)}: digits are 0-9 A-D * #")
    return given.upper()


def time_of(events: str, duration: int) -> float:
    """Return the seconds after which digits are sent, unless they have to wait.

    Args:
        duration: milliseconds per digit.
    """
    return MARGIN + len(events) * (duration / 1000 + SPACING)


class _Refused(CallError):
    """The stream has refused or dropped digits, for the reason of `media.messages.DigitsSent`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Press(NamedTuple):
    """A digit that came by one way."""

    event: str
    by_info: bool
    """By SIP INFO, else on the stream."""
    at: float
    """When it was reported, in monotonic seconds."""


def _which_and_why(events: str, done: int, changed: bool, error: "_NotSent") -> str:
    """Return which digits were not sent, and why.

    Args:
        done: how many digits and pauses were sent.
        changed: the format changed meanwhile.
    """
    sent, wanted = len(digits_of(events[:done])), len(digits_of(events))
    if error.partly:
        which = "not all digits were sent"
    else:
        which = f"only the first {sent} of {wanted} digits were sent" if sent else "digits were not sent"
    return f"{which}: {'the format changed within the call; ' if changed else ''}{error}"


class _NotSent(Exception):
    """Digits cannot be sent, or not further; the text is the reason."""

    def __init__(self, reason: str, partly: bool = False) -> None:
        """Take the reason.

        Args:
            partly: some of them may be out.
        """
        super().__init__(reason)
        self.partly = partly


class Bounds(NamedTuple):
    """The time limits of digits, in monotonic seconds."""

    out_by: float
    """When they must be sent."""
    held_until: float
    """How long they may wait while the peer forbids sending."""


def digits_of(events: str) -> str:
    """Return the digits of a string, without its pauses."""
    return "".join(each for each in events if each in DIGITS)


def missed_and_wrong(expected: str, received: str) -> tuple[int, int]:
    """Return the number of expected digits that did not come in order, and of received digits not expected there."""
    if not expected or expected == received:
        return 0, 0
    right = sum(block.size for block in SequenceMatcher(None, expected, received).get_matching_blocks())
    return len(expected) - right, len(received) - right


def _heed(done: "asyncio.Future[int]") -> None:
    """Retrieve an error that no coroutine awaits any more."""
    if not done.cancelled():
        done.exception()


class CallDigits:
    """The digits of one call. Holds no handle: a coroutine that waits for a digit must not keep it.

    Attributes:
        sent, received: the digits so far, in order.
        mode: kind of the last received digit: rfc4733, inband or info.
        unread: received digits that were not read.
        sending: digits of each unfinished request and the future of how many are left to send, by its number.
    """

    __slots__ = (
        *("_actor", "_actor_loop", "_collected", "_needed", "_number", "_presses", "_readers", "_waiters"),
        *("mode", "received", "sending", "sent", "unread"),
    )

    def __init__(self, actor: CallActor, actor_loop: ActorLoop, waiters: Waiters) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._waiters = waiters
        self._readers: list[asyncio.Future[None]] = []
        """Those that wait for a digit, the oldest first."""
        self._collected: list[list[str]] = []
        """The digits that each reader of several has so far."""
        self._presses: deque[_Press] | None = None
        """The newest digits that came by one way only; None = none came."""
        self._number = 0
        """Number of the last request."""
        self._needed = 0.0
        """Seconds that the requests under way take together at most."""
        self.sent = self.received = ""
        self.mode = "rfc4733"
        self.unread: list[str] = []
        self.sending: dict[int, tuple[str, asyncio.Future[int]]] = {}

    # ---- reports of the actor

    def came(self, event: str, mode: str, duration: int) -> bool:
        """Note a received digit; return False for one that was received by the other way before.

        Some peers send each key press by INFO as well as on the stream. Each digit of one way takes one of the other,
        so that a key that is pressed twice is two digits, in whatever order the four reports come.

        Args:
            duration: its milliseconds.
        """
        now, by_info = self._actor_loop.now(), mode == "info"
        if self._presses is None:
            self._presses = deque(maxlen=_MOST_PRESSES)
        within = _OTHER_WAY + min(duration, _LONGEST_PRESS) / 1000
        for press in self._presses:
            if press.event == event and press.by_info != by_info and now - press.at < within:
                self._presses.remove(press)
                return False
        self._presses.append(_Press(event, by_info, now))
        self.received += event
        self.mode = mode
        return True

    def keep(self, event: str) -> bool:
        """Keep a digit for the reader; return whether an older one was dropped for it."""
        full = len(self.unread) >= UNREAD_DIGITS
        if full:
            del self.unread[0]
        self.unread.append(event)
        self._note()
        return full

    @property
    def not_returned(self) -> str:
        """The newest received digits that no reader has returned, at most `UNREAD_DIGITS`."""
        if not self._collected and not self.unread:
            return ""
        return "".join(chain(*self._collected, self.unread))[-UNREAD_DIGITS:]

    def drop(self) -> str:
        """Drop the unread digits; return them."""
        dropped = "".join(self.unread)
        self.unread.clear()
        self._note()
        return dropped

    def _note(self) -> None:
        """Have the ledger look at what is not returned."""
        self._actor.note_change()
        self._actor_loop.flush_soon()

    def wake(self) -> None:
        """Wake one coroutine that waits for a digit, if there is one for it."""
        waiting = next((each for each in self._readers if not each.done()), None)
        if waiting is not None and self.unread:
            waiting.set_result(None)

    def done(self, notice: DigitsSent) -> None:
        """Take the end of a request: its digits are sent, or never will be."""
        events, done = self.sending.pop(notice.request_id, ("", None))
        digits = digits_of(events)
        changed = notice.reason == "format_changed"
        if changed:
            sent = digits_of(events[: len(events) - notice.left])
        else:
            sent = digits if notice.status == "OK" else digits[: notice.sent]
        self.sent += sent
        if done is None or done.done():
            return
        if changed or notice.status == "OK" or (sent and sent == digits):  # a peer may hang up on the last digit
            done.set_result(notice.left)
        else:
            done.set_exception(_Refused(notice.reason))

    def fail(self) -> None:
        """Fail the open requests: no stream will report on their digits."""
        for _, done in self.sending.values():
            if not done.done():
                done.set_exception(self._waiters.ended())
        self.sending.clear()

    # ---- sending

    async def may_send(self, within: float) -> bool:
        """Wait until the peer permits sending; return whether it did.

        Args:
            within: seconds to wait at most.

        Raises:
            CallEnded: the call ended before.
        """
        until = self._actor_loop.now() + within
        while not self._actor.media.may_send:
            left = until - self._actor_loop.now()
            if left <= 0:
                return False
            await asyncio.sleep(min(left, _LOOK))
            self._waiters.raise_if_over()
        return True

    def bounds(self, events: str, duration: int, until: float) -> Bounds:
        """Return the limits of digits for a call that is held.

        Args:
            until: monotonic time until which the hold may last.
        """
        return Bounds(max(until, self._actor_loop.now() + time_of(events, duration)), held_until=until)

    async def send(
        self, events: str, duration: int, modes: tuple[str, ...], request: Request, bounds: Bounds | None = None
    ) -> None:
        """Send digits by the first of the modes that works; return when all are sent.

        A digit for which the peer's description lists no event (RFC 4733 section 2.4.1) is sent by the other modes, in
        its order. So are the digits that are left when the format changes within the call, if they fit it no more.

        Args:
            request: sends a request within the call.
            bounds: when waiting digits are taken back; None = `GRACE` after the time that they and earlier ones need,
                or after the peer began to hold the call.

        Raises:
            CallError: no mode can be used, or the peer forbids sending, now or since the format changed.
            CallEnded: the call ended before.
        """
        needed = time_of(events, duration)
        self._needed += needed
        bounds = bounds or Bounds(self._actor_loop.now() + self._needed + GRACE, 0.0)
        done, changed = 0, False
        try:
            while True:
                part, usable = self._part(events[done:], modes)
                sent = await self._send_by(part, duration, usable, request, bounds)
                done += sent
                if done >= len(events):
                    return
                if sent < len(part):
                    changed = True
                    now = self._actor_loop.now()
                    await self.may_send((bounds.held_until or now + GRACE) - now)  # the peer may hold the call, too
        except _NotSent as error:
            raise CallError(_which_and_why(events, done, changed, error)) from error
        finally:
            self._needed -= needed

    def _part(self, events: str, modes: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return the first digits that the same modes can send, and these modes."""
        codes = self._actor.media.events if "rfc4733" in modes else None
        others = [each for each in events if codes is not None and each in DIGITS and EVENTS.index(each) not in codes]
        if not others:
            return events, modes
        rest = tuple(mode for mode in modes if mode != "rfc4733")
        if not rest:
            unlisted = "".join(dict.fromkeys(others))
            raise _NotSent(f"not_listed: the peer's a=fmtp lists no telephone-event for {unlisted}")
        other = events[0] in others
        length = next((at for at, each in enumerate(events) if (each in others) != other), len(events))
        return events[:length], rest if other else modes

    async def _send_by(
        self, events: str, duration: int, modes: tuple[str, ...], request: Request, bounds: Bounds
    ) -> int:
        """Send digits by the first of the modes that works; return how many digits and pauses were sent.

        Raises:
            _NotSent: as for `send`.
        """
        refused = ["no method given"]
        for mode in modes:
            if mode in INFO_TYPES:
                reason = await self._send_info(events, duration, INFO_TYPES[mode], request)
                if not reason:
                    return len(events)
                refused.append(reason)
                continue
            if not self._actor.media.may_send and self._actor.media.running:
                raise _NotSent(_HELD)
            try:
                return await self._send_on_stream(events, duration, mode, bounds)
            except _NotSent as error:
                if error.partly:
                    raise
                refused.append(str(error))
        raise _NotSent("; ".join(refused[1:] or refused))

    async def _send_on_stream(self, events: str, duration: int, mode: str, bounds: Bounds) -> int:
        """Send digits through the media worker; return how many digits and pauses were sent before they had to end.

        Raises:
            _NotSent: this mode cannot be used; or not all of them were sent.
        """
        # It outlives the call's end, because the stream's report counts.
        done: asyncio.Future[int] = self._actor_loop.loop.create_future()
        done.add_done_callback(_heed)
        self._number += 1
        number = self._number
        self.sending[number] = events, done
        self._actor.send_digits(number, events, duration, mode)
        self._actor_loop.flush_soon()
        try:
            return len(events) - await self._until_out(done, bounds)
        except CallEnded:
            raise
        except CallError as error:
            if self._actor.state is State.OVER:
                raise self._waiters.ended() from error
            reason = error.reason if isinstance(error, _Refused) else ""
            partly = number in self.sending or reason == _STOPPED
            raise _NotSent(_REASONS.get(reason, str(error)), partly) from error
        finally:
            if number in self.sending:  # the wait ended first: the digits must not leave later
                self._actor.media.stop_digits()
                self._actor_loop.flush_soon()
            done.cancel()
            del done  # its error holds this frame

    async def _until_out(self, done: "asyncio.Future[int]", bounds: Bounds) -> int:
        """Wait for the media worker's report on digits; return how many digits and pauses are left to send.

        Raises:
            CallError: it refused them, or the bounds were passed.
        """
        held_until = 0.0
        try:
            while not done.done():
                now = self._actor_loop.now()
                if self._actor.media.may_send:
                    held_until = 0.0
                elif not held_until:
                    held_until = bounds.held_until or now + GRACE
                elif now >= held_until:
                    raise CallError("the peer holds the call")
                if now >= bounds.out_by:
                    raise CallError("the stream did not send them in time")
                await asyncio.wait((done,), timeout=_LOOK)
            return await done
        finally:
            del done  # its error holds this frame

    async def _send_info(self, events: str, duration: int, types: tuple[str, ...], request: Request) -> str:
        """Send digits by INFO under the first type that the peer accepts.

        Returns:
            Why the peer accepts no type; empty when all digits are sent.

        Raises:
            CallRejected: the peer refused a digit for another reason, or after it had accepted one.
        """
        sent = False
        for each in events:
            while each in DIGITS:
                try:
                    await request("INFO", body_of(types[0], each, duration), content_type=types[0])
                except CallRejected as error:
                    if sent or error.status not in NOT_UNDERSTOOD:
                        raise
                    types = types[1:]
                    if not types:
                        return f"the peer takes no INFO with digits ({error.status} {error.reason})"
                    continue
                self.sent += each
                sent = True
                break
            await asyncio.sleep(duration / 1000 + _INFO_SPACING)
        return ""

    # ---- reading

    async def collect(
        self, count: int | None, timeout: float | None, until: str, between: float | None, first: float | None
    ) -> str:
        """Return the digits of `Call.digits`."""
        if count is None and not until and (between is None or first is None) and timeout is None:
            raise ConfigurationError("digits() without an end: give count, until, timeout, or first and between")
        most = MOST_DIGITS if count is None else min(MOST_DIGITS, checked_whole("count", count, 0, MOST))
        for what, seconds in (("timeout", timeout), ("between", between), ("first", first)):
            if seconds is not None:
                checked_seconds(what, seconds)
        ends, deadline = checked_digits("until", until), None if timeout is None else self._actor_loop.now() + timeout
        found: list[str] = []
        within = first
        self._collected.append(found)
        try:
            while len(found) < most:
                left = None if deadline is None else deadline - self._actor_loop.now()
                bounds = [bound for bound in (left, within) if bound is not None]
                async with asyncio.timeout(max(0.0, min(bounds)) if bounds else None):
                    digit = await self.next_digit()
                if digit in ends:
                    break
                found.append(digit)
                within = between
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self.unread[:0] = found  # they were not returned: the next reader gets them
            for _ in found:
                self.wake()
            raise
        finally:
            self._collected = [each for each in self._collected if each is not found]
            self._note()
        return "".join(found)

    async def next_digit(self) -> str:
        """Return the next unread digit, received or to come.

        Raises:
            CallEnded: the call ended first.
        """
        while not self.unread:
            self._waiters.raise_if_over()
            waiter = self._waiters.future()
            self._readers.append(waiter)
            woken = False
            try:
                await waiter
                woken = True
            finally:
                self._readers.remove(waiter)
                del waiter  # its error holds frames that hold the handle
                if not woken:
                    self.wake()  # the digit for which it was woken just before it was cancelled is another's
        self._note()
        return self.unread.pop(0)
