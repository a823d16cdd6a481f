"""The requests of one call's user within its dialog, and their outcomes, for a future or a callback.

INVITE is not among them. BYE and CANCEL have no number; the arguments of each `bye` and `cancel` are kept until the
final response, which is reported for all of them. The outcome of a REFER is what the peer reports later (RFC 3515
section 2.4.5). Each request must end in one report: a response, a loss, or the end of the call.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.message.fields import Replaces
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.events import Cause

from ..call.actor import CallActor
from ..call.notices import RequestFinished, TransferProgress
from ..call.state import TRANSPORT_FAILED
from ..errors import CallError, CallRejected, CallTimeout
from ..runtime.callbacks import Callback
from .waiters import Waiters

Arguments = Mapping[str, Any]
"""The arguments of a `bye` or `cancel`, `cb_final` included."""
_NO_ARGUMENTS: Final[Sequence[Arguments]] = ({},)


class CallRequests:
    """The requests of one call.

    Args:
        waiters: of the call.
    """

    __slots__ = ("_ends", "_open", "_transfers", "_waiters")

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._open: dict[int, tuple[Callback, asyncio.Future[Response] | None]] = {}
        self._transfers: tuple[int, ...] = ()
        """Requests whose outcome the peer reports later."""
        self._ends: dict[str, Sequence[Arguments]] = {}
        """Arguments of each `bye` and `cancel` that gets the response, by method."""

    # ---- sending

    def sent(self, number: int, callback: Callback = None) -> "asyncio.Future[Response]":
        """Note a request that was sent; return the future of its final response.

        The future is cancelled where there is a callback.
        """
        future: asyncio.Future[Response] = self._waiters.future()
        if callback is not None:
            future.cancel()
        self._open[number] = (callback, None if callback is not None else future)
        return future

    def sent_transfer(self, number: int) -> "asyncio.Future[Response]":
        """Note a REFER that was sent; return the future of the peer's report."""
        self._transfers = (*self._transfers, number)
        return self.sent(number)

    def end_asked(self, method: str, arguments: Arguments) -> None:
        """Note the arguments of a BYE or CANCEL that is sent, instead of earlier ones."""
        self._ends[method] = (arguments,)

    def end_asked_again(self, method: str, arguments: Arguments) -> None:
        """Note the arguments of a further `bye` or `cancel`, while the request is open: both get its result."""
        before = self._ends.get(method, ())
        if method == "BYE":
            before = before or _NO_ARGUMENTS  # those of a `hang_up`
        self._ends[method] = (*before, arguments)

    # ---- results

    def end_of(self, method: str) -> Sequence[Arguments]:
        """Return the arguments of each `bye` or `cancel` that gets the result, and forget them."""
        return self._ends.pop(method, None) or _NO_ARGUMENTS

    def done(self, notice: RequestFinished, tell: Callable[[Callback, bool, Mapping[str, Any]], object]) -> None:
        """Take the end of another request.

        Args:
            tell: invokes a callback with OK or FAIL, and the result.
        """
        callback, future = self._open.pop(notice.request_id, (None, None))
        good = notice.response is not None and notice.status < 300
        if notice.request_id in self._transfers and good and _will_report(notice.response):
            self._open[notice.request_id] = (callback, future)  # the peer's reports decide
            return
        if callback is not None:
            lost = errno.EHOSTUNREACH if notice.status == TRANSPORT_FAILED else errno.ETIMEDOUT
            tell(
                callback,
                good,
                {"code": notice.status, "packet": notice.response} if notice.response else {"errno": lost},
            )
        if future is None or future.done():
            return
        if notice.response is None and notice.status == TRANSPORT_FAILED:
            future.set_exception(CallRejected(notice.status, f"{notice.method} could not be sent"))
        elif notice.response is None:
            future.set_exception(CallTimeout(f"no answer to {notice.method}"))
        elif good:
            future.set_result(notice.response)
        else:
            same = notice.status == notice.response.status  # else a 2xx to an UPDATE with an unusable answer
            reason = notice.response.reason if same else Cause.BAD_DESCRIPTION.value
            future.set_exception(CallRejected(notice.status, reason))

    def transfer_progress(self, notice: TransferProgress) -> None:
        """Take the peer's report on its transfer."""
        if not notice.final:
            return
        _, future = self._open.pop(notice.request_id, (None, None))
        if future is None or future.done():
            return
        if notice.status < 300:
            future.set_result(Response.build(notice.status, notice.reason, ()))
        else:
            future.set_exception(CallRejected(notice.status, notice.reason))

    def over(self) -> None:
        """Drop the futures, because the call is over; callbacks still get their results."""
        self._open = {number: each for number, each in self._open.items() if each[0] is not None}


def _will_report(accepted: Response | None) -> bool:
    """Whether the peer reports on its transfer: not after `Refer-Sub: false` (RFC 4488 section 4)."""
    said = accepted.headers.get("Refer-Sub") if accepted is not None else None
    return (said or "").partition(";")[0].strip().lower() != "false"


def taken_over(actor: CallActor) -> tuple[str, Replaces]:
    """Return target and Replaces for a transfer that takes over another local call.

    Raises:
        CallError: that call is not up.
    """
    replaces, dialog = actor.session.replaces_of(), actor.session.dialog
    if replaces is None or dialog is None:
        raise CallError("the other call is not up, so it cannot be taken over")
    return dialog.remote_target, replaces
