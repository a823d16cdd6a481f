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


async def send(call: "Call", events: str, duration: int, modes: tuple[str, ...]) -> None:
    """Send digits by the first of the modes that works; returns when all are out.

    Raises:
        CallError: none can be used, nothing was sent. CallEnded: the call ended before.
    """
    refused = "no method given"
    for mode in modes:
        if mode == "info":
            await _send_info(call, events, duration)
            return
        done: asyncio.Future[None] = call.future()
        call.digits_number += 1
        call.sending[call.digits_number] = done
        call.actor.send_digits(call.digits_number, events, duration, mode)
        call.worker.flush_soon()
        try:
            await done
        except CallEnded:
            raise
        except CallError as error:
            refused = str(error)
            continue
        finally:
            del done  # its error holds this frame
        call.digits_sent += "".join(each for each in events if each in DIGITS)
        return
    raise CallError(f"digits were not sent: {refused}")


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
