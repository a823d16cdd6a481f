"""What a call needs of those who made it: a worker that is told of it, and a user agent that places it.

Generic over the handle, so that neither has to be imported here.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from sipswarm.sipcore.message.messages import Request

from .parameters import CallParameters

Handle = TypeVar("Handle")
_Told = TypeVar("_Told", contravariant=True)


class CallOwner(Protocol[_Told]):
    """Who owns a call and is told of it; its call worker."""

    def call_came(self, call: _Told, request: Request) -> None:
        """A call came in and waits for its answer."""

    def call_answered(self, call: _Told) -> None:
        """A call of ours was answered."""

    def call_settled(self, call: _Told) -> None:
        """Every figure of a call is final."""

    def reopen(self, call: _Told) -> None:
        """The first INVITE of a call is sent once more, after a challenge."""

    def transfer_asked(self, call: _Told, request_id: int, request: Request) -> None:
        """The peer wants the call transferred; to be accepted or declined under this number."""

    def digit_came(self, mode: str) -> None:
        """A digit came as a SIP message; the others are counted where the media is."""

    def digit_dropped(self) -> None:
        """A call's user does not read its digits."""

    def media_silent(self, call: _Told, level: str, seconds: float) -> None:
        """No RTP came though some was due. level: warning or limit. seconds: for how long."""

    def media_refused(self, call: _Told, command: str, reason: str, detail: str) -> None:
        """The media worker could not do what was asked of it. command: its class name. detail: what, and where."""


class Placer(Protocol[Handle]):
    """Who places a call that was made by hand (`Call(ua, to)`); a user agent."""

    def make(self, call: Handle, to: str | Mapping[str, Any], parameters: CallParameters) -> None:
        """Set up a call that `place` will place."""

    async def place(
        self, to: str | Mapping[str, Any], parameters: CallParameters, call: Handle | None = None
    ) -> Handle:
        """Send the first INVITE of a call."""
