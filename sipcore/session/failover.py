"""Failover: the next hop of an INVITE that failed (RFC 3263 section 4.3, RFC 3261 section 8.1.3.4).

First come the further places of its callee, when the one before does not answer, cannot be reached, or answers 503. A
dialog that has begun ends this. Then come the targets that 3xx have named. Each INVITE goes out with a new branch. A
place of the other IP version needs an offer with other addresses: the INVITE waits for it. The look-up of places does
not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from ..errors import LocalProtocolError
from ..message.messages import Response
from ..transaction.repeats import NEVER
from .events import NextPlace, Redirected
from .invite_uac import InviteUac
from .invites import CancelState, OutgoingInvite
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

    __slots__ = ("_core", "_failed", "_uac", "places")

    def __init__(self, core: SessionCore, uac: InviteUac) -> None:
        self._core = core
        self._uac = uac
        self.places: Sequence[Place] = ()
        """Further places of the callee, the next one first."""
        self._failed: tuple[OutgoingInvite, Response | None, int] | None = None
        """The INVITE that waits for an offer to the next place, and how it failed at the one before."""

    def take_final(self, client: ClientRequest, response: Response | None, status: int, now: float) -> bool:
        """Silence, a failed transport or a failure: try the next place or target, if there is one.

        A failure of one target leads to the next; a 6xx speaks for all of them (RFC 3261 sections 8.1.3.4, 16.7 step
        5).
        """
        if not isinstance(client, OutgoingInvite) or client.reinvite:
            return False
        if self._failed is not None:
            return True  # the transaction of the INVITE that waits is over
        if (response is None or status == 503) and self.places and not any(client.forks):
            if (":" in self.places[0].config.local.host) == (":" in self._core.config.local.host):
                self._try_next_place(client, now)
            else:
                self._failed = client, response, status
                self._core.events.append(NextPlace(self.places[0].hop))
            return True
        if response is not None and status < 400 and client.redirects < self._core.config.redirects:
            client.targets = with_targets(client.targets, response, client.visited, self._core.config)
        return status < 600 and self._try_next_target(client, now)

    @property
    def waits(self) -> bool:
        """Whether an INVITE waits for `go_on`."""
        return self._failed is not None

    def go_on(self, now: float, description: bytes | None, content_type: str) -> int:
        """Send the INVITE that waits to the next place.

        Args:
            description: the offer, None for a delayed one.

        Returns:
            The request's number.

        Raises:
            LocalProtocolError: none waits.
        """
        failed, self._failed = self._failed, None
        if failed is None:
            raise LocalProtocolError("no INVITE waits for an offer to the next place")
        client = failed[0]
        client.body, client.content_type = description or b"", content_type
        client.has_offer = description is not None
        self._try_next_place(client, now)
        return client.request_id

    def stop_if_cancelled(self, now: float) -> None:
        """End the INVITE that waits when it was cancelled: there is nothing to CANCEL, and no answer to come."""
        if self._failed is not None and self._failed[0].cancel is not CancelState.NONE:
            failed, self._failed = self._failed, None
            self._uac.give_up(*failed, now)

    def _try_next_place(self, client: OutgoingInvite, now: float) -> None:
        """Send the INVITE to the next place."""
        client.end_exchange()
        place, *rest = self.places
        self.places = tuple(rest)
        again = client.again()
        again.repeats = NEVER
        again.hop = place.hop
        self._core.redirect_to(place.hop, place.config)
        self._uac.send_invite(again, now)

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
        core.events.append(Redirected(target.uri, target.response, target.hop))
        self._uac.send_invite(again, now)
        return True
