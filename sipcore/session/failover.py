"""Failover: the next hop of an INVITE that failed (RFC 3263 section 4.3, RFC 3261 section 8.1.3.4).

First come the further places of its callee, when the one before does not answer, cannot be reached, or answers 503. A
dialog that has begun ends this. Then come the targets that 3xx have named. Each INVITE goes out with a new branch. The
look-up of places does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ..message.messages import Response
from ..transaction.repeats import NEVER
from .events import Redirected
from .invite_uac import InviteUac
from .invites import OutgoingInvite
from .open_requests import ClientRequest, FinalHandler
from .redirection import Place, with_targets
from .session_core import SessionCore


@final
class Failover(FinalHandler):
    """Sends the first INVITE of a call elsewhere.

    Args:
        core: of the call.
        uac: sends INVITEs.
    """

    __slots__ = ("_core", "_uac", "places")

    def __init__(self, core: SessionCore, uac: InviteUac) -> None:
        self._core = core
        self._uac = uac
        self.places: Sequence[Place] = ()
        """Further places of the callee, the next one first."""

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Silence, a failed transport or a failure: try the next place or target, if there is one.

        A failure of one target leads to the next; a 6xx speaks for all of them (RFC 3261 sections 8.1.3.4, 16.7 step
        5).
        """
        if not isinstance(client, OutgoingInvite) or client.reinvite:
            return False
        if (response is None or status == 503) and self._try_next_place(client, now):
            return True
        if response is not None and status < 400 and client.redirects < self._core.config.redirects:
            client.targets = with_targets(client.targets, response, client.visited, self._core.config)
        return status < 600 and self._try_next_target(client, now)

    def _try_next_place(self, client: OutgoingInvite, now: float) -> bool:
        """Send the INVITE to the next place; False when there is none, or a dialog has begun at this one."""
        if not self.places or any(client.forks):
            return False
        client.end_exchange()
        place, *rest = self.places
        self.places = tuple(rest)
        again = client.again()
        again.repeats = NEVER
        again.hop = place.hop
        self._core.redirect_to(place.hop, place.config)
        self._uac.send_invite(again, now)
        return True

    def _try_next_target(self, client: OutgoingInvite, now: float) -> bool:
        """Call the next target that a 3xx has named; False when there is none or the policy forbids it."""
        core = self._core
        if not client.targets or client.redirects >= core.config.redirects:
            return False
        client.end_exchange()
        again = client.again()
        target, *rest = client.targets
        again.targets = tuple(rest)
        again.redirects += 1
        again.visited = (*client.visited, target.named)
        again.uri = target.uri
        again.hop = target.hop
        again.embedded = target.lines
        again.repeats = NEVER
        core.hop = target.hop
        self.places = ()  # those of the callee before
        core.events.append(Redirected(target.uri, target.response))
        self._uac.send_invite(again, now)
        return True
