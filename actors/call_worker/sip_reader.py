"""Reads the SIP messages of one call worker, and notes unreadable ones at their call.

Leniencies are counted by name and marked in the ladder of the call. A response that cannot be read goes to the record,
and into the failure text, of the call with its Call-ID and From tag. Dropped without a trace, it would look like a
silent remote side.
"""

import logging

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.leniency import Leniency
from sipswarm.sipcore.message import peek
from sipswarm.sipcore.message.hop import bracketed
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.transaction.transaction_counts import TransactionCounts

from ..bus.messages import SipReceived
from ..call.actor import CallActor
from ..diagnosis.foreign_text import shown
from ..runtime.outbox import Remark
from ..trace.recorder import SipTrace
from .actor_table import ActorTable

_logger = logging.getLogger(__name__)


class SipReader:
    """The reader of one call worker.

    Args:
        strict: no leniency is used for received messages.
        counts: where leniencies are counted.
    """

    __slots__ = ("_counts", "_strict")

    def __init__(self, counts: TransactionCounts, *, strict: bool) -> None:
        self._counts = counts
        self._strict = strict

    def read(self, data: bytes, *, relayed: bool = False) -> Request | Response:
        """Read one message.

        Args:
            relayed: responses to others are sent on.

        Raises:
            ParseError: also for a response to another user agent (RFC 3261 8.1.3.3), unless it may be sent on.
        """
        message = parse(data, self._strict)
        if isinstance(message, Response) and not relayed and len(message.headers.values("via")) > 1:
            raise ParseError("more than one Via: it was for somebody before us")
        return message

    def dropped(self, record: SipReceived, error: ParseError, trace: SipTrace | None, actors: ActorTable) -> None:
        """Mark an unreadable message in the ladder of its call, a response in the call's failure text too."""
        call_id = peek.call_id(record.data)
        name = call_id.decode("utf-8", "surrogateescape") if call_id is not None else ""
        if trace is not None:
            trace.received(name, record, f"dropped: {error.reason}")
        if peek.is_request(record.data):
            return
        actor = actors.find((name, peek.from_tag(record.data))) or actors.call_of(name)
        if isinstance(actor, CallActor):
            actor.could_not_read(shown(error.reason))

    def unanswered(self, record: SipReceived, error: ParseError) -> None:
        """Name in the log a request that had to be left without an answer; an ACK never gets one."""
        if peek.is_request(record.data) and peek.method(record.data) != b"ACK":
            place = f"{bracketed(record.host)}:{record.port}"
            _logger.warning("a request of %s gets no answer: %s, and no Via to answer by", place, shown(error.reason))

    def settle(
        self, message: Request | Response, remarks: list[Remark], record: SipReceived, trace: SipTrace | None
    ) -> None:
        """Count the leniencies of a message and its description, and mark the message in the ladder of its call.

        Args:
            remarks: of its description; the list is emptied.
        """
        described = self.count(remarks)
        used = (*message.leniencies, *described)
        self._counts.put_up_with(message.leniencies)
        if trace is not None:
            lost = message.headers.reading.unreadable
            words = [each.value.replace("_", " ") for each in dict.fromkeys(used)]
            dropped = [shown(each) for each in remarks if isinstance(each, str)]
            trace.mark(message.call_id, record, ", ".join([*(f"dropped: {key}" for key in lost), *dropped, *words]))
        remarks.clear()

    def count(self, remarks: list[Remark]) -> tuple[Leniency, ...]:
        """Count the leniencies of a description, and return them."""
        used = tuple(each for each in remarks if isinstance(each, Leniency))
        self._counts.put_up_with(used)
        return used
