"""Repetition over UDP, both ways: a message that is sent again until an answer comes, and a message that came again.

SIPp knows no transactions. A `send` with `retrans` is repeated at doubling intervals until any expected message comes.
A message that came again is recognized by its octets: the answer of the file to it is sent once more.
"""

from typing import Final, final

from .received import Received
from .settings import Settings

_INVITE: Final = "INVITE "


@final
class Repetition:
    """The repetition of the last `send` of a call.

    Args:
        settings: limits, and T2.
    """

    __slots__ = ("_count", "_interval", "_is_invite", "_settings", "at", "step", "text")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.at: float | None = None
        """When it is repeated next, or found to be in vain, in monotonic seconds; None = no repetition is under way."""
        self.text = ""
        """What is repeated."""
        self.step = 0
        """Number of its step."""
        self._interval = 0.0
        self._count = 0
        self._is_invite = False

    def start(self, text: str, step: int, interval: float, now: float) -> None:
        """Repeat a message from now on.

        Args:
            text: the message, as it was sent.
            step: number of its step.
            interval: T1, seconds until the first repetition.
        """
        self.text = text
        self.step = step
        self._interval = interval
        self._count = 0
        self._is_invite = text.startswith(_INVITE)
        self.at = now + interval

    def stop(self) -> None:
        """Repeat no more."""
        self.at = None

    def again(self) -> bool:
        """Take the next repetition, which is due. False when there were enough: it has stopped.

        The intervals count from the time that each was due, so that late timers do not add up.
        """
        if self.at is None:
            return False
        settings = self._settings
        if self._count >= (settings.invite_repeats if self._is_invite else settings.other_repeats):
            self.at = None
            return False
        self._count += 1
        self._interval *= 2
        if not self._is_invite:
            self._interval = min(self._interval, max(settings.t2, 0.001))
        self.at += self._interval
        return True


@final
class Recognition:
    """Recognizes a received message that came before.

    Its answer is the first message that was sent behind it. A request may have several answers, of which the last
    counts (RFC 3261 section 17.2.1); in SIPp a second one makes that the request is no longer known (`strict`).

    Args:
        settings: `loose`, and `strict`.
    """

    __slots__ = ("_answer", "_answered", "_last", "_settings", "_was_request")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._was_request = False
        self._last: str | None = None
        self._answered: str | None = None
        self._answer = 0

    def received(self, message: Received) -> None:
        """Remember the message that the call went on with."""
        self._last = self._key(message)
        self._was_request = bool(message.method)

    def sent(self, step: int, *, is_response: bool) -> None:
        """Take a message that was sent.

        Args:
            step: number of the step that sent it.
            is_response: whether it is a response.
        """
        if self._last is not None:
            self._answered = self._last
            self._answer = step
            self._last = None
        elif self._settings.strict:
            self._answered = None
        elif is_response and self._was_request:
            self._answer = step

    def answer_to(self, message: Received) -> int | None:
        """The step that answered the same message before; None = none did."""
        return self._answer if self._answered is not None and self._answered == self._key(message) else None

    def is_last(self, message: Received) -> bool:
        """Whether the same message was the last one, and is not answered yet."""
        return self._last is not None and self._last == self._key(message)

    def _key(self, message: Received) -> str:
        return message.loose_key if self._settings.loose else message.text
