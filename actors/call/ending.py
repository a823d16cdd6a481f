"""How a call comes to its end: why, through whom, and whether every figure of it is final.

The first cause that is known counts, because what follows from it has causes of its own: a call that is drained is
ended by a BYE. Only a failure on our side takes the place of an earlier one.
"""

from ..diagnosis.failure_reasons import with_detail
from ..diagnosis.request_loss import Loss


class Ending:
    """That of one call.

    Attributes:
        cause: value of `sipcore.session.events.Cause`, or the name of what failed on our side; empty before.
        detail: what the cause does not say, in words, such as the name of a file.
        by: local, remote, expired or transport; empty before.
        crash: what our own code failed with on this call.
        abandoned: it was given up without a word to the peer.
    """

    __slots__ = ("_bye_open", "_closed", "_loss", "abandoned", "by", "cause", "crash", "detail")

    def __init__(self) -> None:
        self.cause = self.detail = self.by = ""
        self.crash: BaseException | None = None
        self.abandoned = False
        self._loss = Loss.LOST
        self._bye_open = False
        self._closed = False

    @property
    def text(self) -> str:
        """The cause with its detail, for people."""
        return with_detail(self.cause, self.detail)

    def because(self, cause: str, by: str = "", detail: str = "") -> None:
        """This is why, and through whom, where that is not known already."""
        if not self.cause:
            self.cause, self.detail = cause, detail
        self.by = self.by or by

    def failed(self, cause: str, detail: str = "") -> None:
        """Something on our side is why, whatever was known before."""
        self.cause, self.detail, self.by = cause, detail, "local"

    def crashed(self, error: BaseException, cause: str) -> None:
        """Our own code failed; the first error is kept."""
        if self.crash is None:
            self.crash = error.with_traceback(None)  # its frames would hold the call
        self.because(cause)

    def lost(self, loss: Loss) -> None:
        """A message of the call is lost; what the session reports next is for that."""
        self._loss = loss

    @property
    def cause_of_loss(self) -> str:
        """Why the last message was lost."""
        return self._loss.value

    def bye_lost(self) -> None:
        """Our BYE did not get out."""
        self.cause, self.detail = self._loss.value, ""

    def bye_sent(self) -> None:
        """Our BYE is out and has no answer yet."""
        self._bye_open = True

    def bye_over(self) -> None:
        """Our BYE is answered, or no answer is waited for any more."""
        self._bye_open = False

    def abandon(self) -> None:
        """Give the call up: nothing more is waited for."""
        self.abandoned = True
        self._bye_open = False

    def settle(self, *, running: bool) -> bool:
        """Whether every figure is final now and was not before. running: some stream is open."""
        if running or self._bye_open or self._closed:
            return False
        self._closed = True
        return True

    def begin_anew(self) -> None:
        """The call is placed once more."""
        self.cause = self.detail = self.by = ""
        self._closed = self.abandoned = False
