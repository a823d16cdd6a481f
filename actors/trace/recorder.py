"""What a call worker remembers of the SIP it sends and receives: the newest messages of each live call, and a file.

A message is added to the record of its Call-ID and to the file, before it is dealt with. One that belongs to no call
yet waits for the call that it begins. Records have bounds; the oldest message goes. A message is kept as it is; secrets
must be masked when it is shown, reported or written. Off in a worker without it, where each message costs one look at
None.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.hop import Hop

from ..bus.messages import CallFinished, CallTraced, SipReceived
from ..config import NodeConfig
from ..counting.totals import Totals
from .file import TraceFile
from .ladder import Ladder, Row, Rung

MOST_MESSAGES: Final = 64
"""Of one call; beyond, the oldest is left out."""
MOST_OCTETS: Final = 128 * 1024
"""Of one call, likewise."""
MOST_FAILURES: Final = 20
"""Calls of a load whose record is sent to the supervisor, in each worker and in all of them."""


class MessageSink(Protocol):
    """Takes every message, of calls and of others; it must not raise."""

    def put(self, row: Row) -> None:
        """Take a message; its octets are not masked yet."""

    def close(self) -> None:
        """Take that no more will come."""


class CallRecord:
    """The newest messages of one Call-ID."""

    __slots__ = ("clock_offset", "left_out", "octets", "rows", "users")

    def __init__(self, clock_offset: float) -> None:
        self.rows: list[Row] = []
        self.octets = 0
        self.left_out = 0
        self.users = 1
        """Calls of this worker with the Call-ID; two, when it calls itself."""
        self.clock_offset = clock_offset

    def add(self, row: Row) -> None:
        """One more message; the oldest make room for it."""
        rows = self.rows
        rows.append(row)
        self.octets += len(row[5])
        while len(rows) > MOST_MESSAGES or (self.octets > MOST_OCTETS and len(rows) > 1):
            self.octets -= len(rows.pop(0)[5])
            self.left_out += 1

    def ladder(self) -> Ladder:
        """For people, with secrets masked."""
        return Ladder(map(Rung._make, self.rows), self.left_out, self.clock_offset)


class SipTrace:
    """One per call worker that traces.

    Args:
        hops: our own addresses, by listener.
        now: the monotonic clock.
        clock_offset: from there to seconds since 1970.
        ladders: whether messages are kept by call.
        of_load: whether failed calls are reported to the supervisor.
        file: gets every message, None = there is none.
    """

    __slots__ = ("_calls", "_hops", "_left_to_tell", "_now", "_of_load", "_offset", "_sinks", "_stranger", "ladders")

    def __init__(
        self,
        hops: Sequence[Hop],
        *,
        now: Callable[[], float],
        clock_offset: float,
        ladders: bool,
        of_load: bool = False,
        file: MessageSink | None = None,
    ) -> None:
        self._hops = [(hop.transport, (hop.host, hop.port)) for hop in hops]
        self._now = now
        self._offset = clock_offset
        self._sinks: tuple[MessageSink, ...] = () if file is None else (file,)
        self._calls: dict[str, CallRecord] = {}
        self._stranger: tuple[str, Row] | None = None
        """The last message that belonged to no call: the INVITE of the one that begins next."""
        self._of_load = of_load
        self._left_to_tell = MOST_FAILURES if of_load else 0
        self.ladders = ladders

    def begin(self, call_id: str) -> CallRecord | None:
        """A call begins; its record, None when none are kept."""
        if not self.ladders:
            return None
        known = self._calls.get(call_id)
        if known is not None:
            known.users += 1
            return known
        record = self._calls[call_id] = CallRecord(self._offset)
        if self._stranger is not None and self._stranger[0] == call_id:
            record.add(self._stranger[1])
        self._stranger = None
        return record

    def over(
        self, row: CallFinished, record: CallRecord | None, tell: Callable[[CallTraced], object] | None
    ) -> CallRecord | None:
        """Every figure of a call is final; what is kept of it: nothing in a load, whose handles no code has."""
        self.end(row.call_id)
        if not self._of_load:
            return record
        if row.failure and row.role == "uac":
            self.tell(tell, row.call_id, record)
        return None

    def keep_ladders(self) -> None:
        """Keep the messages of each call that begins from now on."""
        self.ladders = True

    def put_to(self, sink: MessageSink) -> None:
        """Give every message from now on to a sink as well."""
        self._sinks = (*self._sinks, sink)

    def end(self, call_id: str) -> None:
        """Nothing more is added to the record of a call; its other holders still have it."""
        record = self._calls.get(call_id)
        if record is not None:
            record.users -= 1
            if not record.users:
                del self._calls[call_id]

    def tell(self, tell: Callable[[CallTraced], object] | None, call_id: str, record: CallRecord | None) -> None:
        """Report a failed call of a load to the supervisor; of the first twenty, and of no others."""
        if tell is not None and record is not None and self._left_to_tell:
            self._left_to_tell -= 1
            ladder = record.ladder()
            tell(CallTraced(call_id, ladder.left_out, ladder.rungs))

    def sent(self, listener: int, data: bytes, address: tuple[str, int], source: str = "") -> None:
        """A message went out.

        Args:
            source: our address, where the listener has several.
        """
        transport, local = self._hops[listener]
        local = (source or local[0], local[1])
        row = (self._now(), True, transport, local, address, data, "")
        if self.ladders:
            call_id = peek.call_id(data)
            if call_id is not None:
                record = self._calls.get(call_id.decode("utf-8", "surrogateescape"))
                if record is not None:
                    record.add(row)
        for sink in self._sinks:
            sink.put(row)

    def mark(self, call_id: str, message: SipReceived, note: str) -> None:
        """Write a note beside a message that came in and is in the record of its call."""
        record = self._calls.get(call_id)
        rows = record.rows if record is not None else []
        for place in range(len(rows) - 1, -1, -1):
            if rows[place][5] is message.data:
                rows[place] = (*rows[place][:6], note)
                return

    def received(self, call_id: str, message: SipReceived, note: str = "") -> None:
        """A message came in, before it is dealt with.

        Args:
            call_id: empty when it could not be read.
            note: stands beside it in the ladder.
        """
        transport, local = self._hops[message.listener]
        local = (message.local or local[0], local[1])
        row = (self._now(), False, transport, local, (message.host, message.port), message.data, note)
        if self.ladders:
            record = self._calls.get(call_id)
            if record is not None:
                record.add(row)
            else:
                self._stranger = (call_id, row)
        for sink in self._sinks:
            sink.put(row)

    def close(self) -> None:
        """Put on disk what is not yet there."""
        for sink in self._sinks:
            sink.close()


def of(config: NodeConfig, hops: Sequence[Hop], now: Callable[[], float], totals: Totals) -> SipTrace | None:
    """The trace of a call worker by its configuration; None when nothing is traced."""
    of_robot = config.robot is not None and config.robot.sipp_traces.records
    if not (config.ladders or config.sip_trace or of_robot):
        return None
    offset = time.time() - now()
    file = TraceFile(config.sip_trace, totals, clock_offset=offset) if config.sip_trace else None
    of_load = config.load is not None
    return SipTrace(hops, now=now, clock_offset=offset, ladders=config.ladders, of_load=of_load, file=file)
