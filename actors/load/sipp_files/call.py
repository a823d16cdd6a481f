"""The actor of one call of a scenario file: it gives messages and time to the machine, and sends what comes of it.

Messages arrive and leave as octets. A call with media has its port before its first message, and is reported when the
figures of its stream have come. What actions ask of the world beyond log lines and media was refused when the file was
read. The actor must not decide anything: the machine and the file do.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Final, final

from sipswarm.media.messages import StreamStatistics
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ...diagnosis import foreign_text
from ...diagnosis.request_loss import Loss
from ...runtime.actor import OctetActor
from ...sipp.actions.results import Loudness, Result, Say
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.statistics import Failure, Mark
from ...sipp.markup import shown
from ..expectations import DRAINED
from .file_media import WISHES, FileMedia

MOST_HELD: Final = 16
"""Messages and commands that wait for the port of media; the sender repeats further messages."""
FIGURES_WAIT: Final = 2.0
"""Seconds that the end of a call waits for the figures of its media."""
LOSSES: Final[Mapping[Loss, tuple[Failure, str]]] = {
    Loss.LOCAL: (Failure.CANNOT_SEND, "this machine could not send the message"),
    Loss.TOO_LONG: (Failure.TOO_LONG, "the message is longer than a datagram can be; send it over TCP, as with -t tcp"),
    Loss.NO_WAY: (Failure.CANNOT_SEND, "nothing leads to the address of the message from here"),
    Loss.FORBIDDEN: (Failure.FORBIDDEN, "the message was for an address that is not sent to"),
    Loss.UNREACHABLE: (Failure.UNREACHABLE, "no connection came about for the message; the log says why"),
    Loss.REFUSED: (Failure.UNREACHABLE, "the port takes no datagrams (ICMP unreachable)"),
    Loss.LOST: (Failure.TRANSPORT, "the connection of the message was lost"),
}
"""The failure of a call by what became of its message, and what happened, for a person."""
_logger = logging.getLogger(__name__)


@final
class FileCall(OctetActor):
    """One call.

    Args:
        call: the machine.
        call_id: its Call-ID.
        send: sends the octets of a message, by the connection with this number; 0 = it chooses.
        over: called once, when the call is over.
        until: when it has lasted too long, in monotonic seconds.
        note: takes the call, what it has counted, what it wants, and the monotonic time.
        flow: number of the connection that the peer began it by; 0 = none.
    """

    __slots__ = (
        *("_call", "_ending", "_flow", "_held", "_is_over", "_media", "_note", "_over", "_send", "_touch", "_until"),
        *("call_id", "has_crashed", "is_drained", "is_overdue", "media_failure"),
    )

    def __init__(
        self,
        call: ScenarioCall,
        call_id: str,
        send: Callable[[bytes, int], None],
        over: Callable[["FileCall"], None],
        until: float,
        note: Callable[["FileCall", Sequence[Mark], Sequence[Result], float], None],
        flow: int = 0,
    ) -> None:
        self._call = call
        self.call_id = call_id
        """Its Call-ID, or what stands behind the last `///` of it."""
        self._send = send
        self._over = over
        self._until = until
        self._note = note
        self._flow = flow
        self._is_over = self._ending = False
        self._media: FileMedia | None = None
        self._touch: Callable[[FileCall], None] = _nothing
        self._held: list[Callable[[float], None]] | None = None
        """Takes what came before the port of media was there; None = it is there, or the call has no media."""
        self.media_failure = ""
        """Why its media could not go on, by a name of `failure_reasons`; empty = nothing is wrong with it."""
        self.is_drained = False
        """It was given up because the run ended, before its file was over."""
        self.is_overdue = False
        """It was given up because it lasted too long."""
        self.has_crashed = False
        """It was ended because the program failed on it."""

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"call {foreign_text.shown(self.call_id)}"

    @property
    def call(self) -> ScenarioCall:
        """The machine, with the figures of the run."""
        return self._call

    @property
    def detail(self) -> str:
        """Step, line and reason of its failure, for a person; empty = it has not failed."""
        return shown(self._call.figures.detail)

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        if self.finished:
            return None
        deadline = None if self._ending else self._call.deadline
        return min(self._until, inf if deadline is None else deadline)

    @property
    def finished(self) -> bool:
        """Whether the call is over."""
        return self._is_over

    @property
    def was_ended(self) -> bool:
        """Whether it was ended from outside: with the run, for its length, its media or a fault of the program."""
        return self.is_drained or self.is_overdue or self.has_crashed or bool(self.media_failure)

    @property
    def figures(self) -> StreamStatistics | None:
        """The figures of its media; None = it has none."""
        return None if self._media is None else self._media.statistics

    def plays(self, media: FileMedia, touch: Callable[["FileCall"], None]) -> None:
        """Have the call wait for its port of media before it begins.

        Args:
            media: its stream, whose callbacks are `media_opened`, `media_failed` and `media_closed`.
            touch: has the loop look at the call.
        """
        self._media, self._touch = media, touch
        self._call.read_media()
        self._held = []

    def begin(self, now: float) -> None:
        """Carry out the first commands of the file, as soon as the port of its media is there."""
        if self._held is None:
            self._call.begin(now)
            self._pump(now)

    def media_opened(self, now: float) -> None:
        """Begin: the port of its media is there."""
        held, self._held = self._held, None
        if not self._ending:
            self.begin(now)
            for take in held or ():
                take(now)
        self._touch(self)

    def media_failed(self, cause: str, what: str, now: float) -> None:
        """Hang up: its media cannot go on.

        Args:
            cause: a name of `failure_reasons`.
            what: for a person.
        """
        if not self._ending:
            _logger.warning("%s: %s", self.name, foreign_text.shown(what))
            self.media_failure = self.media_failure or cause
            self._call.give_up(now)
            self._pump(now)
            self._touch(self)

    def media_closed(self, now: float) -> None:
        """Take that the figures of its media are final."""
        if self._ending:
            self._report()
            self._touch(self)

    def receive_octets(self, data: bytes, flow: int, now: float) -> None:
        """Take a message as it came; what follows leaves by the same connection."""
        if self._held is not None:
            self._hold(partial(self.receive_octets, data, flow))
            return
        self._flow = flow
        self._call.receive(data, now)
        self._pump(now)

    def _hold(self, take: Callable[[float], None]) -> None:
        """Keep what has come until the port of media is there, within the bound."""
        if self._held is not None and len(self._held) < MOST_HELD:
            self._held.append(take)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Do nothing: messages come as octets."""

    def receive_command(self, text: str, now: float) -> None:
        """Take a command of the other side of the same call."""
        if self._held is not None:
            self._hold(partial(self.receive_command, text))
            return
        self._call.receive_command(text, now)
        self._pump(now)

    def left_alone(self, now: float) -> None:
        """Note that the other side has ended well."""
        if self._held is not None:
            self._hold(self.left_alone)
            return
        self._call.left_alone(now)
        self._pump(now)

    def give_up(self, now: float) -> None:
        """End without a failure of its own: the other side has failed."""
        self._call.give_up(now)
        self._pump(now)

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        if self._ending:
            if now >= self._until:
                self._report()
            return
        if now >= self._until and not self._call.finished:
            self.is_overdue = True
            self._call.give_up(now)
        else:
            self._call.handle_timer(now)
        self._pump(now)

    def drain(self, now: float) -> None:
        """Give the call up: the run ends. One that only waits for repetitions has done all of its file."""
        self.is_drained = not (self._call.finished or self._call.is_in_timewait)
        self._call.give_up(now)
        self._pump(now)

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Fail: a message was not sent."""
        failure, what = LOSSES[loss]
        self._call.fail(failure, what, now, branch)
        self._pump(now)

    def connections_lost(self, now: float) -> None:
        """Do nothing: what was lost with a connection is repeated by the file, or not."""

    def crashed(self, now: float, error: BaseException) -> None:
        """End: the program failed on it."""
        self.has_crashed = True
        self._end(now)

    def _pump(self, now: float) -> None:
        """Send and log what the machine produced."""
        messages, wishes, marks = self._call.drain()
        for message in messages:
            self._send(message.data, self._flow)
        if marks or wishes:
            self._note(self, marks, wishes, now)
            log_said(self.name, wishes)
        if self._media is not None:
            described = self._call.descriptions
            if described is not None and described.peer is not None:
                self._media.describe(described.peer, described.received, now, is_up=self._call.figures.is_up)
            for wish in wishes:
                if isinstance(wish, WISHES):
                    self._media.carry_out(wish)
        if self._call.finished:
            self._end(now)

    def _end(self, now: float) -> None:
        """End the call, which is reported when the figures of its media have come."""
        if self._ending:
            return
        self._ending = True
        if self._media is None or self._media.is_over:
            self._report()
        else:
            self._until = now + FIGURES_WAIT
            self._media.close()

    def _report(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._over(self)


def cause_of(sides: Iterable[FileCall]) -> str:
    """Return why a call of one or two sides was ended from outside, as a cause of rows; empty = it was not."""
    if any(each.has_crashed for each in sides):
        return "internal_error"
    return DRAINED if any(each.is_drained for each in sides) else ""


def _nothing(call: FileCall) -> None:
    """What looks at a call without media."""


def log_said(name: str, wishes: Iterable[Result]) -> None:
    """Log the lines that actions write.

    Args:
        name: of the call, for the log.
        wishes: what its actions want.
    """
    for wish in wishes:
        if isinstance(wish, Say):
            level = logging.INFO if wish.loudness is Loudness.LOG else logging.WARNING
            _logger.log(level, "%s: %s", name, shown(wish.text))
