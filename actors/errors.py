"""The errors that users catch: each names what went wrong, which side is to blame, and the fix."""

import copyreg
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Self

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Response


class SwarmError(Exception):
    """Base of every error of this package."""


class ConfigurationError(SwarmError):
    """A request that cannot be met: the message names the fault, the place and the fix. Exit code 2."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, a line for each fault."""
        return (str(self),)


class WrongState(SwarmError, LocalProtocolError):
    """A step that the call's state forbids, such as an answer to a call that was placed; nothing has changed."""


@contextmanager
def forbidden_by_state() -> Iterator[None]:
    """Raise `WrongState` instead of the error with which the protocol refuses a step."""
    try:
        yield
    except WrongState:
        raise
    except LocalProtocolError as error:
        raise WrongState(str(error)) from error


class StartFailed(SwarmError):
    """A process of the node did not come up, through no fault of the configuration. Exit code 1."""


class CallError(SwarmError):
    """A call did not go as requested."""

    def again(self) -> Self:
        """Return the same error without a traceback, to be raised instead of one that a call keeps.

        A traceback holds frames, and they hold the call: objects that hold each other are only found by the collector.
        """
        other = copy(self)
        other.__cause__ = self.__cause__
        return other

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle it by its attributes: the text is not what the constructor takes."""
        return copyreg.__newobj__, (self.__class__, *self.args), self.__dict__  # type: ignore[attr-defined]  # no stub


class CallRejected(CallError):
    """The peer refused: `status` and `reason` of its final response (man page: FAIL with code)."""

    def __init__(self, status: int, reason: str, response: Response | None = None, why: str = "") -> None:
        super().__init__(f"{status} {reason}{'; ' if why else ''}{why}")
        self.status = status
        """Of the final response, 300 to 699."""
        self.reason = reason
        """Its reason phrase."""
        self.response = response
        """The response itself, where there is one; a 401 or 407 may be answered by `resp40x` (man page C31)."""


class HostUnreachable(ConfigurationError, CallError):
    """The host that is called has no address; `cb_final` gets FAIL and EHOSTUNREACH instead (C15)."""

    def __init__(self, text: str, host: str) -> None:
        super().__init__(text)
        self.host = host


class UnusableDigits(ConfigurationError, CallError):
    """Digits that can never be sent as requested: an unknown method, too many at once, or an impossible length."""


class MediaError(CallError):
    """A file, source or recording of a call's media cannot be used, or failed; the text names it and the cause."""


class MediaHeld(MediaError):
    """The peer did not permit the media to be sent."""


class CallTimeout(CallError):
    """No final response in time (RFC 3261 timer B, or `ring_time`)."""


class CallEnded(CallError):
    """The call is over; every pending and later await on it raises this.

    Args:
        cause: how it ended, by name, such as "bye", "cancelled" or "session_expired".
        detail: what the name leaves open.
    """

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(f"the call is over ({cause}: {detail})" if detail else f"the call is over ({cause})")
        self.cause = cause


class RequestEnded(CallError):
    """A request outside of calls ended here before its answer: its node has ended."""


class Overloaded(SwarmError):
    """A local bound was reached; nothing was sent. Try later or raise the bound that the message names.

    Args:
        text: the message.
        reason: the failure of a scenario's run that lets it go on, of `failure_reasons`.
    """

    def __init__(self, text: str, reason: str = "overload") -> None:
        super().__init__(text)
        self.reason = reason
