"""Refusals and silence before the other servers of a node: by method, User-Agent, or the number of requests.

The decisions are those of `Dropper` and `Blocker` of `sipcore.server.filters`. A refusal keeps no state, and the ACK to
it ends here.
"""

import re
from dataclasses import replace
from typing import Final

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.server.filters import Blocker, Decision, Dropper

from ..bus.messages import SipReceived
from ..call_worker.application import Application
from ..call_worker.out_of_dialog import Arrivals
from ..diagnosis.server_options import ServerConfig

FORBIDDEN: Final = 403


class BlockingRobot(Application):
    """The refusals of one node; made when all other servers are.

    Args:
        arrivals: of incoming messages.
    """

    def __init__(self, config: ServerConfig, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._next = arrivals.policy.relay
        agents = dict.fromkeys(config.block_agents, FORBIDDEN)
        silent = "|".join(map(re.escape, config.drop_agents))
        fields = {"User-Agent": re.compile(silent, re.IGNORECASE)} if silent else {}
        self._dropper = Dropper(fields, attempts=config.drop_above)
        self._blocker = Blocker(dict(config.block), agents, tag_key=arrivals.auth.tag_key)
        arrivals.serve(replace(arrivals.policy, relay=self._take_first))

    def _take_first(self, message: Request | Response, source: Hop, record: SipReceived, now: float) -> bool:
        """Refuse or drop a request that a rule names; what is next gets every other message."""
        if isinstance(message, Request):
            if self._dropper(message, now, source) is Decision.DROP:
                self._arrivals.auth.refused("dropped")
                return True
            decided = self._blocker(message, now, source)
            if isinstance(decided, Response):
                self._arrivals.answer(decided, record)
                self._arrivals.auth.refused("blocked")
            if decided is not Decision.PASS:
                return True
        return self._next is not None and self._next(message, source, record, now)
