"""What a run of a scenario file is judged by: its failure, its times, and what happened on the way.

Plain data: nothing here decides. A run has one `Figures`; what can occur any number of times is a mark, which the owner
of the call counts and forgets.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, final

_CHALLENGES: Final = frozenset((401, 407))
"""Final responses that are no outcome when the request is sent again."""


class Failure(Enum):
    """Why a run has failed; the value is what reports and metrics name."""

    UNEXPECTED_MESSAGE = "unexpected_message"
    """FailedUnexpectedMessage."""
    RECV_TIMEOUT = "recv_timeout"
    """FailedTimeoutOnRecv."""
    MAX_RETRANS = "max_retrans"
    """FailedMaxUDPRetrans."""
    TRANSPORT = "transport"
    """FailedCannotSendMessage, FailedTcpClosed: a connection was lost."""
    UNREACHABLE = "unreachable"
    """FailedTcpConnect: no connection came about, or the port takes no datagrams."""
    FORBIDDEN = "forbidden_address"
    """FailedCannotSendMessage to an address that is not sent to."""
    CANNOT_SEND = "cannot_send"
    """FailedCannotSendMessage, by a fault of this machine."""
    TOO_LONG = "message_too_long"
    """FailedCannotSendMessage of a message that is too long for a datagram."""
    STOPPED = "stopped"
    """FailedCallRejected."""
    REGEXP = "regexp"
    """FailedRegexpDoesntMatch."""
    REGEXP_MATCHED = "regexp_matched"
    """FailedRegexpShouldntMatch."""
    HEADER_MISSING = "header_missing"
    """FailedRegexpHdrNotFound."""
    TEST = "test"
    """FailedTestDoesntMatch, FailedTestShouldntMatch."""
    STRCMP = "strcmp"
    """FailedStrcmpDoesntMatch, FailedStrcmpShouldntMatch."""
    COMMAND_LOST = "command_lost"
    """FailedCmdNotSent."""
    ERROR = "error"
    """The action `error`, which ends SIPp."""
    SCENARIO_ERROR = "scenario_error"
    """What ends SIPp in mid-run: a jump out of the file, a challenge that is missing, a loop without an end."""


class EndedBy(Enum):
    """Who sent the first BYE, as reports name it."""

    LOCAL = "local"
    REMOTE = "remote"
    NOBODY = ""


@dataclass(frozen=True, slots=True)
class ResponseTime:
    """Mark: a response time has ended (`rtd`)."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Mark: a `counter` has risen."""

    name: str


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Mark: a message came that no command expected, whatever became of the call."""

    line: int
    """Line of the command that the call was at."""
    text: str
    """What was expected and what came, for a person."""
    code: int = 0
    """Status code of the message; 0 = it is a request."""
    state: str = ""
    """What the call was doing, in SIPp's words: `while expecting '200' (index 1)`; empty = it had ended."""
    message: str = ""
    """The message, one character for each octet."""
    ends: bool = True
    """Whether the call ends by it."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """Mark: messages were sent or received again."""

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class AutoAnswered:
    """Mark: a request was answered by itself: `-aa`, or PING."""

    method: str


class RunError(Exception):
    """A command of the file cannot be carried out, where SIPp ends; the text says why. It costs the call only."""


Mark = ResponseTime | Counted | Unexpected | Repeated | AutoAnswered


@final
class Figures:
    """The figures of one run. Times are monotonic seconds; None = it did not happen."""

    __slots__ = (
        "answered_at",
        "bye_answered_at",
        "bye_at",
        "code",
        "detail",
        "ended_at",
        "ended_by",
        "failure",
        "failures",
        "first_at",
        "is_up",
        "line",
        "method",
        "provisional_at",
        "started_at",
    )

    def __init__(self) -> None:
        self.started_at: float | None = None
        """When the first message was sent or received."""
        self.method = ""
        """Method of the first request of the run, sent or received."""
        self.first_at: float | None = None
        """When it was sent or received."""
        self.provisional_at: float | None = None
        """Its first provisional response above 100 (RFC 3261 section 21.1)."""
        self.code = 0
        """Status code of its final response; 0 = there was none."""
        self.answered_at: float | None = None
        """Its final response."""
        self.bye_at: float | None = None
        """The first BYE, in either direction."""
        self.ended_by = EndedBy.NOBODY
        """Who sent it."""
        self.is_up = False
        """An INVITE was accepted with a 2xx, and no BYE has come or gone since."""
        self.bye_answered_at: float | None = None
        """The final response to a BYE that was sent."""
        self.ended_at: float | None = None
        """When the run ended."""
        self.failure: Failure | None = None
        """Why it has failed; None = it has not."""
        self.detail = ""
        """Step, line, what was expected, and what was found, for a person."""
        self.line = 0
        """Line of the command that it failed at."""
        self.failures = 0
        """How many times something of it failed."""

    def sent(self, method: str, code: int, to_method: str, now: float) -> None:
        """Take a message that was sent.

        Args:
            method: of a request; empty = a response.
            code: status code of a response.
            to_method: CSeq method.
        """
        self._passed(method, code, to_method, now, EndedBy.LOCAL)

    def received(self, method: str, code: int, to_method: str, now: float) -> None:
        """Take a message that was received and expected; the arguments are those of `sent`."""
        if code >= 200 and to_method == "BYE" and self.bye_answered_at is None and self.ended_by is EndedBy.LOCAL:
            self.bye_answered_at = now
        self._passed(method, code, to_method, now, EndedBy.REMOTE)

    def failed(self, failure: Failure, detail: str, line: int, last_wins: bool) -> None:
        """Take a failure.

        Args:
            detail: for a person.
            line: line of the file.
            last_wins: whether it replaces an earlier one, as in SIPp.
        """
        self.failures += 1
        if self.failure is None or last_wins:
            self.failure, self.detail, self.line = failure, detail, line

    def ended(self, now: float) -> None:
        """Take the end of the run."""
        self.ended_at = now

    def _passed(self, method: str, code: int, to_method: str, now: float, by: EndedBy) -> None:
        if self.started_at is None:
            self.started_at = now
        if method:
            if not self.method:
                self.method, self.first_at = method, now
            if method == "BYE":
                self.is_up = False
                if self.bye_at is None:
                    self.bye_at, self.ended_by = now, by
            return
        if to_method == "INVITE" and 200 <= code < 300:
            self.is_up = True
        if to_method == self.method and (not self.code or self.code in _CHALLENGES):
            if code >= 200:
                self.code, self.answered_at = code, now
            elif code > 100 and self.provisional_at is None:
                self.provisional_at = now
