"""The media of one call's user: the handler that runs, the play over it, recordings, frames by callback.

A handler decides source and sink. Plays and recordings are `MediaRequests`, made with the first one and released with
the call, because they hold the function that makes its futures. Frames are exchanged with the handler's callbacks.
`stop` remembers the handler, so that the next INVITE can start it again. Must hold no handle.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sipswarm.media.messages import SinkSpec, SourceSpec

from ..call.actor import CallActor
from ..call.notices import FramesReceived, FramesWanted
from ..call.state import State
from ..diagnosis.user_code import called
from ..runtime.actor_loop import ActorLoop
from .media_handlers import MediaHandler
from .media_requests import MediaRequest, MediaRequests
from .waiters import Waiters

_NOTHING = MediaHandler(("none",), ("none",))
READER: Final = "the function that gives frames"
WRITER: Final = "the function that takes frames"


class RefusedRequest(NamedTuple):
    """The consequences of a refused request."""

    awaited: bool
    """A coroutine waits for it, and gets the error."""
    is_play: bool
    replaced: bool
    """Another request has replaced it."""


def _waits(actor: CallActor) -> bool:
    """Whether a call is not answered yet, and no early media runs."""
    before = actor.state in (State.IDLE, State.CALLING, State.INCOMING)
    return before and not any(line.configured for line in actor.media.lines)


def _owes_answer(actor: CallActor) -> bool:
    """Whether this side has neither answered nor placed a call, and no early media runs."""
    return actor.state is not State.CALLING and _waits(actor)


class MediaWork:
    """The media of one call's user.

    Attributes:
        handler: the handler that runs now.
        requests: the media requests, None before the first one and after the end.
        error: the last refusal or failure of the media worker: a name, details after a colon.
    """

    __slots__ = ("_actor", "_actor_loop", "_stopped", "_waiters", "error", "handler", "requests")

    def __init__(self, actor: CallActor, actor_loop: ActorLoop, waiters: Waiters) -> None:
        self._actor = actor
        self._actor_loop = actor_loop
        self._waiters = waiters
        self._stopped: tuple[MediaHandler | None, SourceSpec] | None = None
        """The handler and source that `stop` has stopped, until the next INVITE."""
        self.handler: MediaHandler | None = None
        self.requests: MediaRequests | None = None
        self.error = ""

    # ---- requests

    def start(self, handler: MediaHandler, *, under: bool = False) -> MediaRequest:
        """Run a handler on every line, instead of the one before.

        Args:
            under: a play goes on over it.
        """
        self._stopped = None
        return self._run(handler, under=under)

    def stop(self) -> None:
        """Stop the handler, so that `restart` can start it again."""
        stopped = self._stopped or (self.handler, self._actor.media.demand.source)
        self._run(_NOTHING, under=False)
        self._stopped = stopped

    def restart(self) -> None:
        """Start the stopped handler again, if there is one."""
        if self._stopped is not None:
            (handler, source), self._stopped = self._stopped, None
            sink: SinkSpec = ("callback",) if handler is not None and handler.write is not None else ("none",)
            self._run(MediaHandler(source, sink), under=True)
            self.handler = handler

    def play(self, source: SourceSpec, until: str) -> MediaRequest:
        """Send a source over the current one.

        Args:
            until: digits that end it.
        """
        return self._ask(lambda requests: requests.play(source, until))

    def stop_playing(self) -> None:
        """End the play, if there is one."""
        if self.requests is not None:
            self.requests.stop()

    def record(self, sink: SinkSpec) -> MediaRequest:
        """Replace the sink from now on."""
        return self._ask(lambda requests: requests.record(sink))

    def _run(self, handler: MediaHandler, *, under: bool) -> MediaRequest:
        self.handler = handler
        return self._ask(lambda requests: requests.start(handler.source, handler.sink, under=under))

    def _ask(self, request: Callable[[MediaRequests], MediaRequest]) -> MediaRequest:
        """Make a request of the media; after the end of the call it fails."""
        actor_loop = self._actor_loop
        if self._actor.state is State.OVER:
            failed = MediaRequest(loop=actor_loop.loop)
            failed.set_exception(self._waiters.ended())
            failed.exception()  # not every user awaits it
            return failed
        if self.requests is None:
            make = partial(self._waiters.future, MediaRequest)
            self.requests = MediaRequests(
                self._actor.media,
                make,
                actor_loop.flush_soon,
                actor_loop.loop,
                waits=partial(_waits, self._actor),
                owes_answer=partial(_owes_answer, self._actor),
            )
        self._actor.note_change()
        return request(self.requests)

    # ---- results

    def digit(self, event: str) -> bool:
        """Take a received digit; return whether it ended a play, and is its result."""
        return self.requests is not None and self.requests.digit(event)

    def done(self, number: int) -> None:
        """Take the success of a request."""
        if self.requests is not None:
            self.requests.done(number)

    def play_ended(self, number: int) -> bool:
        """Take the end of a play; False for one that had another end before."""
        return self.requests is not None and self.requests.ended(number)

    def failed(self, reason: str) -> None:
        """Note a refusal that belongs to no request."""
        self.error = reason

    def refused(self, number: int, reason: str) -> RefusedRequest:
        """Take the refusal or failure of a request; return its consequences."""
        self.error = reason
        requests = self.requests
        is_play = requests is not None and requests.plays(number)
        replaced = number > 0 and (requests is None or not requests.waits(number))
        return RefusedRequest(requests is not None and requests.failed(number, reason), is_play, replaced)

    def frames_wanted(self, notice: FramesWanted) -> None:
        """Get frames from a callback source, in order, up to the wanted number, and provide them."""
        read = self.handler.read if self.handler is not None else None
        frames = []
        end = read is None
        for index in range(notice.wanted if read is not None else 0):
            assert read is not None
            number = (notice.first_sequence_number + index) & 0xFFFF
            frame = called(READER, read, number, notice.line, notice.octets)
            if not frame:
                end = True
                break
            if isinstance(frame, bytes):
                frames.append((frame, -1, 0, -1))
            else:
                payload, payload_type, marker, timestamp = (*frame, -1, 0, -1)[:4] if len(frame) < 4 else frame[:4]
                stamp = -1 if timestamp is None else timestamp
                frames.append((payload, -1 if payload_type is None else payload_type, int(marker or 0), stamp))
        self._actor.media.provide(notice.line, tuple(frames), end)
        self._actor_loop.flush_soon()

    def frames_received(self, notice: FramesReceived) -> None:
        """Give a callback sink its frames."""
        write = self.handler.write if self.handler is not None else None
        if write is not None:
            for payload, sequence_number, timestamp, payload_type, _ in notice.frames:
                called(WRITER, write, payload, sequence_number, timestamp, notice.line, payload_type)

    def close(self) -> None:
        """End all requests: the call is over."""
        if self.requests is not None:
            self.requests.close()
            self.requests = None
