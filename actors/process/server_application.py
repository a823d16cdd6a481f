"""The registrar and the proxy of a call worker; each gets the parts of the worker that it uses."""

from ..call_worker.worker import CallWorker
from ..config import ServerConfig
from ..robots.blocking import BlockingRobot
from ..robots.domains import Domains
from ..robots.proxy import ProxyRobot
from ..robots.registrar import RegistrarRobot


def install_server(worker: CallWorker, config: ServerConfig) -> None:
    """Give a call worker its servers; a proxy beside a registrar finds the users by its bindings."""
    output, totals = worker.output, worker.totals
    domains = Domains(config, output.addresses.is_ours, [hop.port for hop in output.hops])
    store = None
    if config.registrar:
        registrar = RegistrarRobot(
            config,
            domains,
            worker.arrivals,
            worker.actor_loop.now,
            kept=config.file or worker.config.shared_file("bindings"),
            bindings=totals.cell("sipswarm_registrar_bindings"),
        )
        store = registrar.store
        worker.applications.add(registrar)
    if config.proxy:

        def count(kind: str, result: str) -> None:
            totals.cell("sipswarm_proxy_messages_total", kind, result).value += 1

        worker.applications.add(ProxyRobot(config, domains, worker.arrivals, output, store=store, count=count))
    if config.block or config.block_agents:
        worker.applications.add(BlockingRobot(config, worker.arrivals))
