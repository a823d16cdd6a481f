"""Makes the calls of one call worker, outgoing and incoming, with sessions, media and handles.

Each call gets a number, a Call-ID of this slot, the media worker whose turn it is, and its place in the table of
actors. For an outgoing call the factory checks the bound and the Call-ID before it makes anything, then sends the
INVITE; a failure there abandons the call. Sessions share their configuration (`SessionConfigs`). A call must not get a
Call-ID of another slot, because its responses would go there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

from sipswarm.sipcore.errors import SipError
from sipswarm.sipcore.message.header_lines import lines_of
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.sdp.description import SessionDescription
from sipswarm.sipcore.session.dialog import session_key
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.session_record import SessionRecord

from ..bus.slots import SlotMap
from ..call.actor import CallActor, CallOutbox
from ..call.kept import KeptCall, KeptMedia
from ..call.reach import Reach
from ..call.stream_configuration import MediaDemand, MediaPlace
from ..config import NodeConfig, is_wildcard
from ..errors import ConfigurationError, Overloaded
from ..handle.call import Call
from ..handle.call_owner import CallOwner
from ..handle.media_handlers import MediaHandler
from ..handle.media_lease import MediaLeases
from ..handle.media_values import check_source, named_codecs
from ..handle.parameters import CallParameters
from ..identity import Identity
from ..ledger.entries import CallEntry
from ..requests.capabilities import describe
from ..runtime.actor_loop import ActorLoop
from ..runtime.peer import Peer
from ..trace.recorder import CallRecord
from ..transport import listeners
from ..transport.local_addresses import LocalAddress
from ..transport.output import SipOutput
from .actor_table import ActorTable
from .application import IncomingPolicy
from .call_metrics import CallMetrics
from .sessions import SessionConfigs

Wishes = Mapping[str, Any]
"""For the media of calls, as for `CallFactory.demand_for`."""


@dataclass(frozen=True, slots=True)
class CallOrder:
    """The description of a call to be placed."""

    to: str
    """SIP URI of the remote side."""
    hop: Hop
    """Where the INVITE goes."""
    identity: Identity
    """The local identity."""
    demand: MediaDemand | None = None
    """The required media; None for silence in both directions."""
    scenario: str = ""
    """Label of the call."""
    headers: Sequence[tuple[str, str]] = ()
    ring_time: float = 0.0
    """Seconds without a final answer before CANCEL, 0 = the configuration's."""
    planned: float | None = None
    """Monotonic time at which it was due by the plan of a load."""
    call_id: str = ""
    """Must belong to this slot; empty = a new one."""
    param: CallParameters | None = None
    listener: int | None = None
    """Index of the leg, None = the one that reaches the hop."""
    given: SessionDescription | None = None
    """The session description that the user wrote."""
    spare: Sequence[Hop] = ()
    """Further hops, one after the other when the one before fails (RFC 3263 section 4.3)."""
    call: Call | None = None
    """The handle, if there is one already."""
    named_by: tuple[str, ...] = ()
    """The hosts of the peer that named the callee, as by REFER; empty = the user did."""

    @property
    def peer(self) -> Peer:
        """The remote side; it is what the user chose, or what another peer named."""
        proxy = self.identity.outgoing_proxy
        reached = (self.hop.host, *[hop.host for hop in self.spare])
        proxies = (proxy.host,) if proxy is not None else ()
        return _peer((*self.named_by, *reached), proxies if self.named_by else (*reached, *proxies))


@lru_cache(maxsize=256)
def _peer(hosts: tuple[str, ...], chosen: tuple[str, ...]) -> Peer:
    """Return a peer, which the calls of a load to one target share."""
    return Peer(hosts, chosen)


class CallFactory:
    """Makes the calls of one call worker.

    Args:
        owner: gets the reports of each call.
        record: begins the SIP record of a call; returns None when none is kept.

    Attributes:
        configs: the configurations of sessions.
        media_leases: makes leases of media ports.
    """

    def __init__(
        self,
        config: NodeConfig,
        slots: SlotMap,
        configs: SessionConfigs,
        output: SipOutput,
        outbox: CallOutbox,
        actors: ActorTable,
        actor_loop: ActorLoop,
        metrics: CallMetrics,
        *,
        owner: CallOwner[Call],
        record: Callable[[str], CallRecord | None],
    ) -> None:
        self._config = config
        self._slots = slots
        self._tokens = configs.tokens
        self._output = output
        self._outbox = outbox
        self._actors = actors
        self._actor_loop = actor_loop
        self._metrics = metrics
        self._owner = owner
        self._record = record
        self._number = 0
        self._codecs = named_codecs(config.codecs)
        self._parked = listeners.park({each.host for each in config.listeners})
        self._parked_ports = {host: parked.getsockname()[1] for host, parked in self._parked.items()}
        self.configs = configs
        self.media_leases = MediaLeases(
            outbox,
            slots.own % max(1, config.media_workers),
            flush_soon=actor_loop.flush_soon,
            at_listener=self._at_listener,
            at_address=self._at_address,
            shares_process=not config.run_dir,
        )

    def close(self) -> None:
        """Close the parked ports."""
        for parked in self._parked.values():
            parked.close()

    @property
    def is_full(self) -> bool:
        """Whether the number of live calls, requests and subscriptions has reached its limit."""
        return self._actors.taken >= self._config.max_calls

    def parked_port(self, listener: int) -> int:
        """Return the port that takes the media of calls without media, at the address of a listener.

        Args:
            listener: its index.
        """
        port: int = self._parked_ports[self._output.hops[listener].host]
        return port

    def new_call_id(self) -> str:
        """Return a Call-ID that belongs to this slot."""
        return self._slots.mint(self._tokens.call_id)

    def call_id_from(self, text: str) -> str:
        """Return a text as a Call-ID of this slot: with a number behind it where it belongs to another slot."""
        if self._slots.is_ours(text):
            return text
        numbers = count(1)
        return self._slots.mint(lambda: f"{text}-{next(numbers)}")

    def outgoing(self, order: CallOrder) -> Call:
        """Start a call; it proceeds by itself, and `Call.established` waits for it.

        Raises:
            Overloaded: `max_calls` is reached.
            ConfigurationError: no listener has that transport and family, or the Call-ID belongs to another slot.
        """
        if self.is_full:
            live = len(self._actors.live)
            raise Overloaded(f"{live} calls are live in this worker; raise --max-calls or --call-workers")
        call_id, listener, hop, identity = order.call_id, order.listener, order.hop, order.identity
        if not call_id:
            call_id = self.new_call_id()
        elif not self._slots.is_ours(call_id):
            raise ConfigurationError(f"Call-ID {call_id!r} belongs to another slot; take one of ua.new_call_id()")
        if listener is None:
            listener = self.listener_for(hop)
        hops, local = (hop, *order.spare), self._output.addresses.toward(listener, hop.host)
        param = order.param or CallParameters()
        demand = order.demand or self.demand_for(local)
        if order.spare and not (order.given or param.media_lsocks or param.media_ssocks):
            demand = demand._replace(elsewhere=self._elsewhere(order.spare, local))
        moves = demand.elsewhere is not None
        session = self.configs.outgoing(order.to, call_id, hops, local, identity, order.ring_time, moves=moves)
        call = self._new_call(session, demand, param, order.scenario, order.peer, order)
        call.actor.media.describe(order.given)
        self._actors.add(call.actor, (session.call_id, session.local_tag))
        self._metrics.attempt(order.scenario, "uac", self._actor_loop.now())
        try:
            lines = call.ports.begin(param)
            call.actor.invite(
                (*identity.headers, *order.headers),
                self._actor_loop.now(),
                delayed=param.sdp_on_ack,
                hold=param.take_hold(),
                lines=lines,
                ack_lines=lines_of(param.ack_pairs()),
                asks=param.cb_ack is not None,
            )
        except Exception:
            call.actor.abandon(self._actor_loop.now())
            raise
        finally:
            self._actor_loop.touch(call.actor)
        return call

    def unplaced(self, to: str, identity: Identity, call_id: str) -> CallActor:
        """Return the actor of a call before its first INVITE; `outgoing` replaces it."""
        local = self._output.addresses.usual(0)
        hop = local.bound
        session = self.configs.outgoing(to, call_id or self.new_call_id(), (hop,), local, identity, 0.0)
        return CallActor(0, session, self.demand_for(local, wanted=False), self._outbox, is_uac=True, sdp_id=0)

    def reopen(self, call: Call) -> None:
        """Use a call again whose first INVITE was challenged; the same session sends the next one."""
        actor = call.actor
        actor.report_to(call)
        if actor.number not in self._actors.live:
            self._metrics.attempt(call.scenario, "uac", self._actor_loop.now())
            call.times.count_again()
        self._actors.live[actor.number] = call
        self._actors.add(actor, (actor.session.call_id, actor.session.local_tag))
        actor.reopen()

    def incoming(
        self,
        request: Request,
        source: Hop,
        local: LocalAddress,
        identity: Identity,
        policy: IncomingPolicy,
        *,
        scenario: str,
        user: str,
        flow: int,
        now: float,
    ) -> None:
        """Make an incoming call.

        Args:
            scenario: its label.
            user: the authenticated user; empty without a challenge.

        Raises:
            SipError: the INVITE cannot begin a session.
        """
        config = self.configs.of(local, identity, uri=request.uri)
        session = InviteSession.incoming(config, self._tokens, request, source, now, flow=flow)
        param = CallParameters.checked_before(policy.param)
        if user:
            param.update({"auth_user": user})
        proxy = identity.outgoing_proxy
        peer = _peer((source.host,), (source.host,) if proxy is None else (source.host, proxy.host))
        call = self._new_call(session, self.demand_for(local, **policy.wishes), param, scenario, peer)
        call.came_from(source)
        actor = call.actor
        self._actors.add(actor, session_key(request), (session.call_id, session.local_tag))
        self._metrics.attempt(call.scenario, "uas", self._actor_loop.now())
        self._actor_loop.note_cause(actor)
        self._actor_loop.guarded(actor, actor.pump, now)
        self._actor_loop.look_at(actor)

    def again(
        self, record: SessionRecord, kept: KeptCall, entry: CallEntry, identity: Identity, wishes: Wishes
    ) -> Call:
        """Make a call of the process that had the slot before.

        Args:
            identity: the local one; Contact and proxy are those of the call.
            wishes: for its media, as for `demand_for`.

        Raises:
            ConfigurationError: no listener has its local address.
            SipError: its INVITE or a description cannot be read.
        """
        bound, hop = Hop(*entry.bound), Hop(*record.hop)
        listener = self._output.addresses.index_of(bound)
        if listener is None:
            raise ConfigurationError(f"no listener has the address {bound.host}:{bound.port} of a call")
        local = self._output.addresses.at(listener, bound.host, hop.host)
        proxy = Hop(*entry.proxy) if entry.proxy else None
        config = self.configs.of(local, identity._replace(contact=record.contact, outgoing_proxy=proxy))
        session = InviteSession.restored(record, config, self._tokens, self._actor_loop.now())
        demand = self.demand_for(local, **wishes)
        if kept.media:
            media = KeptMedia._make(kept.media)
            demand = demand._replace(worker=media.worker, wanted=media.wanted)
        reached = (hop.host,) if record.home in ("", hop.host) else (hop.host, record.home)
        peer = _peer(reached, reached if proxy is None else (*reached, proxy.host))
        call = self._new_call(session, demand, CallParameters(), entry.scenario, peer, kept=entry)
        actor = call.actor
        try:
            actor.take_over(kept)
        except SipError:
            self._actors.drop(actor)
            del self._actors.live[actor.number]
            raise
        request = session.waiting_request
        keys = (session_key(request),) if request is not None else ()
        self._actors.add(actor, *keys, (session.call_id, session.local_tag))
        if request is not None:
            call.came(request)
        return call

    # ---- media and addresses

    def check_media(self, wishes: Mapping[str, Any], handler: object = None) -> None:
        """Check that calls with these wishes can send their media, in each of their codecs.

        Args:
            handler: `init_media`.

        Raises:
            ConfigurationError: they cannot.
        """
        codecs = wishes.get("codecs", self._codecs)
        check_source(wishes.get("source", ()), codecs)
        if isinstance(handler, MediaHandler):
            check_source(handler.source, codecs)

    def describe(self, local: LocalAddress, wishes: Wishes) -> bytes:
        """Return what a call on a local address could have, for the answer to OPTIONS; empty without media."""
        demand = self.demand_for(local, **wishes)
        return describe(demand.codecs, demand.address, demand.srtp) if demand.wanted else b""

    def demand_for(self, local: LocalAddress, **wishes: Any) -> MediaDemand:
        """Return the required media of a call on a local address, with the media worker whose turn it is."""
        return MediaDemand(
            wanted=wishes.pop("wanted", True),
            codecs=wishes.pop("codecs", self._codecs),
            address=local.seen.host,
            bound=local.media,
            worker=self._number % max(1, self._config.media_workers),
            parked_port=self._parked_ports[self._output.hops[local.listener].host],
            srtp=wishes.pop("srtp", self._config.srtp),
            strict=self._config.strict,
            **wishes,
        )

    def listener_for(self, hop: Hop) -> int:
        """Return the index of the listener that reaches a hop.

        Raises:
            ConfigurationError: no listener has its transport and address family.
        """
        listener = self._output.listener_for(hop)
        if listener is None:
            family = "IPv6" if ":" in hop.host else "IPv4"
            raise ConfigurationError(f"no {hop.transport} listener with an {family} address for {hop.host}; add one")
        return listener

    def _elsewhere(self, spare: Sequence[Hop], local: LocalAddress) -> MediaPlace | None:
        """Return where media is toward the first of these hops that is of the other IP version; None without one."""
        for hop in spare:
            there = self._output.addresses.following(local, hop)
            if there is not None and (":" in hop.host) != (":" in local.seen.host):
                parked = self._parked_ports[self._output.hops[there.listener].host]
                return MediaPlace(there.seen.host, there.media, parked)
        return None

    def toward(self, hop: Hop) -> tuple[Hop, Hop]:
        """Return the local address toward a hop, as its host sees it, and that of the socket."""
        local = self._output.addresses.toward(self.listener_for(hop), hop.host)
        return local.seen, local.bound

    def _new_call(
        self,
        session: InviteSession,
        demand: MediaDemand,
        param: CallParameters,
        scenario: str,
        peer: Peer,
        order: CallOrder | None = None,
        kept: CallEntry | None = None,
    ) -> Call:
        """Make a call and its handle, and enter them in the tables.

        Args:
            peer: its remote side.
            order: of an outgoing call.
            kept: of a call that another process had.
        """
        self._number += 1
        is_uac, sdp_id = session.is_caller, self._tokens.integer(31)
        reach = Reach(peer, self._output.may_send)
        actor = CallActor(self._number, session, demand, self._outbox, is_uac=is_uac, sdp_id=sdp_id, reach=reach)
        handle = order.call if order is not None else None
        call = (handle or Call.__new__(Call)).begin(
            self._owner,
            self._actor_loop,
            self.media_leases,
            actor,
            scenario,
            param,
            to=order.to if order is not None else kept.to if kept is not None else "",
            planned=order.planned if order is not None else None,
            sip_record=self._record(session.call_id),
            kept=kept.kept if kept is not None else None,
        )
        if kept is not None:
            call.keypad.unread.extend(kept.digits)
        self._actors.add(actor)
        self._actors.live[self._number] = call
        return call

    def _at_listener(self, listener: int) -> tuple[str, str]:
        """Return the address that peers see at a listener, and that of its socket."""
        return self._output.addresses.usual(listener).seen.host, self._output.hops[listener].host

    def _at_address(self, host: str) -> str:
        """Return the address that peers see where a socket is bound."""
        if is_wildcard(host):
            listener = next(
                (index for index, hop in enumerate(self._output.hops) if (":" in hop.host) == (":" in host)), 0
            )
            host = self._output.addresses.usual(listener).seen.host
        return self._output.addresses.advertised(host)
