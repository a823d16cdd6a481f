"""The end of a call: its cause, its side, and whether every metric of it is final.

The first cause counts, because its consequences have causes of their own: a drained call is ended by a BYE. Only the
first failure on this side replaces an earlier one.
"""

from sipswarm.sipcore.message.messages import Response

from ..diagnosis.challenges import cause_of_challenge
from ..diagnosis.failure_reasons import SCENARIO_ERROR, with_detail
from ..diagnosis.request_loss import Loss
from ..diagnosis.user_failure import UserCodeFailed, user_error


class Ending:
    """The end of one call.

    Attributes:
        cause: value of `sipcore.session.events.Cause`, or the name of a failure on this side; empty before the end.
        detail: addition to the cause, such as the name of a file.
        by: local, remote, expired or transport; empty before the end.
        challenge: what the 401 or 407 that ended the call is by name: `credentials_refused` or `no_credentials`.
        crash: the exception with which the program failed on this call.
        abandoned: the call was given up without a message to the peer.
        was_lost: a message of the call could not be sent.
    """

    __slots__ = (
        *("_bye_open", "_closed", "_has_failed", "_loss", "abandoned", "by", "cause", "challenge", "crash", "detail"),
        "was_lost",
    )

    def __init__(self) -> None:
        self.cause = self.detail = self.by = self.challenge = ""
        self.crash: BaseException | None = None
        self.abandoned = False
        self._loss = Loss.LOST
        self.was_lost = False
        self._bye_open = False
        self._closed = False
        self._has_failed = False

    @property
    def text(self) -> str:
        """The cause with its detail, for people."""
        return with_detail(self.cause, self.detail)

    def because(self, cause: str, by: str = "", detail: str = "") -> None:
        """Note cause and side of the end, unless there are earlier ones."""
        if not self.cause:
            self.cause, self.detail = cause, detail
        self.by = self.by or by

    def failed(self, cause: str, detail: str = "", by: str = "local") -> None:
        """Note a failure on this side, which replaces an earlier cause unless that is one too.

        Args:
            by: empty = the call is not over yet.
        """
        if not self._has_failed:
            self.cause, self.detail = cause, detail
        self._has_failed = True
        self.by = by or self.by

    def crashed(self, error: BaseException, cause: str) -> None:
        """Note a failure of the program, or of its user's code; the first exception is kept.

        Args:
            cause: unless it is the user's.
        """
        if self.crash is None:
            self.crash = user_error(error).with_traceback(None)  # its frames would hold the call
        self.because(SCENARIO_ERROR if isinstance(error, UserCodeFailed) else cause)

    def lost(self, loss: Loss) -> None:
        """Note the loss of a message; the next report of the session is about it."""
        self._loss, self.was_lost = loss, True

    @property
    def cause_of_loss(self) -> str:
        """Why the last message was lost."""
        return self._loss.value

    def bye_lost(self) -> None:
        """Note that the local BYE was not sent."""
        self.cause, self.detail = self._loss.value, ""

    def bye_sent(self) -> None:
        """Note that the local BYE is sent and waits for its answer."""
        self._bye_open = True

    def bye_over(self) -> None:
        """Note that the local BYE is answered, or is waited for no longer."""
        self._bye_open = False

    def abandon(self) -> None:
        """Give the call up: it waits for nothing more."""
        self.abandoned = True
        self._bye_open = False

    def settle(self, *, running: bool) -> bool:
        """Whether every metric is final now and was not before.

        Args:
            running: whether a stream is open.
        """
        if running or self._bye_open or self._closed:
            return False
        self._closed = True
        return True

    def refused(self, response: Response, *, were_sent: bool) -> None:
        """Note the final response that refused the first INVITE.

        Args:
            were_sent: the INVITE carried credentials.
        """
        self.challenge = cause_of_challenge(response, were_sent=were_sent)

    def begin_anew(self) -> None:
        """Forget the end: the call is placed again."""
        self.cause = self.detail = self.by = self.challenge = ""
        self._closed = self._has_failed = self.abandoned = False
