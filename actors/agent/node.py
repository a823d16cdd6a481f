"""The embedded node: dispatcher, media worker and call worker in the caller's own event loop.

Roles and links are those of real processes, over `inproc://`; only the endpoints differ. `UserAgent` in a script uses
it, and so do most end-to-end tests. `start` binds the listeners first, then makes dispatcher, media workers and call
worker, and waits until they are linked. `close` hangs up, waits within its limit, then closes each role and the
sockets. It must not change the configuration that it was given: ports that the kernel chose stand in `config`.
"""

import asyncio
import dataclasses
import secrets
import time
from collections.abc import Callable
from random import Random
from typing import Final

from ..bus import link
from ..call_worker.agent_parts import AgentParts
from ..call_worker.draining import SETTLE_WAIT
from ..call_worker.worker import CallWorker
from ..config import NodeConfig
from ..counting.totals import Totals
from ..dispatcher import Dispatcher
from ..errors import ConfigurationError
from ..trace import file as trace_file
from ..transport import listeners, tls
from .bound_node import ENDED

START_TIMEOUT = 5.0
NOT_ENTERED: Final = "the user agent does not run yet; use it inside of `async with UserAgent(…) as ua:`"
RUNS: Final = "the user agent runs already; use it as it is, or make another one"


class EmbeddedNode:
    """All roles of a node in one loop.

    Args:
        config: the wanted configuration; its run directory is ignored, and `start` replaces each port 0.
        random_bytes: source of tags, branches, Call-IDs and the node's key.
        install: gives the call worker its application.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        install: Callable[[CallWorker], None] | None = None,
    ) -> None:
        self._asked = config
        self._worker: CallWorker | None = None
        self._parts: AgentParts | None = None
        self._ended = False
        self._install = install
        self._random_bytes = random_bytes
        self.totals = Totals()

    @property
    def worker(self) -> CallWorker:
        """The call worker of the running node.

        Raises:
            ConfigurationError: the node was not started.
        """
        if self._worker is None:
            raise ConfigurationError(NOT_ENTERED)
        return self._worker

    @property
    def parts(self) -> AgentParts:
        """The parts of that call worker that a user agent uses.

        Raises:
            ConfigurationError: the node was not started, or has ended.
        """
        if self._parts is None:
            raise ConfigurationError(NOT_ENTERED)
        if self._ended:
            raise ConfigurationError(ENDED)
        return self._parts

    @property
    def ended(self) -> bool:
        """Whether the node has ended, and was not started again."""
        return self._ended

    async def start(self) -> None:
        """Bind the listeners and link the roles.

        Raises:
            ConfigurationError: an address is busy or does not belong to this host, or the node runs already.
        """
        if self._parts is not None and not self._ended:
            raise ConfigurationError(RUNS)
        # Here, because numpy comes with it: scripts that only name the user agent, robots and loads need none.
        from ..media_worker import MediaWorker

        loop = asyncio.get_running_loop()
        tls.check(self._asked.tls, self._asked.listeners, time.time())
        if self._asked.sip_trace:
            trace_file.create(self._asked.sip_trace)
        self._sockets, bound = listeners.bind_all(self._asked.listeners)
        key = self._asked.call_id_key or int.from_bytes(self._random_bytes(4))
        self.config = dataclasses.replace(self._asked, run_dir="", listeners=bound, call_id_key=key, call_workers=1)
        self._context = link.new_context()
        ready = asyncio.Event()
        waiting = {"dispatcher", "call"}

        def on_ready(role: str) -> None:
            waiting.discard(role)
            if not waiting:
                ready.set()

        surroundings = link.Surroundings(1, self._context, self.totals, loop)
        self._dispatcher = Dispatcher(
            self.config,
            self._sockets,
            on_ready=lambda: on_ready("dispatcher"),
            random=Random(self._random_bytes(8)),
            surroundings=surroundings,
        )
        self._media = [
            MediaWorker(self.config, slot, surroundings=surroundings) for slot in range(self.config.media_workers)
        ]
        self._worker = CallWorker(
            self.config,
            0,
            self._sockets,
            on_ready=lambda: on_ready("call"),
            tell=None,
            random_bytes=self._random_bytes,
            surroundings=surroundings,
        )
        self._parts = AgentParts.of(self._worker)
        self._ended = False
        if self._install is not None:
            self._install(self._worker)  # in the same turn of the loop: no call may arrive before its application
        async with asyncio.timeout(START_TIMEOUT):
            await ready.wait()

    async def close(self, within: float = 5.0) -> None:
        """Hang up the live calls, wait for the answers, and close everything.

        Args:
            within: how many seconds to wait at most.
        """
        self.worker.drain(0.0)
        now = asyncio.get_running_loop().time
        deadline = now() + within
        registrations, requests = self.worker.registrations, self.worker.requests
        while (self.worker.live_calls or registrations.waiting or requests.unsent) and now() < deadline:
            await asyncio.sleep(0.02)
        settled_by = min(deadline, now() + SETTLE_WAIT)
        while self.worker.actors.has_open_ends() and now() < settled_by:
            await asyncio.sleep(0.02)
        self._ended = True
        self.worker.actor_loop.flush()
        self.worker.close()
        self._dispatcher.close()
        for each in self._media:
            each.close()
        self._context.term()
        for opened in self._sockets:
            opened.close()
