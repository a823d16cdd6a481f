"""Requests that belong to no call of ours: a new call, an answer without state, or nothing at all."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipswarm.sipcore.errors import ParseError, SipError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.transaction import stateless

from ..bus.messages import SipReceived
from ..call.actor import CallActor
from ..handle.call import Call
from ..handle.parameters import CallParameters
from ..identity import Identity
from ..transport.local_addresses import LocalAddress
from .account import Account
from .authentication import AuthContext, Challenger

if TYPE_CHECKING:
    from .worker import CallWorker

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
        self.challenger: Challenger | None = None
        """asks callers who they are; None lets everybody in"""
        self.account = Account(worker.config, worker.addresses)
        """who the node is"""
        self._worker = worker
        self._parse_errors = worker.totals.cell("sipswarm_sip_parse_errors_total", "message")

    def authenticate(self, realm: str, param: dict[str, Any]) -> None:
        """Ask callers who they are, as the `auth_*` options of `listen` want it; let everybody in without them.

        realm: the default. param: loses these options.

        Raises:
            ConfigurationError: as for `Challenger`.
        """
        worker = self._worker
        context = AuthContext(
            worker.tokens,
            worker.slots.own,
            worker.admission.capabilities.tag_key,
            worker.addresses.is_ours,
            worker.admission.count,
            worker.actor_loop.crashes,
        )
        self.challenger = Challenger.from_options(context, realm, param)

    def default_identity(self, local: LocalAddress) -> Identity:
        """Who we are when nobody says: by the account of the node, or its user at our address."""
        return self.account.identity(local.seen.host)

    def refuse_unreadable(self, record: SipReceived, error: ParseError) -> None:
        """Answer what cannot be read as far as RFC 3261 section 8.2 lets us; counted."""
        self._parse_errors.value += 1
        worker = self._worker
        reply = stateless.refuse_unreadable(
            record.data, error, worker.admission.capabilities, source=(record.host, record.port)
        )
        if reply is not None:
            worker.output.send_from(record.listener, reply, record.host, record.port, record.flow, record.local)

    def refuse_failed(self, record: SipReceived) -> None:
        """Answer 500 to a request on which our own code failed (RFC 3261 section 21.5.1)."""
        worker = self._worker
        key = worker.admission.capabilities.tag_key
        reply = stateless.refuse(record.data, status=500, source=(record.host, record.port), key=key)
        if reply is not None:
            worker.output.send_from(record.listener, reply, record.host, record.port, record.flow, record.local)

    def take(self, request: Request, source: Hop, record: SipReceived, now: float) -> None:
        """A request of no call of ours."""
        if request.method == "ACK":
            return
        worker = self._worker
        takes_calls = self.on_call is not None
        if worker.admission.refuses(source.host):
            return
        if request.to_tag is not None:
            worker.book.unexpected(worker.application.scenario, "request")
        full = len(worker.actors.live) >= worker.config.max_calls
        reply = worker.admission.answer(request, takes_calls=takes_calls, draining=worker.draining.begun, full=full)
        user = ""
        if self.challenger is not None and request.method in ("INVITE", "OPTIONS") and request.to_tag is None:
            judged = self.challenger.judge(request, source.host, now)  # RFC 3261 section 8.2: before all else
            if isinstance(judged, str):
                user = judged
            else:
                reply = judged
        if reply is not None:
            self._answer(reply, record)
            return
        local = worker.addresses.at(record.listener, record.local, record.host)
        identity = self.identity or self.default_identity(local)
        config = worker.configs.of(local, identity, uri=request.uri)
        try:
            session = InviteSession.incoming(config, worker.tokens, request, source, now, flow=record.flow)
        except SipError as error:
            self.refuse_unreadable(record, ParseError(str(error)))
            return
        demand = worker.demand_for(local, **self.wishes)
        param = CallParameters(**self.param)
        if user:
            param.update({"auth_user": user})
        worker.add_call(session, demand, request, param, now)

    def challenges(self, actor: object, message: Request | Response, record: SipReceived, now: float) -> bool:
        """Whether a request of a caller within its call had to be answered with a challenge, and was."""
        challenger = self.challenger
        if challenger is None or not isinstance(message, Request) or not isinstance(actor, CallActor):
            return False
        if actor.is_uac or message.method == "ACK" or actor.session.knows(message):
            return False
        refused = challenger.judge(message, record.host, now)
        if isinstance(refused, str):
            return False
        self._answer(refused, record)
        return True

    def _answer(self, reply: Response, record: SipReceived) -> None:
        """Send an answer without state to where its request came from (RFC 3261 section 18.2.2, RFC 3581)."""
        output, via, port = self._worker.output, reply.via, record.port
        if "rport" not in via.params and output.hops[record.listener].transport == "udp":
            port = via.port or 5060
        reply.note_source(record.host, record.port)
        output.send_from(record.listener, reply.to_bytes(), record.host, port, record.flow, record.local)

    def announce(self, call: Call, request: Request) -> None:
        """A new call waits for its answer: the application's turn."""
        if self.on_call is not None:
            self.on_call(call, request)
