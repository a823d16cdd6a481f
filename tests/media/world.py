"""Media engines over loopback sockets, on a clock that is a number (no sleeps: loopback delivers at once)."""

import select
import time
from typing import TypeVar

from sipswarm.media.context import Attempt, unguarded
from sipswarm.media.disk import Disk
from sipswarm.media.engine import MediaEngine, MediaSettings
from sipswarm.media.messages import (
    CloseStream,
    Command,
    CommandRefused,
    ConfigureStream,
    Event,
    OpenStream,
    StreamClosed,
    StreamOpened,
    StreamStatistics,
)

HOME = "127.0.0.1"
TICK = 0.005

E = TypeVar("E")


class World:
    """Engines on one clock, and everything they said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.engines: list[MediaEngine] = []
        self.events: dict[MediaEngine, list[Event]] = {}

    def engine(self, settings: MediaSettings | None = None, attempt: Attempt = unguarded) -> MediaEngine:
        engine = MediaEngine(settings, clock=lambda: self.now, attempt=attempt)
        engine._disk = Disk(patience=30.0)  # files are whole when their streams are closed, on a busy machine too
        self.engines.append(engine)
        self.events[engine] = []
        return engine

    def do(self, engine: MediaEngine, *commands: Command, owner: int = 1) -> list[Event]:
        """Give commands; returns what was said to them at once."""
        for command in commands:
            engine.handle(owner, command, self.now)
        said = [event for _, event in engine.drain()]
        self.events[engine] += said
        return said

    def open(self, engine: MediaEngine, stream_id: int = 1, address: str = HOME, **more: object) -> StreamOpened:
        command = OpenStream(stream_id, address)._replace(**more)  # type: ignore[arg-type]  # any field
        (opened,) = self.do(engine, command)
        assert isinstance(opened, StreamOpened)
        return opened

    def run(self, seconds: float) -> None:
        """Let the clock run, as an event loop would."""
        until = self.now + seconds
        while self.now + TICK <= until + 1e-9:
            self.now += TICK
            for engine in self.engines:
                self.poll(engine)

    def poll(self, engine: MediaEngine) -> None:
        if select.select([engine.fileno()], [], [], 0)[0]:
            engine.on_readable(self.now)
        deadline = engine.deadline()
        if deadline is not None and deadline <= self.now + 1e-9:
            engine.on_tick(self.now)
        self.events[engine] += [event for _, event in engine.drain()]

    def said(self, engine: MediaEngine, kind: type[E]) -> list[E]:
        return [event for event in self.events[engine] if isinstance(event, kind)]

    def written(self, engine: MediaEngine) -> None:
        """Wait until the disk has taken what was recorded; its thread knows no clock that is a number."""
        deadline = time.monotonic() + 30
        while engine._disk.waiting:
            assert time.monotonic() < deadline, "the disk takes nothing"
            time.sleep(0.001)

    def close(self, engine: MediaEngine, stream_id: int = 1) -> StreamStatistics:
        *_, closed = self.do(engine, CloseStream(stream_id))
        assert isinstance(closed, StreamClosed)
        return closed.statistics


def to(opened: StreamOpened, **more: object) -> ConfigureStream:
    """A configuration that sends to another stream, with digits on payload type 101."""
    command = ConfigureStream(
        1,
        remote_address=opened.address,
        remote_port=opened.rtp_port,
        dtmf_payload_type=101,
        dtmf_receive_payload_type=101,
    )
    return command._replace(**more)  # type: ignore[arg-type]  # any field of the command


def call(world: World, address: str = HOME, **more: object) -> tuple[MediaEngine, MediaEngine]:
    """Two engines with one stream each that send silence to each other."""
    one, other = world.engine(), world.engine()
    at_one, at_other = world.open(one, address=address), world.open(other, address=address)
    world.do(one, to(at_other, **{"source": ("silence",), **more}))
    world.do(other, to(at_one, **{"source": ("silence",), **more}))
    assert not world.said(one, CommandRefused) + world.said(other, CommandRefused)
    return one, other
