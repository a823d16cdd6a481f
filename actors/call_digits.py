"""The digits of a call: sent by the first method that can be used, read one by one (man page C19, C35 to C38).

What a digit is on the wire is the media worker's business, or that of SIP INFO (`info_digits`).
"""

import asyncio
from typing import TYPE_CHECKING, Final

from .callbacks import Callback
from .errors import CallEnded, CallError
from .info_digits import DTMF_RELAY, relay_body

if TYPE_CHECKING:
    from .call import Call

DIGITS: Final = frozenset("0123456789ABCD*#")
_INFO_SPACING: Final = 0.05
"""seconds between two digits sent by SIP INFO"""
SPACING: Final = 0.25
"""seconds between two digits on the media stream at most: the gap, and end packets of long packet intervals"""
MARGIN: Final = 0.5
"""seconds that one request of digits may take beyond its digits"""
GRACE: Final = 2.0
"""seconds beyond `time_of` after which digits that wait are taken back: the peer holds the call"""
_LOOK: Final = 0.1
"""seconds between two looks at whether the peer lets us send"""
_HELD: Final = "digits were not sent: the peer lets us send nothing now (a=sendonly, a=inactive, hold or port 0)"


async def send_with_callback(
    call: "Call", events: str, duration: int, modes: tuple[str, ...], callback: Callback
) -> None:
    """Send digits, and tell the callback "OK" when all are out, "FAIL" when not (C37)."""
    try:
        await send(call, events, duration, modes)
    except CallError:
        call.call_back(callback, "FAIL")
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
    until = call.worker.now() + within
    while not call.actor.media.may_send:
        left = until - call.worker.now()
        if left <= 0:
            return False
        await asyncio.sleep(min(left, _LOOK))
        call.raise_if_over()
    return True


async def send(call: "Call", events: str, duration: int, modes: tuple[str, ...], within: float | None = None) -> None:
    """Send digits by the first of the modes that works; returns when all are out.

    within: seconds after which digits that wait are taken back; None = their own length and `GRACE`, after those that
    were queued before.

    Raises:
        CallError: none can be used, or the peer lets us send nothing. CallEnded: the call ended before.
    """
    refused = "no method given"
    for mode in modes:
        if mode == "info":
            await _send_info(call, events, duration)
            return
        if not call.actor.media.may_send and call.actor.media.running:
            raise CallError(_HELD)
        if await _send_on_stream(call, events, duration, mode, within):
            return
        refused = call.digits_refused
    raise CallError(f"digits were not sent: {refused}")


async def _send_on_stream(call: "Call", events: str, duration: int, mode: str, within: float | None) -> bool:
    """Send digits through the media worker; False = this mode cannot be used, `call.digits_refused` says why."""
    now = call.worker.now()
    call.digits_due = max(now, call.digits_due) + time_of(events, duration)
    limit = call.digits_due - now + GRACE if within is None else within
    done: asyncio.Future[None] = call.future()
    call.digits_number += 1
    number = call.digits_number
    call.sending[number] = done
    call.actor.send_digits(number, events, duration, mode)
    call.worker.flush_soon()
    try:
        async with asyncio.timeout(limit):
            await done
    except CallEnded:
        raise
    except CallError as error:
        call.digits_due = now
        call.digits_refused = str(error)
        if call.digits_refused == "stopped":
            raise CallError("digits were not sent: those before them could not leave") from error
        return False
    except TimeoutError:
        held = "" if call.actor.media.may_send else ": the peer holds the call"
        raise CallError(f"not all digits were sent within {limit:.1f} s{held}") from None
    finally:
        if call.sending.pop(number, None) is not None:  # nobody waits any more: the digits must not leave later
            call.actor.media.stop_digits()
            call.worker.flush_soon()
        del done  # its error holds this frame
    call.digits_sent += "".join(each for each in events if each in DIGITS)
    return True


async def _send_info(call: "Call", events: str, duration: int) -> None:
    for each in events:
        if each in DIGITS:
            await call.request("INFO", relay_body(each, duration), content_type=DTMF_RELAY)
            call.digits_sent += each
        await asyncio.sleep(duration / 1000 + _INFO_SPACING)


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
