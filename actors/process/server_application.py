"""The registrar and the proxy of a call worker; each gets the parts of the worker that it uses."""

import signal
from functools import partial

from ..bus.messages import Reloaded
from ..call_worker.worker import CallWorker
from ..config import ServerConfig
from ..robots.blocking import BlockingRobot
from ..robots.domains import Domains
from ..robots.nat import NatSources
from ..robots.next_hops import NextHops
from ..robots.proxy import ProxyRobot
from ..robots.registrar import RegistrarRobot
from ..robots.relayed_calls import RelayedCalls
from ..robots.user_list import UserList


def install_server(worker: CallWorker, config: ServerConfig) -> None:
    """Give a call worker its servers; a proxy beside a registrar finds the users by its bindings."""
    output, totals = worker.output, worker.totals
    domains = Domains(config, output.addresses.is_ours, [hop.port for hop in output.hops])
    nat = NatSources(worker.arrivals) if config.nat else None
    registrar = None
    if config.registrar:
        registrar = RegistrarRobot(
            config,
            domains,
            worker.arrivals,
            worker.actor_loop.now,
            kept=config.file or worker.config.shared_file("bindings"),
            bindings=totals.cell("sipswarm_registrar_bindings"),
            source_of=nat.source_of if nat is not None else None,
        )
        worker.applications.add(registrar)
    if config.proxy:

        def count(kind: str, result: str) -> None:
            totals.cell("sipswarm_proxy_messages_total", kind, result).value += 1

        def ended(end: str) -> None:
            totals.cell("sipswarm_relayed_calls_total", end).value += 1

        relayed = None
        if config.relay_media:
            relayed = RelayedCalls(
                worker.factory.media_leases.lease_at,
                most=worker.config.max_calls,
                limit=config.relay_timeout,
                may_send=output.may_send,
                attempt=worker.actor_loop.attempt,
                count=ended,
                active=totals.cell("sipswarm_relayed_calls_active"),
                dropped=lambda: count("request", "dropped"),
                flush_soon=worker.actor_loop.flush_soon,
            )
        proxy = ProxyRobot(
            config,
            domains,
            worker.arrivals,
            output,
            store=registrar.store if registrar is not None else None,
            relayed=relayed,
            now=worker.actor_loop.now,
            next_hops=NextHops(output, partial(worker.actor_loop.spawn, what="the look-up of a next hop")),
            count=count,
        )
        worker.applications.add(proxy)
    if nat is not None:
        nat.install()
    if config.block or config.block_agents or config.drop_agents or config.drop_above:
        worker.applications.add(BlockingRobot(config, worker.arrivals))
    if config.users and worker.tell is not None:  # an embedded node leaves the signals to its user
        users = UserList(
            domains,
            registrar.forget_strangers if registrar is not None else lambda: 0,
            lambda problem: _tell_reloaded(worker, problem),
        )
        worker.actor_loop.loop.add_signal_handler(signal.SIGHUP, users.reload)


def _tell_reloaded(worker: CallWorker, problem: str) -> None:
    if worker.tell is not None:
        worker.tell(Reloaded(problem))
