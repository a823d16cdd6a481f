"""Requests that belong to no call of ours: a new call, an answer without state, or nothing at all."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipcore import stateless
from sipcore.errors import ParseError, SipError
from sipcore.hop import Hop
from sipcore.message import Request
from sipcore.session import InviteSession

from .call import Call
from .config import format_host
from .identity import Identity
from .messages import SipReceived
from .parameters import CallParameters

if TYPE_CHECKING:
    from .call_worker import CallWorker

OnCall = Callable[[Call, Request], None]
"""What takes a call that came in; it (or the task it starts) answers or rejects."""


class Arrivals:
    """What comes in to one worker, and for whom."""

    def __init__(self, worker: "CallWorker") -> None:
        self.on_call: OnCall | None = None
        self.wishes: dict[str, Any] = {}
        """wishes for the media of calls that come in, as for `CallWorker.demand_for`"""
        self.param: dict[str, Any] = {}
        """parameters of calls that come in"""
        self.identity: Identity | None = None
        """who takes the calls that come in; None = `default_identity`"""
        self._worker = worker
        self._parse_errors = worker.totals.cell("sipswarm_sip_parse_errors_total", "message")

    def default_identity(self, listener: int) -> Identity:
        """Who we are when nobody says: the configured user at the listener's address."""
        worker = self._worker
        return Identity(f"sip:{worker.config.user}@{format_host(worker.output.hops[listener].host)}")

    def refuse_unreadable(self, record: SipReceived, error: ParseError) -> None:
        """Answer what cannot be read as far as RFC 3261 section 8.2 lets us; counted."""
        self._parse_errors.value += 1
        worker = self._worker
        reply = stateless.refuse_unreadable(
            record.data, error, worker.admission.capabilities, source=(record.host, record.port)
        )
        if reply is not None:
            worker.output.send_from(record.listener, reply, record.host, record.port, record.flow)

    def take(self, request: Request, source: Hop, record: SipReceived, now: float) -> None:
        """A request of no call of ours."""
        if request.method == "ACK":
            return
        worker = self._worker
        takes_calls = self.on_call is not None
        if takes_calls and worker.admission.refuses(source.host):
            return
        full = len(worker.live) >= worker.config.max_calls
        reply = worker.admission.answer(request, takes_calls=takes_calls, draining=worker.draining.begun, full=full)
        if reply is not None:
            request.note_source(source.host, source.port)
            worker.output.send_from(record.listener, reply.to_bytes(), source.host, source.port, record.flow)
            return
        config = worker.configs.of(record.listener, self.identity or self.default_identity(record.listener))
        try:
            session = InviteSession.incoming(config, worker.tokens, request, source, now, flow=record.flow)
        except SipError as error:
            self.refuse_unreadable(record, ParseError(str(error)))
            return
        demand = worker.demand_for(record.listener, **self.wishes)
        worker.add_call(session, demand, request, CallParameters(**self.param), now)

    def announce(self, call: Call, request: Request) -> None:
        """A new call waits for its answer: the application's turn."""
        if self.on_call is not None:
            self.on_call(call, request)
