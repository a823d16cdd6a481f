"""The user agent: who calls and is called, in a script (man page `Net::SIP::Simple`, CALL.md sections 0 and 2).

In a script it brings its own embedded node and is an async context manager. Several may run in one event loop, each on
its own sockets. What calls do is `Call`'s; how the wire is served is the node's.
"""

import asyncio
import copy
import dataclasses
import errno
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.uri import Uri
from sipswarm.sipcore.session.dialog import hop_of as hop_before_dns
from sipswarm.sipcore.session.refer import TransferTarget
from sipswarm.sipcore.usage.registration import RegistrationSettings

from ..call.notices import Incoming
from ..call.state import State
from ..call_worker.call_factory import CallOrder
from ..config import Listener, NodeConfig, TlsConfig, checked_advertise
from ..errors import ConfigurationError, HostUnreachable
from ..handle import media_handlers, notice_handlers
from ..handle.call import Call
from ..handle.demand import demand_wishes, given_description, media_wishes, srtp_mode
from ..handle.given_text import (
    checked_address,
    checked_callback,
    checked_pairs,
    checked_seconds,
    checked_text,
    own_address,
)
from ..handle.media_handlers import MediaHandler
from ..handle.media_lease import MediaLease
from ..handle.media_ports import convert
from ..handle.parameters import CallParameters
from ..handle.robot_runs import Robot, run
from ..identity import Auth, Identity, Keyring, contact_at
from ..runtime.callbacks import Callback, invoke
from ..transport.addresses import ip_version, is_address
from ..transport.dns_records import Lookup
from ..transport.local_addresses import usual_listeners
from ..transport.resolver import Resolver
from ..transport.targets import hop_of, uri_of
from . import registering, transfers
from .bound_node import BoundNode
from .node import EmbeddedNode
from .placing import Placing
from .transfers import Consent

REFUSED: Final = 403
"""status for a call that the filter or `cb_create` does not want"""


class UserAgent:
    """A SIP user agent on its own sockets.

    from_: our SIP URI (`sip:` may be left out), or a bare user with `domain`. legs: addresses to listen on, each
    "udp:ADDRESS:PORT"; port 0 = any free one; on 0.0.0.0 or [::] each peer sees the address that the kernel sends
    to it from. Without `legs` UDP and TCP on every address, each on a free port. advertise: the address that peers
    see in place of that of the sockets (1:1 NAT), one per IP version. outgoing_proxy, registrar: SIP URI or
    "ADDRESS:PORT". auth: (user, password), a mapping by realm, or a function of the realm; used only for hosts that
    we call or register with ourselves. contact, route: in place of what is made from the leg. options: headers of
    our answer to OPTIONS. domain2proxy: where calls to a domain go, by "example.org", "*.example.org" or "*".
    session_expires: seconds after which calls end that nobody refreshes (RFC 4028), 0 = they do not ask for it.
    redirects: how many targets of 3xx a call tries, one after the other by their q while they fail (RFC 3261
    8.1.3.4); 0 = a 3xx refuses the call. headers: of each INVITE and REGISTER besides their own. codecs: names in
    the order of preference, such as "pcma"; PCMU and PCMA when not given. rtp_ports: lowest and highest RTP port,
    even numbers. tls: certificates, for legs "tls:ADDRESS:PORT"; with port 0 and without a certificate of ours such
    a leg only calls. srtp: off, optional (encrypted offers are taken too) or required (RFC 4568); needs the extra
    `srtp`. strict_source: requests within a call are taken from hosts of its peer only (RELIABILITY S3). strict:
    refuse what breaks the grammar of SIP or SDP, also where it does no harm (`sipcore.leniency`). dnsresolv:
    answers questions to DNS in place of the system's servers (`dns_records.Lookup`). node: stand on a call worker of a
    node that runs, in place of a node of our own; then what concerns the node (`legs`, `advertise`, `rtp_ports`,
    `codecs`, `tls`, `srtp`, `strict_source`, `strict`) is said there, and the user agent works without being entered.

    trace: keep the newest messages of each call, for `Call.ladder`; on a worker, those of all its calls. sip_trace: a
    capture file for everything, secrets masked; not on a worker, which has its node's.

    rtp_timeout: seconds without RTP, where some is due, until a call is hung up; 0 = never.

    Raises:
        ConfigurationError: on entering, for an address that is busy or not ours.
    """

    def __init__(
        self,
        from_: str = "sip:sipswarm@127.0.0.1",
        *,
        legs: Sequence[str] | None = None,
        advertise: str | Sequence[str] = (),
        outgoing_proxy: str = "",
        registrar: str = "",
        auth: Auth | None = None,
        domain: str = "",
        contact: str = "",
        route: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        domain2proxy: Mapping[str, str] | None = None,
        session_expires: int = 0,
        redirects: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        codecs: Sequence[str] = (),
        rtp_ports: tuple[int, int] = (20000, 32766),
        rtp_timeout: float = 30.0,
        tls: TlsConfig | None = None,
        strict_source: bool = True,
        strict: bool = False,
        srtp: str = "off",
        dnsresolv: Lookup | None = None,
        trace: bool = False,
        sip_trace: str = "",
        node: BoundNode | None = None,
    ) -> None:
        for what, text in (
            ("from_", from_),
            ("contact", contact),
            ("domain", domain),
            *(("route", each) for each in route),
        ):
            checked_text(what, text)
        self.domain = domain
        self.from_ = checked_address("from_", own_address("from_", from_, domain))
        if contact:
            checked_address("contact", contact)
        self.registrar = registrar
        self._keyring = Keyring(auth) if auth is not None else None
        self._proxy = uri_of(outgoing_proxy) if outgoing_proxy else None
        self._domain2proxy = {name.lower(): uri_of(proxy) for name, proxy in (domain2proxy or {}).items()}
        self._bound: registering.Bound = {}
        self._dnsresolv = dnsresolv
        self._resolver: Resolver | None = None
        self._options = options
        self._identity = Identity(
            self.from_,
            contact,
            tuple(route),
            hop_before_dns(str(self._proxy), "udp") if self._proxy is not None else None,
            self._keyring,
            session_expires,
            checked_pairs("headers", headers),
            redirects,
        )
        self._trust(outgoing_proxy, registrar)
        self._placing = node.placing if node is not None else Placing()
        self._node: EmbeddedNode | BoundNode
        if node is not None:
            self._node = node
            if advertise:
                raise ConfigurationError("advertise belongs to the node, which runs already; give it --advertise")
            if trace:
                node.worker.keep_ladders()
        else:
            listeners = usual_listeners() if legs is None else tuple(Listener.parse(leg) for leg in legs)
            config = NodeConfig(
                "",
                listeners,
                0,
                advertise=checked_advertise((advertise,) if isinstance(advertise, str) else advertise, listeners),
                rtp_ports=rtp_ports,
                rtp_timeout=rtp_timeout,
                tls=tls or TlsConfig(),
                codecs=tuple(codecs),
                strict_source=strict_source,
                strict=strict,
                srtp=srtp_mode(srtp),
            )
            self._node = EmbeddedNode(dataclasses.replace(config, ladders=trace, sip_trace=sip_trace))

    async def __aenter__(self) -> Self:
        await self._node.start()
        worker = self._node.worker
        if isinstance(self._node, BoundNode):
            return self
        if self._dnsresolv is not None:
            worker.output.late.use(self._names())
        worker.arrivals.serve(dataclasses.replace(worker.arrivals.policy, identity=self._identity))
        if self._options is not None:
            worker.admission.answer_options(tuple(self._options.items()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._node.close()

    # ---- inside a call worker

    def another(self, from_: str, **options: Any) -> "UserAgent":
        """A further user agent on the same call worker or, in a script, with sockets of its own.

        from_, options: as for the constructor. In a scenario its calls belong to the run as those of this one do.
        """
        node = self._node if isinstance(self._node, BoundNode) else None
        return UserAgent(from_, node=node, **options).placing_as(self._placing)

    def placing_as(self, placing: Placing) -> Self:
        """The same user agent, whose calls are placed so."""
        one = copy.copy(self)
        one._placing = placing
        return one

    @property
    def target(self) -> str:
        """Who a load calls; empty outside of one."""
        return self._placing.target

    def keep_ladders(self) -> None:
        """Keep the newest messages of each call from now on, for `Call.ladder`; on a worker, those of all its calls."""
        self._node.worker.keep_ladders()

    def every(self, seconds: float, function: Callable[[], Any], *, every_worker: bool = False) -> None:
        """Call a function, or run a coroutine function, again and again; the first time after `seconds`.

        every_worker: in each call worker of the node; otherwise in the first only.
        """
        worker = self._node.worker
        if worker.slots.own and not every_worker:
            return

        async def repeat() -> None:
            while not worker.draining.begun:
                await asyncio.sleep(seconds)
                invoke(function, spawn=worker.actor_loop.spawn)

        worker.actor_loop.spawn(repeat())

    # ---- reading

    @property
    def legs(self) -> tuple[Listener, ...]:
        """The addresses we listen on, with their real ports."""
        return self._node.config.listeners

    def new_call_id(self) -> str:
        """A Call-ID that this user agent may use for a call of its own."""
        return self._node.worker.factory.new_call_id()

    def rtp(self, name: str, *arguments: Any, **options: Any) -> MediaHandler:
        """A media handler by the man page's name: `media_recv_echo`, `media_send_recv`, with or without `media_`."""
        return media_handlers.by_name(name, *arguments, **options)

    # ---- calls that we place

    async def invite(self, to: str | Mapping[str, Any] | Call, **param: Any) -> Call:
        """Call somebody. Without `cb_final` the established call; with it the call at once.

        to: SIP URI, name-addr, or a bare user with `domain`; a mapping with `to` and in place of the user agent's own
        `from`, `contact`, `route`, `auth` and `callid`; or a call that is up, to negotiate it anew (C1). param: see
        `CallParameters`; besides: media ("silence", "echo", "tone:HZ", "play:FILE", "none") in place of `init_media`,
        auth (credentials of this call) and call_id.

        Raises:
            CallRejected: the peer answered 300 to 699.
            CallTimeout: no final answer came in time.
            HostUnreachable: the host has no address; with `cb_final` that is told as FAIL.
            ConfigurationError: something in `to` or the parameters cannot be.
        """
        if isinstance(to, Call):
            return await to.reinvite(**param)
        return await self.place(to, CallParameters(**param))

    async def place(self, to: str | Mapping[str, Any], parameters: CallParameters, call: Call | None = None) -> Call:
        """As `invite`; with `call` that of `Call(ua, to, …)`, whose first INVITE this is."""
        identity = self._identity
        param = parameters.__dict__
        if isinstance(to, Mapping):
            identity = self._identity_of(to)
            param.setdefault("call_id", to.get("callid", ""))
            to = str(to["to"])
        checked_text("to", to)
        headers = parameters.header_pairs()
        if call is not None:
            param["call_id"] = call.call_id
        worker = self._node.worker
        target = self._complete(to)
        uri = NameAddr.parse(target).uri if "<" in target else Uri.parse(target)
        if not identity.route and identity.from_ == self.from_:
            identity = identity._replace(route=registering.service_route(self._bound, name_addr(self.from_)))
        if param.get("auth") is not None:
            identity = identity._replace(credentials=_keyring_for(param.pop("auth"), uri))
        own_hop = param.pop("hop", None)
        try:
            hop, *spare = (own_hop,) if own_hop is not None else await self._hops_for(uri, identity.route)
        except HostUnreachable as error:
            if parameters.cb_final is None:
                raise
            hop, spare = self._nowhere(error.host), []
            parameters.leg = parameters.leg or 0
        self._trust(target)
        if identity.outgoing_proxy is not None and not is_address(identity.outgoing_proxy.host):
            identity = identity._replace(outgoing_proxy=hop)
        media = param.pop("media", None if "init_media" in param else self._placing.media)
        call_id = checked_text("call_id", param.pop("call_id", ""))
        convert(worker.factory.media_leases, parameters)
        parameters.ring_time = parameters.ring_time or self._placing.ring_time
        if media is None and parameters.init_media is None:
            parameters.init_media = media_handlers.echo()
        listener = self._leg(parameters.leg, hop)
        wishes = media_wishes(media, self._node.config.rtp_timeout) if media is not None else {}
        wishes = {**self._silence, **demand_wishes(parameters), **wishes}
        worker.factory.check_media(wishes, parameters.init_media)
        demand = worker.factory.demand_for(worker.addresses.toward(listener, hop.host), **wishes)
        if self._placing.before_placed is not None:
            self._placing.before_placed()
        order = CallOrder(
            target,
            hop,
            identity,
            demand,
            spare=spare,
            headers=headers,
            ring_time=parameters.ring_time,
            scenario=self._placing.scenario,
            call_id=call_id,
            param=parameters,
            listener=listener,
            given=given_description(parameters),
            call=call,
        )
        call = worker.factory.outgoing(order)
        if self._placing.on_placed is not None:
            self._placing.on_placed(call)
        if parameters.cb_final is None:
            try:
                await call.established()
            except asyncio.CancelledError:
                call.hang_up()  # nobody has its handle
                raise
        return call

    def make(self, call: Call, to: str | Mapping[str, Any], parameters: CallParameters) -> None:
        """Set up a call that `place` will place (C1).

        Raises:
            ConfigurationError: something in `to` cannot be.
        """
        worker = self._node.worker
        context = to if isinstance(to, Mapping) else {"to": to}
        identity, target = self._identity_of(context), self._complete(str(context["to"]))
        actor = worker.factory.unplaced(target, identity, context.get("callid", ""))
        call.begin(
            worker, worker.actor_loop, worker.factory.media_leases, actor, self._placing.scenario, parameters, to=target
        )

    def _identity_of(self, context: Mapping[str, Any]) -> Identity:
        """Who we are in one call, by the fields of its context.

        Raises:
            ConfigurationError: a field that is not known, or no `to`.
        """
        unknown = context.keys() - {"to", "from", "contact", "route", "auth", "callid"}
        if unknown or "to" not in context:
            raise ConfigurationError(f"a context has to, from, contact, route, auth and callid, not {sorted(unknown)}")
        for name in ("from", "contact", "callid"):
            checked_text(name, context.get(name, ""))
        for name in ("from", "contact"):
            if context.get(name):
                checked_address(name, context[name])
        for each in context.get("route", ()):
            checked_text("route", each)
        keyring = self._keyring
        if "auth" in context:
            keyring = _keyring_for(context["auth"], uri_in(str(context["to"])))
        return self._identity._replace(
            from_=context.get("from", self._identity.from_),
            contact=context.get("contact", self._identity.contact),
            route=tuple(context.get("route", self._identity.route)),
            credentials=keyring,
        )

    def _complete(self, to: str) -> str:
        if ":" in to:
            return to
        if not self.domain:
            raise ConfigurationError(f"{to!r} is no SIP URI; write sip:{to}@HOST or give the user agent a domain")
        return f"sip:{to}@{self.domain}"

    async def _hops_for(self, uri: Uri, route: Sequence[str] = ()) -> tuple[Hop, ...]:
        """Where a call to this URI goes: maddr, domain2proxy, outgoing proxy, first of the route, or the URI itself.

        Raises:
            HostUnreachable: a name has no address that a leg of ours reaches.
        """
        if uri.maddr and not route:
            return await self._resolve(uri)
        host = uri.host.lower()
        for pattern, proxy in self._domain2proxy.items():
            if pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return await self._resolve(proxy)
        if "*" in self._domain2proxy:
            return await self._resolve(self._domain2proxy["*"])
        proxy_or_route = uri_in(route[0]) if route and self._proxy is None else self._proxy
        hops = await self._resolve(proxy_or_route or uri)
        if self._keyring is not None and proxy_or_route is not None:
            for hop in hops:
                self._keyring.trust(hop.host)  # a call through a proxy shows its credentials to that
        return hops

    def _names(self) -> Resolver:
        if self._resolver is None:
            self._resolver = Resolver(self._dnsresolv, random=Random())
        return self._resolver

    async def _resolve(self, uri: Uri) -> tuple[Hop, ...]:
        """The hops of a URI, a name by DNS (RFC 3263), in the order in which they are to be tried."""
        host = uri.maddr or uri.host
        if is_address(host):
            return (hop_of(str(uri)),)
        reachable = tuple((leg.transport, ip_version(leg.host)) for leg in self.legs)
        hops = await self._names().hops(uri, reachable)
        self._node.worker.output.late.learn(host, hops)
        for hop in hops:
            self._node.worker.output.name(hop, host)
        return hops

    @property
    def _silence(self) -> dict[str, Any]:
        return {"inactivity_limit": self._node.config.rtp_timeout}

    def _nowhere(self, host: str) -> Hop:
        """The hop of a host without an address: what is sent there is lost at once, and told so."""
        late = self._node.worker.output.late
        if late.resolver is None and self._resolver is not None:
            late.use(self._resolver)  # which knows already
        return Hop(self.legs[0].transport, host, 5060)

    def _leg(self, leg: int | str | None, hop: Hop) -> int:
        """The index of the leg that a call uses (C2)."""
        if leg is None:
            return self._node.worker.factory.listener_for(hop)
        for index, listener in enumerate(self.legs):
            if leg == index or leg == str(listener):
                return index
        raise ConfigurationError(f"no leg is {leg!r}; there are {', '.join(map(str, self.legs))}")

    async def reserve_media(self, count: int = 1, *, leg: int = 0) -> list[MediaLease]:
        """Take media ports before a call, to be written into `sdp` and given as `media_lsocks` (C8).

        Raises:
            Overloaded: no port is free.
        """
        leases = [self._node.worker.factory.media_leases.lease(leg) for _ in range(count)]
        for lease in leases:
            await lease.ready
        return leases

    # ---- calls that come in

    def listen(
        self,
        robot: Robot | None = None,
        *,
        filter: "Callable[[str, Request], Any] | re.Pattern[str] | None" = None,  # noqa: A002 - the man page's name
        cb_create: Callback = None,
        media: str | None = None,
        refuse_status: int = REFUSED,
        **param: Any,
    ) -> None:
        """Take calls (man page `listen`).

        robot: a coroutine function that is run for each call; without it each is answered as `cb_invite` says.
        filter: called as (from, request), or a pattern for From; false refuses. cb_create: called as (call, request);
        false refuses, a callable it returns takes the call's messages in place of `Call.receive`. media: what answered
        calls send, as for `invite`. refuse_status: for calls that are refused. param: parameters of each call; with
        auth_user2pass (password by user, a mapping or a function of the user) or auth_user2a1 (H(user:realm:password)),
        and auth_realm, auth_opaque, auth_algorithms, auth_qop, auth_uri, auth_strict, callers are challenged
        (`Challenger`) and `auth_user` is a parameter of their calls.
        """
        worker = self._node.worker
        arrivals = worker.arrivals
        challenger = arrivals.challenger_of(self.domain or uri_in(self.from_).host, param)
        if media is None and robot is None and "init_media" not in param:
            param["init_media"] = media_handlers.echo()
        wishes = self._silence | demand_wishes(CallParameters(**param))
        if media is not None or robot is not None:
            wishes |= media_wishes("silence" if media is None else media, self._node.config.rtp_timeout)
        worker.factory.check_media(wishes, param.get("init_media"))

        def on_call(call: Call, request: Request) -> None:
            if filter is None:
                welcome(call, request, True)
            else:
                sender = str(request.from_.uri)
                call.decide(filter, sender, request, then=partial(welcome, call, request))

        def welcome(call: Call, request: Request, wanted: Any) -> None:
            if call.state is State.OVER:
                return  # its caller has given up meanwhile
            if not wanted:
                call.reject(refuse_status)
            elif cb_create is None:
                take(call, request, True)
            else:
                call.decide(cb_create, call, request, then=partial(take, call, request))

        def take(call: Call, request: Request, made: Any) -> None:
            if call.state is State.OVER:
                return
            if not made:
                call.reject(refuse_status)
            elif callable(made):
                call.receive_by(made)
            elif robot is not None:
                run(call, robot)
            else:
                notice_handlers.answer_invite(call, Incoming(request))

        policy = dataclasses.replace(
            arrivals.policy, on_call=on_call, wishes=wishes, param=param, challenger=challenger
        )
        arrivals.serve(policy)

    def take_transfers(self, consent: Consent = lambda call, target: True) -> None:
        """Call whom a peer of ours refers us to (RFC 3515, 5589), and tell it how that goes.

        consent: called as (call, URI of the target); false declines. The new call has the parameters of `listen`.
        Without this method every transfer is declined.
        """
        worker = self._node.worker

        def place(target: TransferTarget) -> Awaitable[Call]:
            param = {**worker.arrivals.policy.param, "sip_header": target.headers, "cb_final": None}
            return self.invite(target.uri, **param)

        on_transfer = transfers.taker(worker.actor_loop, place, consent)
        worker.arrivals.serve(dataclasses.replace(worker.arrivals.policy, on_transfer=on_transfer))

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
        """Register our address; the seconds granted (man page `register`).

        registrar: SIP URI, default the user agent's. contact: default our address on the leg. expires: seconds asked
        for, 0 removes the binding. refresh: try again when a refresh fails; the binding is refreshed in any case. leg:
        index or name, default the one that reaches the registrar. from_, auth: in place of the user agent's. resp40x: a
        401 or 407 that an earlier `register` got, to be answered at once. cb_final: called as ("OK", expires, response)
        or ("FAIL", {code or errno}, response) on each result; then the method returns 0 at once and raises nothing that
        is told so. A registrar at several places is tried at each of them
        (RFC 3263). Of several call workers that register the same address only the one that owns it does; the others
        return 0 at once.

        Raises:
            CallRejected: the registrar refused; its `response` can be `resp40x`. CallTimeout: it did not answer.
            HostUnreachable: it has no address. ConfigurationError: what was asked for cannot be.
        """
        worker = self._node.worker
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = checked_pairs("headers", named, contacts=True)
        for what, text in (("registrar", registrar), ("contact", contact), ("from_", from_)):
            checked_text(what, text)
        checked_seconds("expires", expires)
        checked_callback("cb_final", cb_final)
        uri = registrar or self.registrar
        if not uri:
            raise ConfigurationError("no registrar is known; give one to register() or to the user agent")
        uri = uri if uri.startswith(("sip:", "sips:")) else f"sip:{uri}"
        address = self._complete(from_) if from_ else self.from_
        if not worker.slots.is_ours(address):
            return 0
        keyring = Keyring(auth) if auth is not None else self._keyring
        if keyring is not None:
            keyring.trust(uri_in(uri).host)
        where = Uri.parse(uri)

        async def bind() -> int:
            try:
                hops = await self._registrar_hops(where)
            except HostUnreachable:
                if cb_final is None:
                    raise
                invoke(cb_final, "FAIL", {"errno": errno.EHOSTUNREACH}, None, spawn=worker.actor_loop.spawn)
                return 0
            here = worker.addresses.toward(self._leg(leg, hops[0]), hops[0].host)
            local = here.seen
            own = contact or self._identity.contact or contact_at(uri_in(address).user or "", local)
            settings = RegistrationSettings(
                uri,
                name_addr(address),
                (own,),
                local,
                hops[0],
                expires or 900,
                retry=refresh,
                credentials=keyring,
                headers=self._identity.headers + more,
                user_agent="sipswarm",
                bound=here.bound,
            )
            places = registering.places_from(hops, local)
            return await registering.register(
                worker.actor_loop,
                worker.registrations,
                self._bound,
                settings,
                places,
                expires=expires,
                cb_final=cb_final,
                challenge=resp40x,
            )

        host = self._proxy.host if self._proxy is not None else where.host
        if cb_final is None or is_address(host):
            return await bind()
        worker.actor_loop.spawn(bind())  # DNS may take its time
        return 0

    async def _registrar_hops(self, registrar: Uri) -> tuple[Hop, ...]:
        """Where REGISTER goes: the outgoing proxy, or the registrar itself."""
        return await self._resolve(self._proxy if self._proxy is not None else registrar)

    def _trust(self, *uris: str) -> None:
        """Credentials may be given to the hosts of these URIs."""
        if self._keyring is None:
            return
        for uri in uris:
            if uri:
                self._keyring.trust(uri_in(uri).host)


def name_addr(address: str) -> str:
    """A SIP URI, or a name-addr, as a name-addr."""
    return address if "<" in address else f"<{address}>"


def _keyring_for(auth: Auth, uri: Uri) -> Keyring:
    """Credentials for the host of a URI only."""
    keyring = Keyring(auth)
    keyring.trust(uri.host)
    return keyring


def uri_in(text: str) -> Uri:
    """The URI of a name-addr, of a SIP URI, or of one whose scheme was left out."""
    inner = text.partition("<")[2].partition(">")[0] or text
    return Uri.parse(inner if inner.startswith(("sip:", "sips:")) else f"sip:{inner}")
