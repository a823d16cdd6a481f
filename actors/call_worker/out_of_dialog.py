"""Messages outside of any call: a request becomes a call, goes to a user's handler, or gets an answer without state.

An ACK and the requests of strangers get no answer, nor does a request over UDP that only the application takes, before
that is prepared: its sender repeats it. A challenge comes before every other answer (RFC 3261 section 8.2), then the
answer of `Admission`. An INVITE without any becomes a call of the application, a request of another method goes to its
handler (`Requests`). An unreadable request is answered as far as the RFC permits. No state may be kept for a refused
request. A response is counted, unless a call is to be ended.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sipswarm.sipcore.errors import ParseError, SipError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.transaction import stateless
from sipswarm.sipcore.transaction.refusals import Refusals

from ..bus.messages import SipReceived
from ..call.actor import CallActor
from ..config import NodeConfig
from ..counting.totals import Cell
from ..handle.call import Call
from ..requests.keeper import Arrival, Requests
from ..transport.output import SipOutput
from .account import Account
from .admission import WITHIN, Admission
from .application import Application, IncomingPolicy
from .authentication import AuthContext, Challenger
from .call_factory import CallFactory
from .call_metrics import CallMetrics

ANSWERED_ALWAYS: Final = ("OPTIONS", *WITHIN, "CANCEL")
"""Methods whose answer does not depend on the application, as long as it has no handler for them."""
PASSING: Final = (480, 503)
"""Statuses of refusals that depend on the moment."""


class Arrivals:
    """The incoming requests of one worker.

    Args:
        auth: for the challenger.
        parse_errors: counts unreadable messages.
        is_draining: whether no new call is taken any more.
        is_deferring: whether a new INVITE over UDP gets no answer, because another process is about to take it.
        take_late: takes a response to a call that is over; returns False when it is none that needs anything.

    Attributes:
        policy: the treatment of incoming calls.
        account: the identity of the node.
        auth: the parts of the worker that challenge requests.
    """

    def __init__(
        self,
        config: NodeConfig,
        output: SipOutput,
        admission: Admission,
        factory: CallFactory,
        requests: Requests,
        application: Application,
        metrics: CallMetrics,
        auth: AuthContext,
        *,
        parse_errors: Cell,
        is_draining: Callable[[], bool],
        is_deferring: Callable[[], bool],
        take_late: Callable[[Response, Hop, SipReceived, float], bool],
    ) -> None:
        self.policy = IncomingPolicy()
        self.account = Account(config, output.addresses)
        self._output = output
        self._admission = admission
        self._factory = factory
        self._requests = requests
        self._application = application
        self._metrics = metrics
        self.auth = auth
        self._parse_errors = parse_errors
        self._is_draining = is_draining
        self._is_deferring = is_deferring
        self._take_late = take_late
        self._refusals = Refusals()

    def serve(self, policy: IncomingPolicy) -> None:
        """Set the policy for calls and requests from now on."""
        self.policy = policy
        self._admission.serve(policy.handlers, policy.extensions)

    def is_stranger(self, host: str) -> bool:
        """Whether a source gets no answer at all outside of a call."""
        return not self._admission.is_welcome(host)

    def count_stranger(self) -> None:
        """Count a message of a source that gets no answer."""
        self._admission.count("stranger")

    def check_media(self, wishes: Mapping[str, Any]) -> None:
        """Check that calls can have such media, as `CallFactory.check_media` does."""
        self._factory.check_media(wishes)

    def challenger_of(self, realm: str, param: dict[str, Any]) -> Challenger | None:
        """Return the challenger for the `auth_*` options of `listen`; None without them.

        Args:
            realm: the default.
            param: loses these options.

        Raises:
            ConfigurationError: as for `Challenger`.
        """
        return Challenger.from_options(self.auth, realm, param)

    def refuse_unreadable(self, record: SipReceived, error: ParseError) -> bool:
        """Count an unreadable message, and answer it as far as RFC 3261 section 8.2 permits; return whether it was."""
        self._parse_errors.value += 1
        reply = stateless.refuse_unreadable(
            record.data, error, self._admission.capabilities, source=(record.host, record.port)
        )
        if reply is not None:
            self._output.send_from(record.listener, reply, record.host, record.port, record.flow, record.local)
        return reply is not None

    def refuse_failed(self, record: SipReceived, *headers: tuple[str, str]) -> None:
        """Answer 500 to a request on which the program failed (RFC 3261 section 21.5.1).

        Args:
            headers: of the answer.
        """
        self._refuse_octets(record, 500, headers)

    def refuses_octets(self, record: SipReceived) -> bool:
        """Whether no call can begin now with a request that is not parsed; it was answered by 503 then.

        Over UDP a worker that starts does not answer: the sender repeats the request (RFC 3261 section 17.1).
        """
        starting = not self._application.is_prepared
        if starting and not record.flow:
            return True
        header = self._admission.retry_later(
            draining=self._is_draining(), full=self._factory.is_full, given_up=self.policy.given_up, starting=starting
        )
        if header is None:
            return False
        self._refuse_octets(record, 503, (header,))
        return True

    def count_unexpected(self, kind: str) -> None:
        """Count a message of no call.

        Args:
            kind: request or response.
        """
        self._metrics.unexpected(self._application.scenario, kind)

    def _refuse_octets(self, record: SipReceived, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Refuse a request that is not parsed, as far as it can be answered."""
        key = self._admission.capabilities.tag_key
        reply = stateless.refuse(record.data, status=status, extra=headers, source=(record.host, record.port), key=key)
        if reply is not None:
            self._output.send_from(record.listener, reply, record.host, record.port, record.flow, record.local)

    def is_own(self, call_id: str, tag: str) -> bool:
        """Whether this slot has placed a call with this Call-ID and From tag, which may be over."""
        return self._factory.configs.tags.minted(call_id, tag)

    def take_response(self, response: Response, source: Hop, record: SipReceived, now: float) -> None:
        """Take a response without an actor: end what is left of its call, or count it."""
        if not self._take_late(response, source, record, now):
            self._metrics.unexpected(self._application.scenario, "response")

    def take(self, request: Request, source: Hop, record: SipReceived, now: float) -> None:
        """Take a request without an actor."""
        if request.method == "ACK":
            return
        policy = self.policy
        if self._admission.refuses(source.host):
            return
        method = request.method
        handler = policy.handlers.get(method) if request.to_tag is None else None
        starting = policy.on_call is None and not policy.given_up and not self._application.is_prepared
        begins = request.to_tag is None and not record.flow
        may_be_taken = starting and method not in ANSWERED_ALWAYS and handler is None
        is_taken = method == "INVITE" or handler is not None
        if begins and (may_be_taken or (is_taken and self._is_deferring())):
            return  # RFC 3261 sections 17.1.1.2, 17.1.2.2: its sender repeats it until something comes
        if request.to_tag is not None:
            self._metrics.unexpected(self._application.scenario, "request")
        full = self._factory.is_full
        reply = self._admission.answer(
            request,
            takes_calls=policy.on_call is not None,
            draining=self._is_draining(),
            full=full,
            given_up=policy.given_up,
            starting=starting,
            options_status=policy.options_status,
            description=self._description(record) if method == "OPTIONS" and handler is None else b"",
        )
        user = ""
        if policy.challenger is not None and (is_taken or method == "OPTIONS") and request.to_tag is None:
            judged = policy.challenger.judge(request, source.host, now)  # RFC 3261 section 8.2: before all else
            if isinstance(judged, str):
                user = judged
            else:
                reply = judged
        if reply is None and (status := self._refusals.status_of(record.data, now)):
            reply = self._admission.refuse(request, status)
        elif reply is not None and reply.status in PASSING:
            self._refusals.note(record.data, reply.status, now)
        if reply is not None:
            self.answer(reply, record)
            return
        local = self._output.addresses.at(record.listener, record.local, record.host)
        identity = policy.identity or self.account.identity(local.seen.host)
        try:
            if handler is not None:
                tag = stateless.stateless_tag(request, self._admission.capabilities.tag_key)
                arrival = Arrival(source, record.flow, local.seen, local.bound, tag, identity.contact)
                self._requests.take(request, arrival, handler)
                return
            self._factory.incoming(
                request,
                source,
                local,
                identity,
                policy,
                scenario=self._application.scenario,
                user=user,
                flow=record.flow,
                now=now,
            )
        except SipError as error:
            self.refuse_unreadable(record, ParseError(str(error)))

    def _description(self, record: SipReceived) -> bytes:
        """Return the media that a call could have, for the answer to OPTIONS."""
        local = self._output.addresses.at(record.listener, record.local, record.host)
        return self._factory.describe(local, self.policy.wishes)

    def challenges(self, actor: object, message: Request | Response, record: SipReceived, now: float) -> bool:
        """Whether a request of the remote side within its call had to be answered with a challenge, and was."""
        challenger = self.policy.challenger
        if challenger is None or not isinstance(message, Request) or not isinstance(actor, CallActor):
            return False
        if actor.is_uac or message.method == "ACK" or actor.session.knows(message):
            return False
        refused = challenger.judge(message, record.host, now)
        if isinstance(refused, str):
            return False
        self.answer(refused, record)
        return True

    def answer(self, reply: Response, record: SipReceived) -> None:
        """Send an answer without state to the source of its request (RFC 3261 section 18.2.2, RFC 3581)."""
        output, via, port = self._output, reply.via, record.port
        if "rport" not in via.params and output.hops[record.listener].transport == "udp":
            port = via.port or 5060
        reply.note_source(record.host, record.port)
        output.send_from(record.listener, reply.to_bytes(), record.host, port, record.flow, record.local)

    def announce(self, call: Call, request: Request) -> None:
        """Give a new call to the application, which answers it."""
        if self.policy.on_call is not None:
            self.policy.on_call(call, request)
