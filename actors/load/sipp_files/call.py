"""The actor of one call of a scenario file: it gives messages and time to the machine, and sends what comes of it.

Messages arrive and leave as octets. What actions ask of the world beyond log lines was refused when the file was read.
The actor must not decide anything: the machine and the file do.
"""

import logging
from collections.abc import Callable, Iterable
from math import inf
from typing import final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response

from ...diagnosis import foreign_text
from ...diagnosis.request_loss import Loss
from ...runtime.actor import OctetActor
from ...sipp.actions.results import Loudness, Result, Say
from ...sipp.call.machine import ScenarioCall
from ...sipp.call.statistics import Failure
from ...sipp.markup import shown

_logger = logging.getLogger(__name__)


@final
class FileCall(OctetActor):
    """One call.

    Args:
        call: the machine.
        call_id: its Call-ID.
        send: sends the octets of a message, by the connection with this number; 0 = it chooses.
        over: called once, when the call is over, with whether the program failed on it.
        until: when it has lasted too long, in monotonic seconds.
        flow: number of the connection that the peer began it by; 0 = none.
    """

    __slots__ = ("_call", "_flow", "_is_over", "_over", "_send", "_until", "call_id", "is_drained", "is_overdue")

    def __init__(
        self,
        call: ScenarioCall,
        call_id: str,
        send: Callable[[bytes, int], None],
        over: Callable[["FileCall", bool], None],
        until: float,
        flow: int = 0,
    ) -> None:
        self._call = call
        self.call_id = call_id
        """Its Call-ID, or what stands behind the last `///` of it."""
        self._send = send
        self._over = over
        self._until = until
        self._flow = flow
        self._is_over = False
        self.is_drained = False
        """It was given up because the run ended."""
        self.is_overdue = False
        """It was given up because it lasted too long."""

    @property
    def name(self) -> str:
        """Name of the actor in logs."""
        return f"call {foreign_text.shown(self.call_id)}"

    @property
    def call(self) -> ScenarioCall:
        """The machine, with the figures of the run."""
        return self._call

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, in monotonic seconds."""
        if self.finished:
            return None
        deadline = self._call.deadline
        return min(self._until, inf if deadline is None else deadline)

    @property
    def finished(self) -> bool:
        """Whether the call is over."""
        return self._is_over

    def begin(self, now: float) -> None:
        """Carry out the first commands of the file."""
        self._call.begin(now)
        self._pump(now)

    def receive_octets(self, data: bytes, flow: int, now: float) -> None:
        """Take a message as it came; what follows leaves by the same connection."""
        self._flow = flow
        self._call.receive(data, now)
        self._pump(now)

    def receive(self, message: Request | Response, source: Hop, flow: int, now: float) -> None:
        """Do nothing: messages come as octets."""

    def handle_timer(self, now: float) -> None:
        """Take the time: the deadline has come."""
        if now >= self._until and not self._call.finished:
            self.is_overdue = True
            self._call.give_up(now)
        else:
            self._call.handle_timer(now)
        self._pump(now)

    def drain(self, now: float) -> None:
        """Give the call up: the run ends."""
        self.is_drained = not self._call.finished
        self._call.give_up(now)
        self._pump(now)

    def message_lost(self, branch: str, now: float, loss: Loss) -> None:
        """Fail: a message was not sent."""
        self._call.fail(Failure.TRANSPORT, f"a message could not be sent ({loss.value})", now)
        self._pump(now)

    def connections_lost(self, now: float) -> None:
        """Do nothing: what was lost with a connection is repeated by the file, or not."""

    def crashed(self, now: float, error: BaseException) -> None:
        """End: the program failed on it."""
        self._end(failed=True)

    def _pump(self, now: float) -> None:
        """Send and log what the machine produced."""
        messages, wishes, _ = self._call.drain()
        for message in messages:
            self._send(message.data, self._flow)
        log_said(self.name, wishes)
        if self._call.finished:
            self._end(failed=False)

    def _end(self, *, failed: bool) -> None:
        if not self._is_over:
            self._is_over = True
            self._over(self, failed)


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
