"""Answers to requests outside of any call: which sources may call, and the stateless answers that the others get.

`sipcore.transaction.stateless` follows RFC 3261 section 8.2 in its order. This file has the conditions of this worker:
strangers, draining, the limit of live calls, and the load of the event loop.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.stateless import Capabilities, inspect, stateless_tag

from ..counting.totals import Totals
from ..transport.networks import Networks
from .loop_load import LoopWatch

METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE")
"""Methods that a call takes, from its INVITE on: Allow outside of a call.

Other methods are taken within calls alone.
"""
WITHIN: Final = ("BYE", "PRACK", "UPDATE", "INFO", "NOTIFY")
"""Methods that get 481 without a call, by their RFCs (3261 15.1.2, 3262 section 3, 6086 section 4.2.1, 6665 4.1.3)."""
RETRY_AFTER: Final = (5, 30)
"""Seconds, drawn at random so that refused callers do not come back together (RFC 5390)."""


class Admission:
    """The admission of one call worker.

    Args:
        tag_key: secret of the To tags of stateless answers.
        networks: the allow list; None = everybody may call.
        loop: its load limits new calls; None = it does not.
    """

    def __init__(
        self,
        totals: Totals,
        tag_key: bytes,
        networks: Sequence[str] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            methods=METHODS, within=WITHIN, content_types=("application/sdp",), tag_key=tag_key
        )
        self.options: tuple[tuple[str, str], ...] = (("Allow", ", ".join(METHODS)), ("Accept", "application/sdp"))
        """Headers of the answer to OPTIONS (man page `options`)."""
        self._totals = totals
        self._random = Random(tag_key)
        self._watch = LoopWatch(loop) if loop is not None else None
        self._networks = Networks(networks) if networks is not None else None

    def is_welcome(self, host: str) -> bool:
        """Whether a source may send requests outside of a call."""
        return self._networks is None or host in self._networks

    def answer_options(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Answer OPTIONS with these headers."""
        self.options = headers

    def refuses(self, host: str) -> bool:
        """Whether a source gets no answer at all; such a request is counted."""
        if self.is_welcome(host):
            return False
        self.count("stranger")
        return True

    def answer(
        self,
        request: Request,
        *,
        takes_calls: bool,
        draining: bool,
        full: bool,
        given_up: bool = False,
        starting: bool = False,
    ) -> Response | None:
        """Return the final answer to a request outside of any dialog; None for an INVITE that may become a call.

        Args:
            takes_calls: there is an application that takes calls.
            draining: the node or this worker ends.
            full: the limit of live calls is reached.
            given_up: the processes of the slot died too often, and it takes no calls any more.
            starting: the application does not take calls yet.
        """
        tag = stateless_tag(request, self.capabilities.tag_key)
        if request.to_tag is not None or request.method == "CANCEL":
            return Response.to_request(request, 481, to_tag=request.to_tag or tag)
        refused = inspect(request, self.capabilities)
        if refused is not None:
            return refused
        if request.method == "OPTIONS":
            return Response.to_request(request, 200, to_tag=tag, extra=self.options)
        if not takes_calls and not given_up and not starting:
            return Response.to_request(request, 480, to_tag=tag)
        states = (("quarantined", given_up), ("starting", starting), ("draining", draining), ("max_calls", full))
        reason = next((name for name, holds in states if holds), "")
        if not reason and self._watch is not None and not self._watch.load.admits():
            reason = "overload"
        if not reason:
            return None
        self.count(reason)
        wait = str(self._random.randint(*RETRY_AFTER))
        return Response.to_request(request, 503, to_tag=tag, extra=(("Retry-After", wait),))

    def close(self) -> None:
        """Look at the loop no more."""
        if self._watch is not None:
            self._watch.close()

    def count(self, reason: str) -> None:
        """Count a request that is refused."""
        self._totals.cell("sipswarm_sip_refused_total", reason).value += 1
