"""The user agent of a script: it places and takes calls, and registers (man page `Net::SIP::Simple`).

In a script it brings its own embedded node and is an async context manager. Several may run in one event loop, each on
its own sockets. Inside a call worker it stands on the node that runs there.

Its parts find hops (`Routes`), register (`Registering`), place calls (`Caller`) and take them (`Reception`). They are
made with the user agent and get the node's capabilities when the node runs. The user agent must not hold the state of a
call, which `Call` holds, nor serve the wire, which the node does.
"""

import copy
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, Unpack, overload

from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.session.refer import TransferTarget

from ..config import Listener, TlsConfig
from ..errors import ConfigurationError
from ..handle import media_handlers
from ..handle.call import Call
from ..handle.call_options import InviteOptions, ListenOptions, ReinviteOptions, checked_names
from ..handle.demand import demand_wishes, media_wishes
from ..handle.given_text import checked_callback, checked_flag, checked_pairs, checked_whole
from ..handle.media_handlers import MediaHandler
from ..handle.media_lease import MediaLease
from ..handle.parameters import CallParameters, check_ack
from ..handle.robot_runs import Robot
from ..identity import Auth
from ..runtime.callbacks import Callback
from . import transfers
from .agent_metrics import AgentMetrics
from .agent_options import AgentAliases, AgentOptions, by_their_names
from .agent_wire import AgentWire
from .bound_node import BoundNode
from .caller import Caller
from .destinations import Destinations, Target
from .node import EmbeddedNode
from .node_options import node_config
from .own_identity import OwnIdentity, server_uri, uri_in
from .placing import Placing
from .reception import REFUSED, Filter, Reception
from .registering import Registering
from .requesting import Requesting, checked_handler, checked_method
from .routes import AnyLookup, Routes
from .served_subscription import USUAL, ServedSubscription
from .subscription import Subscription
from .timer import Timer
from .transfers import Consent

MOST_LEASES: Final = 10_000
"""Media ports that are reserved at once at most."""


class UserAgent(AgentMetrics, AgentWire):
    """A SIP user agent on its own sockets.

    Args:
        from_: local SIP URI (`sip:` may be left out), or a bare user with `domain`.
        legs: addresses to listen on, one or a list, each "udp:ADDRESS:PORT"; port 0 = any free one. On 0.0.0.0 or [::]
            each peer sees the address that the kernel chooses for it. Default: UDP and TCP on every address, each on a
            free port.
        advertise: the address that peers see instead of that of the sockets (1:1 NAT), one per IP version.
        outgoing_proxy: where requests go first, a SIP URI or "ADDRESS:PORT".
        registrar: default of `register`, a SIP URI or "ADDRESS:PORT".
        auth: (user, password), a mapping by realm, or a function of the realm; used only for hosts that this user agent
            calls or registers with.
        domain: completes bare users.
        contact: replaces the Contact that is made from the leg.
        route: route set of each INVITE, one or a list of name-addrs.
        options: headers of the answer to OPTIONS.
        domain2proxy: where calls to a domain go, by "example.org", "*.example.org" or "*".
        session_expires: seconds after which a call without a refresh ends (RFC 4028), from 90; 0 = calls request no
            limit.
        redirects: how many targets of a 3xx a call tries, one after the other by their q while they fail (RFC 3261
            8.1.3.4); 0 = a 3xx refuses the call.
        headers: of each INVITE and REGISTER besides their own.
        codecs: names in the order of preference, such as "pcma"; default PCMU and PCMA.
        rtp_ports: lowest and highest RTP port, even numbers.
        rtp_timeout: seconds without RTP, where some is due, until a call is hung up; 0 = never.
        tls: certificates, for legs "tls:ADDRESS:PORT"; with port 0 and without a certificate such a leg only calls.
        strict_source: take requests within a call only from hosts of its remote side.
        send_to: networks that are sent to, where a remote side names the address; empty = all but those without use
            for peers, such as link-local ones (docs/security.md).
        strict: refuse what breaks the grammar of SIP or SDP, also where it does no harm (`sipcore.leniency`).
        srtp: off, optional (encrypted offers are taken too) or required (RFC 4568); needs the extra `srtp`.
        dnsresolv: a function of (kind, name) that answers DNS queries instead of the system's servers
            (`dns_records.Lookup`), a coroutine function or a plain one.
        trace: keep the newest messages of each call, for `Call.ladder`; on a worker, those of all its calls.
        sip_trace: a capture file for everything, secrets masked; not on a worker, which has its node's.
        node: the call worker of a running node, instead of a node of its own. Then the node's configuration holds
            (`legs`, `advertise`, `rtp_ports`, `codecs`, `tls`, `srtp`, `strict_source`, `send_to`, `strict`), and the
            user agent works without being entered.
        aliases: `leg`, `proxy`, `routes` and `d2p` are the names of Net::SIP for `legs`, `outgoing_proxy`, `route` and
            `domain2proxy`.

    Raises:
        ConfigurationError: an argument is not valid; on entering, when an address is busy or does not belong to this
            host, or when it runs already. One that has ended may be entered again.
    """

    def __init__(
        self,
        from_: str = "sip:sipswarm@127.0.0.1",
        *,
        legs: str | Sequence[str] | None = None,
        advertise: str | Sequence[str] = (),
        outgoing_proxy: str = "",
        registrar: str = "",
        auth: Auth | None = None,
        domain: str = "",
        contact: str = "",
        route: str | Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        domain2proxy: Mapping[str, str] | None = None,
        session_expires: int = 0,
        redirects: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        codecs: str | Sequence[str] = (),
        rtp_ports: tuple[int, int] = (20000, 32766),
        rtp_timeout: float = 30.0,
        tls: TlsConfig | None = None,
        strict_source: bool = True,
        send_to: str | Sequence[str] = (),
        strict: bool = False,
        srtp: str = "off",
        dnsresolv: AnyLookup | None = None,
        trace: bool = False,
        sip_trace: str = "",
        node: BoundNode | None = None,
        **aliases: Unpack[AgentAliases],
    ) -> None:
        named = by_their_names(
            aliases, legs=legs, outgoing_proxy=outgoing_proxy, route=route, domain2proxy=domain2proxy
        )
        legs, outgoing_proxy, route, domain2proxy = named.values()
        proxy = server_uri("outgoing_proxy", outgoing_proxy)
        server_uri("registrar", registrar)
        self._who = OwnIdentity(
            from_,
            domain=domain,
            contact=contact,
            route=route,
            proxy=proxy,
            auth=auth,
            session_expires=session_expires,
            headers=headers,
            redirects=redirects,
        )
        self.domain = domain
        self.from_ = self._who.from_
        self.registrar = registrar
        self._options = checked_pairs("options", options)
        self._routes = Routes(proxy, {} if domain2proxy is None else domain2proxy, dnsresolv, self._who.keyring)
        self._registering = Registering(self._who, self._routes)
        self._caller = Caller(self._who, self._routes, self._registering.service_route)
        self._destinations = Destinations(self._who, self._routes, self._registering.service_route)
        self._requesting = Requesting(self._destinations)
        self._who.trust(outgoing_proxy, registrar)
        self._placing = node.placing if isinstance(node, BoundNode) else Placing()
        self._node: EmbeddedNode | BoundNode
        if node is not None:
            if not isinstance(node, BoundNode):
                raise ConfigurationError(f"node is {type(node).__name__}; leave it out, or give that of a call worker")
            self._node = node
            if advertise:
                raise ConfigurationError("advertise belongs to the node, which runs already; give it --advertise")
            if trace:
                node.parts.keep_ladders()
            self._begin(is_own=False)
        else:
            config = node_config(
                legs=legs,
                advertise=advertise,
                codecs=codecs,
                rtp_ports=rtp_ports,
                rtp_timeout=rtp_timeout,
                send_to=send_to,
                tls=tls,
                srtp=srtp,
                sip_trace=sip_trace,
                flags={"strict_source": strict_source, "strict": strict, "trace": trace},
            )
            self._node = EmbeddedNode(config)

    async def __aenter__(self) -> Self:
        await self._node.start()
        if isinstance(self._node, BoundNode):
            return self
        self._begin(is_own=True)
        parts = self._node.parts
        parts.arrivals.serve(dataclasses.replace(parts.arrivals.policy, identity=self._who.usual))
        if self._options:
            parts.answer_options(self._options)
        return self

    def _begin(self, *, is_own: bool) -> None:
        """Give the parts what the running node provides.

        Args:
            is_own: the node belongs to this user agent alone.
        """
        parts = self._node.parts
        config, addresses = parts.config, parts.output.addresses
        self._routes.begin(config.listeners, parts.output, parts.factory.listener_for, is_own=is_own)
        self._caller.begin(parts.factory, addresses, config.rtp_timeout)
        self._registering.begin(parts.actor_loop, parts.registrations, parts.slots)
        self._destinations.begin(parts.slots)
        self._requesting.begin(parts.actor_loop, parts.requests)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._node.close()

    # ---- inside a call worker

    def another(self, from_: str, *, same_legs: bool = False, **options: Unpack[AgentOptions]) -> "UserAgent":
        """Return a further user agent on the same call worker or, in a script, with sockets of its own.

        In a scenario its calls belong to the same run.

        Args:
            from_, options: as for the constructor.
            same_legs: in a script too, the same sockets: another identity at the same addresses, which works without
                being entered, and ends with this one. What `listen`, `on_request` and `on_send` of either sets holds
                for both; `call.called_user` says who is called.

        Raises:
            ConfigurationError: an argument is not valid; with `same_legs`, this one does not run.
        """
        node = self._node if isinstance(self._node, BoundNode) else None
        if node is None and checked_flag("same_legs", same_legs):
            own = self._node
            node = BoundNode(own.parts, self._placing, lambda: own.ended)
        return UserAgent(from_, node=node, **options).placing_as(self._placing)

    def placing_as(self, placing: Placing) -> Self:
        """Return the same user agent with another `Placing` for its calls; not for users."""
        one = copy.copy(self)
        one._placing = placing
        return one

    @property
    def target(self) -> str:
        """The target that a load calls; empty outside of one."""
        return self._placing.target

    def keep_ladders(self) -> None:
        """Keep the newest messages of each call from now on, for `Call.ladder`; on a worker, those of all its calls."""
        self._node.parts.keep_ladders()

    def every(
        self,
        seconds: float,
        function: Callable[[], Any],
        *,
        first: float | None = None,
        every_worker: bool = False,
    ) -> Timer:
        """Call a function, or run a coroutine function, at an interval, until the `cancel` of what is returned.

        A function that fails is logged, and called again.

        Args:
            seconds: the interval.
            first: seconds until the first call; None = one interval.
            every_worker: in each call worker of the node; otherwise in the first only.
        """
        timer = Timer(seconds, function, first)
        everywhere = checked_flag("every_worker", every_worker)
        parts = self._node.parts
        if everywhere or not parts.slots.own:
            timer.begin(parts.actor_loop, parts.is_draining)
        return timer

    # ---- reading

    @property
    def legs(self) -> tuple[Listener, ...]:
        """The local addresses with their real ports."""
        return self._routes.legs

    def new_call_id(self) -> str:
        """Return a Call-ID that this user agent may use for a call of its own."""
        return self._node.parts.factory.new_call_id()

    def rtp(self, name: str, *arguments: Any, **options: Any) -> MediaHandler:
        """Return a media handler by the man page's name, such as `media_recv_echo`; `media_` may be left out.

        Args:
            arguments, options: those of the handler, such as `echo`.
        """
        return media_handlers.by_name(name, *arguments, **options)

    # ---- outgoing calls

    async def invite(
        self,
        to: str | Mapping[str, Any] | Call,
        param: Mapping[str, Any] | None = None,
        **options: Unpack[InviteOptions],
    ) -> Call:
        """Place a call, or negotiate an existing one again.

        Args:
            to: SIP URI, name-addr, or a bare user with `domain`; a mapping with `to` and, instead of the user agent's
                own, `from`, `contact`, `route`, `auth` and `callid`; or an established call, to negotiate it again.
            param: parameters as a mapping, as in Perl; it may hold values of any further name, which callbacks read
                by `call.get_param`.
            options: see `CallParameters`; besides: media ("silence", "echo", "tone:HZ", "play:FILE", "none") instead of
                `init_media`, auth (credentials of this call) and call_id.

        Returns:
            The established call; with `cb_final`, the call at once.

        Raises:
            CallRejected: the remote side answered 300 to 699.
            CallTimeout: no final answer came in time.
            HostUnreachable: the host has no address; with `cb_final` the callback gets FAIL instead.
            ConfigurationError: `to` or a parameter is not valid, or there is no argument of that name.
        """
        if isinstance(to, Call):
            return await to.reinvite(**checked_names("invite", options, ReinviteOptions, param))
        return await self.place(to, CallParameters(**checked_names("invite", options, InviteOptions, param)))

    async def place(self, to: str | Mapping[str, Any], parameters: CallParameters, call: Call | None = None) -> Call:
        """Place a call, as `invite` does; not for users.

        Args:
            call: the handle that `Call(ua, to, …)` made; this is its first INVITE.
        """
        self._node.parts  # noqa: B018 - it must run
        check_ack({"cb_ack": parameters.cb_ack}, parameters)

        def note(placed: Call) -> None:
            placed.belongs_to(self, to)

        return await self._caller.place(to, parameters, self._placing, call, note=note)

    def make(self, call: Call, to: str | Mapping[str, Any], parameters: CallParameters) -> None:
        """Set up a call that `place` will place; not for users.

        Raises:
            ConfigurationError: `to` is not valid.
        """
        parts = self._node.parts
        context = to if isinstance(to, Mapping) else {"to": to}
        identity, target = self._who.in_context(context), self._who.complete(context["to"])
        actor = parts.factory.unplaced(target, identity, context.get("callid", ""))
        call.begin(
            parts.owner, parts.actor_loop, parts.media_leases, actor, self._placing.scenario, parameters, to=target
        )

    async def reserve_media(self, count: int = 1, *, leg: int | str = 0) -> list[MediaLease]:
        """Take media ports before a call, to be written into `sdp` and given as `media_lsocks`.

        Args:
            count: number of ports.
            leg: index or name of the leg whose address the ports have.

        Raises:
            ConfigurationError: there is no such leg, or the count is no number.
            Overloaded: no port is free.
        """
        new = self._node.parts.media_leases.lease
        index = self._routes.index_of(leg)
        leases = [new(index) for _ in range(checked_whole("count", count, 0, MOST_LEASES))]
        for lease in leases:
            await lease.ready
        return leases

    # ---- incoming calls

    def listen(
        self,
        robot: Robot | None = None,
        *,
        filter: Filter = None,  # noqa: A002 - the man page's name
        cb_create: Callback = None,
        media: str | None = None,
        refuse_status: int = REFUSED,
        param: Mapping[str, Any] | None = None,
        **options: Unpack[ListenOptions],
    ) -> None:
        """Take incoming calls (man page `listen`).

        With auth_user2pass or auth_user2a1 the remote side is challenged (`Challenger`), and `auth_user` is
        a parameter of its calls. The option auth_user2pass gives the password of a user, and auth_user2a1 gives
        H(user:realm:password). Each is a mapping or a function of the user. Further parameters of the challenge:
        auth_realm, auth_opaque, auth_algorithms, auth_qop, auth_uri, auth_strict.

        Args:
            robot: a coroutine function that is run for each call; without it each call is answered as by `cb_invite`.
            filter: called as (URI of From, request), or a pattern that is searched in that URI; false refuses.
            cb_create: called as (call, request); false refuses, a callable it returns takes the call's messages instead
                of `Call.receive`.
            media: what answered calls send, as for `invite`.
            refuse_status: status of the answer to refused calls.
            param: parameters of each call as a mapping, with values of any further name, as for `invite`.
            options: parameters of each call, see `CallParameters`, and those of the challenge.

        Raises:
            ConfigurationError: an argument is not valid, or there is none of that name.
        """
        parts = self._node.parts
        arrivals = parts.arrivals
        given = checked_names("listen", options, ListenOptions, param)
        if media is not None and given.get("init_media") is not None:
            raise ConfigurationError("media and init_media both say what is sent; give one of them")
        challenger = arrivals.challenger_of(self.domain or uri_in(self.from_).host, given)
        if media is None and robot is None and "init_media" not in given:
            given["init_media"] = media_handlers.echo()
        wishes = {"inactivity_limit": self._node.config.rtp_timeout} | demand_wishes(CallParameters(**given))
        if media is not None or robot is not None:
            wishes |= media_wishes("silence" if media is None else media, self._node.config.rtp_timeout)
        parts.factory.check_media(wishes, given.get("init_media"))

        on_call = Reception(self, robot, filter, cb_create, refuse_status).on_call
        policy = dataclasses.replace(
            arrivals.policy, on_call=on_call, wishes=wishes, param=given, challenger=challenger
        )
        arrivals.serve(policy)

    def stop_listening(self) -> None:
        """Take no further calls: new ones get 480. Calls that are up go on, and so do the handlers of `on_request`."""
        arrivals = self._node.parts.arrivals
        arrivals.serve(dataclasses.replace(arrivals.policy, on_call=None))

    def on_request(self, method: str, handler: Callback) -> None:
        """Answer requests of a method that come outside of calls, such as MESSAGE, NOTIFY, PUBLISH or SUBSCRIBE.

        Methods without a handler get 405 with Allow, OPTIONS an answer with what a call can have (RFC 3261 section
        11.2). With the `auth_*` options of `listen` these requests are challenged too.

        Args:
            method: in upper case; not one of a call.
            handler: called as (request), a plain or a coroutine function. It returns a `Response` (its status, reason,
                body and further headers are sent), a status from 200 to 699, or None for 200. A coroutine function has
                32 s. An exception is logged and answered by 500. None instead of a handler removes it.

        Raises:
            ConfigurationError: the method belongs to a call, or the handler cannot be called with one argument.
        """
        checked_method(method)
        arrivals = self._node.parts.arrivals
        handlers = {name: each for name, each in arrivals.policy.handlers.items() if name != method}
        if handler is not None:
            handlers[method] = checked_handler(method, handler)
        arrivals.serve(dataclasses.replace(arrivals.policy, handlers=handlers))

    def take_transfers(self, consent: Consent = lambda call, target: True, *, cb_placed: Callback = None) -> None:
        """Call the target that a remote side refers to (RFC 3515, 5589), and report the progress to that side.

        The new call has the parameters of `listen`. Without this method every transfer is declined.

        Args:
            consent: called as (call, URI of the target); false declines.
            cb_placed: called as (call, new call) before the INVITE of the new call leaves.
        """
        parts = self._node.parts
        checked_callback("cb_placed", cb_placed, ("call", "new"))

        def place(target: TransferTarget, by: Call) -> Awaitable[Call]:
            param = {**parts.arrivals.policy.param, "sip_header": target.headers, "cb_final": None}
            named_by = by.actor.reach.peer.hosts
            parameters = CallParameters(**param)

            def note(new: Call) -> None:
                new.belongs_to(self)
                parts.actor_loop.guarded(new.actor, new.call_back, "cb_placed", cb_placed, by, new)

            return self._caller.place(target.uri, parameters, self._placing, note=note, named_by=named_by)

        on_transfer = transfers.taker(parts.actor_loop, place, consent)
        parts.arrivals.serve(dataclasses.replace(parts.arrivals.policy, on_transfer=on_transfer))

    # ---- requests outside of calls

    @overload
    async def request(
        self,
        method: str,
        to: Target,
        body: bytes | str = ...,
        *,
        content_type: str | None = ...,
        cb_final: None = ...,
        timeout: float | None = ...,
        from_: str = ...,
        auth: Auth | None = ...,
        leg: int | str | None = ...,
        max_forwards: int = ...,
        **headers: str,
    ) -> Response: ...
    @overload
    async def request(
        self,
        method: str,
        to: Target,
        body: bytes | str = ...,
        *,
        content_type: str | None = ...,
        cb_final: Callback,
        timeout: float | None = ...,
        from_: str = ...,
        auth: Auth | None = ...,
        leg: int | str | None = ...,
        max_forwards: int = ...,
        **headers: str,
    ) -> None: ...
    async def request(
        self,
        method: str,
        to: Target,
        body: bytes | str = "",
        *,
        content_type: str | None = None,
        cb_final: Callback = None,
        timeout: float | None = None,
        from_: str = "",
        auth: Auth | None = None,
        leg: int | str | None = None,
        max_forwards: int = 70,
        **headers: str,
    ) -> Response | None:
        """Send a request outside of calls and return its final response: OPTIONS, MESSAGE, PUBLISH or any other method.

        It goes where a call would go: proxies, DNS with its further places (RFC 3263), challenges, and 3xx as
        `redirects` of the user agent has it. It takes a place among the calls of the worker until it ends.

        Args:
            method: in upper case; INVITE, ACK and CANCEL belong to calls.
            to: as for `invite`.
            body: text or octets.
            content_type: of the body, default text/plain or that of octets.
            cb_final: called as ("OK" or "FAIL", {"code": …, "packet": …} or {"errno": …}). Then the method returns None
                at once and raises nothing that the callback gets.
            timeout: seconds over all places; default 32 for each place (RFC 3261 timer F).
            from_, auth: instead of the user agent's.
            leg: index or name, default the one that reaches the target.
            max_forwards: Max-Forwards.
            headers: further header fields, `_` in a name stands for `-`; a name with a capital letter is always one.

        Raises:
            CallRejected: the final response was 300 to 699, which is `response` of the exception; or the request could
                not be sent (503 without a response).
            CallTimeout: no final response came.
            RequestEnded: the node ended first.
            HostUnreachable: the host has no address.
            Overloaded: `max_calls` is reached.
            ConfigurationError: an argument is not valid; nothing was sent.
        """
        self._node.parts  # noqa: B018 - it must run
        if content_type is not None:
            headers["content_type"] = content_type
        return await self._requesting.request(
            method,
            to,
            body,
            headers,
            cb_final=cb_final,
            timeout=timeout,
            context=_context(from_, auth),
            leg=leg,
            max_forwards=max_forwards,
        )

    async def subscribe(
        self,
        to: Target,
        event: str,
        *,
        expires: int = 3600,
        body: bytes | str = "",
        content_type: str | None = None,
        accept: str | Sequence[str] = (),
        cb_notify: Callback = None,
        from_: str = "",
        auth: Auth | None = None,
        leg: int | str | None = None,
        **headers: str,
    ) -> Subscription:
        """Subscribe to an event of a resource (RFC 6665), and return when its first NOTIFY came.

        The subscription is refreshed until `Subscription.end`, or the end of the node. It is made again where the
        notifier demands it or has lost it (481 to a refresh). It takes a place among the calls of the worker.

        Args:
            to: the resource, as for `invite`.
            event: the event package, such as "presence", "dialog" or "message-summary", with its id if any.
            expires: seconds to request; 0 fetches the state once.
            body, content_type: of the SUBSCRIBE, such as a filter.
            accept: content types of NOTIFY that are understood, one or a list.
            cb_notify: called as (notified) for each NOTIFY, instead of iterating the subscription.
            from_, auth, leg, headers: as for `request`.

        Raises:
            CallRejected, CallTimeout, RequestEnded, HostUnreachable, Overloaded, ConfigurationError: as for `request`;
                CallTimeout also when no NOTIFY came.
        """
        self._node.parts  # noqa: B018 - it must run
        if content_type is not None:
            headers["content_type"] = content_type
        return await self._requesting.subscribe(
            to,
            event,
            body,
            headers,
            expires=expires,
            accept=accept,
            cb_notify=cb_notify,
            context=_context(from_, auth),
            leg=leg,
        )

    def accept_subscription(
        self,
        request: Request,
        *,
        expires: int = USUAL,
        body: bytes | str = "",
        content_type: str | None = None,
        state: str = "active",
    ) -> ServedSubscription:
        """Accept a SUBSCRIBE within its handler of `on_request`, and be its notifier (RFC 6665).

        The 200 and the first NOTIFY leave at once; what the handler returns then counts no more. Refreshes and the end
        by the subscriber are answered from then on. It takes a place among the calls of the worker.

        Args:
            request: the SUBSCRIBE, as the handler got it.
            expires: seconds that are granted at most.
            body, content_type: of the first NOTIFY, as for `request`. A subscriber that fetches the state
                (`Expires: 0`) gets this one only.
            state: "active", or "pending" while the subscriber has to wait for a decision.

        Raises:
            WrongState: it is no SUBSCRIBE, or is answered already.
            Overloaded: the worker takes no more.
            ConfigurationError: an argument is not valid.
        """
        parts = self._node.parts
        served = ServedSubscription(request, parts.actor_loop, parts.requests)
        served.accept(expires, body, content_type, state)
        return served

    # ---- registration

    async def register(
        self,
        registrar: str = "",
        *,
        contact: str = "",
        expires: int = 900,
        refresh: bool = False,
        leg: int | str | None = None,
        from_: str = "",
        auth: Auth | None = None,
        resp40x: Response | None = None,
        cb_final: Callback = None,
        **headers: str,
    ) -> int:
        """Register the local address (man page `register`).

        A registrar at several places is tried at each of them (RFC 3263). Of several call workers that register the
        same address only the one that owns it does so; the others return 0 at once.

        Args:
            registrar: SIP URI, default the user agent's.
            contact: default the local address on the leg.
            expires: seconds to request; 0 removes the binding.
            refresh: try again when a refresh fails; the binding is refreshed in any case.
            leg: index or name, default the one that reaches the registrar.
            from_, auth: instead of the user agent's.
            resp40x: a 401 or 407 that an earlier `register` got, to be answered at once.
            cb_final: called as ("OK", expires, response) or ("FAIL", {code or errno}, response) on each result. Then
                the method returns 0 at once and raises nothing that the callback gets.
            headers: further header fields, `_` in a name stands for `-`; a name with a capital letter is always one.

        Returns:
            The seconds granted.

        Raises:
            CallRejected: the registrar refused; the `response` of the exception can be `resp40x`.
            CallTimeout: it did not answer.
            HostUnreachable: it has no address.
            ConfigurationError: an argument is not valid.
        """
        self._node.parts  # noqa: B018 - it must run
        return await self._registering.register(
            registrar if registrar != "" else self.registrar,
            contact=contact,
            expires=expires,
            refresh=refresh,
            leg=leg,
            from_=from_,
            auth=auth,
            challenge=resp40x,
            cb_final=cb_final,
            headers=headers,
        )


def _context(from_: str, auth: Auth | None) -> dict[str, Any]:
    """Return the fields of a context that arguments give."""
    return {**({"from": from_} if from_ != "" else {}), **({"auth": auth} if auth is not None else {})}
