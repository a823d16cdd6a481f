"""The two interfaces that a call uses: a worker that gets its reports, and a user agent that places it.

Generic over the handle, so that neither has to be imported here.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from sipswarm.sipcore.message.messages import Request

from .parameters import CallParameters

Handle = TypeVar("Handle")
_Told = TypeVar("_Told", contravariant=True)


class CallOwner(Protocol[_Told]):
    """The owner of a call, which gets its reports: the call worker."""

    def call_came(self, call: _Told, request: Request) -> None:
        """Take an incoming call, which waits for its answer."""

    def call_answered(self, call: _Told) -> None:
        """Take the answer to an outgoing call."""

    def call_settled(self, call: _Told) -> None:
        """Take the end of a call: every metric of it is final."""

    def reopen(self, call: _Told) -> None:
        """Use a call again whose first INVITE was challenged."""

    def transfer_asked(self, call: _Told, request_id: int, request: Request) -> None:
        """Take a REFER of the peer; to be accepted or declined under this number."""

    def digit_came(self, mode: str) -> None:
        """Count a digit that was received as a SIP message; the media worker counts the others."""

    def digit_dropped(self) -> None:
        """Count a digit that a call's user did not read."""

    def media_silent(self, call: _Told, level: str, seconds: float) -> None:
        """Take the lack of RTP though some was due.

        Args:
            level: warning or limit.
            seconds: for how long.
        """

    def media_moved(self, call: _Told, seconds: float) -> None:
        """Take the end of a gap in the media: they are at another media worker.

        Args:
            seconds: of the gap.
        """

    def media_refused(self, call: _Told, command: str, reason: str, detail: str) -> None:
        """Take a command that the media worker could not carry out.

        Args:
            command: its class name.
            reason: one of a closed set.
            detail: the subject and its place.
        """


class Placer(Protocol[Handle]):
    """The placer of a call that was made by hand (`Call(ua, to)`): a user agent."""

    def make(self, call: Handle, to: str | Mapping[str, Any], parameters: CallParameters) -> None:
        """Set up a call that `place` will place."""

    async def place(
        self, to: str | Mapping[str, Any], parameters: CallParameters, call: Handle | None = None
    ) -> Handle:
        """Send the first INVITE of a call."""
