"""The calls of a robot whose file is one of SIPp: each request of no call begins one, which the file judges.

The networks, the drain and the limit of live calls are asked first; a request that they refuse gets 503. An ACK or
CANCEL begins nothing, nor does a response, nor a message of a call that ended a short while ago: they are counted as
unexpected. Messages leave to the place that the first one came from. Nothing here reads more of a message than its
method and its Call-ID.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.hop import Hop

from ...bus.messages import SipReceived
from ...bus.slots import own_part
from ...call_worker.actor_table import ActorTable
from ...call_worker.application import Application
from ...call_worker.call_metrics import CallMetrics
from ...call_worker.out_of_dialog import Arrivals
from ...runtime.actor_loop import ActorLoop
from ...runtime.peer import Peer
from ...sipp.actions.results import Result
from ...sipp.call.statistics import Mark
from ...transport.local_addresses import LocalAddress
from ...transport.output import SipOutput
from .call import FileCall, cause_of
from .call_streams import CallStreams
from .ended_calls import EndedCalls
from .figures import media_columns, reason_of, row_of_received
from .receiving_file import ReceivingFile

NEVER_FIRST: Final = (b"ACK", b"CANCEL")
"""Methods that begin no call."""
MOST_TIME: Final = 3600.0
"""Seconds after which a call is given up that has not ended by itself."""
_logger = logging.getLogger(__name__)


class ReceivedCalls(Application):
    """The calls of one call worker.

    Args:
        arrivals: of incoming requests.
        streams: gives calls their media.
        most_time: seconds after which a call is given up; 0 = `MOST_TIME`.
        settled: called when a call is over and reported.
        tell: takes the row of each call, None = nothing does.
    """

    def __init__(
        self,
        file: ReceivingFile,
        arrivals: Arrivals,
        actors: ActorTable,
        actor_loop: ActorLoop,
        output: SipOutput,
        metrics: CallMetrics,
        streams: CallStreams,
        *,
        most_time: float,
        settled: Callable[[], None],
        tell: Callable[[Any], None] | None,
    ) -> None:
        self.scenario = file.label
        self._file = file
        self._arrivals = arrivals
        self._actors = actors
        self._actor_loop = actor_loop
        self._output = output
        self._metrics = metrics
        self._streams = streams
        self._marks = file.marks
        self._most_time = most_time or MOST_TIME
        self._settled = settled
        self._tell = tell
        self._open: dict[FileCall, float] = {}
        """Calls that are not over, with their begin in monotonic seconds."""
        self._ended = EndedCalls()
        self._said: set[int] = set()
        """Lines of the file whose first failure was logged."""
        arrivals.serve(replace(arrivals.policy, take_octets=self._take))

    def pending(self) -> int:
        """Return the number of calls that are not over."""
        return len(self._open)

    def live_calls(self) -> int:
        """Return the number of calls that are not over."""
        return len(self._open)

    def takes_time(self) -> bool:
        """Return whether there are any."""
        return bool(self._open)

    def end_pending(self) -> None:
        """Give all calls up."""
        now = self._actor_loop.now()
        for actor in tuple(self._open):
            self._actor_loop.guarded(actor, actor.drain, now)
            self._actor_loop.touch(actor)

    def update_gauges(self) -> None:
        """Show the number of calls, those with a 2xx to their first request as established."""
        established = sum(200 <= each.call.figures.code < 300 for each in self._open)
        self._metrics.set_received(self.scenario, len(self._open) - established, established)
        self._marks.flush()

    def _take(self, record: SipReceived, now: float) -> None:
        """Take a message of no call."""
        call_id = peek.call_id(record.data)
        if call_id is None or not peek.is_request(record.data):
            self._arrivals.count_unexpected("response")
            return
        key = own_part(call_id)
        if peek.method(record.data) in NEVER_FIRST or self._ended.has(key, now):
            self._arrivals.count_unexpected("request")
        elif not self._arrivals.refuses_octets(record):
            self._begin(record, key, now)

    def _begin(self, record: SipReceived, key: bytes, now: float) -> None:
        """Begin a call with its first message.

        Args:
            key: what its messages are known by.
        """
        local = self._output.addresses.at(record.listener, record.local, record.host)
        call_id = key.decode("latin-1")
        ports: dict[str, int] = {}
        call = self._file.call(local, call_id, ports)
        send = partial(self._send, local, Hop(local.bound.transport, record.host, record.port))
        actor = FileCall(call, call_id, send, self._over, now + self._most_time, self._note, record.flow)
        self._streams.give(actor, local.listener, ports, Peer((record.host,), (record.host,)))
        self._open[actor] = now
        self._actors.add(actor, (key,))
        self._actors.reserve(1)
        self._metrics.attempt(self.scenario, "uas", now)
        self._actor_loop.note_cause(actor, record.data)
        self._actor_loop.look_at(actor)
        self._actor_loop.guarded(actor, actor.begin, now)
        self._actor_loop.guarded(actor, actor.receive_octets, record.data, record.flow, now)

    def _send(self, local: LocalAddress, hop: Hop, data: bytes, flow: int) -> None:
        """Send a message as it is."""
        self._output.send_as_is(local.listener, data, hop, flow, local.bound.host)

    def _note(self, actor: FileCall, marks: Sequence[Mark], wishes: Sequence[Result], now: float) -> None:
        """Count what a call has marked, and run the commands that it wants to be run."""
        self._marks.note(actor.call_id, marks, wishes, now)
        self._file.run(wishes)

    def _over(self, actor: FileCall) -> None:
        """Report a call that is over."""
        began = self._open.pop(actor, None)
        if began is None:
            return
        now, figures = self._actor_loop.now(), actor.call.figures
        self._actors.reserve(-1)
        self._ended.add(actor.call_id.encode("latin-1"), now)
        if figures.failure is not None and figures.line not in self._said:
            self._said.add(figures.line)
            _logger.warning("%s failed: %s", actor.name, figures.detail)
        cause = cause_of((actor,))
        failure = "run_time" if actor.is_overdue else "internal_error" if actor.has_crashed else actor.media_failure
        failure = failure or reason_of(figures.failure) or cause
        row = row_of_received(figures, self.scenario, actor.call_id, cause=cause, failure=failure, began=began, now=now)
        row = row._replace(**media_columns(actor.figures))
        self._metrics.ended(row)
        if self._tell is not None:
            self._tell(row)
        self._settled()
