"""EndedSession: what is left of a call that is over, until its last timer (RFC 3261 sections 17.1, 17.2, RFC 6026).

It is made of a session when each request of both sides has its final response, and takes the place of that session. It
has the transactions, with the messages that they may still repeat: a final response, and the ACK of each fork. The
messages of the call, its dialogs and its descriptions are gone, which were nine tenths of its memory. A new request of
the peer is answered without state, and a 2xx of a further fork is for somebody else. Nothing begins from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from math import inf
from typing import Final, final

from ..errors import ParseError
from ..message.fields import Replaces
from ..message.hop import Hop, Transmit
from ..message.messages import Request, Response
from ..transaction.client_transaction import ClientAction, ClientState, ClientTransaction
from ..transaction.reply import Reply
from ..transaction.server_transaction import ServerAction, ServerTransaction, TransactionKey, transaction_key
from .invites import OutgoingInvite
from .session_config import SessionConfig
from .session_core import SessionCore
from .session_parts import SessionParts
from .session_state import SessionState

_NO_ACKS: Final[Mapping[str, Transmit]] = {}


@final
class _Sent:
    """A local request with its final response."""

    __slots__ = ("acks", "flow", "hop", "transaction")

    def __init__(self, transaction: ClientTransaction, hop: Hop, flow: int, acks: Mapping[str, Transmit]) -> None:
        self.transaction = transaction
        self.hop = hop
        self.flow = flow
        self.acks = acks


@final
class _Answered:
    """A request of the peer with its final response."""

    __slots__ = ("flow", "hop", "transaction")

    def __init__(self, transaction: ServerTransaction, hop: Hop, flow: int) -> None:
        self.transaction = transaction
        self.hop = hop
        self.flow = flow


@final
class EndedSession:
    """The rest of one call. Made by `rest_of`."""

    __slots__ = ("_acknowledged", "_answered", "_sent", "_transmits", "call_id", "config", "local_tag", "remote_tag")

    def __init__(
        self,
        config: SessionConfig,
        call_id: str,
        local_tag: str,
        remote_tag: str,
        sent: list[_Sent],
        answered: list[_Answered],
        acknowledged: int,
    ) -> None:
        self.config = config
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        """Empty where there was no dialog."""
        self._sent = sent
        self._answered = answered
        self._acknowledged = acknowledged
        """CSeq number of the newest 2xx of the local side that has its ACK; -1 = none has."""
        self._transmits: list[Transmit] = []

    @property
    def transactions(self) -> int:
        """Number of transactions of both sides."""
        return len(self._sent) + len(self._answered)

    @property
    def finished(self) -> bool:
        """True when nothing is left."""
        return not self._sent and not self._answered

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` is due, None when nothing waits."""
        due = inf
        for sent in self._sent:
            due = min(due, sent.transaction.due)
        for answered in self._answered:
            due = min(due, answered.transaction.due)
        return None if due == inf else due

    def drain(self) -> list[Transmit]:
        """Return, and forget, the messages to send."""
        out, self._transmits = self._transmits, []
        return out

    def handle_timer(self, now: float) -> None:
        """Repeat what is due at `now`, in seconds, and forget what is over."""
        for sent in self._sent[:]:
            if sent.transaction.due <= now:
                self._sent.remove(sent)  # timer D, K or M: no other one runs
        for answered in self._answered[:]:
            self._run(answered, now)

    def _run(self, answered: _Answered, now: float) -> None:
        transaction = answered.transaction
        while transaction.due <= now:
            action = transaction.handle_timer(now)
            if action is not ServerAction.SEND:
                if action is ServerAction.TIME_OUT:
                    self.config.counts.timed_out("H")
                self._answered.remove(answered)
                return
            self._repeat(answered)

    def _repeat(self, answered: _Answered) -> None:
        transaction = answered.transaction
        self.config.counts.sent(transaction.method)
        self._transmits.append(Transmit(transaction.last, answered.hop, answered.flow))

    def is_for(self, message: Request | Response) -> bool:
        """Whether a message with its Call-ID and tags is for it: all but a 2xx to an INVITE that has no ACK here."""
        if not isinstance(message, Response) or not 200 <= message.status < 300:
            return True
        try:
            branch, tag = message.branch, message.to_tag or ""
            return message.cseq.method != "INVITE" or any(
                each.transaction.branch == branch and tag in each.acks for each in self._sent
            )
        except ParseError:
            return True

    def receive(self, message: Request | Response, source: Hop, now: float, flow: int = 0) -> None:
        """Take a message of this call; malformed ones are ignored.

        Args:
            source: where it came from.
            now: seconds.
            flow: number of the inbound connection, 0 for none.
        """
        with suppress(ParseError):
            if isinstance(message, Response):
                self._take_response(message, now)
            else:
                self._take_request(message, source, flow, now)

    def _take_response(self, response: Response, now: float) -> None:
        branch, method = response.branch, response.cseq.method
        counts = self.config.counts
        for sent in self._sent:
            transaction = sent.transaction
            if transaction.branch != branch or transaction.method != method:
                continue
            action = transaction.receive(response, now)
            if action is ClientAction.ACK:
                counts.received(method)
                counts.sent("ACK")
                self._transmits.append(Transmit(transaction.ack, sent.hop, sent.flow))
            elif action is ClientAction.DELIVER:
                ack = sent.acks.get(response.to_tag or "")
                if ack is not None:
                    counts.received("INVITE")
                    counts.sent("ACK")
                    self._transmits.append(ack)
            elif transaction.state is ClientState.COMPLETED:
                counts.received(method)
            return

    def _take_request(self, request: Request, source: Hop, flow: int, now: float) -> None:
        method, counts = request.method, self.config.counts
        key = transaction_key(request)
        known = self._known(key)
        if known is not None:
            action = known.transaction.receive(request, now)
            if action is ServerAction.SEND:
                counts.received(method)
                self._repeat(known)
                return
            if action is not ServerAction.DELIVER_ACK:
                if action is ServerAction.IGNORE:
                    counts.received(method)
                return
        if method == "ACK":
            if request.cseq.number <= self._acknowledged and self._is_of_dialog(request):
                counts.received("ACK")
            return
        reply = Reply(request, source, flow, self.local_tag)
        status = 481
        if method == "CANCEL" and self._known((*key[:-1], "INVITE")) is not None:
            status = 200  # RFC 3261 section 9.2: it names an INVITE, and has no effect on it
        elif method == "BYE" and self._is_of_dialog(request):
            status = 200  # it crossed the local one
        elif method == "INVITE" and request.to_tag is None:
            status = 482  # section 8.2.2.2: it took two ways here
        self._transmits.append(Transmit(reply.to_bytes(status, ""), reply.hop, reply.flow))

    def _known(self, key: TransactionKey) -> _Answered | None:
        for answered in self._answered:
            if answered.transaction.key == key:
                return answered
        return None

    def _is_of_dialog(self, request: Request) -> bool:
        tags = request.to_tag, request.from_tag or ""
        return bool(self.remote_tag) and tags == (self.local_tag, self.remote_tag)

    def may_be_replaced(self, replaces: Replaces) -> int:
        """Return the refusal of an INVITE with this Replaces: 603 where it names this call (RFC 3891 section 3)."""
        named = (replaces.call_id, replaces.to_tag, replaces.from_tag)
        return 603 if named == (self.call_id, self.local_tag, self.remote_tag) else 481


def rest_of(core: SessionCore, parts: SessionParts) -> EndedSession | None:
    """Return what takes the place of a session that is over; None while it is more than that.

    The session has nothing left then, and is finished.
    """
    requests, refer, uac = core.requests, parts.made_refer, parts.uac
    if core.state is not SessionState.TERMINATED or core.accepted or not requests.all_answered:
        return None
    if core.events or requests.transmits or core.incoming or core.invite or core.unacked:
        return None
    if (refer is not None and refer.is_open) or not uac.is_through:
        return None
    sent, answered = [], []
    clients, servers = requests.hand_over()
    for client in clients:
        acks = client.acks if isinstance(client, OutgoingInvite) else _NO_ACKS
        client.transaction.drop_request()
        sent.append(_Sent(client.transaction, client.hop, client.flow, acks))
    for server in servers:
        server.transaction.drop_unused()
        answered.append(_Answered(server.transaction, server.reply.hop, server.reply.flow))
    remote_tag = core.dialog.remote_tag if core.dialog is not None else ""
    return EndedSession(
        core.config, core.call_id, core.local_tag, remote_tag, sent, answered, parts.uas.newest_acknowledged
    )
