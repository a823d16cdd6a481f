"""The page /probe: takes a target and the name of a module from Prometheus, and answers with the figures of the probe.

A request comes in a thread of the HTTP server, and waits there for its probe, which runs in the event loop. So a probe
delays no other one. The time of a probe is that of its module, or what the scraper leaves (its header, less an offset),
whichever is shorter. Too many probes at once are answered by 503, a malformed request by 400; neither sends anything.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from ..counting.totals import SeriesRow, Totals
from ..diagnosis.foreign_text import shown
from ..errors import ConfigurationError, Overloaded
from ..supervisor.http_server import Answer, Asked
from .figures import CONTENT_TYPE, debug_text, exposition
from .module import DEFAULT, MOST_SECONDS, Module
from .prober import Prober
from .report import ProbeReport

SCRAPE_TIMEOUT: Final = "X-Prometheus-Scrape-Timeout-Seconds"
CLIENT_TIMEOUT: Final = MOST_SECONDS + 10.0
"""Seconds from the accept of a connection to the last octet of its answer."""
_WAIT: Final = 5.0
"""Seconds beyond the time of a probe for which its request waits."""


class ProbeService:
    """The probes of one HTTP server.

    Args:
        prober: runs them, in `loop`.
        modules: by name.
        totals: counts them; only the loop touches it.
        offset: seconds that are taken off the scraper's timeout.
    """

    def __init__(
        self,
        prober: Prober,
        modules: Mapping[str, Module],
        loop: asyncio.AbstractEventLoop,
        totals: Totals,
        *,
        offset: float,
    ) -> None:
        self._prober = prober
        self._modules = dict(modules)
        self._loop = loop
        self._totals = totals
        self._offset = offset
        self.rows: tuple[SeriesRow, ...] = ()
        """What was counted so far, for other threads."""
        self._begin_counting()

    def use(self, modules: Mapping[str, Module]) -> None:
        """Use these modules for the next requests."""
        self._modules = dict(modules)
        self._begin_counting()

    def _begin_counting(self) -> None:
        for name in self._modules:
            self._totals.cell("sipswarm_probes_active", name)
            for result in ("success", "failure", "refused"):
                self._totals.cell("sipswarm_probes_total", name, result)
        self.rows = self._totals.snapshot()

    def page(self, asked: Asked) -> Answer:
        """Answer a request for /probe; called in a thread of its own."""
        try:
            target, name, module, is_debug = self._asked_for(asked)
            timeout = min(module.checks.timeout, self._time_left(asked))
        except ConfigurationError as error:
            return _refused(400, str(error))
        probing = asyncio.run_coroutine_threadsafe(self._probe(target, name, module, timeout), self._loop)
        try:
            report = probing.result(timeout + _WAIT)
        except ConfigurationError as error:
            return _refused(400, str(error))
        except Overloaded as error:
            return _refused(503, str(error))
        except TimeoutError:
            probing.cancel()
            return _refused(503, "the event loop did not end the probe in time")
        if is_debug:
            return Answer(200, debug_text(report, module).encode())
        return Answer(200, exposition(report).encode(), CONTENT_TYPE)

    def health(self, asked: Asked) -> Answer:
        """Answer a request for /healthz."""
        found = {"status": "healthy", "probes": self._prober.taken, "modules": sorted(self._modules)}
        return Answer(200, json.dumps(found).encode() + b"\n", "application/json")

    async def _probe(self, target: str, name: str, module: Module, timeout: float) -> ProbeReport:
        """Run and count a probe, in the loop."""
        active = self._totals.cell("sipswarm_probes_active", name)
        active.value += 1
        self.rows = self._totals.snapshot()
        try:
            report = await self._prober.probe(target, module, timeout=timeout)
        except (ConfigurationError, Overloaded):
            self._totals.cell("sipswarm_probes_total", name, "refused").value += 1
            raise
        finally:
            active.value -= 1
            self.rows = self._totals.snapshot()
        result = "success" if report.passed else "failure"
        self._totals.cell("sipswarm_probes_total", name, result).value += 1
        self._totals.distribution("sipswarm_probe_duration_seconds", name).add(report.seconds)
        self.rows = self._totals.snapshot()
        return report

    def _asked_for(self, asked: Asked) -> tuple[str, str, Module, bool]:
        """Return target, name of the module, module, and whether the text for people is wanted.

        Raises:
            ConfigurationError: the target is missing, or there is no such module.
        """
        try:
            found = parse_qs(asked.query, keep_blank_values=True, errors="strict", max_num_fields=16)
        except ValueError as error:
            raise ConfigurationError(f"the query cannot be read: {error}") from error
        targets, names = found.get("target", []), found.get("module", [DEFAULT])
        if len(targets) != 1 or not targets[0]:
            raise ConfigurationError("name one target: /probe?target=sip:192.0.2.1:5060&module=NAME")
        modules = self._modules
        if len(names) != 1 or names[0] not in modules:
            name = shown(" ".join(names)) or "of an empty name"
            raise ConfigurationError(f"there is no module {name}; there are {', '.join(modules)}")
        return targets[0], names[0], modules[names[0]], found.get("debug", [""])[-1] == "true"

    def _time_left(self, asked: Asked) -> float:
        """Return the seconds that the scraper leaves to a probe.

        Raises:
            ConfigurationError: its header is no time.
        """
        text = asked.header(SCRAPE_TIMEOUT)
        if not text:
            return math.inf
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise ConfigurationError(f"{SCRAPE_TIMEOUT} is {shown(text)}, which is no time in seconds")
        return seconds - self._offset if seconds > self._offset else seconds


def _refused(status: int, text: str) -> Answer:
    return Answer(status, shown(text).encode() + b"\n")
