"""The user agent: who calls and is called, in a script (man page `Net::SIP::Simple`, CALL.md sections 0 and 2).

In a script it brings its own embedded node and is an async context manager. Several may run in one event loop, each on
its own sockets. What calls do is `Call`'s; how the wire is served is the node's.
"""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from sipcore.fields import NameAddr
from sipcore.hop import Hop
from sipcore.message import Request, Response
from sipcore.registration import Registered, RegistrationEvent, RegistrationFailed, RegistrationSettings, Unregistered
from sipcore.transfer import TransferTarget
from sipcore.uri import Uri

from . import call_callbacks, media_handlers, media_sockets, robots, transfers
from .bound_node import BoundNode
from .call import Call
from .call_demand import demand_wishes, given_description
from .callbacks import Callback, invoke
from .challenger import Challenger
from .config import Listener, NodeConfig, TlsConfig, format_host
from .errors import CallRejected, CallTimeout, ConfigurationError
from .identity import Auth, Identity, Keyring
from .media_handlers import MediaHandler
from .media_lease import MediaLease
from .node import EmbeddedNode
from .notices import Incoming
from .parameters import CallParameters
from .registration_actor import RegistrationActor
from .robots import Robot
from .routing import slot_of
from .sip_trace import keep_ladders
from .targets import hop_of, is_address
from .transfers import Consent

if TYPE_CHECKING:
    from .call_worker import CallWorker
    from .resolver import Lookup, Resolver

REFUSED: Final = 403
"""status for a call that the filter or `cb_create` does not want"""


class UserAgent:
    """A SIP user agent on its own sockets.

    from_: our SIP URI, or a bare user with `domain`. legs: addresses to listen on, each "udp:ADDRESS:PORT"; port 0 =
    any free one. outgoing_proxy, registrar: SIP URI or "ADDRESS:PORT". auth: (user, password), a mapping by realm, or a
    function of the realm; used only for hosts that we call or register with ourselves. contact, route: in place of what
    is made from the leg. options: headers of our answer to OPTIONS. domain2proxy: where calls to a domain go, by
    "example.org", "*.example.org" or "*". headers: of each INVITE and REGISTER besides their own. codecs: names in the
    order of preference, such as "pcma"; PCMU and PCMA when not given. rtp_ports: lowest and highest RTP port, even
    numbers. tls: certificates, for legs "tls:ADDRESS:PORT"; with port 0 and without a certificate of ours such a leg
    only calls. strict_source: requests within a call are taken from hosts of its peer only (RELIABILITY S3). dnsresolv:
    answers questions to DNS in place of the system's servers (`resolver.Lookup`). worker: stand on this call worker of
    a running node, in place of a node of our own; then what concerns the node (`legs`, `rtp_ports`, `codecs`, `tls`,
    `strict_source`) is said there, and the user agent works without being entered.

    trace: keep the newest messages of each call, for `Call.ladder`; on a worker, those of all its calls. sip_trace: a
    capture file for everything, secrets masked; not on a worker, which has its node's.

    Raises:
        ConfigurationError: on entering, for an address that is busy or not ours.
    """

    def __init__(
        self,
        from_: str = "sip:sipswarm@127.0.0.1",
        *,
        legs: Sequence[str] = ("udp:127.0.0.1:0",),
        outgoing_proxy: str = "",
        registrar: str = "",
        auth: Auth | None = None,
        domain: str = "",
        contact: str = "",
        route: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        domain2proxy: Mapping[str, str] | None = None,
        session_expires: int = 0,
        headers: Sequence[tuple[str, str]] = (),
        codecs: Sequence[str] = (),
        rtp_ports: tuple[int, int] = (20000, 32766),
        tls: TlsConfig | None = None,
        strict_source: bool = True,
        dnsresolv: "Lookup | None" = None,
        trace: bool = False,
        sip_trace: str = "",
        worker: "CallWorker | None" = None,
    ) -> None:
        self.domain = domain
        self.from_ = from_ if ":" in from_ else f"sip:{from_}@{domain}"
        self.registrar = registrar
        self._keyring = Keyring(auth) if auth is not None else None
        self._proxy = _hop_of_proxy(outgoing_proxy) if outgoing_proxy else None
        self._domain2proxy = {name.lower(): _hop_of_proxy(proxy) for name, proxy in (domain2proxy or {}).items()}
        self._bound: dict[tuple[str, str], tuple[RegistrationActor, list[Callable[[RegistrationEvent], None]]]] = {}
        self._dnsresolv = dnsresolv
        self._resolver: Resolver | None = None
        self._options = options
        self._identity = Identity(
            self.from_,
            contact,
            tuple(route),
            self._proxy,
            self._keyring,
            session_expires,
            tuple(headers),
        )
        self._trust(outgoing_proxy, registrar)
        self.scenario = ""
        """label of the calls that it places"""
        self.target = ""
        """who a load calls"""
        self.media: str | None = None
        """what calls send that say neither `media` nor `init_media`; None = echo"""
        self.ring_time = 0.0
        """seconds without a final answer before CANCEL, for calls that do not say; 0 = 180"""
        self.on_placed: Callable[[Call], None] | None = None
        """called with each call of `invite` before its INVITE leaves"""
        self._node: EmbeddedNode | BoundNode
        if worker is not None:
            self._node = BoundNode(worker)
            if trace:
                keep_ladders(worker)
        else:
            listeners = tuple(Listener.parse(leg) for leg in legs)
            config = NodeConfig(
                "",
                listeners,
                0,
                rtp_ports=rtp_ports,
                tls=tls or TlsConfig(),
                codecs=tuple(codecs),
                strict_source=strict_source,
            )
            self._node = EmbeddedNode(dataclasses.replace(config, ladders=trace, sip_trace=sip_trace))

    async def __aenter__(self) -> Self:
        await self._node.start()
        worker = self._node.worker
        if isinstance(self._node, BoundNode):
            return self
        worker.arrivals.identity = self._identity
        if self._options is not None:
            worker.admission.options = tuple(self._options.items())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._node.close()

    # ---- inside a call worker

    def another(self, from_: str, **options: Any) -> "UserAgent":
        """A further user agent on the same call worker or, in a script, with sockets of its own.

        from_, options: as for the constructor.
        """
        worker = self._node.worker if isinstance(self._node, BoundNode) else None
        return UserAgent(from_, worker=worker, **options)

    def every(self, seconds: float, function: Callable[[], Any], *, every_worker: bool = False) -> None:
        """Call a function, or run a coroutine function, again and again; the first time after `seconds`.

        every_worker: in each call worker of the node; otherwise in the first only.
        """
        worker = self._node.worker
        if worker.slot and not every_worker:
            return

        async def repeat() -> None:
            while not worker.draining.begun:
                await asyncio.sleep(seconds)
                invoke(function, spawn=worker.spawn)

        worker.spawn(repeat())

    # ---- reading

    @property
    def legs(self) -> tuple[Listener, ...]:
        """The addresses we listen on, with their real ports."""
        return self._node.config.listeners

    def new_call_id(self) -> str:
        """A Call-ID that this user agent may use for a call of its own."""
        return self._node.worker.new_call_id()

    def rtp(self, name: str, *arguments: Any, **options: Any) -> MediaHandler:
        """A media handler by the man page's name: `media_recv_echo`, `media_send_recv`, with or without `media_`."""
        return media_handlers.by_name(name, *arguments, **options)

    # ---- calls that we place

    async def invite(self, to: str | Mapping[str, Any] | Call, **param: Any) -> Call:
        """Call somebody. Without `cb_final` the established call; with it the call at once.

        to: SIP URI, name-addr, or a bare user with `domain`; a mapping with `to` and in place of the user agent's own
        `from`, `contact`, `route`, `auth` and `callid`; or a call that is up, to negotiate it anew (C1). param: see
        `CallParameters`; besides: media ("silence", "echo", "tone:HZ", "play:FILE", "none") in place of `init_media`,
        and call_id.

        Raises:
            CallRejected: the peer answered 300 to 699.
            CallTimeout: no final answer came in time.
            ConfigurationError: something in `to` or the parameters cannot be.
        """
        if isinstance(to, Call):
            return await to.reinvite(**param)
        identity = self._identity
        if isinstance(to, Mapping):
            identity = self._identity_of(to)
            param.setdefault("call_id", to.get("callid", ""))
            to = str(to["to"])
        worker = self._node.worker
        target = self._complete(to)
        uri = NameAddr.parse(target).uri if "<" in target else Uri.parse(target)
        own_hop = param.pop("hop", None)
        hop, *spare = (own_hop,) if own_hop is not None else await self._hops_for(uri)
        self._trust(target)
        media = param.pop("media", None if "init_media" in param else self.media)
        call_id = param.pop("call_id", "")
        parameters = CallParameters(**param)
        media_sockets.convert(worker, parameters)
        if media is None and parameters.init_media is None:
            parameters.init_media = media_handlers.echo()
        listener = self._leg(parameters.leg, hop)
        wishes = robots.media_wishes(media, self._node.config.rtp_timeout) if media is not None else {}
        demand = worker.demand_for(listener, **{**demand_wishes(parameters), **wishes})
        call = worker.place_call(
            target,
            hop,
            spare=spare,
            identity=identity,
            demand=demand,
            headers=parameters.header_pairs(),
            ring_time=parameters.ring_time or self.ring_time,
            scenario=self.scenario,
            call_id=call_id,
            param=parameters,
            listener=listener,
            given=given_description(parameters),
        )
        if self.on_placed is not None:
            self.on_placed(call)
        if parameters.cb_final is None:
            try:
                await call.established()
            except asyncio.CancelledError:
                call.hang_up()  # nobody has its handle
                raise
        return call

    def _identity_of(self, context: Mapping[str, Any]) -> Identity:
        """Who we are in one call, by the fields of its context.

        Raises:
            ConfigurationError: a field that is not known, or no `to`.
        """
        unknown = context.keys() - {"to", "from", "contact", "route", "auth", "callid"}
        if unknown or "to" not in context:
            raise ConfigurationError(f"a context has to, from, contact, route, auth and callid, not {sorted(unknown)}")
        keyring = self._keyring
        if "auth" in context:
            keyring = Keyring(context["auth"])
            keyring.trust(uri_in(str(context["to"])).host)
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

    async def _hops_for(self, uri: Uri) -> tuple[Hop, ...]:
        """Where a call to this URI goes: maddr, domain2proxy, outgoing proxy, then the URI itself."""
        if uri.maddr:
            return await self._resolve(uri)
        host = uri.host.lower()
        for pattern, hop in self._domain2proxy.items():
            if pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return (hop,)
        if "*" in self._domain2proxy:
            return (self._domain2proxy["*"],)
        return (self._proxy,) if self._proxy else await self._resolve(uri)

    async def _resolve(self, uri: Uri) -> tuple[Hop, ...]:
        """The hops of a URI, a name by DNS (RFC 3263), in the order in which they are to be tried."""
        host = uri.maddr or uri.host
        if is_address(host):
            return (hop_of(str(uri)),)
        if self._resolver is None:
            from .resolver import Resolver  # only here: it takes a while to load, and most calls go to addresses

            self._resolver = Resolver(self._dnsresolv, random=Random())
        reachable = tuple((leg.transport, 6 if ":" in leg.host else 4) for leg in self.legs)
        hops = await self._resolver.hops(uri, reachable)
        self._node.worker.output.late.learn(host, hops)
        for hop in hops:
            self._node.worker.output.name(hop, host)
        return hops

    def _leg(self, leg: int | str | None, hop: Hop) -> int:
        """The index of the leg that a call uses (C2)."""
        if leg is None:
            return self._node.worker.listener_for(hop)
        for index, listener in enumerate(self.legs):
            if leg == index or leg == str(listener):
                return index
        raise ConfigurationError(f"no leg is {leg!r}; there are {', '.join(map(str, self.legs))}")

    async def reserve_media(self, count: int = 1, *, leg: int = 0) -> list[MediaLease]:
        """Take media ports before a call, to be written into `sdp` and given as `media_lsocks` (C8).

        Raises:
            Overloaded: no port is free.
        """
        leases = [self._node.worker.lease(leg) for _ in range(count)]
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
        and auth_realm, auth_opaque, auth_algorithms, callers are challenged (`Challenger`) and `auth_user` is a
        parameter of their calls.
        """
        worker = self._node.worker
        worker.arrivals.challenger = Challenger.from_options(worker, self.domain or uri_in(self.from_).host, param)
        if media is None and robot is None and "init_media" not in param:
            param["init_media"] = media_handlers.echo()
        worker.arrivals.param = param
        wishes = demand_wishes(CallParameters(**param))
        if media is not None or robot is not None:
            wishes |= robots.media_wishes(media or "silence", self._node.config.rtp_timeout)
        worker.arrivals.wishes = wishes

        def on_call(call: Call, request: Request) -> None:
            sender = str(request.from_.uri)
            if filter is not None and not invoke(filter, sender, request, spawn=worker.spawn):
                call.reject(refuse_status)
                return
            if cb_create is not None:
                made = invoke(cb_create, call, request, spawn=worker.spawn)
                if not made:
                    call.reject(refuse_status)
                    return
                if callable(made):
                    call.receiver = made
                    return
            if robot is not None:
                robots.run(worker, call, robot)
            else:
                call_callbacks.answer_invite(call, Incoming(request))

        worker.arrivals.on_call = on_call

    def take_transfers(self, consent: Consent = lambda call, target: True) -> None:
        """Call whom a peer of ours refers us to (RFC 3515, 5589), and tell it how that goes.

        consent: called as (call, URI of the target); false declines. The new call has the parameters of `listen`.
        Without this method every transfer is declined.
        """
        worker = self._node.worker

        def place(target: TransferTarget) -> Awaitable[Call]:
            param = {**worker.arrivals.param, "sip_header": target.headers, "cb_final": None}
            return self.invite(target.uri, **param)

        transfers.take_on(worker, place, consent)

    # ---- registration

    async def register(
        self,
        registrar: str = "",
        *,
        contact: str = "",
        expires: int = 900,
        refresh: bool = False,
        leg: int = 0,
        cb_final: Callback = None,
        **headers: str,
    ) -> int:
        """Register our address; the seconds granted (man page `register`).

        registrar: SIP URI, default the user agent's. contact: default our address on the leg. expires: seconds asked
        for, 0 removes the binding. refresh: try again when a refresh fails; the binding is refreshed in any case.
        cb_final: called as ("OK", expires, response) or ("FAIL", {code, …}, response) on each result. Of several call
        workers that register the same address only the one that owns it does; the others return 0 at once.

        Raises:
            CallRejected: the registrar refused. CallTimeout: it did not answer.
        """
        worker = self._node.worker
        uri = registrar or self.registrar
        if not uri:
            raise ConfigurationError("no registrar is known; give one to register() or to the user agent")
        uri = uri if uri.startswith(("sip:", "sips:")) else f"sip:{uri}"
        config = self._node.config
        if slot_of(self.from_.encode(), config.call_id_key, config.call_workers) != worker.slot:
            return 0
        self._trust(uri)
        listener = self.legs[leg]
        hop = self._proxy or (await self._resolve(Uri.parse(uri)))[0]
        local = Hop(listener.transport, listener.host, listener.port)
        user = Uri.parse(self.from_).user or ""
        own = (
            contact
            or self._identity.contact
            or f"<sip:{user}@{format_host(listener.host)}:{listener.port}{_transport(listener)}>"
        )
        settings = RegistrationSettings(
            uri, f"<{self.from_}>", (own,), local, hop, expires or 900, retry=refresh, credentials=self._keyring,
            headers=self._identity.headers + tuple((name.replace("_", "-"), value) for name, value in headers.items()),
            user_agent="sipswarm",
        )  # fmt: skip
        done = worker.loop.create_future()

        def on_event(event: RegistrationEvent) -> None:
            if cb_final is not None:
                _report(cb_final, event, worker.spawn)
            if not done.done() and isinstance(event, Registered | RegistrationFailed | Unregistered):
                done.set_result(event)

        bound = self._bound.pop((uri, own), None)
        if bound is not None and not expires:
            actor, listeners = bound
            listeners[:] = [on_event]
        else:
            listeners = [on_event]
            actor = worker.register(settings, lambda event: listeners[0](event))
            self._bound[uri, own] = actor, listeners
        if not expires:
            actor.unregister(worker.now())
            worker.touch(actor)
        event = await done
        if isinstance(event, RegistrationFailed):
            if event.response is None:
                raise CallTimeout(f"the registrar {uri} did not answer")
            raise CallRejected(event.status, event.response.reason)
        return event.expires if isinstance(event, Registered) else 0

    def _trust(self, *uris: str) -> None:
        """Credentials may be given to the hosts of these URIs."""
        if self._keyring is None:
            return
        for uri in uris:
            if uri:
                self._keyring.trust(uri_in(uri).host)


def uri_in(text: str) -> Uri:
    """The URI of a name-addr, of a SIP URI, or of one whose scheme was left out."""
    inner = text.partition("<")[2].partition(">")[0] or text
    return Uri.parse(inner if inner.startswith(("sip:", "sips:")) else f"sip:{inner}")


def _transport(listener: Listener) -> str:
    return "" if listener.transport == "udp" else f";transport={listener.transport}"


def _hop_of_proxy(proxy: str) -> Hop:
    return hop_of(proxy if proxy.startswith(("sip:", "sips:")) else f"sip:{proxy}")


def _report(callback: Callback, event: RegistrationEvent, spawn: Any) -> None:
    if isinstance(event, Registered):
        invoke(callback, "OK", event.expires, event.response, spawn=spawn)
    elif isinstance(event, Unregistered):
        invoke(callback, "OK", 0, event.response, spawn=spawn)
    elif isinstance(event, RegistrationFailed):
        response: Response | None = event.response
        invoke(callback, "FAIL", {"code": event.status} if response else {}, response, spawn=spawn)
