"""A relay between the two ends of a link whose connections a test cuts, or makes silent in one way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 1 << 16


class Cuttable:
    """The connections that go through the relay, and what is wrong with them.

    Args:
        behind: path of the socket of the end that binds.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent: dict[str, set[int]] = {"there": set(), "back": set()}
        self.connections = 0
        """How many there have been."""

    def cut(self) -> None:
        """Close every connection; what is under way on it is lost."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def silence(self, way: str) -> None:
        """Pass nothing more on the connections that are open: `there`, to the end that binds, or `back`."""
        self._silent[way] = set(range(1, self.connections + 1))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection and make the one behind it."""
        self.connections += 1
        number = self.connections
        self._writers.append(writer)
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(self._behind)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(far_writer)
        for way, source, sink in (("there", reader, far_writer), ("back", far_reader, writer)):
            task = asyncio.ensure_future(self._pass_on(way, number, source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, way: str, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if number not in self._silent[way]:
                    writer.write(data)
        writer.transport.abort()

    async def close(self) -> None:
        """Cut everything and wait until nothing runs."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def cuttable(path: str, behind: str) -> AsyncIterator[Cuttable]:
    """A relay that listens at a path.

    Args:
        behind: path of the socket of the end that binds.
    """
    relay = Cuttable(behind)
    server = await asyncio.start_unix_server(relay.accept, path)
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
