"""Serves probes by HTTP until a signal ends it.

SIGHUP reads the modules again; after an error those before go on. SIGINT or SIGTERM end the probes at work, with BYE
or CANCEL where they are due, and the service. A second one leaves at once.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping

from ...counting.totals import Totals
from ...errors import ConfigurationError
from ...host import systemd
from ...probe.module import Module
from ...probe.service import CLIENT_TIMEOUT, ProbeService
from ...supervisor.exposition import MetricsServer
from ..terminal import echo
from ..values import MetricsAddress
from .once import prober_of, run_in_loop, stopped_by_signals


def run_service(place: MetricsAddress, read: Callable[[], Mapping[str, Module]], *, most: int, offset: float) -> int:
    """Serve probes until a signal ends it.

    Args:
        place: address of the HTTP server.
        read: returns the modules by name.
        most: probes at once.
        offset: seconds that are taken off the scraper's timeout.

    Raises:
        ConfigurationError: the address cannot be used, or the modules are not valid.
    """

    async def serve() -> int:
        stop = stopped_by_signals()
        prober = prober_of(most)
        totals = Totals()
        notifier = systemd.from_environment()
        service = ProbeService(prober, read(), asyncio.get_running_loop(), Totals(), offset=offset)
        totals.include(lambda: service.rows)

        def reload() -> None:
            try:
                service.use(read())
            except ConfigurationError as error:
                echo(f"the modules before go on: {error}", err=True)
            else:
                echo("the modules were read again", err=True, level="INFO")

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        with MetricsServer(
            place.host,
            place.port,
            (),
            client_timeout=CLIENT_TIMEOUT,
            pages={"/probe": service.page, "/healthz": service.health},
            totals=totals,
            option="--serve",
        ) as server:
            echo(f"probes at {server.url.removesuffix('/metrics')}/probe")
            notifier.ready()
            try:
                await stop.wait()
            finally:
                notifier.stopping()
                await prober.close()
        return 0

    return run_in_loop(serve())
