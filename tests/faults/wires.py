"""The two ways by which the harness' peer sends and receives SIP: datagrams, and connections that come back."""

import asyncio
import re
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

Came = Callable[[bytes, tuple[str, int]], None]
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)")
RETRY = 0.1
"""Seconds between two attempts to connect."""
MOST_WAITING = 10_000
"""Messages that wait for a connection."""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class UdpWire:
    """One UDP socket."""

    def __init__(self, host: str, port: int, came: Came) -> None:
        self._came = came
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(_family(host), socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((host, port))
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._on_readable)
        self.unsent = 0

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def send(self, data: bytes, place: tuple[str, int]) -> None:
        try:
            self._socket.sendto(data, place)
        except OSError:
            self.unsent += 1

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _on_readable(self) -> None:
        for _ in range(200):
            try:
                data, source = self._socket.recvfrom(65536)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._came(data, source[:2])


class _Line:
    """A connection, or one that is being made."""

    __slots__ = ("buffer", "place", "task", "waiting", "writer")

    def __init__(self, place: tuple[str, int]) -> None:
        self.place = place
        self.writer: asyncio.StreamWriter | None = None
        self.waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None


class TcpWire:
    """Connections to where requests go, made again when they are lost, and those that others make."""

    def __init__(self, host: str, port: int, came: Came) -> None:
        self._came = came
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._lines: dict[tuple[tuple[str, int], str], _Line] = {}
        self._accepted: dict[tuple[str, int], asyncio.StreamWriter] = {}
        self._listening = socket.socket(_family(host), socket.SOCK_STREAM)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind((host, port))
        self._server = self._loop.create_task(self._serve())
        self.unsent = self.lost_connections = 0

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    async def _serve(self) -> None:
        self._listening.listen(1000)
        server = await asyncio.start_server(self._accept, sock=self._listening)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = writer.get_extra_info("peername")[:2]
        self._accepted[source] = writer
        line = _Line(source)
        with suppress(OSError, asyncio.CancelledError):  # the end of the row cancels it; asyncio would log that
            while data := await reader.read(65536):
                self._cut(line, data)
        self._accepted.pop(source, None)
        writer.close()

    def send(self, data: bytes, place: tuple[str, int], name: str = "") -> None:
        """Send a message, on a connection of this name where there are several to a place."""
        line = self._lines.get((place, name))
        if line is None:
            line = self._lines[place, name] = _Line(place)
            line.task = self._loop.create_task(self._keep(line))
        if line.writer is None:
            line.waiting.append(data)
        else:
            line.writer.write(data)

    def drop(self, place: tuple[str, int], name: str) -> None:
        """Close the connection of this name."""
        line = self._lines.pop((place, name), None)
        if line is not None:
            if line.task:
                line.task.cancel()
            if line.writer:
                line.writer.close()

    def reply(self, data: bytes, source: tuple[str, int]) -> None:
        """Answer on the connection on which a request came."""
        writer = self._accepted.get(source)
        if writer is None:
            writer = next((line.writer for line in self._lines.values() if line.place == source and line.writer), None)
        if writer is None:
            self.unsent += 1
        else:
            writer.write(data)

    async def _keep(self, line: _Line) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(*line.place, local_addr=(self._host, 0))
            except OSError:
                await asyncio.sleep(RETRY)
                continue
            line.writer, line.buffer = writer, b""
            while line.waiting:
                writer.write(line.waiting.popleft())
            with suppress(OSError):
                while data := await reader.read(65536):
                    self._cut(line, data)
            line.writer = None
            self.lost_connections += 1
            writer.close()

    def _cut(self, line: _Line, data: bytes) -> None:
        line.buffer = (line.buffer + data).lstrip(b"\r\n")
        while (end := line.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(line.buffer, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(line.buffer) < whole:
                return
            message, line.buffer = line.buffer[:whole], line.buffer[whole:].lstrip(b"\r\n")
            self._came(message, line.place)

    def close(self) -> None:
        self._server.cancel()
        for line in self._lines.values():
            if line.task:
                line.task.cancel()
            if line.writer:
                line.writer.close()
        for writer in self._accepted.values():
            writer.close()
