"""A peer in a thread of its own, beside a load that runs in the thread of the test. Not a test."""

import asyncio
import threading
from types import TracebackType
from typing import Generic, TypeVar

from tests.e2e.agents import Peer

SECONDS = 10.0
P = TypeVar("P", bound=Peer)


class InThread(Generic[P]):
    """Serves a peer from `with` to its end.

    Args:
        peer: not opened yet.
    """

    def __init__(self, peer: P) -> None:
        self._peer = peer
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        async with self._peer:
            self._loop = asyncio.get_running_loop()
            self._end = asyncio.Event()
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> P:
        self._thread.start()
        assert self._ready.wait(SECONDS)
        return self._peer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(SECONDS)
