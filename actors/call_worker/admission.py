"""Answers to requests outside of any call: which sources may call, and the stateless answers that the others get.

`sipcore.transaction.stateless` follows RFC 3261 section 8.2 in its order. This file has the conditions of this worker:
strangers, draining, the limit of live calls, and the load of the event loop.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction.stateless import Capabilities, accepts, inspect, stateless_tag

from ..counting.totals import Totals
from ..transport.networks import Networks
from .loop_load import LoopWatch

SDP: Final = "application/sdp"
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
        self.capabilities = Capabilities(methods=METHODS, within=WITHIN, content_types=(SDP,), tag_key=tag_key)
        self.options: tuple[tuple[str, str], ...] | None = None
        """Headers of the answer to OPTIONS that the user wrote (man page `options`); None = the capabilities."""
        self._handled: Collection[str] = ()
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

    def serve(self, methods: Collection[str], extensions: tuple[tuple[str, str], ...] = ()) -> None:
        """Take requests of these methods outside of calls, for the user's handlers, besides what a call takes.

        Args:
            extensions: option tags that their handlers support: (method, tag).
        """
        if set(methods) != set(self._handled) or extensions != self.capabilities.extensions_of:
            self._handled = tuple(methods)
            self.capabilities = replace(
                self.capabilities,
                methods=tuple(dict.fromkeys((*METHODS, *methods))),
                within=tuple(each for each in WITHIN if each not in methods),
                judged=self._handled,
                extensions_of=extensions,
            )

    @property
    def _own_options(self) -> tuple[tuple[str, str], ...]:
        """The headers of the answer to OPTIONS (RFC 3261 section 11.2)."""
        able = self.capabilities
        return (
            ("Allow", ", ".join(able.methods)),
            ("Accept", ", ".join(able.content_types)),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", ", ".join((*able.extensions, *(tag for _, tag in able.extensions_of)))),
        )

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
        options_status: int = 0,
        description: bytes = b"",
    ) -> Response | None:
        """Return the final answer to a request outside of any dialog.

        None for an INVITE that may become a call, and for a request of the user's handlers.

        Args:
            takes_calls: there is an application that takes calls.
            draining: the node or this worker ends.
            full: the limit of live calls is reached.
            given_up: the processes of the slot died too often, and it takes no calls any more.
            starting: the application does not take calls yet.
            options_status: of the answer to OPTIONS; 0 = that of an INVITE, as far as it is known.
            description: the media of a call, for that answer (RFC 3264 section 9); empty = none.
        """
        tag = stateless_tag(request, self.capabilities.tag_key)
        if request.to_tag is not None or request.method == "CANCEL":
            return Response.to_request(request, 481, to_tag=request.to_tag or tag)
        refused = inspect(request, self.capabilities)
        if refused is not None:
            return refused
        handled = request.method in self._handled
        asks = request.method == "OPTIONS" and not handled
        refuses_all = not (takes_calls or given_up or starting)
        if refuses_all and not (handled or asks):
            return self.refuse(request, 480)
        starting = starting and not (asks or handled)  # an INVITE over UDP is repeated until it is taken
        reason = self._reason(draining=draining, full=full, given_up=given_up, starting=starting, asks=asks)
        if asks:
            status = options_status or (480 if refuses_all else 200)
            return self._answer_options(request, 503 if reason else status, description)
        if not reason:
            return None
        self.count(reason)
        return self.refuse(request, 503)

    def retry_later(self, *, draining: bool, full: bool, given_up: bool, starting: bool) -> tuple[str, str] | None:
        """Return the Retry-After of the 503 to a request that would begin a call, which is counted; None = it may.

        Args:
            draining, full, given_up, starting: as for `answer`.
        """
        reason = self._reason(draining=draining, full=full, given_up=given_up, starting=starting)
        if not reason:
            return None
        self.count(reason)
        return self._retry_after()

    def _reason(self, *, draining: bool, full: bool, given_up: bool, starting: bool, asks: bool = False) -> str:
        """Why no call can begin now; empty = one can.

        Args:
            asks: nothing begins, it is only asked whether it could.
        """
        states = (("quarantined", given_up), ("starting", starting), ("draining", draining), ("max_calls", full))
        reason = next((name for name, holds in states if holds), "")
        if not reason and self._watch is not None:
            load = self._watch.load
            reason = "" if (load.has_room if asks else load.admits()) else "overload"
        return reason

    def refuse(self, request: Request, status: int) -> Response:
        """Refuse a request; 503 says when to come back (RFC 3261 section 21.5.4)."""
        tag = stateless_tag(request, self.capabilities.tag_key)
        return Response.to_request(request, status, to_tag=tag, extra=(self._retry_after(),) if status == 503 else ())

    def _answer_options(self, request: Request, status: int, description: bytes) -> Response:
        """Answer OPTIONS as RFC 3261 section 11.2 has it: the status of an INVITE, and what a call can have."""
        tag = stateless_tag(request, self.capabilities.tag_key)
        extra = self._own_options if self.options is None else self.options
        if status == 503:
            extra = (*extra, self._retry_after())
        if status >= 300 or not description or self.options is not None or not accepts(request, self.capabilities):
            return Response.to_request(request, status, to_tag=tag, extra=extra)
        return Response.to_request(request, status, to_tag=tag, extra=extra, body=description, content_type=SDP)

    def _retry_after(self) -> tuple[str, str]:
        return "Retry-After", str(self._random.randint(*RETRY_AFTER))

    def close(self) -> None:
        """Look at the loop no more."""
        if self._watch is not None:
            self._watch.close()

    def count(self, reason: str) -> None:
        """Count a request that is refused."""
        self._totals.cell("sipswarm_sip_refused_total", reason).value += 1
