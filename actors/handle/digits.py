"""The digits of a call: sent by the first method that can be used, read one by one (man page C19, C35 to C38).

What a digit is on the wire is the media worker's business, or that of SIP INFO (`call.info_dtmf`).
"""

import asyncio
from difflib import SequenceMatcher
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from sipswarm.media.dtmf import EVENTS, MAX_DIGIT_MS, QUEUE_BOUND

from ..call.info_dtmf import DTMF, DTMF_RELAY, NOT_UNDERSTOOD, body_of
from ..call.state import State
from ..errors import CallEnded, CallError, CallRejected, ConfigurationError
from ..runtime.callbacks import Callback, takes

if TYPE_CHECKING:
    from .call import Call

MOST_DIGITS: Final = 1000
"""digits that one `Call.digits` returns"""
DIGITS: Final = frozenset("0123456789ABCD*#")
INFO_TYPES: Final = {"info": (DTMF_RELAY, DTMF), "dtmf-relay": (DTMF_RELAY,), "dtmf": (DTMF,)}
"""content types that a method by SIP INFO may use, in order of preference"""
_INFO_SPACING: Final = 0.05
"""seconds between two digits sent by SIP INFO"""
SPACING: Final = 0.25
"""seconds between two digits on the media stream at most: the gap, and end packets of long packet intervals"""
MARGIN: Final = 0.5
"""seconds that one request of digits may take beyond its digits"""
GRACE: Final = 2.0
"""seconds beyond `time_of` after which digits that wait are taken back: the peer holds the call"""
_REASONS: Final = {
    "queue_full": f"queue_full: more than {QUEUE_BOUND} digits and pauses would wait; await those before them",
    "not_negotiated": "not_negotiated: the peer's description has no telephone-event (rfc2833)",
    "no_tone_codec": "no_tone_codec: tones (audio) need PCMU or PCMA",
    "stopped": "the digits that waited were dropped",
}
"""refusals of the media worker that are written out for the user"""
_LOOK: Final = 0.2
"""seconds between two looks at whether the peer lets us send"""
_HELD: Final = "digits were not sent: the peer lets us send nothing now (a=sendonly, a=inactive, hold or port 0)"


def check(events: str, duration: int) -> None:
    """Raises CallError for digits that can never be sent: too many at a time, or of an impossible length."""
    if len(events) > QUEUE_BOUND:
        raise CallError(
            f"{len(events)} digits and pauses are too many: at most {QUEUE_BOUND} at a time; send them in parts"
        )
    if not 1 <= duration <= MAX_DIGIT_MS:
        raise CallError(f"duration {duration!r} is not between 1 and {MAX_DIGIT_MS} ms")


async def send_with_callback(
    call: "Call", events: str, duration: int, modes: tuple[str, ...], callback: Callback
) -> None:
    """Send digits, and tell the callback "OK" when all are out, "FAIL" and why when not (C37)."""
    try:
        await send(call, events, duration, modes)
    except CallError as error:
        call.call_back(callback, *(("FAIL", str(error)) if takes(callback, 2) else ("FAIL",)))
    else:
        call.call_back(callback, "OK")


def time_of(events: str, duration: int) -> float:
    """Seconds in which digits are out when nothing holds them up. duration: milliseconds per digit."""
    return MARGIN + len(events) * (duration / 1000 + SPACING)


async def may_send(call: "Call", within: float) -> bool:
    """Whether the peer lets us send, now or within so many seconds.

    Raises:
        CallEnded: the call ended before.
    """
    until = call.actor_loop.now() + within
    while not call.actor.media.may_send:
        left = until - call.actor_loop.now()
        if left <= 0:
            return False
        await asyncio.sleep(min(left, _LOOK))
        call.raise_if_over()
    return True


class Bounds(NamedTuple):
    """How long digits may take, in monotonic seconds."""

    out_by: float
    """when they must be out"""
    held_until: float
    """how long they may wait while the peer lets us send nothing"""


async def send(call: "Call", events: str, duration: int, modes: tuple[str, ...], bounds: Bounds | None = None) -> None:
    """Send digits by the first of the modes that works; returns when all are out.

    bounds: when those that wait are taken back; None = `GRACE` after the time that they and those before them need, or
    after the peer began to hold the call.

    What the peer's description lists no event for (RFC 4733 section 2.4.1) is sent by the other modes, in its place.

    Raises:
        CallError: none can be used, or the peer lets us send nothing. CallEnded: the call ended before.
    """
    codes = call.actor.media.events if "rfc4733" in modes else None
    others = [each for each in events if codes is not None and each in DIGITS and EVENTS.index(each) not in codes]
    if not others:
        return await _send_by(call, events, duration, modes, bounds)
    rest = tuple(mode for mode in modes if mode != "rfc4733")
    if not rest:
        unlisted = "".join(dict.fromkeys(others))
        raise CallError(f"digits were not sent: not_listed: the peer's a=fmtp lists no telephone-event for {unlisted}")
    for other, part in groupby(events, lambda each: each in others):
        await _send_by(call, "".join(part), duration, rest if other else modes, bounds)
    return None


async def _send_by(call: "Call", events: str, duration: int, modes: tuple[str, ...], bounds: Bounds | None) -> None:
    """Send digits by the first of the modes that works, as `send`."""
    refused = "no method given"
    for mode in modes:
        if mode in INFO_TYPES:
            refused = await _send_info(call, events, duration, INFO_TYPES[mode])
            if not refused:
                return
            continue
        if not call.actor.media.may_send and call.actor.media.running:
            raise CallError(_HELD)
        refused = await _send_on_stream(call, events, duration, mode, bounds)
        if not refused:
            return
    raise CallError(f"digits were not sent: {_REASONS.get(refused, refused)}")


async def _send_on_stream(call: "Call", events: str, duration: int, mode: str, bounds: Bounds | None) -> str:
    """Send digits through the media worker; why this mode cannot be used, empty = all are out."""
    now = call.actor_loop.now()
    call.digits_due = max(now, call.digits_due) + time_of(events, duration)
    # It outlives the call's end: the stream's word counts.
    done: asyncio.Future[None] = call.actor_loop.loop.create_future()
    done.add_done_callback(_heed)
    call.digits_number += 1
    number = call.digits_number
    call.sending[number] = events, done
    call.actor.send_digits(number, events, duration, mode)
    call.actor_loop.flush_soon()
    try:
        await _until_out(call, done, bounds or Bounds(call.digits_due + GRACE, 0.0))
    except CallEnded:
        raise
    except CallError as error:
        if call.actor.state is State.OVER:
            raise call.ended() from error
        if number in call.sending or str(error) == "stopped":
            raise CallError(f"not all digits were sent: {_REASONS.get(str(error), error)}") from error
        call.digits_due = now
        return str(error)
    finally:
        if number in call.sending:  # nobody waits any more: the digits must not leave later
            call.actor.media.stop_digits()
            call.actor_loop.flush_soon()
        done.cancel()
        del done  # its error holds this frame
    return ""


def digits_of(events: str) -> str:
    """The digits of a string, without its pauses."""
    return "".join(each for each in events if each in DIGITS)


def missed_and_wrong(expected: str, received: str) -> tuple[int, int]:
    """Expected digits that did not come in order, and digits that came and were not expected there."""
    if not expected or expected == received:
        return 0, 0
    right = sum(block.size for block in SequenceMatcher(None, expected, received).get_matching_blocks())
    return len(expected) - right, len(received) - right


def _heed(done: "asyncio.Future[None]") -> None:
    """Take note of an error that nobody awaits any more."""
    if not done.cancelled():
        done.exception()


async def _until_out(call: "Call", done: "asyncio.Future[None]", bounds: Bounds) -> None:
    """Wait for the media worker's word on digits.

    Raises:
        CallError: it refused them, or the bounds were passed.
    """
    held_until = 0.0
    try:
        while not done.done():
            now = call.actor_loop.now()
            if call.actor.media.may_send:
                held_until = 0.0
            elif not held_until:
                held_until = bounds.held_until or now + GRACE
            elif now >= held_until:
                raise CallError("the peer holds the call")
            if now >= bounds.out_by:
                raise CallError("the stream did not send them in time")
            await asyncio.wait((done,), timeout=_LOOK)
        await done
    finally:
        del done  # its error holds this frame


async def _send_info(call: "Call", events: str, duration: int, types: tuple[str, ...]) -> str:
    """Send digits by INFO under the first type that the peer takes; why it takes none, empty = all are out.

    Raises:
        CallRejected: the peer refused a digit for another reason, or after it had taken one.
    """
    sent = False
    for each in events:
        while each in DIGITS:
            try:
                await call.request("INFO", body_of(types[0], each, duration), content_type=types[0])
            except CallRejected as error:
                if sent or error.status not in NOT_UNDERSTOOD:
                    raise
                types = types[1:]
                if not types:
                    return f"the peer takes no INFO with digits ({error.status} {error.reason})"
                continue
            call.digits_sent += each
            sent = True
            break
        await asyncio.sleep(duration / 1000 + _INFO_SPACING)
    return ""


async def collect(
    call: "Call", count: int | None, timeout: float | None, until: str, between: float | None, first: float | None
) -> str:
    """The digits of `Call.digits`."""
    if count is None and not until and (between is None or first is None) and timeout is None:
        raise ConfigurationError("digits() without an end: give count, until, timeout, or first and between")
    most = min(MOST_DIGITS, MOST_DIGITS if count is None else count)
    ends, deadline = until.upper(), None if timeout is None else call.actor_loop.now() + timeout
    found, within = "", first
    try:
        while len(found) < most:
            left = None if deadline is None else deadline - call.actor_loop.now()
            bounds = [bound for bound in (left, within) if bound is not None]
            async with asyncio.timeout(max(0.0, min(bounds)) if bounds else None):
                digit = await next_digit(call)
            if digit in ends:
                break
            found += digit
            within = between
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        call.unread.extendleft(reversed(found))  # nobody got them: they are the next reader's
        raise
    return found


async def next_digit(call: "Call") -> str:
    """The next digit that comes in, or has come and was not read.

    Raises:
        CallEnded: the call ended first.
    """
    while not call.unread:
        call.raise_if_over()
        call.digit_waiter = call.future()
        await call.digit_waiter
    return call.unread.popleft()
