"""The notices of a call to its handle: one small record for each event, in the order in which the events happened.

A media event becomes a notice by `notice_of`; the actor makes the others. A notice must hold values only, no part of
the actor.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sipswarm.media import messages as media
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session import events as sip
from sipswarm.sipcore.session.events import Cause

from ..diagnosis.failure_reasons import with_detail

WRITE_FAILED: Final = "write_failed"
"""Reason of a recording that ended early; the others are values of `media.refusal.Refusal`."""


class InviteReceived(NamedTuple):
    """A call came in, or the peer re-INVITEs; the actor expects `answer` or `reject`."""

    request: Request
    reinvite: bool = False


class Provisional(NamedTuple):
    """A provisional response to the local INVITE."""

    response: Response


class Answered(NamedTuple):
    """The local INVITE or re-INVITE was accepted; the ACK is sent, the streams are configured."""

    response: Response
    reinvite: bool


class OfferWaits(NamedTuple):
    """A 2xx to the local INVITE has the offer; the actor expects `acknowledge`."""


class Established(NamedTuple):
    """The ACK to the local 2xx arrived; the streams are configured."""

    request: Request
    reinvite: bool


class Failed(NamedTuple):
    """The local INVITE or re-INVITE failed.

    After the first INVITE `Ended` follows; after a re-INVITE the call goes on.
    """

    status: int
    """408 and 503 also without a response (RFC 3261 section 8.1.3.1)."""
    reason: str
    response: Response | None
    cause: Cause
    reinvite: bool = False


class AnswerDropped(NamedTuple):
    """A later INVITE of the peer gets no local 2xx: it was withdrawn (487), or refused with this status."""

    status: int


class RequestReceived(NamedTuple):
    """The peer sent a request within the dialog. `request_id` is for `respond`; 0 = it is answered already."""

    request_id: int
    request: Request


class RequestFinished(NamedTuple):
    """A local request other than INVITE came to its end; BYE and CANCEL included."""

    request_id: int
    method: str
    response: Response | None
    status: int
    """408 and 503 also without a response."""


class TransferRequested(NamedTuple):
    """The peer requests a call to another target (REFER); the actor expects `accept_transfer` or `respond`."""

    request_id: int
    request: Request


class TransferProgress(NamedTuple):
    """The progress of a transfer that this side requested."""

    request_id: int
    status: int
    reason: str
    final: bool


class DtmfReceived(NamedTuple):
    """A digit came to its end."""

    event: str
    duration_ms: int
    mode: str
    """One of rfc4733, inband, info."""

    def __repr__(self) -> str:
        """Return the text without the digit, which may be part of a secret."""
        return f"DtmfReceived({self.duration_ms} ms, {self.mode})"


class DigitsSent(NamedTuple):
    """The end of a digit request: its digits are sent, or never will be."""

    request_id: int
    status: str
    """OK or FAIL."""
    reason: str
    sent: int = 0
    """Digits that were sent nevertheless, with FAIL."""
    left: int = 0
    """Digits and pauses from the last that are not sent, with "format_changed"; the others are."""


class SourceFinished(NamedTuple):
    """The source of a stream has ended (man page `cb_rtp_done`)."""

    reason: str = "end"
    """Value "end", or why the media worker could not go on."""
    request_id: int = 0
    """Number of the request, for a source that played over another one."""
    detail: str = ""


class FramesWanted(NamedTuple):
    """A callback source needs frames."""

    line: int
    first_sequence_number: int
    wanted: int
    octets: int = 0
    """Octets that each of them must have."""


class FramesReceived(NamedTuple):
    """A callback sink received frames: (payload, sequence number, timestamp, payload type, marker) each."""

    line: int
    frames: tuple[tuple[bytes, int, int, int, int], ...]


class StreamSilent(NamedTuple):
    """No RTP was received for some time though some was due."""

    seconds: float
    level: str = "limit"
    """The level "limit", or "warning" at half of it."""


class CommandRefused(NamedTuple):
    """The media worker could not carry out a command, or stopped doing so."""

    command: str
    """Class name of the command."""
    reason: str
    """One of no_file, bad_file, bad_value, write_failed …."""
    request_id: int = 0
    """Number of the request; 0 = none."""
    detail: str = ""
    """Subject, place and remedy."""

    @property
    def text(self) -> str:
        """Reason and detail, for people."""
        return with_detail(self.reason, self.detail)


class CommandDone(NamedTuple):
    """The media worker has carried out a request."""

    request_id: int


class MediaMoved(NamedTuple):
    """The media of the call is at another media worker; the peer sends there."""

    seconds: float
    """How long there was no stream for what the peer sent."""


class Ended(NamedTuple):
    """The call is over; media is being stopped."""

    cause: str
    """Value of `sipcore.session.events.Cause`, or the name of a failure on this side."""
    by: str
    """One of local, remote, expired, transport."""
    message: Request | Response | None


class Closed(NamedTuple):
    """The call is over, its BYE is answered and its streams are closed: every metric is final. The last notice."""


Notice = (
    InviteReceived
    | Provisional
    | Answered
    | Established
    | OfferWaits
    | AnswerDropped
    | Failed
    | RequestReceived
    | RequestFinished
    | TransferRequested
    | TransferProgress
    | DtmfReceived
    | DigitsSent
    | SourceFinished
    | FramesWanted
    | FramesReceived
    | StreamSilent
    | CommandRefused
    | CommandDone
    | MediaMoved
    | Ended
    | Closed
)


def _refused(event: media.CommandRefused | media.StreamRefused | media.SinkFailed) -> CommandRefused:
    if isinstance(event, media.StreamRefused):
        return CommandRefused("OpenStream", event.reason, 0, event.detail)
    if isinstance(event, media.SinkFailed):
        return CommandRefused("SetSink", WRITE_FAILED, 0, event.reason)
    return CommandRefused(event.command, event.reason, event.request_id, event.detail)


_NOTICES: Final[dict[type, Callable[[Any, int], Notice]]] = {
    media.DtmfReceived: lambda event, line: DtmfReceived(event.event, event.duration_ms, event.mode),
    media.DigitsSent: lambda event, line: DigitsSent(*event[1:]),
    media.SourceFinished: lambda event, line: SourceFinished(*event[1:]),
    media.FramesWanted: lambda event, line: FramesWanted(line, *event[1:]),
    media.FramesReceived: lambda event, line: FramesReceived(line, event.frames),
    media.CommandDone: lambda event, line: CommandDone(event.request_id),
    media.StreamSilent: lambda event, line: StreamSilent(event.seconds, event.level),
    media.SinkFailed: lambda event, line: _refused(event),
    media.CommandRefused: lambda event, line: _refused(event),
    media.StreamRefused: lambda event, line: _refused(event),
}
NOTICED: Final = tuple(_NOTICES)
"""The stream events that become notices."""


def notice_of(event: media.Event, line: int) -> Notice:
    """Return the notice for an event of `NOTICED`.

    Args:
        line: index of the media line that the stream belongs to.
    """
    return _NOTICES[event.__class__](event, line)


def failure_of(event: sip.Failed) -> Failed:
    """Return the notice for a local INVITE that failed; a re-INVITE whose 2xx has no usable answer counts as 488."""
    if event.reinvite and event.cause is Cause.BAD_DESCRIPTION:
        return Failed(488, event.cause.value, event.response, event.cause, True)
    return Failed(event.status, event.reason, event.response, event.cause, event.reinvite)
