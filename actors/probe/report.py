"""The report of one probe: its steps, the time of each phase, its figures, and the one failure that it has.

It is filled while the probe runs and read when it has ended. The first failure counts. Phases do not overlap, except
that media and digits both count from the answer. Pure: the clock is an argument.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple

from sipswarm.sipcore.message.hop import Hop, bracketed

from ..diagnosis.failure_reasons import Blame, blame_of, words_of
from ..diagnosis.foreign_text import shown


class Failure(Enum):
    """Why a probe failed: the step at which it ended, or the expectation that was not met."""

    RESOLVE = "resolve"
    """The name of the target has no address."""
    CONNECT = "connect"
    """No connection came about, or no datagram could be sent."""
    TLS = "tls"
    """The handshake failed, or the certificate was refused."""
    TIMEOUT = "timeout"
    """No final response in time."""
    CODE = "code"
    """Another final response than expected."""
    CREDENTIALS = "credentials"
    """User and password were sent, and challenged again."""
    MEDIA = "media"
    """The media of the call were not as expected."""
    DIGITS = "digits"
    """The digits were not as expected, or could not leave."""
    BINDING = "binding"
    """The registrar did not have the new contact, or still had it after its removal."""
    END = "end"
    """The call ended too early, or its end, or that of the registration, was not confirmed."""
    LOCAL = "local"
    """The probe itself could not be carried out; the target was not judged."""


PHASES: Final = ("resolve", "connect", "tls", "first_response", "answer", "media", "digits", "bindings", "end")
"""Names of the phases, in their order."""
OPTIONS_PHASES: Final = PHASES[:5]
"""Those of an OPTIONS request."""
CALL_PHASES: Final = (*OPTIONS_PHASES, "media", "digits", "end")
"""Those of a call."""
REGISTER_PHASES: Final = (*OPTIONS_PHASES, "bindings", "end")
"""Those of a registration."""
MOST_NOTES: Final = 200
"""Steps that are kept of one probe."""
_OF_REASON: Final = {
    "code": Failure.CODE,
    "credentials_refused": Failure.CREDENTIALS,
    "timeout": Failure.TIMEOUT,
    "unreachable": Failure.CONNECT,
    "transport_error": Failure.CONNECT,
    **dict.fromkeys(("digits", "digits_not_sent"), Failure.DIGITS),
    **dict.fromkeys(
        ("ended_early", "no_ack", "session_expired", "dialog_gone", "bye_refused", "bye_unanswered", "bad_contact"),
        Failure.END,
    ),
    "forbidden_address": Failure.END,
}


def failure_of(reason: str) -> Failure:
    """Return the failure of a probe for the name of a call's failure (`diagnosis.failure_reasons`)."""
    if blame_of(reason) is not Blame.SUT:
        return Failure.LOCAL
    return _OF_REASON.get(reason, Failure.MEDIA)


class ProbeFailed(Exception):
    """A step of the probe failed; the others are left out.

    Args:
        failure: its kind.
        detail: what happened, in words.
    """

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure

    @classmethod
    def by_reason(cls, reason: str, more: str = "") -> "ProbeFailed":
        """Return the failure for the name of a call's failure."""
        return cls(failure_of(reason), f"{words_of(reason)} ({reason})" + (f": {more}" if more else ""))


class Note(NamedTuple):
    """One step."""

    after: float
    """Seconds from the start of the probe."""
    text: str


class MediaFigures(NamedTuple):
    """The RTP of a call."""

    sent: int
    received: int
    lost: int
    jitter: float
    """Seconds."""
    mos: float
    """0 = unknown."""


class ProbeReport:
    """The report of one probe.

    Args:
        uri: SIP URI of the target.
        phases: names of the phases that it has.
        clock: monotonic seconds.
        on_note: called with each step as it is noted.
    """

    def __init__(
        self,
        uri: str,
        *,
        phases: Sequence[str],
        clock: Callable[[], float],
        on_note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.uri = uri
        self._clock = clock
        self._on_note = on_note
        self._began = clock()
        self._ended = 0.0
        self._waits: tuple[str, Failure] = ("nothing", Failure.LOCAL)
        self.phases = dict.fromkeys(phases, 0.0)
        """Seconds of each phase; 0 = it was not reached, or there is none."""
        self.status = 0
        """Final status; 0 = none came."""
        self.hop: Hop | None = None
        """The place of the target that was tried last."""
        self.certificate_expiry = 0.0
        """Seconds since 1970 at which the certificate of the target expires; 0 = none was seen."""
        self.media: MediaFigures | None = None
        """Of an answered call."""
        self.digits = ""
        """The digits that were received."""
        self.notes: list[Note] = []
        self.ladder = ""
        """The SIP messages of a call, as a drawing with each message in full, secrets masked."""
        self.failure: Failure | None = None
        """None = the probe has succeeded, or goes on."""
        self.detail = ""
        """What happened, in words; empty = it has not failed."""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return self.failure is None

    @property
    def seconds(self) -> float:
        """Duration of the probe."""
        return self._ended - self._began

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def note(self, text: str) -> None:
        """Note a step."""
        line = shown(text)
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Note(self.elapsed, line))
        self._on_note(line)

    def waits(self, what: str, failure: Failure) -> None:
        """Note what comes next, and the failure that it is if it does not come in time."""
        self._waits = (what, failure)

    def took(self, phase: str, seconds: float) -> None:
        """Note the duration of a phase."""
        self.phases[phase] = max(0.0, seconds)

    def goes_to(self, hop: Hop) -> None:
        """Note the place that is tried."""
        self.hop = hop

    def saw_certificate(self, expiry: float) -> None:
        """Note when the certificate of the target expires, in seconds since 1970."""
        self.certificate_expiry = expiry

    def got(self, status: int, reason: str) -> None:
        """Note the final response."""
        self.status = status
        self.note(f"{status} {reason}")

    def received(self, digits: str) -> None:
        """Note the digits of the call."""
        self.digits = digits

    def counted(self, figures: MediaFigures) -> None:
        """Note the RTP of the call."""
        self.media = figures

    def drawn(self, ladder: str) -> None:
        """Note the SIP messages."""
        self.ladder = ladder

    def fail(self, failure: Failure, detail: str) -> None:
        """Note a failure; the first one counts."""
        if self.failure is None:
            self.failure, self.detail = failure, shown(detail)
            self.note(f"failed ({failure.value}): {detail}")

    def fail_in_time(self, seconds: float) -> None:
        """Note that the time is over."""
        what, failure = self._waits
        self.fail(failure, f"{what} did not come within {seconds:g} s")

    def end(self) -> None:
        """Note the end of the probe."""
        self._ended = self._clock()


def place_of(hop: Hop) -> str:
    """Return a hop as `udp:192.0.2.1:5060`."""
    return f"{hop.transport}:{bracketed(hop.host)}:{hop.port}"
