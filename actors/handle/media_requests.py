"""The requests of a call to its media: plays, until their end; handlers and recordings, until they run.

Each request has a number that the media worker returns with its end, its refusal or its success. A play ends by itself,
by a digit, an error, `stop` or another play, after a peer forbids sending for `HELD_TIME`, or with the call. The
awaiting coroutine gets an error; an error that is not awaited belongs to the call. A request that is awaited for
`HELD_TIME` before the call is answered fails. No play may stay without an end.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, NamedTuple

from sipswarm.media.messages import SinkSpec, SourceSpec

from ..call.media import CallMedia
from ..errors import ConfigurationError, MediaError, MediaHeld

HELD_TIME: Final = 30.0
"""Seconds without a break in which the peer forbids sending, until a file is given up."""
LOOK: Final = 0.5
"""Seconds between two checks whether the peer permits sending."""
NO_MEDIA: Final = 'no_stream: the call has no media; place or take it with some, not with media "none"'
HELD: Final = f"held: the peer lets us send nothing for {HELD_TIME:.0f} s"
UNANSWERED: Final = (
    f"the awaited media of the call cannot run: in {HELD_TIME:.0f} s this side has neither placed nor answered it;"
    " use `await call.answer()` or `call.early_media()` first"
)


class MediaRequest(asyncio.Future[str]):
    """One request; its result is the digit that ended a play, else empty."""

    awaited = False
    """Whether a coroutine waits for it, and gets its error."""

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        """Add a callback, as to every future; from now on the request counts as awaited."""
        self.awaited = True
        super().add_done_callback(fn, context=context)


class _Play(NamedTuple):
    number: int
    request: MediaRequest
    until: str
    """The digits that end it."""
    ends: bool
    """Whether it ends by itself."""


def _never() -> bool:
    return False


def _has_end(source: SourceSpec) -> bool:
    return source[:1] == ("callback",) or (source[:1] == ("file",) and len(source) > 2 and int(source[2]) >= 0)


class MediaRequests:
    """The media requests of one call.

    Args:
        media: of the call.
        future: returns a request that fails with `CallEnded` when the call ends.
        flush: flushes the commands soon.
        loop: for the checks of a peer that holds the call.
        waits: whether the call is not answered yet, by either side, so that no media can run.
        owes_answer: whether it is this side that has not answered or placed it.
    """

    __slots__ = (
        *("_flush", "_future", "_loop", "_media", "_number", "_open", "_owes_answer", "_patience", "_play", "_timer"),
        "_waits",
    )

    def __init__(
        self,
        media: CallMedia,
        future: Callable[[], MediaRequest],
        flush: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
        *,
        waits: Callable[[], bool] = _never,
        owes_answer: Callable[[], bool] = _never,
    ) -> None:
        self._media = media
        self._future = future
        self._flush = flush
        self._loop = loop
        self._number = 0
        self._open: dict[int, MediaRequest] = {}
        """Unfinished requests, by each of their numbers."""
        self._play: _Play | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waits = waits
        self._owes_answer = owes_answer
        self._patience: asyncio.TimerHandle | None = None
        """Ends the requests that are awaited while the call is not answered, `HELD_TIME` after the last of them."""

    # ---- requests

    def play(self, source: SourceSpec, until: str) -> MediaRequest:
        """Send a source over the current one, instead of an earlier play."""
        self._finish("")
        request = self._begin()
        if request.done():
            return request
        number = self._next_number(request)
        self._play = _Play(number, request, until, _has_end(source))
        self._media.play(source, number)
        self._flush()
        if self._play.ends:
            self._timer = self._loop.call_later(LOOK, self._look, 0.0)
        return request

    def stop(self) -> None:
        """End the play, if there is one."""
        if self._play is not None:
            self._finish("")
            self._media.stop_playing()
            self._flush()

    def start(self, source: SourceSpec, sink: SinkSpec, *, under: bool) -> MediaRequest:
        """Replace source and sink from now on.

        Args:
            under: a play goes on over it.
        """
        if not under:
            self._finish("")
        request = self._begin()
        if not request.done():
            self._media.set_sink(sink, request_id=self._next_number(request))
            self._media.set_source(source, request_id=self._next_number(request), under=under)
            self._flush()
        return request

    def record(self, sink: SinkSpec) -> MediaRequest:
        """Replace the sink from now on."""
        request = self._begin()
        if not request.done():
            self._media.set_sink(sink, request_id=self._next_number(request))
            self._flush()
        return request

    def _begin(self) -> MediaRequest:
        request = self._future()
        request.add_done_callback(self._settled)
        request.awaited = False
        if not self._media.demand.wanted and not request.done():
            request.set_exception(MediaError(NO_MEDIA))
        elif self._owes_answer():
            self._stop_patience()
            self._patience = self._loop.call_later(HELD_TIME, self._give_up)
        return request

    def _next_number(self, request: MediaRequest) -> int:
        self._number += 1
        self._open[self._number] = request
        return self._number

    # ---- results

    def digit(self, event: str) -> bool:
        """Take a received digit; return whether it ended the play, and is its result."""
        play = self._play
        if play is None or event not in play.until or play.request.done():
            return False
        self._finish(event)
        self._media.stop_playing()
        self._flush()
        return True

    def plays(self, number: int) -> bool:
        """Whether that is the number of the play."""
        return self._play is not None and self._play.number == number

    def waits(self, number: int) -> bool:
        """Whether that is the number of an unfinished request."""
        return number in self._open

    def done(self, number: int) -> None:
        """Take the success of a request; a play goes on until its end."""
        if self.plays(number):
            return
        request = self._open.pop(number, None)
        if request is not None and request not in self._open.values() and not request.done():
            request.set_result("")

    def ended(self, number: int) -> bool:
        """Take the end of a play; False for one that had another end before."""
        if not self.plays(number):
            return False
        self._media.played()
        self._finish("")
        return True

    def failed(self, number: int, reason: str) -> bool:
        """Take the failure of a request; return whether a coroutine waits for it, which gets the error."""
        request = self._open.pop(number, None)
        if self.plays(number):
            self._let_go()
            self._media.stop_playing()  # the stream still has an earlier play
            self._flush()
        if request is None:
            return False
        if not request.done():
            request.set_exception(MediaError(reason))
        return request.awaited

    # ---- ending

    def close(self) -> None:
        """End all: the call is over."""
        self._stop_patience()
        self._let_go()
        self._open.clear()

    def _finish(self, result: str) -> None:
        play = self._play
        self._let_go()
        if play is not None and not play.request.done():
            play.request.set_result(result)

    def _let_go(self) -> None:
        if self._play is not None:
            self._open.pop(self._play.number, None)
        self._play = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _settled(self, request: Any) -> None:
        """Forget a request; a play whose wait was cancelled stops."""
        self._open = {number: each for number, each in self._open.items() if each is not request}
        if self._play is not None and self._play.request is request:
            self._let_go()
            if request.cancelled():
                self._media.stop_playing()
                self._flush()

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        """Fail the requests that a coroutine awaits instead of answering the call; without one they wait on."""
        self._patience = None
        if self._owes_answer():
            for request in {id(each): each for each in self._open.values()}.values():
                if request.awaited and not request.done():
                    request.set_exception(ConfigurationError(UNANSWERED))

    def _look(self, held: float) -> None:
        """Give up a file that the peer does not permit to be sent."""
        play = self._play
        if play is None:
            return
        held = 0.0 if self._media.may_send or self._waits() else held + LOOK
        if held < HELD_TIME:
            self._timer = self._loop.call_later(LOOK, self._look, held)
            return
        self._timer = None
        self._play = None
        self._open.pop(play.number, None)
        self._media.stop_playing()
        self._flush()
        if not play.request.done():
            play.request.set_exception(MediaHeld(HELD))
