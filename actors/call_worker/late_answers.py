"""The responses that find no actor: a 2xx to an INVITE of this slot is acknowledged and hung up.

A callee that answers after the end of our INVITE (timer B, a CANCEL without effect, another fork) has a call that
nobody knows here any more. It would stay open until the callee gives up (RFC 3261 sections 13.2.2.4 and 13.3.1.4). Each
such Call-ID gets a `LateAnswer`, `MOST` at a time. The From tag must be one of this slot, so that nobody can have
requests sent by making up a response; the rule of destinations holds for where they go.
"""

from collections.abc import Callable
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.transaction.timers import TimerSettings

from ..bus.messages import SipReceived
from ..call.late_answer import LateAnswer
from ..counting.totals import Totals
from ..identity import Identity
from ..runtime.actor_loop import ActorLoop
from ..runtime.outbox import Outbox
from ..runtime.peer import Peer
from ..transport.local_addresses import LocalAddresses
from .actor_table import ActorTable
from .sessions import SessionConfigs
from .succession import REASON

MOST: Final = 1000
"""Late answers of one call worker at a time; 2xx beyond are counted only."""


class LateAnswers:
    """The late answers of one call worker.

    Args:
        identity: returns the local identity on a listener with an address.
        configs: has the tags by which responses to calls of this slot are known.
    """

    __slots__ = (
        *("_actor_loop", "_actors", "_addresses", "_configs", "_identity", "_ignored", "_outbox", "_restarted_until"),
    )

    def __init__(
        self,
        actor_loop: ActorLoop,
        actors: ActorTable,
        configs: SessionConfigs,
        addresses: LocalAddresses,
        outbox: Outbox[Any],
        totals: Totals,
        *,
        identity: Callable[[str], Identity],
    ) -> None:
        self._actor_loop = actor_loop
        self._actors = actors
        self._identity = identity
        self._configs = configs
        self._addresses = addresses
        self._outbox = outbox
        self._ignored = totals.cell("sipswarm_sip_late_answers_total", "ignored")
        self._restarted_until = 0.0

    def succeeded(self, now: float) -> None:
        """Say for a while why calls are hung up of which nothing is kept: this process takes the place of another."""
        self._restarted_until = now + TimerSettings().timeout

    def take(self, response: Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Take a response without an actor; return whether it was a late answer."""
        if not self._is_late_answer(response):
            return False
        if self._actors.late_answers >= MOST:
            self._ignored.value += 1
        else:
            actor = self._begin(response, source, record, now)
            self._actor_loop.note_cause(actor, record.data)
            self._actor_loop.guarded(actor, actor.receive, response, source, record.flow, now)
            self._actor_loop.look_at(actor)
        return True

    def _is_late_answer(self, response: Response) -> bool:
        try:
            answers = 200 <= response.status < 300 and response.cseq.method == "INVITE"
            return answers and self._configs.tags.minted(response.call_id, response.from_tag or "")
        except ParseError:
            return False

    def _begin(self, response: Response, source: Hop, record: SipReceived, now: float) -> LateAnswer:
        local = self._addresses.at(record.listener, record.local, record.host)
        identity = self._identity(local.seen.host)
        key = (response.call_id, response.from_tag or "")
        config, reason = self._configs.of(local, identity), (REASON,) if now < self._restarted_until else ()
        session = InviteSession.late(config, self._configs.tokens, *key, source, reason)
        proxy = identity.outgoing_proxy
        peer = Peer((source.host,), (source.host,) if proxy is None else (source.host, proxy.host))
        actor = LateAnswer(session, self._outbox, peer)
        self._actors.add(actor, key)
        return actor
