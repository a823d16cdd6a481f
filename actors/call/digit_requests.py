"""The digits of one call on their way: which of them are out, and which go on after the loss of the media worker.

A request waits while the call has no stream that the peer knows, and goes to one as soon as there is. The media worker
reports each digit as it begins. After its loss the digits that have not begun are sent by its successor: one that has
begun was heard by the peer, or its start was, so that it must not be sent twice. Pure.
"""

from collections.abc import Sequence

from sipswarm.media import messages as media

DIGITS = frozenset("0123456789ABCD*#abcd")


class _Request:
    """One request."""

    __slots__ = ("begun", "command", "earlier")

    def __init__(self, command: media.SendDigits) -> None:
        self.command = command
        self.begun = 0
        """Digits and pauses of the command that are out or under way."""
        self.earlier = 0
        """Digits, without pauses, that went before the command."""

    def cut(self) -> bool:
        """Leave out what has begun; return whether something is left."""
        begun, self.begun = self.command.digits[: self.begun], 0
        self.earlier += sum(each in DIGITS for each in begun)
        self.command = self.command._replace(digits=self.command.digits[len(begun) :])
        return bool(self.command.digits)


class DigitRequests:
    """The digit requests of one call."""

    __slots__ = ("_open", "_waiting")

    def __init__(self) -> None:
        self._open: dict[int, _Request] | None = None
        """Those without a report of their end, by number, the oldest first; None = there was none."""
        self._waiting = False
        """The open ones wait for a stream."""

    @property
    def progress(self) -> dict[int, int]:
        """Digits and pauses of each open request that are out or under way."""
        return {number: request.begun for number, request in (self._open or {}).items()}

    def send(self, command: media.SendDigits, *, waits: bool) -> list[media.Command]:
        """Return the commands for a new request: none where it waits for a stream."""
        if self._open is None:
            self._open = {}
        self._open[command.request_id] = _Request(command)
        self._waiting = self._waiting or waits
        return [] if self._waiting else [command]

    def begun(self, event: media.DigitsBegun) -> None:
        """Note how much of a request is out or under way."""
        request = self._open.get(event.request_id) if self._open else None
        if request is not None:
            request.begun = event.begun

    def sent(self, event: media.DigitsSent) -> media.DigitsSent:
        """Take the end of a request; return it with the digits that an earlier media worker sent."""
        request = self._open.pop(event.request_id, None) if self._open else None
        if request is None or not request.earlier or event.status == "OK":
            return event
        return event._replace(sent=event.sent + request.earlier)

    def stop(self) -> None:
        """Forget those that wait for a stream; the others are stopped by the media worker."""
        if self._waiting and self._open:
            self._open.clear()

    def lost(self) -> Sequence[media.DigitsSent]:
        """Note the loss of the stream; return the ends of the requests of which nothing is left."""
        if not self._open:
            return ()
        self._waiting = True
        over = [number for number, request in self._open.items() if not request.cut()]
        return [media.DigitsSent(self._open.pop(number).command.stream_id, number, "OK") for number in over]

    def go_on(self, stream_id: int) -> list[media.Command]:
        """Return the commands for what waited for a stream."""
        if not self._waiting:
            return []
        self._waiting = False
        return [request.command._replace(stream_id=stream_id) for request in (self._open or {}).values()]
