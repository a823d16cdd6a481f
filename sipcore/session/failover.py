"""FailoverSession: a call whose INVITE may go to several places in turn (RFC 3263 section 4.3).

The next one is tried, with a new branch, when the one before does not answer, cannot be reached, or says 503, as long
as nobody has answered with a dialog. Where the places are is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

from ..message.hop import Hop
from ..message.messages import Response
from ..message.tokens import Tokens
from ..transaction.repeats import NEVER
from .invite_session import InviteSession
from .outgoing_invite import CancelState, OutgoingInvite
from .redirection import Target
from .session_config import SessionConfig


class Place(NamedTuple):
    """One place to try."""

    hop: Hop
    config: SessionConfig
    """For requests that leave by this way: its Via and Contact."""


@final
class FailoverSession(InviteSession):
    """An outgoing call; make it with `toward`."""

    __slots__ = ("_places",)

    _places: list[Place]

    @classmethod
    def toward(cls, tokens: Tokens, to: str, places: Sequence[Place], *, call_id: str) -> FailoverSession:
        """Prepare a call to somebody who may be found at several places, the best first; as `outgoing`."""
        first, *rest = places
        session = cls.outgoing(first.config, tokens, to, call_id=call_id, hop=first.hop)
        assert isinstance(session, FailoverSession)
        session._places = rest
        return session

    def _try_again(self, client: OutgoingInvite, response: Response, now: float) -> bool:
        """Beyond the usual reasons: 503 sends it to the next place (RFC 3263 4.3, RFC 3261 21.5.4)."""
        if response.status == 503 and self._go_on(client, now):
            return True
        return super()._try_again(client, response, now)

    def _on_no_invite_response(self, client: OutgoingInvite, status: int, now: float) -> None:
        """Silence or a failed transport: the next place, if there is one."""
        if not self._go_on(client, now):
            super()._on_no_invite_response(client, status, now)

    def _enter(self, target: Target) -> None:
        """Another target: the places of the one before are not its places."""
        super()._enter(target)
        self._places = []

    def _go_on(self, client: OutgoingInvite, now: float) -> bool:
        """Send the INVITE to the next place; False when there is none or the INVITE is not to be sent again."""
        done = client.final or client.reinvite or client.cancel is not CancelState.NONE or any(client.forks)
        if done or not self._places:
            return False
        self._end_exchange(client)
        place = self._places.pop(0)
        again = client.again()
        again.repeats = NEVER
        again.hop = self._hop = place.hop
        if self._domain == self._home:
            self._domain = place.hop.host
        self._home = place.hop.host
        self.config = place.config
        self._send_invite(again, now)
        return True
