"""The responses that find no actor: a 2xx to an INVITE of this slot is acknowledged and hung up, others are counted.

A callee that answers after the end of our INVITE (timer B, a CANCEL without effect, another fork) has a call that
nobody knows here any more. It would stay open until the callee gives up (RFC 3261 sections 13.2.2.4 and 13.3.1.4). Each
such Call-ID gets a `LateAnswer`, `MOST` at a time. The From tag must be one of this slot, so that nobody can have
requests sent by making up a response; the rule of destinations holds for where they go.
"""

from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.session.invite_session import InviteSession

from ..bus.messages import SipReceived
from ..call.late_answer import LateAnswer
from ..counting.totals import Totals
from ..runtime.actor import Actor
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..transport.local_addresses import LocalAddresses
from .actor_table import ActorTable
from .local_tags import LocalTags
from .out_of_dialog import Arrivals
from .sessions import SessionConfigs

MOST: Final = 1000
"""Late answers of one call worker at a time; 2xx beyond are counted only."""


class LateAnswers:
    """The late answers of one call worker.

    Args:
        tags: tells the responses to calls of this slot.
        arrivals: has the local identity, and counts other responses.
    """

    __slots__ = (
        *("_actor_loop", "_actors", "_addresses", "_arrivals", "_configs", "_live", "_outbox", "_refused", "_tags"),
        "_tokens",
    )

    def __init__(
        self,
        actor_loop: ActorLoop,
        actors: ActorTable,
        arrivals: Arrivals,
        configs: SessionConfigs,
        addresses: LocalAddresses,
        outbox: Outbox[Any],
        tokens: Tokens,
        tags: LocalTags,
        totals: Totals,
    ) -> None:
        self._actor_loop = actor_loop
        self._actors = actors
        self._arrivals = arrivals
        self._configs = configs
        self._addresses = addresses
        self._outbox = outbox
        self._tokens = tokens
        self._tags = tags
        self._live: set[Actor] = set()
        self._refused = totals.cell("sipswarm_sip_late_answers_total", "ignored")

    def __len__(self) -> int:
        return len(self._live)

    def is_ours(self, call_id: str, tag: str) -> bool:
        """Whether a response with this Call-ID and From tag answers a call of this slot."""
        return self._tags.minted(call_id, tag)

    def take(self, response: Response, source: Hop, record: SipReceived, now: float) -> None:
        """Take a response without an actor."""
        if not self._is_late_answer(response):
            self._arrivals.count_response()
        elif len(self._live) >= MOST:
            self._refused.value += 1
        else:
            actor = self._begin(response, source, record)
            self._actor_loop.note_cause(actor, record.data)
            self._actor_loop.guarded(actor, actor.receive, response, source, record.flow, now)
            self._actor_loop.look_at(actor)

    def forget(self, actor: Actor) -> None:
        """Release one that is over."""
        self._live.discard(actor)

    def _is_late_answer(self, response: Response) -> bool:
        try:
            answers = 200 <= response.status < 300 and response.cseq.method == "INVITE"
            return answers and self._tags.minted(response.call_id, response.from_tag or "")
        except ParseError:
            return False

    def _begin(self, response: Response, source: Hop, record: SipReceived) -> LateAnswer:
        local = self._addresses.at(record.listener, record.local, record.host)
        identity = self._arrivals.policy.identity or self._arrivals.account.identity(local.seen.host)
        key = (response.call_id, response.from_tag or "")
        session = InviteSession.late(self._configs.of(local, identity), self._tokens, *key, source)
        proxy = identity.outgoing_proxy
        peer = Peer((source.host,), (source.host,) if proxy is None else (source.host, proxy.host))
        actor = LateAnswer(session, self._outbox, peer)
        self._actors.add(actor, key)
        self._live.add(actor)
        return actor
